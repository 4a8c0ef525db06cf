/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Upload slots: what is signed cannot be changed. */
#include "unit.h"

#include <errno.h>

#include "account/slot.h"
#include "base/base64.h"
#include "base/clock.h"

struct world {
	struct arena a;
	struct accounts ac;
	struct slot slot;
	struct str token;
};

static void world_init(struct world *w)
{
	*w = (struct world){ .ac.secret = { 1, 2, 3 } };
	arena_init(&w->a);
	w->slot = (struct slot){ .name = STR("a b.png"), .owner = STR("alice"), .type = STR("image/png"), .size = 123456789012 };
	slot_make(&w->ac, &w->a, &w->slot, &w->token);
}

TEST(gives_back_what_it_was_made_of)
{
	struct world w;
	struct slot out;

	world_init(&w);
	assert_int_equal(w.slot.id.n, 32);
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, w.slot.id, w.slot.name, clock_wall_ms(), &out), 0);
	assert_str(out.owner, "alice");
	assert_str(out.type, "image/png");
	assert_str(out.name, "a b.png");
	assert_true(out.size == 123456789012 && out.expires_ms == w.slot.expires_ms);
	arena_fini(&w.a);
}

TEST(refuses_every_changed_bit)
{
	struct world w;
	struct slot out;
	struct str bytes;

	world_init(&w);
	assert_int_equal(base64url_decode(&w.a, w.token, &bytes), 0);
	for (size_t bit = 0; bit < bytes.n * 8; bit++) {
		struct str changed = arena_str(&w.a, bytes);

		((char *)(uintptr_t)changed.p)[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(slot_check(&w.ac, &w.a, base64url_encode(&w.a, changed), w.slot.id, w.slot.name, 0, &out), -EACCES);
	}
	for (size_t n = 0; n < bytes.n; n++)
		assert_int_equal(slot_check(&w.ac, &w.a, base64url_encode(&w.a, (struct str){ bytes.p, n }), w.slot.id,
					 w.slot.name, 0, &out), -EACCES);
	arena_fini(&w.a);
}

TEST(belongs_to_one_url_one_server_and_one_hour)
{
	struct world w;
	struct slot out;

	world_init(&w);
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, w.slot.id, STR("a b.html"), 0, &out), -EACCES);
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, STR("other"), w.slot.name, 0, &out), -EACCES);
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, w.slot.id, w.slot.name, w.slot.expires_ms - 1, &out), 0);
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, w.slot.id, w.slot.name, w.slot.expires_ms, &out), -ETIME);
	w.ac.secret[31] ^= 1;
	assert_int_equal(slot_check(&w.ac, &w.a, w.token, w.slot.id, w.slot.name, 0, &out), -EACCES);
	assert_int_equal(slot_check(&w.ac, &w.a, STR("*"), w.slot.id, w.slot.name, 0, &out), -EACCES);
	assert_int_equal(slot_check(&w.ac, &w.a, STR(""), w.slot.id, w.slot.name, 0, &out), -EACCES);
	arena_fini(&w.a);
}

UNIT_MAIN(cmocka_unit_test(gives_back_what_it_was_made_of), cmocka_unit_test(refuses_every_changed_bit),
	cmocka_unit_test(belongs_to_one_url_one_server_and_one_hour));

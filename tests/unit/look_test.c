/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What nicknames look like (XEP-0045, "Denial of Service", 7). */
#include "unit.h"

#include "proto/xmpp/jid.h"
#include "proto/xmpp/look.h"

static struct arena arena;

static struct str look(const char *nick)
{
	struct str prepped;

	assert_int_equal(jid_resourceprep(&arena, str_of(nick), &prepped), 0);
	return nick_look(&arena, prepped);
}

static const struct {
	const char *a, *b;
} ALIKE[] = {
	{ "Alice", "aLICE" }, { "Alice", "Alice " }, { "Al ice", "Alice" }, { "Alice", "Аlісе" }, { "Bob", "Βοb" },
	{ "Alice", "Ａｌｉｃｅ" }, { "Alice", "A\xcd\x8flice" }, { "Ёж", "ёж" }, { "Straße", "STRASSE" }, { "ｶﾞﾝ", "ガン" },
};

static const char *const APART[] = { "alice", "alica", "鸿雁", "鴻雁", "雁", "élise", "elise", "жук", "שלום", "😀", "😁", "1", "l" };

TEST(takes_for_one_what_looks_alike)
{
	for (size_t i = 0; i < sizeof(ALIKE) / sizeof(*ALIKE); i++)
		assert_true(str_eq(look(ALIKE[i].a), look(ALIKE[i].b)));
}

TEST(tells_apart_what_looks_different)
{
	size_t n = sizeof(APART) / sizeof(*APART);

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			assert_false(str_eq(look(APART[i]), look(APART[k])));
}

TEST(is_never_empty_and_says_the_same_of_itself)
{
	static const char *const NICKS[] = { "a", "\xcd\x8f\xcd\x8f", "é", "\xe3\x85\xa4x", "Жук 1" };

	for (size_t i = 0; i < sizeof(NICKS) / sizeof(*NICKS); i++) {
		struct str once = nick_look(&arena, str_of(NICKS[i]));

		assert_true(once.n > 0);
		assert_true(str_eq(once, nick_look(&arena, once)));
	}
}

TEST(takes_the_longest_nick)
{
	char nick[1024];

	memset(nick, 'A', sizeof(nick) - 1);
	nick[sizeof(nick) - 1] = '\0';
	assert_int_equal(nick_look(&arena, str_of(nick)).n, sizeof(nick) - 1);
	for (size_t i = 0; i + 2 < sizeof(nick); i += 2)
		memcpy(nick + i, "é", 2);
	nick[1022] = '\0';
	assert_int_equal(nick_look(&arena, str_of(nick)).n, 1022);
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(takes_for_one_what_looks_alike), CASE(tells_apart_what_looks_different),
	CASE(is_never_empty_and_says_the_same_of_itself), CASE(takes_the_longest_nick));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* arena, buf and blob. */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/blob.h"
#include "base/buf.h"

TEST(arena_gives_aligned_memory_of_any_size)
{
	struct arena a = { 0 };

	for (size_t n = 0; n < 300000; n = n * 3 / 2 + 1) {
		char *p = arena_alloc(&a, n);

		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0xaa, n);
	}
	assert_memory_equal(arena_zalloc(&a, 64), (char[64]){ 0 }, 64);
	arena_reset(&a);
	assert_memory_equal(arena_zalloc(&a, 64), (char[64]){ 0 }, 64);
	arena_fini(&a);
	arena_fini(&a);
}

TEST(arena_copies_and_prints_across_chunks)
{
	struct arena a = { 0 };
	static char big[100000];

	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < 200; i++) {
		struct str s = arena_printf(&a, "%d %.*s", i, i * 40, big);

		assert_int_equal(strlen(s.p), s.n);
		assert_int_equal(atoi(s.p), i);
	}
	assert_int_equal(arena_printf(&a, "%s", big).n, sizeof(big) - 1);
	assert_str(arena_str(&a, STR("a")), "a");
	assert_int_equal(arena_str(&a, STR_NONE).p[0], 0);
	arena_fini(&a);
}

TEST(arena_release_gives_back_what_came_after_the_mark)
{
	struct arena a = { 0 };
	struct arena_mark empty = arena_mark(&a), m;
	char *kept, *next;

	kept = arena_alloc(&a, 100);
	memset(kept, 'k', 100);
	m = arena_mark(&a);
	next = arena_alloc(&a, 10);
	for (int i = 0; i < 10; i++)
		arena_alloc(&a, 60000);
	arena_release(&a, m);
	assert_ptr_equal(arena_alloc(&a, 10), next);
	assert_int_equal(kept[99], 'k');
	arena_release(&a, empty);
	assert_ptr_equal(arena_alloc(&a, 100), kept);
	arena_fini(&a);
}

TEST(buffer_grows_and_is_consumed)
{
	struct buf b = { 0 };

	assert_int_equal(buf_view(&b).n, 0);
	buf_put(&b, NULL, 0);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%04d", i);
	assert_int_equal(b.n, 4000);
	buf_consume(&b, 3990);
	buf_putc(&b, '!');
	buf_puts(&b, "ab");
	buf_str(&b, STR("cd"));
	assert_str(buf_view(&b), "9709980999" "!abcd");
	memcpy(buf_room(&b, 100000), "zz", 2);
	b.n += 2;
	buf_consume(&b, b.n);
	assert_int_equal(b.n, 0);
	buf_free(&b);
	buf_free(&b);
	assert_null(b.p);
}

static void *ref_and_unref(void *blob)
{
	for (int i = 0; i < 10000; i++)
		blob_unref(blob_ref(blob));
	blob_unref(blob);
	return NULL;
}

TEST(blob_is_freed_by_its_last_owner_in_any_thread)
{
	struct blob *b = blob_new("bytes", 5);
	pthread_t threads[4];

	assert_str(blob_view(b), "bytes");
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, blob_ref(b)), 0);
	blob_unref(b);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	blob_unref(blob_ref(NULL));
	assert_int_equal(blob_view(NULL).n, 0);
}

UNIT_MAIN(cmocka_unit_test(arena_gives_aligned_memory_of_any_size),
	cmocka_unit_test(arena_copies_and_prints_across_chunks),
	cmocka_unit_test(arena_release_gives_back_what_came_after_the_mark),
	cmocka_unit_test(buffer_grows_and_is_consumed),
	cmocka_unit_test(blob_is_freed_by_its_last_owner_in_any_thread));

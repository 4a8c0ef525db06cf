/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store's behaviour, the same on each back end. */
#include "store_box.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store.h"

static struct box box;

static int with_sqlite(void **state)
{
	box_open(&box, "sqlite", NULL);
	return 0;
}

static int with_memory(void **state)
{
	box_open(&box, "memory", NULL);
	return 0;
}

static int done_with_it(void **state)
{
	box_close(&box);
	return 0;
}

#define ALICE "alice@example.org"
#define BOB "bob@example.org"
#define ROOM "room@conference.example.org"

static const struct archive_query everything = { .owner = { ALICE, sizeof(ALICE) - 1 }, .end_id = UINT64_MAX,
						 .before_id = UINT64_MAX, .limit = 50 };

/* ---- items ---- */

TEST(an_item_is_read_as_it_was_put)
{
	assert_null(box_get(&box, ALICE, "roster", BOB));
	assert_int_equal(box_put(&box, ALICE, "roster", BOB, "both"), 0);
	assert_string_equal(box_get(&box, ALICE, "roster", BOB), "both");
	assert_null(box_get(&box, BOB, "roster", BOB));
	assert_null(box_get(&box, ALICE, "vcard", BOB));
	assert_null(box_get(&box, ALICE, "roster", ALICE));
}

TEST(put_replaces_and_del_removes)
{
	struct store_batch *b = store_batch_new();

	box_put(&box, ALICE, "k", "a", "1");
	box_put(&box, ALICE, "k", "a", "2");
	assert_string_equal(box_get(&box, ALICE, "k", "a"), "2");
	store_del(b, STR(ALICE), STR("k"), STR("a"));
	store_del(b, STR("nobody"), STR("k"), STR("a")); /* absent: no error */
	assert_int_equal(box_commit(&box, b), 0);
	assert_null(box_get(&box, ALICE, "k", "a"));
}

TEST(values_are_opaque_bytes_and_may_be_empty)
{
	struct store_batch *b = store_batch_new();
	struct answer a;

	store_put(b, STR(""), STR("k"), STR(""), STR_NONE);
	store_put(b, STR(""), STR("k"), (struct str){ "\0\xff", 2 }, (struct str){ "a\0b", 3 });
	assert_int_equal(box_commit(&box, b), 0);
	assert_string_equal(box_get(&box, "", "k", ""), "");
	a = box_list(&box, &(struct store_range){ .owner = STR(""), .kind = STR("k"), .limit = 9 });
	assert_int_equal(a.n, 2);
}

TEST(an_item_of_the_largest_size_is_kept)
{
	struct store_batch *b = store_batch_new();
	char *value = malloc(STORE_VALUE_MAX), key[STORE_KEY_MAX];

	memset(value, 'v', STORE_VALUE_MAX);
	memset(key, 'k', sizeof(key));
	store_put(b, STR(ALICE), STR("k"), (struct str){ key, sizeof(key) }, (struct str){ value, STORE_VALUE_MAX });
	assert_int_equal(box_commit(&box, b), 0);
	b = store_batch_new();
	store_expect(b, STR(ALICE), STR("k"), (struct str){ key, sizeof(key) }, (struct str){ value, STORE_VALUE_MAX });
	assert_int_equal(box_commit(&box, b), 0);
	free(value);
}

TEST(a_batch_with_a_failing_insert_leaves_nothing)
{
	struct store_batch *b = store_batch_new();

	box_put(&box, ALICE, "k", "taken", "old");
	store_put(b, STR(ALICE), STR("k"), STR("before"), STR("1"));
	store_del(b, STR(ALICE), STR("k"), STR("taken"));
	store_insert(b, STR("newcomer"), STR("newkind"), STR("x"), STR("1"));
	store_put(b, STR(ALICE), STR("k"), STR("taken"), STR("1"));
	store_insert(b, STR(ALICE), STR("k"), STR("taken"), STR("1"));
	store_put(b, STR(ALICE), STR("k"), STR("after"), STR("1"));
	box_row(b, ALICE, 5, BOB, NULL, "text");
	assert_int_equal(box_commit(&box, b), -EEXIST);
	assert_string_equal(box_get(&box, ALICE, "k", "taken"), "old");
	assert_null(box_get(&box, ALICE, "k", "before"));
	assert_null(box_get(&box, ALICE, "k", "after"));
	assert_null(box_get(&box, "newcomer", "newkind", "x"));
	assert_int_equal(box_query(&box, &everything).n, 0);
	box_put(&box, "newcomer", "newkind", "x", "2"); /* its names were undone too */
	assert_string_equal(box_get(&box, "newcomer", "newkind", "x"), "2");
}

TEST(a_failing_batch_does_not_touch_its_neighbours_in_the_same_commit)
{
	struct answer a[3] = { 0 };
	struct store_batch *b;

	box_put(&box, ALICE, "k", "taken", "old");
	for (int i = 0; i < 3; i++) {
		char key[8];

		snprintf(key, sizeof(key), "n%d", i);
		b = store_batch_new();
		store_put(b, STR(ALICE), STR("k"), str_of(key), STR("1"));
		if (i == 1)
			store_insert(b, STR(ALICE), STR("k"), STR("taken"), STR("1"));
		store_commit(box.store, box.shard, b, box_on_done, &a[i]);
	}
	box_wait(&box, &a[2], 1);
	assert_int_equal(a[0].status, 0);
	assert_int_equal(a[1].status, -EEXIST);
	assert_int_equal(a[2].status, 0);
	assert_non_null(box_get(&box, ALICE, "k", "n0"));
	assert_null(box_get(&box, ALICE, "k", "n1"));
	assert_non_null(box_get(&box, ALICE, "k", "n2"));
}

static int expect(const char *key, struct str value)
{
	struct store_batch *b = store_batch_new();

	store_expect(b, STR(ALICE), STR("k"), str_of(key), value);
	store_put(b, STR(ALICE), STR("k"), STR("result"), STR("written"));
	return box_commit(&box, b);
}

TEST(expect_compares_the_whole_value_or_its_absence)
{
	assert_int_equal(expect("a", STR("1")), -EAGAIN);
	assert_null(box_get(&box, ALICE, "k", "result"));
	assert_int_equal(expect("a", STR_NONE), 0);
	box_put(&box, ALICE, "k", "a", "1");
	assert_int_equal(expect("a", STR_NONE), -EAGAIN);
	assert_int_equal(expect("a", STR("12")), -EAGAIN);
	assert_int_equal(expect("a", STR("")), -EAGAIN);
	assert_int_equal(expect("a", STR("1")), 0);
	box_put(&box, ALICE, "k", "e", "");
	assert_int_equal(expect("e", STR_NONE), -EAGAIN);
	assert_int_equal(expect("e", STR("")), 0);
}

TEST(del_all_takes_a_prefix_a_kind_or_the_owner)
{
	static const char *const keys[] = { "a", "ab", "abc", "b" };
	struct store_range all = { .owner = STR(ALICE), .limit = 100 };
	struct store_batch *b = store_batch_new();

	for (size_t i = 0; i < 4; i++) {
		store_put(b, STR(ALICE), STR("k1"), str_of(keys[i]), STR("1"));
		store_put(b, STR(ALICE), STR("k2"), str_of(keys[i]), STR("2"));
		store_put(b, STR(BOB), STR("k1"), str_of(keys[i]), STR("3"));
	}
	store_del_all(b, STR(ALICE), STR("k1"), STR("ab"));
	assert_int_equal(box_commit(&box, b), 0);
	assert_string_equal(box_list(&box, &all).text, "k1/a=1 k1/b=1 k2/a=2 k2/ab=2 k2/abc=2 k2/b=2 ");
	b = store_batch_new();
	store_del_all(b, STR(ALICE), STR("k2"), STR_NONE);
	assert_int_equal(box_commit(&box, b), 0);
	assert_string_equal(box_list(&box, &all).text, "k1/a=1 k1/b=1 ");
	b = store_batch_new();
	store_del_all(b, STR(ALICE), STR_NONE, STR_NONE);
	assert_int_equal(box_commit(&box, b), 0);
	assert_int_equal(box_list(&box, &all).n, 0);
	assert_non_null(box_get(&box, BOB, "k1", "abc"));
}

TEST(lists_are_ordered_and_paged)
{
	struct store_range r = { .owner = STR(ALICE), .kind = STR("k"), .limit = 2 };
	static const char *const keys[] = { "p/b", "p/a", "q", "p/c", "o", "p" };

	for (size_t i = 0; i < 6; i++)
		box_put(&box, ALICE, "k", keys[i], "1");
	box_put(&box, ALICE, "l", "p/z", "1");
	assert_string_equal(box_list(&box, &r).text, "k/o=1 k/p=1 ");
	r.after = STR("p");
	assert_string_equal(box_list(&box, &r).text, "k/p/a=1 k/p/b=1 ");
	r.after = STR_NONE;
	r.prefix = STR("p/");
	r.limit = 10;
	assert_string_equal(box_list(&box, &r).text, "k/p/a=1 k/p/b=1 k/p/c=1 ");
	r.after = STR("p/b");
	assert_string_equal(box_list(&box, &r).text, "k/p/c=1 ");
	r.after = STR("z");
	assert_int_equal(box_list(&box, &r).n, 0);
	r.owner = STR("nobody");
	assert_int_equal(box_list(&box, &r).n, 0);
}

/* ---- order ---- */

TEST(a_read_sees_the_callers_writes_that_wait)
{
	struct answer done = { 0 }, read = { 0 };

	for (int i = 0; i < 200; i++) {
		struct store_batch *b = store_batch_new();
		char value[8];

		snprintf(value, sizeof(value), "%d", i);
		store_put(b, STR(ALICE), STR("k"), STR("a"), str_of(value));
		assert_int_equal(store_commit(box.store, box.shard, b, box_on_done, &done), 0);
		assert_int_equal(store_get(box.store, box.shard, STR(ALICE), STR("k"), STR("a"), box_on_items, &read), 0);
		box_wait(&box, &read, i + 1);
		snprintf(value, sizeof(value), "=%d ", i);
		assert_non_null(strstr(read.text, value));
	}
	box_wait(&box, &done, 200);
}

static int order[500], order_n;

static void on_ordered(struct shard *s, void *arg, int status)
{
	order[order_n++] = (int)(intptr_t)arg;
}

TEST(answers_come_in_the_order_of_commits_and_a_barrier_comes_last)
{
	struct answer a = { 0 };

	order_n = 0;
	for (int i = 0; i < 499; i++) {
		struct store_batch *b = store_batch_new();

		store_put(b, STR(ALICE), STR("k"), STR("a"), STR("1"));
		store_commit(box.store, box.shard, b, on_ordered, (void *)(intptr_t)i);
	}
	store_barrier(box.store, box.shard, box_on_done, &a);
	box_wait(&box, &a, 1);
	assert_int_equal(a.status, 0);
	assert_int_equal(order_n, 499);
	for (int i = 0; i < 499; i++)
		assert_int_equal(order[i], i);
}

TEST(closing_writes_what_is_queued)
{
	struct store_batch *b = store_batch_new();

	store_put(b, STR(ALICE), STR("k"), STR("a"), STR("1"));
	store_commit(box.store, NULL, b, NULL, NULL);
	box_reopen(&box);
	if (!strcmp(box.backend, "sqlite"))
		assert_string_equal(box_get(&box, ALICE, "k", "a"), "1");
}

/* ---- archive ---- */

static void fill_archive(void)
{
	struct store_batch *b = store_batch_new();

	box_row(b, ALICE, 10, BOB, BOB "/phone", "one");
	box_row(b, BOB, 10, ALICE, NULL, "other");
	box_row(b, ALICE, 20, "carol@example.org", NULL, "two");
	box_row(b, ALICE, 30, BOB, BOB "/tablet", "three");
	box_row(b, ALICE, 40, ROOM "/Nick", NULL, "four");
	box_row(b, ALICE, 50, BOB, NULL, "five");
	assert_int_equal(box_commit(&box, b), 0);
}

static const char *ids_of(const struct archive_query *q)
{
	static char out[256];
	struct answer a = box_query(&box, q);

	assert_int_equal(a.status, 0);
	snprintf(out, sizeof(out), "%s%s", a.ids, a.complete ? "." : "..");
	return out;
}

TEST(archive_pages_go_both_ways)
{
	struct archive_query q = everything;

	fill_archive();
	assert_string_equal(ids_of(&q), "10 20 30 40 50 .");
	q.limit = 2;
	assert_string_equal(ids_of(&q), "10 20 ..");
	q.after_id = 20;
	assert_string_equal(ids_of(&q), "30 40 ..");
	q.after_id = 30;
	assert_string_equal(ids_of(&q), "40 50 .");
	q.after_id = 0;
	q.backward = true;
	assert_string_equal(ids_of(&q), "40 50 ..");
	q.before_id = 40;
	assert_string_equal(ids_of(&q), "20 30 ..");
	q.before_id = 30;
	assert_string_equal(ids_of(&q), "10 20 .");
	q.limit = 0;
	assert_string_equal(ids_of(&q), "..");
	q.before_id = 10;
	assert_string_equal(ids_of(&q), ".");
}

TEST(archive_bounds_of_time_include_their_ends)
{
	struct archive_query q = everything;

	fill_archive();
	q.start_id = 20;
	q.end_id = 40;
	assert_string_equal(ids_of(&q), "20 30 40 .");
	q.after_id = 20;
	q.before_id = 40;
	assert_string_equal(ids_of(&q), "30 .");
	q.start_id = 45;
	assert_string_equal(ids_of(&q), ".");
}

TEST(archive_filters_by_bare_or_full_peer)
{
	struct archive_query q = everything;

	fill_archive();
	q.with = STR(BOB);
	assert_string_equal(ids_of(&q), "10 30 50 .");
	q.backward = true;
	q.limit = 2;
	assert_string_equal(ids_of(&q), "30 50 ..");
	q.with = STR(BOB "/tablet");
	assert_string_equal(ids_of(&q), "30 .");
	q.backward = false;
	q.with = STR(ROOM "/Nick");
	assert_string_equal(ids_of(&q), "40 .");
	q.with = STR(ROOM);
	assert_string_equal(ids_of(&q), ".");
	q.with = STR("bob@example.or");
	assert_string_equal(ids_of(&q), ".");
}

TEST(archive_counts_the_whole_result_and_names_its_ends)
{
	struct archive_query q = everything;
	struct answer a;

	fill_archive();
	q.limit = 1;
	assert_int_equal(box_query(&box, &q).total, -1);
	q.want_count = true;
	q.after_id = 20;
	a = box_query(&box, &q);
	assert_int_equal(a.total, 5);
	assert_int_equal(a.first, 10);
	assert_int_equal(a.last, 50);
	q.with = STR(BOB);
	assert_int_equal(box_query(&box, &q).total, 3);
	q.with = STR(BOB "/phone");
	assert_int_equal(box_query(&box, &q).total, 1);
	q.with = STR_NONE;
	q.start_id = 20;
	q.end_id = 40;
	assert_int_equal(box_query(&box, &q).total, 3);
	q.owner = STR("nobody");
	a = box_query(&box, &q);
	assert_int_equal(a.total, 0);
	assert_int_equal(a.last, 0);
}

TEST(archive_finds_rows_by_id_oldest_first)
{
	static const uint64_t ids[] = { 50, 10, 10, 99 };
	struct archive_query q = everything;

	fill_archive();
	q.ids = ids;
	q.ids_n = 3;
	q.check_bounds = true;
	assert_string_equal(ids_of(&q), "10 50 .");
	q.ids_n = 4;
	assert_int_equal(box_query(&box, &q).status, -ENOENT);
	q.check_bounds = false;
	assert_string_equal(ids_of(&q), "10 50 .");
}

TEST(archive_refuses_bounds_that_are_no_rows)
{
	struct archive_query q = everything;

	fill_archive();
	q.check_bounds = true;
	assert_string_equal(ids_of(&q), "10 20 30 40 50 .");
	q.after_id = 11;
	assert_int_equal(box_query(&box, &q).status, -ENOENT);
	q.after_id = 10;
	q.before_id = 50;
	assert_string_equal(ids_of(&q), "20 30 40 .");
	q.before_id = 51;
	assert_int_equal(box_query(&box, &q).status, -ENOENT);
	q.owner = STR("nobody");
	assert_int_equal(box_query(&box, &q).status, -ENOENT);
}

TEST(archive_trim_removes_older_rows_of_one_owner)
{
	struct archive_query q = everything;
	struct store_batch *b = store_batch_new();

	fill_archive();
	store_archive_trim(b, STR(ALICE), 30);
	assert_int_equal(box_commit(&box, b), 0);
	assert_string_equal(ids_of(&q), "30 40 50 .");
	b = store_batch_new();
	store_archive_trim(b, STR(ALICE), UINT64_MAX);
	assert_int_equal(box_commit(&box, b), 0);
	assert_string_equal(ids_of(&q), ".");
	q.owner = STR(BOB);
	assert_string_equal(ids_of(&q), "10 .");
}

static void on_whole_row(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct answer *a = arg;

	assert_int_equal(page->n, 1);
	assert_str(page->v[0].with, BOB);
	assert_str(page->v[0].with_full, BOB "/phone");
	assert_str(page->v[0].origin, "origin-1");
	assert_str(page->v[0].stanza, "<message/>");
	assert_int_equal(page->v[0].outgoing, 1);
	a->calls++;
}

TEST(a_row_comes_back_whole)
{
	struct archive_row row = { .owner = STR(ALICE), .id = 7ull << 50, .with = STR(BOB), .with_full = STR(BOB "/phone"),
				   .origin = STR("origin-1"), .outgoing = 1, .stanza = blob_new("<message/>", 10) };
	struct store_batch *b = store_batch_new();
	struct answer a = { 0 };

	store_archive(b, &row);
	blob_unref(row.stanza);
	assert_int_equal(box_commit(&box, b), 0);
	store_query(box.store, box.shard, &everything, on_whole_row, &a);
	box_wait(&box, &a, 1);
}

static int replace_row(const char *owner, uint64_t id, const char *text)
{
	struct blob *stanza = blob_new(text, strlen(text));
	struct store_batch *b = store_batch_new();

	store_archive_replace(b, str_of(owner), id, stanza);
	blob_unref(stanza);
	return box_commit(&box, b);
}

TEST(a_row_gets_another_stanza_in_its_place)
{
	struct archive_query q = everything;

	fill_archive();
	assert_int_equal(replace_row(ALICE, 30, "a tombstone that is longer than what it replaces"), 0);
	assert_int_equal(replace_row(ALICE, 31, "nowhere"), 0);
	assert_int_equal(replace_row("nobody", 30, "nowhere"), 0);
	assert_int_equal(replace_row(ALICE, UINT64_MAX, "nowhere"), 0);
	assert_string_equal(box_query(&box, &q).text, "10:" BOB ":one 20:carol@example.org:two "
		"30:" BOB ":a tombstone that is longer than what it replaces 40:" ROOM "/Nick:four 50:" BOB ":five ");
	q.with = STR(BOB "/tablet");
	assert_int_equal(box_query(&box, &q).n, 1);
	q.owner = STR(BOB);
	q.with = STR_NONE;
	assert_string_equal(box_query(&box, &q).text, "10:" ALICE ":other ");
}

TEST(one_row_is_removed)
{
	struct archive_query q = everything;
	struct store_batch *b = store_batch_new();

	fill_archive();
	store_archive_remove(b, STR(ALICE), 30);
	store_archive_remove(b, STR(ALICE), 30);
	store_archive_remove(b, STR(ALICE), 31);
	store_archive_remove(b, STR("nobody"), 10);
	box_row(b, ALICE, 60, BOB, NULL, "six");
	box_row(b, ALICE, 70, BOB, NULL, "seven");
	store_archive_remove(b, STR(ALICE), 60);
	assert_int_equal(box_commit(&box, b), 0);
	q.want_count = true;
	assert_string_equal(ids_of(&q), "10 20 40 50 70 .");
	assert_int_equal(box_query(&box, &q).total, 5);
	q.with = STR(BOB);
	assert_string_equal(ids_of(&q), "10 50 70 .");
	q.check_bounds = true;
	q.after_id = 30;
	assert_int_equal(box_query(&box, &q).status, -ENOENT);
	b = store_batch_new();
	store_archive_remove(b, STR(ALICE), 10);
	store_archive_remove(b, STR(ALICE), 70);
	assert_int_equal(box_commit(&box, b), 0);
	q = everything;
	q.want_count = true;
	assert_int_equal(box_query(&box, &q).first, 20);
	assert_int_equal(box_query(&box, &q).last, 50);
	q.owner = STR(BOB);
	assert_string_equal(ids_of(&q), "10 .");
}

TEST(a_failing_batch_keeps_the_rows_that_it_would_have_changed)
{
	struct archive_query q = everything;
	struct blob *stanza = blob_new("gone", 4);
	struct store_batch *b = store_batch_new();

	fill_archive();
	box_put(&box, ALICE, "k", "taken", "1");
	store_archive_remove(b, STR(ALICE), 10);
	store_archive_replace(b, STR(ALICE), 20, stanza);
	store_insert(b, STR(ALICE), STR("k"), STR("taken"), STR("2"));
	blob_unref(stanza);
	assert_int_equal(box_commit(&box, b), -EEXIST);
	q.limit = 2;
	assert_string_equal(box_query(&box, &q).text, "10:" BOB ":one 20:carol@example.org:two ");
}

TEST(owners_of_archives_are_listed_with_their_oldest_row)
{
	struct answer a = { 0 }, first = { 0 };
	struct store_batch *b = store_batch_new();
	char cursor[64];

	fill_archive();
	box_put(&box, "item@example.org", "k", "a", "no archive");
	box_row(b, ROOM, 7, "x", NULL, "room");
	box_row(b, ROOM, 6, "x", NULL, "room");
	assert_int_equal(box_commit(&box, b), 0);
	store_owners(box.store, box.shard, STR_NONE, 2, box_on_owners, &first);
	box_wait(&box, &first, 1);
	assert_int_equal(first.n, 2);
	snprintf(cursor, sizeof(cursor), "%s", first.ids);
	store_owners(box.store, box.shard, str_of(cursor), 9, box_on_owners, &a);
	box_wait(&box, &a, 1);
	assert_int_equal(a.n, 1);
	strcat(first.text, a.text);
	assert_non_null(strstr(first.text, ALICE "=10 "));
	assert_non_null(strstr(first.text, BOB "=10 "));
	assert_non_null(strstr(first.text, ROOM "=6 "));
	b = store_batch_new();
	store_archive_trim(b, STR(ROOM), UINT64_MAX);
	store_archive_remove(b, STR(ALICE), 10);
	assert_int_equal(box_commit(&box, b), 0);
	store_owners(box.store, box.shard, STR_NONE, 9, box_on_owners, &a);
	box_wait(&box, &a, 2);
	assert_int_equal(a.n, 2);
	assert_non_null(strstr(a.text, ALICE "=20 "));
}

/* ---- random ---- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Random batches against a plain array as the model: values, failures and atomicity agree. */
TEST(random_batches_agree_with_a_plain_array)
{
	enum { KEYS = 12, ROUNDS = 400 };
	int model[KEYS] = { 0 }; /* 0: absent */

	seed = 7;
	for (int round = 0; round < ROUNDS; round++) {
		struct store_batch *b = store_batch_new();
		int next[KEYS], want = 0;

		memcpy(next, model, sizeof(next));
		for (uint32_t i = 0, n = 1 + draw(5); i < n; i++) {
			uint32_t k = draw(KEYS), op = draw(4);
			char key[8], value[8];
			int v = 1 + (int)draw(3);

			snprintf(key, sizeof(key), "%u", k % 4);
			snprintf(value, sizeof(value), "%d", v);
			struct str owner = k / 4 == 0 ? STR("o0") : k / 4 == 1 ? STR("o1") : STR("o2");

			if (op == 0)
				store_put(b, owner, STR("k"), str_of(key), str_of(value));
			else if (op == 1)
				store_insert(b, owner, STR("k"), str_of(key), str_of(value));
			else if (op == 2)
				store_expect(b, owner, STR("k"), str_of(key), draw(2) ? str_of(value) : (v = 0, STR_NONE));
			else
				store_del(b, owner, STR("k"), str_of(key));
			if (want)
				continue;
			want = op == 1 && next[k] ? -EEXIST : op == 2 && next[k] != v ? -EAGAIN : 0;
			if (op < 2)
				next[k] = v;
			else if (op == 3)
				next[k] = 0;
		}
		assert_int_equal(box_commit(&box, b), want);
		if (!want)
			memcpy(model, next, sizeof(next));
		for (uint32_t k = 0; k < KEYS; k++) {
			char owner[8], key[8];
			const char *got;

			snprintf(owner, sizeof(owner), "o%u", k / 4);
			snprintf(key, sizeof(key), "%u", k % 4);
			if (round % 20)
				continue;
			got = box_get(&box, owner, "k", key);
			assert_int_equal(got ? atoi(got) : 0, model[k]);
		}
	}
}

#define ON(backend, name) { #name " (" #backend ")", name, with_##backend, done_with_it, NULL }
#define BOTH(name) ON(sqlite, name), ON(memory, name)

UNIT_MAIN(BOTH(an_item_is_read_as_it_was_put), BOTH(put_replaces_and_del_removes),
	  BOTH(values_are_opaque_bytes_and_may_be_empty), BOTH(an_item_of_the_largest_size_is_kept),
	  BOTH(a_batch_with_a_failing_insert_leaves_nothing),
	  BOTH(a_failing_batch_does_not_touch_its_neighbours_in_the_same_commit),
	  BOTH(expect_compares_the_whole_value_or_its_absence), BOTH(del_all_takes_a_prefix_a_kind_or_the_owner),
	  BOTH(lists_are_ordered_and_paged), BOTH(a_read_sees_the_callers_writes_that_wait),
	  BOTH(answers_come_in_the_order_of_commits_and_a_barrier_comes_last), BOTH(closing_writes_what_is_queued),
	  BOTH(archive_pages_go_both_ways), BOTH(archive_bounds_of_time_include_their_ends),
	  BOTH(archive_filters_by_bare_or_full_peer), BOTH(archive_counts_the_whole_result_and_names_its_ends),
	  BOTH(archive_finds_rows_by_id_oldest_first), BOTH(archive_refuses_bounds_that_are_no_rows),
	  BOTH(archive_trim_removes_older_rows_of_one_owner),
	  BOTH(a_row_comes_back_whole),
	  BOTH(a_row_gets_another_stanza_in_its_place), BOTH(one_row_is_removed),
	  BOTH(a_failing_batch_keeps_the_rows_that_it_would_have_changed),
	  BOTH(owners_of_archives_are_listed_with_their_oldest_row), BOTH(random_batches_agree_with_a_plain_array));

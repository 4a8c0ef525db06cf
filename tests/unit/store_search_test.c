/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Searches in the archive, the same on each back end. */
#include "store_box.h"

#include <stdio.h>

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

static const char *ids_of(const struct archive_query *q)
{
	static char out[256];
	struct answer a = box_query(&box, q);

	assert_int_equal(a.status, 0);
	snprintf(out, sizeof(out), "%s%s", a.ids, a.complete ? "." : "..");
	return out;
}

static int replace_row(const char *owner, uint64_t id, const char *text)
{
	struct blob *stanza = blob_new(text, strlen(text));
	struct store_batch *b = store_batch_new();

	store_archive_replace(b, str_of(owner), id, stanza);
	blob_unref(stanza);
	return box_commit(&box, b);
}

static void fill_texts(void)
{
	struct store_batch *b = store_batch_new();

	box_row(b, ALICE, 10, BOB, BOB "/phone", "#m-1 Hello World, the Wi-Fi works");
	box_row(b, ALICE, 20, "carol@example.org", NULL, "#m-2 hello there");
	box_row(b, ALICE, 30, BOB, NULL, "#m-3 \u4eca\u5929\u5929\u6c14\u597d");
	box_row(b, BOB, 30, ALICE, NULL, "#m-1 hello, this is Bob's");
	box_row(b, ALICE, 40, ROOM "/Nick", NULL, "#m-4 caf\u00e9 CAFE\u0301 \u5929");
	box_row(b, ALICE, 50, BOB, NULL, "#m-1 O'Reilly \" OR 1=1 -- hello*");
	assert_int_equal(box_commit(&box, b), 0);
}

static const char *found(const char *text, const char *with)
{
	struct archive_query q = everything;

	q.text = str_of(text);
	q.with = str_of(with);
	return ids_of(&q);
}

TEST(words_are_found_whatever_their_case_and_marks)
{
	fill_texts();
	assert_string_equal(found("HELLO", NULL), "10 20 50 .");
	assert_string_equal(found("hello world", NULL), "10 .");
	assert_string_equal(found("world hello", NULL), "10 .");
	assert_string_equal(found("hell", NULL), ".");
	assert_string_equal(found("cafe", NULL), "40 .");
	assert_string_equal(found("caf\u00c9", NULL), "40 .");
	assert_string_equal(found("hello", BOB), "10 50 .");
	assert_string_equal(found("hello", BOB "/phone"), "10 .");
	assert_string_equal(found("wi fi", NULL), "10 .");
	assert_string_equal(found("nothing", NULL), ".");
}

TEST(stretches_without_spaces_are_found_in_the_middle)
{
	fill_texts();
	assert_string_equal(found("\u5929\u6c14", NULL), "30 .");
	assert_string_equal(found("\u4eca\u5929\u5929\u6c14\u597d", NULL), "30 .");
	assert_string_equal(found("\u5929", NULL), "30 40 .");
	assert_string_equal(found("\u597d", NULL), "30 .");
	assert_string_equal(found("\u6c14\u5929", NULL), ".");
	assert_string_equal(found("\u4eca\u6c14", NULL), ".");
	assert_string_equal(found("\u5929\u6c14 \u4eca\u5929", NULL), "30 .");
}

TEST(a_search_is_words_and_no_language)
{
	fill_texts();
	assert_string_equal(found("\" OR 1=1 --", NULL), "50 .");
	assert_string_equal(found("hello*", NULL), "10 20 50 .");
	assert_string_equal(found("hello OR nothing", NULL), ".");
	assert_string_equal(found("NOT hello", NULL), ".");
	assert_string_equal(found("owner:hello", NULL), ".");
	assert_string_equal(found("' ; -- \" *", NULL), "."); /* nothing to look for */
	assert_string_equal(found("\xff\xfe\xc3", NULL), ".");
}

TEST(a_search_is_paged_and_bounded_like_any_query)
{
	struct archive_query q = everything;

	fill_texts();
	q.text = STR("hello");
	q.limit = 2;
	assert_string_equal(ids_of(&q), "10 20 ..");
	q.after_id = 20;
	assert_string_equal(ids_of(&q), "50 .");
	q.after_id = 0;
	q.backward = true;
	q.limit = 1;
	assert_string_equal(ids_of(&q), "50 ..");
	q.before_id = 50;
	assert_string_equal(ids_of(&q), "20 ..");
	q.before_id = UINT64_MAX;
	q.start_id = 15;
	q.end_id = 45;
	q.limit = 10;
	assert_string_equal(ids_of(&q), "20 .");
	q.start_id = 0;
	q.end_id = UINT64_MAX;
	q.limit = 0;
	q.want_count = true;
	assert_int_equal(box_query(&box, &q).total, 3);
	q.owner = STR(BOB);
	assert_int_equal(box_query(&box, &q).total, 1);
}

TEST(a_message_is_found_by_its_own_id)
{
	struct archive_query q = everything;

	fill_texts();
	q.message_id = STR("m-1");
	assert_string_equal(ids_of(&q), "10 50 .");
	q.with = STR(BOB);
	q.backward = true;
	q.limit = 1;
	assert_string_equal(ids_of(&q), "50 ..");
	q.message_id = STR("m-2");
	assert_string_equal(ids_of(&q), ".");
}

TEST(a_search_follows_what_was_replaced_and_removed)
{
	struct store_batch *b = store_batch_new();
	struct archive_query q = everything;

	fill_texts();
	store_archive_remove(b, STR(ALICE), 10);
	assert_int_equal(box_commit(&box, b), 0);
	assert_int_equal(replace_row(ALICE, 20, "#m-2 goodbye"), 0);
	assert_string_equal(found("hello", NULL), "50 .");
	assert_string_equal(found("goodbye", NULL), "20 .");
	assert_int_equal(replace_row(ALICE, 20, ""), 0);
	assert_string_equal(found("goodbye", NULL), ".");
	assert_string_equal(ids_of(&q), "30 40 50 .");
	q.check_bounds = true; /* its id is known all the same */
	q.after_id = 20;
	assert_string_equal(ids_of(&q), "30 40 50 .");
}

#define ON(backend, name) { #name " (" #backend ")", name, with_##backend, done_with_it, NULL }
#define BOTH(name) ON(sqlite, name), ON(memory, name)

UNIT_MAIN(BOTH(words_are_found_whatever_their_case_and_marks), BOTH(stretches_without_spaces_are_found_in_the_middle),
	  BOTH(a_search_is_words_and_no_language), BOTH(a_search_is_paged_and_bounded_like_any_query),
	  BOTH(a_message_is_found_by_its_own_id), BOTH(a_search_follows_what_was_replaced_and_removed));

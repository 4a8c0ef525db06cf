/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The full-text index gives the same pages as a look at every row: SQLite with its index against the memory back end, over thousands
 * of rows of random words. */
#include "store_box.h"

#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/text_block.h"
#include "store/text_index.h"

enum { OWNERS = 3, VOCABULARY = 60, WORDS = 5, STEP = 1000 /* between ids */ };

static struct box disk, memory;
static uint32_t seed;
static uint64_t last_id;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static const char *const owners[OWNERS] = { "o0@h", "o1@h", "room@c.h" };
static const char *const peers[4] = { "p0@h", "p1@h", "p2@h", "room@c.h/nick" };

static size_t put_word(char *out, size_t n, uint32_t w)
{
	static const char *const han[] = { "\u5929", "\u6c14", "\u597d", "\u5317", "\u4eac", "\u5927", "\u5b66", "\u660e" };

	if (w < 30)
		return (size_t)snprintf(out, n, "word%u ", w);
	/* stretches of two to four */
	return (size_t)snprintf(out, n, "%s%s%s%s", han[w % 8], han[w / 8 % 8], w % 3 ? han[w % 5] : "", w % 2 ? " " : "");
}

static void random_text(char *out, size_t size, uint64_t id)
{
	size_t n = (size_t)snprintf(out, size, "#id-%llu ", (unsigned long long)(id % 997));

	for (int i = 0; i < WORDS; i++)
		n += put_word(out + n, size - n, draw(10) ? draw(VOCABULARY) : draw(6));
}

static void both(void (*fill)(struct store_batch *b, uint32_t from_seed), uint32_t from_seed)
{
	struct box *boxes[] = { &disk, &memory };

	for (int i = 0; i < 2; i++) {
		struct store_batch *b = store_batch_new();

		fill(b, from_seed);
		assert_int_equal(box_commit(boxes[i], b), 0);
	}
}

/* 500 rows; ids rise but for a few that are late. */
static void fill_rows(struct store_batch *b, uint32_t from_seed)
{
	char text[512];
	uint32_t peer;

	seed = from_seed;
	for (uint64_t i = 1; i <= 500; i++) {
		uint64_t id = (last_id + i) * STEP;

		if (draw(50) == 0 && id > 300 * STEP)
			id -= STEP * (1ull + draw(200)) - i;
		random_text(text, sizeof(text), id);
		peer = draw(4);
		box_row(b, owners[draw(10) ? 0 : 1 + draw(2)], id, peers[peer], peer == 1 && draw(2) ? "p1@h/phone" : NULL, text);
	}
}

static void add_rows(uint32_t n)
{
	for (uint32_t i = 0; i < n / 500; i++) {
		both(fill_rows, 1000 + (uint32_t)last_id);
		last_id += 500;
	}
}

static void change_rows(struct store_batch *b, uint32_t from_seed)
{
	seed = from_seed;
	for (int i = 0; i < 60; i++) {
		uint64_t id = STEP * (1ull + draw((uint32_t)last_id));
		struct str owner = str_of(owners[draw(4) ? 0 : draw(OWNERS)]);
		char text[512] = "";
		struct blob *stanza;

		if (draw(3) == 0) {
			store_archive_remove(b, owner, id);
			continue;
		}
		if (draw(3))
			random_text(text, sizeof(text), id);
		stanza = blob_new(text, strlen(text));
		store_archive_replace(b, owner, id, stanza);
		blob_unref(stanza);
	}
}

static void trim_rows(struct store_batch *b, uint32_t from_seed)
{
	seed = from_seed;
	store_archive_trim(b, str_of(owners[draw(OWNERS)]), STEP * (uint64_t)draw((uint32_t)last_id / 2));
}

/* Asks both for the same and compares. */
static void compare(const struct archive_query *q)
{
	struct answer a = box_query(&disk, q), m = box_query(&memory, q);

	if (a.n != m.n || strcmp(a.ids, m.ids))
		print_message("text '%.*s' id '%.*s' with '%.*s' owner %.*s limit %u %s\n", STR_ARG(q->text), STR_ARG(q->message_id),
			      STR_ARG(q->with), STR_ARG(q->owner), q->limit, q->backward ? "backward" : "");

	assert_int_equal(a.status, m.status);
	assert_string_equal(a.ids, m.ids);
	assert_int_equal(a.n, m.n);
	assert_int_equal(a.complete, m.complete);
	if (a.total >= 0)
		assert_int_equal(a.total, m.total);
}

static void random_queries(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct archive_query q = { .owner = str_of(owners[draw(4) ? 0 : draw(OWNERS)]), .end_id = UINT64_MAX,
					   .before_id = UINT64_MAX, .limit = draw(4) ? 1 + draw(60) : 0, .backward = draw(2) };
		char text[256] = "", id[32];
		size_t at = 0;

		for (uint32_t k = 1 + draw(3); k; k--)
			at += put_word(text + at, sizeof(text) - at, draw(VOCABULARY));
		if (draw(6) == 0)
			snprintf(text, sizeof(text), "\u5929"); /* one letter */
		snprintf(id, sizeof(id), "id-%u", draw(997));
		q.text = draw(5) ? str_of(text) : STR_NONE;
		q.message_id = !q.text.p || draw(8) == 0 ? str_of(id) : STR_NONE;
		if (draw(3) == 0)
			q.with = str_of(draw(3) ? peers[draw(4)] : "p1@h/phone");
		if (draw(3) == 0)
			q.start_id = STEP * (uint64_t)draw((uint32_t)last_id);
		if (draw(3) == 0)
			q.before_id = STEP * (uint64_t)draw((uint32_t)last_id) + 1;
		if (draw(3) == 0)
			q.after_id = STEP * (uint64_t)draw((uint32_t)last_id) + 1;
		q.want_count = draw(3) == 0;
		compare(&q);
	}
}

/* Waits until the database says so. */
static void await(const char *text)
{
	char path[4200];
	sqlite3 *db;
	int64_t found = 0;

	snprintf(path, sizeof(path), "%s/anser.db", disk.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	while (!found) {
		sqlite3_stmt *st;

		assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
		if (sqlite3_step(st) == SQLITE_ROW)
			found = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
		sched_yield();
	}
	sqlite3_close(db);
}

/* Waits until the index's thread has parts of this level. */
static void await_level(int level)
{
	char text[128];

	snprintf(text, sizeof(text), "SELECT count(*) FROM text_part WHERE level=%d", level);
	await(text);
}

static void open_both(void)
{
	last_id = 0;
	box_open(&disk, "sqlite", NULL);
	box_open(&memory, "memory", NULL);
}

static void close_both(void)
{
	box_close(&disk);
	box_close(&memory);
}

TEST(an_index_answers_as_a_look_at_every_row)
{
	open_both();
	add_rows(2 * TEXT_PART_ROWS + 1000);
	await_level(0);
	seed = 1;
	random_queries(150);
	close_both();
}

TEST(changes_reach_the_index)
{
	open_both();
	add_rows(3 * TEXT_PART_ROWS);
	await_level(0);
	for (uint32_t round = 0; round < 20; round++) {
		both(change_rows, round + 7);
		seed = round;
		random_queries(10);
	}
	for (uint32_t round = 0; round < 5; round++) {
		both(trim_rows, round + 99);
		seed = round;
		random_queries(20);
	}
	add_rows(1000);
	random_queries(50);
	close_both();
}

TEST(parts_are_joined_and_survive_a_restart)
{
	open_both();
	add_rows((TEXT_JOIN + 1) * TEXT_PART_ROWS + 2000);
	await_level(1);
	seed = 5;
	random_queries(60);
	both(change_rows, 3);
	both(trim_rows, 4);
	random_queries(40);
	box_reopen(&disk);
	random_queries(40);
	add_rows(2 * TEXT_PART_ROWS);
	random_queries(40);
	close_both();
}

static void sql(const char *text)
{
	char path[4200];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/anser.db", disk.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

TEST(an_archive_from_before_the_index_is_searched_at_once_and_indexed)
{
	open_both();
	add_rows(2 * TEXT_PART_ROWS);
	box_close(&disk);
	sql("DROP TABLE text_part; DROP TABLE text_block; PRAGMA user_version=1");
	box_open(&disk, "sqlite", disk.dir);
	seed = 9;
	random_queries(20);
	await_level(0);
	random_queries(40);
	close_both();
}

TEST(what_a_kill_left_of_a_part_is_taken_away)
{
	struct answer a;

	open_both();
	add_rows(TEXT_PART_ROWS + 500);
	await_level(0);
	box_close(&disk);
	/* a part that was being built, one that had been joined, and a database whose last part is gone */
	sql("INSERT INTO text_part VALUES(90,-1,0,4096),(91,-2,0,99);"
	    "INSERT INTO text_block SELECT 90,owner,term,data FROM text_block WHERE part=1;"
	    "INSERT INTO text_block VALUES(91,1,5,x'00')");
	box_open(&disk, "sqlite", disk.dir);
	seed = 4;
	random_queries(30);
	await("SELECT NOT EXISTS(SELECT 1 FROM text_part WHERE level<0) AND NOT EXISTS(SELECT 1 FROM text_block WHERE part>=90)");
	a = box_query(&disk, &(struct archive_query){ .owner = str_of(owners[0]), .end_id = UINT64_MAX, .before_id = UINT64_MAX,
						       .limit = 5, .text = STR("word1") });
	assert_int_equal(a.status, 0);
	random_queries(30);
	close_both();
}

/* ---- blocks ---- */

static int on_block(void *arg, uint32_t key, struct str data)
{
	struct buf *out = arg;

	out->n = 0;
	buf_put(out, &key, sizeof(key));
	buf_str(out, data);
	return 0;
}

TEST(a_block_is_edited_term_by_term)
{
	static const uint32_t rows[] = { 3, 300, 70000 }, drop[] = { 5, 9 }, add[] = { 2, 9, 4000000000u };
	struct buf block = { 0 }, out = { 0 }, got = { 0 };
	struct text_writer w = { .on_block = on_block, .arg = &block };
	struct text_cursor c;
	struct text_entry e;
	char text[256] = "";

	text_put(&w, 1, rows, 3);
	text_put(&w, 5, rows + 1, 1);
	text_put(&w, 9, rows, 2);
	text_put(&w, 7000, rows + 2, 1);
	assert_int_equal(text_end(&w), 0);
	text_block_edit(1, (struct str){ block.p + 4, block.n - 4 }, 300, (struct text_terms){ drop, 1 }, (struct text_terms){ add, 3 },
			&out);
	c = text_read(1, buf_view(&out));
	while (text_next(&c, &e)) {
		got.n = 0;
		text_rows(e.postings, 0, &got);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u:%zu ", e.term, got.n / sizeof(uint32_t));
	}
	assert_string_equal(text, "1:3 2:1 9:2 7000:1 4000000000:1 ");
	/* cut short, it ends early and says nothing wrong */
	for (size_t n = 0; n < out.n; n++) {
		c = text_read(1, (struct str){ out.p, n });
		while (text_next(&c, &e))
			;
	}
	buf_free(&block);
	buf_free(&out);
	buf_free(&got);
	text_writer_free(&w);
}

UNIT_MAIN(cmocka_unit_test(a_block_is_edited_term_by_term), cmocka_unit_test(an_index_answers_as_a_look_at_every_row),
	  cmocka_unit_test(changes_reach_the_index), cmocka_unit_test(parts_are_joined_and_survive_a_restart),
	  cmocka_unit_test(an_archive_from_before_the_index_is_searched_at_once_and_indexed),
	  cmocka_unit_test(what_a_kill_left_of_a_part_is_taken_away));

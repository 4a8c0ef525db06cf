/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What only the SQLite back end has: files, a lock, versions, merging, backups. */
#include "store_box.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/recent.h"
#include "store/sync.h"

static char err[512];

static const char *path_in(const char *dir, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int open_fails(const char *dir)
{
	struct store_config cfg = { .backend = "sqlite", .dir = dir };
	struct store *s;

	err[0] = '\0';
	return store_open(&cfg, &s, err, sizeof(err));
}

static void sql(const char *dir, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path_in(dir, "anser.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void overwrite(const char *path, off_t at, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

/* ---- opening ---- */

TEST(a_second_open_names_the_process_that_holds_the_directory)
{
	struct store_sync *s;
	struct box box;
	char pid[32];

	box_open(&box, "sqlite", NULL);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_int_equal(store_sync_open(box.dir, &s, err, sizeof(err)), -EBUSY);
	assert_non_null(strstr(err, pid));
	assert_int_equal(open_fails(box.dir), -EBUSY);
	box_close(&box);
	assert_int_equal(store_sync_open(box.dir, &s, err, sizeof(err)), 0);
	store_sync_close(s);
}

TEST(a_directory_that_cannot_be_made_is_said_so)
{
	const char *dir = unit_tmpdir();

	overwrite(path_in(dir, "file"), 0, "x");
	assert_int_equal(open_fails(path_in(dir, "file/data")), -ENOTDIR);
	assert_non_null(strstr(err, "Cannot write to the data directory"));
	assert_int_equal(open_fails(path_in(dir, "a/b")), -ENOENT);
}

TEST(a_newer_database_is_refused_with_both_versions)
{
	struct box box;

	box_open(&box, "sqlite", NULL);
	box_close(&box);
	sql(box.dir, "PRAGMA user_version=999");
	assert_int_equal(open_fails(box.dir), -EPROTO);
	assert_non_null(strstr(err, "999"));
	assert_non_null(strstr(err, "newer"));
	sql(box.dir, "PRAGMA user_version=2");
	assert_int_equal(open_fails(box.dir), 0);
}

TEST(a_file_that_is_no_database_is_called_damaged)
{
	const char *dir = unit_tmpdir();
	char text[8192];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	overwrite(path_in(dir, "anser.db"), 0, text);
	assert_int_equal(open_fails(dir), -EUCLEAN);
	assert_non_null(strstr(err, "damaged"));
}

TEST(a_damaged_schema_is_an_error_not_an_empty_archive)
{
	struct box box;

	box_open(&box, "sqlite", NULL);
	box_close(&box);
	sql(box.dir, "DROP TABLE archive_log");
	assert_true(open_fails(box.dir) < 0);
	assert_non_null(strstr(err, "archive_log"));
}

TEST(the_database_is_its_owners_alone)
{
	struct stat st;
	struct box box;

	umask(0);
	box_open(&box, "sqlite", NULL);
	umask(022);
	box_put(&box, "a", "k", "x", "1");
	assert_int_equal(stat(path_in(box.dir, "anser.db"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(path_in(box.dir, "anser.db-wal"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	box_close(&box);
}

TEST(commands_use_the_database_without_threads)
{
	const char *dir = unit_tmpdir();
	struct store_batch *b = store_batch_new();
	struct store_items items;
	struct store_sync *s;

	assert_int_equal(store_sync_open(dir, &s, err, sizeof(err)), 0);
	store_insert(b, STR("o"), STR("k"), STR("a"), STR("1"));
	assert_int_equal(store_sync_commit(s, b), 0);
	b = store_batch_new();
	store_put(b, STR("o"), STR("k"), STR("b"), STR("1"));
	store_insert(b, STR("o"), STR("k"), STR("a"), STR("2"));
	assert_int_equal(store_sync_commit(s, b), -EEXIST);
	assert_int_equal(store_sync_get(s, STR("o"), STR("k"), STR("a"), &items), 0);
	assert_int_equal(items.n, 1);
	assert_str(store_items_at(&items)->value, "1");
	store_items_free(&items);
	assert_int_equal(store_sync_list(s, &(struct store_range){ .owner = STR("o"), .limit = 9 }, &items), 0);
	assert_int_equal(items.n, 1);
	store_items_free(&items);
	store_sync_close(s);
}

/* ---- the archive's log and its index ---- */

enum { OWNERS = 7 };

static const char *const owners[OWNERS] = { "o0", "o1", "o2", "o3", "o4", "o5", "o6" };
static const char *const peers[3] = { "p0", "p1", "p2" };

/* Adds rows first+1 ... first+n, round robin, a few hundred per batch. */
static void add_rows(struct box *box, uint64_t first, uint64_t n)
{
	for (uint64_t i = 1; i <= n;) {
		struct store_batch *b = store_batch_new();

		for (int k = 0; k < 500 && i <= n; k++, i++) {
			uint64_t id = first + i;

			box_row(b, owners[id % OWNERS], id, peers[id / OWNERS % 3], NULL, "text");
		}
		assert_int_equal(box_commit(box, b), 0);
	}
}

/* Pages through an owner's rows in both directions and compares with what add_rows wrote. */
static void check_rows(struct box *box, unsigned owner, const char *peer, uint64_t from, uint64_t to)
{
	struct archive_query q = { .owner = str_of(owners[owner]), .with = str_of(peer), .end_id = UINT64_MAX,
				   .before_id = UINT64_MAX, .limit = 100, .want_count = true };
	struct answer a;
	uint64_t want = 0, last = 0;
	char *at, *end;

	for (uint64_t id = from; id <= to; id++)
		want += id % OWNERS == owner && (!peer || !strcmp(peers[id / OWNERS % 3], peer));
	for (uint64_t left = want;;) {
		a = box_query(box, &q);
		assert_int_equal(a.status, 0);
		assert_int_equal(a.total, want);
		assert_true(a.n <= left);
		left -= a.n;
		at = a.text;
		for (size_t i = 0; i < a.n; i++, at = strchr(end, ' ') + 1) {
			uint64_t id = strtoull(at, &end, 10);

			assert_true(id > last && id >= from && id <= to && id % OWNERS == owner);
			last = id;
		}
		assert_int_equal(a.complete, left == 0);
		if (!left)
			break;
		q.after_id = last;
	}
	q.after_id = 0;
	q.backward = true;
	q.limit = 1;
	a = box_query(box, &q);
	assert_int_equal(a.n, want ? 1 : 0);
	if (want)
		assert_int_equal(strtoull(a.text, NULL, 10), last);
}

TEST(pages_are_the_same_before_and_after_rows_are_indexed)
{
	uint64_t n = RECENT_MAX - 300;
	struct box box;

	box_open(&box, "sqlite", NULL);
	add_rows(&box, 0, n);
	check_rows(&box, 3, NULL, 1, n);
	check_rows(&box, 3, "p1", 1, n);
	add_rows(&box, n, 900); /* over the border */
	n += 900;
	check_rows(&box, 3, NULL, 1, n);
	check_rows(&box, 5, "p2", 1, n);
	box_reopen(&box);
	check_rows(&box, 3, NULL, 1, n);
	check_rows(&box, 0, "p0", 1, n);
	box_close(&box);
}

TEST(trimming_knows_rows_that_are_not_indexed_yet)
{
	struct store_batch *b = store_batch_new();
	struct box box;

	box_open(&box, "sqlite", NULL);
	add_rows(&box, 0, 1000);
	store_archive_trim(b, str_of(owners[3]), 600);
	assert_int_equal(box_commit(&box, b), 0);
	check_rows(&box, 3, NULL, 600, 1000);
	check_rows(&box, 3, "p1", 600, 1000);
	check_rows(&box, 4, NULL, 1, 1000);
	add_rows(&box, 1000, 50);
	check_rows(&box, 3, NULL, 600, 1050);
	box_reopen(&box);
	check_rows(&box, 3, NULL, 600, 1050);
	check_rows(&box, 4, NULL, 1, 1050);
	add_rows(&box, 1050, RECENT_MAX); /* some are indexed, some not */
	for (uint64_t to = 2000; to < 1050 + RECENT_MAX; to += 9000) {
		b = store_batch_new();
		store_archive_trim(b, str_of(owners[3]), to);
		assert_int_equal(box_commit(&box, b), 0);
		check_rows(&box, 3, NULL, to, 1050 + RECENT_MAX);
		check_rows(&box, 3, "p1", to, 1050 + RECENT_MAX);
	}
	box_close(&box);
}

TEST(a_failing_batch_undoes_its_trim_and_its_rows)
{
	struct store_batch *b = store_batch_new();
	struct box box;

	box_open(&box, "sqlite", NULL);
	add_rows(&box, 0, 100);
	box_put(&box, "o", "k", "taken", "1");
	box_row(b, owners[2], 2000, "p0", NULL, "text");
	store_archive_trim(b, str_of(owners[3]), UINT64_MAX);
	box_row(b, owners[3], 2001, "p0", NULL, "text");
	store_insert(b, STR("o"), STR("k"), STR("taken"), STR("2"));
	assert_int_equal(box_commit(&box, b), -EEXIST);
	check_rows(&box, 3, NULL, 1, 100);
	check_rows(&box, 2, NULL, 1, 100);
	add_rows(&box, 100, 100);
	check_rows(&box, 3, NULL, 1, 200);
	box_reopen(&box);
	check_rows(&box, 3, NULL, 1, 200);
	box_close(&box);
}

/* Removes every row of an owner whose id is divisible by three, a few per batch, with new rows of others in between. */
static uint64_t remove_thirds(struct box *box, unsigned owner, uint64_t n)
{
	uint64_t last = n;

	for (uint64_t id = 3; id <= n;) {
		struct store_batch *b = store_batch_new();

		for (int k = 0; k < 40 && id <= n; id += 3)
			if (id % OWNERS == owner && ++k)
				store_archive_remove(b, str_of(owners[owner]), id);
		assert_int_equal(box_commit(box, b), 0);
		add_rows(box, last, 10);
		last += 10;
	}
	return last;
}

static void check_thirds(struct box *box, unsigned owner, uint64_t n, uint64_t last)
{
	struct archive_query q = { .owner = str_of(owners[owner]), .end_id = UINT64_MAX, .before_id = UINT64_MAX,
				   .limit = 1, .want_count = true };
	uint64_t want = 0;

	for (uint64_t id = 1; id <= last; id++)
		want += id % OWNERS == owner && (id % 3 || id > n);
	assert_int_equal(box_query(box, &q).total, want);
	want = 0;
	for (uint64_t id = 1; id <= last; id++)
		want += id % OWNERS == owner && (id % 3 || id > n) && id / OWNERS % 3 == 1;
	q.with = STR("p1");
	assert_int_equal(box_query(box, &q).total, want);
}

TEST(rows_are_removed_before_while_and_after_they_are_indexed)
{
	uint64_t n = RECENT_MAX - 200, last;
	struct box box;

	box_open(&box, "sqlite", NULL);
	add_rows(&box, 0, n);
	last = remove_thirds(&box, 3, n); /* the index is filled meanwhile */
	check_thirds(&box, 3, n, last);
	add_rows(&box, last, 20000); /* and is complete */
	check_thirds(&box, 3, n, last + 20000);
	box_reopen(&box);
	check_thirds(&box, 3, n, last + 20000);
	check_rows(&box, 4, NULL, 1, last + 20000);
	box_close(&box);
}

/* Reads while other rows are written and merged: every page must hold all rows acknowledged before. */
TEST(a_page_is_whole_while_rows_move_to_the_index)
{
	enum { ROUNDS = 60, ROWS = 700 };
	struct archive_query q = { .owner = STR("o3"), .end_id = UINT64_MAX, .before_id = UINT64_MAX, .limit = 0,
				   .want_count = true };
	struct answer done = { 0 }, read = { 0 };
	uint64_t id = 0, acked = 0;
	struct box box;

	box_open(&box, "sqlite", NULL);
	for (int round = 0; round < ROUNDS; round++) {
		struct store_batch *b = store_batch_new();

		for (int i = 0; i < ROWS; i++)
			box_row(b, "o3", ++id, "p", NULL, "text");
		assert_int_equal(store_commit(box.store, box.shard, b, box_on_done, &done), 0);
		for (int i = 0; i < 3; i++) {
			int calls = read.calls + 1;

			assert_int_equal(store_query(box.store, box.shard, &q, box_on_page, &read), 0);
			box_wait(&box, &read, calls);
			acked = (uint64_t)(round + 1) * ROWS;
			assert_int_equal(read.total, acked);
		}
	}
	box_wait(&box, &done, ROUNDS);
	box_close(&box);
}

/* ---- backup ---- */

static int backup(struct box *box, const char *dir)
{
	struct answer a = { 0 };

	assert_int_equal(store_backup(box->store, box->shard, dir, box_on_done, &a), 0);
	box_wait(box, &a, 1);
	return a.status;
}

static void make_backup(char *out, size_t n)
{
	struct box box;

	box_open(&box, "sqlite", NULL);
	box_put(&box, "alice", "k", "a", "1");
	add_rows(&box, 0, 500);
	snprintf(out, n, "%s/backup", unit_tmpdir());
	assert_int_equal(backup(&box, out), 0);
	box_put(&box, "alice", "k", "a", "2"); /* after it */
	box_close(&box);
}

TEST(a_backup_restores_to_what_was_there)
{
	char dir[200], data[200];
	struct box box;

	make_backup(dir, sizeof(dir));
	snprintf(data, sizeof(data), "%s/data", unit_tmpdir());
	assert_int_equal(store_restore(dir, data, err, sizeof(err)), 0);
	box_open(&box, "sqlite", data);
	assert_string_equal(box_get(&box, "alice", "k", "a"), "1");
	check_rows(&box, 3, NULL, 1, 500);
	add_rows(&box, 500, 100);
	check_rows(&box, 3, NULL, 1, 600);
	box_close(&box);
	assert_int_equal(store_restore(dir, data, err, sizeof(err)), -EEXIST);
	assert_non_null(strstr(err, "already holds a database"));
}

TEST(a_backup_holds_what_was_queued_before_it)
{
	struct answer a = { 0 };
	struct store_items items;
	struct store_sync *s;
	char dir[200];
	struct box box;

	box_open(&box, "sqlite", NULL);
	snprintf(dir, sizeof(dir), "%s/backup", unit_tmpdir());
	for (int i = 0; i < 50; i++) {
		struct store_batch *b = store_batch_new();
		char key[8];

		snprintf(key, sizeof(key), "%d", i);
		store_put(b, STR("o"), STR("k"), str_of(key), STR("1"));
		store_commit(box.store, NULL, b, NULL, NULL);
	}
	store_backup(box.store, box.shard, dir, box_on_done, &a);
	assert_int_equal(store_backup(box.store, box.shard, dir, box_on_done, &a), -EBUSY);
	box_wait(&box, &a, 1);
	assert_int_equal(a.status, 0);
	box_close(&box);
	assert_int_equal(store_sync_open(dir, &s, err, sizeof(err)), 0);
	assert_int_equal(store_sync_list(s, &(struct store_range){ .owner = STR("o"), .limit = 99 }, &items), 0);
	assert_int_equal(items.n, 50);
	store_items_free(&items);
	store_sync_close(s);
}

TEST(a_backup_wants_an_empty_directory)
{
	const char *dir = unit_tmpdir();
	struct box box;

	overwrite(path_in(dir, "file"), 0, "x");
	box_open(&box, "sqlite", NULL);
	assert_int_equal(backup(&box, dir), -ENOTEMPTY);
	assert_int_equal(backup(&box, path_in(dir, "file/b")), -ENOTDIR);
	box_close(&box);
}

/* Each kind of damage is found, and nothing is left in the data directory. */
TEST(a_damaged_backup_is_refused)
{
	static const struct {
		const char *file;
		off_t at;
		const char *text;
		int want;
	} cases[] = {
		{ "anser.db", 20000, "damage", -EUCLEAN }, { "anser.db", 0, "S", 0 /* the same byte: no damage */ },
		{ "anser.db", 1 << 24, "longer", -EUCLEAN }, { "manifest", 0, "answer", -EBADMSG },
		{ "manifest", 22, "9", -EPROTO }, { "manifest", 40, "zz", -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char dir[200], data[200];

		make_backup(dir, sizeof(dir));
		overwrite(path_in(dir, cases[i].file), cases[i].at, cases[i].text);
		snprintf(data, sizeof(data), "%s/data", unit_tmpdir());
		assert_int_equal(store_restore(dir, data, err, sizeof(err)), cases[i].want);
		assert_int_equal(access(path_in(data, "anser.db"), F_OK), cases[i].want ? -1 : 0);
		assert_int_equal(access(path_in(data, "anser.db.part"), F_OK), -1);
	}
}

TEST(a_backup_without_its_manifest_is_no_backup)
{
	char dir[200];

	make_backup(dir, sizeof(dir));
	unlink(path_in(dir, "manifest"));
	assert_int_equal(store_restore(dir, unit_tmpdir(), err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "no complete backup"));
}

TEST(restore_refuses_a_directory_in_use)
{
	struct box box;
	char dir[200];

	make_backup(dir, sizeof(dir));
	box_open(&box, "sqlite", NULL);
	assert_int_equal(store_restore(dir, box.dir, err, sizeof(err)), -EBUSY);
	box_close(&box);
}

UNIT_MAIN(cmocka_unit_test(a_second_open_names_the_process_that_holds_the_directory),
	  cmocka_unit_test(a_directory_that_cannot_be_made_is_said_so),
	  cmocka_unit_test(a_newer_database_is_refused_with_both_versions),
	  cmocka_unit_test(a_file_that_is_no_database_is_called_damaged),
	  cmocka_unit_test(a_damaged_schema_is_an_error_not_an_empty_archive),
	  cmocka_unit_test(the_database_is_its_owners_alone), cmocka_unit_test(commands_use_the_database_without_threads),
	  cmocka_unit_test(pages_are_the_same_before_and_after_rows_are_indexed),
	  cmocka_unit_test(trimming_knows_rows_that_are_not_indexed_yet),
	  cmocka_unit_test(a_failing_batch_undoes_its_trim_and_its_rows),
	  cmocka_unit_test(rows_are_removed_before_while_and_after_they_are_indexed),
	  cmocka_unit_test(a_page_is_whole_while_rows_move_to_the_index),
	  cmocka_unit_test(a_backup_restores_to_what_was_there), cmocka_unit_test(a_backup_holds_what_was_queued_before_it),
	  cmocka_unit_test(a_backup_wants_an_empty_directory), cmocka_unit_test(a_damaged_backup_is_refused),
	  cmocka_unit_test(a_backup_without_its_manifest_is_no_backup),
	  cmocka_unit_test(restore_refuses_a_directory_in_use));

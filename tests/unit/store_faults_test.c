/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The SQLite back end when the disk fails, the power goes or the process is killed. A VFS of the test's own stands between
 * SQLite and the disk: it fails chosen calls, and it keeps a copy of each file as of its last fsync. */
#include "store_box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/recent.h"
#include "store/sync.h"

/* ---- the VFS ---- */

static atomic_int calls;	    /* writing calls since fault_arm */
static atomic_int fail_from, fail_n; /* calls fail_from .. fail_from + fail_n - 1 fail */
static atomic_int fail_code, failed;
static char shadow[128]; /* directory for the copies of synced files; empty: none */

static void fault_arm(int from, int n, int code)
{
	calls = failed = 0;
	fail_from = from;
	fail_code = code;
	fail_n = n;
}

static bool must_fail(void)
{
	int call = calls++, n = fail_n;

	if (!n || call < fail_from || call - fail_from >= n)
		return false;
	failed++;
	return true;
}

struct faulty {
	sqlite3_file base;
	char name[128];
	bool shadowed;
	char real[] __attribute__((aligned(8))); /* the file of the real VFS */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct faulty *)(void *)f)->real;
}

#define REAL(f) (real_of(f)->pMethods)

static int f_close(sqlite3_file *f)
{
	return real_of(f)->pMethods ? REAL(f)->xClose(real_of(f)) : SQLITE_OK;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return REAL(f)->xRead(real_of(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (must_fail()) {
		if (fail_code != SQLITE_FULL && n > 1)
			REAL(f)->xWrite(real_of(f), p, n / 2, at); /* a torn write */
		return fail_code == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	}
	return REAL(f)->xWrite(real_of(f), p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return fail_code != SQLITE_FULL && must_fail() ? SQLITE_IOERR_TRUNCATE : REAL(f)->xTruncate(real_of(f), size);
}

static void copy_to_shadow(struct faulty *f)
{
	char path[300], page[4096];
	int from = open(f->name, O_RDONLY), to;
	ssize_t n;

	snprintf(path, sizeof(path), "%s%s", shadow, strrchr(f->name, '/'));
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while ((n = read(from, page, sizeof(page))) > 0)
		if (write(to, page, (size_t)n) != n)
			abort();
	close(to);
	close(from);
}

static int f_sync(sqlite3_file *f, int flags)
{
	int rc;

	if (fail_code != SQLITE_FULL && must_fail()) /* a full disk shows in writes */
		return SQLITE_IOERR_FSYNC;
	rc = REAL(f)->xSync(real_of(f), flags);
	if (rc == SQLITE_OK && shadow[0] && ((struct faulty *)(void *)f)->shadowed)
		copy_to_shadow((struct faulty *)(void *)f);
	return rc;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return REAL(f)->xFileSize(real_of(f), out);
}

static int f_lock(sqlite3_file *f, int kind)
{
	return REAL(f)->xLock(real_of(f), kind);
}

static int f_unlock(sqlite3_file *f, int kind)
{
	return REAL(f)->xUnlock(real_of(f), kind);
}

static int f_reserved(sqlite3_file *f, int *out)
{
	return REAL(f)->xCheckReservedLock(real_of(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
	return REAL(f)->xSectorSize(real_of(f));
}

static int f_traits(sqlite3_file *f)
{
	return REAL(f)->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(sqlite3_file *f, int page, int n, int extend, void volatile **out)
{
	return REAL(f)->xShmMap(real_of(f), page, n, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->xShmLock(real_of(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
	REAL(f)->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
	return REAL(f)->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods faulty_methods = {
	2, f_close, f_read, f_write, f_truncate, f_sync, f_size, f_lock, f_unlock, f_reserved, f_control, f_sector, f_traits,
	f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, NULL, NULL,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct faulty *f = (struct faulty *)(void *)file;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = real_vfs->xOpen(real_vfs, name, real_of(file), flags, out);
	if (real_of(file)->pMethods)
		f->base.pMethods = &faulty_methods;
	f->shadowed = name && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL);
	if (name)
		snprintf(f->name, sizeof(f->name), "%s", name);
	return rc;
}

static int install(void **state)
{
	static sqlite3_vfs vfs;

	/* as the back end does before the library starts */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.szOsFile = (int)sizeof(struct faulty) + real_vfs->szOsFile;
	vfs.xOpen = v_open;
	vfs.pNext = NULL;
	return sqlite3_vfs_register(&vfs, 1);
}

/* ---- batches that can be checked ---- */

/* Batch i: an item of its own, a counter, a row for each of two owners. */
static struct store_batch *numbered(uint64_t i, size_t text_n)
{
	struct store_batch *b = store_batch_new();
	char key[24], *text = malloc(text_n + 1);

	memset(text, 'm', text_n);
	text[text_n] = '\0';
	snprintf(key, sizeof(key), "%08llu", (unsigned long long)i);
	store_put(b, STR("o"), STR("n"), str_of(key), STR("here"));
	store_put(b, STR("o"), STR("counter"), STR(""), str_of(key));
	box_row(b, "alice", i, "bob", "bob/x", text);
	box_row(b, "bob", i, "alice", NULL, text);
	free(text);
	return b;
}

enum { ITEM = 1, ALICE = 2, BOB = 4, WHOLE = 7 };

/* Marks the rows that an owner has among from .. to. */
static void mark_rows(struct store_sync *s, const char *owner, uint64_t from, uint64_t to, char *seen, char bit)
{
	struct archive_query q = { .owner = str_of(owner), .start_id = from, .end_id = to, .before_id = UINT64_MAX,
				   .limit = STORE_PAGE_MAX };
	struct store_page page;
	bool complete = false;

	while (!complete) {
		assert_int_equal(store_sync_query(s, &q, &page), 0);
		for (size_t i = 0; i < page.page.n; i++) {
			q.after_id = page.page.v[i].id;
			assert_false(seen[q.after_id - from] & bit); /* nothing twice */
			seen[q.after_id - from] |= bit;
		}
		complete = page.page.complete;
		store_page_free(&page);
	}
}

static void mark_items(struct store_sync *s, uint64_t from, uint64_t to, char *seen)
{
	struct store_range range = { .owner = STR("o"), .kind = STR("n"), .limit = UINT32_MAX };
	struct store_items items;
	uint64_t i;

	assert_int_equal(store_sync_list(s, &range, &items), 0);
	for (size_t k = 0; k < items.n; k++)
		if (!str_u64(store_items_at(&items)[k].key, UINT64_MAX, &i) && i >= from && i <= to)
			seen[i - from] |= ITEM;
	store_items_free(&items);
}

/* Batches from .. to are whole or absent; those whose bit is set in acked are there. Returns how many are there. */
static uint64_t check_batches(const char *dir, uint64_t from, uint64_t to, const bool *acked)
{
	char *seen = calloc(to - from + 1, 1), err[256] = "";
	struct store_sync *s;
	uint64_t n = 0;

	if (store_sync_open(dir, &s, err, sizeof(err)))
		fail_msg("%s", err);
	mark_rows(s, "alice", from, to, seen, ALICE);
	mark_rows(s, "bob", from, to, seen, BOB);
	mark_items(s, from, to, seen);
	for (uint64_t i = from; i <= to; i++) {
		if (seen[i - from] && seen[i - from] != WHOLE)
			fail_msg("batch %llu is in pieces", (unsigned long long)i);
		if (acked[i] && !seen[i - from])
			fail_msg("batch %llu was acknowledged and is lost", (unsigned long long)i);
		n += seen[i - from] == WHOLE;
	}
	store_sync_close(s);
	free(seen);
	return n;
}

/* ---- rows that wait for their index ---- */

enum { FILLER = RECENT_MAX + 500 };

/* So many rows that their indexing begins with the next commits. */
static void fill(const char *dir)
{
	struct store_sync *s;
	char err[256] = "";

	if (store_sync_open(dir, &s, err, sizeof(err)))
		fail_msg("%s", err);
	for (uint64_t id = 1; id <= FILLER;) {
		struct store_batch *b = store_batch_new();

		for (int i = 0; i < 2000 && id <= FILLER; i++, id++)
			box_row(b, id % 2 ? "filler" : "filler2", 1000000 + id, id % 3 ? "p" : "q", NULL, "text");
		assert_int_equal(store_sync_commit(s, b), 0);
	}
	store_sync_close(s);
}

/* Counts by the index and by walking. */
static void check_filler(const char *dir)
{
	struct archive_query q = { .owner = STR("filler"), .with = STR("p"), .end_id = UINT64_MAX, .before_id = UINT64_MAX,
				   .limit = STORE_PAGE_MAX, .want_count = true };
	uint64_t want = 0, walked = 0;
	struct store_page page;
	struct store_sync *s;
	char err[256] = "";
	bool complete = false;

	for (uint64_t id = 1; id <= FILLER; id++)
		want += id % 2 && id % 3;
	if (store_sync_open(dir, &s, err, sizeof(err)))
		fail_msg("%s", err);
	while (!complete) {
		assert_int_equal(store_sync_query(s, &q, &page), 0);
		assert_int_equal(page.page.total, want);
		for (size_t i = 0; i < page.page.n; i++) {
			assert_true(page.page.v[i].id > q.after_id);
			q.after_id = page.page.v[i].id;
		}
		walked += page.page.n;
		complete = page.page.complete;
		store_page_free(&page);
	}
	assert_int_equal(walked, want);
	store_sync_close(s);
}

/* ---- failing disks ---- */

/* One call fails, then another one later, ... until none is left to fail. */
static void sweep(int n, int code, int want)
{
	enum { CALLS_MAX = 400, FIELD = 1000 };
	static bool acked[FIELD];
	uint64_t i = 0;
	struct box box;
	int status;

	memset(acked, 0, sizeof(acked));
	box_open(&box, "sqlite", NULL);
	assert_int_equal(box_commit(&box, numbered(++i, 300)), 0);
	acked[i] = true;
	for (int at = 0; at < CALLS_MAX; at++) {
		fault_arm(at, n, code);
		status = box_commit(&box, numbered(++i, 30000));
		fault_arm(0, 0, 0);
		acked[i] = status == 0;
		if (status == 0)
			break; /* it makes fewer calls than that */
		assert_int_equal(status, want);
		assert_null(strstr(box_get(&box, "o", "counter", ""), "x"));
		assert_int_equal(box_commit(&box, numbered(++i, 300)), 0); /* works again at once */
		acked[i] = true;
	}
	assert_true(i > 10 && acked[i]);
	box_close(&box);
	check_batches(box.dir, 1, i, acked);
}

TEST(every_failing_call_fails_its_commit_and_no_other)
{
	sweep(1, SQLITE_IOERR, -EIO);
}

TEST(a_disk_that_stays_broken_loses_nothing_acknowledged)
{
	sweep(1000, SQLITE_IOERR, -EIO);
}

TEST(a_full_disk_is_said_so_and_passes)
{
	sweep(1000, SQLITE_FULL, -ENOSPC);
}

TEST(batches_of_a_failed_commit_all_fail)
{
	struct answer a[20] = { 0 };
	struct box box;

	box_open(&box, "sqlite", NULL);
	box_put(&box, "o", "k", "a", "before");
	fault_arm(0, 1 << 30, SQLITE_FULL);
	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(store_commit(box.store, box.shard, numbered(i + 1, 10), box_on_done, &a[i]), 0);
	for (int i = 0; i < 20; i++) {
		box_wait(&box, &a[i], 1);
		assert_int_equal(a[i].status, -ENOSPC);
	}
	assert_string_equal(box_get(&box, "o", "k", "a"), "before"); /* reading goes on */
	assert_null(box_get(&box, "o", "n", "00000001"));
	fault_arm(0, 0, 0);
	assert_int_equal(box_commit(&box, numbered(1, 10)), 0);
	assert_string_equal(box_get(&box, "o", "n", "00000001"), "here");
	box_close(&box);
}

/* Names of owners are interned: those of a failed commit must not be remembered. */
TEST(names_of_a_failed_commit_are_forgotten)
{
	struct box box;

	box_open(&box, "sqlite", NULL);
	fault_arm(0, 1 << 30, SQLITE_FULL);
	assert_int_equal(box_put(&box, "new-owner", "new-kind", "a", "1"), -ENOSPC);
	fault_arm(0, 0, 0);
	box_put(&box, "other-owner", "other-kind", "a", "2");
	box_put(&box, "new-owner", "new-kind", "b", "3");
	assert_string_equal(box_get(&box, "other-owner", "other-kind", "a"), "2");
	assert_null(box_get(&box, "other-owner", "other-kind", "b"));
	assert_string_equal(box_get(&box, "new-owner", "new-kind", "b"), "3");
	box_close(&box);
}

TEST(an_open_on_a_full_disk_is_said_so)
{
	struct store_config cfg = { .backend = "sqlite", .dir = unit_tmpdir() };
	struct store *s;
	char err[256];

	fault_arm(0, 1 << 30, SQLITE_FULL);
	assert_int_equal(store_open(&cfg, &s, err, sizeof(err)), -ENOSPC);
	fault_arm(0, 0, 0);
	assert_non_null(strstr(err, "disk is full"));
	assert_int_equal(store_open(&cfg, &s, err, sizeof(err)), 0);
	store_close(s);
}

TEST(failing_checkpoints_lose_nothing)
{
	enum { BATCHES = 120 };
	static bool acked[BATCHES + 1];
	struct box box;
	int failures = 0;

	box_open(&box, "sqlite", NULL);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		/* 16 MiB through the log: several checkpoints; now and then a burst of failures in whatever runs */
		fault_arm((int)(i * 7 % 40), i % 3 ? 0 : 25, i % 2 ? SQLITE_FULL : SQLITE_IOERR);
		acked[i] = box_commit(&box, numbered(i, 140000)) == 0;
		failures += failed > 0;
		fault_arm(0, 0, 0);
	}
	assert_true(failures > 5);
	box_close(&box);
	assert_true(check_batches(box.dir, 1, BATCHES, acked) > BATCHES / 2);
}

TEST(indexing_that_fails_is_taken_up_again)
{
	enum { COMMITS = 400 };
	static bool acked[COMMITS + 1];
	const char *dir = unit_tmpdir();
	int failures = 0;
	struct box box;

	fill(dir);
	box_open(&box, "sqlite", dir);
	for (uint64_t i = 1; i <= COMMITS; i++) {
		struct store_batch *b = numbered(i, 50);

		for (uint64_t k = 0; k < 50; k++) /* each asks for four index rows: in all more than the merge needs */
			box_row(b, "more", i * 100 + k, "p", NULL, "text");
		fault_arm((int)(i % 7), i % 11 ? 0 : 3, i % 2 ? SQLITE_FULL : SQLITE_IOERR);
		acked[i] = box_commit(&box, b) == 0;
		failures += !acked[i];
		fault_arm(0, 0, 0);
		if (i == COMMITS / 4) {
			box_close(&box);
			check_filler(dir);
			box_open(&box, "sqlite", dir);
		}
	}
	assert_true(failures > 20);
	box_close(&box);
	check_filler(dir);
	check_batches(dir, 1, COMMITS, acked);
}

TEST(a_backup_onto_a_full_disk_leaves_nothing)
{
	struct answer a = { 0 };
	struct box box;
	char dir[200];

	box_open(&box, "sqlite", NULL);
	box_put(&box, "o", "k", "a", "1");
	snprintf(dir, sizeof(dir), "%s/backup", unit_tmpdir());
	fault_arm(0, 1 << 30, SQLITE_FULL);
	assert_int_equal(store_backup(box.store, box.shard, dir, box_on_done, &a), 0);
	box_wait(&box, &a, 1);
	fault_arm(0, 0, 0);
	assert_int_equal(a.status, -ENOSPC);
	assert_int_equal(rmdir(dir), 0); /* it is empty */
	box_close(&box);
}

/* ---- power ---- */

/* The shadow holds each file as of its last fsync: what a disk without the kernel's cache would hold. */
TEST(what_was_acknowledged_survives_a_power_cut)
{
	enum { BATCHES = 150 };
	static bool acked[BATCHES + 1];
	struct box box;

	snprintf(shadow, sizeof(shadow), "%s", unit_tmpdir());
	box_open(&box, "sqlite", NULL);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		assert_int_equal(box_commit(&box, numbered(i, i % 10 ? 500 : 200000)), 0);
		acked[i] = true;
		if (i % 30 == 0) {
			char at[128], cut[128], command[400];

			/* what the cut leaves is opened elsewhere: opening it writes to it */
			snprintf(at, sizeof(at), "%s", shadow);
			snprintf(cut, sizeof(cut), "%s", unit_tmpdir());
			snprintf(command, sizeof(command), "cp %s/* %s/", at, cut);
			store_barrier(box.store, NULL, NULL, NULL);
			assert_int_equal(system(command), 0);
			shadow[0] = '\0';
			assert_int_equal(check_batches(cut, 1, i, acked), i);
			snprintf(shadow, sizeof(shadow), "%s", at);
		}
	}
	shadow[0] = '\0';
	box_close(&box);
}

/* ---- kill -9 ---- */

static void on_acked(struct shard *s, void *arg, int status)
{
	uint64_t i = (uint64_t)(uintptr_t)arg;

	/* one small write to a pipe is whole or not there */
	if (status || write(STDOUT_FILENO, &i, sizeof(i)) != sizeof(i))
		_exit(1);
}

/* Writes numbered batches as fast as it can, telling each acknowledged number on its standard output. */
static void write_until_killed(const char *dir, uint64_t first, int out)
{
	struct store_config cfg = { .backend = "sqlite", .dir = dir };
	struct shards shards;
	struct store *store;
	struct answer fence = { 0 };
	char err[256];
	uint64_t i = first;

	dup2(out, STDOUT_FILENO);
	if (shards_init(&shards, 1) || store_open(&cfg, &store, err, sizeof(err)))
		_exit(2);
	for (int round = 1;; round++) {
		for (int k = 0; k < 40; k++, i++)
			if (store_commit(store, shards.v[0], numbered(i, 300), on_acked, (void *)(uintptr_t)i))
				_exit(3);
		store_barrier(store, shards.v[0], box_on_done, &fence);
		while (fence.calls < round - 1) /* two rounds in flight */
			loop_turn(&shards.v[0]->loop, -1);
	}
}

/* Lets a child write until it has told `acks` numbers, kills it, and marks all numbers that it told. */
static uint64_t run_and_kill(const char *dir, uint64_t first, uint32_t acks, bool *acked, uint64_t field)
{
	uint64_t i, last = first;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		write_until_killed(dir, first, ends[1]);
	}
	close(ends[1]);
	for (uint32_t n = 0; read(ends[0], &i, sizeof(i)) == sizeof(i); n++) {
		assert_true(i < field);
		acked[i] = true;
		last = i > last ? i : last;
		if (n == acks)
			kill(child, SIGKILL);
	}
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return last;
}

TEST(kill_9_loses_nothing_acknowledged_and_leaves_no_half_batch)
{
	enum { ROUNDS = 6, FIELD = 20000 };
	static bool acked[FIELD];
	const char *dir = unit_tmpdir();
	uint64_t next = 1, last;
	uint32_t seed = 5;

	fill(dir); /* the kills hit its indexing too */
	for (int round = 0; round < ROUNDS; round++) {
		seed = seed * 1664525 + 1013904223;
		last = run_and_kill(dir, next, 100 + (seed >> 8) % 1500, acked, FIELD);
		assert_true(last > next);
		/* 80 may be on disk unacknowledged; they too are whole or absent */
		check_batches(dir, next, last + 80, acked);
		next = last + 81;
	}
	check_batches(dir, 1, next - 1, acked);
	check_filler(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kill_9_loses_nothing_acknowledged_and_leaves_no_half_batch),
		cmocka_unit_test(every_failing_call_fails_its_commit_and_no_other),
		cmocka_unit_test(a_disk_that_stays_broken_loses_nothing_acknowledged),
		cmocka_unit_test(a_full_disk_is_said_so_and_passes),
		cmocka_unit_test(batches_of_a_failed_commit_all_fail),
		cmocka_unit_test(names_of_a_failed_commit_are_forgotten),
		cmocka_unit_test(an_open_on_a_full_disk_is_said_so),
		cmocka_unit_test(failing_checkpoints_lose_nothing),
		cmocka_unit_test(indexing_that_fails_is_taken_up_again),
		cmocka_unit_test(a_backup_onto_a_full_disk_leaves_nothing),
		cmocka_unit_test(what_was_acknowledged_survives_a_power_cut),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}

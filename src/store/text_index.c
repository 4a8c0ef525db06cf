/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The thread that fills the full-text index. */
#include "store/text_index.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/text_build.h"
#include "store/text_index_priv.h"

enum { RETRY_S = 10, AGAIN_S = 1 /* rows changed while they were being indexed */, CHECKPOINT_BYTES = 4 << 20 };

/* ---- writing, in steps ---- */

struct pending {
	int64_t owner, key;
	size_t n; /* bytes that follow, padded to 8 */
};

static int begin(struct text_index *t)
{
	int rc;

	pthread_mutex_lock(&t->db->turn);
	rc = sql_run_id(&t->write, SQL_BEGIN_WRITE);
	if (rc)
		pthread_mutex_unlock(&t->db->turn);
	return rc;
}

static int end(struct text_index *t, int rc)
{
	if (!rc)
		rc = sql_run_id(&t->write, SQL_COMMIT);
	if (rc && !sqlite3_get_autocommit(t->write.db))
		sql_run_id(&t->write, SQL_ROLLBACK);
	pthread_mutex_unlock(&t->db->turn);
	return rc;
}

/* Runs a statement with up to four numbers. */
static int run(struct text_index *t, enum sql_id id, const int64_t *v, int n)
{
	sqlite3_stmt *st = sql_get(&t->write, id);

	if (!st)
		return sql_failed(&t->write);
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(st, i + 1, v[i]);
	return sql_run(&t->write, st);
}

static int put_pending(struct text_index *t)
{
	int rc = 0;

	for (size_t at = 0; at < t->pending.n && !rc;) {
		struct pending p;
		sqlite3_stmt *st = sql_get(&t->write, SQL_TEXT_PUT);

		if (!st)
			return sql_failed(&t->write);
		memcpy(&p, t->pending.p + at, sizeof(p));
		sqlite3_bind_int64(st, 1, t->part);
		sqlite3_bind_int64(st, 2, p.owner);
		sqlite3_bind_int64(st, 3, p.key);
		sql_bind(st, 4, (struct str){ t->pending.p + at + sizeof(p), p.n });
		rc = sql_run(&t->write, st);
		at += sizeof(p) + p.n;
	}
	t->written += t->pending.n;
	t->pending.n = 0;
	return rc;
}

int text_index_emit(void *arg, int64_t owner, int64_t key, struct str data)
{
	struct text_index *t = arg;
	struct pending p = { owner, key, data.n };
	int rc;

	buf_put(&t->pending, &p, sizeof(p));
	buf_str(&t->pending, data);
	if (t->pending.n < TEXT_STEP_BYTES)
		return 0;
	rc = begin(t);
	return rc ? rc : end(t, put_pending(t));
}

/* A new part, which nobody sees yet; from now on a change of its rows spoils it. */
static int open_part(struct text_index *t, int64_t first, int64_t last)
{
	int rc = begin(t);

	if (rc)
		return rc;
	t->first = first;
	t->last = last;
	t->spoilt = false;
	rc = sql_number(&t->write, sql_get(&t->write, SQL_TEXT_NEW_PART), &t->part);
	if (!rc)
		rc = run(t, SQL_TEXT_PART_ADD, (const int64_t[]){ t->part, TEXT_BUILDING, first, last }, 4);
	return end(t, rc);
}

static int set_level(struct text_index *t, int64_t part, int64_t level)
{
	return run(t, SQL_TEXT_PART_LEVEL, (const int64_t[]){ part, level }, 2);
}

/* The part is complete and takes the place of old ones, unless something changed under it. */
static int close_part(struct text_index *t, int level, const struct text_part *old, size_t n)
{
	int rc = begin(t);
	bool spoilt;

	if (rc)
		return rc;
	rc = put_pending(t);
	if (!rc)
		rc = set_level(t, t->part, t->spoilt ? TEXT_DEAD : level);
	for (size_t i = 0; i < n && !rc && !t->spoilt; i++)
		rc = set_level(t, old[i].part, TEXT_DEAD);
	spoilt = t->spoilt;
	t->first = t->last = 0;
	rc = end(t, rc);
	return rc ? rc : spoilt ? -EAGAIN : 0;
}

static void give_up(struct text_index *t)
{
	pthread_mutex_lock(&t->db->turn);
	t->first = t->last = 0;
	pthread_mutex_unlock(&t->db->turn);
	t->pending.n = 0;
}

/* Takes away what is left of parts that nobody reads. */
static int clean(struct text_index *t)
{
	for (;;) {
		int64_t part = 0;
		int rc = sql_number(&t->write, sql_get(&t->write, SQL_TEXT_DEAD), &part), n = 1;

		if (rc || !part)
			return rc;
		while (n && !rc && !t->stop) {
			rc = begin(t);
			if (rc)
				return rc;
			rc = run(t, SQL_TEXT_DROP, &part, 1);
			n = sqlite3_changes(t->write.db);
			if (!rc && !n)
				rc = run(t, SQL_TEXT_PART_DEL, &part, 1);
			rc = end(t, rc);
		}
		if (rc || t->stop)
			return rc;
	}
}

/* ---- new rows ---- */

static int read_rows(struct text_index *t, struct text_build *b)
{
	sqlite3_stmt *st = sql_get(&t->read, SQL_TEXT_ROWS);
	int rc;

	if (!st)
		return sql_failed(&t->read);
	sqlite3_bind_int64(st, 1, t->first);
	sqlite3_bind_int64(st, 2, t->last);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		text_build_add(b, &(struct text_row){ .row = (uint32_t)(sqlite3_column_int64(st, 0) - t->first),
			.owner = sqlite3_column_int64(st, 1), .id = (uint64_t)sqlite3_column_int64(st, 2), .with = sql_column(st, 3),
			.stanza = sql_column(st, 4) });
	rc = sql_errno(t->read.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int build(struct text_index *t, int64_t first, int64_t last)
{
	struct text_build b = { .text_of = t->text_of };
	int rc = open_part(t, first, last);

	if (!rc)
		rc = read_rows(t, &b);
	if (!rc)
		rc = text_build_emit(&b, text_index_emit, t);
	if (!rc)
		rc = close_part(t, 0, NULL, 0);
	text_build_free(&b);
	return rc;
}

/* ---- the thread ---- */

static int load_parts(struct text_index *t, struct text_part *out, size_t *out_n)
{
	sqlite3_stmt *st = sql_get(&t->write, SQL_TEXT_PARTS);
	int rc;

	*out_n = 0;
	if (!st)
		return sql_failed(&t->write);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (*out_n == TEXT_PARTS_LOOK) { /* only the last ones can be joined */
			memmove(out, out + 1, (TEXT_PARTS_LOOK - 1) * sizeof(*out));
			--*out_n;
		}
		out[(*out_n)++] = (struct text_part){ sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
						      sqlite3_column_int64(st, 2), sqlite3_column_int(st, 3) };
	}
	rc = sql_errno(t->write.db, rc);
	sqlite3_reset(st);
	return rc;
}

/* The oldest parts of one level, of which there are enough; NULL: none. */
static const struct text_part *joinable(const struct text_part *v, size_t n)
{
	for (int level = 0; level < TEXT_LEVEL_MAX; level++) {
		size_t count = 0;

		while (n && v[n - 1].level == level) {
			count++;
			n--;
		}
		if (count >= TEXT_JOIN)
			return v + n;
	}
	return NULL;
}

/* One piece of work. Returns 1 when there may be more; 0; -errno. */
static int work(struct text_index *t)
{
	struct text_part parts[TEXT_PARTS_LOOK];
	const struct text_part *join;
	int64_t indexed, lag, n = TEXT_PART_ROWS;
	size_t parts_n;
	int rc = load_parts(t, parts, &parts_n);

	if (rc)
		return rc;
	indexed = parts_n ? parts[parts_n - 1].last : 0;
	t->wake_at = indexed + n;
	lag = t->log_end - indexed;
	if (lag >= 4 * TEXT_CATCH_UP * n)
		n *= TEXT_CATCH_UP;
	join = joinable(parts, parts_n);
	if (lag >= n)
		rc = build(t, indexed, indexed + n);
	else if (join && !(rc = open_part(t, join->first, join[TEXT_JOIN - 1].last)) && !(rc = text_join(t, join, TEXT_JOIN)))
		rc = close_part(t, join->level + 1, join, TEXT_JOIN);
	else if (!join)
		return 0;
	if (rc) {
		give_up(t);
		return rc;
	}
	return 1;
}

/* The log in front of the database is not to grow while nobody else writes. */
static void checkpoint(struct text_index *t)
{
	if (t->written < CHECKPOINT_BYTES)
		return;
	t->written = 0;
	sqlite3_wal_checkpoint_v2(t->write.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void wait_for_rows(struct text_index *t, int err)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += err == -EAGAIN ? AGAIN_S : RETRY_S;
	pthread_mutex_lock(&t->lock);
	if (err && !t->stop)
		pthread_cond_timedwait(&t->wake, &t->lock, &until);
	while (!err && !t->stop && t->log_end < t->wake_at)
		pthread_cond_wait(&t->wake, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

static void *thread_main(void *arg)
{
	struct text_index *t = arg;
	bool failing = false;

	log_thread("words");
	while (!t->stop) {
		int rc = clean(t);

		if (!rc)
			rc = work(t);
		if (rc < 0 && rc != -EAGAIN && !failing && !t->stop)
			log_warning("store.words", "error=%d next=\"searches look at new rows one by one; trying again\"", -rc);
		failing = rc < 0 && rc != -EAGAIN;
		checkpoint(t);
		if (rc <= 0)
			wait_for_rows(t, rc);
	}
	return NULL;
}

/* ---- start and end ---- */

int text_index_new(struct store_db *db, archive_text_fn *text_of, struct text_index **out)
{
	struct text_index *t;
	int rc;

	*out = NULL;
	if (!text_of)
		return 0;
	t = mem_zalloc(sizeof(*t));
	t->db = db;
	t->text_of = text_of;
	t->log_end = db->next_seq - 1;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	rc = sql_open(&t->read, db->path, false);
	if (!rc)
		rc = sql_open(&t->write, db->path, true);
	if (!rc) /* the writer's next commit brings it to the disk */
		rc = sql_exec(t->write.db, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512");
	if (!rc)
		rc = sql_exec(t->read.db, "PRAGMA cache_size=-512");
	if (!rc)
		rc = -pthread_create(&t->thread, NULL, thread_main, t);
	t->started = !rc;
	if (rc) {
		text_index_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void text_index_free(struct text_index *t)
{
	if (!t)
		return;
	if (t->started) {
		pthread_mutex_lock(&t->lock);
		t->stop = true;
		pthread_cond_signal(&t->wake);
		pthread_mutex_unlock(&t->lock);
		pthread_join(t->thread, NULL);
	}
	sql_close(&t->read);
	sql_close(&t->write);
	buf_free(&t->pending);
	text_build_free(&t->scratch);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void text_index_wake(struct text_index *t, int64_t last_seq)
{
	if (!t)
		return;
	t->log_end = last_seq;
	if (last_seq < t->wake_at)
		return;
	pthread_mutex_lock(&t->lock);
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: writing the archive. Rows are appended to archive_log; every RECENT_MAX rows they are sorted into the index
 * tables archive_owner and archive_peer, a part with each of the commits that follow. The writer's thread. */
#include <errno.h>
#include <stdlib.h>

#include "store/sqlite.h"
#include "store/text_index.h"

enum { MERGE_STEPS_MIN = 64 /* index rows per commit while a merge runs */ };

static const struct str empty = { "", 0 };

uint32_t archive_peer_hash(struct str jid)
{
	return (uint32_t)str_hash_stable(jid);
}

/* ---- start ---- */

static int load_rows(struct store_db *db, sqlite3_stmt *st)
{
	struct recent_row row;
	int rc;

	sqlite3_bind_int64(st, 1, db->recent.merged);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		row = (struct recent_row){ .seq = sqlite3_column_int64(st, 0), .owner = sqlite3_column_int64(st, 1),
					   .id = (uint64_t)sqlite3_column_int64(st, 2),
					   .peer = (uint32_t)sqlite3_column_int64(st, 3) };
		recent_publish(&db->recent, 0, &row, 1);
		if (row.seq >= db->next_seq)
			db->next_seq = row.seq + 1;
	}
	sqlite3_reset(st);
	return sql_errno(db->sql.db, rc);
}

int archive_open(struct store_db *db)
{
	int64_t merged = 0, indexed = 0;
	int rc = sql_number(&db->sql, sql_get(&db->sql, SQL_ARCHIVE_MERGED), &merged);
	sqlite3_stmt *st;

	if (rc)
		return rc;
	recent_fini(&db->recent);
	recent_init(&db->recent, merged);
	db->merged = merged;
	rc = sql_number(&db->sql, sql_get(&db->sql, SQL_TEXT_INDEXED), &indexed);
	if (rc)
		return rc;
	db->next_seq = (merged > indexed ? merged : indexed) + 1; /* never a number that something was known by */
	st = sql_get(&db->sql, SQL_LOG_TAIL);
	return st ? load_rows(db, st) : sql_failed(&db->sql);
}

/* ---- adding ---- */

static int log_add(struct store_db *db, const struct recent_row *at, const struct archive_row *row)
{
	sqlite3_stmt *st = sql_get(&db->sql, SQL_LOG_ADD);

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, at->seq);
	sqlite3_bind_int64(st, 2, at->owner);
	sqlite3_bind_int64(st, 3, (int64_t)at->id);
	sqlite3_bind_int64(st, 4, at->peer);
	sqlite3_bind_int(st, 5, row->outgoing);
	sql_bind(st, 6, row->with.p ? row->with : empty);
	sql_bind(st, 7, row->with_full);
	sql_bind(st, 8, row->origin);
	sql_bind(st, 9, blob_view(row->stanza));
	return sql_run(&db->sql, st);
}

int sqlite_archive_add(struct store_db *db, const struct store_op *op)
{
	struct recent_row at = { .seq = db->next_seq, .id = op->row.id, .peer = archive_peer_hash(op->row.with) };
	int rc;

	at.owner = sqlite_name(db, op->owner, true);
	if (at.owner < 0)
		return (int)at.owner;
	rc = log_add(db, &at, &op->row);
	if (rc)
		return rc;
	db->next_seq++;
	buf_put(&db->added, &at, sizeof(at));
	return 0;
}

/* ---- merging ---- */

static int by_id(const struct recent_row *a, const struct recent_row *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

static int by_owner(const void *x, const void *y)
{
	const struct recent_row *a = x, *b = y;

	return a->owner < b->owner ? -1 : a->owner > b->owner ? 1 : by_id(a, b);
}

static int by_peer(const void *x, const void *y)
{
	const struct recent_row *a = x, *b = y;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->peer < b->peer ? -1 : a->peer > b->peer ? 1 : by_id(a, b);
}

static const struct {
	enum sql_id add;
	int (*order)(const void *, const void *);
} indexes[2] = { { SQL_INDEX_OWNER, by_owner }, { SQL_INDEX_PEER, by_peer } };

static int index_row(struct store_db *db, enum sql_id id, const struct recent_row *row)
{
	sqlite3_stmt *st;

	if (row->owner == RECENT_GONE)
		return 0;
	st = sql_get(&db->sql, id);
	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, row->owner);
	sqlite3_bind_int64(st, 2, (int64_t)row->id);
	sqlite3_bind_int64(st, 3, row->seq);
	if (id == SQL_INDEX_PEER)
		sqlite3_bind_int64(st, 4, row->peer);
	return sql_run(&db->sql, st);
}

static int set_merged(struct store_db *db, int64_t seq)
{
	sqlite3_stmt *st = sql_get(&db->sql, SQL_ARCHIVE_SET_MERGED);
	int rc;

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, seq);
	rc = sql_run(&db->sql, st);
	if (!rc)
		db->merged = seq;
	return rc;
}

static void add_beyond(struct buf *out, const struct buf *rows, int64_t merged)
{
	const struct recent_row *v = recent_rows(rows);

	for (size_t i = 0; i < rows->n / sizeof(*v); i++)
		if (v[i].seq > merged)
			buf_put(out, &v[i], sizeof(v[i]));
}

static size_t merge_n(const struct store_db *db)
{
	return db->merge.rows[0].n / sizeof(struct recent_row);
}

static void merge_forget(struct store_db *db)
{
	buf_free(&db->merge.rows[0]);
	buf_free(&db->merge.rows[1]);
	db->merge.at = db->merge.begun_at = 0;
}

/* Rows that this transaction removed leave the index tables last: a merge may just have brought them there. */
static int unindex_removed(struct store_db *db)
{
	static const enum sql_id tables[] = { SQL_DEL_OWNER, SQL_DEL_PEER };
	size_t n = db->removed.n / sizeof(struct recent_row);
	int rc = 0;

	for (size_t i = 0; i < 2 * n && !rc; i++) {
		const struct recent_row *row = &recent_rows(&db->removed)[i / 2];
		sqlite3_stmt *st = sql_get(&db->sql, tables[i % 2]);

		if (!st)
			return sql_failed(&db->sql);
		sqlite3_bind_int64(st, 1, row->owner);
		sqlite3_bind_int64(st, 2, (int64_t)row->id);
		if (tables[i % 2] == SQL_DEL_PEER)
			sqlite3_bind_int64(st, 3, row->peer);
		rc = sql_run(&db->sql, st);
	}
	return rc;
}

/* The work is spread over the commits that follow, so that none of them is held up: four index rows for each new row. */
static int merge_some(struct store_db *db)
{
	size_t steps = MERGE_STEPS_MIN + 4 * (db->added.n / sizeof(struct recent_row)), n;
	int64_t last;
	int rc = 0;

	if (!merge_n(db) && recent_n(&db->recent) >= RECENT_MAX) {
		for (int i = 0; i < 2; i++) {
			add_beyond(&db->merge.rows[i], &db->recent.rows, db->recent.merged);
			qsort(db->merge.rows[i].p, merge_n(db), sizeof(struct recent_row), indexes[i].order);
		}
	}
	n = merge_n(db);
	if (!n)
		return 0;
	last = recent_rows(&db->recent.rows)[n - 1].seq;
	for (; steps && db->merge.at < 2 * n && !rc; steps--, db->merge.at++) {
		int i = db->merge.at >= n;
		const struct recent_row *row = &recent_rows(&db->merge.rows[i])[db->merge.at - (i ? n : 0)];

		if (!recent_is_gone(&db->recent, row))
			rc = index_row(db, indexes[i].add, row);
	}
	return !rc && db->merge.at == 2 * n ? set_merged(db, last) : rc;
}

int archive_before_commit(struct store_db *db)
{
	int rc = merge_some(db);

	return rc ? rc : unindex_removed(db);
}

/* Rows that were removed leave the lists of those that go to the index tables. */
static void forget_removed(struct store_db *db)
{
	const struct recent_row *v = recent_rows(&db->removed);
	struct recent_row *added = recent_rows(&db->added);
	size_t n = db->removed.n / sizeof(*v);

	for (size_t i = 0; i < n && db->added.n; i++)
		if (v[i].seq >= added[0].seq)
			added[v[i].seq - added[0].seq].owner = RECENT_GONE; /* numbers without gaps */
	if (n)
		recent_remove(&db->recent, v, n);
}

void archive_after_commit(struct store_db *db)
{
	forget_removed(db);
	if (db->merged > db->recent.merged)
		merge_forget(db);
	db->merge.begun_at = db->merge.at;
	recent_publish(&db->recent, db->merged, recent_rows(&db->added), db->added.n / sizeof(struct recent_row));
}

void archive_after_rollback(struct store_db *db)
{
	db->merge.at = db->merge.begun_at;
	db->merged = db->recent.merged;
}

void archive_close(struct store_db *db)
{
	merge_forget(db);
	recent_fini(&db->recent);
	buf_free(&db->added);
	buf_free(&db->removed);
}

/* ---- removing ---- */

/* The owner's rows of this list that are older go one by one. */
static int trim_listed(struct store_db *db, const struct buf *rows, int64_t owner, uint64_t before_id)
{
	const struct recent_row *v = recent_rows(rows);
	int rc = 0;

	for (size_t i = 0; i < rows->n / sizeof(*v) && !rc; i++) {
		sqlite3_stmt *st;

		if (v[i].owner != owner || v[i].id >= before_id)
			continue;
		st = sql_get(&db->sql, SQL_LOG_DEL);
		if (!st)
			return sql_failed(&db->sql);
		sqlite3_bind_int64(st, 1, v[i].seq);
		rc = sql_run(&db->sql, st);
		buf_put(&db->removed, &v[i], sizeof(v[i]));
	}
	return rc;
}

int sqlite_archive_trim(struct store_db *db, const struct store_op *op)
{
	bool all = op->row.id == UINT64_MAX;
	const enum sql_id steps[] = { all ? SQL_TRIM_PEERS : SQL_TRIM_PEER, SQL_TRIM_LOG, SQL_TRIM_OWNER };
	int64_t owner = sqlite_name(db, op->owner, false);
	struct buf recent = { 0 };
	int rc;

	if (owner <= 0)
		return (int)owner;
	recent_copy(&db->recent, owner, db->recent.merged, &recent);
	rc = trim_listed(db, &recent, owner, op->row.id);
	buf_free(&recent);
	if (!rc)
		rc = trim_listed(db, &db->added, owner, op->row.id);
	if (!rc)
		rc = text_index_trim(db, owner, op->row.id);
	for (int i = 0; i < 3 && !rc; i++) {
		sqlite3_stmt *st = sql_get(&db->sql, steps[i]);

		if (!st)
			return sql_failed(&db->sql);
		sqlite3_bind_int64(st, 1, owner);
		if (steps[i] != SQL_TRIM_PEERS)
			sqlite3_bind_int64(st, 2, op->row.id > INT64_MAX ? INT64_MAX : (int64_t)op->row.id);
		rc = sql_run(&db->sql, st);
	}
	return rc;
}

/* The place of an owner's row in the log: 0 when there is none; -errno. */
static int64_t find_row(struct store_db *db, int64_t owner, uint64_t id)
{
	const struct recent_row *v = recent_rows(&db->added);
	sqlite3_stmt *st;
	int64_t seq = 0;
	int rc;

	for (size_t i = db->added.n / sizeof(*v); i-- > 0;)
		if (v[i].owner == owner && v[i].id == id)
			return v[i].seq;
	seq = recent_find(&db->recent, owner, id);
	if (seq || id > INT64_MAX)
		return seq;
	st = sql_get(&db->sql, SQL_INDEX_FIND);
	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, owner);
	sqlite3_bind_int64(st, 2, (int64_t)id);
	rc = sql_number(&db->sql, st, &seq);
	return rc ? rc : seq;
}

/* What a row holds before it changes. */
struct old_row {
	struct recent_row at;
	struct buf with, stanza;
};

static void old_free(struct old_row *old)
{
	buf_free(&old->with);
	buf_free(&old->stanza);
}

/* Finds the operation's row. at.seq is 0 when there is none. Returns 0; -errno. */
static int read_old(struct store_db *db, const struct store_op *op, struct old_row *out)
{
	sqlite3_stmt *st;
	int rc;

	*out = (struct old_row){ .at = { .owner = sqlite_name(db, op->owner, false), .id = op->row.id } };
	if (out->at.owner > 0)
		out->at.seq = find_row(db, out->at.owner, op->row.id);
	if (out->at.owner <= 0 || out->at.seq <= 0)
		return (int)(out->at.owner < 0 ? out->at.owner : out->at.seq);
	st = sql_get(&db->sql, SQL_LOG_HEAD);
	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, out->at.seq);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		out->at.peer = (uint32_t)sqlite3_column_int64(st, 0);
		buf_str(&out->with, sql_column(st, 1));
		buf_str(&out->stanza, sql_column(st, 2));
	} else {
		out->at.seq = 0; /* removed in this transaction */
	}
	rc = sql_errno(db->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

/* Puts a stanza in the place of the row's own, or (p NULL) takes the row out of the log. */
static int change(struct store_db *db, const struct old_row *old, struct str stanza)
{
	sqlite3_stmt *st = sql_get(&db->sql, stanza.p ? SQL_LOG_SET : SQL_LOG_DEL);
	int rc;

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, old->at.seq);
	if (stanza.p)
		sql_bind(st, 2, stanza);
	rc = sql_run(&db->sql, st);
	return rc ? rc : text_index_change(db, &old->at, buf_view(&old->with), buf_view(&old->stanza), stanza);
}

int sqlite_archive_replace(struct store_db *db, const struct store_op *op)
{
	struct str stanza = blob_view(op->row.stanza);
	struct old_row old;
	int rc = read_old(db, op, &old);

	if (!rc && old.at.seq)
		rc = change(db, &old, stanza.p ? stanza : empty);
	old_free(&old);
	return rc;
}

int sqlite_archive_remove(struct store_db *db, const struct store_op *op)
{
	struct old_row old;
	int rc = read_old(db, op, &old);

	if (!rc && old.at.seq) {
		rc = change(db, &old, STR_NONE);
		buf_put(&db->removed, &old.at, sizeof(old.at));
	}
	old_free(&old);
	return rc;
}

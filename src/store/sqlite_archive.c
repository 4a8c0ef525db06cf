/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: writing the archive. Rows are appended to archive_log; every RECENT_MAX rows they are sorted into the index
 * tables archive_owner and archive_peer. The writer's thread. */
#include <errno.h>
#include <stdlib.h>

#include "store/sqlite.h"

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
		db->next_seq = row.seq + 1;
	}
	sqlite3_reset(st);
	return sql_errno(db->sql.db, rc);
}

int archive_open(struct store_db *db)
{
	int64_t merged = 0;
	int rc = sql_number(&db->sql, sql_get(&db->sql, SQL_ARCHIVE_MERGED), &merged);
	sqlite3_stmt *st;

	if (rc)
		return rc;
	recent_fini(&db->recent);
	recent_init(&db->recent, merged);
	db->next_seq = merged + 1;
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

static int index_rows(struct store_db *db, enum sql_id id, const struct recent_row *v, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		sqlite3_stmt *st = sql_get(&db->sql, id);

		if (!st)
			return sql_failed(&db->sql);
		sqlite3_bind_int64(st, 1, v[i].owner);
		sqlite3_bind_int64(st, 2, (int64_t)v[i].id);
		sqlite3_bind_int64(st, 3, v[i].seq);
		if (id == SQL_INDEX_PEER)
			sqlite3_bind_int64(st, 4, v[i].peer);
		rc = sql_run(&db->sql, st);
	}
	return rc;
}

static int set_merged(struct store_db *db)
{
	sqlite3_stmt *st = sql_get(&db->sql, SQL_ARCHIVE_SET_MERGED);

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, db->next_seq - 1);
	return sql_run(&db->sql, st);
}

int sqlite_archive_merge(struct store_db *db)
{
	const struct buf *lists[] = { &db->recent.rows, &db->added };
	struct buf all = { 0 };
	size_t n;
	int rc;

	for (int l = 0; l < 2; l++) {
		const struct recent_row *v = recent_rows(lists[l]);

		for (size_t i = 0; i < lists[l]->n / sizeof(*v); i++)
			if (v[i].seq > db->merged)
				buf_put(&all, &v[i], sizeof(v[i]));
	}
	n = all.n / sizeof(struct recent_row);
	if (!n)
		return 0;
	qsort(all.p, n, sizeof(struct recent_row), by_owner);
	rc = index_rows(db, SQL_INDEX_OWNER, recent_rows(&all), n);
	if (!rc) {
		qsort(all.p, n, sizeof(struct recent_row), by_peer);
		rc = index_rows(db, SQL_INDEX_PEER, recent_rows(&all), n);
	}
	buf_free(&all);
	if (!rc)
		rc = set_merged(db);
	if (!rc)
		db->merged = db->next_seq - 1;
	return rc;
}

/* ---- removing ---- */

int sqlite_archive_trim(struct store_db *db, const struct store_op *op)
{
	static const enum sql_id steps[] = { SQL_TRIM_LOG, SQL_TRIM_PEER, SQL_TRIM_OWNER };
	int64_t owner = sqlite_name(db, op->owner, false);
	int rc;

	if (owner <= 0)
		return (int)owner;
	rc = sqlite_archive_merge(db); /* so that the index tables know all rows */
	for (int i = 0; i < 3 && !rc; i++) {
		sqlite3_stmt *st = sql_get(&db->sql, steps[i]);

		if (!st)
			return sql_failed(&db->sql);
		sqlite3_bind_int64(st, 1, owner);
		sqlite3_bind_int64(st, 2, op->row.id > INT64_MAX ? INT64_MAX : (int64_t)op->row.id);
		rc = sql_run(&db->sql, st);
	}
	return rc;
}

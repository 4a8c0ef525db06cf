/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: reading items and archive pages. A reader's thread; each call is one read transaction. */
#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "store/sqlite.h"

static const struct str empty = { "", 0 };

static int error_of(struct store_reader *r)
{
	return sql_errno(r->sql.db, sqlite3_errcode(r->sql.db));
}

static int begin(struct store_reader *r)
{
	return sql_run_id(&r->sql, SQL_BEGIN_READ);
}

static int finish(struct store_reader *r, int rc)
{
	int end = sql_run_id(&r->sql, SQL_COMMIT);

	if (end && !sqlite3_get_autocommit(r->sql.db))
		sql_run_id(&r->sql, SQL_ROLLBACK);
	return rc ? rc : end;
}

/* ---- items ---- */

static int get(struct store_reader *r, struct store_item item, struct store_items *out)
{
	int64_t owner = sql_name(&r->sql, item.owner), kind = owner > 0 ? sql_name(&r->sql, item.kind) : 0;
	sqlite3_stmt *st;
	int rc;

	if (owner <= 0 || kind <= 0)
		return (int)(owner < 0 ? owner : kind);
	st = sql_get(&r->sql, SQL_ITEM_VALUE);
	if (!st)
		return error_of(r);
	sqlite3_bind_int64(st, 1, owner);
	sqlite3_bind_int64(st, 2, kind);
	sql_bind(st, 3, item.key.p ? item.key : empty);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		item.value = sql_column(st, 0);
		store_items_add(out, &item);
	}
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

int sqlite_get(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out)
{
	int rc = begin(r);

	return rc ? rc : finish(r, get(r, (struct store_item){ owner, kind, key, STR_NONE }, out));
}

/* Steps through key,value[,kind] rows from the range's first key on. */
static int list_rows(struct store_reader *r, sqlite3_stmt *st, const struct store_range *range, struct store_items *out)
{
	bool one_kind = !str_empty(range->kind);
	int rc = SQLITE_DONE;

	while (out->n < range->limit && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_item item = { .owner = range->owner, .kind = range->kind, .key = sql_column(st, 0) };

		if (range->after.p && str_cmp(item.key, range->after) <= 0)
			continue;
		if (!str_starts(item.key, range->prefix)) {
			if (one_kind)
				break;
			continue;
		}
		item.value = sql_column(st, 1);
		if (!one_kind)
			item.kind = sql_column(st, 2);
		store_items_add(out, &item);
	}
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int list(struct store_reader *r, const struct store_range *range, struct store_items *out)
{
	int64_t owner = sql_name(&r->sql, range->owner), kind = 0;
	bool one_kind = !str_empty(range->kind);
	struct str from = range->prefix.p ? range->prefix : empty;
	sqlite3_stmt *st;

	if (owner > 0 && one_kind)
		kind = sql_name(&r->sql, range->kind);
	if (owner <= 0 || (one_kind && kind <= 0))
		return (int)(owner < 0 ? owner : kind);
	st = sql_get(&r->sql, one_kind ? SQL_ITEM_LIST : SQL_ITEM_LIST_ALL);
	if (!st)
		return error_of(r);
	if (range->after.p && str_cmp(range->after, from) > 0)
		from = range->after;
	sqlite3_bind_int64(st, 1, owner);
	if (one_kind)
		sqlite3_bind_int64(st, 2, kind);
	sql_bind(st, one_kind ? 3 : 2, from);
	return list_rows(r, st, range, out);
}

int sqlite_list(struct store_reader *r, const struct store_range *range, struct store_items *out)
{
	int rc = begin(r);

	return rc ? rc : finish(r, list(r, range, out));
}

/* ---- archive ---- */

static struct archive_found found_row(sqlite3_stmt *st)
{
	return (struct archive_found){
		.id = (uint64_t)sqlite3_column_int64(st, 0), .outgoing = (uint8_t)sqlite3_column_int(st, 1),
		.with = sql_column(st, 2), .with_full = sql_column(st, 3), .origin = sql_column(st, 4),
		.stanza = sql_column(st, 5),
	};
}

/* Looks up one row. Returns 1 found (added to out unless out is NULL or the row does not match), 0 absent, -errno. */
static int one(struct store_reader *r, int64_t owner, uint64_t id, const struct archive_query *q, struct store_page *out)
{
	sqlite3_stmt *st = sql_get(&r->sql, SQL_ARCHIVE_ONE);
	struct archive_found row;
	int rc;

	if (!st)
		return error_of(r);
	if (id > INT64_MAX)
		return 0;
	sqlite3_bind_int64(st, 1, owner);
	sqlite3_bind_int64(st, 2, (int64_t)id);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && out) {
		row = found_row(st);
		if (archive_query_matches(q, row.with, row.with_full))
			store_page_add(out, &row);
	}
	rc = rc == SQLITE_ROW ? 1 : sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int check_bounds(struct store_reader *r, int64_t owner, const struct archive_query *q)
{
	int rc = 1;

	if (q->after_id)
		rc = one(r, owner, q->after_id, q, NULL);
	if (rc == 1 && q->before_id != UINT64_MAX)
		rc = one(r, owner, q->before_id, q, NULL);
	for (uint32_t i = 0; rc == 1 && i < q->ids_n; i++)
		rc = one(r, owner, q->ids[i], q, NULL);
	return rc == 1 ? 0 : rc == 0 ? -ENOENT : rc;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int query_ids(struct store_reader *r, int64_t owner, const struct archive_query *q, struct store_page *out)
{
	uint64_t ids[STORE_PAGE_MAX], lo, hi;
	int rc = 0;

	must(q->ids_n <= STORE_PAGE_MAX);
	if (!archive_query_range(q, &lo, &hi)) {
		out->page.complete = true;
		return 0;
	}
	memcpy(ids, q->ids, q->ids_n * sizeof(ids[0]));
	qsort(ids, q->ids_n, sizeof(ids[0]), by_id);
	for (uint32_t i = 0; rc >= 0 && i < q->ids_n; i++)
		if (ids[i] >= lo && ids[i] <= hi && (!i || ids[i] != ids[i - 1]))
			rc = one(r, owner, ids[i], q, out);
	out->page.complete = true;
	return rc < 0 ? rc : 0;
}

/* How a query names the peer: column of the statement tables. */
enum peer { PEER_ANY, PEER_BARE, PEER_FULL };

static enum peer peer_of(const struct archive_query *q)
{
	if (str_empty(q->with))
		return PEER_ANY;
	return memchr(q->with.p, '/', q->with.n) ? PEER_FULL : PEER_BARE;
}

/* A range statement with its bounds and peer. */
static sqlite3_stmt *range_statement(struct store_reader *r, enum sql_id id, int64_t owner, uint64_t lo, uint64_t hi,
				     const struct archive_query *q)
{
	sqlite3_stmt *st = sql_get(&r->sql, id);
	enum peer peer = peer_of(q);

	if (!st)
		return NULL;
	sqlite3_bind_int64(st, 1, owner);
	sqlite3_bind_int64(st, 2, (int64_t)lo);
	sqlite3_bind_int64(st, 3, (int64_t)hi);
	if (peer != PEER_ANY)
		sqlite3_bind_int64(st, 4, (int64_t)str_hash_stable(q->with));
	if (peer == PEER_FULL) {
		sqlite3_bind_int64(st, 5, (int64_t)str_hash_stable(archive_bare(q->with)));
		sql_bind(st, 6, q->with);
	}
	return st;
}

static int query_range(struct store_reader *r, int64_t owner, const struct archive_query *q, struct store_page *out)
{
	static const enum sql_id ids[][2] = {
		[PEER_ANY] = { SQL_ARCHIVE_UP, SQL_ARCHIVE_DOWN },
		[PEER_BARE] = { SQL_ARCHIVE_WITH_UP, SQL_ARCHIVE_WITH_DOWN },
		[PEER_FULL] = { SQL_ARCHIVE_FULL_UP, SQL_ARCHIVE_FULL_DOWN },
	};
	struct archive_found row;
	sqlite3_stmt *st;
	uint64_t lo, hi;
	int rc;

	out->page.complete = true;
	if (!archive_query_range(q, &lo, &hi))
		return 0;
	st = range_statement(r, ids[peer_of(q)][q->backward], owner, lo, hi, q);
	if (!st)
		return error_of(r);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		row = found_row(st);
		if (!archive_query_matches(q, row.with, row.with_full))
			continue;
		if (out->page.n == q->limit) {
			out->page.complete = false;
			break;
		}
		store_page_add(out, &row);
	}
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	if (q->backward)
		store_page_reverse(out);
	return rc;
}

static int number(struct store_reader *r, sqlite3_stmt *st, int64_t *out)
{
	int rc;

	if (!st)
		return error_of(r);
	rc = sqlite3_step(st);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int edge(struct store_reader *r, enum sql_id id, int64_t owner, uint64_t *out)
{
	sqlite3_stmt *st = sql_get(&r->sql, id);
	int64_t n = 0;
	int rc;

	if (st)
		sqlite3_bind_int64(st, 1, owner);
	rc = number(r, st, &n);
	*out = (uint64_t)n;
	return rc;
}

static int count(struct store_reader *r, int64_t owner, const struct archive_query *q, struct archive_page *page)
{
	static const enum sql_id ids[] = {
		[PEER_ANY] = SQL_ARCHIVE_COUNT, [PEER_BARE] = SQL_ARCHIVE_COUNT_WITH, [PEER_FULL] = SQL_ARCHIVE_COUNT_FULL,
	};
	uint64_t hi = q->end_id > INT64_MAX ? INT64_MAX : q->end_id;
	int rc = 0;

	page->total = 0;
	if (q->start_id <= hi)
		rc = number(r, range_statement(r, ids[peer_of(q)], owner, q->start_id, hi, q), &page->total);
	if (!rc)
		rc = edge(r, SQL_ARCHIVE_FIRST, owner, &page->first_id_all);
	if (!rc)
		rc = edge(r, SQL_ARCHIVE_LAST, owner, &page->last_id_all);
	return rc;
}

static int query(struct store_reader *r, const struct archive_query *q, struct store_page *out)
{
	int64_t owner = sql_name(&r->sql, q->owner);
	int rc = 0;

	out->page.total = q->want_count ? 0 : -1;
	if (owner < 0)
		return (int)owner;
	if (q->check_bounds)
		rc = check_bounds(r, owner, q);
	if (!rc)
		rc = q->ids_n ? query_ids(r, owner, q, out) : query_range(r, owner, q, out);
	if (!rc && q->want_count)
		rc = count(r, owner, q, &out->page);
	return rc;
}

int sqlite_query(struct store_reader *r, const struct archive_query *q, struct store_page *out)
{
	int rc = begin(r);

	return rc ? rc : finish(r, query(r, q, out));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: reading items. A reader's thread; each call is one read transaction. */
#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "store/sqlite.h"

static const struct str empty = { "", 0 };

static int begin(struct store_reader *r)
{
	return sql_run_id(&r->sql, SQL_BEGIN_READ);
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
		return sql_failed(&r->sql);
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

	return rc ? rc : sql_end_read(&r->sql, get(r, (struct store_item){ owner, kind, key, STR_NONE }, out));
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
		return sql_failed(&r->sql);
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

	return rc ? rc : sql_end_read(&r->sql, list(r, range, out));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: who has an archive. A reader's thread. The cursor is the owner's number in table name. */
#include <stdio.h>

#include "store/sqlite.h"

/* The owner beyond `after` that the index tables know first. 0 in *out: none. */
static int next_indexed(struct store_reader *r, int64_t after, int64_t *out, uint64_t *out_id)
{
	sqlite3_stmt *st = sql_get(&r->sql, SQL_NEXT_OWNER);
	int rc;

	if (!st)
		return sql_failed(&r->sql);
	sqlite3_bind_int64(st, 1, after);
	rc = sqlite3_step(st);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	if (*out)
		*out_id = (uint64_t)sqlite3_column_int64(st, 1);
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int add(struct store_reader *r, int64_t owner, uint64_t oldest, struct store_items *out)
{
	sqlite3_stmt *st = sql_get(&r->sql, SQL_NAME_TEXT);
	char cursor[24], id[24];
	int rc;

	if (!st)
		return sql_failed(&r->sql);
	snprintf(cursor, sizeof(cursor), "%lld", (long long)owner);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)oldest);
	sqlite3_bind_int64(st, 1, owner);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		store_items_add(out, &(struct store_item){ .owner = sql_column(st, 0), .key = str_of(cursor), .value = str_of(id) });
	rc = sql_errno(r->sql.db, rc);
	sqlite3_reset(st);
	return rc;
}

static int collect(struct store_reader *r, int64_t after, uint32_t limit, struct store_items *out)
{
	int rc = 0;

	for (uint32_t i = 0; i < limit && !rc; i++) {
		uint64_t id = 0, recent_id = 0;
		int64_t owner = 0, recent = recent_next_owner(r->recent, after, &recent_id);

		rc = next_indexed(r, after, &owner, &id);
		if (rc || (!owner && !recent))
			return rc;
		if (!owner || (recent && recent < owner) || (recent == owner && recent_id < id)) {
			owner = recent;
			id = recent_id;
		}
		rc = add(r, owner, id, out); /* a name younger than this transaction is left out */
		after = owner;
	}
	return rc;
}

int sqlite_owners(struct store_reader *r, struct str cursor, uint32_t limit, struct store_items *out)
{
	uint64_t after = 0;
	int rc;

	if (cursor.n && str_u64(cursor, INT64_MAX, &after))
		return 0;
	rc = sql_run_id(&r->sql, SQL_BEGIN_READ);
	return rc ? rc : sql_end_read(&r->sql, collect(r, (int64_t)after, limit, out));
}

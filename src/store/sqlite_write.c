/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: applying batches. The writer's thread. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "store/sqlite.h"

static const struct str empty = { "", 0 };

/* ---- interned names ---- */

struct name {
	int64_t id;
	size_t n;
	char p[];
};

void sqlite_forget_names(struct store_db *db)
{
	uint32_t pos = 0;
	struct str key;
	void *name;

	while (map_next(&db->names, &pos, &key, &name))
		free(name);
	map_fini(&db->names);
	db->names = (struct map){ 0 };
}

static void remember(struct store_db *db, struct str text, int64_t id)
{
	struct name *name;

	if (db->names.n >= NAMES_CACHED_MAX)
		sqlite_forget_names(db); /* rare, and cheaper than keeping an order of use */
	name = mem_alloc(sizeof(*name) + text.n + 1);
	name->id = id;
	name->n = text.n;
	memcpy(name->p, text.p, text.n);
	map_put(&db->names, (struct str){ name->p, name->n }, name);
}

int64_t sqlite_name(struct store_db *db, struct str text, bool add)
{
	struct name *name;
	sqlite3_stmt *st;
	int64_t id;
	int rc;

	if (!text.p)
		text = empty;
	name = map_get(&db->names, text);
	if (name)
		return name->id;
	id = sql_name(&db->sql, text);
	if (id < 0 || (id == 0 && !add))
		return id;
	if (id == 0) {
		st = sql_get(&db->sql, SQL_NAME_ADD);
		if (!st)
			return sql_failed(&db->sql);
		sql_bind(st, 1, text);
		rc = sql_run(&db->sql, st);
		if (rc)
			return rc;
		id = sqlite3_last_insert_rowid(db->sql.db);
		db->names_added = true;
	}
	remember(db, text, id);
	return id;
}

/* ---- operations ---- */

/* A kept statement with owner and kind bound; NULL with 0 in out_rc: a name is unknown, nothing can match. */
static sqlite3_stmt *item_statement(struct store_db *db, enum sql_id id, const struct store_op *op, bool add, int *out_rc)
{
	int64_t owner = sqlite_name(db, op->owner, add), kind = 0;
	sqlite3_stmt *st;

	if (owner > 0)
		kind = sqlite_name(db, op->item_kind, add);
	if (owner <= 0 || kind <= 0) {
		*out_rc = (int)(owner < 0 ? owner : kind);
		return NULL;
	}
	st = sql_get(&db->sql, id);
	if (!st) {
		*out_rc = sql_failed(&db->sql);
		return NULL;
	}
	sqlite3_bind_int64(st, 1, owner);
	sqlite3_bind_int64(st, 2, kind);
	sql_bind(st, 3, op->key.p ? op->key : empty);
	return st;
}

static int put(struct store_db *db, const struct store_op *op)
{
	int rc = 0;
	sqlite3_stmt *st = item_statement(db, op->kind == OP_PUT ? SQL_ITEM_PUT : SQL_ITEM_INSERT, op, true, &rc);

	if (!st)
		return rc;
	sql_bind(st, 4, op->value.p ? op->value : empty);
	return sql_run(&db->sql, st);
}

static int expect(struct store_db *db, const struct store_op *op)
{
	int rc = 0;
	sqlite3_stmt *st = item_statement(db, SQL_ITEM_VALUE, op, false, &rc);
	bool as_expected;

	if (!st)
		return rc ? rc : op->absent ? 0 : -EAGAIN;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		as_expected = !op->absent && str_eq(sql_column(st, 0), op->value);
	else
		as_expected = op->absent;
	rc = sql_errno(db->sql.db, rc);
	sqlite3_reset(st);
	return rc ? rc : as_expected ? 0 : -EAGAIN;
}

static int del(struct store_db *db, const struct store_op *op)
{
	int rc = 0;
	sqlite3_stmt *st = item_statement(db, SQL_ITEM_DEL, op, false, &rc);

	return st ? sql_run(&db->sql, st) : rc;
}

static int del_owner(struct store_db *db, const struct store_op *op)
{
	int64_t owner = sqlite_name(db, op->owner, false);
	sqlite3_stmt *st;

	if (owner <= 0)
		return (int)owner;
	st = sql_get(&db->sql, SQL_ITEM_DEL_OWNER);
	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, owner);
	sql_bind(st, 2, op->key.p ? op->key : empty);
	return sql_run(&db->sql, st);
}

static int del_all(struct store_db *db, const struct store_op *op)
{
	sqlite3_stmt *st;
	int rc = 0;

	if (str_empty(op->item_kind))
		return del_owner(db, op);
	st = item_statement(db, str_empty(op->key) ? SQL_ITEM_DEL_KIND : SQL_ITEM_DEL_PREFIX, op, false, &rc);
	return st ? sql_run(&db->sql, st) : rc;
}

typedef int op_fn(struct store_db *db, const struct store_op *op);

static op_fn *const ops[] = {
	[OP_PUT] = put, [OP_INSERT] = put, [OP_EXPECT] = expect, [OP_DEL] = del, [OP_DEL_ALL] = del_all,
	[OP_ARCHIVE] = sqlite_archive_add, [OP_TRIM] = sqlite_archive_trim,
	[OP_REPLACE] = sqlite_archive_replace, [OP_REMOVE] = sqlite_archive_remove,
};

static int apply_all(struct store_db *db, const struct store_batch *b)
{
	struct store_op op;
	size_t pos = 0;
	int rc = 0;

	while (!rc && store_batch_next(b, &pos, &op))
		rc = ops[op.kind](db, &op);
	return rc;
}

int sqlite_apply(struct store_db *db, const struct store_batch *b)
{
	size_t added_n = db->added.n, removed_n = db->removed.n;
	int64_t merged = db->merged;
	int rc, undo;

	if (!b->can_fail) {
		rc = apply_all(db, b);
		/* no insert, no expect: a constraint can only be a flaw of the file */
		return rc == -EEXIST ? -EUCLEAN : rc;
	}
	rc = sql_run_id(&db->sql, SQL_SAVEPOINT);
	if (rc)
		return rc;
	rc = apply_all(db, b);
	if (rc == -EEXIST || rc == -EAGAIN) {
		undo = sql_run_id(&db->sql, SQL_UNDO);
		db->added.n = added_n;
		db->removed.n = removed_n;
		db->merged = merged;
		if (db->names_added)
			sqlite_forget_names(db);
		if (undo)
			return undo;
	} else if (rc) {
		return rc;
	}
	undo = sql_run_id(&db->sql, SQL_RELEASE);
	return undo ? undo : rc;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inside the SQLite back end: connections, kept statements, interned names. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>

#include "base/map.h"
#include "store/backend.h"

enum {
	NAMES_CACHED_MAX = 16384, /* interned names kept in the writer's memory */
	SQLITE_CACHE_KIB = 2048,  /* page cache of a connection */
};

/* Statements, prepared at first use and kept. */
enum sql_id {
	SQL_BEGIN_WRITE, SQL_BEGIN_READ, SQL_COMMIT, SQL_ROLLBACK, SQL_SAVEPOINT, SQL_RELEASE, SQL_UNDO,
	SQL_NAME_FIND, SQL_NAME_ADD,
	SQL_ITEM_PUT, SQL_ITEM_INSERT, SQL_ITEM_VALUE, SQL_ITEM_DEL, SQL_ITEM_DEL_OWNER, SQL_ITEM_DEL_KIND,
	SQL_ITEM_DEL_PREFIX, SQL_ITEM_LIST, SQL_ITEM_LIST_ALL,
	SQL_ARCHIVE_ADD, SQL_ARCHIVE_TRIM,
	SQL_ARCHIVE_FIRST, SQL_ARCHIVE_LAST, SQL_ARCHIVE_ONE,
	SQL_ARCHIVE_UP, SQL_ARCHIVE_DOWN, SQL_ARCHIVE_WITH_UP, SQL_ARCHIVE_WITH_DOWN,
	SQL_ARCHIVE_FULL_UP, SQL_ARCHIVE_FULL_DOWN,
	SQL_ARCHIVE_COUNT, SQL_ARCHIVE_COUNT_WITH, SQL_ARCHIVE_COUNT_FULL,
	SQL_N
};

struct sql {
	sqlite3 *db;
	sqlite3_stmt *kept[SQL_N];
};

/* ---- sqlite.c ---- */

/* Opens a connection with the pragmas that all share. Returns 0; -errno. */
int sql_open(struct sql *q, const char *path, bool writer);
void sql_close(struct sql *q);
/* The kept statement, reset; NULL when it cannot be prepared (sql_errno says why). */
sqlite3_stmt *sql_get(struct sql *q, enum sql_id id);
/* Runs a statement that yields no rows. Returns 0; -EEXIST for a constraint; -errno. */
int sql_run(struct sql *q, sqlite3_stmt *st);
int sql_run_id(struct sql *q, enum sql_id id);
int sql_exec(sqlite3 *db, const char *text);
/* The -errno of an SQLite result code. */
int sql_errno(sqlite3 *db, int rc);
void sql_bind(sqlite3_stmt *st, int at, struct str s); /* a blob, never NULL unless p is NULL; borrowed until reset */
struct str sql_column(sqlite3_stmt *st, int at);       /* p NULL for NULL; valid until the next step */
/* The number of an interned name, 0 when it is unknown; negative -errno. */
int64_t sql_name(struct sql *q, struct str name);

/* The writer: its connection and the cache of names. */
struct store_db {
	struct sql sql;
	char path[4096];
	struct map names;
	bool names_added; /* in this transaction: a rollback forgets the cache */
	int wal_pages;	  /* after the last commit */
	struct checkpointer *checkpointer;
};

struct store_reader {
	struct sql sql;
};

/* ---- sqlite_write.c ---- */
int sqlite_apply(struct store_db *db, const struct store_batch *b);
void sqlite_forget_names(struct store_db *db);

/* ---- sqlite_read.c ---- */
int sqlite_get(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out);
int sqlite_list(struct store_reader *r, const struct store_range *range, struct store_items *out);
int sqlite_query(struct store_reader *r, const struct archive_query *q, struct store_page *out);

/* ---- schema.c ---- */

/* Brings the schema to the version of this program. Returns 0; -errno with a sentence in err. */
int schema_migrate(sqlite3 *db, char *err, size_t err_n);
int schema_version(void); /* the newest that this program knows */

/* ---- backup.c ---- */
int sqlite_backup(struct store_reader *r, const char *dir);

#endif

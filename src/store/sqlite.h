/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inside the SQLite back end: connections, kept statements, interned names. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sqlite3.h>

#include "base/map.h"
#include "store/backend.h"
#include "store/recent.h"

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
	SQL_ARCHIVE_MERGED, SQL_ARCHIVE_SET_MERGED, SQL_LOG_ADD, SQL_LOG_TAIL, SQL_LOG_ROW,
	SQL_INDEX_OWNER, SQL_INDEX_PEER, SQL_INDEX_FIND, SQL_LOG_HEAD, SQL_LOG_SET, SQL_LOG_DEL, SQL_DEL_OWNER, SQL_DEL_PEER, SQL_TRIM_LOG, SQL_TRIM_PEER, SQL_TRIM_PEERS, SQL_TRIM_OWNER,
	SQL_WALK_UP, SQL_WALK_DOWN, SQL_WALK_PEER_UP, SQL_WALK_PEER_DOWN, SQL_WALK_PEERS_UP, SQL_WALK_PEERS_DOWN,
	SQL_COUNT, SQL_COUNT_PEER, SQL_FIRST, SQL_LAST, SQL_NEXT_OWNER, SQL_NAME_TEXT,
	SQL_TEXT_PARTS, SQL_TEXT_PART_OF, SQL_TEXT_INDEXED, SQL_TEXT_NEW_PART, SQL_TEXT_PART_ADD, SQL_TEXT_PART_LEVEL,
	SQL_TEXT_PART_DEL, SQL_TEXT_DEAD, SQL_TEXT_BLOCK, SQL_TEXT_BLOCKS, SQL_TEXT_GET, SQL_TEXT_PUT, SQL_TEXT_DEL, SQL_TEXT_ALL,
	SQL_TEXT_DROP, SQL_TEXT_DROP_OWNER, SQL_TEXT_ROWS,
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
int sql_failed(struct sql *q); /* the -errno of the connection's last call */
/* The first column of the first row, *out untouched without one. Takes the NULL of sql_get. Returns 0; -errno. */
int sql_number(struct sql *q, sqlite3_stmt *st, int64_t *out);
/* Ends a read transaction. Returns rc, or what failed if rc is 0. */
int sql_end_read(struct sql *q, int rc);
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
	struct recent recent;
	int64_t next_seq;    /* of the next archive row */
	struct buf added;    /* struct recent_row[]: archive rows of this transaction */
	struct buf removed;  /* struct recent_row[]: archive rows that this transaction removes one by one */
	int64_t merged;	     /* rows up to this seq are in the index tables, as this transaction sees it */
	struct merge {
		struct buf rows[2]; /* struct recent_row[], sorted for each index table; empty: none runs */
		size_t at, begun_at; /* rows done of both, now and when the transaction began */
	} merge;
	int wal_pages;	  /* after the last commit */
	struct checkpointer *checkpointer;
	pthread_mutex_t turn; /* held through each transaction that writes, the index's too */
	struct text_index *text; /* NULL: none */
};

struct store_reader {
	struct sql sql;
	struct recent *recent; /* of the writer */
	bool has_text; /* there is a full-text index */
};

/* ---- sqlite_write.c ---- */
int sqlite_apply(struct store_db *db, const struct store_batch *b);
void sqlite_forget_names(struct store_db *db);
/* The number of a name; 0 if it is unknown and not to be added; negative -errno. */
int64_t sqlite_name(struct store_db *db, struct str text, bool add);

/* ---- sqlite_archive.c ---- */
uint32_t archive_peer_hash(struct str jid);
/* Learns the end of the log. Returns 0; -errno. */
int archive_open(struct store_db *db);
int sqlite_archive_add(struct store_db *db, const struct store_op *op);
int sqlite_archive_trim(struct store_db *db, const struct store_op *op);
int sqlite_archive_replace(struct store_db *db, const struct store_op *op);
int sqlite_archive_remove(struct store_db *db, const struct store_op *op);
/* Before a commit: a part of the work to bring recent rows into the index tables. Returns 0; -errno. */
int archive_before_commit(struct store_db *db);
void archive_after_commit(struct store_db *db);
void archive_after_rollback(struct store_db *db);
void archive_close(struct store_db *db);

/* ---- sqlite_read.c ---- */
int sqlite_get(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out);
int sqlite_list(struct store_reader *r, const struct store_range *range, struct store_items *out);

/* ---- sqlite_query.c ---- */
int sqlite_query(struct store_reader *r, const struct archive_query *q, struct archive_filter *f, struct store_page *out);

/* ---- sqlite_owners.c ---- */
int sqlite_owners(struct store_reader *r, struct str cursor, uint32_t limit, struct store_items *out);

/* ---- schema.c ---- */

/* Brings the schema to the version of this program. Returns 0; -errno with a sentence in err. */
int schema_migrate(sqlite3 *db, char *err, size_t err_n);
int schema_version(void); /* the newest that this program knows */

/* ---- backup.c ---- */
int sqlite_backup(struct store_reader *r, const char *dir);

#endif

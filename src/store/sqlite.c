/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The SQLite back end: connections, transactions, kept statements. WAL with synchronous=FULL: a COMMIT that returned is
 * on disk. The writer's connection belongs to the writer thread, each reader has its own. */
#include "store/sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "store/checkpoint.h"
#include "store/lock.h"
#include "store/text_index.h"

static const char *const texts[SQL_N] = {
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT batch",
	[SQL_RELEASE] = "RELEASE batch",
	[SQL_UNDO] = "ROLLBACK TO batch",
	[SQL_NAME_FIND] = "SELECT id FROM name WHERE name=?1",
	[SQL_NAME_ADD] = "INSERT INTO name(name) VALUES(?1)",
	[SQL_ITEM_PUT] = "INSERT OR REPLACE INTO item(owner,kind,key,value) VALUES(?1,?2,?3,?4)",
	[SQL_ITEM_INSERT] = "INSERT INTO item(owner,kind,key,value) VALUES(?1,?2,?3,?4)",
	[SQL_ITEM_VALUE] = "SELECT value FROM item WHERE owner=?1 AND kind=?2 AND key=?3",
	[SQL_ITEM_DEL] = "DELETE FROM item WHERE owner=?1 AND kind=?2 AND key=?3",
	[SQL_ITEM_DEL_OWNER] = "DELETE FROM item WHERE owner=?1 AND (length(?2)=0 OR substr(key,1,length(?2))=?2)",
	[SQL_ITEM_DEL_KIND] = "DELETE FROM item WHERE owner=?1 AND kind=?2",
	[SQL_ITEM_DEL_PREFIX] = "DELETE FROM item WHERE owner=?1 AND kind=?2 AND key>=?3 AND substr(key,1,length(?3))=?3",
	[SQL_ITEM_LIST] = "SELECT key,value FROM item WHERE owner=?1 AND kind=?2 AND key>=?3 ORDER BY key",
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement on two lines. */
	[SQL_ITEM_LIST_ALL] = "SELECT i.key,i.value,n.name FROM item i JOIN name n ON n.id=i.kind "
			      "WHERE i.owner=?1 AND i.key>=?2 ORDER BY n.name,i.key",
	[SQL_ARCHIVE_MERGED] = "SELECT merged FROM archive_state",
	[SQL_ARCHIVE_SET_MERGED] = "UPDATE archive_state SET merged=?1",
	[SQL_LOG_ADD] = "INSERT INTO archive_log(seq,owner,id,peer,outgoing,with_jid,with_full,origin,stanza)"
			" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
	[SQL_LOG_TAIL] = "SELECT seq,owner,id,peer FROM archive_log WHERE seq>?1 ORDER BY seq",
	[SQL_LOG_ROW] = "SELECT id,outgoing,with_jid,with_full,origin,stanza FROM archive_log WHERE seq=?1 AND owner=?2",
	[SQL_INDEX_OWNER] = "INSERT OR REPLACE INTO archive_owner(owner,id,seq) VALUES(?1,?2,?3)",
	[SQL_INDEX_PEER] = "INSERT OR REPLACE INTO archive_peer(owner,peer,id,seq) VALUES(?1,?4,?2,?3)",
	[SQL_INDEX_FIND] = "SELECT seq FROM archive_owner WHERE owner=?1 AND id=?2",
	[SQL_LOG_HEAD] = "SELECT peer,with_jid,stanza FROM archive_log WHERE seq=?1",
	[SQL_LOG_SET] = "UPDATE archive_log SET stanza=?2 WHERE seq=?1",
	[SQL_LOG_DEL] = "DELETE FROM archive_log WHERE seq=?1",
	[SQL_DEL_OWNER] = "DELETE FROM archive_owner WHERE owner=?1 AND id=?2",
	[SQL_DEL_PEER] = "DELETE FROM archive_peer WHERE owner=?1 AND peer=?3 AND id=?2",
	[SQL_TRIM_LOG] = "DELETE FROM archive_log WHERE seq IN (SELECT seq FROM archive_owner WHERE owner=?1 AND id<?2)",
	[SQL_TRIM_PEER] = "DELETE FROM archive_peer WHERE (owner,peer,id) IN (SELECT l.owner,l.peer,l.id FROM archive_owner o"
			  " JOIN archive_log l ON l.seq=o.seq WHERE o.owner=?1 AND o.id<?2)",
	[SQL_TRIM_PEERS] = "DELETE FROM archive_peer WHERE owner=?1",
	[SQL_TRIM_OWNER] = "DELETE FROM archive_owner WHERE owner=?1 AND id<?2",
#define OWNER " FROM archive_owner WHERE owner=?1 AND id BETWEEN ?2 AND ?3 AND seq<=?6"
#define PEER(n) " FROM archive_peer WHERE owner=?1 AND peer=?" #n " AND id BETWEEN ?2 AND ?3 AND seq<=?6"
	[SQL_WALK_UP] = "SELECT id,seq" OWNER " ORDER BY id",
	[SQL_WALK_DOWN] = "SELECT id,seq" OWNER " ORDER BY id DESC",
	[SQL_WALK_PEER_UP] = "SELECT id,seq" PEER(4) " ORDER BY id",
	[SQL_WALK_PEER_DOWN] = "SELECT id,seq" PEER(4) " ORDER BY id DESC",
	/* a full JID: rows whose peer is the occupant of a room itself, and those of its bare JID */
	[SQL_WALK_PEERS_UP] = "SELECT id,seq" PEER(4) " UNION ALL SELECT id,seq" PEER(5) " ORDER BY 1",
	[SQL_WALK_PEERS_DOWN] = "SELECT id,seq" PEER(4) " UNION ALL SELECT id,seq" PEER(5) " ORDER BY 1 DESC",
	[SQL_COUNT] = "SELECT count(*)" OWNER,
	[SQL_COUNT_PEER] = "SELECT count(*)" PEER(4),
#undef OWNER
#undef PEER
	[SQL_FIRST] = "SELECT id FROM archive_owner WHERE owner=?1 ORDER BY id LIMIT 1",
	[SQL_LAST] = "SELECT id FROM archive_owner WHERE owner=?1 ORDER BY id DESC LIMIT 1",
	[SQL_TEXT_PARTS] = "SELECT part,first,last,level FROM text_part WHERE level>=0 ORDER BY last",
	[SQL_TEXT_PART_OF] = "SELECT part,first FROM text_part WHERE level>=0 AND first<?1 AND last>=?1",
	[SQL_TEXT_INDEXED] = "SELECT coalesce(max(last),0) FROM text_part WHERE level>=0",
	[SQL_TEXT_NEW_PART] = "SELECT coalesce(max(part),0)+1 FROM text_part",
	[SQL_TEXT_PART_ADD] = "INSERT INTO text_part(part,level,first,last) VALUES(?1,?2,?3,?4)",
	[SQL_TEXT_PART_LEVEL] = "UPDATE text_part SET level=?2 WHERE part=?1",
	[SQL_TEXT_PART_DEL] = "DELETE FROM text_part WHERE part=?1",
	[SQL_TEXT_DEAD] = "SELECT part FROM text_part WHERE level<0 LIMIT 1",
	[SQL_TEXT_BLOCK] = "SELECT term,data FROM text_block WHERE part=?1 AND owner=?2 AND term<=?3 ORDER BY term DESC LIMIT 1",
	[SQL_TEXT_BLOCKS] = "SELECT term,data FROM text_block WHERE part=?1 AND owner=?2 AND term>?3 AND term<=?4 ORDER BY term",
	[SQL_TEXT_GET] = "SELECT data FROM text_block WHERE part=?1 AND owner=?2 AND term=?3",
	[SQL_TEXT_PUT] = "INSERT OR REPLACE INTO text_block(part,owner,term,data) VALUES(?1,?2,?3,?4)",
	[SQL_TEXT_DEL] = "DELETE FROM text_block WHERE part=?1 AND owner=?2 AND term=?3",
	[SQL_TEXT_ALL] = "SELECT owner,term,data FROM text_block WHERE part=?1 ORDER BY owner,term",
	[SQL_TEXT_DROP] = "DELETE FROM text_block WHERE part=?1 AND (owner,term) IN"
			  " (SELECT owner,term FROM text_block WHERE part=?1 LIMIT 200)",
	[SQL_TEXT_DROP_OWNER] = "DELETE FROM text_block WHERE part=?1 AND owner=?2",
	[SQL_TEXT_ROWS] = "SELECT seq,owner,id,with_jid,stanza FROM archive_log WHERE seq>?1 AND seq<=?2 ORDER BY seq",
	[SQL_NEXT_OWNER] = "SELECT owner,id FROM archive_owner WHERE owner>?1 ORDER BY owner,id LIMIT 1",
	[SQL_NAME_TEXT] = "SELECT name FROM name WHERE id=?1",
};

/* Result codes that mean something to the store; all others are -EIO. */
static const struct { int code, error; } codes[] = {
	{ SQLITE_OK, 0 },	       { SQLITE_DONE, 0 },	     { SQLITE_ROW, 0 },
	{ SQLITE_FULL, ENOSPC },       { SQLITE_CONSTRAINT, EEXIST }, { SQLITE_READONLY, EROFS },
	{ SQLITE_PERM, EACCES },       { SQLITE_CANTOPEN, EACCES },  { SQLITE_BUSY, EBUSY },
	{ SQLITE_LOCKED, EBUSY },      { SQLITE_NOMEM, ENOMEM },     { SQLITE_CORRUPT, EUCLEAN },
	{ SQLITE_NOTADB, EUCLEAN },    { SQLITE_INTERRUPT, EINTR },
};

int sql_errno(sqlite3 *db, int rc)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	if ((rc & 0xff) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT))
		return -ENOSPC;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == (rc & 0xff))
			return -codes[i].error;
	return -EIO;
}

int sql_exec(sqlite3 *db, const char *text)
{
	return sql_errno(db, sqlite3_exec(db, text, NULL, NULL, NULL));
}

int sql_failed(struct sql *q)
{
	int rc = sql_errno(q->db, sqlite3_errcode(q->db));

	return rc ? rc : -EIO;
}

sqlite3_stmt *sql_get(struct sql *q, enum sql_id id)
{
	sqlite3_stmt **st = &q->kept[id];

	if (*st)
		sqlite3_reset(*st);
	else
		sqlite3_prepare_v3(q->db, texts[id], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
	return *st;
}

int sql_run(struct sql *q, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	rc = sql_errno(q->db, rc);
	sqlite3_reset(st);
	return rc;
}

int sql_run_id(struct sql *q, enum sql_id id)
{
	sqlite3_stmt *st = sql_get(q, id);

	return st ? sql_run(q, st) : sql_failed(q);
}

void sql_bind(sqlite3_stmt *st, int at, struct str s)
{
	if (s.p)
		sqlite3_bind_blob(st, at, s.p, (int)s.n, SQLITE_STATIC);
	else
		sqlite3_bind_null(st, at);
}

struct str sql_column(sqlite3_stmt *st, int at)
{
	const char *p = sqlite3_column_blob(st, at);

	if (!p)
		return sqlite3_column_type(st, at) == SQLITE_NULL ? STR_NONE : (struct str){ "", 0 };
	return (struct str){ p, (size_t)sqlite3_column_bytes(st, at) };
}

int64_t sql_name(struct sql *q, struct str name)
{
	sqlite3_stmt *st = sql_get(q, SQL_NAME_FIND);
	int64_t id = 0;
	int rc;

	if (!st)
		return sql_failed(q);
	sql_bind(st, 1, name.p ? name : (struct str){ "", 0 });
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		id = sqlite3_column_int64(st, 0);
	else
		id = sql_errno(q->db, rc);
	sqlite3_reset(st);
	return id;
}

int sql_number(struct sql *q, sqlite3_stmt *st, int64_t *out)
{
	int rc;

	if (!st)
		return sql_failed(q);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	rc = sql_errno(q->db, rc);
	sqlite3_reset(st);
	return rc;
}

int sql_end_read(struct sql *q, int rc)
{
	int end = sqlite3_get_autocommit(q->db) ? 0 : sql_run_id(q, SQL_COMMIT);

	if (end && !sqlite3_get_autocommit(q->db))
		sql_run_id(q, SQL_ROLLBACK);
	return rc ? rc : end;
}

/* ---- connections ---- */

static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a global lock in each allocation, for a figure nobody reads */
}

static int pragmas(sqlite3 *db, bool writer)
{
	char cache[48];
	int rc;

	snprintf(cache, sizeof(cache), "PRAGMA cache_size=-%d", SQLITE_CACHE_KIB);
	rc = sql_exec(db, cache);
	if (!rc)
		rc = sql_exec(db, "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=0");
	if (!rc && writer)
		rc = sql_exec(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				  "PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864;"
				  "PRAGMA secure_delete=FAST");
	if (!rc && !writer)
		rc = sql_exec(db, "PRAGMA query_only=1");
	return rc;
}

int sql_open(struct sql *q, const char *path, bool writer)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0), rc;

	pthread_once(&once, configure);
	rc = sqlite3_open_v2(path, &q->db, flags, NULL);
	if (rc != SQLITE_OK)
		return sql_errno(q->db, rc);
	sqlite3_extended_result_codes(q->db, 1);
	sqlite3_busy_timeout(q->db, 5000);
	return pragmas(q->db, writer);
}

void sql_close(struct sql *q)
{
	for (int i = 0; i < SQL_N; i++)
		sqlite3_finalize(q->kept[i]);
	sqlite3_close(q->db);
	*q = (struct sql){ 0 };
}

static int explain(struct store_db *db, int rc, char *err, size_t err_n)
{
	const char *why = db->sql.db ? sqlite3_errmsg(db->sql.db) : strerror(-rc);

	if (rc == -EUCLEAN)
		snprintf(err, err_n, "The database %s is damaged (%s). Restore a backup.", db->path, why);
	else if (rc == -ENOSPC)
		snprintf(err, err_n, "The disk is full: cannot open the database %s.", db->path);
	else
		snprintf(err, err_n, "Cannot open the database %s: %s.", db->path, why);
	return rc;
}

static int on_wal(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
	struct store_db *db = arg;

	(void)sqlite;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static void db_close(struct store_db *db)
{
	text_index_free(db->text);
	checkpointer_free(db->checkpointer);
	pthread_mutex_destroy(&db->turn);
	sqlite_forget_names(db);
	archive_close(db);
	sql_close(&db->sql);
	free(db);
}

static int db_open(const char *dir, archive_text_fn *text_of, struct store_db **out, char *err, size_t err_n)
{
	struct store_db *db = mem_zalloc(sizeof(*db));
	int rc = store_path(dir, "anser.db", db->path, sizeof(db->path));

	pthread_mutex_init(&db->turn, NULL);
	recent_init(&db->recent, 0);
	if (!rc)
		rc = store_touch(db->path);
	if (!rc)
		rc = sql_open(&db->sql, db->path, true);
	err[0] = '\0';
	if (!rc)
		rc = schema_migrate(db->sql.db, err, err_n);
	if (!rc)
		rc = store_sync_dir(dir);
	if (!rc)
		rc = archive_open(db);
	if (!rc) {
		sqlite3_wal_hook(db->sql.db, on_wal, db);
		rc = checkpointer_new(db->path, &db->checkpointer);
	}
	if (!rc)
		rc = text_index_new(db, text_of, &db->text);
	if (rc) {
		if (!err[0] || rc == -EUCLEAN || rc == -ENOSPC)
			explain(db, rc, err, err_n);
		db_close(db);
		return rc;
	}
	*out = db;
	return 0;
}

static int reader_open(struct store_db *db, struct store_reader **out)
{
	struct store_reader *r = mem_zalloc(sizeof(*r));
	int rc = sql_open(&r->sql, db->path, false);

	if (rc) {
		sql_close(&r->sql);
		free(r);
		return rc;
	}
	r->recent = &db->recent;
	r->has_text = db->text != NULL;
	*out = r;
	return 0;
}

static void reader_close(struct store_reader *r)
{
	if (!r)
		return;
	sql_close(&r->sql);
	free(r);
}

/* ---- transactions ---- */

static int begin(struct store_db *db)
{
	pthread_mutex_lock(&db->turn); /* until the commit or the rollback that must follow */
	db->names_added = false;
	db->added.n = db->removed.n = 0;
	return sql_run_id(&db->sql, SQL_BEGIN_WRITE);
}

static int commit(struct store_db *db)
{
	int rc = archive_before_commit(db);

	if (!rc)
		rc = sql_run_id(&db->sql, SQL_COMMIT);
	if (rc)
		return rc;
	archive_after_commit(db);
	pthread_mutex_unlock(&db->turn);
	text_index_wake(db->text, db->next_seq - 1);
	return 0;
}

static void rollback(struct store_db *db)
{
	/* SQLite rolls back by itself after some errors */
	if (!sqlite3_get_autocommit(db->sql.db))
		sql_run_id(&db->sql, SQL_ROLLBACK);
	if (db->names_added)
		sqlite_forget_names(db);
	archive_after_rollback(db);
	pthread_mutex_unlock(&db->turn);
}

static void tidy(struct store_db *db)
{
	checkpointer_tidy(db->checkpointer, db->sql.db, db->wal_pages);
}

const struct store_backend store_sqlite = {
	.name = "sqlite", .on_disk = true,
	.open = db_open, .close = db_close,
	.begin = begin, .apply = sqlite_apply, .commit = commit, .rollback = rollback, .tidy = tidy,
	.reader_open = reader_open, .reader_close = reader_close,
	.get = sqlite_get, .list = sqlite_list, .query = sqlite_query, .owners = sqlite_owners, .backup = sqlite_backup,
};

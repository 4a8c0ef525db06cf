/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The SQLite schema as a list of migrations; PRAGMA user_version counts those that have run. Forward only. */
#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "store/sqlite.h"

/* name: owners and kinds as small numbers.
 * archive_log: all archive rows in the order of their commits; archive_owner and archive_peer find them, but for those with
 * seq > archive_state.merged (store/recent.h). peer is a 32-bit hash of with_jid, which is compared again when read. */
static const char v1[] =
	"CREATE TABLE name(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);"
	"CREATE TABLE item(owner INTEGER NOT NULL, kind INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY(owner, kind, key)) WITHOUT ROWID;"
	"CREATE TABLE archive_log(seq INTEGER PRIMARY KEY, owner INTEGER NOT NULL, id INTEGER NOT NULL,"
	" peer INTEGER NOT NULL, outgoing INTEGER NOT NULL, with_jid BLOB NOT NULL, with_full BLOB, origin BLOB,"
	" stanza BLOB NOT NULL);"
	"CREATE TABLE archive_owner(owner INTEGER NOT NULL, id INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" PRIMARY KEY(owner, id)) WITHOUT ROWID;"
	"CREATE TABLE archive_peer(owner INTEGER NOT NULL, peer INTEGER NOT NULL, id INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, PRIMARY KEY(owner, peer, id)) WITHOUT ROWID;"
	"CREATE TABLE archive_state(merged INTEGER NOT NULL);"
	"INSERT INTO archive_state(merged) VALUES(0);";

/* The full-text index (store/text_index.h); rows that are there already get into it while the server runs. */
static const char v2[] =
	"CREATE TABLE text_part(part INTEGER PRIMARY KEY, level INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);"
	"CREATE TABLE text_block(part INTEGER NOT NULL, owner INTEGER NOT NULL, term INTEGER NOT NULL, data BLOB NOT NULL,"
	" PRIMARY KEY(part, owner, term)) WITHOUT ROWID;";

static const char *const migrations[] = { v1, v2 };

int schema_version(void)
{
	return (int)ARRAY_LEN(migrations);
}

static int read_version(sqlite3 *db, int *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int(st, 0);
	rc = rc == SQLITE_ROW ? 0 : sql_errno(db, rc);
	sqlite3_finalize(st);
	return rc;
}

static int migrate_one(sqlite3 *db, int version)
{
	char pragma[48];
	int rc;

	snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", version + 1);
	rc = sql_exec(db, "BEGIN IMMEDIATE");
	if (!rc)
		rc = sql_exec(db, migrations[version]);
	if (!rc)
		rc = sql_exec(db, pragma);
	if (!rc)
		rc = sql_exec(db, "COMMIT");
	if (rc && !sqlite3_get_autocommit(db))
		sql_exec(db, "ROLLBACK");
	return rc;
}

int schema_migrate(sqlite3 *db, char *err, size_t err_n)
{
	int version = 0, rc = read_version(db, &version);

	if (rc) {
		snprintf(err, err_n, "Cannot read the database: %s.", sqlite3_errmsg(db));
		return rc;
	}
	if (version > schema_version()) {
		snprintf(err, err_n,
			 "The database is of version %d, newer than this program, which knows versions up to %d. "
			 "Run the newer program or restore a backup.", version, schema_version());
		return -EPROTO;
	}
	for (; version < schema_version(); version++) {
		rc = migrate_one(db, version);
		if (rc) {
			snprintf(err, err_n, "Cannot bring the database to version %d: %s.", version + 1,
				 sqlite3_errmsg(db));
			return rc;
		}
	}
	return 0;
}

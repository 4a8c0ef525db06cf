/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Backup and restore of the database. A backup is a directory with anser.db and a manifest, which is written last: a
 * directory without it is no backup. The checksum finds damage; it is no signature. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/lock.h"
#include "store/sqlite.h"

enum { CHUNK_BYTES = 1 << 16 };

static const char db_name[] = "anser.db", manifest_name[] = "manifest", partial_name[] = "manifest.part";
static const char manifest_format[] = "anser-backup 1\nschema %d\nanser.db %" PRIu64 " %016" PRIx64 "\n";

struct manifest {
	int schema;
	uint64_t size_bytes, sum;
};

/* ---- files ---- */

/* Reads the file, writes it to out_fd unless that is -1, and sums it. Returns 0; -errno. */
static int copy_and_sum(int in_fd, int out_fd, struct manifest *m)
{
	char *chunk = mem_alloc(CHUNK_BYTES);
	ssize_t n;
	int rc = 0;

	m->size_bytes = 0;
	m->sum = 0xcbf29ce484222325;
	while (!rc && (n = pread(in_fd, chunk, CHUNK_BYTES, (off_t)m->size_bytes)) != 0) {
		if (n < 0) {
			rc = -errno;
			break;
		}
		m->sum = (m->sum ^ str_hash_stable((struct str){ chunk, (size_t)n })) * 0x100000001b3;
		m->size_bytes += (uint64_t)n;
		for (ssize_t at = 0, w; !rc && out_fd >= 0 && at < n; at += w) {
			w = write(out_fd, chunk + at, (size_t)(n - at));
			if (w <= 0)
				rc = w ? -errno : -ENOSPC;
		}
	}
	free(chunk);
	return rc;
}

static int sum_file(const char *path, struct manifest *m)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = copy_and_sum(fd, -1, m);
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

static int write_manifest(const char *dir, const struct manifest *m)
{
	char part[PATH_MAX], path[PATH_MAX], text[160];
	int n = snprintf(text, sizeof(text), manifest_format, m->schema, m->size_bytes, m->sum), rc, fd;

	rc = store_path(dir, partial_name, part, sizeof(part));
	if (!rc)
		rc = store_path(dir, manifest_name, path, sizeof(path));
	if (rc)
		return rc;
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = ENOSPC; /* for a short write */
	if (write(fd, text, (size_t)n) != n || fsync(fd))
		rc = -errno;
	close(fd);
	if (!rc && rename(part, path))
		rc = -errno;
	return rc ? rc : store_sync_dir(dir);
}

/* 0: dir exists now and is empty. */
static int make_empty_dir(const char *dir)
{
	struct dirent *e;
	int rc = 0;
	DIR *d;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	d = opendir(dir);
	if (!d)
		return -errno;
	while (!rc && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = -ENOTEMPTY;
	closedir(d);
	return rc;
}

static void remove_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	if (!store_path(dir, name, path, sizeof(path)))
		unlink(path);
}

/* ---- backup ---- */

static int copy_database(sqlite3 *from, const char *path)
{
	sqlite3_backup *copy;
	sqlite3 *to = NULL;
	int rc = store_touch(path), sql;

	if (rc)
		return rc;
	sql = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (sql == SQLITE_OK) /* a copy that fails is thrown away, one that works is synced as a whole */
		sql = sqlite3_exec(to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL, NULL);
	copy = sql == SQLITE_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;
	if (copy) {
		sqlite3_backup_step(copy, -1); /* one read transaction: one moment of the database */
		sql = sqlite3_backup_finish(copy);
	} else if (sql == SQLITE_OK) {
		sql = sqlite3_errcode(to);
	}
	rc = sql_errno(to, sql);
	sqlite3_close(to);
	return rc;
}

int sqlite_backup(struct store_reader *r, const char *dir)
{
	struct manifest m = { .schema = schema_version() };
	char path[PATH_MAX];
	int rc = make_empty_dir(dir);

	if (!rc)
		rc = store_path(dir, db_name, path, sizeof(path));
	if (rc)
		return rc;
	rc = copy_database(r->sql.db, path);
	if (!rc)
		rc = sum_file(path, &m);
	if (!rc)
		rc = write_manifest(dir, &m);
	if (rc) {
		remove_file(dir, partial_name);
		remove_file(dir, db_name);
	}
	return rc;
}

/* ---- restore ---- */

static int read_manifest(const char *dir, struct manifest *m)
{
	char path[PATH_MAX], text[160] = "", again[160];
	int rc = store_path(dir, manifest_name, path, sizeof(path)), fd;
	ssize_t n;

	if (rc)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0 || sscanf(text, manifest_format, &m->schema, &m->size_bytes, &m->sum) != 3)
		return -EBADMSG;
	/* the whole text, not only what sscanf looked at */
	snprintf(again, sizeof(again), manifest_format, m->schema, m->size_bytes, m->sum);
	return strcmp(text, again) ? -EBADMSG : 0;
}

static int check_integrity(const char *path)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		rc = strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0 ? 0 : -EUCLEAN;
	else
		rc = sql_errno(db, rc);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rc;
}

/* Copies the backup's database to `path`, checks what arrived. */
static int fetch(const char *backup_dir, const char *path, const struct manifest *want)
{
	struct manifest got = { 0 };
	char from[PATH_MAX];
	int rc = store_path(backup_dir, db_name, from, sizeof(from)), in, out = -1;

	if (rc)
		return rc;
	in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return -errno;
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	rc = out < 0 ? -errno : copy_and_sum(in, out, &got);
	if (!rc && (got.size_bytes != want->size_bytes || got.sum != want->sum))
		rc = -EUCLEAN;
	if (!rc && fsync(out))
		rc = -errno;
	if (out >= 0)
		close(out);
	close(in);
	return rc ? rc : check_integrity(path);
}

static int refuse(char *err, size_t err_n, int rc, const char *backup_dir, const char *data_dir)
{
	if (rc == -EEXIST)
		snprintf(err, err_n, "The data directory %s already holds a database; restore into an empty one.", data_dir);
	else if (rc == -EUCLEAN)
		snprintf(err, err_n, "The backup in %s is damaged: its contents do not match its manifest.", backup_dir);
	else if (rc == -EBADMSG)
		snprintf(err, err_n, "The manifest of the backup in %s cannot be understood.", backup_dir);
	else if (rc == -EPROTO)
		snprintf(err, err_n, "The backup in %s is of a newer version than this program.", backup_dir);
	else if (rc == -ENOENT)
		snprintf(err, err_n, "There is no complete backup in %s.", backup_dir);
	else
		snprintf(err, err_n, "Cannot restore %s to %s: %s.", backup_dir, data_dir, strerror(-rc));
	return rc;
}

/* With the lock of data_dir held. */
static int put_in_place(const char *backup_dir, const char *data_dir, const struct manifest *m)
{
	char path[PATH_MAX], part[PATH_MAX];
	int rc = store_path(data_dir, db_name, path, sizeof(path));

	if (!rc)
		rc = store_path(data_dir, "anser.db.part", part, sizeof(part));
	if (!rc && access(path, F_OK) == 0)
		rc = -EEXIST;
	if (rc)
		return rc;
	rc = fetch(backup_dir, part, m);
	/* a log left alone would be taken for the new database's */
	remove_file(data_dir, "anser.db-wal");
	remove_file(data_dir, "anser.db-shm");
	remove_file(data_dir, "anser.db.part-wal");
	remove_file(data_dir, "anser.db.part-shm");
	if (!rc && rename(part, path))
		rc = -errno;
	if (rc)
		unlink(part);
	return rc ? rc : store_sync_dir(data_dir);
}

int store_restore(const char *backup_dir, const char *data_dir, char *err, size_t err_n)
{
	struct manifest m = { 0 };
	int rc = read_manifest(backup_dir, &m), lock = -1;

	if (!rc && m.schema > schema_version())
		rc = -EPROTO;
	if (rc)
		return refuse(err, err_n, rc, backup_dir, data_dir);
	rc = store_lock(data_dir, &lock, err, err_n);
	if (rc)
		return rc;
	rc = put_in_place(backup_dir, data_dir, &m);
	if (!rc) {
		store_unlock(lock);
		return 0;
	}
	store_lock_undo(data_dir, lock);
	return refuse(err, err_n, rc, backup_dir, data_dir);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Blocking use of the SQLite back end by commands. */
#include "store/sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/backend.h"
#include "store/lock.h"

struct store_sync {
	const struct store_backend *backend;
	struct store_db *db;
	struct store_reader *reader;
	int lock_fd;
};

int store_sync_open(const char *dir, struct store_sync **out, char *err, size_t err_n)
{
	struct store_sync *s = mem_zalloc(sizeof(*s));
	int rc;

	s->backend = &store_sqlite;
	s->lock_fd = -1;
	rc = store_lock(dir, &s->lock_fd, err, err_n);
	if (!rc)
		rc = s->backend->open(dir, NULL, &s->db, err, err_n);
	if (!rc) {
		rc = s->backend->reader_open(s->db, &s->reader);
		if (rc)
			snprintf(err, err_n, "Cannot read the database in %s: %s.", dir, strerror(-rc));
	}
	if (rc) {
		store_sync_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_sync_close(struct store_sync *s)
{
	if (!s)
		return;
	s->backend->reader_close(s->reader);
	if (s->db)
		s->backend->close(s->db);
	store_unlock(s->lock_fd);
	free(s);
}

int store_sync_commit(struct store_sync *s, struct store_batch *b)
{
	const struct store_backend *be = s->backend;
	int status = 0, rc = be->begin(s->db);

	if (!rc)
		status = rc = be->apply(s->db, b);
	if (rc == -EEXIST || rc == -EAGAIN)
		rc = 0;
	if (!rc)
		rc = be->commit(s->db);
	if (rc)
		be->rollback(s->db);
	store_batch_free(b);
	return rc ? rc : status;
}

int store_sync_get(struct store_sync *s, struct str owner, struct str kind, struct str key, struct store_items *out)
{
	int rc;

	*out = (struct store_items){ 0 };
	rc = s->backend->get(s->reader, owner, kind, key, out);
	if (rc)
		store_items_free(out);
	store_items_seal(out);
	return rc;
}

int store_sync_list(struct store_sync *s, const struct store_range *range, struct store_items *out)
{
	int rc;

	*out = (struct store_items){ 0 };
	rc = s->backend->list(s->reader, range, out);
	if (rc)
		store_items_free(out);
	store_items_seal(out);
	return rc;
}

int store_sync_query(struct store_sync *s, const struct archive_query *q, struct store_page *out)
{
	struct archive_filter f;
	int rc;

	*out = (struct store_page){ 0 };
	archive_filter_init(&f, q, NULL);
	rc = s->backend->query(s->reader, q, &f, out);
	archive_filter_fini(&f);
	if (rc)
		store_page_free(out);
	store_page_seal(out);
	return rc;
}

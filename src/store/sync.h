/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The database without a server, for commands: each call does its work in the caller's thread and returns when it is done. */
#ifndef STORE_SYNC_H
#define STORE_SYNC_H

#include "store/result.h"

struct store_sync;

/* Opens DIR/anser.db and takes the directory's lock. Returns 0; -EBUSY when a server or command holds it (err names the
 * process); -errno with a sentence in err. */
int store_sync_open(const char *dir, struct store_sync **out, char *err, size_t err_n);
void store_sync_close(struct store_sync *s); /* takes NULL */
/* Writes the batch, durable when it returns 0; takes the batch. Returns as store_done_fn's status. */
int store_sync_commit(struct store_sync *s, struct store_batch *b);
/* One item: out->n is 0 or 1, rows by store_items_at(); free with store_items_free(). Returns 0; -errno. */
int store_sync_get(struct store_sync *s, struct str owner, struct str kind, struct str key, struct store_items *out);
int store_sync_list(struct store_sync *s, const struct store_range *range, struct store_items *out);
/* A page of the archive: out->page; free with store_page_free(). Returns 0; -ENOENT; -errno. */
int store_sync_query(struct store_sync *s, const struct archive_query *q, struct store_page *out);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keeps the write-ahead log short without stalling commits: the bulk of a checkpoint runs in a thread of its own beside
 * the writer, which then only copies the little that came in meanwhile, and the log starts over. */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include <sqlite3.h>

enum {
	WAL_SOFT_PAGES = 1000,	/* from here on the thread copies */
	WAL_HARD_PAGES = 8000, /* from here on the writer does not wait for the thread */
};

struct checkpointer;
/* Opens a connection and starts the thread. Returns 0; -errno. */
int checkpointer_new(const char *path, struct checkpointer **out);
void checkpointer_free(struct checkpointer *c); /* takes NULL */
/* Called by the writer between commits with the length of the log. */
void checkpointer_tidy(struct checkpointer *c, sqlite3 *writer, int wal_pages);

#endif

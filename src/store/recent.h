/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The archive rows that are on disk but not yet in the index tables: who owns them and where they are.
 * Rows are appended to one log, which is cheap; the index tables get them later, many at once and sorted, because a
 * row by row index touches a page of 4 KiB per row and index. Until then this list answers for them; it is built anew from the
 * end of the log when the database is opened. */
#ifndef STORE_RECENT_H
#define STORE_RECENT_H

#include <pthread.h>

#include "base/buf.h"

enum {
	RECENT_MAX = 32768,	/* rows after which they go to the index tables: 1 MB, and 20 ms at the next start */
	RECENT_BUCKETS = 4096,
	RECENT_GONE = -1,
};

struct recent_row {
	int64_t owner, seq; /* owner: RECENT_GONE for a row that was removed; seq: place in the log */
	uint64_t id;
	uint32_t peer;	    /* hash of the peer's JID */
	int32_t prev;	    /* index of the bucket's row before, -1: none */
};

/* Written by the writer's thread, read by all readers. */
struct recent {
	pthread_mutex_t lock;
	struct buf rows; /* struct recent_row[], by seq */
	int64_t merged;	 /* rows up to this seq are in the index tables */
	int32_t heads[RECENT_BUCKETS];
};

void recent_init(struct recent *r, int64_t merged);
void recent_fini(struct recent *r);
size_t recent_n(const struct recent *r); /* the writer's thread */
/* After a commit: forgets rows up to merged, adds those of v that are beyond it. */
void recent_publish(struct recent *r, int64_t merged, const struct recent_row *v, size_t n);
/* After a commit: the rows of v are no more. */
void recent_remove(struct recent *r, const struct recent_row *v, size_t n);
/* The row's place in the log, 0: none here. The writer's thread. */
int64_t recent_find(const struct recent *r, int64_t owner, uint64_t id);
/* Whether a row of the list was removed. The writer's thread. */
bool recent_is_gone(const struct recent *r, const struct recent_row *row);
/* The owner with the lowest number beyond `after` that has rows here, and its lowest id; 0: none. */
int64_t recent_next_owner(struct recent *r, int64_t after, uint64_t *out_id);
/* Copies the owner's rows beyond `merged`, the index tables' state that the reader sees, newest first. False: the list has
 * already moved on; the reader must look at the database again. */
bool recent_copy(struct recent *r, int64_t owner, int64_t merged, struct buf *out);

static inline struct recent_row *recent_rows(const struct buf *b)
{
	return (struct recent_row *)(void *)b->p;
}

#endif

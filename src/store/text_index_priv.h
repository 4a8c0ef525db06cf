/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inside the full-text index: shared by its thread (text_index.c, text_join.c) and the writer (text_change.c). */
#ifndef STORE_TEXT_INDEX_PRIV_H
#define STORE_TEXT_INDEX_PRIV_H

#include <stdatomic.h>

#include "store/text_build.h"
#include "store/text_index.h"

enum { TEXT_PARTS_LOOK = 4 * TEXT_JOIN /* the last parts, of all levels that are joined */ };

struct text_part {
	int64_t part, first, last; /* rows of the log from first + 1 to last */
	int level;
};

struct text_index {
	struct store_db *db;
	archive_text_fn *text_of;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started;
	_Atomic bool stop;
	pthread_t thread;
	_Atomic int64_t log_end, wake_at; /* the thread sleeps until the log is that long */

	/* with db->turn */
	int64_t first, last; /* the rows that the thread is at work on, 0: none */
	bool spoilt;	     /* one of them changed */

	/* the thread's own */
	struct sql read, write;
	int64_t part;	    /* being written */
	struct buf pending; /* its blocks that wait: struct pending and bytes, each */
	size_t written;	    /* bytes since the last checkpoint */

	/* the writer's own */
	struct text_build scratch;
};

/* Takes a block of the part that is being written; key TEXT_META: the owner's struct text_meta. */
int text_index_emit(void *text_index, int64_t owner, int64_t key, struct str data);
/* Hands out the blocks of several parts as those of one, which begins where the first did. Returns 0; -errno. */
int text_join(struct text_index *t, const struct text_part *v, size_t n);

#endif

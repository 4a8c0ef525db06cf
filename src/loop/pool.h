/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A few threads for work that blocks or takes long: password hashes, files. */
#ifndef LOOP_POOL_H
#define LOOP_POOL_H

#include "loop/shard.h"

enum { POOL_THREADS = 2, POOL_QUEUE_MAX = 4096 };

/* A job; embedded first in the caller's malloc'ed struct. */
struct job {
	struct mail mail;
	struct shard *home;
	void (*run)(struct job *j);	/* in a pool thread */
	void (*done)(struct shard *s, struct job *j); /* back in home; owns j */
	void (*discard)(struct job *j);	/* when home has stopped; NULL: plain free() */
};

struct pool;
struct pool *pool_new(int threads);
void pool_free(struct pool *p); /* finishes running jobs; discards waiting ones */
/* Nothing waits or runs; the mail of every finished job is posted. */
bool pool_is_idle(struct pool *p);
/* Takes j. Returns 0; -EBUSY queue full (j stays the caller's): answer the peer with a retry error. */
int pool_submit(struct pool *p, struct job *j);

#endif

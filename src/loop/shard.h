/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A shard: one thread with its loop, arena and mailbox. Everything that hangs from it is touched by this thread only.
 * Others talk to it by shard_post, which any thread may call. */
#ifndef LOOP_SHARD_H
#define LOOP_SHARD_H

#include "base/arena.h"
#include "base/ids.h"
#include "loop/loop.h"

enum { SHARDS_MAX = 64, MAILBOX_MAX = 200000, TURN_SLOW_MS = 10, SHARD_IO_BYTES = 64 << 10 };

struct shard;
struct mail;

/* A kind of message between threads; one const object each, named for the log. */
struct mail_kind {
	const char *name;
	/* Runs in the receiving shard; owns m and frees it. */
	void (*handle)(struct shard *s, struct mail *m);
	/* Called instead of handle when the shard has stopped: frees m and what it holds. NULL: plain free(). */
	void (*discard)(struct mail *m);
	bool must_arrive; /* passes a full mailbox (answers and control); others get -ENOBUFS */
};

/* Head of each message: embedded first in the kind's own struct, which is malloc'ed. */
struct mail {
	struct mail *next;
	const struct mail_kind *kind;
};

struct shards;
struct core; /* what lives in the shard above the loop; set by core */
struct http; /* the same; set by http */

struct shard {
	struct loop loop;
	struct arena arena; /* of the turn's current event: reset after each event, mail and timer */
	struct shards *all;
	int index;
	uint64_t conn_seq; /* numbers connections for the log */
	char *io_buf;	   /* SHARD_IO_BYTES of scratch for one read or one chunk of a file */
	bool ending; /* the process ends: nobody waits long for a peer */
	struct core *core;
	struct http *http;
	struct shard_private *priv; /* thread, mailbox */
};

struct shards {
	int n;
	struct shard *v[SHARDS_MAX];
};

/* Makes n shards, not yet running. 0; -errno. */
int shards_init(struct shards *all, int n);
/* Starts their threads. on_start runs first in each thread. 0; -errno. */
int shards_start(struct shards *all, void (*on_start)(struct shard *s));
/* Asks all to stop after their current turn and waits for the threads; mail left over is discarded. */
void shards_stop(struct shards *all);
void shards_fini(struct shards *all);

/* Hands m to the shard, in order per sender; handled in a later turn. The eventfd is written only when the shard sleeps.
 * Takes m. Returns 0; -ENOBUFS mailbox full (m stays the caller's). */
int shard_post(struct shard *to, struct mail *m);
/* Is there mail that it has not taken yet? For tests that turn shards by hand. */
bool shard_has_mail(struct shard *s);
/* The shard of the calling thread, or NULL. */
struct shard *shard_self(void);
/* The calling thread plays this shard (NULL: none) and turns its loop by itself: for tests. Returns the one before. */
struct shard *shard_play(struct shard *s);
/* Which shard owns a bare JID: stable hash of its bytes. */
struct shard *shard_of(struct shards *all, struct str bare_jid);

/* Runs fn once in the loop's current turn after others, with the turn's arena reset before. */
static inline struct arena *shard_arena(struct shard *s)
{
	return &s->arena;
}

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0466 0.1.0 in archives: the contents of an ephemeral message vanish when its timer, counted from when the server got the
 * message, has run out. The row's id stays known (XEP-0313), so that clients can go on from it. A copy kept for a recipient who
 * was never there since is not touched: the timer is meant to run from the first reading.
 * Store: owner "", kind "ephemeral N" (N: shard that noted it), key = time and archive id as 16 hex digits each, then the owner. */
#ifndef CORE_EPHEMERAL_H
#define CORE_EPHEMERAL_H

#include "core/core.h"
#include "store/store.h"

enum {
	EPHEMERAL_PAGE = 100,	   /* messages of one step */
	EPHEMERAL_LOOK_MS = 60000, /* the clock may have been set meanwhile */
	EPHEMERAL_RETRY_MS = 10000,
};

/* When a message archived under this id is over, wall clock; 0: never (no timer, no content, or a timer that is no
 * xs:unsignedInt). */
uint64_t ephemeral_until(struct stanza *st, struct arena *a, uint64_t id);
/* A message goes into an archive in this batch: notes when it must leave. */
void ephemeral_note(struct core *c, struct store_batch *b, struct str owner, uint64_t id, struct stanza *st);
/* In each shard: looks for what is over, also from before the start. */
void ephemeral_start(struct core *c);
void ephemeral_free(struct core *c);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanzas to other servers that these have not acknowledged: kept on disk, so that they outlive the process.
 * Store: owner "@s2s", kind "s2s", key = run and id in hex, value = stanza_pack. Used in the shard that owns the remote domain. */
#ifndef CORE_OUTBOX_H
#define CORE_OUTBOX_H

#include "core/pipeline.h"

enum { OUTBOX_PAGE = 200 };

struct outbox_key {
	uint64_t run, id; /* id 0: not kept */
};

/* Is this worth a place on disk: messages with content and changes of subscriptions? */
bool outbox_worthy(const struct stanza *st);
/* Puts the stanza of t into its batch. */
struct outbox_key outbox_put(struct transit *t);
/* Acknowledged, or given back to the sender. */
void outbox_del(struct core *c, const struct outbox_key *keys, size_t n);
/* Reads what earlier runs of the server left behind for the domains of this shard; fn is called for each, oldest first. */
typedef void outbox_fn(struct core *c, struct outbox_key key, struct stanza *st);
void outbox_load(struct core *c, outbox_fn *fn);

#endif

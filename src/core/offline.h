/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages kept for the next sign-in (XEP-0160 1.0.1). Store: kind "offline", key = archive id as 16 hex digits and a (in the archive too) or n, value = stanza_pack. */
#ifndef CORE_OFFLINE_H
#define CORE_OFFLINE_H

#include "core/pipeline.h"

enum {
	OFFLINE_KEY_MAX = 18,
	OFFLINE_PAGE = 100,
	OFFLINE_AHEAD = 1000,	       /* unacknowledged stanzas, or … */
	OFFLINE_AHEAD_BYTES = 256 << 10, /* … unsent bytes, at which a delivery waits for the client */
	OFFLINE_WAIT_MS = 50,
};

/* Is this message worth keeping (RFC 6121 §8.5.2.2, XEP-0160 §3, XEP-0334)? */
bool offline_worthy(const struct stanza *st);
/* As many messages as offline.max allows wait already. */
bool offline_is_full(const struct user *u);
/* Reads the number that waits while the user loads: kind "spool". */
void offline_load(struct user *u, struct str key, struct str value);
/* Puts the message of t into its batch. */
void offline_store(struct transit *t);
/* The key of a message that the archive has under this id. key has OFFLINE_KEY_MAX bytes. */
struct str offline_key(char *key, uint64_t id);
/* Takes that message out of what is kept, in a batch of the caller's. It must be there. */
void offline_drop(struct user *u, struct store_batch *b, uint64_t id);
/* Sends everything kept, oldest first, to a session that just became available. Rows go when the client acknowledged them
 * (XEP-0198) or, without it, when they were written to its connection. */
void offline_deliver(struct session *s);
/* The session ends: a delivery that waits for its client ends too. */
void offline_stop(struct session *s);
/* The client acknowledged this stanza. */
void offline_acked(struct session *s, const struct unacked *u);
/* A session died with this message unacknowledged: to the user's other available sessions, or kept. */
void offline_give_back(struct session *s, const struct unacked *u);

#endif

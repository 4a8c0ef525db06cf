/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 1.6.3 inside core: the queue of unacknowledged stanzas and the answer that waits for the disk. */
#ifndef CORE_SM_H
#define CORE_SM_H

#include "core/session.h"

/* A stanza as it goes to one client; borrowed. */
struct outgoing {
	struct str head;
	struct blob *tail;
	uint64_t offline_id; /* its row in the offline store, 0: none */
	uint8_t kind;	     /* enum stanza_kind */
	bool keep;	     /* a message that goes to another session or offline if this one dies */
};

/* Sends it now: kept and counted when XEP-0198 is on. */
void session_out(struct session *s, const struct outgoing *o);
/* Keeps what is about to be sent. Returns false when it must not be sent: the queue is full, the session ends with this turn and
 * gives back what is worth it, this stanza too. */
bool sm_keep(struct session *s, const struct outgoing *o);
/* Sends <r/> when enough is unacknowledged; sets the timer for the rest. */
void sm_ask_if_due(struct session *s);
/* The session dies: unacknowledged messages go to the user's other sessions or offline; frees s->sm. */
void sm_give_back(struct session *s);

#endif

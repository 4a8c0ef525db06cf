/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How much a stanza matters to somebody who does not look: what may wait while a client is inactive (XEP-0352) and what is worth a push
 * notification (XEP-0357). One answer for both. */
#ifndef CORE_WEIGHT_H
#define CORE_WEIGHT_H

#include "core/session.h"

enum weight {
	WEIGHT_LIGHT,	/* may wait: availability, chat states, receipts, markers, events, copies of what the user sent elsewhere */
	WEIGHT_WAKE,	/* goes out at once, but tells people nothing: answers, errors, everything not known */
	WEIGHT_ROOM,	/* a room's message that does not name the user */
	WEIGHT_MESSAGE, /* something to read: a message, an invitation, a subscription request, a room's message that names the user */
	WEIGHT_CALL,	/* rings (XEP-0353) */
};

/* u: the recipient; nick: the name in the room that st comes from, empty: not known. */
enum weight stanza_weight(struct user *u, struct stanza *st, struct str nick);
/* The nick by which a session is in this room (from the directed presence), or NONE. */
struct str session_nick(const struct session *s, struct jid room);

#endif

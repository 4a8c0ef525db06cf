/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The path of a message and who has a say on it, in order. One handler per stage; a feature's row names it.
 * Sender's side runs in the sender's shard, recipient's side in the recipient's. */
#ifndef CORE_PIPELINE_H
#define CORE_PIPELINE_H

#include "core/session.h"
#include "core/user.h"

enum send_stage {
	SEND_BLOCK,   /* XEP-0191: not to somebody whom the sender blocks */
	SEND_STAMP,   /* takes out what only servers may say: forged stanza-ids, carbons, delays of ours */
	SEND_DEDUP,   /* a retry with a known origin-id is acknowledged and goes nowhere; may answer LATER */
	SEND_ARCHIVE, /* chooses the sender's archive id (t->sent_id); the row is written with the recipient's */
	SEND_CARBONS, /* XEP-0280: the sender's other sessions */
	SEND_STAGES
};

enum deliver_stage {
	DELIVER_BLOCK,	 /* XEP-0191: the recipient blocks the sender */
	DELIVER_ARCHIVE, /* chooses the archive id, adds the stanza-id */
	DELIVER_UNREAD,	 /* place for what counts live; the inbox (XEP-0430) follows from the archive instead */
	DELIVER_FANOUT,	 /* RFC 6121 §8: which sessions get it; sets t->delivered */
	DELIVER_CARBONS, /* XEP-0280: the recipient's other sessions */
	DELIVER_OFFLINE, /* nobody was there: kept for the next sign-in */
	DELIVER_PUSH,	 /* place for XEP-0357 */
	DELIVER_STAGES
};

enum verdict {
	PASS,  /* go on */
	STOP,  /* ends here; the handler answered the sender if an answer is due */
	LATER, /* the handler keeps the session paused and calls pipeline_resume (sender's side only) */
};

/* A message on its way through one side. */
struct transit {
	struct core *core;
	struct user *user;	 /* sender's side: the sender; recipient's side: the recipient */
	struct session *session; /* sender's side: where it came from, NULL for the server's own; recipient's side: NULL */
	struct stanza *st;
	struct receipt receipt;	 /* owed to the sender */
	uint64_t sent_id;	 /* sender's archive id, 0: not archived there. Its row is written at the recipient's side */
	uint64_t id;		 /* recipient's archive id, 0: none */
	bool delivered;		 /* somebody got it live */
	bool offline;		 /* to be kept for the next sign-in */
	struct store_batch *batch; /* writes that belong to this message; NULL until needed (transit_batch) */
	const char *reason;	 /* why it stopped, for the debug log */
};

typedef enum verdict stage_fn(struct transit *t);

struct store_batch *transit_batch(struct transit *t);
/* Sends a message through the sender's stages, then to the router. Takes over the receipt. */
void pipeline_send(struct transit *t);
/* Goes on behind the stage that answered LATER. t was copied by pipeline_hold. */
struct transit *pipeline_hold(struct transit *t); /* a copy that outlives the turn; the session is paused */
void pipeline_resume(struct transit *held, enum verdict v, enum send_stage after);
/* Runs the recipient's stages for a loaded user, then commits what was collected. */
void pipeline_deliver(struct transit *t);
/* Ends a message's way: writes rows and batch; the receipt is done when they are durable (at once when there is nothing to write).
 * If the store fails, the sender gets resource-constraint. */
void transit_finish(struct transit *t);

#endif

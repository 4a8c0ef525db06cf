/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0430 0.2.0: an account's conversations, each with its last message and how many are unread. All of it follows from the archive:
 * what comes in is unread; what the owner says there, or a displayed marker (XEP-0333) that one of its devices sends, makes all
 * before it read. So nothing is written when a message passes: whoever asks brings the state up to date from the archive, and it is
 * kept up to a point some seconds ago (ids of the last seconds may still come in between).
 * Store: kind "inbox", key "" = archive id up to which the rest holds, key JID = a conversation; kind "inbox-read", key JID = archive
 * id up to which another way than a message says that it is read.
 * Rooms' messages are in the rooms' archives, which say nothing of who read what: a room is a conversation here only by its
 * invitations, and each occupant who writes privately is one. */
#ifndef CORE_INBOX_H
#define CORE_INBOX_H

#include "core/user.h"
#include "store/store.h"

enum {
	INBOX_CONVERSATIONS_MAX = 3000, /* the one that is silent for longest goes */
	INBOX_UNREAD_MAX = 500,	       /* unread messages of a conversation that are known one by one; beyond it only counted */
	INBOX_SETTLE_MS = 10000,
	INBOX_WAITING_MAX = 100,
	INBOX_SAVE_PAGES = 40, /* of the archive, after which the state is kept */
};

struct conversation {
	struct str jid;
	uint64_t last_id; /* newest row of the conversation */
	uint64_t msg_id;  /* newest instant message, 0: none */
	uint32_t unread;
};

/* status: 0; -EIO ...: the store could not say; -ECANCELED: the account left memory. v: newest first, valid during the call. */
typedef void inbox_fn(struct core *c, void *arg, int status, const struct conversation *v, size_t n);

/* Brings the inbox of a loaded account up to date and hands it to fn, which runs once. Returns 0; -EBUSY: too many wait. */
int inbox_with(struct user *u, inbox_fn *fn, void *arg);
/* The owner has seen everything up to this archive id in the conversation with peer (XEP-0490 or other ways that are no message).
 * An id that is no archive id changes nothing. */
void inbox_displayed(struct user *u, struct str peer, struct str stanza_id);
void inbox_free(struct user *u);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tells the features (push notifications) of something that the user may not have seen. */
#ifndef CORE_UNSEEN_H
#define CORE_UNSEEN_H

#include "core/session.h"

/* A stanza for a loaded user. s: the session whose queue has it, of which the link is lost or the client inactive, or has yet to acknowledge it; NULL: it concerns the
 * clients that have no session now. st is the caller's. */
void unseen(struct user *u, struct session *s, struct stanza *st);
/* The same for somebody who need not be loaded nor live in this shard, for what does not pass the recipient's stages: a room's
 * message to a member who is not inside. account: a bare JID of this server. What is sent on through the router needs no call. */
void unseen_by(struct core *c, struct jid account, struct stanza *st);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tells the features (push notifications) of something that the user may not have seen. */
#ifndef CORE_UNSEEN_H
#define CORE_UNSEEN_H

#include "core/session.h"

/* A stanza for a loaded user. s: the session whose queue has it and of which the link is lost or the client inactive, or which has yet
 * to acknowledge it; NULL: it concerns the clients that have no session now. st is the caller's. */
void unseen(struct user *u, struct session *s, struct stanza *st);

#endif

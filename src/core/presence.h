/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Presence of RFC 6121 §3 (subscriptions) and §4 (availability). */
#ifndef CORE_PRESENCE_H
#define CORE_PRESENCE_H

#include "core/router.h"

/* From a client of this shard, any type. */
void presence_out(struct session *s, struct stanza *st);
/* To an account of this shard, any type; the user is READY. */
void presence_in(struct user *u, struct stanza *st);
/* Presence from somebody is about to be delivered to the session: keeps its list of directed presence (RFC 6121 §4.6.1). */
void presence_heard(struct session *s, const struct stanza *st);
/* Broadcasts a changed form of the session's available presence. */
void presence_renew(struct session *s, struct stanza *st);
/* A session ends: unavailable presence to all who saw it. */
void presence_session_gone(struct session *s);
/* Presence of the user's available sessions to somebody who may see it (after a subscription was allowed). */
void presence_show_to(struct user *u, struct jid to);
/* Unavailable presence to somebody who may no longer see it. */
void presence_hide_from(struct user *u, struct jid from);
/* Does the session share its presence with this address, by subscription or directed presence (RFC 6121 §8.5.3.1)? */
bool presence_shared(const struct session *s, struct jid with);

/* core/subscription.c: subscribe, subscribed, unsubscribe, unsubscribed. */
void subscription_out(struct user *u, struct stanza *st);
void subscription_in(struct user *u, struct stanza *st);
/* Requests that wait for the user's answer, to a session that just became available (RFC 6121 §3.1.3). */
void subscription_pending(struct session *s);
/* The account goes: its contacts learn that all subscriptions are over (XEP-0077 §3.2). */
void subscription_leave_all(struct user *u);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a component may do with the accounts of its host: XEP-0356 0.4.1 (roster, message, presence, iq). Left out: presence of contacts on
 * other servers from before the component came (it is told of the next change). */
#ifndef CORE_PRIVILEGE_H
#define CORE_PRIVILEGE_H

#include "core/component.h"
#include "core/user.h"

struct iq;

enum { PRIVILEGE_SEEN_MAX = 20000 /* presences remembered per component, to send each once */ };

/* Tells the component its rights; the presence of everybody follows. In its home shard, after component_attach. */
void privilege_attached(struct core *c, struct component *cp);
void privilege_detached(struct component *cp);
/* A message to the host with <privilege/>: the one in it is sent in the name of the host or of one of its accounts. */
void privilege_message(struct core *c, struct component *cp, struct stanza *st);
/* The request <privileged_iq/> to an account's bare JID. */
void privilege_iq(struct iq *iq);
/* May whoever asks read (get) or change (set) the roster of iq->user? */
bool privilege_roster(const struct iq *iq);
/* A roster push of u: a copy for each component that has the right. st->from and st->to are changed. */
void privilege_roster_push(struct user *u, struct stanza *st);
/* Initial or unavailable presence of a session. st->to is changed. */
void privilege_presence(struct core *c, struct stanza *st);
/* Presence that the account u gets. */
void privilege_contact_presence(struct user *u, const struct stanza *st);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Contacts of an account: RFC 6121 §2 (items) and appendix A (subscription states). Store: kind "roster", key = contact's bare JID, value XML.
 * Here: the data, its storage and the pushes. The verbs are features/roster and features/presence. */
#ifndef CORE_ROSTER_H
#define CORE_ROSTER_H

#include "core/user.h"

enum { ROSTER_MAX = 5000, ROSTER_GROUPS_MAX = 32, ROSTER_NAME_MAX = 1023 };

enum { SUB_TO = 1, SUB_FROM = 2 }; /* both: 3 */

struct contact {
	struct jid jid;	    /* bare, own bytes */
	char *name;	    /* NULL: none */
	char **groups;
	uint8_t groups_n;
	uint8_t sub;	    /* SUB_TO | SUB_FROM */
	bool ask;	    /* "Pending Out": our subscribe is unanswered */
	bool approved;	    /* pre-approval, RFC 6121 §3.4 */
	bool pending_in;    /* "Pending In": a subscribe waits for the user */
	bool listed;	    /* false: exists only because of pending_in, not shown in the roster (RFC 6121 §3.1.3) */
	struct blob *request; /* the pending subscribe, stanza_pack */
};

struct contact *roster_get(const struct user *u, struct str bare);
/* The contact, made when absent (not yet listed). NULL when ROSTER_MAX is reached. */
struct contact *roster_need(struct user *u, struct jid bare);
bool roster_sees_us(const struct contact *c);  /* from or both; NULL is no */
bool roster_we_see(const struct contact *c);   /* to or both */
/* The kind that features/roster names for loading. */
/* Writes the contact (or its removal) to the store and raises the version; sends the push to interested sessions when push.
 * The contact is freed when it holds nothing any more. */
void roster_save(struct user *u, struct contact *c, bool push);
void roster_remove(struct user *u, struct contact *c); /* with push of subscription='remove' */
/* <item/> of a contact under parent. */
struct xml *roster_item(struct arena *a, struct xml *parent, const struct contact *c);
struct str roster_ver(struct arena *a, const struct user *u);
/* Called while a user loads. */
void roster_load_item(struct user *u, struct str key, struct str value);
void roster_free(struct user *u);
/* Makes two accounts of this server mutual contacts (both rosters, pushes, presence): after an invitation. Any shard. */
void roster_befriend(struct env *env, struct str bare_a, struct str bare_b);
/* The same, for one side, in the user's own shard. */
void roster_befriend_one(struct user *u, struct jid other);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration of a room and its form (XEP-0045 §10.1.3, muc#roomconfig): one table for showing, reading and storing. Pure. */
#ifndef FEATURES_MUC_CONFIG_H
#define FEATURES_MUC_CONFIG_H

#include "proto/xml/xml.h"
#include "proto/xmpp/ns.h"

enum {
	MUC_NAME_MAX = 256,
	MUC_DESC_MAX = 4096,
	MUC_LANG_MAX = 64,
	MUC_SECRET_MAX = 256,
	MUC_HISTORY_DEFAULT = 20,
	MUC_HISTORY_MAX = 100,
	MUC_USERS_DEFAULT = 10000,
	MUC_USERS_MAX = 20000,
	MUC_URI_MAX = 1024,
	MUC_CONTACTS_MAX = 4096, /* bytes of all contact addresses */
	MUC_SLOW_MAX = 86400,	 /* seconds */
	MUC_MENTIONS_DEFAULT = 5,
	MUC_MENTIONS_MAX = 50,	 /* of one message */
};

enum allow_pm { PM_ANYONE, PM_PARTICIPANTS, PM_MODERATORS, PM_NONE };
enum whois { WHOIS_MODERATORS, WHOIS_ANYONE };
enum apply { APPLY_AUTO, APPLY_APPROVE, APPLY_CLOSED }; /* registering: see register.c */
enum may_mention { MENTION_PARTICIPANTS, MENTION_MODERATORS, MENTION_NONE }; /* XEP-0513 */

/* Bits of a set of roles, in the order of the words "visitor", "participant", "moderator". */
enum { ROLES_VISITOR = 1, ROLES_PARTICIPANT = 2, ROLES_MODERATOR = 4, ROLES_ALL = 7 };

struct room_config {
	char *name, *desc, *lang, *secret; /* malloc'ed, never NULL after room_config_default */
	char *contacts;	     /* bare JIDs, one per line */
	char *pubsub, *logs; /* XMPP URI of a node; URL of published logs */
	bool persistent, public, members_only, moderated, password_protected, allow_invites, change_subject, logging;
	bool query_users;      /* outsiders may list the nicks of a public room */
	bool forward_mentions; /* XEP-0452 */
	bool lock_nicks;       /* members use the nick that they registered (§7.10) */
	uint8_t whois, allow_pm, apply;
	uint8_t presence, member_list;		   /* sets of roles */
	uint8_t mention_one, mention_room, mention_role, mention_hat; /* enum may_mention */
	uint32_t max_users, history, slow_s, mentions;
};

void room_config_default(struct room_config *c);
void room_config_copy(struct room_config *to, const struct room_config *from);
void room_config_free(struct room_config *c); /* takes a zeroed one */
bool room_config_eq(const struct room_config *a, const struct room_config *b);
/* Reads the fields that a submitted form has; others stay. Returns 0; -EBADMSG a value not of its type; -EINVAL not acceptable
 * (too long, out of bounds, a password-protected room without password). c may be half changed on failure. */
int room_config_read(struct arena *a, const struct xml *form, struct room_config *c);
/* The same for the form of XEP-0513 §4.6. -EINVAL as well. */
int room_mentions_read(struct arena *a, const struct xml *form, struct room_config *c);
/* Adds the fields of XEP-0513; only those that differ from `was` unless that is NULL. */
void room_mentions_write(struct arena *a, struct xml *form, const struct room_config *c, const struct room_config *was);
/* Adds all fields to a form: with labels and options for people, or only the values. */
void room_config_write(struct arena *a, struct xml *form, const struct room_config *c, bool for_people);


#endif

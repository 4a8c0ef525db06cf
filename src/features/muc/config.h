/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration of a room and its form (XEP-0045 §10.1.3, muc#roomconfig): one table for showing, reading and storing. Pure. */
#ifndef FEATURES_MUC_CONFIG_H
#define FEATURES_MUC_CONFIG_H

#include "proto/xml/xml.h"

enum {
	MUC_NAME_MAX = 256,
	MUC_DESC_MAX = 4096,
	MUC_LANG_MAX = 64,
	MUC_SECRET_MAX = 256,
	MUC_HISTORY_DEFAULT = 20,
	MUC_HISTORY_MAX = 100,
	MUC_USERS_DEFAULT = 2000,
	MUC_USERS_MAX = 10000,
};

enum allow_pm { PM_ANYONE, PM_PARTICIPANTS, PM_MODERATORS, PM_NONE };
enum whois { WHOIS_MODERATORS, WHOIS_ANYONE };

struct room_config {
	char *name, *desc, *lang, *secret; /* malloc'ed, never NULL after room_config_default */
	bool persistent, public, members_only, moderated, password_protected, allow_invites, change_subject, logging;
	uint8_t whois, allow_pm;
	uint32_t max_users, history;
};

void room_config_default(struct room_config *c);
void room_config_copy(struct room_config *to, const struct room_config *from);
void room_config_free(struct room_config *c); /* takes a zeroed one */
bool room_config_eq(const struct room_config *a, const struct room_config *b);
/* Reads the fields that a submitted form has; others stay. Returns 0; -EBADMSG a value not of its type; -EINVAL not acceptable
 * (too long, out of bounds, a password-protected room without password). c may be half changed on failure. */
int room_config_read(struct arena *a, const struct xml *form, struct room_config *c);
/* Adds all fields to a form: with labels and options for people, or only the values. */
void room_config_write(struct arena *a, struct xml *form, const struct room_config *c, bool for_people);

#define NS_MUC_ROOMCONFIG "http://jabber.org/protocol/muc#roomconfig"

#endif

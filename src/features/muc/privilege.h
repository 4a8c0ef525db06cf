/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §5: roles, affiliations and who may change whose. Pure. */
#ifndef FEATURES_MUC_PRIVILEGE_H
#define FEATURES_MUC_PRIVILEGE_H

#include "proto/xmpp/stanza.h"

/* In rising order of power. */
enum affil { AFFIL_OUTCAST, AFFIL_NONE, AFFIL_MEMBER, AFFIL_ADMIN, AFFIL_OWNER };
enum role { ROLE_NONE, ROLE_VISITOR, ROLE_PARTICIPANT, ROLE_MODERATOR };

const char *affil_name(enum affil a);
const char *role_name(enum role r);
int affil_parse(struct str s, enum affil *out); /* 0; -EBADMSG */
int role_parse(struct str s, enum role *out);	/* 0; -EBADMSG */

/* §5.1.2: the role that somebody enters with. */
enum role role_initial(bool moderated, enum affil a);
/* The role that goes with a new affiliation, for somebody inside who had `was` and `role` (§5.1.3, note). */
enum role role_after(bool moderated, enum affil was, enum affil now, enum role role);

struct role_change {
	enum affil by_affil;
	enum role by_role;
	enum affil of_affil;
	enum role from, to;
};
/* May it be done (§5.1.3, §8.2 to §8.4, §9.6, §9.7)? If not, *why is the error. */
bool role_may_change(const struct role_change *c, enum stanza_error *why);

struct affil_change {
	enum affil by, from, to;
	bool self; /* somebody's own affiliation */
};
/* May it be done (§5.2.2, §9.1, §9.3, §10.3 to §10.7)? Whether an owner is left is not asked here. */
bool affil_may_change(const struct affil_change *c, enum stanza_error *why);

/* May somebody read the list of an affiliation (§9.2, §9.5, §10.5, §10.8)? */
bool affil_may_list(enum affil by, bool inside, bool non_anonymous, enum affil list);

#endif

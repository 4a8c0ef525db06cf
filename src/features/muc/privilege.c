/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §5: the tables of roles and affiliations. */
#include "features/muc/privilege.h"

#include <errno.h>

#include "base/must.h"

static const char *const AFFILS[] = {
	[AFFIL_OUTCAST] = "outcast", [AFFIL_NONE] = "none", [AFFIL_MEMBER] = "member",
	[AFFIL_ADMIN] = "admin", [AFFIL_OWNER] = "owner",
};
static const char *const ROLES[] = {
	[ROLE_NONE] = "none", [ROLE_VISITOR] = "visitor", [ROLE_PARTICIPANT] = "participant", [ROLE_MODERATOR] = "moderator",
};

const char *affil_name(enum affil a)
{
	return AFFILS[a];
}

const char *role_name(enum role r)
{
	return ROLES[r];
}

int affil_parse(struct str s, enum affil *out)
{
	for (size_t i = 0; i < ARRAY_LEN(AFFILS); i++) {
		if (str_is(s, AFFILS[i])) {
			*out = (enum affil)i;
			return 0;
		}
	}
	return -EBADMSG;
}

int role_parse(struct str s, enum role *out)
{
	for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
		if (str_is(s, ROLES[i])) {
			*out = (enum role)i;
			return 0;
		}
	}
	return -EBADMSG;
}

enum role role_initial(bool moderated, enum affil a)
{
	static const enum role INITIAL[2][5] = {
		{ ROLE_NONE, ROLE_PARTICIPANT, ROLE_PARTICIPANT, ROLE_MODERATOR, ROLE_MODERATOR },
		{ ROLE_NONE, ROLE_VISITOR, ROLE_PARTICIPANT, ROLE_MODERATOR, ROLE_MODERATOR },
	};

	return INITIAL[moderated][a];
}

enum role role_after(bool moderated, enum affil was, enum affil now, enum role role)
{
	enum role initial = role_initial(moderated, now);

	if (now == AFFIL_OUTCAST || now >= AFFIL_ADMIN)
		return initial;
	if (was >= AFFIL_ADMIN)
		return initial;
	return now == AFFIL_MEMBER && role < initial ? initial : role; /* a mere moderator stays one */
}

static bool no(enum stanza_error *why, enum stanza_error e)
{
	*why = e;
	return false;
}

bool role_may_change(const struct role_change *c, enum stanza_error *why)
{
	if (c->by_role != ROLE_MODERATOR && c->by_affil < AFFIL_ADMIN)
		return no(why, ERR_FORBIDDEN);
	if (c->from == c->to)
		return true;
	if (c->to == ROLE_MODERATOR)
		return c->by_affil >= AFFIL_ADMIN || no(why, ERR_FORBIDDEN);
	if (c->of_affil > c->by_affil)
		return no(why, ERR_NOT_ALLOWED);
	if (c->from == ROLE_MODERATOR) {
		if (c->by_affil < AFFIL_ADMIN || (c->to != ROLE_NONE && c->of_affil >= AFFIL_ADMIN))
			return no(why, ERR_NOT_ALLOWED);
		return true;
	}
	/* §8.4: nobody's voice who stands at the moderator's own level; without any affiliation there is no level. */
	if (c->to == ROLE_VISITOR && (c->of_affil >= AFFIL_ADMIN || (c->of_affil == c->by_affil && c->by_affil > AFFIL_NONE)))
		return no(why, ERR_NOT_ALLOWED);
	return true;
}

bool affil_may_change(const struct affil_change *c, enum stanza_error *why)
{
	if (c->by < AFFIL_ADMIN)
		return no(why, ERR_FORBIDDEN);
	if (c->self && c->to == AFFIL_OUTCAST)
		return no(why, ERR_CONFLICT);
	if (c->by == AFFIL_OWNER || c->from == c->to)
		return true;
	if (c->to == AFFIL_OUTCAST && c->from >= AFFIL_ADMIN)
		return no(why, ERR_NOT_ALLOWED);
	if (c->from >= AFFIL_ADMIN || c->to >= AFFIL_ADMIN)
		return no(why, ERR_FORBIDDEN);
	return true;
}

bool affil_may_list(enum affil by, bool inside, bool non_anonymous, enum affil list)
{
	bool seen = non_anonymous && (inside || by >= AFFIL_MEMBER);

	switch (list) {
	case AFFIL_OUTCAST: return by >= AFFIL_ADMIN;
	case AFFIL_MEMBER: return by >= AFFIL_ADMIN || seen;
	case AFFIL_ADMIN:
	case AFFIL_OWNER: return by == AFFIL_OWNER || seen;
	default: return false;
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §4: affiliations, and who may do what by access and publisher model. */
#include "core/roster.h"
#include "features/pubsub/pubsub.h"

const char *const ps_affil_names[AFFILS] = { [AFFIL_NONE] = "none", [AFFIL_OUTCAST] = "outcast", [AFFIL_MEMBER] = "member",
	[AFFIL_PUBLISH_ONLY] = "publish-only", [AFFIL_PUBLISHER] = "publisher", [AFFIL_OWNER] = "owner" };
const char *const ps_state_names[SUB_STATES] = { [SUB_NONE] = "none", [SUB_PENDING] = "pending", [SUB_SUBSCRIBED] = "subscribed" };

enum ps_affil ps_affil_of(const struct ps_node *n, struct jid who)
{
	const struct ps_affiliate *e = map_get(&n->affils, jid_bare_str(who));

	if (n->host->user && jid_bare_eq(n->host->jid, who))
		return AFFIL_OWNER; /* XEP-0163 §3.2: an account owns its nodes */
	return e ? e->affil : AFFIL_NONE;
}

/* Walks full JIDs of the account too. */
struct ps_sub *ps_sub_of(const struct ps_node *n, struct jid who)
{
	struct ps_sub *s = map_get(&n->subs, jid_bare_str(who));
	struct str key, bare = jid_bare_str(who);
	uint32_t pos = 0;
	void *value;

	if (!n->subs.n || (s && s->state == SUB_SUBSCRIBED && !ps_sub_expired(s)))
		return s;
	while (map_next(&n->subs, &pos, &key, &value)) {
		s = value;
		if (s->state == SUB_SUBSCRIBED && str_starts(key, bare) && key.n > bare.n && key.p[bare.n] == '/' && !ps_sub_expired(s))
			return s;
	}
	return NULL;
}

static bool in_group(const struct contact *c, const char *groups)
{
	for (uint8_t i = 0; c && i < c->groups_n; i++)
		if (ps_lines_have(groups, str_of(c->groups[i])))
			return true;
	return false;
}

#define REFUSE(e, c) ((struct ps_verdict){ .error = (e), .cond = (c) })
#define ALLOW ((struct ps_verdict){ .ok = true })

static struct ps_verdict by_presence(const struct ps_node *n, struct jid who)
{
	const struct contact *c = n->host->user ? roster_get(n->host->user, jid_bare_str(who)) : NULL;

	if (!roster_sees_us(c))
		return REFUSE(ERR_NOT_AUTHORIZED, "presence-subscription-required");
	if (n->cfg.access == ACCESS_ROSTER && !in_group(c, n->cfg.groups))
		return REFUSE(ERR_NOT_AUTHORIZED, "not-in-roster-group");
	return ALLOW;
}

struct ps_verdict ps_may_see(const struct ps_node *n, struct jid who, bool subscribing)
{
	enum ps_affil affil = ps_affil_of(n, who);

	if (affil == AFFIL_OUTCAST || affil == AFFIL_PUBLISH_ONLY)
		return REFUSE(ERR_FORBIDDEN, NULL);
	if (n->host->user && user_blocks(n->host->user, who))
		return REFUSE(ERR_FORBIDDEN, NULL);
	if (affil != AFFIL_NONE || n->cfg.access == ACCESS_OPEN)
		return ALLOW;
	if (n->cfg.access == ACCESS_WHITELIST)
		return REFUSE(ERR_NOT_ALLOWED, "closed-node");
	if (n->cfg.access == ACCESS_PRESENCE || n->cfg.access == ACCESS_ROSTER)
		return by_presence(n, who);
	if (subscribing || ps_sub_of(n, who))
		return ALLOW;
	return REFUSE(ERR_NOT_AUTHORIZED, "not-subscribed");
}

bool ps_may_publish(const struct ps_node *n, struct jid who)
{
	enum ps_affil affil = ps_affil_of(n, who);

	if (affil == AFFIL_OUTCAST)
		return false;
	if (affil >= AFFIL_PUBLISH_ONLY || n->cfg.publish == PUBLISH_OPEN)
		return true;
	return n->cfg.publish == PUBLISH_SUBSCRIBERS && ps_sub_of(n, who) && ps_may_see(n, who, false).ok;
}

bool ps_may_find(const struct ps_node *n, struct jid who)
{
	struct ps_verdict v = ps_may_see(n, who, true);

	return v.ok || ps_affil_of(n, who) == AFFIL_PUBLISH_ONLY;
}

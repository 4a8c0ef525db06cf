/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 6121 §2: the roster's verbs, versions (§2.6) and pre-approval (§3.4). */
#include "core/roster.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/privilege.h"
#include "proto/xmpp/ns.h"

static void get(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct str ver = xml_get(iq->el, "ver"), now = roster_ver(a, iq->user), key;
	struct xml *query;
	uint32_t pos = 0;
	void *value;

	if (iq->session)
		iq->session->roster_interested = true;
	if (ver.p && str_eq(ver, now)) { /* nothing changed: an empty result */
		iq_result(iq, NULL);
		return;
	}
	query = xml_new(a, "query", NS_ROSTER);
	xml_set(a, query, "ver", now);
	while (map_next(&iq->user->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (c->listed)
			roster_item(a, query, c);
	}
	iq_result(iq, query);
}

/* The item of a set, checked as §2.1.5 and §2.3.3 say. Returns NULL after answering the error. */
static struct xml *checked_item(struct iq *iq, struct jid *out)
{
	struct arena *a = core_arena(iq->core);
	struct xml *item = xml_child(iq->el, "item", NULL);
	uint32_t groups = 0;

	if (!item || xml_next_same(item) || !xml_get(item, "jid").p) {
		iq_error(iq, ERR_BAD_REQUEST, "A roster set holds exactly one item with a jid.");
		return NULL;
	}
	if (jid_parse(a, xml_get(item, "jid"), out)) {
		iq_error(iq, ERR_JID_MALFORMED, NULL);
		return NULL;
	}
	*out = jid_bare(*out);
	if (xml_get(item, "name").n > ROSTER_NAME_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, "The name is too long.");
		return NULL;
	}
	xml_each(g, item) {
		struct str name;

		if (!str_is(g->name, "group"))
			continue;
		name = xml_text_of(a, g);
		if (name.n == 0 || name.n > ROSTER_NAME_MAX || ++groups > ROSTER_GROUPS_MAX) {
			iq_error(iq, ERR_NOT_ACCEPTABLE, "A group name is empty or too long, or there are too many.");
			return NULL;
		}
		for (struct xml *h = xml_next_same(g); h; h = xml_next_same(h))
			if (str_eq(xml_text_of(a, h), name)) {
				iq_error(iq, ERR_BAD_REQUEST, "A group is named twice.");
				return NULL;
			}
	}
	return item;
}

static void fill(struct contact *c, struct arena *a, const struct xml *item)
{
	struct str name = xml_get(item, "name");

	free(c->name);
	c->name = name.n ? str_dup(name) : NULL;
	for (uint8_t i = 0; i < c->groups_n; i++)
		free(c->groups[i]);
	free(c->groups);
	c->groups = NULL;
	c->groups_n = 0;
	xml_each(g, item) {
		if (!str_is(g->name, "group"))
			continue;
		c->groups = mem_realloc(c->groups, (c->groups_n + 1u) * sizeof(*c->groups));
		c->groups[c->groups_n++] = str_dup(xml_text_of(a, g));
	}
	c->listed = true;
}

static void send_as_user(struct user *u, enum stanza_type type, struct jid to)
{
	struct stanza st;

	stanza_new(core_arena(u->core), ST_PRESENCE, type, &st);
	st.from = u->jid;
	st.to = to;
	router_route(u->core, &st);
	stanza_fini(&st);
}

/* RFC 6121 §2.5.2: the contact learns that both subscriptions are over. */
static void remove_contact(struct iq *iq, struct contact *c)
{
	struct jid to = jid_copy(core_arena(iq->core), c->jid);
	struct user *u = iq->user;
	uint8_t sub = c->sub;
	bool ask = c->ask, pending = c->pending_in;

	if (sub & SUB_FROM)
		presence_hide_from(u, to);
	roster_remove(u, c);
	iq_result(iq, NULL);
	if ((sub & SUB_TO) || ask)
		send_as_user(u, PRES_UNSUBSCRIBE, to);
	if ((sub & SUB_FROM) || pending)
		send_as_user(u, PRES_UNSUBSCRIBED, to);
}

static void set(struct iq *iq)
{
	struct jid who;
	struct xml *item = checked_item(iq, &who);
	struct contact *c;

	if (!item)
		return;
	c = roster_get(iq->user, who.full);
	if (str_is(xml_get(item, "subscription"), "remove")) {
		if (!c || !c->listed)
			iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		else
			remove_contact(iq, c);
		return;
	}
	if (jid_eq(who, iq->user->jid)) {
		iq_error(iq, ERR_NOT_ALLOWED, "You cannot add yourself.");
		return;
	}
	c = roster_need(iq->user, who);
	if (!c) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The contact list is full.");
		return;
	}
	fill(c, core_arena(iq->core), item);
	roster_save(iq->user, c, true);
	iq_result(iq, NULL);
}

static void verbs(struct iq *iq)
{
	if (iq->st->type == IQ_GET)
		get(iq);
	else
		set(iq);
}

/* RFC 6121 §2.3.3: nobody else's roster, but for components that may (XEP-0356). */
static void others(struct iq *iq)
{
	if (privilege_roster(iq))
		verbs(iq);
	else
		iq_error(iq, ERR_FORBIDDEN, NULL);
}

static void stream_features(struct core *c, struct xml *features, struct arena *a)
{
	(void)c;
	xml_add(a, features, "ver", NS_ROSTERVER);
	xml_add(a, features, "sub", NS_PRE_APPROVAL);
}

static const struct spec specs[] = { { "RFC 6121", "2011-03" }, { NULL, NULL } };
static const struct iq_route routes[] = {
	{ NS_ROSTER, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF, verbs },
	{ NS_ROSTER, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_USER, others },
	{ 0 },
};

const struct feature feature_roster = {
	.name = "roster",
	.specs = specs,
	.iq = routes,
	.stream_features = stream_features,
	.user_kind = "roster",
	.user_item = roster_load_item,
};

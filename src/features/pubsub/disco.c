/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §5.1 to §5.5: service discovery of hosts, nodes (with metadata) and items. */
#include <stdlib.h>

#include "base/clock.h"
#include "features/pubsub/pubsub.h"
#include "proto/xmpp/rsm.h"

enum { DISCO_PAGE = 500 };

#define F(name) NS_PUBSUB "#" name

/* Beside these an account tells "access-presence" and what it does by presence. */
static const char *const FEATURES[] = {
	NS_DISCO_INFO, NS_DISCO_ITEMS, NS_PUBSUB, NS_RSM, F("access-open"), F("auto-create"), F("config-node"), F("config-node-max"),
	F("create-and-configure"), F("create-nodes"), F("delete-items"), F("delete-nodes"), F("get-pending"), F("instant-nodes"),
	F("item-ids"), F("manage-subscriptions"), F("member-affiliation"), F("meta-data"), F("modify-affiliations"), F("multi-items"),
	F("outcast-affiliation"), F("persistent-items"), F("publish"), F("publish-node-full"), F("publish-only-affiliation"),
	F("publish-options"), F("publisher-affiliation"), F("purge-nodes"), F("retract-items"), F("retrieve-affiliations"),
	F("retrieve-default"), F("retrieve-default-sub"), F("retrieve-items"), F("retrieve-subscriptions"), F("rsm"), F("subscribe"),
	F("subscription-notifications"), F("subscription-options"), F("presence-notifications"), NULL,
};

/* ---- a node ---- */

static void add_jids(struct arena *a, struct xml *form, const char *var, const char *label, const struct ps_node *n, enum ps_affil affil)
{
	struct xml *field = form_field(a, form, "jid-multi", var, label, STR_NONE);
	struct str key;
	uint32_t pos = 0, count = 0;
	void *value;

	if (n->host->user && affil == AFFIL_OWNER)
		xml_add_text(a, field, "value", n->host->jid.full);
	while (map_next(&n->affils, &pos, &key, &value) && count < PS_VALUES_MAX) {
		if (((struct ps_affiliate *)value)->affil != affil || (n->host->user && str_eq(key, n->host->jid.full)))
			continue;
		xml_add_text(a, field, "value", key);
		count++;
	}
}

static uint32_t subscribers(const struct ps_node *n)
{
	struct str key;
	uint32_t pos = 0, count = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value))
		count += ((struct ps_sub *)value)->state == SUB_SUBSCRIBED;
	return count;
}

static void metadata(struct arena *a, struct xml *query, const struct ps_node *n)
{
	struct xml *form = form_new(a, query, "result", NS_PUBSUB_META_DATA), *contact;
	const struct ps_config *c = &n->cfg;
	struct str rest = str_of(c->contact);

	form_field(a, form, "text-single", "pubsub#title", "Name", str_of(c->title));
	form_field(a, form, "text-single", "pubsub#description", "Description", str_of(c->description));
	form_field(a, form, "text-single", "pubsub#type", "Kind of data", str_of(c->type));
	form_field(a, form, "list-single", "pubsub#language", "Language", str_of(c->language));
	form_field(a, form, "list-single", "pubsub#access_model", "Access model", str_of(ps_access_name(c)));
	form_field(a, form, "list-single", "pubsub#publish_model", "Publish model", str_of(ps_publish_name(c)));
	form_field(a, form, "text-single", "pubsub#max_items", "Items at most", ps_number(a, c->max_items));
	form_field(a, form, "jid-single", "pubsub#creator", "Creator", n->creator);
	form_field(a, form, "text-single", "pubsub#creation_date", "Created", time_format(a, n->created_ms));
	form_field(a, form, "text-single", "pubsub#num_subscribers", "Subscribers", arena_printf(a, "%u", subscribers(n)));
	contact = form_field(a, form, "jid-multi", "pubsub#contact", "Whom to ask", STR_NONE);
	while (rest.n)
		xml_add_text(a, contact, "value", arena_str(a, str_cut(rest, '\n', &rest)));
	add_jids(a, form, "pubsub#owner", "Owners", n, AFFIL_OWNER);
	add_jids(a, form, "pubsub#publisher", "Publishers", n, AFFIL_PUBLISHER);
}

static void add_features(struct arena *a, struct xml *query)
{
	for (const char *const *f = FEATURES; *f; f++)
		xml_set(a, xml_add(a, query, "feature", NULL), "var", str_of(*f));
}

static void identity(struct arena *a, struct xml *query, const char *type, const char *name)
{
	struct xml *el = xml_add(a, query, "identity", NULL);

	xml_set(a, el, "category", STR("pubsub"));
	xml_set(a, el, "type", str_of(type));
	if (name && name[0])
		xml_set(a, el, "name", str_of(name));
}

static void node_info(struct iq *iq, const struct ps_node *n)
{
	struct arena *a = core_arena(iq->core);
	struct xml *query = xml_new(a, "query", NS_DISCO_INFO);

	xml_set(a, query, "node", n->name);
	identity(a, query, "leaf", n->cfg.title);
	add_features(a, query);
	metadata(a, query, n);
	iq_result(iq, query);
}

/* Names of items for those who may read them; an empty list for those who may only know of the node. */
static void node_items(struct iq *iq, struct ps_node *n)
{
	struct arena *a = core_arena(iq->core);
	struct xml *query = xml_new(a, "query", NS_DISCO_ITEMS);
	bool sees = ps_may_see(n, jid_bare(iq->st->from), false).ok;

	xml_set(a, query, "node", n->name);
	for (uint32_t i = 0; sees && i < n->items_n; i++) {
		struct xml *el = xml_add(a, query, "item", NULL);

		xml_set(a, el, "jid", n->host->jid.full);
		xml_set(a, el, "name", n->items[i]->id);
	}
	iq_result(iq, query);
}

/* ---- a host ---- */

static int by_name(const void *a, const void *b)
{
	return str_cmp((*(struct ps_node *const *)a)->name, (*(struct ps_node *const *)b)->name);
}

/* The nodes that the asker may find, by name. */
static struct ps_node **nodes_of(struct ps_host *h, struct jid who, size_t *out_n)
{
	struct ps_node **v = arena_alloc(core_arena(h->core), (h->nodes.n + 1) * sizeof(struct ps_node *));
	struct str key;
	uint32_t pos = 0;
	size_t n = 0;
	void *value;

	while (map_next(&h->nodes, &pos, &key, &value))
		if (ps_may_find(value, who))
			v[n++] = value;
	qsort(v, n, sizeof(struct ps_node *), by_name);
	*out_n = n;
	return v;
}

static void add_node(struct xml *query, const struct ps_node *n)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *el = xml_add(a, query, "item", NULL);

	xml_set(a, el, "jid", n->host->jid.full);
	xml_set(a, el, "node", n->name);
	if (n->cfg.title[0])
		xml_set(a, el, "name", str_of(n->cfg.title));
}

/* A page by XEP-0059, of names; what does not fit into one answer is told of too. */
static void add_nodes(struct ps_host *h, struct jid who, const struct rsm *q, struct xml *query)
{
	struct arena *a = core_arena(h->core);
	size_t all, lo = 0, hi, max = q->max < DISCO_PAGE ? q->max : DISCO_PAGE;
	struct ps_node **v = nodes_of(h, who, &all);

	hi = all;
	while (q->has_after && lo < all && str_cmp(v[lo]->name, q->after) <= 0)
		lo++;
	while (q->has_before && q->before.n && hi > lo && str_cmp(v[hi - 1]->name, q->before) >= 0)
		hi--;
	if (hi - lo > max && q->has_before)
		lo = hi - max;
	else if (hi - lo > max)
		hi = lo + max;
	for (size_t i = lo; i < hi; i++)
		add_node(query, v[i]);
	if (q->present || hi - lo < all)
		rsm_add(a, query, hi > lo ? v[lo]->name : STR_NONE, hi > lo ? v[hi - 1]->name : STR_NONE, hi > lo ? (int64_t)lo : -1,
			(int64_t)all);
}

/* A node that the asker may not find is not there for him. */
static bool run(struct ps_host *h, struct iq *iq)
{
	struct ps_node *n;
	bool items = str_is(iq->el->ns, NS_DISCO_ITEMS);

	if (!ps_host_ready(h))
		return false;
	n = ps_node_get(h, xml_get(iq->el, "node"));
	if (!n || !ps_may_find(n, jid_bare(iq->st->from))) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		return true;
	}
	if (items && !ps_items_ready(n))
		return false;
	if (items)
		node_items(iq, n);
	else
		node_info(iq, n);
	return true;
}

bool ps_disco(struct iq *iq)
{
	if (!iq->user)
		return false;
	ps_iq_do(ps_host_of(iq->user), iq, run);
	return true;
}

/* The list of an account's nodes: loaded first, then the whole request is made anew. */
static bool again(struct ps_host *h, struct iq *iq)
{
	if (!ps_host_ready(h))
		return false;
	iq_dispatch(iq->core, iq->session, iq->user, iq->st, iq->target);
	return true;
}

bool ps_disco_items(struct iq *iq, struct xml *query)
{
	struct ps_host *h = iq->user ? ps_host_of(iq->user) : NULL;

	if (!h)
		return true;
	if (h->state != HOST_READY) {
		ps_iq_do(h, iq, again);
		return false;
	}
	add_nodes(h, jid_bare(iq->st->from), &(struct rsm){ .max = UINT32_MAX }, query);
	return true;
}

/* ---- pubsub.DOMAIN ---- */

static bool service_run(struct ps_host *h, struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	bool items = str_is(iq->el->ns, NS_DISCO_ITEMS);
	struct str node = xml_get(iq->el, "node");
	struct xml *query;
	struct rsm q;

	if (!ps_host_ready(h))
		return false;
	if (node.n && !str_is(node, NS_COMMANDS) && !str_is(node, NS_PUBSUB_GET_PENDING))
		return run(h, iq);
	query = xml_new(a, "query", items ? NS_DISCO_ITEMS : NS_DISCO_INFO);
	if (node.n)
		xml_set(a, query, "node", node);
	if (items && str_is(node, NS_COMMANDS)) {
		struct xml *el = xml_add(a, query, "item", NULL);

		xml_set(a, el, "jid", h->jid.full);
		xml_set(a, el, "node", STR(NS_PUBSUB_GET_PENDING));
		xml_set(a, el, "name", STR("Subscriptions that wait for approval"));
	} else if (items && rsm_parse(a, iq->el, &q)) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return true;
	} else if (items) {
		add_nodes(h, jid_bare(iq->st->from), &q, query);
	} else {
		identity(a, query, "service", "Publish-Subscribe");
		add_features(a, query);
		xml_set(a, xml_add(a, query, "feature", NULL), "var", STR(NS_COMMANDS));
	}
	iq_result(iq, query);
	return true;
}

void ps_service_disco(struct ps_host *h, struct iq *iq)
{
	ps_iq_do(h, iq, service_run);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0030 2.5.0 service discovery of the server and of accounts; XEP-0115 1.6.0 capabilities of the server in its stream features. */
#include <stdlib.h>

#include "core/caps.h"
#include "core/command.h"
#include "core/delegation.h"
#include "core/feature.h"
#include "core/roster.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { DISCO_MAX = 200 };

static const char CAPS_NODE[] = "https://anser.im/";

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All features of the domain or of an account, sorted, without doubles. */
static size_t collect(struct core *c, bool server, const char **v)
{
	size_t n = 0, kept = 0;

	v[n++] = NS_DISCO_INFO;
	v[n++] = NS_DISCO_ITEMS;
	for (const struct feature *const *f = c->env->features; *f; f++) {
		const char *const *list = server ? (*f)->disco_server : (*f)->disco_account;

		for (; list && *list && n < DISCO_MAX; list++)
			v[n++] = *list;
	}
	qsort(v, n, sizeof(*v), by_bytes);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(v[kept - 1], v[i]) != 0)
			v[kept++] = v[i];
	return kept;
}

static void identity(struct arena *a, struct xml *q, const char *category, const char *type, const char *name)
{
	struct xml *id = xml_add(a, q, "identity", NULL);

	xml_set(a, id, "category", str_of(category));
	xml_set(a, id, "type", str_of(type));
	if (name)
		xml_set(a, id, "name", str_of(name));
}

static void add_features(struct arena *a, struct xml *q, const char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		xml_set(a, xml_add(a, q, "feature", NULL), "var", str_of(v[i]));
}

static void add_forms(struct core *c, struct xml *q)
{
	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->disco_forms)
			(*f)->disco_forms(c, q);
}

/* XEP-0115 §5.1 over what the domain answers. */
static struct str server_ver(struct core *c)
{
	struct arena *a = core_arena(c);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);
	const char *v[DISCO_MAX];
	size_t n = collect(c, true, v);
	struct str ver;

	identity(a, q, "server", "im", "Anser");
	add_features(a, q, v, n);
	add_forms(c, q);
	must(!caps_verify(a, q, STR("sha-1"), &ver));
	return ver;
}

static bool node_is_caps(struct core *c, struct str node)
{
	struct arena *a = core_arena(c);

	return str_eq(node, arena_printf(a, "%s#%.*s", CAPS_NODE, STR_ARG(server_ver(c))));
}

/* Presence decides who may look at an account (XEP-0030 §8). */
static bool may_look(const struct iq *iq)
{
	return iq->target != TO_USER || roster_sees_us(roster_get(iq->user, jid_bare_str(iq->st->from)));
}

static void other_node(struct iq *iq)
{
	for (const struct feature *const *f = iq->core->env->features; *f; f++)
		if ((*f)->disco_node && (*f)->disco_node(iq))
			return;
	iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
}

static void account_identities(struct core *c, struct xml *q)
{
	identity(core_arena(c), q, "account", "registered", NULL);
	for (const struct feature *const *f = c->env->features; *f; f++)
		for (const struct disco_identity *i = (*f)->identities; i && i->category; i++)
			identity(core_arena(c), q, i->category, i->type, i->name);
}

static void info(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	const char *v[DISCO_MAX];
	bool server = iq->target == TO_SERVER;
	struct str node = xml_get(iq->el, "node");
	struct xml *q;
	size_t n;

	if (node.n && command_disco(iq, node))
		return;
	if (node.n && !server && delegation_take_as(iq, DELEGATION_BARE_INFO))
		return;
	if (node.n && !(server && node_is_caps(iq->core, node))) {
		other_node(iq);
		return;
	}
	if (!may_look(iq)) {
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	q = xml_new(a, "query", NS_DISCO_INFO);
	if (node.n)
		xml_set(a, q, "node", node);
	if (server)
		identity(a, q, "server", "im", "Anser");
	else
		account_identities(iq->core, q);
	n = collect(iq->core, server, v);
	add_features(a, q, v, n);
	if (server)
		add_forms(iq->core, q);
	if (!node.n)
		delegation_disco(iq, q);
	iq_result(iq, q);
}

static void service_items(struct iq *iq, struct xml *q)
{
	struct arena *a = core_arena(iq->core);

	for (const struct feature *const *f = iq->core->env->features; *f; f++) {
		const struct service *s = (*f)->service;
		struct xml *item;

		if (!s)
			continue;
		item = xml_add(a, q, "item", NULL);
		xml_set(a, item, "jid", arena_printf(a, "%s.%.*s", s->label, STR_ARG(jid_domain(iq->st->to))));
		xml_set(a, item, "name", str_of(s->name));
	}
	for (const struct feature *const *f = iq->core->env->features; *f; f++)
		if ((*f)->host_items)
			(*f)->host_items(iq->core, jid_domain(iq->st->to), q, a);
}

/* XEP-0030 §4: an account's available resources, for those who see its presence. */
static void resource_items(struct iq *iq, struct xml *q)
{
	struct arena *a = core_arena(iq->core);
	struct session *s;

	list_each(s, &iq->user->sessions, in_user)
		if (s->presence)
			xml_set(a, xml_add(a, q, "item", NULL), "jid", s->jid.full);
}

static void items(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct str node = xml_get(iq->el, "node");
	struct xml *q = xml_new(a, "query", NS_DISCO_ITEMS);

	if (iq->target != TO_SERVER && !str_is(node, NS_COMMANDS) && delegation_take_as(iq, DELEGATION_BARE_ITEMS))
		return;
	if (str_is(node, NS_COMMANDS)) {
		xml_set(a, q, "node", node);
		command_items(iq, q);
	} else if (node.n) {
		other_node(iq);
		return;
	} else if (iq->target == TO_SERVER) {
		service_items(iq, q);
	} else if (!may_look(iq)) {
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
		return;
	} else {
		resource_items(iq, q);
		for (const struct feature *const *f = iq->core->env->features; *f; f++)
			if ((*f)->disco_items && !(*f)->disco_items(iq, q))
				return;
	}
	iq_result(iq, q);
}

static void stream_features(struct core *c, struct xml *features, struct arena *a)
{
	struct xml *caps;

	if (c->env->components && c->env->components->delegating)
		return; /* features change with the components: nobody shall keep them */
	caps = xml_add(a, features, "c", NS_CAPS);
	xml_set(a, caps, "hash", STR("sha-1"));
	xml_set(a, caps, "node", str_of(CAPS_NODE));
	xml_set(a, caps, "ver", server_ver(c));
}

static const struct spec specs[] = { { "XEP-0030", "2.5.0" }, { "XEP-0115", "1.6.0" }, { NULL, NULL } };
static const struct iq_route routes[] = {
	{ NS_DISCO_INFO, "query", IQ_ROUTE_GET, TO_ANY, info },
	{ NS_DISCO_ITEMS, "query", IQ_ROUTE_GET, TO_ANY, items },
	{ 0 },
};

const struct feature feature_disco = {
	.name = "disco",
	.specs = specs,
	.iq = routes,
	.stream_features = stream_features,
};

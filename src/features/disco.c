/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0030 2.5.0 service discovery of the server and of accounts; XEP-0115 1.6.0 capabilities of the server in its stream features. */
#include <stdlib.h>

#include "core/command.h"
#include "core/feature.h"
#include "core/roster.h"
#include "crypto/hash.h"
#include "base/base64.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { DISCO_MAX = 200 };

static const char CAPS_NODE[] = "https://anser.im/";

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Strings of which each begins with a key and a <: by their keys, the shorter first. */
static int by_key(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t n = strcspn(x, "<"), m = strcspn(y, "<");
	int d = memcmp(x, y, n < m ? n : m);

	return d ? d : n != m ? (n < m ? -1 : 1) : strcmp(x, y);
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
			(*f)->disco_forms(c, c->env->domain, q);
}

/* ---- XEP-0115 §5.1 ---- */

/* Text of all children of this name but FORM_TYPE's field, each made by put, sorted; each ends with <. */
static void put_sorted(struct core *c, struct buf *out, const struct xml *el, const char *name,
	void (*put)(struct core *c, struct buf *out, const struct xml *el))
{
	struct arena *a = core_arena(c);
	const char *v[DISCO_MAX];
	size_t n = 0;

	for (struct xml *k = xml_child(el, name, NS_DATA); k && n < DISCO_MAX; k = xml_next_same(k)) {
		struct buf text = { 0 };

		put(c, &text, k);
		v[n++] = arena_str(a, buf_view(&text)).p;
		buf_free(&text);
	}
	qsort(v, n, sizeof(*v), by_key);
	for (size_t i = 0; i < n; i++)
		buf_puts(out, v[i]);
}

static void put_value(struct core *c, struct buf *out, const struct xml *value)
{
	buf_str(out, xml_text_of(core_arena(c), value));
	buf_putc(out, '<');
}

static void put_field(struct core *c, struct buf *out, const struct xml *field)
{
	if (str_is(xml_get(field, "var"), "FORM_TYPE"))
		return;
	buf_str(out, xml_get(field, "var"));
	buf_putc(out, '<');
	put_sorted(c, out, field, "value", put_value);
}

static void put_form(struct core *c, struct buf *out, const struct xml *form)
{
	buf_str(out, form_value(core_arena(c), form, "FORM_TYPE"));
	buf_putc(out, '<');
	put_sorted(c, out, form, "field", put_field);
}

/* Over identity server/im, the features and the forms. */
static struct str server_ver(struct core *c)
{
	struct xml *forms = xml_new(core_arena(c), "query", NS_DISCO_INFO);
	const char *v[DISCO_MAX];
	size_t n = collect(c, true, v);
	struct buf s = { 0 };
	uint8_t sha1[HASH_MAX];
	struct str ver;

	buf_puts(&s, "server/im//Anser<");
	for (size_t i = 0; i < n; i++) {
		buf_puts(&s, v[i]);
		buf_putc(&s, '<');
	}
	add_forms(c, forms);
	put_sorted(c, &s, forms, "x", put_form);
	hash(HASH_SHA1, buf_view(&s), sha1);
	ver = base64_encode(core_arena(c), (struct str){ (char *)sha1, hash_size(HASH_SHA1) });
	buf_free(&s);
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
	if (node.n && !(server && node_is_caps(iq->core, node))) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
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
		identity(a, q, "account", "registered", NULL);
	n = collect(iq->core, server, v);
	add_features(a, q, v, n);
	if (server)
		add_forms(iq->core, q);
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

	if (str_is(node, NS_COMMANDS)) {
		xml_set(a, q, "node", node);
		command_items(iq, q);
	} else if (node.n) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		return;
	} else if (iq->target == TO_SERVER) {
		service_items(iq, q);
	} else if (!may_look(iq)) {
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
		return;
	} else {
		resource_items(iq, q);
	}
	iq_result(iq, q);
}

static void stream_features(struct core *c, struct xml *features, struct arena *a)
{
	struct xml *caps = xml_add(a, features, "c", NS_CAPS);

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

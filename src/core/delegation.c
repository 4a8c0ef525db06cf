/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0355: namespaces that components answer for. */
#include "core/delegation.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/ask.h"
#include "core/iq.h"
#include "core/user.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"

/* What a component has for one of its namespaces: each shard keeps the answers. */
struct nest {
	struct nest *next;
	const struct component *cp;
	uint8_t index; /* of cp->delegated */
	bool bare;     /* for accounts; else for the server */
	struct blob *text; /* <query/> */
};

/* ---- which requests ---- */

static bool is_special(struct str ns)
{
	return str_starts(ns, STR(NS_DELEGATION ":bare:"));
}

static bool fits(const struct grant *g, const struct xml *payload)
{
	if (!str_eq(g->ns, payload->ns))
		return false;
	for (uint8_t i = 0; i < g->attrs_n; i++) {
		bool there = false;

		for (const struct xml_attr *attr = payload->attrs; attr && !there; attr = attr->next)
			there = !attr->ns.n && str_eq(attr->name, g->attrs[i]);
		if (!there)
			return false;
	}
	return true;
}

bool delegation_is_to(const struct component *cp, const struct xml *payload)
{
	for (uint8_t i = 0; i < cp->delegated_n; i++)
		if (fits(&cp->delegated[i], payload))
			return true;
	return false;
}

/* The domain that the request is for. */
static struct str domain_of(const struct iq *iq)
{
	return jid_domain(iq->user ? iq->user->jid : iq->st->to);
}

static bool has_name(const struct component *cp, const char *name)
{
	for (uint8_t i = 0; i < cp->delegated_n; i++)
		if (str_is(cp->delegated[i].ns, name))
			return true;
	return false;
}

/* name NULL: by the payload. */
static struct component *manager(const struct iq *iq, const char *name)
{
	const struct components *cs = iq->core->env->components;

	for (int i = 0; i < cs->n; i++) {
		struct component *cp = cs->v[i];

		if (str_eq(cp->host->domain, domain_of(iq)) && (name ? has_name(cp, name) : delegation_is_to(cp, iq->el)))
			return cp;
	}
	return NULL;
}

/* ---- forwarding ---- */

/* The component's answer, checked as "Server Forwards Delegated IQ Stanza" says. Returns the result inside, or NULL. */
static struct xml *good_answer(struct core *c, const struct iq *iq, struct stanza *reply)
{
	struct arena *a = core_arena(c);
	struct xml *tree = reply && reply->type == IQ_RESULT ? stanza_tree(reply, a) : NULL;
	struct xml *d = tree ? xml_child(tree, "delegation", NS_DELEGATION) : NULL, *f = d ? xml_child(d, "forwarded", NS_FORWARD) : NULL;
	struct xml *inner = f ? xml_child(f, "iq", NS_CLIENT) : NULL;
	struct jid to, from = iq->st->to;

	if (!inner || !str_is(xml_get(inner, "type"), "result") || !str_eq(xml_get(inner, "id"), iq->st->id))
		return NULL;
	if (jid_parse(a, xml_get(inner, "to"), &to) || !jid_eq(to, iq->st->from))
		return NULL;
	if (xml_get(inner, "from").p && (jid_parse(a, xml_get(inner, "from"), &from) || !jid_eq(from, iq->st->to)))
		return NULL;
	return inner;
}

static void on_answer(struct core *c, struct stanza *reply, void *arg)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct xml *inner = good_answer(c, iq, reply), *child = inner ? xml_child_any(inner) : NULL;

	if (!inner || (child && xml_next(child)))
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
	else
		iq_result(iq, child ? xml_copy(core_arena(c), child) : NULL);
	iq_held_free(h);
}

static void forward(struct iq *iq, struct component *cp)
{
	struct core *c = iq->core;
	struct arena *a = core_arena(c);
	struct xml *d = xml_new(a, "delegation", NS_DELEGATION), *copy = xml_copy(a, stanza_tree(iq->st, a));
	struct iq_held *h = iq_hold(iq, NULL);
	struct question q = { jid_trust(cp->host->domain), jid_trust(cp->name), IQ_SET, d, on_answer, h, 0 };

	xml_set(a, copy, "from", iq->st->from.full);
	xml_set(a, copy, "to", iq->st->to.full);
	xml_append(xml_add(a, d, "forwarded", NS_FORWARD), copy);
	if (iq_ask(c, &q)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

static bool take(struct iq *iq, const char *name)
{
	const struct components *cs = iq->core->env->components;
	struct component *cp;

	if (!cs || !cs->delegating || (iq->st->flags & SF_UNDELEGATED))
		return false;
	cp = manager(iq, name);
	if (!cp || str_eq(jid_domain(iq->st->from), cp->name))
		return false;
	forward(iq, cp);
	return true;
}

bool delegation_take(struct iq *iq)
{
	return take(iq, NULL);
}

bool delegation_take_as(struct iq *iq, const char *name)
{
	return take(iq, name);
}

/* ---- discovery ---- */

struct nest_mail {
	struct mail mail;
	struct nest nest; /* text NULL: forget all of cp */
};

static void forget(struct core *c, const struct nest *what, bool all)
{
	struct nest **at = (struct nest **)&c->slot[SLOT_COMPONENTS];

	while (*at) {
		struct nest *n = *at;

		if (n->cp != what->cp || (!all && (n->index != what->index || n->bare != what->bare))) {
			at = &n->next;
			continue;
		}
		*at = n->next;
		blob_unref(n->text);
		free(n);
	}
}

static void discard_nest(struct mail *m)
{
	struct nest_mail *nm = container_of(m, struct nest_mail, mail);

	blob_unref(nm->nest.text);
	free(nm);
}

static void handle_nest(struct shard *s, struct mail *m)
{
	struct nest_mail *nm = container_of(m, struct nest_mail, mail);
	struct nest *n;

	if (s->core) {
		forget(s->core, &nm->nest, !nm->nest.text);
		if (nm->nest.text) {
			n = mem_alloc(sizeof(*n));
			*n = nm->nest;
			n->text = blob_ref(nm->nest.text);
			n->next = s->core->slot[SLOT_COMPONENTS];
			s->core->slot[SLOT_COMPONENTS] = n;
		}
	}
	discard_nest(m);
}

static const struct mail_kind MAIL_NEST = { .name = "delegation.nest", .handle = handle_nest, .discard = discard_nest, .must_arrive = true };

static void tell_all(struct core *c, const struct nest *what)
{
	for (int i = 0; i < c->env->shards->n; i++) {
		struct nest_mail *nm = mem_zalloc(sizeof(*nm));

		nm->mail.kind = &MAIL_NEST;
		nm->nest = *what;
		nm->nest.text = what->text ? blob_ref(what->text) : NULL;
		shard_post(c->env->shards->v[i], &nm->mail);
	}
}

static void on_disco(struct core *c, struct stanza *reply, void *arg)
{
	struct nest *n = arg;
	struct xml *tree = reply && reply->type == IQ_RESULT ? stanza_tree(reply, core_arena(c)) : NULL;
	struct xml *q = tree ? xml_child(tree, "query", NS_DISCO_INFO) : NULL;
	struct buf text = { 0 };

	if (q && n->cp->live) {
		xml_write(&text, q, STR_NONE);
		n->text = blob_new(text.p, text.n);
		buf_free(&text);
		tell_all(c, n);
		blob_unref(n->text);
	}
	free(n);
}

static void ask_features(struct core *c, struct component *cp, uint8_t index, bool bare)
{
	struct arena *a = core_arena(c);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);
	struct nest *n = mem_zalloc(sizeof(*n));
	struct question ask = { jid_trust(cp->host->domain), jid_trust(cp->name), IQ_GET, q, on_disco, n, 0 };

	n->cp = cp;
	n->index = index;
	n->bare = bare;
	xml_set(a, q, "node", arena_printf(a, NS_DELEGATION "%s%.*s", bare ? ":bare:" : "::", STR_ARG(cp->delegated[index].ns)));
	if (iq_ask(c, &ask))
		free(n);
}

void delegation_attached(struct core *c, struct component *cp)
{
	struct arena *a = core_arena(c);
	struct stanza st;
	struct xml *d;

	if (!cp->delegated_n)
		return;
	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &st);
	st.from = jid_trust(cp->host->domain);
	st.id = random_token(a, 9);
	d = xml_add(a, st.el, "delegation", NS_DELEGATION);
	for (uint8_t i = 0; i < cp->delegated_n; i++) {
		struct xml *el = xml_add(a, d, "delegated", NULL);

		xml_set(a, el, "namespace", cp->delegated[i].ns);
		for (uint8_t k = 0; k < cp->delegated[i].attrs_n; k++)
			xml_set(a, xml_add(a, el, "attribute", NULL), "name", cp->delegated[i].attrs[k]);
	}
	component_tell(c, cp, &st);
	stanza_fini(&st);
	for (uint8_t i = 0; i < cp->delegated_n; i++) {
		if (is_special(cp->delegated[i].ns))
			continue;
		ask_features(c, cp, i, false);
		ask_features(c, cp, i, true);
	}
}

void delegation_detached(struct core *c, struct component *cp)
{
	if (cp->delegated_n)
		tell_all(c, &(struct nest){ .cp = cp });
}

void delegation_free(struct core *c)
{
	struct nest *n;

	while ((n = c->slot[SLOT_COMPONENTS])) {
		c->slot[SLOT_COMPONENTS] = n->next;
		blob_unref(n->text);
		free(n);
	}
}

/* "NS" itself or "NS#something". */
static bool is_within(struct str name, struct str ns)
{
	return str_starts(name, ns) && (name.n == ns.n || name.p[ns.n] == '#');
}

/* Is this child of our answer about the namespace? */
static bool is_about(struct arena *a, const struct xml *child, struct str ns)
{
	if (str_is(child->name, "feature"))
		return is_within(xml_get(child, "var"), ns);
	if (str_is(child->name, "identity"))
		return str_is(ns, NS_PUBSUB) && str_is(xml_get(child, "category"), "pubsub");
	xml_each(field, child)
		if (str_is(xml_get(field, "var"), "FORM_TYPE"))
			return is_within(xml_child_text(a, field, "value", NULL), ns);
	return false;
}

static bool has_feature(const struct xml *query, struct str var)
{
	xml_each(f, query)
		if (str_is(f->name, "feature") && str_eq(xml_get(f, "var"), var))
			return true;
	return false;
}

static void add_nested(struct arena *a, struct xml *query, const struct nest *n)
{
	struct xml *theirs;

	if (xml_parse(a, blob_view(n->text), &theirs))
		return;
	xml_each(child, theirs) {
		bool feature = xml_is(child, "feature", NS_DISCO_INFO);

		if (feature ? !has_feature(query, xml_get(child, "var"))
			    : xml_is(child, "identity", NS_DISCO_INFO) || xml_is(child, "x", NS_DATA))
			xml_append(query, xml_copy(a, child));
	}
}

void delegation_disco(const struct iq *iq, struct xml *query)
{
	struct core *c = iq->core;
	const struct components *cs = c->env->components;
	struct arena *a = core_arena(c);
	struct xml *next;

	if (!cs || !cs->delegating)
		return;
	for (int i = 0; i < cs->n; i++) {
		for (uint8_t k = 0; k < cs->v[i]->delegated_n && str_eq(cs->v[i]->host->domain, domain_of(iq)); k++) {
			for (struct xml *child = xml_child_any(query); child; child = next) {
				next = xml_next(child);
				if (is_about(a, child, cs->v[i]->delegated[k].ns))
					xml_detach(child);
			}
		}
	}
	for (const struct nest *n = c->slot[SLOT_COMPONENTS]; n; n = n->next)
		if (n->bare == (iq->target != TO_SERVER) && str_eq(n->cp->host->domain, domain_of(iq)))
			add_nested(a, query, n);
}

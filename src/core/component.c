/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Components: who serves a domain, and what passes between it and the server. The table is core/component_config.c. */
#include "core/component.h"

#include <errno.h>

#include "base/log.h"
#include "base/metrics.h"
#include "core/delegation.h"
#include "core/privilege.h"
#include "proto/xmpp/ns.h"

static bool is_below(struct str domain, struct str name)
{
	if (domain.n <= name.n || domain.p[domain.n - name.n - 1] != '.')
		return false;
	return memcmp(domain.p + domain.n - name.n, name.p, name.n) == 0;
}

struct component *core_component(const struct core *c, struct str domain)
{
	const struct components *cs = c->env->components;
	struct component *best = NULL;

	for (int i = 0; cs && i < cs->n; i++) {
		struct component *cp = cs->v[i];

		if (str_eq(domain, cp->name))
			return cp;
		if (is_below(domain, cp->name) && (!best || cp->name.n > best->name.n))
			best = cp;
	}
	return best;
}

struct component *component_of(const struct core *c, struct jid from)
{
	struct component *cp = core_component(c, from.full);

	return cp && str_eq(from.full, cp->name) ? cp : NULL;
}

/* ---- to the component ---- */

/* A probe learns that nobody is there; for the rest a process that is away for a moment is a service that is away. */
static void away(struct component *cp, struct transit *t)
{
	struct stanza *st = t->st, gone;

	if (st->kind != ST_PRESENCE || st->type != PRES_PROBE) {
		router_error(t->core, st, ERR_SERVICE_UNAVAILABLE, "Nobody serves this address now.");
		return;
	}
	stanza_new(core_arena(t->core), ST_PRESENCE, PRES_UNAVAILABLE, &gone);
	gone.from = st->to;
	gone.to = st->from;
	router_route(t->core, &gone);
	stanza_fini(&gone);
}

static bool is_full(struct component *cp)
{
	bool full = cp->ops->pending(cp->link) > COMPONENT_OUT_MAX;

	if (full)
		metric_add(M_RATE_LIMITED, 1);
	return full;
}

static void send(struct core *c, struct component *cp, struct stanza *st)
{
	struct buf *head = &c->scratch;

	head->n = 0;
	stanza_write_head(head, st, NULL);
	cp->ops->send(cp->link, buf_view(head), blob_view(stanza_tail(st)));
	metric_add(M_STANZAS_OUT, 1);
}

void component_deliver(struct component *cp, struct transit *t)
{
	if (!cp->link)
		away(cp, t);
	else if (is_full(cp))
		router_error(t->core, t->st, ERR_RESOURCE_CONSTRAINT, "The service reads too slowly; try again in a moment.");
	else
		send(t->core, cp, t->st);
	transit_finish(t);
}

void component_drop_to(struct core *c, struct component *cp, struct stanza *st)
{
	st->to = jid_trust(cp->name);
	if (cp->link && !is_full(cp))
		send(c, cp, st);
}

void component_tell(struct core *c, struct component *cp, struct stanza *st)
{
	st->to = jid_trust(cp->name);
	router_route(c, st);
}

/* ---- its stream ---- */

int component_attach(struct core *c, struct component *cp, const struct component_ops *ops, void *link)
{
	must(cp->home == c->shard);
	if (cp->link)
		return -EEXIST;
	cp->ops = ops;
	cp->link = link;
	atomic_fetch_add(&cp->epoch, 1);
	atomic_store(&cp->live, true);
	return 0;
}

void component_detach(struct core *c, struct component *cp)
{
	cp->link = NULL;
	atomic_store(&cp->live, false);
	privilege_detached(cp);
	delegation_detached(c, cp);
}

/* ---- from the component ---- */

/* XEP-0359 §6: ids of this server's entities are made here only. */
static void take_out_ids(struct core *c, struct stanza *st)
{
	struct arena *a = core_arena(c);
	struct xml *next;
	struct jid by;

	for (struct xml *child = xml_child_any(st->el); child; child = next) {
		next = xml_next(child);
		if (xml_is(child, "stanza-id", NS_SID) && !jid_parse(a, xml_get(child, "by"), &by) && core_host_of(c, jid_domain(by)))
			xml_detach(child);
	}
}

/* RFC 6120 §8.2.3. */
static bool iq_shape_ok(const struct stanza *st)
{
	struct xml *first = xml_child_any(st->el);

	if (st->kind != ST_IQ)
		return true;
	return st->id.p && (st->type >= IQ_RESULT || (first && !xml_next(first)));
}

static void refuse(struct core *c, struct component *cp, struct stanza *st, enum stanza_error e)
{
	if (!st->to.full.n)
		st->to = jid_trust(cp->host->domain);
	router_error(c, st, e, NULL);
}

/* May it send from this domain: its own and those below that nobody else serves? */
static bool is_its_own(struct core *c, const struct component *cp, struct str domain)
{
	return core_component(c, domain) == cp && !core_host_of(c, domain);
}

int component_receive(struct core *c, struct component *cp, struct xml *el)
{
	struct stanza st = { 0 };
	int shape;

	if (!str_is(el->ns, NS_COMPONENT) && !str_is(el->ns, NS_CLIENT))
		return -EINVAL;
	if (!str_is(el->name, "message") && !str_is(el->name, "presence") && !str_is(el->name, "iq"))
		return -EINVAL;
	if (!xml_get(el, "from").n || !xml_get(el, "to").n)
		return -EDESTADDRREQ;
	shape = stanza_from_xml(core_arena(c), el, &st);
	if (shape == -EPERM || !is_its_own(c, cp, jid_domain(st.from)))
		return -EACCES;
	metric_add(M_STANZAS_IN, 1);
	if (shape == -EINVAL) {
		refuse(c, cp, &st, ERR_JID_MALFORMED);
	} else if (shape || !iq_shape_ok(&st)) {
		refuse(c, cp, &st, ERR_BAD_REQUEST);
	} else if (st.kind == ST_MESSAGE && st.to.node_n == 0 && core_host(c, jid_domain(st.to)) && xml_child(el, "privilege", NS_PRIVILEGE)) {
		privilege_message(c, cp, &st);
	} else if (st.kind == ST_IQ && !jid_is_bare(st.to) && xml_child(el, "privileged_iq", NS_PRIVILEGE)) {
		refuse(c, cp, &st, ERR_FORBIDDEN);
	} else {
		if (st.kind == ST_MESSAGE) {
			take_out_ids(c, &st);
			stanza_scan(&st);
		}
		router_route(c, &st);
	}
	stanza_fini(&st);
	return 0;
}

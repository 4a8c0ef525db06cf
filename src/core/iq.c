/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Dispatch of IQ requests by payload, and their answers. */
#include "core/iq.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "core/ask.h"
#include "core/delegation.h"
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static void reply(struct iq *iq, struct stanza *r)
{
	struct session *s = iq->session;

	/* The server answers for the account or itself: `from` is what was asked. */
	if (s && jid_eq(r->to, s->jid))
		session_send(s, r, NULL);
	else
		router_route(iq->core, r);
	stanza_fini(r);
}

void iq_result(struct iq *iq, struct xml *child)
{
	struct stanza r;

	stanza_result(core_arena(iq->core), iq->st, &r);
	if (child)
		xml_append(r.el, child);
	stanza_touched(&r);
	reply(iq, &r);
}

void iq_error_app(struct iq *iq, enum stanza_error e, const char *text, struct xml *app)
{
	struct stanza r;

	if (!stanza_error_reply(core_arena(iq->core), iq->st, e, text, &r))
		return;
	if (app)
		xml_append(xml_child(r.el, "error", NS_CLIENT), app);
	stanza_touched(&r);
	metric_add(M_STANZA_ERRORS, 1);
	reply(iq, &r);
}

void iq_error(struct iq *iq, enum stanza_error e, const char *text)
{
	iq_error_app(iq, e, text, NULL);
}

void iq_blocked(struct core *c, struct stanza *st)
{
	struct arena *a = core_arena(c);
	struct iq iq = { .core = c, .st = st };

	iq_error_app(&iq, ERR_NOT_ACCEPTABLE, NULL, xml_new(a, "blocked", NS_BLOCKING_ERRORS));
}

struct iq_held *iq_hold(struct iq *iq, void *arg)
{
	struct iq_held *h = mem_zalloc(sizeof(*h));

	h->packed = stanza_pack(iq->st);
	must(!stanza_unpack(blob_view(h->packed), &h->st));
	h->iq = *iq;
	h->session_id = iq->session ? iq->session->id : 0;
	h->user_jid = iq->user ? (struct str){ str_dup(iq->user->jid.full), iq->user->jid.full.n } : STR_NONE;
	h->arg = arg;
	return h;
}

struct iq *iq_wake(struct iq_held *h)
{
	struct core *c = h->iq.core;
	struct xml *el;

	h->st.el = NULL; /* an earlier turn's tree is gone with its arena */
	el = stanza_tree(&h->st, core_arena(c));

	h->iq.st = &h->st;
	h->iq.el = el ? xml_child_any(el) : NULL;
	h->iq.session = h->session_id ? session_get(c, h->session_id) : NULL;
	h->iq.user = h->user_jid.p ? user_find(c, h->user_jid) : NULL;
	return &h->iq;
}

void iq_held_free(struct iq_held *h)
{
	stanza_fini(&h->st);
	blob_unref(h->packed);
	free((void *)h->user_jid.p);
	free(h);
}

static const struct iq_route *find_in(const struct iq_route *routes, const struct iq *iq)
{
	uint8_t type = iq->st->type == IQ_GET ? IQ_ROUTE_GET : IQ_ROUTE_SET;

	for (const struct iq_route *r = routes; r && r->ns; r++)
		if ((r->targets & iq->target) && (r->types & type) && str_is(iq->el->ns, r->ns) &&
			(!r->name || str_is(iq->el->name, r->name)))
			return r;
	return NULL;
}

/* Fills the payload. Returns false when st is an answer to a request of ours, or a bad request that was answered. */
static bool read_request(struct iq *iq)
{
	struct xml *tree;

	if (iq->st->type != IQ_GET && iq->st->type != IQ_SET) {
		ask_answered(iq->core, iq->st);
		return false;
	}
	tree = stanza_tree(iq->st, core_arena(iq->core));
	iq->el = tree ? xml_child_any(tree) : NULL;
	if (!iq->el)
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	return iq->el;
}

void iq_dispatch(struct core *c, struct session *from_session, struct user *u, struct stanza *st, enum iq_target target)
{
	struct iq iq = { .core = c, .session = from_session, .user = u, .st = st, .target = target };

	if (!read_request(&iq) || delegation_take(&iq))
		return;
	for (const struct feature *const *f = c->env->features; *f; f++) {
		const struct iq_route *r = find_in((*f)->iq, &iq);

		if (r) {
			r->handle(&iq);
			return;
		}
	}
	iq_error(&iq, ERR_SERVICE_UNAVAILABLE, NULL); /* RFC 6120 §8.4 */
}

/* ---- changes that are answered when they are durable ---- */

struct commit {
	struct iq_held *held;
	iq_fn *done; /* NULL: an empty result */
};

static void on_committed(struct shard *s, void *arg, int status)
{
	struct commit *w = arg;
	struct iq *iq = iq_wake(w->held);

	(void)s;
	if (status)
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The server could not store this; try again later.");
	else if (w->done)
		w->done(iq);
	else
		iq_result(iq, NULL);
	iq_held_free(w->held);
	free(w);
}

void iq_commit(struct iq *iq, struct store_batch *b, iq_fn *done)
{
	struct commit *w = mem_alloc(sizeof(*w));

	*w = (struct commit){ iq_hold(iq, NULL), done };
	if (store_commit(iq->core->env->store, iq->core->shard, b, on_committed, w))
		on_committed(iq->core->shard, w, -EBUSY);
}

/* ---- services ---- */

void iq_dispatch_routes(struct core *c, struct stanza *st, const struct iq_route *routes)
{
	struct iq iq = { .core = c, .st = st, .target = TO_SERVER };
	const struct iq_route *r;

	if (!read_request(&iq))
		return;
	r = find_in(routes, &iq);
	if (r)
		r->handle(&iq);
	else
		iq_error(&iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

void iq_only(struct core *c, struct transit *t, const struct iq_route *routes)
{
	if (t->st->to.node_n && t->st->kind != ST_PRESENCE)
		router_error(c, t->st, ERR_ITEM_NOT_FOUND, NULL);
	else if (t->st->kind == ST_IQ)
		iq_dispatch_routes(c, t->st, routes);
	else if (t->st->kind == ST_MESSAGE)
		router_error(c, t->st, ERR_SERVICE_UNAVAILABLE, NULL);
	transit_finish(t);
}

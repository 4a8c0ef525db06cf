/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests of XEP-0060 1.30.0: which verb, what it needs, who may; and their answers. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "features/pubsub/pubsub.h"

enum { NEEDS_NODE = 1, OWNERS = 2, NEEDS_ITEMS = 4 };

static const struct verb {
	const char *ns, *name;
	uint8_t types, flags;
	ps_verb_fn *run;
} VERBS[] = {
	{ NS_PUBSUB, "create", IQ_ROUTE_SET, 0, ps_create },
	{ NS_PUBSUB, "publish", IQ_ROUTE_SET, 0, ps_publish },
	{ NS_PUBSUB, "retract", IQ_ROUTE_SET, NEEDS_NODE | NEEDS_ITEMS, ps_retract },
	{ NS_PUBSUB, "subscribe", IQ_ROUTE_SET, NEEDS_NODE, ps_subscribe },
	{ NS_PUBSUB, "unsubscribe", IQ_ROUTE_SET, NEEDS_NODE, ps_unsubscribe },
	{ NS_PUBSUB, "options", IQ_ROUTE_GET, NEEDS_NODE, ps_options_get },
	{ NS_PUBSUB, "options", IQ_ROUTE_SET, NEEDS_NODE, ps_options_set },
	{ NS_PUBSUB, "default", IQ_ROUTE_GET, 0, ps_default_sub },
	{ NS_PUBSUB, "items", IQ_ROUTE_GET, NEEDS_NODE, ps_items },
	{ NS_PUBSUB, "subscriptions", IQ_ROUTE_GET, 0, ps_subscriptions },
	{ NS_PUBSUB, "affiliations", IQ_ROUTE_GET, 0, ps_affiliations },
	{ NS_PUBSUB_OWNER, "configure", IQ_ROUTE_GET, NEEDS_NODE | OWNERS, ps_configure_get },
	{ NS_PUBSUB_OWNER, "configure", IQ_ROUTE_SET, NEEDS_NODE | OWNERS | NEEDS_ITEMS, ps_configure_set },
	{ NS_PUBSUB_OWNER, "default", IQ_ROUTE_GET, 0, ps_default },
	{ NS_PUBSUB_OWNER, "delete", IQ_ROUTE_SET, NEEDS_NODE | OWNERS | NEEDS_ITEMS, ps_delete },
	{ NS_PUBSUB_OWNER, "purge", IQ_ROUTE_SET, NEEDS_NODE | OWNERS | NEEDS_ITEMS, ps_purge },
	{ NS_PUBSUB_OWNER, "affiliations", IQ_ROUTE_GET, NEEDS_NODE | OWNERS, ps_owner_affils_get },
	{ NS_PUBSUB_OWNER, "affiliations", IQ_ROUTE_SET, NEEDS_NODE | OWNERS, ps_owner_affils_set },
	{ NS_PUBSUB_OWNER, "subscriptions", IQ_ROUTE_GET, NEEDS_NODE | OWNERS, ps_owner_subs_get },
	{ NS_PUBSUB_OWNER, "subscriptions", IQ_ROUTE_SET, NEEDS_NODE | OWNERS, ps_owner_subs_set },
};

/* ---- answers ---- */

static struct xml *condition(struct ps_req *r, const char *cond)
{
	return cond ? xml_new(r->a, cond, NS_PUBSUB_ERRORS) : NULL;
}

/* Where the tables of XEP-0060 have another type than RFC 6120. */
static const struct {
	enum stanza_error e;
	const char *type;
} TYPES[] = { { ERR_UNEXPECTED_REQUEST, "cancel" }, { ERR_POLICY_VIOLATION, "wait" } };

static void send_error(struct ps_req *r, enum stanza_error e, struct xml *cond)
{
	struct stanza err;
	struct xml *el;

	if (!stanza_error_reply(r->a, r->iq->st, e, NULL, &err))
		return;
	el = xml_child(err.el, "error", NS_CLIENT);
	for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
		if (TYPES[i].e == e)
			xml_set(r->a, el, "type", str_of(TYPES[i].type));
	if (cond)
		xml_append(el, cond);
	stanza_touched(&err);
	metric_add(M_STANZA_ERRORS, 1);
	router_route(r->iq->core, &err);
	stanza_fini(&err);
}

void ps_error(struct ps_req *r, enum stanza_error e, const char *cond)
{
	send_error(r, e, condition(r, cond));
}

void ps_unsupported(struct ps_req *r, const char *feature)
{
	struct xml *el = condition(r, "unsupported");

	xml_set(r->a, el, "feature", str_of(feature));
	send_error(r, ERR_FEATURE_NOT_IMPLEMENTED, el);
}

/* A result that goes out when what it tells of is on disk. */
struct answer {
	struct blob *packed;
	struct ps_ref *ref;
};

static void on_durable(struct shard *s, void *arg, int status)
{
	struct answer *w = arg;
	struct ps_host *h = ps_ref_host(s->core, w->ref);
	struct stanza st, err;

	if (status && h) {
		ps_host_reset(h);
		ps_host_pump(h);
	}
	if (!stanza_unpack(blob_view(w->packed), &st)) {
		if (status) {
			log_error("pubsub.not_stored", "error=%d next=\"the client is told\"", -status);
			stanza_new(core_arena(s->core), ST_IQ, IQ_ERROR, &err);
			err.from = st.from;
			err.to = st.to;
			err.id = st.id;
			stanza_error_add(core_arena(s->core), err.el, ERR_RESOURCE_CONSTRAINT,
				"The server could not store this; try again later.");
			router_route(s->core, &err);
			stanza_fini(&err);
		} else {
			router_route(s->core, &st);
		}
		stanza_fini(&st);
	}
	blob_unref(w->packed);
	free(w->ref);
	free(w);
}

void ps_answer(struct ps_host *h, struct iq *iq, struct store_batch *b, struct xml *child)
{
	struct core *c = h->core;
	struct answer *w;
	struct stanza st;

	if (!b) {
		iq_result(iq, child);
		return;
	}
	w = mem_zalloc(sizeof(*w));
	stanza_result(core_arena(c), iq->st, &st);
	if (child)
		xml_append(st.el, child);
	w->packed = stanza_pack(&st);
	w->ref = ps_ref_new(h, STR_NONE, NULL);
	stanza_fini(&st);
	if (store_commit(c->env->store, c->shard, b, on_durable, w)) {
		ps_host_reset(h);
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		blob_unref(w->packed);
		free(w->ref);
		free(w);
	}
}

static void on_committed(struct shard *s, void *arg, int status)
{
	struct ps_ref *ref = arg;
	struct ps_host *h = status ? ps_ref_host(s->core, ref) : NULL;

	if (status)
		log_error("pubsub.not_stored", "error=%d next=\"what is on disk holds\"", -status);
	if (h) {
		ps_host_reset(h);
		ps_host_pump(h);
	}
	free(ref);
}

void ps_commit(struct ps_host *h, struct store_batch *b)
{
	struct ps_ref *ref = ps_ref_new(h, STR_NONE, NULL);

	if (!store_commit(h->core->env->store, h->core->shard, b, on_committed, ref))
		return;
	ps_host_reset(h);
	free(ref);
}

struct xml *ps_reply(struct ps_req *r, const char *name, struct xml **out_verb)
{
	struct xml *pubsub = xml_new(r->a, "pubsub", str_is(r->pubsub->ns, NS_PUBSUB) ? NS_PUBSUB : NS_PUBSUB_OWNER);
	struct xml *el = xml_add(r->a, pubsub, name, NULL);

	if (r->node.n)
		xml_set(r->a, el, "node", r->node);
	if (out_verb)
		*out_verb = el;
	return pubsub;
}

bool ps_text_ok(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

/* ---- running a verb ---- */

static const struct verb *verb_of(struct ps_req *r)
{
	uint8_t type = r->iq->st->type == IQ_GET ? IQ_ROUTE_GET : IQ_ROUTE_SET;

	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++) {
		const struct verb *v = &VERBS[i];

		if (!(v->types & type) || !str_is(r->pubsub->ns, v->ns))
			continue;
		r->el = xml_child(r->pubsub, v->name, v->ns);
		if (r->el)
			return v;
	}
	return NULL;
}

/* Answers and returns false when the request cannot go on. */
static bool may_run(struct ps_req *r, const struct verb *v)
{
	if ((v->flags & NEEDS_NODE) && !r->node.n) {
		ps_error(r, ERR_BAD_REQUEST, "nodeid-required");
		return false;
	}
	if ((v->flags & NEEDS_NODE) && !r->n) {
		ps_error(r, ERR_ITEM_NOT_FOUND, NULL);
		return false;
	}
	if (r->n)
		r->affil = ps_affil_of(r->n, r->who);
	if ((v->flags & OWNERS) && r->affil != AFFIL_OWNER) {
		ps_error(r, ERR_FORBIDDEN, NULL);
		return false;
	}
	return true;
}

static bool run(struct ps_host *h, struct iq *iq)
{
	struct ps_req r = { .iq = iq, .a = core_arena(iq->core), .h = h, .pubsub = iq->el, .from = iq->st->from };
	const struct verb *v = verb_of(&r);

	if (!v) {
		ps_error(&r, xml_child_any(iq->el) ? ERR_FEATURE_NOT_IMPLEMENTED : ERR_BAD_REQUEST, NULL);
		return true;
	}
	if (!ps_host_ready(h))
		return false;
	r.who = jid_bare(r.from);
	r.node = xml_get(r.el, "node");
	r.n = ps_node_get(h, r.node);
	if (!may_run(&r, v))
		return true;
	if (r.n && (v->flags & NEEDS_ITEMS) && !ps_items_ready(r.n))
		return false;
	return v->run(&r);
}

/* ---- waiting ---- */

struct iq_job {
	struct ps_job job;
	struct iq_held *held;
	ps_iq_fn *fn;
	bool done;
};

static bool job_run(struct ps_host *h, struct ps_job *j)
{
	struct iq_job *w = container_of(j, struct iq_job, job);

	w->done = w->fn(h, iq_wake(w->held));
	return w->done;
}

static void job_free(struct ps_job *j)
{
	struct iq_job *w = container_of(j, struct iq_job, job);
	struct core *c = w->held->iq.core;

	if (!w->done && !c->ending && !c->closing)
		iq_error(iq_wake(w->held), ERR_RESOURCE_CONSTRAINT, "The server is busy; try again in a moment.");
	iq_held_free(w->held);
	free(w);
}

void ps_iq_do(struct ps_host *h, struct iq *iq, ps_iq_fn *fn)
{
	struct iq_job *w;

	if (!h->jobs_n && fn(h, iq))
		return;
	w = mem_zalloc(sizeof(*w));
	w->job = (struct ps_job){ .run = job_run, .free = job_free };
	w->held = iq_hold(iq, NULL);
	w->fn = fn;
	if (h->jobs_n >= PS_JOBS_MAX) {
		job_free(&w->job);
		return;
	}
	list_push(&h->jobs, &w->job.link);
	h->jobs_n++;
}

void ps_iq(struct iq *iq)
{
	ps_iq_do(ps_host_of(iq->user), iq, run);
}

void ps_service_iq(struct iq *iq)
{
	struct ps_host *h = ps_service(iq->core, iq->st->to.full);

	if (h)
		ps_iq_do(h, iq, run);
	else
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

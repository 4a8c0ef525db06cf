/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Routing: which shard, which account or service; and the mail that carries a stanza between shards. */
#include "core/router.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "core/component.h"
#include "core/feature.h"
#include "core/parcel.h"
#include "core/presence.h"
#include "proto/xmpp/ns.h"

static void handle_parcel(struct shard *s, struct mail *m)
{
	struct parcel *p = container_of(m, struct parcel, mail);

	p->t.core = s->core;
	parcel_arrive(p);
}

static const struct mail_kind MAIL_STANZA = { .name = "stanza", .handle = handle_parcel, .discard = parcel_discard };

static char *pack_str(char *p, struct str from, struct str *to)
{
	if (!from.p)
		return p;
	memcpy(p, from.p, from.n);
	*to = (struct str){ p, from.n };
	return p + from.n;
}

struct parcel *parcel_new(const struct transit *t)
{
	struct stanza *st = t->st;
	size_t n = st->from.full.n + st->to.full.n + st->id.n + st->lang.n + st->origin_id.n;
	struct parcel *p = mem_alloc(sizeof(*p) + n);
	char *at = p->bytes;

	p->mail = (struct mail){ .kind = &MAIL_STANZA };
	p->t = *t;
	p->st = *st;
	p->t.st = &p->st;
	p->t.user = NULL;
	p->t.session = NULL;
	p->st.el = NULL;
	p->st.extra = STR_NONE;
	p->st.tail = blob_ref(stanza_tail(st));
	at = pack_str(at, st->from.full, &p->st.from.full);
	at = pack_str(at, st->to.full, &p->st.to.full);
	at = pack_str(at, st->id, &p->st.id);
	at = pack_str(at, st->lang, &p->st.lang);
	pack_str(at, st->origin_id, &p->st.origin_id);
	p->to_many = NULL;
	p->to_n = 0;
	p->to_sessions = false;
	return p;
}

void parcel_free(struct parcel *p)
{
	stanza_fini(&p->st);
	free(p->to_many);
	free(p);
}

void parcel_discard(struct mail *m)
{
	struct parcel *p = container_of(m, struct parcel, mail);

	store_batch_free(p->t.batch);
	parcel_free(p);
}

void router_error(struct core *c, struct stanza *st, enum stanza_error e, const char *text)
{
	struct stanza err;

	if (!st->from.full.n) /* the server's own: a roster push that nobody acknowledged */
		return;
	if (!stanza_error_reply(core_arena(c), st, e, text, &err))
		return;
	metric_add(M_STANZA_ERRORS, 1);
	router_route(c, &err);
	stanza_fini(&err);
}

static void bounce(struct transit *t, enum stanza_error e, const char *text)
{
	router_error(t->core, t->st, e, text);
	transit_finish(t);
}

/* Does the sender belong to the host of the recipient, or is it a component (docs/decisions/0007)? */
static bool is_of_house(struct core *c, const struct stanza *st)
{
	struct str from = jid_domain(st->from);

	return core_host_of(c, from) == core_host(c, jid_domain(st->to)) || core_component(c, from);
}

/* An IQ or message to a full JID whose session is not here (RFC 6121 §8.5.3.2). */
static void account_iq(struct user *u, struct transit *t)
{
	struct stanza *st = t->st;
	bool request = st->type == IQ_GET || st->type == IQ_SET;
	struct session *s;

	if (request && user_blocks(u, st->from)) {
		router_error(t->core, st, ERR_SERVICE_UNAVAILABLE, NULL);
		return;
	}
	if (jid_is_bare(st->to)) {
		iq_dispatch(t->core, NULL, u, st, TO_USER);
		return;
	}
	s = user_resource(u, jid_resource(st->to));
	if (s && (!request || is_of_house(t->core, st) || presence_shared(s, st->from)))
		session_send(s, st, NULL);
	else if (request)
		router_error(t->core, st, ERR_SERVICE_UNAVAILABLE, NULL);
}

static void account_ready(struct user *u, struct transit *t)
{
	struct stanza *st = t->st;

	t->user = u;
	if (!u || u->state == USER_FAILED) {
		bounce(t, u ? ERR_INTERNAL_SERVER_ERROR : ERR_RESOURCE_CONSTRAINT, "Try again in a moment.");
	} else if (u->state == USER_ABSENT || u->leaving) { /* RFC 6121 §8.5.1 */
		if (st->kind == ST_PRESENCE || (st->kind == ST_MESSAGE && st->type == MSG_HEADLINE))
			transit_finish(t);
		else
			bounce(t, ERR_SERVICE_UNAVAILABLE, NULL);
	} else if (st->kind == ST_MESSAGE) {
		pipeline_deliver(t);
	} else {
		if (st->kind == ST_PRESENCE)
			presence_in(u, st);
		else
			account_iq(u, t);
		transit_finish(t);
	}
}

static void on_user(struct user *u, void *arg)
{
	struct parcel *p = arg;

	account_ready(u, &p->t);
	parcel_free(p);
}

static void to_account(struct transit *t)
{
	struct str bare = jid_bare_str(t->st->to);
	struct user *u = user_find(t->core, bare);

	if (u)
		account_ready(u, t);
	else
		user_with(t->core, bare, on_user, parcel_new(t));
}

static void to_server(struct transit *t)
{
	struct stanza *st = t->st;

	if (st->kind == ST_IQ)
		iq_dispatch(t->core, NULL, NULL, st, TO_SERVER);
	else if (st->kind == ST_MESSAGE) /* nobody reads the server's mail in this release */
		router_error(t->core, st, ERR_SERVICE_UNAVAILABLE, NULL);
	transit_finish(t);
}

static void post(struct shard *to, struct transit *t)
{
	struct parcel *p = parcel_new(t);

	if (shard_post(to, &p->mail)) {
		metric_add(M_MAILBOX_REFUSED, 1);
		parcel_free(p);
		bounce(t, ERR_RESOURCE_CONSTRAINT, "The server is busy; try again in a moment.");
	} else {
		t->batch = NULL;
	}
}

static void to_service(struct transit *t)
{
	core_service(t->core, jid_domain(t->st->to))->stanza(t->core, t);
}

static void to_component(struct transit *t)
{
	component_deliver(core_component(t->core, jid_domain(t->st->to)), t);
}

/* Another server's: the shard that owns its domain has the streams to it. */
static void to_remote(struct transit *t)
{
	if (t->core->env->remote)
		t->core->env->remote(t->core, t);
	else
		bounce(t, ERR_REMOTE_SERVER_NOT_FOUND, "This server does not reach other servers.");
}

/* Who takes a stanza to this address, and the shard where; home NULL: any.
 *
 *   domain is          without localpart     with one
 *   a host             the server, anywhere  the account, by bare JID
 *   a service of one   the service, by bare JID
 *   a component's      its stream, by its name
 *   anything else      another server, by its name
 */
struct way {
	void (*take)(struct transit *t);
	struct shard *home;
};

static struct way way_to(struct core *c, struct jid to)
{
	struct str domain = jid_domain(to);
	struct component *cp;

	if (core_host(c, domain))
		return to.node_n ? (struct way){ to_account, core_shard_of(c, jid_bare_str(to)) } : (struct way){ to_server, NULL };
	if (core_service(c, domain))
		return (struct way){ to_service, core_shard_of(c, jid_bare_str(to)) };
	cp = core_component(c, domain);
	return cp ? (struct way){ to_component, cp->home } : (struct way){ to_remote, core_shard_of(c, domain) };
}

void router_route_transit(struct transit *t)
{
	struct way way = way_to(t->core, t->st->to);

	if (way.home && way.home != t->core->shard)
		post(way.home, t);
	else
		way.take(t);
}

void router_route(struct core *c, struct stanza *st)
{
	struct transit t = { .core = c, .st = st };

	if (st->kind == ST_MESSAGE && !st->flags && st->el)
		stanza_scan(st);
	router_route_transit(&t);
}

/* One of many recipients in this shard. */
static void deliver_one(struct core *c, struct stanza *st, struct jid to)
{
	struct transit t = { .core = c, .st = st };

	st->to = to;
	to_account(&t);
}

/* ---- the same payload for many sessions ---- */

/* The error goes by mail even within this shard: the service may be walking its occupants. */
static void session_missed(struct core *c, struct stanza *st, const struct jid *to)
{
	struct stanza err;
	struct parcel *p;

	if (st->kind != ST_MESSAGE)
		return;
	st->to = *to;
	if (!stanza_error_reply(core_arena(c), st, ERR_RECIPIENT_UNAVAILABLE, NULL, &err))
		return;
	p = parcel_new(&(struct transit){ .core = c, .st = &err });
	if (shard_post(core_shard_of(c, jid_bare_str(err.to)), &p->mail))
		parcel_discard(&p->mail);
	stanza_fini(&err);
}

/* known: where the session's id is kept, or NULL. */
static void to_session(struct core *c, struct stanza *st, const struct jid *to, id_t64 *known)
{
	struct session *s = known ? session_get(c, *known) : NULL;

	if (!s) {
		struct user *u = user_find(c, jid_bare_str(*to));

		s = u ? user_resource(u, jid_resource(*to)) : NULL;
		if (s && known)
			*known = s->id;
	}
	if (!s) {
		session_missed(c, st, to);
	} else if (!user_blocks(s->user, st->from)) {
		if (st->kind == ST_PRESENCE)
			presence_heard(s, st);
		session_send(s, st, to);
	}
}

struct shard *router_home(struct core *c, struct jid jid)
{
	return jid.node_n && core_host(c, jid_domain(jid)) ? core_shard_of(c, jid_bare_str(jid)) : NULL;
}

void parcel_arrive(struct parcel *p)
{
	if (p->to_sessions) {
		for (size_t i = 0; i < p->to_n; i++)
			to_session(p->t.core, &p->st, &p->to_many[i], NULL);
	} else if (p->to_n) {
		for (size_t i = 0; i < p->to_n; i++)
			deliver_one(p->t.core, &p->st, p->to_many[i]);
	} else {
		router_route_transit(&p->t);
	}
	parcel_free(p);
}

/* Copies the addresses for one shard behind their jid structs, in one allocation. */
static void parcel_many(struct parcel *p, const struct jid *const *to, size_t n)
{
	size_t bytes = n * sizeof(struct jid);
	char *at;

	for (size_t i = 0; i < n; i++)
		bytes += to[i]->full.n;
	p->to_many = mem_alloc(bytes);
	p->to_n = n;
	at = (char *)(p->to_many + n);
	for (size_t i = 0; i < n; i++) {
		p->to_many[i] = *to[i];
		at = pack_str(at, to[i]->full, &p->to_many[i].full);
	}
}

void router_route_many(struct core *c, struct stanza *st, const struct jid *to, size_t n)
{
	struct arena *a = core_arena(c);
	const struct jid **group = arena_alloc(a, n * sizeof(*group));
	struct shard **home = arena_alloc(a, n * sizeof(*home));

	for (size_t i = 0; i < n; i++)
		home[i] = router_home(c, to[i]);
	for (size_t i = 0; i < n; i++) {
		if (!home[i] || home[i] == c->shard) {
			st->to = to[i];
			router_route(c, st);
		}
	}
	for (int k = 0; k < c->env->shards->n; k++) {
		struct shard *sh = c->env->shards->v[k];
		size_t m = 0;

		for (size_t i = 0; sh != c->shard && i < n; i++)
			if (home[i] == sh)
				group[m++] = &to[i];
		if (!m)
			continue;
		struct parcel *p = parcel_new(&(struct transit){ .core = c, .st = st });

		parcel_many(p, group, m);
		if (shard_post(sh, &p->mail))
			parcel_discard(&p->mail);
	}
}

/* Recipients of one shard, in one mail. */
static void fanout_shard(struct core *c, struct stanza *st, struct shard *home, const struct jid *const *to, size_t n)
{
	struct parcel *p = parcel_new(&(struct transit){ .core = c, .st = st });

	parcel_many(p, to, n);
	p->to_sessions = true;
	if (shard_post(home, &p->mail))
		parcel_discard(&p->mail);
}

void router_fanout(struct core *c, struct stanza *st, struct fanout_to *const *to, size_t n)
{
	struct arena *a = core_arena(c);
	struct arena_mark mark = arena_mark(a);
	const struct jid **group = arena_alloc(a, n * sizeof(*group));
	bool away[SHARDS_MAX] = { false };

	stanza_tail(st);
	for (size_t i = 0; i < n; i++) {
		if (to[i]->home == c->shard) {
			to_session(c, st, &to[i]->jid, &to[i]->session);
		} else if (to[i]->home) {
			away[to[i]->home->index] = true;
		} else {
			st->to = to[i]->jid;
			router_route(c, st);
		}
	}
	for (int k = 0; k < c->env->shards->n; k++) {
		struct shard *home = c->env->shards->v[k];
		size_t m = 0;

		for (size_t i = 0; away[k] && i < n; i++)
			if (to[i]->home == home)
				group[m++] = &to[i]->jid;
		if (m)
			fanout_shard(c, st, home, group, m);
	}
	arena_release(a, mark);
}

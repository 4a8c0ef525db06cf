/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Subscription states, RFC 6121 §3 and appendix A. A contact's state is four facts: subscription to, subscription from,
 * pending out (ask), pending in. Written with them, the tables of the appendix are these rows:
 *
 *   outbound       routed              changes
 *   subscribe      always              without to: ask
 *   unsubscribe    always              to and ask go
 *   subscribed     if pending in       pending in becomes from; else, without from: pre-approval (§3.4)
 *   unsubscribed   if pending in|from  pending in, from and pre-approval go
 *
 *   inbound        delivered           changes
 *   subscribe      if neither from nor pending in: pending in; with from or pre-approval: answered with subscribed
 *   unsubscribe    if from|pending in  both go; answered with unsubscribed
 *   subscribed     if ask              ask becomes to
 *   unsubscribed   if ask|to           both go
 */
#include "core/feature.h"
#include "core/presence.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

static void route_as_bare(struct user *u, struct stanza *st, struct jid to)
{
	st->from = u->jid; /* RFC 6121 §3.1.2: stamped with the bare JID */
	st->to = to;
	router_route(u->core, st);
}

static void answer(struct user *u, enum stanza_type type, struct jid to)
{
	struct stanza st;

	stanza_new(core_arena(u->core), ST_PRESENCE, type, &st);
	route_as_bare(u, &st, to);
	stanza_fini(&st);
}

static void run_hooks(struct user *u, struct contact *c)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_contact)
			(*f)->on_contact(u, c);
}

static void subscribe_out(struct user *u, struct contact *c, struct stanza *st)
{
	struct jid to = jid_copy(core_arena(u->core), c->jid);

	if (!(c->sub & SUB_TO) && !c->ask) {
		c->ask = true;
		c->listed = true;
		roster_save(u, c, true);
	} else if (!c->listed) {
		c->listed = true;
		roster_save(u, c, true);
	}
	route_as_bare(u, st, to);
}

static void unsubscribe_out(struct user *u, struct contact *c, struct stanza *st)
{
	struct jid to = jid_copy(core_arena(u->core), c->jid);

	if ((c->sub & SUB_TO) || c->ask) {
		c->sub &= (uint8_t)~SUB_TO;
		c->ask = false;
		roster_save(u, c, true);
	}
	route_as_bare(u, st, to);
}

static void subscribed_out(struct user *u, struct contact *c, struct stanza *st)
{
	struct jid to = jid_copy(core_arena(u->core), c->jid);

	if (c->sub & SUB_FROM)
		return;
	if (!c->pending_in) {
		if (!c->approved) {
			c->approved = c->listed = true;
			roster_save(u, c, true);
		}
		return;
	}
	c->pending_in = false;
	c->sub |= SUB_FROM;
	c->listed = true;
	roster_save(u, c, true);
	route_as_bare(u, st, to);
	presence_show_to(u, to);
	run_hooks(u, c);
}

static void unsubscribed_out(struct user *u, struct contact *c, struct stanza *st)
{
	struct jid to = jid_copy(core_arena(u->core), c->jid);
	bool was_from = c->sub & SUB_FROM, route = was_from || c->pending_in;
	bool push = was_from || c->approved;

	if (!route && !c->approved)
		return;
	c->sub &= (uint8_t)~SUB_FROM;
	c->pending_in = c->approved = false;
	if (was_from)
		presence_hide_from(u, to);
	roster_save(u, c, push);
	if (route)
		route_as_bare(u, st, to);
}

void subscription_out(struct user *u, struct stanza *st)
{
	static void (*const handle[])(struct user *, struct contact *, struct stanza *) = {
		[PRES_SUBSCRIBE] = subscribe_out,
		[PRES_SUBSCRIBED] = subscribed_out,
		[PRES_UNSUBSCRIBE] = unsubscribe_out,
		[PRES_UNSUBSCRIBED] = unsubscribed_out,
	};
	struct contact *c;

	if (st->to.full.n == 0 || jid_bare_eq(st->to, u->jid))
		return; /* RFC 6121 §3: nobody subscribes to himself */
	st->to = jid_bare(st->to);
	c = roster_get(u, st->to.full);
	if (!c && (st->type == PRES_UNSUBSCRIBE)) {
		route_as_bare(u, st, st->to);
		return;
	}
	if (!c && st->type == PRES_UNSUBSCRIBED)
		return;
	if (!c)
		c = roster_need(u, st->to);
	if (!c) {
		router_error(u->core, st, ERR_RESOURCE_CONSTRAINT, "The contact list is full.");
		return;
	}
	handle[st->type](u, c, st);
}

/* To all sessions that asked for the roster (RFC 6121 §3.1.3: to available resources that requested it). */
static void deliver(struct user *u, struct stanza *st)
{
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (s->presence || s->roster_interested)
			session_send(s, st, NULL);
}

static void subscribe_in(struct user *u, struct stanza *st)
{
	struct contact *c = roster_get(u, st->from.full);

	if (c && (c->sub & SUB_FROM)) {
		answer(u, PRES_SUBSCRIBED, st->from);
		return;
	}
	if (c && c->approved) { /* RFC 6121 §3.4.2 */
		c->sub |= SUB_FROM;
		c->approved = c->pending_in = false;
		roster_save(u, c, true);
		answer(u, PRES_SUBSCRIBED, st->from);
		presence_show_to(u, st->from);
		run_hooks(u, c);
		return;
	}
	if (c && c->pending_in)
		return;
	c = roster_need(u, st->from);
	if (!c) {
		router_error(u->core, st, ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	c->pending_in = true;
	blob_unref(c->request);
	c->request = stanza_pack(st);
	roster_save(u, c, false);
	deliver(u, st);
}

static void unsubscribe_in(struct user *u, struct stanza *st)
{
	struct contact *c = roster_get(u, st->from.full);
	bool was_from;

	if (!c || (!(c->sub & SUB_FROM) && !c->pending_in))
		return;
	was_from = c->sub & SUB_FROM;
	c->sub &= (uint8_t)~SUB_FROM;
	c->pending_in = false;
	deliver(u, st);
	roster_save(u, c, was_from);
	if (was_from)
		presence_hide_from(u, st->from);
	answer(u, PRES_UNSUBSCRIBED, st->from);
}

static void subscribed_in(struct user *u, struct stanza *st)
{
	struct contact *c = roster_get(u, st->from.full);

	if (!c || !c->ask)
		return;
	c->ask = false;
	c->sub |= SUB_TO;
	deliver(u, st);
	roster_save(u, c, true);
	run_hooks(u, c);
}

static void unsubscribed_in(struct user *u, struct stanza *st)
{
	struct contact *c = roster_get(u, st->from.full);

	if (!c || (!c->ask && !(c->sub & SUB_TO)))
		return;
	c->ask = false;
	c->sub &= (uint8_t)~SUB_TO;
	deliver(u, st);
	roster_save(u, c, true);
}

void subscription_in(struct user *u, struct stanza *st)
{
	static void (*const handle[])(struct user *, struct stanza *) = {
		[PRES_SUBSCRIBE] = subscribe_in,
		[PRES_SUBSCRIBED] = subscribed_in,
		[PRES_UNSUBSCRIBE] = unsubscribe_in,
		[PRES_UNSUBSCRIBED] = unsubscribed_in,
	};

	st->from = jid_bare(st->from);
	st->to = u->jid;
	handle[st->type](u, st);
}

void subscription_pending(struct session *s)
{
	struct user *u = s->user;
	struct str key;
	uint32_t pos = 0;
	void *value;
	struct stanza st;

	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (!c->pending_in || !c->request || stanza_unpack(blob_view(c->request), &st))
			continue;
		session_send(s, &st, NULL);
		stanza_fini(&st);
	}
}

void subscription_leave_all(struct user *u)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;
		struct stanza st;

		for (int i = 0; i < 2; i++) {
			stanza_new(core_arena(u->core), ST_PRESENCE, i ? PRES_UNSUBSCRIBED : PRES_UNSUBSCRIBE, &st);
			st.from = u->jid;
			st.to = c->jid;
			router_route(u->core, &st);
			stanza_fini(&st);
		}
	}
}

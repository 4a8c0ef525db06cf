/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Availability, RFC 6121 §4: broadcast, directed presence, probes. Subscriptions are in core/subscription.c. */
#include "core/presence.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/feature.h"
#include "core/offline.h"
#include "core/privilege.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

/* The stored presence of a session as a stanza. Borrowed from the session: finish with stanza_fini. */
static bool stored_presence(struct session *s, struct stanza *out)
{
	return s->presence && !stanza_unpack(blob_view(s->presence), out);
}

static void presence_plain(struct arena *a, enum stanza_type type, struct jid from, struct jid to, struct stanza *out)
{
	stanza_new(a, ST_PRESENCE, type, out);
	out->from = from;
	out->to = to;
}

/* Addresses of all contacts that hold `mask` of the subscription and are not blocked. */
static size_t contacts(struct user *u, uint8_t mask, struct jid **out)
{
	struct jid *v = arena_alloc(core_arena(u->core), (u->roster.n + 1) * sizeof(*v));
	uint32_t pos = 0;
	size_t n = 0;
	struct str key;
	void *value;

	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if ((c->sub & mask) && !user_blocks(u, c->jid))
			v[n++] = c->jid;
	}
	*out = v;
	return n;
}

/* To all who are subscribed, and to the user's own other available sessions (RFC 6121 §4.2.2). */
static void broadcast(struct session *s, struct stanza *st)
{
	struct user *u = s->user;
	struct session *other;
	struct jid *to;
	size_t n = contacts(u, SUB_FROM, &to);

	if (n)
		router_route_many(s->core, st, to, n);
	st->to = u->jid;
	list_each(other, &u->sessions, in_user)
		if (other->presence || other == s)
			session_send(other, st, NULL);
}

static struct directed *directed_find(struct session *s, struct jid to)
{
	struct directed *d;

	list_each(d, &s->directed, link)
		if (jid_eq(d->to, to))
			return d;
	return NULL;
}

static void directed_forget(struct session *s, struct directed *d)
{
	list_del(&d->link);
	free((void *)d->to.full.p);
	s->directed_gone -= d->gone;
	s->directed_n--;
	free(d);
}

static void directed_mark(struct session *s, struct directed *d, bool gone)
{
	s->directed_gone += gone - d->gone;
	d->gone = gone;
}

/* RFC 6121 §4.6.1: who went offline need not be told of our end. What comes may have crossed a newer presence of ours (a room's
 * echo of leaving and the next join): such an entry is marked, and forgotten only when its place is needed. */
void presence_heard(struct session *s, const struct stanza *st)
{
	bool gone = st->type == PRES_UNAVAILABLE || st->type == PRES_ERROR;
	struct directed *d;

	if (st->kind != ST_PRESENCE || (!gone && st->type != PRES_AVAILABLE) || s->directed_gone == (gone ? s->directed_n : 0))
		return;
	d = directed_find(s, st->from);
	if (d)
		directed_mark(s, d, gone);
}

static bool directed_make_room(struct session *s)
{
	struct directed *d;

	if (s->directed_n < DIRECTED_MAX)
		return true;
	list_each(d, &s->directed, link) {
		if (d->gone) {
			directed_forget(s, d);
			return true;
		}
	}
	return false;
}

/* RFC 6121 §4.6.3: remembers whom to tell at the end. Returns false when too many are remembered. */
static bool directed_note(struct session *s, struct stanza *st)
{
	struct directed *d = directed_find(s, st->to);

	if (st->type == PRES_UNAVAILABLE) {
		if (d)
			directed_forget(s, d);
		return true;
	}
	if (st->type != PRES_AVAILABLE)
		return true;
	if (d) {
		directed_mark(s, d, false);
		return true;
	}
	if (!directed_make_room(s))
		return false;
	d = mem_zalloc(sizeof(*d));
	d->to = jid_dup(st->to);
	list_push(&s->directed, &d->link);
	s->directed_n++;
	return true;
}

static void run_presence_hooks(struct session *s, struct stanza *st)
{
	for (const struct feature *const *f = s->core->env->features; *f; f++)
		if ((*f)->on_presence)
			(*f)->on_presence(s, st);
}

static void directed_out(struct session *s, struct stanza *st)
{
	if (user_blocks(s->user, st->to) && st->type == PRES_AVAILABLE) {
		iq_blocked(s->core, st);
		return;
	}
	if (st->type == PRES_AVAILABLE)
		run_presence_hooks(s, st);
	if (!directed_note(s, st)) {
		router_error(s->core, st, ERR_RESOURCE_CONSTRAINT, "Too many directed presences.");
		return;
	}
	router_route(s->core, st);
}

/* RFC 6121 §4.7.2.3: -128 to 127, 0 when absent. Returns -EBADMSG when it is none. */
static int read_priority(struct arena *a, struct stanza *st, int8_t *out)
{
	struct str text = str_trim(xml_child_text(a, st->el, "priority", NS_CLIENT));
	bool minus = text.n && text.p[0] == '-';
	uint64_t v;

	if (text.n == 0) {
		*out = 0;
		return 0;
	}
	if (minus)
		text = (struct str){ text.p + 1, text.n - 1 };
	if (str_u64(text, minus ? 128 : 127, &v))
		return -EBADMSG;
	*out = (int8_t)(minus ? -(int)v : (int)v);
	return 0;
}

/* Initial presence (RFC 6121 §4.2.2, §4.3): asks contacts, shows the user's other sessions. */
static void first_available(struct session *s)
{
	struct user *u = s->user;
	struct session *other;
	struct stanza st;
	struct jid *to;
	size_t n = contacts(u, SUB_TO, &to);

	if (n) {
		presence_plain(core_arena(s->core), PRES_PROBE, s->jid, JID_NONE, &st);
		router_route_many(s->core, &st, to, n);
		stanza_fini(&st);
	}
	list_each(other, &u->sessions, in_user) {
		if (other == s || !stored_presence(other, &st))
			continue;
		session_send(s, &st, &s->jid);
		stanza_fini(&st);
	}
}

static void run_hooks(struct session *s, struct stanza *st, bool up)
{
	for (const struct feature *const *f = s->core->env->features; *f; f++) {
		if (up && (*f)->on_available)
			(*f)->on_available(s);
		else if (!up && (*f)->on_unavailable)
			(*f)->on_unavailable(s, st);
	}
}

static void available_out(struct session *s, struct stanza *st)
{
	bool first = !s->presence, was_negative = s->priority < 0;
	int8_t priority;

	if (read_priority(core_arena(s->core), st, &priority)) {
		router_error(s->core, st, ERR_BAD_REQUEST, "The priority must be a number from -128 to 127.");
		return;
	}
	run_presence_hooks(s, st);
	s->priority = priority;
	blob_unref(s->presence);
	s->presence = stanza_pack(st);
	broadcast(s, st);
	if (first) {
		first_available(s);
		run_hooks(s, st, true);
		subscription_pending(s);
	}
	if (priority >= 0 && (first || was_negative))
		offline_deliver(s);
}

void presence_renew(struct session *s, struct stanza *st)
{
	struct blob *old = s->presence; /* st may borrow from it */

	st->from = s->jid;
	s->presence = stanza_pack(st);
	broadcast(s, st);
	blob_unref(old);
}

/* RFC 6121 §4.5.2: contacts, own sessions, and those who got directed presence. */
static void unavailable(struct session *s, struct stanza *st)
{
	struct directed *d;
	struct user *u = s->user;

	if (s->presence) {
		blob_unref(s->presence);
		s->presence = NULL;
		s->priority = 0;
		run_hooks(s, st, false);
		broadcast(s, st);
	}
	list_each(d, &s->directed, link) {
		struct contact *c = roster_get(u, d->to.full);

		st->to = d->to;
		if (!roster_sees_us(c))
			router_route(s->core, st);
		directed_forget(s, d);
	}
}

void presence_session_gone(struct session *s)
{
	struct stanza st;

	presence_plain(core_arena(s->core), PRES_UNAVAILABLE, s->jid, JID_NONE, &st);
	unavailable(s, &st);
	stanza_fini(&st);
}

void presence_out(struct session *s, struct stanza *st)
{
	bool subscription = st->type >= PRES_SUBSCRIBE && st->type <= PRES_UNSUBSCRIBED;

	for (const struct feature *const *f = s->core->env->features; subscription && *f; f++)
		if ((*f)->on_subscribe)
			(*f)->on_subscribe(s, st);
	if (subscription)
		subscription_out(s->user, st);
	else if (st->to.full.n && st->type == PRES_PROBE)
		router_route(s->core, st);
	else if (st->to.full.n)
		directed_out(s, st);
	else if (st->type == PRES_AVAILABLE)
		available_out(s, st);
	else if (st->type == PRES_UNAVAILABLE)
		unavailable(s, st);
}

void presence_show_to(struct user *u, struct jid to)
{
	struct session *s;
	struct stanza st;

	list_each(s, &u->sessions, in_user) {
		if (!stored_presence(s, &st))
			continue;
		st.to = to;
		router_route(u->core, &st);
		stanza_fini(&st);
	}
}

void presence_hide_from(struct user *u, struct jid to)
{
	struct session *s;
	struct stanza st;

	list_each(s, &u->sessions, in_user) {
		if (!s->presence)
			continue;
		presence_plain(core_arena(u->core), PRES_UNAVAILABLE, s->jid, to, &st);
		router_route(u->core, &st);
		stanza_fini(&st);
	}
}

bool presence_shared(const struct session *s, struct jid with)
{
	struct directed *d;

	if (jid_bare_eq(with, s->user->jid) || (s->presence && roster_sees_us(roster_get(s->user, jid_bare_str(with)))))
		return true;
	list_each(d, &s->directed, link)
		if (!d->gone && jid_bare_eq(d->to, with))
			return true;
	return false;
}

/* RFC 6121 §4.3.2: the answer to a probe. */
static void probe_in(struct user *u, struct stanza *st)
{
	struct contact *c = roster_get(u, jid_bare_str(st->from));
	struct stanza r;

	if (jid_bare_eq(st->from, u->jid) || roster_sees_us(c)) {
		if (user_is_available(u)) {
			presence_show_to(u, st->from);
			return;
		}
		presence_plain(core_arena(u->core), PRES_UNAVAILABLE, u->jid, st->from, &r);
	} else {
		presence_plain(core_arena(u->core), PRES_UNSUBSCRIBED, u->jid, jid_bare(st->from), &r);
	}
	router_route(u->core, &r);
	stanza_fini(&r);
}

static void run_presence_in_hooks(struct user *u, struct stanza *st)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_presence_in)
			(*f)->on_presence_in(u, st);
}

static bool subscribe_kept(struct user *u, struct stanza *st)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_subscribe_in && (*f)->on_subscribe_in(u, st))
			return true;
	return false;
}

void presence_in(struct user *u, struct stanza *st)
{
	struct session *s;

	if (user_blocks(u, st->from))
		return;
	privilege_contact_presence(u, st);
	if (st->type == PRES_AVAILABLE || st->type == PRES_UNAVAILABLE || st->type == PRES_ERROR)
		run_presence_in_hooks(u, st);
	if (st->type >= PRES_SUBSCRIBE && st->type <= PRES_UNSUBSCRIBED) {
		if (st->type != PRES_SUBSCRIBE || !subscribe_kept(u, st))
			subscription_in(u, st);
	} else if (st->type == PRES_PROBE) {
		probe_in(u, st);
	} else if (!jid_is_bare(st->to)) { /* RFC 6121 §8.5.3 */
		s = user_resource(u, jid_resource(st->to));
		if (s) {
			presence_heard(s, st);
			session_send(s, st, NULL);
		}
	} else { /* RFC 6121 §8.5.2.1.2 */
		list_each(s, &u->sessions, in_user) {
			presence_heard(s, st);
			if (s->presence)
				session_send(s, st, NULL);
		}
	}
}

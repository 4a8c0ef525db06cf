/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* When a client is told by push, and what it is told (XEP-0357 §7). Nothing depends on a notification: what it speaks of is in the
 * session's queue, kept offline or archived. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/ask.h"
#include "features/push/push.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* The session of the client that enabled it: the same one, or a later one of the same client or resource. */
static struct session *session_of(struct push_reg *r)
{
	struct session *s = session_get(r->user->core, r->session), *other;

	if (s && s->user == r->user)
		return s;
	list_each(other, &r->user->sessions, in_user) {
		bool same = (r->client && strcmp(r->client, other->client) == 0) ||
			(r->resource && str_is(jid_resource(other->jid), r->resource));

		if (!same)
			continue;
		r->session = other->id;
		return other;
	}
	return NULL;
}

/* ---- telling ---- */

static void forget_content(struct push_reg *r)
{
	free(r->sender);
	free(r->body);
	r->sender = r->body = NULL;
	r->pending = r->call = false;
}

void push_reg_stop(struct push_reg *r)
{
	timer_cancel(&r->user->core->shard->loop, &r->timer);
	forget_content(r);
}

void push_give_up(struct user *u, struct str jid, struct str node, const char *why)
{
	struct store_batch *b = store_batch_new();

	log_info("push.disabled", "account=%.*s service=%.*s reason=%s", STR_ARG(u->jid.full), STR_ARG(jid), why);
	push_reg_del(u, b, jid, node);
	store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
}

/* A publication on its way: its registration is found again by name. */
struct published {
	struct str account, jid, node; /* own bytes */
	bool ok, permanent;
};

static void published_free(struct published *p)
{
	free((void *)p->account.p);
	free((void *)p->jid.p);
	free((void *)p->node.p);
	free(p);
}

static void on_published_user(struct user *u, void *arg)
{
	struct published *p = arg;
	struct push_reg *r = u && u->state == USER_READY ? push_reg_find(u, p->jid, p->node) : NULL;
	struct store_batch *b;

	if (r && p->permanent) {
		push_give_up(u, p->jid, p->node, "refused");
	} else if (r && !p->ok && ++r->failures >= PUSH_FAILURES_MAX) {
		push_give_up(u, p->jid, p->node, "failures");
	} else if (r && (!p->ok || r->failures)) {
		if (p->ok)
			r->failures = 0;
		b = store_batch_new();
		push_reg_save(r, b);
		store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
	}
	published_free(p);
}

/* Conditions that may pass: the service or the way to it is down for now. */
static bool is_transient(const struct xml *error)
{
	static const char *const conditions[] = { "remote-server-not-found", "remote-server-timeout", "internal-server-error",
		"resource-constraint", "recipient-unavailable" };

	if (str_is(xml_get(error, "type"), "wait"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		if (xml_child(error, conditions[i], NS_STANZA_ERRORS))
			return true;
	return false;
}

static void on_published(struct core *c, struct stanza *reply, void *arg)
{
	struct published *p = arg;
	struct xml *el = reply ? stanza_tree(reply, core_arena(c)) : NULL, *error = el ? xml_child(el, "error", NULL) : NULL;

	p->ok = reply && reply->type == IQ_RESULT;
	p->permanent = error && !is_transient(error);
	metric_add(M_PUSHES_FAILED, !p->ok);
	user_with(c, p->account, on_published_user, p);
}

static struct xml *summary(struct push_reg *r)
{
	struct core *c = r->user->core;
	struct arena *a = core_arena(c);
	struct xml *n = xml_new(a, "notification", NS_PUSH), *x = form_new(a, n, "submit", NS_PUSH_SUMMARY);

	form_field(a, x, NULL, "message-count", NULL, arena_printf(a, "%u", r->count));
	if (r->sender && config_bool(core_config(c), "push.sender"))
		form_field(a, x, NULL, "last-message-sender", NULL, str_of(r->sender));
	if (r->body && config_bool(core_config(c), "push.body"))
		form_field(a, x, NULL, "last-message-body", NULL, str_of(r->body));
	return n;
}

static void publish(struct push_reg *r)
{
	struct user *u = r->user;
	struct arena *a = core_arena(u->core);
	struct xml *pubsub = xml_new(a, "pubsub", NS_PUBSUB_PLAIN), *pub = xml_add(a, pubsub, "publish", NULL), *form;
	struct published *p;

	if (r->node[0])
		xml_set(a, pub, "node", str_of(r->node));
	xml_append(xml_add(a, pub, "item", NULL), summary(r));
	if (r->form && !xml_parse(a, str_of(r->form), &form))
		xml_append(xml_add(a, pubsub, "publish-options", NULL), form);
	p = mem_alloc(sizeof(*p));
	*p = (struct published){ .account = { str_dup(u->jid.full), u->jid.full.n }, .jid = { mem_strdup(r->jid), strlen(r->jid) },
		.node = { mem_strdup(r->node), strlen(r->node) } };
	if (iq_ask(u->core, &(struct question){ jid_trust(arena_str(a, jid_domain(u->jid))), jid_trust(str_of(r->jid)), IQ_SET, pubsub,
				on_published, p }))
		published_free(p);
}

static void tell(struct push_reg *r)
{
	struct str node = str_of(r->node);
	struct push_web *w = str_eq(str_of(r->jid), push_host(r->user)) ? push_web_find(r->user, node) : NULL;

	r->last_ms = r->user->core->shard->loop.now_ms;
	metric_add(M_PUSHES, 1);
	log_debug("push.tell", "account=%.*s service=%s count=%u", STR_ARG(r->user->jid.full), r->jid, r->count);
	if (w)
		push_web_send(r, w);
	else
		publish(r);
	forget_content(r);
}

/* The client has come back, or acknowledged what it was sent: no need. */
static bool is_settled(struct push_reg *r)
{
	struct session *s = session_of(r);

	if (!s || !s->ops)
		return false;
	return s->id != r->asked || !s->sm || (int32_t)(s->sm->acked - r->seq) >= 0;
}

static void on_time(struct timer *t)
{
	struct push_reg *r = container_of(t, struct push_reg, timer);

	if (!r->pending)
		return;
	if (is_settled(r)) {
		forget_content(r);
		r->count = 0;
	} else {
		tell(r);
	}
}

/* ---- what has happened ---- */

/* When it is due: at once, but not too soon after the last one. A client with a link first has its chance to acknowledge
 * what it was sent: on a telephone the link may be dead long before TCP knows. */
static void schedule(struct push_reg *r, struct session *s, enum weight weight)
{
	struct core *c = r->user->core;
	uint64_t now = c->shard->loop.now_ms, due = now, every = weight == WEIGHT_ROOM ? PUSH_ROOM_EVERY_MS : PUSH_EVERY_MS;
	struct push_web *w = push_web_find(r->user, str_of(r->node));

	if (r->last_ms && !r->call && r->last_ms + every > now)
		due = r->last_ms + every;
	if (s && s->ops)
		due += (uint64_t)config_int(core_config(c), "push.wait");
	if (w && w->not_before_ms > due)
		due = w->not_before_ms;
	if (timer_is_set(&r->timer) && r->due_ms <= due)
		return;
	r->due_ms = due;
	r->timer.on_time = on_time;
	timer_set(&c->shard->loop, &r->timer, due - now);
}

static char *cut(struct str text)
{
	size_t n = text.n < PUSH_BODY_MAX ? text.n : PUSH_BODY_MAX;

	while (n < text.n && n && ((unsigned char)text.p[n] & 0xc0) == 0x80) /* not inside a character */
		n--;
	return n ? str_dup((struct str){ text.p, n }) : NULL;
}

static void add(struct push_reg *r, struct session *s, struct stanza *st, enum weight w)
{
	struct arena *a = core_arena(r->user->core);
	struct xml *kept = st->el, *el = stanza_tree(st, a);
	bool call;

	if (s && s->links != r->links) { /* the client was here since */
		r->links = s->links;
		r->count = 0;
	}
	call = r->call || w == WEIGHT_CALL;
	forget_content(r);
	r->asked = s ? s->id : 0;
	r->seq = s && s->sm ? s->sm->out : 0;
	r->count++;
	r->pending = true;
	r->call = call;
	r->sender = str_dup(st->from.full);
	r->body = el && st->kind == ST_MESSAGE ? cut(xml_child_text(a, el, "body", NS_CLIENT)) : NULL;
	st->el = kept;
	schedule(r, s, w);
}

static bool is_worth_it(const struct user *u, const struct stanza *st, enum weight w)
{
	if (st->from.full.n == 0 || jid_bare_eq(st->from, u->jid))
		return false;
	return w >= WEIGHT_MESSAGE || (w == WEIGHT_ROOM && config_bool(core_config(u->core), "push.rooms"));
}

/* s NULL: for clients that are not here; else for the client of this session. */
void push_unseen(struct user *u, struct session *s, struct stanza *st)
{
	struct pushes *p = pushes_of(u);
	enum weight w;
	struct push_reg *r;

	if (!p || !p->regs_n || u->leaving)
		return;
	w = stanza_weight(u, st, s && st->kind == ST_MESSAGE && st->type == MSG_GROUPCHAT ? session_nick(s, st->from) : STR_NONE);
	if (!s && w == WEIGHT_ROOM)
		w = WEIGHT_MESSAGE; /* a room tells somebody who is not inside: it has its reason */
	if (!is_worth_it(u, st, w))
		return;
	list_each(r, &p->regs, link)
		if (session_of(r) == s)
			add(r, s, st, w);
}

/* §8: the service takes its permission back. */
static void heed_affiliation(struct user *u, struct stanza *st)
{
	struct xml *el = stanza_tree(st, core_arena(u->core)), *pubsub = el ? xml_child(el, "pubsub", NS_PUBSUB_PLAIN) : NULL;
	struct xml *aff = pubsub ? xml_child(pubsub, "affiliation", NULL) : NULL;

	if (aff && str_is(xml_get(aff, "affiliation"), "none") && str_eq(xml_get(aff, "jid"), u->jid.full) && xml_get(pubsub, "node").p)
		push_give_up(u, st->from.full, xml_get(pubsub, "node"), "affiliation");
}

enum verdict push_delivered(struct transit *t)
{
	struct pushes *p = pushes_of(t->user);
	struct push_reg *r;
	bool known = false;

	if (!p || !p->regs_n)
		return PASS;
	list_each(r, &p->regs, link)
		known = known || str_is(t->st->from.full, r->jid);
	if (known)
		heed_affiliation(t->user, t->st);
	if (t->st->type != MSG_GROUPCHAT) /* of a room elsewhere: only who is inside gets it */
		push_unseen(t->user, NULL, t->st);
	return PASS;
}

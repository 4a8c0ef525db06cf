/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0163 1.2.2: events of an account to those who share presence with it and whose clients want them (XEP-0060 §9), and the last items
 * to a session that has just come or wants more. What a session wants is known in its own shard (core/caps.h): an event goes to the
 * shards of the contacts and is filtered there, and a session that comes tells the accounts that it sees. */
#include <stdlib.h>

#include "base/mem.h"
#include "core/caps.h"
#include "core/roster.h"
#include "features/pubsub/fan.h"
#include "features/pubsub/pubsub.h"

/* ---- events ---- */

static bool sub_gets(const struct ps_node *n, const struct ps_sub *s)
{
	return s->state == SUB_SUBSCRIBED && s->deliver && !ps_sub_expired(s) && ps_may_see(n, jid_trust(s->jid), false).ok;
}

static size_t to_contacts(struct ps_node *n, struct fan_to *to)
{
	struct user *u = n->host->user;
	struct str key;
	uint32_t pos = 0;
	size_t count = 0;
	void *value;

	to[count++] = (struct fan_to){ .jid = u->jid, .mode = FAN_INTERESTED };
	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (roster_sees_us(c) && !map_get(&n->subs, c->jid.full) && ps_may_see(n, c->jid, false).ok)
			to[count++] = (struct fan_to){ .jid = c->jid, .mode = FAN_INTERESTED };
	}
	return count;
}

/* A contact's resource is among those of FAN_INTERESTED already when its client wants the node. */
static uint8_t mode_of(const struct ps_node *n, struct jid j)
{
	if (jid_is_bare(j))
		return FAN_EITHER;
	return roster_sees_us(roster_get(n->host->user, jid_bare_str(j))) ? FAN_RESOURCE : FAN_AVAILABLE;
}

/* Explicit subscribers: here, or (others) elsewhere. */
static size_t to_subscribers(struct ps_node *n, struct fan_to *here, struct jid *there, size_t *there_n)
{
	struct core *c = n->host->core;
	struct str key;
	uint32_t pos = 0;
	size_t count = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		struct jid j = jid_trust(key);

		if (!sub_gets(n, value))
			continue;
		if (!router_home(c, j))
			there[(*there_n)++] = j;
		else
			here[count++] = (struct fan_to){ .jid = j, .mode = mode_of(n, j) };
	}
	return count;
}

void pep_fan(struct ps_node *n, struct stanza *st)
{
	struct core *c = n->host->core;
	struct arena *a = core_arena(c);
	struct fan_to *to = arena_alloc(a, (n->host->user->roster.n + n->subs.n + 2) * sizeof(*to));
	struct jid *there = arena_alloc(a, (n->subs.n + 1) * sizeof(*there));
	size_t count = to_contacts(n, to), there_n = 0;

	count += to_subscribers(n, to + count, there, &there_n);
	fan_out(c, st, n->name, to, count);
	if (there_n)
		router_route_many(c, st, there, there_n);
}

/* ---- last items to a session that has come ---- */

/* Runs when the host is in memory. */
struct hello_job {
	struct ps_job job;
	struct blob *wanted;
	char who[];
};

static void send_last(struct ps_host *h, struct blob *wanted, struct jid who)
{
	for (const char *p = wanted->p; p < wanted->p + wanted->n; p += strlen(p) + 1) {
		struct ps_node *n = ps_node_get(h, str_of(p));

		if (n && n->cfg.send_last == LAST_ON_SUB_AND_PRESENCE && n->cfg.deliver_notifications && ps_may_see(n, jid_bare(who), false).ok)
			ps_event_last(n, who);
	}
}

static bool hello_run(struct ps_host *h, struct ps_job *j)
{
	struct hello_job *w = container_of(j, struct hello_job, job);

	if (!ps_host_ready(h))
		return false;
	send_last(h, w->wanted, jid_trust(str_of(w->who)));
	return true;
}

static void hello_free(struct ps_job *j)
{
	struct hello_job *w = container_of(j, struct hello_job, job);

	blob_unref(w->wanted);
	free(w);
}

/* The session `who` is there and wants events of these nodes. */
static void hello(struct user *u, struct jid who, struct blob *wanted)
{
	bool own = jid_bare_eq(who, u->jid);
	struct hello_job *w;

	if (!own && (!roster_sees_us(roster_get(u, jid_bare_str(who))) || user_blocks(u, who)))
		return;
	w = mem_zalloc(sizeof(*w) + who.full.n + 1);
	w->job = (struct ps_job){ .run = hello_run, .free = hello_free };
	w->wanted = blob_ref(wanted);
	memcpy(w->who, who.full.p, who.full.n);
	ps_host_do(ps_host_of(u), &w->job);
}

struct hello_to {
	struct blob *wanted;
	char who[];
};

static void on_user(struct user *u, void *arg)
{
	struct hello_to *t = arg;

	if (u && u->state == USER_READY && !u->leaving)
		hello(u, jid_trust(str_of(t->who)), t->wanted);
	blob_unref(t->wanted);
	free(t);
}

static void hello_to(struct core *c, struct str bare, struct str who, struct blob *wanted)
{
	struct user *u = user_find(c, bare);
	struct hello_to *t;

	if (u) {
		hello(u, jid_trust(who), wanted);
		return;
	}
	t = mem_zalloc(sizeof(*t) + who.n + 1);
	t->wanted = blob_ref(wanted);
	memcpy(t->who, who.p, who.n);
	user_with(c, bare, on_user, t);
}

struct hello_mail {
	struct mail mail;
	struct blob *wanted, *names; /* names: who, then the accounts, each ended by NUL */
};

static void hello_mail_free(struct hello_mail *m)
{
	blob_unref(m->wanted);
	blob_unref(m->names);
	free(m);
}

static void on_mail(struct shard *s, struct mail *mail)
{
	struct hello_mail *m = container_of(mail, struct hello_mail, mail);
	const char *who = m->names->p, *end = who + m->names->n;

	for (const char *p = who + strlen(who) + 1; p < end; p += strlen(p) + 1)
		hello_to(s->core, str_of(p), str_of(who), m->wanted);
	hello_mail_free(m);
}

static void on_discard(struct mail *mail)
{
	hello_mail_free(container_of(mail, struct hello_mail, mail));
}

static const struct mail_kind MAIL_HELLO = { .name = "pubsub.hello", .handle = on_mail, .discard = on_discard };

static void put_name(struct buf *b, struct str s)
{
	buf_str(b, s);
	buf_putc(b, '\0');
}

/* Contacts with a subscription both ways: they see our presence, and we may see their events. */
static bool is_mutual(const struct contact *c)
{
	return roster_sees_us(c) && roster_we_see(c);
}

static void hello_shard(struct session *s, struct shard *home, struct blob *wanted)
{
	struct user *u = s->user;
	struct buf names = { 0 };
	struct hello_mail *m;
	struct str key;
	uint32_t pos = 0;
	void *value;

	put_name(&names, s->jid.full);
	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (is_mutual(c) && router_home(s->core, c->jid) == home && !user_blocks(u, c->jid))
			put_name(&names, c->jid.full);
	}
	if (names.n > s->jid.full.n + 1) {
		m = mem_zalloc(sizeof(*m));
		m->mail.kind = &MAIL_HELLO;
		m->wanted = blob_ref(wanted);
		m->names = blob_new(names.p, names.n);
		if (shard_post(home, &m->mail))
			hello_mail_free(m);
	}
	buf_free(&names);
}

/* By mail within this shard too: hellos come after the presence that they belong to. */
static void hello_all(struct session *s, struct blob *wanted)
{
	struct shards *all = s->core->env->shards;

	if (!wanted || !s->presence)
		return;
	hello(s->user, s->jid, wanted);
	for (int k = 0; k < all->n; k++)
		hello_shard(s, all->v[k], wanted);
}

/* ---- what happens to sessions ---- */

static void on_caps(struct session *s, struct blob *fresh)
{
	hello_all(s, fresh);
}

void pep_presence(struct session *s, struct stanza *st)
{
	if (!st->to.full.n)
		caps_heard(s, st, on_caps);
}

void pep_available(struct session *s)
{
	hello_all(s, caps_notify(s));
}

/* A subscription came to be both ways (XEP-0163 §4.3.4). */
void pep_contact(struct user *u, struct contact *c)
{
	struct session *s;

	if (!is_mutual(c) || !router_home(u->core, c->jid))
		return;
	list_each(s, &u->sessions, in_user) {
		struct buf names = { 0 };
		struct hello_mail *m;

		if (!s->presence || !caps_notify(s))
			continue;
		put_name(&names, s->jid.full);
		put_name(&names, c->jid.full);
		m = mem_zalloc(sizeof(*m));
		m->mail.kind = &MAIL_HELLO;
		m->wanted = blob_ref(caps_notify(s));
		m->names = blob_new(names.p, names.n);
		buf_free(&names);
		if (shard_post(router_home(u->core, c->jid), &m->mail))
			hello_mail_free(m);
	}
}

/* ---- pubsub#purge_offline ---- */

static bool purge_run(struct ps_host *h, struct ps_job *j)
{
	struct store_batch *b = NULL;
	struct str key;
	uint32_t pos = 0;
	void *value;

	(void)j;
	if (!ps_host_ready(h))
		return false;
	if (user_is_available(h->user))
		return true;
	while (map_next(&h->nodes, &pos, &key, &value)) {
		struct ps_node *n = value;

		if (!n->cfg.purge_offline || ps_is_bookmarks(h, n->name) || (n->loaded && !n->items_n))
			continue;
		b = b ? b : store_batch_new();
		ps_items_clear(n, b);
		if (n->cfg.notify_retract)
			ps_event_simple(n, "purge", NULL);
	}
	if (b)
		store_commit(h->core->env->store, h->core->shard, b, NULL, NULL);
	return true;
}

static void purge_free(struct ps_job *j)
{
	free(j);
}

void pep_unavailable(struct session *s, struct stanza *st)
{
	struct ps_host *h = s->user->slot[USER_SLOT_PEP];
	struct ps_job *j;

	(void)st;
	if (!h || h->state != HOST_READY || user_is_available(s->user) || s->user->leaving || s->core->closing)
		return;
	j = mem_zalloc(sizeof(*j));
	*j = (struct ps_job){ .run = purge_run, .free = purge_free };
	ps_host_do(h, j);
}

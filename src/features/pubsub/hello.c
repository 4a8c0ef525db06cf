/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0163 1.2.2 §4.3.4: the last items to a session that has just come or wants more than before. A session here greets the accounts that
 * it sees, by mail, when its presence is out and its capabilities are known; of somebody elsewhere the presence that comes in does
 * it, and is remembered for the events to come. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/caps.h"
#include "core/roster.h"
#include "features/pubsub/pubsub.h"

enum { REMOTES_MAX = 1000 }; /* sessions elsewhere, per account */

/* What is wanted, and since when: what is published later comes as an event. */
struct greeting {
	struct blob *wanted; /* names, each ended by NUL */
	uint64_t since_ms;
};

/* ---- at the account ---- */

struct hello_job {
	struct ps_job job;
	struct greeting g; /* holds a reference */
	char who[];
};

static bool hello_run(struct ps_host *h, struct ps_job *j)
{
	struct hello_job *w = container_of(j, struct hello_job, job);
	struct jid who = jid_trust(str_of(w->who));
	const struct blob *wanted = w->g.wanted;

	if (!ps_host_ready(h))
		return false;
	for (const char *p = wanted->p; p < wanted->p + wanted->n; p += strlen(p) + 1) {
		struct ps_node *n = ps_node_get(h, str_of(p));

		if (n && n->cfg.send_last == LAST_ON_SUB_AND_PRESENCE && n->cfg.deliver_notifications && ps_may_see(n, jid_bare(who), false).ok)
			ps_event_last(n, who, w->g.since_ms);
	}
	return true;
}

static void hello_free(struct ps_job *j)
{
	struct hello_job *w = container_of(j, struct hello_job, job);

	blob_unref(w->g.wanted);
	free(w);
}

static void hello(struct user *u, struct jid who, const struct greeting *g)
{
	bool own = jid_bare_eq(who, u->jid);
	struct hello_job *w;

	if (!own && (!roster_sees_us(roster_get(u, jid_bare_str(who))) || user_blocks(u, who)))
		return;
	w = mem_zalloc(sizeof(*w) + who.full.n + 1);
	w->job = (struct ps_job){ .run = hello_run, .free = hello_free };
	w->g = (struct greeting){ blob_ref(g->wanted), g->since_ms };
	memcpy(w->who, who.full.p, who.full.n);
	ps_host_do(ps_host_of(u), &w->job);
}

/* The account may have to be loaded. */
struct hello_to {
	struct greeting g;
	char who[];
};

static void on_user(struct user *u, void *arg)
{
	struct hello_to *t = arg;

	if (u && u->state == USER_READY && !u->leaving)
		hello(u, jid_trust(str_of(t->who)), &t->g);
	blob_unref(t->g.wanted);
	free(t);
}

static void hello_to(struct core *c, struct str bare, struct str who, const struct greeting *g)
{
	struct user *u = user_find(c, bare);
	struct hello_to *t;

	if (u) {
		hello(u, jid_trust(who), g);
		return;
	}
	t = mem_zalloc(sizeof(*t) + who.n + 1);
	t->g = (struct greeting){ blob_ref(g->wanted), g->since_ms };
	memcpy(t->who, who.p, who.n);
	user_with(c, bare, on_user, t);
}

/* ---- from a session to the accounts that it sees ---- */

struct hello_mail {
	struct mail mail;
	struct greeting g;
	struct blob *names; /* who, then the accounts, each ended by NUL */
};

static void mail_free(struct hello_mail *m)
{
	blob_unref(m->g.wanted);
	blob_unref(m->names);
	free(m);
}

static void on_mail(struct shard *s, struct mail *mail)
{
	struct hello_mail *m = container_of(mail, struct hello_mail, mail);
	const char *who = m->names->p, *end = who + m->names->n;

	for (const char *p = who + strlen(who) + 1; p < end; p += strlen(p) + 1)
		hello_to(s->core, str_of(p), str_of(who), &m->g);
	mail_free(m);
}

static void on_discard(struct mail *mail)
{
	mail_free(container_of(mail, struct hello_mail, mail));
}

static const struct mail_kind MAIL_HELLO = { .name = "pubsub.hello", .handle = on_mail, .discard = on_discard };

static void post(struct shard *home, const struct greeting *g, const struct buf *names)
{
	struct hello_mail *m = mem_zalloc(sizeof(*m));

	m->mail.kind = &MAIL_HELLO;
	m->g = (struct greeting){ blob_ref(g->wanted), g->since_ms };
	m->names = blob_new(names->p, names->n);
	if (shard_post(home, &m->mail))
		mail_free(m);
}

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

static void hello_shard(struct session *s, struct shard *home, const struct greeting *g)
{
	struct user *u = s->user;
	struct buf names = { 0 };
	struct str key;
	uint32_t pos = 0;
	void *value;

	put_name(&names, s->jid.full);
	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (is_mutual(c) && router_home(s->core, c->jid) == home && !user_blocks(u, c->jid))
			put_name(&names, c->jid.full);
	}
	if (names.n > s->jid.full.n + 1)
		post(home, g, &names);
	buf_free(&names);
}

/* By mail within this shard too: hellos come after the presence that they belong to. */
static void hello_all(struct session *s, struct blob *wanted)
{
	struct greeting g = { wanted, clock_wall_ms() };
	struct shards *all = s->core->env->shards;

	if (!wanted || !s->presence)
		return;
	hello(s->user, s->jid, &g);
	for (int k = 0; k < all->n; k++)
		hello_shard(s, all->v[k], &g);
}

void pep_presence(struct session *s, struct stanza *st)
{
	if (!st->to.full.n)
		caps_heard(s, st, hello_all);
}

void pep_available(struct session *s)
{
	hello_all(s, caps_notify(s));
}

/* A subscription came to be both ways. */
void pep_contact(struct user *u, struct contact *c)
{
	struct shard *home = router_home(u->core, c->jid);
	struct session *s;

	if (!is_mutual(c) || !home)
		return;
	list_each(s, &u->sessions, in_user) {
		struct greeting g = { caps_notify(s), clock_wall_ms() };
		struct buf names = { 0 };

		if (!s->presence || !g.wanted)
			continue;
		put_name(&names, s->jid.full);
		put_name(&names, c->jid.full);
		post(home, &g, &names);
		buf_free(&names);
	}
}

/* ---- sessions elsewhere ---- */

struct remote {
	struct blob *wanted; /* NULL: not known yet, or nothing */
	struct str jid;	     /* full */
	char bytes[];
};

static void remote_free(struct ps_host *h, struct remote *r)
{
	map_del(&h->remote, r->jid);
	blob_unref(r->wanted);
	free(r);
}

void hello_remotes_free(struct ps_host *h)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&h->remote, &pos, &key, &value))
		remote_free(h, value);
	map_fini(&h->remote);
}

size_t hello_remotes(const struct ps_node *n, struct jid *out)
{
	struct str key;
	uint32_t pos = 0;
	size_t count = 0;
	void *value;

	while (map_next(&n->host->remote, &pos, &key, &value)) {
		const struct remote *r = value;

		if (caps_list_has(r->wanted, n->name) && ps_may_see(n, jid_bare(jid_trust(r->jid)), false).ok)
			out[count++] = jid_trust(r->jid);
	}
	return count;
}

bool hello_remote_wants(const struct ps_host *h, struct jid who, struct str node)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&h->remote, &pos, &key, &value))
		if (jid_bare_eq(jid_trust(key), who) && (jid_is_bare(who) || str_eq(key, who.full)) &&
			caps_list_has(((struct remote *)value)->wanted, node))
			return true;
	return false;
}

/* fresh: wanted without what was wanted before. */
static void remote_wants(struct ps_host *h, struct remote *r, struct blob *wanted)
{
	struct greeting g = { caps_list_minus(wanted, r->wanted), clock_wall_ms() };

	blob_unref(r->wanted);
	r->wanted = blob_ref(wanted);
	if (g.wanted)
		hello(h->user, jid_trust(r->jid), &g);
	blob_unref(g.wanted);
}

static void on_found(struct core *c, void *arg, struct blob *wanted)
{
	struct ps_ref *ref = arg;
	struct ps_host *h = ps_ref_host(c, ref);
	struct remote *r = h ? map_get(&h->remote, ref->node) : NULL;

	if (r)
		remote_wants(h, r, wanted);
	free(ref);
}

static struct remote *remote_need(struct ps_host *h, struct str jid)
{
	struct remote *r = map_get(&h->remote, jid);

	if (r || h->remote.n >= REMOTES_MAX)
		return r;
	r = mem_zalloc(sizeof(*r) + jid.n);
	memcpy(r->bytes, jid.p, jid.n);
	r->jid = (struct str){ r->bytes, jid.n };
	map_put(&h->remote, r->jid, r);
	return r;
}

void pep_presence_in(struct user *u, struct stanza *st)
{
	struct core *c = u->core;
	struct ps_host *h = u->slot[USER_SLOT_PEP];
	struct remote *r = h ? map_get(&h->remote, st->from.full) : NULL;
	const struct xml *tree, *el;

	if (router_home(c, st->from) || jid_is_bare(st->from) || core_is_local(c, jid_domain(st->from)))
		return;
	if (st->type != PRES_AVAILABLE) {
		if (r)
			remote_free(h, r);
		return;
	}
	if (!is_mutual(roster_get(u, jid_bare_str(st->from))))
		return;
	tree = stanza_tree(st, core_arena(c));
	el = tree ? xml_child(tree, "c", NS_CAPS) : NULL;
	r = el ? remote_need(ps_host_of(u), st->from.full) : NULL;
	if (r)
		caps_heard_of(c, u->jid, st->from, el, on_found, ps_ref_new(ps_host_of(u), r->jid, NULL));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0163 1.2.2: events of an account to those who share presence with it and whose clients want them (XEP-0060 §9). What a session
 * wants is known in its own shard (core/caps.h): an event goes to the shards of the contacts and is filtered there. Contacts elsewhere are
 * known by the presence that came from them (hello.c). */
#include <stdlib.h>

#include "base/mem.h"
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
		if (!router_home(c, j) && hello_remote_wants(n->host, j, n->name))
			continue; /* his session gets it already */
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
	struct jid *there = arena_alloc(a, (n->subs.n + n->host->remote.n + 1) * sizeof(*there));
	size_t count = to_contacts(n, to), there_n = hello_remotes(n, there);

	count += to_subscribers(n, to + count, there, &there_n);
	fan_out(c, st, n->name, to, count);
	if (there_n)
		router_route_many(c, st, there, there_n);
}

/* ---- subscriptions whose reason is gone (XEP-0163 §8.1) ---- */

struct check_job {
	struct ps_job job;
	char bare[];
};

/* Those of one account that the node's access model does not allow any more. */
static void cancel(struct ps_node *n, struct str bare, struct store_batch **b)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		struct ps_sub *s = value;
		struct jid j = jid_trust(s->jid);

		if (!str_eq(jid_bare_str(j), bare) || ps_may_see(n, j, true).ok)
			continue;
		*b = *b ? *b : store_batch_new();
		ps_event_subscription(n, s->jid, SUB_NONE);
		ps_sub_remove(n, s, *b);
	}
}

static bool check_run(struct ps_host *h, struct ps_job *j)
{
	struct check_job *c = container_of(j, struct check_job, job);
	struct store_batch *b = NULL;
	struct str key;
	uint32_t pos = 0;
	void *value;

	if (!ps_host_ready(h))
		return false;
	while (map_next(&h->nodes, &pos, &key, &value))
		cancel(value, str_of(c->bare), &b);
	if (b)
		ps_commit(h, b);
	return true;
}

static void check_free(struct ps_job *j)
{
	free(container_of(j, struct check_job, job));
}

void pep_roster(struct user *u, struct jid bare)
{
	const struct contact *c = roster_get(u, bare.full);
	struct check_job *j;

	/* A new or better contact loses nothing; one with groups may have changed them. */
	if (u->leaving || u->core->closing || (roster_sees_us(c) && !c->groups_n && !u->slot[USER_SLOT_PEP]))
		return;
	j = mem_zalloc(sizeof(*j) + bare.full.n + 1);
	j->job = (struct ps_job){ .run = check_run, .free = check_free };
	memcpy(j->bare, bare.full.p, bare.full.n);
	ps_host_do(ps_host_of(u), &j->job);
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

		if (n->cfg.purge_offline && !ps_items_ready(n))
			return false;
	}
	pos = 0;
	while (map_next(&h->nodes, &pos, &key, &value)) {
		struct ps_node *n = value;

		if (!n->cfg.purge_offline || ps_is_bookmarks(h, n->name) || !n->items_n)
			continue;
		b = b ? b : store_batch_new();
		ps_items_clear(n, b);
		if (n->cfg.notify_retract)
			ps_event_simple(n, "purge", NULL);
	}
	if (b)
		ps_commit(h, b);
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

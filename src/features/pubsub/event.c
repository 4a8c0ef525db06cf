/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Notifications of XEP-0060 1.30.0: what happened at a node, to everybody who is to know. The payload is encoded once. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "features/pubsub/fan.h"
#include "features/pubsub/pubsub.h"

void ps_event_new(struct ps_host *h, enum stanza_type type, struct stanza *out, struct xml **event)
{
	struct arena *a = core_arena(h->core);

	stanza_new(a, ST_MESSAGE, type, out);
	out->from = h->jid;
	out->id = random_token(a, 12);
	*event = xml_add(a, out->el, "event", NS_PUBSUB_EVENT);
}

static enum stanza_type type_of(const struct ps_node *n)
{
	return n->cfg.notification == NOTIFY_NORMAL ? MSG_NORMAL : MSG_HEADLINE;
}

/* ---- to subscribers ---- */

static bool gets(const struct ps_sub *s)
{
	return s->state == SUB_SUBSCRIBED && s->deliver && !ps_sub_expired(s);
}

/* Who wants to be asked first whether he is there. Of other servers' people nobody knows. */
static bool by_presence(const struct ps_node *n, const struct ps_sub *s)
{
	return (n->cfg.presence_based || s->show) && router_home(n->host->core, jid_trust(s->jid));
}

static void to_subscribers(struct ps_node *n, struct stanza *st)
{
	struct core *c = n->host->core;
	struct arena *a = core_arena(c);
	struct jid *to = arena_alloc(a, (n->subs.n + 1) * sizeof(*to));
	struct fan_to *there = arena_alloc(a, (n->subs.n + 1) * sizeof(*there));
	struct str key;
	uint32_t pos = 0;
	size_t to_n = 0, there_n = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		const struct ps_sub *s = value;

		if (!gets(s))
			continue;
		if (by_presence(n, s))
			there[there_n++] = (struct fan_to){ .jid = jid_trust(s->jid), .mode = FAN_AVAILABLE, .show = s->show };
		else
			to[to_n++] = jid_trust(s->jid);
	}
	if (there_n)
		fan_out(c, st, n->name, there, there_n);
	if (to_n)
		router_route_many(c, st, to, to_n);
}

void ps_event_send(struct ps_node *n, struct stanza *st)
{
	stanza_scan(st);
	stanza_tail(st);
	if (n->host->user)
		pep_fan(n, st);
	else
		to_subscribers(n, st);
	stanza_fini(st);
}

/* ---- items ---- */

static struct xml *items_new(struct ps_node *n, struct stanza *st)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *event, *items;

	ps_event_new(n->host, type_of(n), st, &event);
	items = xml_add(a, event, "items", NULL);
	xml_set(a, items, "node", n->name);
	return items;
}

static void item_add(struct ps_node *n, struct xml *items, const struct ps_item *it, struct str payload)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *item = xml_add(a, items, "item", NULL), *el;

	if (it->id.n)
		xml_set(a, item, "id", it->id);
	if (n->cfg.reply == REPLY_PUBLISHER && it->publisher.n)
		xml_set(a, item, "publisher", it->publisher);
	if (n->cfg.deliver_payloads && payload.n && !xml_parse(a, payload, &el))
		xml_append(item, el);
}

void ps_event_item(struct ps_node *n, const struct ps_item *it, struct str payload)
{
	struct xml *items;
	struct stanza st;

	if (!n->cfg.deliver_notifications)
		return;
	items = items_new(n, &st);
	if (it)
		item_add(n, items, it, payload);
	ps_event_send(n, &st);
}

void ps_event_retract(struct ps_node *n, struct str id)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *items;
	struct stanza st;

	if (!n->cfg.deliver_notifications)
		return;
	items = items_new(n, &st);
	xml_set(a, xml_add(a, items, "retract", NULL), "id", id);
	ps_event_send(n, &st);
}

void ps_event_simple(struct ps_node *n, const char *name, struct xml *child)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *event, *el;
	struct stanza st;

	ps_event_new(n->host, type_of(n), &st, &event);
	el = xml_add(a, event, name, NULL);
	xml_set(a, el, "node", n->name);
	if (child)
		xml_append(el, child);
	ps_event_send(n, &st);
}

/* ---- the last item (§6.1.7, XEP-0163 §4.3.4) ---- */

struct last {
	struct ps_ref *ref;
	char *to;
	struct str id; /* own bytes */
};

static void last_free(struct last *w)
{
	free(w->ref);
	free(w->to);
	free((void *)w->id.p);
	free(w);
}

static void last_send(struct ps_node *n, const struct ps_item *it, struct str payload, struct jid to)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *delay;
	struct stanza st;

	item_add(n, items_new(n, &st), it, payload);
	delay = xml_add(a, st.el, "delay", NS_DELAY);
	xml_set(a, delay, "from", n->host->jid.full);
	xml_set(a, delay, "stamp", time_format(a, archive_id_ms(it->seq)));
	st.to = to;
	router_route(n->host->core, &st);
	stanza_fini(&st);
}

static void on_last(struct core *c, void *arg, const struct str *payloads, size_t count)
{
	struct last *w = arg;
	struct ps_node *n = ps_ref_node(c, w->ref);
	struct ps_item *it = n ? ps_item_get(n, w->id) : NULL;

	if (it && count && payloads[0].p)
		last_send(n, it, payloads[0], jid_trust(str_of(w->to)));
	last_free(w);
}

/* The items of a node may have to be read first. */
struct last_job {
	struct ps_job job;
	struct ps_ref *ref;
	uint64_t before_ms;
	char to[];
};

static bool run_last(struct ps_host *h, struct ps_job *j)
{
	struct last_job *l = container_of(j, struct last_job, job);
	struct ps_node *n = ps_node_get(h, l->ref->node);
	struct ps_item *it;
	struct last *w;

	if (!n || !n->cfg.persist)
		return true;
	if (!ps_items_ready(n))
		return false;
	ps_items_expire(n);
	it = ps_item_last(n);
	if (!it || archive_id_ms(it->seq) > l->before_ms)
		return true;
	if (it->payload) {
		last_send(n, it, blob_view(it->payload), jid_trust(str_of(l->to)));
		return true;
	}
	w = mem_zalloc(sizeof(*w));
	w->ref = ps_ref_new(h, n->name, NULL);
	w->to = mem_strdup(l->to);
	w->id = (struct str){ str_dup(it->id), it->id.n };
	ps_items_read(n, &it, 1, on_last, w);
	return true;
}

static void free_last(struct ps_job *j)
{
	struct last_job *l = container_of(j, struct last_job, job);

	free(l->ref);
	free(l);
}

void ps_event_last(struct ps_node *n, struct jid to, uint64_t before_ms)
{
	struct last_job *l = mem_zalloc(sizeof(*l) + to.full.n + 1);

	l->job = (struct ps_job){ .run = run_last, .free = free_last };
	l->ref = ps_ref_new(n->host, n->name, NULL);
	l->before_ms = before_ms;
	memcpy(l->to, to.full.p, to.full.n);
	ps_host_do(n->host, &l->job);
}

/* ---- subscriptions (§12.12) ---- */

static struct xml *subscription_new(struct ps_node *n, struct str jid, enum ps_state state, struct stanza *st)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *event, *el;

	ps_event_new(n->host, MSG_HEADLINE, st, &event);
	el = xml_add(a, event, "subscription", NULL);
	xml_set(a, el, "node", n->name);
	xml_set(a, el, "jid", jid);
	xml_set(a, el, "subscription", str_of(ps_state_names[state]));
	return el;
}

void ps_event_subscription(struct ps_node *n, struct str jid, enum ps_state state)
{
	struct stanza st;

	subscription_new(n, jid, state, &st);
	st.to = jid_trust(jid);
	router_route(n->host->core, &st);
	stanza_fini(&st);
}

void ps_event_sub_to_owners(struct ps_node *n, struct str jid, enum ps_state state)
{
	struct stanza st;

	if (!n->cfg.notify_sub)
		return;
	subscription_new(n, jid, state, &st);
	ps_to_owners(n, &st);
}

void ps_to_owners(struct ps_node *n, struct stanza *st)
{
	struct arena *a = core_arena(n->host->core);
	struct jid *to = arena_alloc(a, (n->affils.n + 1) * sizeof(*to));
	struct str key;
	uint32_t pos = 0;
	size_t count = 0;
	void *value;

	if (n->host->user)
		to[count++] = n->host->jid;
	while (map_next(&n->affils, &pos, &key, &value))
		if (((struct ps_affiliate *)value)->affil == AFFIL_OWNER)
			to[count++] = jid_trust(key);
	stanza_scan(st);
	stanza_tail(st);
	router_route_many(n->host->core, st, to, count);
	stanza_fini(st);
}

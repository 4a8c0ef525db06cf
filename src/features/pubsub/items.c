/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §6.5: to retrieve items, all, some by id, the last ones, or by page (XEP-0059 1.0.1). Oldest first. */
#include <stdlib.h>

#include "base/mem.h"
#include "features/pubsub/pubsub.h"
#include "proto/xmpp/rsm.h"

/* The part of a node's items that an answer holds. */
struct page {
	struct ps_item **v; /* in the arena */
	uint32_t n, first, total; /* first: place of v[0] among all */
	bool rsm;	    /* say which part it is */
};

/* A request whose payloads are being read. */
struct fetch {
	struct iq_held *held;
	struct str node; /* own bytes */
	bool with_publisher, rsm;
	uint32_t first, total;
	size_t n;
	struct str ids[]; /* own bytes: id, publisher, id, publisher … */
};

static void fetch_free(struct fetch *f)
{
	for (size_t i = 0; i < 2 * f->n; i++)
		free((void *)f->ids[i].p);
	free((void *)f->node.p);
	iq_held_free(f->held);
	free(f);
}

/* A payload as stored is well-formed and small enough to be read again. */
static void add_item(struct arena *a, struct xml *items, const struct fetch *f, size_t i, struct str payload)
{
	struct xml *item, *el;

	if (!payload.p)
		return; /* removed meanwhile */
	item = xml_add(a, items, "item", NULL);
	xml_set(a, item, "id", arena_str(a, f->ids[2 * i]));
	if (f->with_publisher && f->ids[2 * i + 1].n)
		xml_set(a, item, "publisher", arena_str(a, f->ids[2 * i + 1]));
	if (payload.n && !xml_parse(a, arena_str(a, payload), &el))
		xml_append(item, el);
}

static void on_payloads(struct core *c, void *arg, const struct str *payloads, size_t n)
{
	struct fetch *f = arg;
	struct iq *iq = iq_wake(f->held);
	struct arena *a = core_arena(c);
	struct xml *pubsub = xml_new(a, "pubsub", NS_PUBSUB), *items = xml_add(a, pubsub, "items", NULL);

	xml_set(a, items, "node", arena_str(a, f->node));
	for (size_t i = 0; i < n; i++)
		add_item(a, items, f, i, payloads[i]);
	if (f->rsm)
		rsm_add(a, pubsub, n ? arena_str(a, f->ids[0]) : STR_NONE, n ? arena_str(a, f->ids[2 * n - 2]) : STR_NONE,
			n ? (int64_t)f->first : -1, f->total);
	iq_result(iq, pubsub);
	fetch_free(f);
}

static struct str own(struct str s)
{
	return (struct str){ str_dup(s), s.n };
}

static void fetch(struct ps_req *r, const struct page *p)
{
	struct fetch *f = mem_zalloc(sizeof(*f) + 2 * p->n * sizeof(f->ids[0]));

	f->held = iq_hold(r->iq, NULL);
	f->node = own(r->n->name);
	f->with_publisher = r->n->cfg.reply == REPLY_PUBLISHER;
	f->rsm = p->rsm;
	f->first = p->first;
	f->total = p->total;
	f->n = p->n;
	for (uint32_t i = 0; i < p->n; i++) {
		f->ids[2 * i] = own(p->v[i]->id);
		f->ids[2 * i + 1] = own(p->v[i]->publisher);
	}
	ps_items_read(r->n, p->v, p->n, on_payloads, f);
}

/* ---- which items ---- */

/* As many as fit into one answer: from the front, or (back) from the end. Servers elsewhere take less at a time. */
static void cut(struct ps_req *r, struct page *p, bool back)
{
	uint32_t most = router_home(r->h->core, r->from) ? PS_ANSWER_BYTES : PS_ANSWER_BYTES_AWAY;
	uint64_t bytes = 0;
	uint32_t n = 0;

	while (n < p->n) {
		bytes += p->v[back ? p->n - 1 - n : n]->size;
		if (bytes > most && n)
			break;
		n++;
	}
	if (n == p->n)
		return;
	if (back) {
		p->v += p->n - n;
		p->first += p->n - n;
	}
	p->n = n;
	p->rsm = true; /* §6.5.4 */
}

static void by_ids(struct ps_req *r, struct page *p)
{
	struct map seen = { 0 };
	uint32_t asked = 0;

	p->v = arena_alloc(r->a, PS_IDS_MAX * sizeof(struct ps_item *));
	p->n = 0;
	for (const struct xml *el = xml_child(r->el, "item", NULL); el && asked < PS_IDS_MAX; el = xml_next_same(el), asked++) {
		struct ps_item *it = ps_item_get(r->n, xml_get(el, "id"));

		if (it && !map_put(&seen, it->id, it))
			p->v[p->n++] = it;
	}
	map_fini(&seen);
}

static uint32_t place_of(const struct ps_node *n, const struct ps_item *it)
{
	uint32_t lo = 0, hi = n->items_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (n->items[mid]->seq < it->seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Returns false: an id that is not there (XEP-0059 §2.2: item-not-found). */
static bool by_rsm(struct ps_req *r, const struct rsm *q, struct page *p)
{
	const struct ps_node *n = r->n;
	uint32_t lo = 0, hi = n->items_n, max = q->max;
	const struct ps_item *it;

	if (q->has_after && q->after.n) {
		it = ps_item_get(n, q->after);
		if (!it)
			return false;
		lo = place_of(n, it) + 1;
	}
	if (q->has_before && q->before.n) {
		it = ps_item_get(n, q->before);
		if (!it)
			return false;
		hi = place_of(n, it);
	}
	if (q->has_index)
		lo = q->index < hi ? q->index : hi;
	if (lo > hi)
		lo = hi;
	if (hi - lo > max) {
		if (q->has_before)
			lo = hi - max;
		else
			hi = lo + max;
	}
	*p = (struct page){ .v = n->items + lo, .n = hi - lo, .first = lo, .total = n->items_n, .rsm = true };
	cut(r, p, q->has_before);
	return true;
}

static bool choose(struct ps_req *r, struct page *p)
{
	struct str max_text = xml_get(r->el, "max_items");
	struct rsm q;
	uint64_t max = UINT32_MAX;

	*p = (struct page){ .v = r->n->items, .n = r->n->items_n, .total = r->n->items_n };
	if (rsm_parse(r->a, r->pubsub, &q) || (max_text.p && (str_u64(max_text, UINT32_MAX, &max) || !max))) {
		ps_error(r, ERR_BAD_REQUEST, NULL);
		return false;
	}
	if (xml_child(r->el, "item", NULL)) {
		by_ids(r, p);
	} else if (q.present) {
		if (by_rsm(r, &q, p))
			return true;
		ps_error(r, ERR_ITEM_NOT_FOUND, NULL);
		return false;
	} else if (p->n > max) { /* §6.5.7: the most recent ones */
		p->first = p->n - (uint32_t)max;
		p->v += p->first;
		p->n = (uint32_t)max;
	}
	cut(r, p, max_text.p);
	return true;
}

bool ps_items(struct ps_req *r)
{
	struct ps_verdict v = ps_may_see(r->n, r->who, false);
	struct page p;

	if (!v.ok) {
		ps_error(r, v.error, v.cond);
		return true;
	}
	if (!r->n->cfg.persist) {
		ps_unsupported(r, "persistent-items");
		return true;
	}
	if (ps_is_bookmarks(r->h, r->node) && !bookmarks_ready(r->h))
		return false;
	if (!ps_items_ready(r->n))
		return false;
	ps_items_expire(r->n);
	if (choose(r, &p))
		fetch(r, &p);
	return true;
}

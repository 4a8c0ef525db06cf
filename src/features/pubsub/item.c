/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The items of a node, in order of publication (XEP-0060 §12.1): names in memory, payloads in the store. Owner: the host's JID.
 *   kind "pubsub-item"  key node LF id  8 bytes seq (big endian), 4 bytes size, 2 bytes length of the publisher, publisher, payload
 *   kind "pubsub"       key ""          bytes of all items of the host (PS_ITEM_COST)
 *   kind "pubsub-data"  key node LF id  the payload, when it is larger than PS_INLINE_MAX */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "features/pubsub/pubsub.h"

enum { ROW_HEAD = 14, READ_ONE_BY_ONE = 8 };

struct ps_item *ps_item_get(const struct ps_node *n, struct str id)
{
	return map_get(&n->by_id, id);
}

struct ps_item *ps_item_last(const struct ps_node *n)
{
	return n->items_n ? n->items[n->items_n - 1] : NULL;
}

static void item_free(struct ps_item *it)
{
	blob_unref(it->payload);
	free(it);
}

static struct ps_item *item_new(struct str id, struct str publisher)
{
	struct ps_item *it = mem_zalloc(sizeof(*it) + id.n + publisher.n);

	memcpy(it->bytes, id.p, id.n);
	if (publisher.n)
		memcpy(it->bytes + id.n, publisher.p, publisher.n);
	it->id = (struct str){ it->bytes, id.n };
	it->publisher = (struct str){ it->bytes + id.n, publisher.n };
	return it;
}

/* Behind all that are older. */
static void insert(struct ps_node *n, struct ps_item *it)
{
	uint32_t at = n->items_n;

	if (n->items_n == n->items_cap) {
		n->items_cap = n->items_cap ? n->items_cap * 2 : 4;
		n->items = mem_realloc(n->items, n->items_cap * sizeof(struct ps_item *));
	}
	while (at && n->items[at - 1]->seq > it->seq) {
		n->items[at] = n->items[at - 1];
		at--;
	}
	n->items[at] = it;
	n->items_n++;
	map_put(&n->by_id, it->id, it);
}

static void take_out(struct ps_node *n, struct ps_item *it)
{
	uint32_t at = 0;

	while (n->items[at] != it)
		at++;
	memmove(n->items + at, n->items + at + 1, (n->items_n - at - 1) * sizeof(struct ps_item *));
	n->items_n--;
	map_del(&n->by_id, it->id);
}

void ps_items_drop(struct ps_node *n)
{
	for (uint32_t i = 0; i < n->items_n; i++)
		item_free(n->items[i]);
	free(n->items);
	map_fini(&n->by_id);
	n->items = NULL;
	n->items_n = n->items_cap = 0;
	n->by_id = (struct map){ 0 };
	n->loaded = n->loading = n->read = n->reading = false;
}

/* ---- rows ---- */

static struct str key_of(struct ps_node *n, struct str id)
{
	return arena_printf(core_arena(n->host->core), "%.*s\n%.*s", STR_ARG(n->name), STR_ARG(id));
}

static void put_number(struct buf *b, uint64_t v, int bytes)
{
	while (bytes--)
		buf_putc(b, (char)(v >> 8 * bytes));
}

static uint64_t get_number(const char *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | (unsigned char)*p++;
	return v;
}

static void save(struct ps_node *n, struct ps_item *it, struct str payload, struct store_batch *b)
{
	struct str owner = n->host->jid.full, key = key_of(n, it->id);
	struct buf v = { 0 };

	put_number(&v, it->seq, 8);
	put_number(&v, it->size, 4);
	put_number(&v, it->publisher.n, 2);
	buf_str(&v, it->publisher);
	if (!it->big)
		buf_str(&v, payload);
	store_put(b, owner, STR("pubsub-item"), key, buf_view(&v));
	if (it->big)
		store_put(b, owner, STR("pubsub-data"), key, payload);
	buf_free(&v);
}

/* The payload inside a row, p NULL when it is not there. Returns false for a row that is none. */
static bool row_read(struct str v, uint64_t *seq, uint32_t *size, struct str *publisher, struct str *payload)
{
	size_t n;

	if (v.n < ROW_HEAD)
		return false;
	*seq = get_number(v.p, 8);
	*size = (uint32_t)get_number(v.p + 8, 4);
	n = get_number(v.p + 12, 2);
	if (v.n < ROW_HEAD + n)
		return false;
	*publisher = (struct str){ v.p + ROW_HEAD, n };
	*payload = *size <= PS_INLINE_MAX ? (struct str){ v.p + ROW_HEAD + n, v.n - ROW_HEAD - n } : STR_NONE;
	return true;
}

/* ---- quota ---- */

static uint64_t cost(size_t id_n, size_t payload_n)
{
	return id_n + payload_n + PS_ITEM_COST;
}

bool ps_item_fits(const struct ps_node *n, struct str id, size_t payload_n)
{
	const struct ps_host *h = n->host;
	const struct ps_item *old = ps_item_get(n, id);
	uint64_t quota = (uint64_t)config_int(core_config(h->core), h->user ? "pubsub.quota" : "pubsub.service_quota");

	return h->bytes - (old ? cost(old->id.n, old->size) : 0) + cost(id.n, payload_n) <= quota;
}

/* Written with the items that it counts. */
static void count(struct ps_node *n, uint64_t more, uint64_t less, struct store_batch *b)
{
	struct ps_host *h = n->host;

	h->bytes += more;
	h->bytes -= less < h->bytes ? less : h->bytes;
	store_put(b, h->jid.full, STR("pubsub"), STR_NONE,
		arena_printf(core_arena(h->core), "%llu", (unsigned long long)h->bytes));
}

/* ---- loading ---- */

/* The last payload is wanted at each sign-in of a contact, those of bookmarks at each change. */
static bool keeps(const struct ps_node *n, const struct ps_item *it, uint32_t size)
{
	return ps_is_bookmarks(n->host, n->name) || (it == ps_item_last(n) && size <= PS_CACHED_MAX);
}

static void cache(struct ps_node *n, struct ps_item *it, struct str payload)
{
	blob_unref(it->payload);
	it->payload = keeps(n, it, it->size) ? blob_new(payload.p ? payload.p : "", payload.n) : NULL;
}

static void load_row(struct ps_node *n, const struct store_item *row)
{
	struct str id, publisher, payload;
	struct ps_item *it;
	uint32_t size;
	uint64_t seq;

	str_cut(row->key, '\n', &id);
	if (!row_read(row->value, &seq, &size, &publisher, &payload) || n->items_n > PS_ITEMS_MAX || map_get(&n->by_id, id))
		return;
	it = item_new(id, publisher);
	it->seq = seq;
	it->size = size;
	it->big = size > PS_INLINE_MAX;
	insert(n, it);
	if (!it->big && keeps(n, it, size))
		cache(n, it, payload);
}

/* What was the last one while it was read, and is no more. */
static void uncache_old(struct ps_node *n)
{
	for (uint32_t i = 0; i + 1 < n->items_n; i++) {
		struct ps_item *it = n->items[i];

		if (it->payload && !keeps(n, it, it->size)) {
			blob_unref(it->payload);
			it->payload = NULL;
		}
	}
}

static void on_rows(struct shard *s, void *arg, int status, const struct store_item *v, size_t n_rows)
{
	struct ps_ref *ref = arg;
	struct ps_host *h = ps_ref_host(s->core, ref);
	struct ps_node *n = h ? ps_node_get(h, ref->node) : NULL;

	if (n && n->loading) {
		n->loading = false;
		for (size_t i = 0; i < n_rows; i++)
			load_row(n, &v[i]);
		uncache_old(n);
		n->loaded = !status;
	}
	if (h && status) {
		log_error("pubsub.items", "host=%.*s error=%d next=\"they are read again when they are needed\"", STR_ARG(h->jid.full), -status);
		ps_host_fail(h);
	} else if (h) {
		ps_host_pump(h);
	}
	free(ref);
}

bool ps_items_ready(struct ps_node *n)
{
	struct ps_host *h = n->host;
	struct store_range range = { .owner = h->jid.full, .kind = STR("pubsub-item"), .prefix = key_of(n, STR_NONE),
		.limit = PS_ITEMS_MAX + 1 };
	struct ps_ref *ref;

	if (n->loaded || n->loading)
		return n->loaded;
	ref = ps_ref_new(h, n->name, NULL);
	n->loading = true;
	if (store_list(h->core->env->store, h->core->shard, &range, on_rows, ref)) {
		free(ref);
		n->loading = false;
		ps_host_retry(h);
	}
	return n->loaded;
}

/* ---- changes ---- */

void ps_item_remove(struct ps_node *n, struct ps_item *it, struct store_batch *b)
{
	struct str owner = n->host->jid.full, key = key_of(n, it->id);

	store_del(b, owner, STR("pubsub-item"), key);
	if (it->big)
		store_del(b, owner, STR("pubsub-data"), key);
	count(n, 0, cost(it->id.n, it->size), b);
	take_out(n, it);
	item_free(it);
}

void ps_items_clear(struct ps_node *n, struct store_batch *b)
{
	struct str owner = n->host->jid.full, prefix = key_of(n, STR_NONE);

	for (uint32_t i = 0; i < n->items_n; i++)
		count(n, 0, cost(n->items[i]->id.n, n->items[i]->size), b);
	store_del_all(b, owner, STR("pubsub-item"), prefix);
	store_del_all(b, owner, STR("pubsub-data"), prefix);
	ps_items_drop(n);
	n->loaded = true;
}

struct ps_item *ps_item_put(struct ps_node *n, struct str id, struct str publisher, struct str payload, struct store_batch *b)
{
	struct ps_item *old = ps_item_get(n, id), *last, *it = item_new(id, publisher);

	if (old)
		ps_item_remove(n, old, b);
	last = ps_item_last(n);
	it->seq = archive_id_new(n->host->core);
	if (last && it->seq <= last->seq)
		it->seq = last->seq + 1; /* the clock stepped back since it was written */
	it->size = (uint32_t)payload.n;
	it->big = payload.n > PS_INLINE_MAX;
	insert(n, it);
	cache(n, it, payload);
	uncache_old(n);
	save(n, it, payload, b);
	count(n, cost(id.n, payload.n), 0, b);
	return it;
}

void ps_items_expire(struct ps_node *n)
{
	uint64_t now = clock_wall_ms();
	struct store_batch *b = NULL;

	if (n->cfg.item_expire == PS_MAX)
		return;
	while (n->items_n && archive_id_ms(n->items[0]->seq) + n->cfg.item_expire * 1000ull <= now) {
		b = b ? b : store_batch_new();
		ps_item_remove(n, n->items[0], b);
	}
	if (b)
		store_commit(n->host->core->env->store, n->host->core->shard, b, NULL, NULL); /* what stays expires when it is read again */
}

/* ---- reading payloads ---- */

struct reading {
	size_t n, left;
	ps_payloads_fn *done;
	void *arg;
	struct core *core;
	struct str owner, node; /* own bytes */
	struct map by_id;	/* id → struct slot */
	struct slot {
		struct blob *payload;
		struct str id; /* own bytes */
		bool big;
	} v[];
};

static void reading_end(struct reading *r)
{
	struct str *payloads;

	if (--r->left)
		return;
	payloads = arena_zalloc(core_arena(r->core), (r->n + 1) * sizeof(*payloads));
	for (size_t i = 0; i < r->n; i++)
		payloads[i] = blob_view(r->v[i].payload);
	r->done(r->core, r->arg, payloads, r->n);
	for (size_t i = 0; i < r->n; i++) {
		blob_unref(r->v[i].payload);
		free((void *)r->v[i].id.p);
	}
	map_fini(&r->by_id);
	free((void *)r->owner.p);
	free((void *)r->node.p);
	free(r);
}

static void slot_fill(struct reading *r, const struct store_item *row)
{
	struct str id, publisher, payload = row->value;
	struct slot *s;
	uint32_t size;
	uint64_t seq;

	str_cut(row->key, '\n', &id);
	s = map_get(&r->by_id, id);
	if (!s || s->payload || (!s->big && !row_read(row->value, &seq, &size, &publisher, &payload)))
		return;
	if (payload.p)
		s->payload = blob_new(payload.p, payload.n);
}

static void on_payload(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct reading *r = arg;

	(void)s;
	for (size_t i = 0; !status && i < n; i++)
		slot_fill(r, &v[i]);
	reading_end(r);
}

static int read_one(struct reading *r, const struct slot *s)
{
	struct str key = arena_printf(core_arena(r->core), "%.*s\n%.*s", STR_ARG(r->node), STR_ARG(s->id));

	return store_get(r->core->env->store, r->core->shard, r->owner, s->big ? STR("pubsub-data") : STR("pubsub-item"), key, on_payload, r);
}

/* Many small ones: all of the node in one request. */
static int read_all(struct reading *r)
{
	struct store_range range = { .owner = r->owner, .kind = STR("pubsub-item"),
		.prefix = arena_printf(core_arena(r->core), "%.*s\n", STR_ARG(r->node)), .limit = PS_ITEMS_MAX + 1 };

	return store_list(r->core->env->store, r->core->shard, &range, on_payload, r);
}

int ps_items_read(struct ps_node *n, struct ps_item *const *v, size_t count, ps_payloads_fn *done, void *arg)
{
	struct reading *r = mem_zalloc(sizeof(*r) + count * sizeof(r->v[0]));
	size_t small = 0;

	*r = (struct reading){ .n = count, .left = 1, .done = done, .arg = arg, .core = n->host->core };
	r->owner = (struct str){ str_dup(n->host->jid.full), n->host->jid.full.n };
	r->node = (struct str){ str_dup(n->name), n->name.n };
	for (size_t i = 0; i < count; i++) {
		r->v[i] = (struct slot){ .payload = blob_ref(v[i]->payload), .id = { str_dup(v[i]->id), v[i]->id.n }, .big = v[i]->big };
		map_put(&r->by_id, r->v[i].id, &r->v[i]);
		small += !v[i]->payload && !v[i]->big;
	}
	if (small > READ_ONE_BY_ONE) {
		r->left++;
		r->left -= read_all(r) != 0;
	}
	for (size_t i = 0; i < count; i++) {
		if (r->v[i].payload || (!r->v[i].big && small > READ_ONE_BY_ONE))
			continue;
		r->left++;
		r->left -= read_one(r, &r->v[i]) != 0;
	}
	reading_end(r);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0402 1.2.0 §4.3: bookmarks as items of their own, kept in step with the single list of XEP-0048 in PEP (XEP-0223) and in private
 * storage (XEP-0049 1.2). The list is one item of the node storage:bookmarks, which private storage reads and writes too; changes
 * of either node are carried over to the other in the same write. What only one form can hold (URLs, extensions) stays where it is.
 * All other private XML is kept as it is: kind "private" key "namespace name". */
#include <stdlib.h>

#include "base/mem.h"
#include "features/pubsub/pubsub.h"

enum { PRIVATE_BYTES_MAX = 200 << 10, PRIVATE_KEY_MAX = 300 };

static const char PRIVATE_KEY[] = "storage:bookmarks storage";

bool ps_is_bookmarks(const struct ps_host *h, struct str node)
{
	return h->user && (str_is(node, NS_BOOKMARKS) || str_is(node, NS_STORAGE_BOOKMARKS));
}

/* ---- the two forms ---- */

static struct ps_node *old_node(struct ps_host *h)
{
	return ps_node_get(h, STR(NS_STORAGE_BOOKMARKS));
}

static struct ps_node *new_node(struct ps_host *h)
{
	return ps_node_get(h, STR(NS_BOOKMARKS));
}

/* The list of the old form as a tree that may be changed, or NULL. */
static struct xml *old_list(struct ps_host *h)
{
	struct ps_node *n = old_node(h);
	const struct ps_item *it = n ? ps_item_last(n) : NULL;
	struct xml *el = NULL;

	if (!it || !it->payload || xml_parse(core_arena(h->core), blob_view(it->payload), &el))
		return NULL;
	return xml_is(el, "storage", NS_STORAGE_BOOKMARKS) ? el : NULL;
}

static bool jid_of(struct arena *a, const struct xml *conference, struct str *out)
{
	struct jid j;

	if (jid_parse(a, xml_get(conference, "jid"), &j) || j.full.n > PS_ID_MAX)
		return false;
	*out = j.full;
	return true;
}

static struct xml *conference_find(struct arena *a, const struct xml *list, struct str id)
{
	struct str jid;

	for (struct xml *el = xml_child(list, "conference", NS_STORAGE_BOOKMARKS); el; el = xml_next_same(el))
		if (jid_of(a, el, &jid) && str_eq(jid, id))
			return el;
	return NULL;
}

static void copy_texts(struct arena *a, const struct xml *from, struct xml *to)
{
	static const char *const names[] = { "nick", "password" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct xml *el = xml_child(from, names[i], NULL);

		if (el)
			xml_add_text(a, to, names[i], xml_text_of(a, el));
	}
}

static void copy_attrs(struct arena *a, const struct xml *from, struct xml *to)
{
	if (xml_get(from, "name").p)
		xml_set(a, to, "name", xml_get(from, "name"));
	if (xml_get(from, "autojoin").p)
		xml_set(a, to, "autojoin", xml_get(from, "autojoin"));
}

static struct xml *to_old(struct arena *a, struct str id, const struct xml *el)
{
	struct xml *c = xml_new(a, "conference", NS_STORAGE_BOOKMARKS);

	xml_set(a, c, "jid", id);
	copy_attrs(a, el, c);
	copy_texts(a, el, c);
	return c;
}

/* extensions: kept from what the item was before. */
static struct xml *to_new(struct arena *a, const struct xml *el, const struct xml *before)
{
	struct xml *c = xml_new(a, "conference", NS_BOOKMARKS);
	const struct xml *extensions = before ? xml_child(before, "extensions", NULL) : NULL;

	copy_attrs(a, el, c);
	copy_texts(a, el, c);
	if (extensions)
		xml_append(c, xml_copy(a, extensions));
	return c;
}

/* ---- from the new form to the old ---- */

static void write_old(struct ps_host *h, struct xml *list, struct store_batch *b)
{
	struct ps_node *n = ps_node_own(h, NS_STORAGE_BOOKMARKS, b);
	const struct ps_item *it = ps_item_last(n);
	struct arena *a = core_arena(h->core);
	struct str id = it ? arena_str(a, it->id) : STR("current"), bytes = ps_bytes(a, list);

	if (bytes.n <= PS_ITEM_BYTES_MAX)
		ps_publish_own(n, id, bytes, b);
}

/* The list from what the new node holds, where the old one has none. */
static struct xml *rebuilt(struct ps_host *h)
{
	struct arena *a = core_arena(h->core);
	struct xml *list = xml_new(a, "storage", NS_STORAGE_BOOKMARKS), *el;
	struct ps_node *n = new_node(h);

	for (uint32_t i = 0; n && i < n->items_n; i++)
		if (n->items[i]->payload && !xml_parse(a, blob_view(n->items[i]->payload), &el))
			xml_append(list, to_old(a, n->items[i]->id, el));
	return list;
}

void bookmarks_changed(struct ps_host *h, struct str id, const struct xml *el, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	struct xml *list = old_list(h), *was;

	if (el && !xml_is(el, "conference", NS_BOOKMARKS))
		return;
	if (!list)
		list = rebuilt(h);
	was = conference_find(a, list, id);
	if (was)
		xml_detach(was);
	if (el)
		xml_append(list, to_old(a, id, el));
	if (el || was)
		write_old(h, list, b);
}

/* The node is empty or gone: so is the other. */
void bookmarks_cleared(struct ps_host *h, struct store_batch *b)
{
	struct ps_node *old = old_node(h), *now = new_node(h);
	struct xml *list = old_list(h), *el, *next;

	if (now && now->items_n && (!old || !old->items_n)) {
		while (now->items_n)
			ps_retract_own(now, now->items[0], b);
	} else if (list && (!now || !now->items_n)) {
		for (el = xml_child(list, "conference", NULL); el; el = next) {
			next = xml_next_same(el);
			xml_detach(el);
		}
		write_old(h, list, b);
	}
}

/* ---- from the old form to the new ---- */

static void put_new(struct ps_host *h, struct str id, const struct xml *conference, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	struct ps_node *n = ps_node_own(h, NS_BOOKMARKS, b);
	const struct ps_item *it = ps_item_get(n, id);
	struct xml *before = NULL;
	struct str bytes;

	if (it && it->payload && xml_parse(a, blob_view(it->payload), &before))
		before = NULL;
	bytes = ps_bytes(a, to_new(a, conference, before));
	if (it && it->payload && str_eq(bytes, blob_view(it->payload)))
		return; /* §4.3.2: nothing is said of what did not change */
	if (bytes.n <= PS_ITEM_BYTES_MAX)
		ps_publish_own(n, arena_str(a, id), bytes, b);
}

static bool same(struct arena *a, const struct xml *x, const struct xml *y)
{
	return x && y && str_eq(ps_bytes(a, x), ps_bytes(a, y));
}

void bookmarks_replaced(struct ps_host *h, const struct xml *storage, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	const struct xml *old = old_list(h);
	struct ps_node *n;
	struct str id;

	if (storage && !xml_is(storage, "storage", NS_STORAGE_BOOKMARKS))
		return;
	for (const struct xml *el = xml_child(old, "conference", NS_STORAGE_BOOKMARKS); el; el = xml_next_same(el)) {
		n = new_node(h);
		if (n && jid_of(a, el, &id) && !conference_find(a, storage, id) && ps_item_get(n, id))
			ps_retract_own(n, ps_item_get(n, id), b);
	}
	for (const struct xml *el = xml_child(storage, "conference", NS_STORAGE_BOOKMARKS); el; el = xml_next_same(el)) {
		n = new_node(h);
		if (!jid_of(a, el, &id) || (n && ps_item_get(n, id) && same(a, el, conference_find(a, old, id))))
			continue;
		put_new(h, id, el, b);
	}
}

/* ---- loading, with what private storage held before ---- */

static void on_private(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ps_ref *ref = arg;
	struct ps_host *h = ps_ref_host(s->core, ref);
	struct store_batch *b;
	struct xml *el;

	free(ref);
	if (!h)
		return;
	h->importing = false;
	if (status) {
		ps_host_fail(h);
		return;
	}
	h->imported = true;
	if (n && !old_node(h) && !xml_parse(&s->arena, arena_str(&s->arena, v->value), &el)) {
		b = store_batch_new();
		bookmarks_replaced(h, el, b);
		write_old(h, el, b);
		store_del(b, h->jid.full, STR("private"), str_of(PRIVATE_KEY));
		ps_commit(h, b);
	}
	ps_host_pump(h);
}

static bool imported(struct ps_host *h)
{
	struct ps_ref *ref;

	if (old_node(h))
		h->imported = true;
	if (h->imported || h->importing)
		return h->imported;
	ref = ps_ref_new(h, STR_NONE, NULL);
	h->importing = true;
	if (store_get(h->core->env->store, h->core->shard, h->jid.full, STR("private"), str_of(PRIVATE_KEY), on_private, ref)) {
		free(ref);
		h->importing = false;
		ps_host_retry(h);
	}
	return h->imported;
}

/* Payloads that are rows of their own: a long list. */
static void on_payloads(struct core *c, void *arg, const struct str *payloads, size_t n)
{
	struct ps_ref *ref = arg;
	struct ps_node *node = ps_ref_node(c, ref);

	for (size_t i = 0; node && i < n && i < node->items_n; i++)
		if (!node->items[i]->payload && payloads[i].p)
			node->items[i]->payload = blob_new(payloads[i].p, payloads[i].n);
	if (node) {
		node->reading = false;
		node->read = true;
		ps_host_pump(node->host);
	}
	free(ref);
}

static bool payloads_ready(struct ps_node *n)
{
	bool all = true;

	if (!n || n->read)
		return true;
	if (!ps_items_ready(n) || n->reading)
		return false;
	for (uint32_t i = 0; i < n->items_n; i++)
		all &= n->items[i]->payload != NULL;
	if (all)
		return true;
	n->reading = true;
	ps_items_read(n, n->items, n->items_n, on_payloads, ps_ref_new(n->host, n->name, NULL));
	return n->read;
}

bool bookmarks_ready(struct ps_host *h)
{
	bool a = payloads_ready(old_node(h)), b = payloads_ready(new_node(h));

	return a && b && imported(h) && payloads_ready(old_node(h)) && payloads_ready(new_node(h));
}

/* ---- private storage (XEP-0049) ---- */

static struct xml *private_child(struct iq *iq)
{
	struct xml *el = xml_child_any(iq->el);

	return el && !xml_next(el) && !str_is(el->ns, NS_PRIVATE) ? el : NULL;
}

static struct str private_key(struct iq *iq)
{
	struct xml *el = private_child(iq);

	return arena_printf(core_arena(iq->core), "%.*s %.*s", STR_ARG(el->ns), STR_ARG(el->name));
}

/* el NULL: the empty element that was asked for (§2.2). */
static void private_result(struct iq *iq, struct xml *el)
{
	struct arena *a = core_arena(iq->core);
	struct xml *wrap = xml_new(a, "query", NS_PRIVATE), *asked = private_child(iq);

	if (!el) {
		el = xml_new(a, "x", "x");
		el->name = asked->name;
		el->ns = asked->ns;
	}
	xml_append(wrap, el);
	iq_result(iq, wrap);
}

static void on_got(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *held = arg;
	struct iq *iq = iq_wake(held);
	struct xml *el = NULL;

	if (status || (n && xml_parse(&s->arena, arena_str(&s->arena, v->value), &el)))
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	else
		private_result(iq, el);
	iq_held_free(held);
}

static void private_get(struct iq *iq)
{
	struct core *c = iq->core;
	struct iq_held *held = iq_hold(iq, NULL);

	if (store_get(c->env->store, c->shard, iq->user->jid.full, STR("private"), private_key(iq), on_got, held)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(held);
	}
}

static void private_set(struct iq *iq)
{
	struct str bytes = ps_bytes(core_arena(iq->core), private_child(iq));
	struct store_batch *b;

	if (bytes.n > PRIVATE_BYTES_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, "This is larger than the server keeps (200 KiB).");
		return;
	}
	b = store_batch_new();
	store_put(b, iq->user->jid.full, STR("private"), private_key(iq), bytes);
	ps_answer(ps_host_of(iq->user), iq, b, NULL);
}

static bool bookmarks_iq(struct ps_host *h, struct iq *iq)
{
	struct store_batch *b;
	struct xml *el;

	if (!ps_host_ready(h) || !bookmarks_ready(h))
		return false;
	el = private_child(iq);
	if (iq->st->type == IQ_GET) {
		private_result(iq, old_list(h));
	} else if (ps_bytes(core_arena(iq->core), el).n > PRIVATE_BYTES_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, "This is larger than the server keeps (200 KiB).");
	} else {
		b = store_batch_new();
		bookmarks_replaced(h, el, b);
		write_old(h, el, b);
		ps_answer(h, iq, b, NULL);
	}
	return true;
}

void private_xml(struct iq *iq)
{
	struct xml *el = private_child(iq);

	if (iq->target == TO_USER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (!el)
		iq_error(iq, ERR_BAD_REQUEST, "Private storage takes one element in a namespace of its own.");
	else if (el->ns.n + el->name.n > PRIVATE_KEY_MAX)
		iq_error(iq, ERR_NOT_ACCEPTABLE, NULL);
	else if (xml_is(el, "storage", NS_STORAGE_BOOKMARKS))
		ps_iq_do(ps_host_of(iq->user), iq, bookmarks_iq);
	else if (iq->st->type == IQ_GET)
		private_get(iq);
	else
		private_set(iq);
}

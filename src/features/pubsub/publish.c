/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §7: to publish and to retract items. The result goes out when the item is on disk; notifications do not wait. */
#include "crypto/random.h"
#include "features/pubsub/pubsub.h"

struct str ps_bytes(struct arena *a, const struct xml *el)
{
	struct buf b = { 0 };
	struct str s;

	if (!el)
		return (struct str){ "", 0 };
	xml_write(&b, el, STR(NS_CLIENT));
	s = arena_str(a, buf_view(&b));
	buf_free(&b);
	return s;
}

/* ---- what may be published (§7.1.3) ---- */

static const struct xml *only_item(const struct xml *el, bool *too_many)
{
	const struct xml *item = xml_child(el, "item", NULL);

	*too_many = item && xml_next_same(item);
	return item;
}

/* Answers and returns false when the item does not fit the node's kind of events. */
static bool shape_ok(struct ps_req *r, const struct xml *item)
{
	const struct ps_config *c = &r->n->cfg;
	const struct xml *payload = item ? xml_child_any(item) : NULL;

	if (!c->persist && !c->deliver_payloads && item)
		ps_error(r, ERR_BAD_REQUEST, "item-forbidden");
	else if ((c->persist || c->deliver_payloads) && !item)
		ps_error(r, ERR_BAD_REQUEST, "item-required");
	else if (payload && xml_next(payload))
		ps_error(r, ERR_BAD_REQUEST, "invalid-payload");
	else if (item && c->deliver_payloads && !payload)
		ps_error(r, ERR_BAD_REQUEST, "payload-required");
	else if (item && xml_get(item, "id").n && !ps_text_ok(xml_get(item, "id"), PS_ID_MAX))
		iq_error(r->iq, ERR_NOT_ACCEPTABLE, "The id of an item has up to 1,023 bytes and no control characters.");
	else
		return true;
	return false;
}

/* §7.1.3.4: room for one more that is not there yet. */
static bool is_full(const struct ps_node *n, struct str id)
{
	return n->cfg.full == FULL_REJECT && !ps_item_get(n, id) && n->items_n >= ps_config_items(&n->cfg);
}

static void make_room(struct ps_node *n, struct store_batch *b)
{
	uint32_t max = ps_config_items(&n->cfg);

	while (n->items_n > (max ? max : 1)) {
		struct ps_item *it = n->items[0];

		if (n->cfg.full == FULL_RETRACT_OLDEST && n->cfg.notify_retract && ps_config_items(&n->cfg) > 1)
			ps_event_retract(n, it->id);
		if (n->host->user && str_is(n->name, NS_BOOKMARKS))
			bookmarks_changed(n->host, it->id, NULL, b);
		ps_item_remove(n, it, b);
	}
}

/* ---- publish ---- */

static struct xml *published(struct ps_req *r, struct str id)
{
	struct xml *el, *reply = ps_reply(r, "publish", &el);

	if (id.n)
		xml_set(r->a, xml_add(r->a, el, "item", NULL), "id", id);
	return reply;
}

/* What else changes with these nodes. */
static void carry_over(struct ps_req *r, struct str id, const struct xml *payload, struct store_batch *b)
{
	if (!r->h->user)
		return;
	if (str_is(r->node, NS_BOOKMARKS))
		bookmarks_changed(r->h, id, payload, b);
	else if (str_is(r->node, NS_AVATAR_METADATA))
		pep_avatar_changed(r->h, payload, b);
	else if (str_is(r->node, NS_MDS))
		mds_read(r->h->user, id, payload);
}

static void put(struct ps_req *r, const struct xml *item, struct store_batch *b)
{
	const struct xml *payload = item ? xml_child_any(item) : NULL;
	struct str id = item ? xml_get(item, "id") : STR_NONE, bytes = ps_bytes(r->a, payload);
	struct ps_item transient = { .size = (uint32_t)bytes.n }, *it = &transient;

	if (item && !id.n)
		id = random_token(r->a, 16);
	if (r->h->user && str_is(r->node, NS_STORAGE_BOOKMARKS) && r->n->cfg.persist)
		bookmarks_replaced(r->h, payload, b); /* compared with the list that is still there */
	if (r->n->cfg.persist) {
		it = ps_item_put(r->n, id, r->who.full, bytes, b);
		make_room(r->n, b);
	} else {
		transient.id = id;
		transient.publisher = r->who.full;
	}
	ps_event_item(r->n, item ? it : NULL, bytes);
	carry_over(r, id, payload, b);
	ps_answer(r->h, r->iq, b, published(r, id));
}

/* Answers and returns false when the node is not there and may not be made, or is not as the publisher wants it. */
static bool node_fits(struct ps_req *r, const struct xml *options, struct store_batch *b)
{
	if (!r->n)
		return ps_auto_create(r, options, b);
	if (!ps_may_publish(r->n, r->who)) {
		ps_error(r, ERR_FORBIDDEN, NULL);
		return false;
	}
	return !options || ps_options_met(r, options);
}

/* §7.1.5: the form, or NULL; false: there is none in <publish-options/>. */
static bool options_of(struct ps_req *r, const struct xml **out)
{
	const struct xml *el = xml_child(r->pubsub, "publish-options", NULL);

	*out = el ? form_find(el, "submit", NS_PUBSUB_PUBLISH_OPTIONS) : NULL;
	return !el || *out || !xml_child_any(el);
}

/* §7.1.3.4, §7.1.3.5: answers and returns false when there is no room for it. */
static bool room_ok(struct ps_req *r, const struct xml *item)
{
	struct str id = item ? xml_get(item, "id") : STR_NONE;
	size_t n = item ? ps_bytes(r->a, xml_child_any(item)).n : 0;

	if (n > r->n->cfg.max_payload)
		ps_error(r, ERR_NOT_ACCEPTABLE, "payload-too-big");
	else if (r->n->cfg.persist && is_full(r->n, id))
		ps_error(r, ERR_CONFLICT, "node-full");
	else if (r->n->cfg.persist && !ps_item_fits(r->n, id, n))
		iq_error(r->iq, ERR_RESOURCE_CONSTRAINT, "The nodes hold as much as they may; remove something first.");
	else
		return true;
	return false;
}

static void publish(struct ps_req *r, const struct xml *item, const struct xml *options)
{
	struct store_batch *b = store_batch_new();
	bool fresh = !r->n;

	if (!node_fits(r, options, b)) {
		store_batch_free(b);
		return;
	}
	ps_items_expire(r->n);
	if (!shape_ok(r, item) || !room_ok(r, item)) {
		if (fresh)
			ps_node_drop(r->n);
		store_batch_free(b);
		return;
	}
	put(r, item, b);
}

bool ps_publish(struct ps_req *r)
{
	const struct xml *item, *options = NULL;
	bool too_many;

	if (r->n && !ps_items_ready(r->n))
		return false;
	if (ps_is_bookmarks(r->h, r->node)) {
		if (!bookmarks_ready(r->h))
			return false;
		r->n = ps_node_get(r->h, r->node); /* it may have come from private storage just now */
	}
	item = only_item(r->el, &too_many);
	if (too_many || !options_of(r, &options))
		ps_error(r, ERR_BAD_REQUEST, too_many ? "max-items-exceeded" : NULL);
	else
		publish(r, item, options);
	return true;
}

/* ---- retract (§7.2) ---- */

/* Publishers remove what they published, owners everything. */
static bool may_retract(const struct ps_req *r, const struct ps_item *it)
{
	return r->affil >= AFFIL_PUBLISHER || (ps_may_publish(r->n, r->who) && it && str_eq(it->publisher, r->who.full));
}

/* Answers and returns false when it cannot be retracted. */
static bool retract_ok(struct ps_req *r, const struct xml *item, struct ps_item **out)
{
	struct str id = item ? xml_get(item, "id") : STR_NONE;

	*out = id.n ? ps_item_get(r->n, id) : NULL;
	if (!r->n->cfg.persist)
		ps_unsupported(r, "persistent-items");
	else if (!id.n)
		ps_error(r, ERR_BAD_REQUEST, "item-required");
	else if (!may_retract(r, *out))
		ps_error(r, ERR_FORBIDDEN, NULL);
	else if (!*out)
		ps_error(r, ERR_ITEM_NOT_FOUND, NULL);
	else
		return true;
	return false;
}

bool ps_retract(struct ps_req *r)
{
	struct str notify = xml_get(r->el, "notify"), id;
	bool too_many;
	const struct xml *item = only_item(r->el, &too_many);
	struct store_batch *b;
	struct ps_item *it;

	if (ps_is_bookmarks(r->h, r->node) && !bookmarks_ready(r->h))
		return false;
	if (too_many) {
		ps_error(r, ERR_BAD_REQUEST, NULL);
		return true;
	}
	ps_items_expire(r->n);
	if (!retract_ok(r, item, &it))
		return true;
	id = arena_str(r->a, it->id);
	b = store_batch_new();
	ps_item_remove(r->n, it, b);
	if (str_is(notify, "1") || str_is(notify, "true") || r->n->cfg.notify_retract)
		ps_event_retract(r->n, id);
	if (r->h->user && str_is(r->node, NS_BOOKMARKS))
		bookmarks_changed(r->h, id, NULL, b);
	else if (r->h->user && str_is(r->node, NS_STORAGE_BOOKMARKS) && !r->n->items_n)
		bookmarks_replaced(r->h, NULL, b);
	else if (r->h->user && str_is(r->node, NS_AVATAR_METADATA) && !r->n->items_n)
		pep_avatar_changed(r->h, NULL, b);
	ps_answer(r->h, r->iq, b, NULL);
	return true;
}

/* ---- the server's own ---- */

void ps_publish_own(struct ps_node *n, struct str id, struct str payload, struct store_batch *b)
{
	struct ps_item *it = ps_item_put(n, id, n->host->jid.full, payload, b);

	make_room(n, b);
	ps_event_item(n, it, payload);
}

void ps_retract_own(struct ps_node *n, struct ps_item *it, struct store_batch *b)
{
	ps_event_retract(n, it->id);
	ps_item_remove(n, it, b);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Personal eventing in an import: XEP-0227 1.1 §4.9, nodes with their settings, people and items, as rows of features/pubsub. */
#include <string.h>

#include "admin/port_priv.h"
#include "base/clock.h"
#include "core/core.h"
#include "core/pubsub_row.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { AFFILIATES_MAX = 10000, ITEM_ID_MAX = 1023 };

static void remember(struct import *im, struct str name)
{
	char *own = str_dup(name);

	map_put(&im->nodes, (struct str){ own, name.n }, own);
}

void import_known_node(struct import *im, const struct store_item *row)
{
	if (!row->key.n)
		str_u64(row->value, UINT64_MAX, &im->node_bytes);
	else if (!memchr(row->key.p, '\n', row->key.n) && !map_get(&im->nodes, row->key))
		remember(im, row->key);
}

static bool is_name(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return false;
	return s.n && s.n <= max;
}

/* Settings that say something: exporters write all fields, many of them empty. */
static void settings(struct import *im, struct xml *out, const struct xml *from)
{
	struct arena *a = im->a;
	struct xml *form = form_new(a, out, "submit", NS_PUBSUB_NODE_CONFIG);

	for (struct xml *f = xml_child(from, "field", NULL); f; f = xml_next_same(f))
		if (str_starts(xml_get(f, "var"), STR("pubsub#")) && xml_child_text(a, f, "value", NULL).n)
			xml_append(form, xml_copy(a, f));
}

/* form NULL: the settings that a node of this name begins with. Returns false when there are too many. */
static bool put_node(struct import *im, struct str name, const struct xml *form)
{
	struct arena *a = im->a;
	struct xml *el = xml_new(a, "node", "");
	struct buf v = { 0 };

	if (!map_get(&im->nodes, name)) {
		if (im->nodes.n >= PORT_NODES_MAX) {
			import_warn(im, "more than %d nodes: %.*s is left out", PORT_NODES_MAX, STR_ARG(name));
			return false;
		}
		remember(im, name);
		im->counts[PORT_NODES]++;
	}
	xml_set(a, el, "creator", im->owner);
	xml_setf(a, el, "created", "%llu", (unsigned long long)clock_wall_ms());
	if (form)
		settings(im, el, form);
	xml_write(&v, el, STR_NONE);
	store_put(im->batch, im->owner, STR("pubsub"), name, buf_view(&v));
	buf_free(&v);
	return true;
}

static void put_person(struct import *im, struct str node, char kind, struct str text, struct str value)
{
	struct jid j;

	if (jid_parse(im->a, text, &j)) {
		import_warn(im, "somebody at the node %.*s has no good address", STR_ARG(node));
		return;
	}
	store_put(im->batch, im->owner, STR("pubsub"), arena_printf(im->a, "%.*s\n%c%.*s", STR_ARG(node), kind, STR_ARG(j.full)), value);
}

static bool is_affiliation(struct str s)
{
	static const char *const known[] = { "outcast", "member", "publish-only", "publisher", "owner" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_is(s, known[i]))
			return true;
	return false;
}

static void people(struct import *im, struct str node, const struct xml *el)
{
	int n = 0;

	xml_each(p, el) {
		if (++n > AFFILIATES_MAX)
			break;
		if (str_is(p->name, "affiliation") && is_affiliation(xml_get(p, "affiliation")))
			put_person(im, node, 'A', xml_get(p, "jid"), xml_get(p, "affiliation"));
		else if (str_is(p->name, "subscription") && str_is(xml_get(p, "subscription"), "subscribed"))
			put_person(im, node, 'S', xml_get(p, "jid"), STR("2 1 0 0"));
	}
}

void import_nodes(struct import *im, struct xml *el)
{
	xml_each(part, el) {
		struct str node = xml_get(part, "node");

		if (!is_name(node, PORT_NODE_NAME_MAX))
			import_warn(im, "a node has no name that can be used");
		else if (str_is(part->name, "configure"))
			put_node(im, node, form_find(part, NULL, NULL));
		else if (str_is(part->name, "affiliations") || str_is(part->name, "subscriptions"))
			people(im, node, part);
		else
			import_warn(im, "<%.*s> of a node is left out", STR_ARG(part->name));
	}
}

static void put_item(struct import *im, struct str node, const struct xml *item)
{
	struct str id = xml_get(item, "id"), key = arena_printf(im->a, "%.*s\n%.*s", STR_ARG(node), STR_ARG(id));
	const struct xml *payload = xml_child_any(item);
	struct buf text = { 0 };

	if (payload)
		xml_write(&text, payload, STR_NONE);
	if (!is_name(id, ITEM_ID_MAX) || text.n > PORT_ITEM_BYTES_MAX) {
		import_warn(im, "an item of the node %.*s is too large or has no id", STR_ARG(node));
		buf_free(&text);
		return;
	}
	im->last_item = archive_id_next(im->last_item, clock_wall_ms(), IMPORT_SHARD);
	pubsub_row_put(im->batch, im->owner, key,
		&(struct pubsub_row){ .seq = im->last_item, .publisher = im->owner, .payload = buf_view(&text) });
	im->node_bytes += pubsub_row_cost(id.n, text.n);
	im->nodes_touched = true;
	im->counts[PORT_ITEMS]++;
	buf_free(&text);
}

void import_items(struct import *im, struct xml *el)
{
	for (struct xml *items = xml_child(el, "items", NULL); items; items = xml_next_same(items)) {
		struct str node = xml_get(items, "node");

		if (!is_name(node, PORT_NODE_NAME_MAX)) {
			import_warn(im, "a node has no name that can be used");
			continue;
		}
		if (!map_get(&im->nodes, node) && !put_node(im, node, NULL))
			continue;
		for (struct xml *item = xml_child(items, "item", NULL); item; item = xml_next_same(item))
			put_item(im, node, item);
	}
}

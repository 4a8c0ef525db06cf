/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An account as XEP-0227 1.1 XML, piece by piece.
 *
 * {"command": "export user", "host", "name", "part": number, "after": key} → {"xml": text, "part", "after"}; the last piece has no "part".
 * All texts of one account, in order, are its <user/> element. */
#include <errno.h>
#include <stdlib.h>

#include "account/port.h"
#include "account/state.h"
#include "admin/port.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/core.h"
#include "core/pubsub_row.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/stanza.h"

enum { ITEMS_PAGE = 250 };

struct node_item {
	struct str key, node, id, payload; /* node and id are parts of the key */
	uint64_t seq;
	size_t size;
	bool big;
};

struct export {
	struct admin_call *call;
	struct accounts *ac; /* of its host */
	int part;
	struct str node, owner;
	struct buf out;
	char *after; /* of this page, then of the next; NULL: from the start */
	struct node_item *items;
	size_t items_n, items_i;
	char *open;  /* the node whose <items/> stands open; NULL: none */
};

/* A part that is all items of one kind: `open` before the first, `close` behind the last, nothing when there are none. */
struct part {
	const char *kind, *open, *close;
	/* Writes an item. Returns false when there is nothing of it to write. */
	bool (*write)(struct export *ex, struct arena *a, const struct store_item *item);
	void (*run)(struct export *ex, struct shard *s); /* instead of the items */
};

static void page_free(struct export *ex);

static void export_free(struct export *ex)
{
	page_free(ex);
	buf_free(&ex->out);
	free(ex->after);
	free(ex->open);
	free((void *)ex->node.p);
	free((void *)ex->owner.p);
	free(ex);
}

static void fail_export(struct export *ex, int status)
{
	admin_fail_status(ex->call, status);
	export_free(ex);
}

static void answer(struct export *ex, int next_part)
{
	json_t *xml = json_stringn(ex->out.p ? ex->out.p : "", ex->out.n);
	json_t *j = json_object();

	json_object_set_new(j, "xml", xml ? xml : json_string("")); /* stored text is UTF-8 */
	if (next_part >= 0) {
		json_object_set_new(j, "part", json_integer(next_part));
		json_object_set_new(j, "after", json_string(ex->after ? ex->after : ""));
	}
	admin_succeed(ex->call, j);
	export_free(ex);
}

/* ---- single items ---- */

static bool write_plain(struct export *ex, struct arena *a, const struct store_item *item)
{
	(void)a;
	buf_str(&ex->out, item->value);
	return true;
}

static bool write_contact(struct export *ex, struct arena *a, const struct store_item *item)
{
	struct xml *el;

	if (!item->key.n || xml_parse(a, arena_str(a, item->value), &el) || str_is(xml_get(el, "listed"), "false"))
		return false;
	xml_unset(el, "in");
	xml_write(&ex->out, el, STR(NS_ROSTER));
	return true;
}

static bool write_request(struct export *ex, struct arena *a, const struct store_item *item)
{
	struct xml *el;
	struct str packed;
	struct stanza st;

	if (!item->key.n || xml_parse(a, arena_str(a, item->value), &el) || !xml_get(el, "in").p)
		return false;
	if (!xml_get(el, "in").n || base64_decode(a, xml_get(el, "in"), &packed) || stanza_unpack(packed, &st)) {
		buf_printf(&ex->out, "<presence xmlns='jabber:client' type='subscribe' from='");
		xml_escape(&ex->out, item->key);
		buf_puts(&ex->out, "'/>");
		return true;
	}
	stanza_write(&ex->out, &st, NS_CLIENT);
	stanza_fini(&st);
	return true;
}

static bool write_blocked(struct export *ex, struct arena *a, const struct store_item *item)
{
	(void)a;
	buf_puts(&ex->out, "<item type='jid' action='deny' order='1' value='");
	xml_escape(&ex->out, item->key);
	buf_puts(&ex->out, "'/>");
	return true;
}

/* Key: 16 hex digits of the archive id and a when the archive has it too. */
static bool write_offline(struct export *ex, struct arena *a, const struct store_item *item)
{
	struct stanza st;
	struct str domain;
	uint64_t id;

	if (!item->key.n || stanza_unpack(item->value, &st))
		return false;
	id = strtoull(arena_str(a, (struct str){ item->key.p, item->key.n - 1 }).p, NULL, 16);
	str_cut(ex->owner, '@', &domain);
	st.extra = arena_printf(a, "<delay xmlns='urn:xmpp:delay' from='%.*s' stamp='%.*s'/>", STR_ARG(domain),
		STR_ARG(time_format(a, archive_id_ms(id))));
	if (item->key.p[item->key.n - 1] == 'a')
		st.extra = arena_printf(a, "%.*s<stanza-id xmlns='urn:xmpp:sid:0' by='%.*s' id='%.*s'/>", STR_ARG(st.extra),
			STR_ARG(ex->owner), STR_ARG(archive_id_str(a, id)));
	stanza_write(&ex->out, &st, NS_CLIENT);
	stanza_fini(&st);
	return true;
}

/* A form without the fields that say nothing. */
static struct xml *drop_empty(struct arena *a, struct xml *form)
{
	struct xml *next;

	for (struct xml *f = xml_child(form, "field", NULL); f; f = next) {
		next = xml_next_same(f);
		if (!xml_child_text(a, f, "value", NULL).n)
			xml_detach(f);
	}
	return form;
}

/* Rows of nodes: their settings, then (key NODE LF A jid, NODE LF S jid) their people, an element for each row. */
static bool write_node(struct export *ex, struct arena *a, const struct store_item *item)
{
	struct str rest, node = str_cut(item->key, '\n', &rest);
	struct xml *out, *el, *in;
	bool member = rest.n && rest.p[0] == 'A';

	if (!node.n || (rest.n && !member && !str_starts(item->value, STR("2 "))))
		return false;
	out = xml_new(a, rest.n ? member ? "affiliations" : "subscriptions" : "configure", NS_PUBSUB_OWNER);
	xml_set(a, out, "node", node);
	if (!rest.n) {
		if (!xml_parse(a, arena_str(a, item->value), &in) && (el = form_find(in, NULL, NULL)))
			xml_append(out, drop_empty(a, xml_copy(a, el)));
	} else {
		el = xml_add(a, out, member ? "affiliation" : "subscription", NULL);
		xml_set(a, el, "jid", (struct str){ rest.p + 1, rest.n - 1 });
		xml_set(a, el, member ? "affiliation" : "subscription", member ? item->value : STR("subscribed"));
	}
	xml_write(&ex->out, out, STR(NS_PUBSUB_OWNER));
	return true;
}

/* ---- items of personal eventing: in order of publication, as far as one page goes ---- */

static bool read_item(const struct store_item *row, struct node_item *out)
{
	struct pubsub_row r;
	struct str id, node = str_cut(row->key, '\n', &id);

	if (!id.n || !pubsub_row_read(row->value, &r))
		return false;
	*out = (struct node_item){ .node = node, .id = id, .seq = r.seq, .size = r.size, .big = r.big, .payload = r.payload };
	return true;
}

static void write_item(struct export *ex, const struct node_item *it)
{
	if (!ex->open || !str_is(it->node, ex->open)) {
		if (ex->open)
			buf_puts(&ex->out, "</items>");
		free(ex->open);
		ex->open = str_dup(it->node);
		buf_puts(&ex->out, "<items node='");
		xml_escape(&ex->out, it->node);
		buf_puts(&ex->out, "'>");
	}
	buf_puts(&ex->out, "<item id='");
	xml_escape(&ex->out, it->id);
	buf_puts(&ex->out, "'>");
	buf_str(&ex->out, it->payload);
	buf_puts(&ex->out, "</item>");
}

static int by_publication(const void *x, const void *y)
{
	const struct node_item *a = x, *b = y;
	int d = str_cmp(a->node, b->node);

	if (d)
		return d;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* The rows of a page, copied: large payloads are rows of their own and come one after the other. */
static void page_free(struct export *ex)
{
	for (size_t i = 0; i < ex->items_n; i++) {
		free((void *)ex->items[i].key.p);
		free((void *)ex->items[i].payload.p);
	}
	free(ex->items);
	ex->items = NULL;
	ex->items_n = 0;
}

static void write_page(struct export *ex)
{
	qsort(ex->items, ex->items_n, sizeof(*ex->items), by_publication);
	for (size_t i = 0; i < ex->items_n; i++)
		write_item(ex, &ex->items[i]);
	answer(ex, ex->part);
}

static void fetch_large(struct export *ex, struct shard *s);

static void on_data(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct export *ex = arg;
	struct node_item *it = &ex->items[ex->items_i];

	if (status) {
		fail_export(ex, status);
		return;
	}
	if (n)
		it->payload = (struct str){ str_dup(v->value), v->value.n };
	it->big = false;
	fetch_large(ex, s);
}

static void fetch_large(struct export *ex, struct shard *s)
{
	while (ex->items_i < ex->items_n && !ex->items[ex->items_i].big)
		ex->items_i++;
	if (ex->items_i == ex->items_n)
		write_page(ex);
	else if (store_get(ex->ac->store, s, ex->owner, STR("pubsub-data"), ex->items[ex->items_i].key, on_data, ex))
		fail_export(ex, -EBUSY);
}

static void keep_item(struct export *ex, const struct store_item *row, const struct node_item *it)
{
	struct node_item *own = &ex->items[ex->items_n++];

	*own = *it;
	own->key = (struct str){ str_dup(row->key), row->key.n };
	own->node.p = own->key.p;
	own->id.p = own->key.p + own->node.n + 1;
	own->payload = it->big ? STR_NONE : (struct str){ str_dup(it->payload), it->payload.n };
}

static void on_node_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct export *ex = arg;
	size_t i = 0, bytes = 0;

	if (status) {
		fail_export(ex, status);
		return;
	}
	if (!ex->after && n)
		buf_puts(&ex->out, "<pubsub xmlns='" NS_PUBSUB "'>");
	else if (ex->after) /* as the page before left it */
		ex->open = strndup(ex->after, strcspn(ex->after, "\n"));
	if (!n) {
		if (ex->after)
			buf_puts(&ex->out, "</items></pubsub>");
		free(ex->after);
		ex->after = NULL;
		answer(ex, ex->part + 1);
		return;
	}
	ex->items = mem_zalloc(n * sizeof(*ex->items));
	for (; i < n && bytes < PORT_PAGE_BYTES; i++) {
		struct node_item it;

		if (!read_item(&v[i], &it))
			continue;
		bytes += it.size;
		keep_item(ex, &v[i], &it);
	}
	free(ex->after);
	ex->after = str_dup(v[i - 1].key);
	fetch_large(ex, s);
}

static void node_items(struct export *ex, struct shard *s)
{
	struct store_range range = { .owner = ex->owner, .kind = STR("pubsub-item"), .limit = ITEMS_PAGE,
		.after = ex->after ? str_of(ex->after) : STR_NONE };

	if (store_list(ex->ac->store, s, &range, on_node_items, ex))
		fail_export(ex, -EBUSY);
}

/* ---- parts that are no list of items ---- */

static void write_keys(struct export *ex, struct arena *a, const struct store_item *item)
{
	struct scram_keys k;
	size_t n;

	if (port_keys(item->key, item->value, &k))
		return;
	n = hash_size(k.alg);
	buf_printf(&ex->out,
		"<scram-credentials xmlns='" NS_PIE_SCRAM "' mechanism='%s'><iter-count>%u</iter-count><salt>%s</salt>"
		"<server-key>%s</server-key><stored-key>%s</stored-key></scram-credentials>",
		port_mechanism_name(a, k.alg).p, k.iterations, base64_encode(a, scram_salt(&k)).p,
		base64_encode(a, (struct str){ (char *)k.server_key, n }).p, base64_encode(a, (struct str){ (char *)k.stored_key, n }).p);
}

static void on_keys(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct export *ex = arg;

	if (status) {
		fail_export(ex, status);
		return;
	}
	for (size_t i = 0; i < n; i++)
		write_keys(ex, shard_arena(s), &v[i]);
	answer(ex, ex->part + 1);
}

static void on_account(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct export *ex = arg;
	struct account_state st;

	if (!status && !n)
		status = -ENOENT;
	if (!status && account_state_decode(v->value, &st))
		status = -EIO;
	if (!status) {
		buf_puts(&ex->out, "<user xmlns='" NS_PIE "' name='");
		xml_escape(&ex->out, ex->node);
		buf_puts(&ex->out, "'>");
		if (st.disabled)
			buf_puts(&ex->out, "<disabled xmlns='" NS_EXPORT "'/>");
		status = store_list(ex->ac->store, s,
			&(struct store_range){ .owner = ex->owner, .kind = STR("scram"), .limit = ITEMS_PAGE }, on_keys, ex);
	}
	if (status)
		fail_export(ex, status);
}

static void head(struct export *ex, struct shard *s)
{
	if (store_get(ex->ac->store, s, ex->owner, STR("account"), STR_NONE, on_account, ex))
		fail_export(ex, -EBUSY);
}

static void on_archive(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct export *ex = arg;
	struct arena *a = shard_arena(s);
	size_t i = 0;

	if (status) {
		fail_export(ex, status);
		return;
	}
	if (!ex->after && page->n)
		buf_puts(&ex->out, "<archive xmlns='" NS_PIE_MAM "'>");
	for (; i < page->n && ex->out.n < PORT_PAGE_BYTES; i++) {
		const struct archive_found *row = &page->v[i];
		struct stanza st;

		free(ex->after);
		ex->after = str_dup(archive_id_str(a, row->id));
		if (stanza_unpack(row->stanza, &st))
			continue;
		buf_printf(&ex->out, "<result xmlns='urn:xmpp:mam:2' id='%s'><forwarded xmlns='urn:xmpp:forward:0'>", ex->after);
		buf_printf(&ex->out, "<delay xmlns='urn:xmpp:delay' stamp='%s'/>", time_format(a, archive_id_ms(row->id)).p);
		stanza_write(&ex->out, &st, NS_CLIENT);
		buf_puts(&ex->out, "</forwarded></result>");
		stanza_fini(&st);
	}
	if (i < page->n || !page->complete) {
		answer(ex, ex->part);
		return;
	}
	if (ex->after)
		buf_puts(&ex->out, "</archive>");
	free(ex->after);
	ex->after = NULL;
	answer(ex, ex->part + 1);
}

static void archive(struct export *ex, struct shard *s)
{
	struct archive_query q = { .owner = ex->owner, .end_id = UINT64_MAX, .before_id = UINT64_MAX, .limit = STORE_PAGE_MAX };

	if (ex->after)
		archive_id_parse(str_of(ex->after), &q.after_id);
	if (store_query(ex->ac->store, s, &q, on_archive, ex))
		fail_export(ex, -EBUSY);
}

static void tail(struct export *ex, struct shard *s)
{
	(void)s;
	buf_puts(&ex->out, "</user>\n");
	answer(ex, -1);
}

static const struct part parts[] = {
	{ .run = head },
	{ "roster", "<query xmlns='" NS_ROSTER "'>", "</query>", write_contact, NULL },
	{ "roster", "", "", write_request, NULL },
	{ "vcard", "", "", write_plain, NULL },
	{ "private", "<query xmlns='" NS_PRIVATE "'>", "</query>", write_plain, NULL },
	{ "block", "<query xmlns='" NS_PRIVACY "'><default name='blocked'/><list name='blocked'>", "</list></query>", write_blocked, NULL },
	{ "pubsub", "<pubsub xmlns='" NS_PUBSUB_OWNER "'>", "</pubsub>", write_node, NULL },
	{ .run = node_items },
	{ "offline", "<offline-messages>", "</offline-messages>", write_offline, NULL },
	{ "mam", "", "", write_plain, NULL },
	{ .run = archive },
	{ .run = tail },
};

/* `after` is "-KEY" before anything was written, "+KEY" behind that: whether the part is open. */
static void on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct export *ex = arg;
	const struct part *p = &parts[ex->part];
	bool open = ex->after && ex->after[0] == '+';
	size_t i = 0;

	if (status) {
		fail_export(ex, status);
		return;
	}
	for (; i < n && ex->out.n < PORT_PAGE_BYTES; i++) {
		size_t before = ex->out.n;

		if (!open)
			buf_puts(&ex->out, p->open);
		if (p->write(ex, shard_arena(s), &v[i]))
			open = true;
		else
			ex->out.n = before;
	}
	free(ex->after);
	ex->after = NULL;
	if (i < n || n == ITEMS_PAGE) {
		ex->after = str_dup(arena_printf(shard_arena(s), "%c%.*s", open ? '+' : '-', STR_ARG(v[i - 1].key)));
		answer(ex, ex->part);
		return;
	}
	if (open)
		buf_puts(&ex->out, p->close);
	answer(ex, ex->part + 1);
}

void admin_export_user(struct admin_call *call)
{
	struct accounts *ac = admin_accounts_named(call, admin_text_of(call, "host"));
	struct arena *a = shard_arena(call->shard);
	json_int_t part = json_integer_value(json_object_get(call->request, "part"));
	struct str node, after = admin_text_of(call, "after");
	struct store_range range;
	struct export *ex;

	if (!ac) {
		admin_fail(call, "other-host", "This server does not serve that host.");
		return;
	}
	if (account_name_check(a, admin_text_of(call, "name"), &node) || part < 0 || part >= (json_int_t)ARRAY_LEN(parts)) {
		admin_fail_status(call, -EINVAL);
		return;
	}
	ex = mem_zalloc(sizeof(*ex));
	ex->call = call;
	ex->ac = ac;
	ex->part = (int)part;
	ex->node = (struct str){ str_dup(node), node.n };
	ex->owner = port_owner(a, ac, node);
	ex->owner = (struct str){ str_dup(ex->owner), ex->owner.n };
	ex->after = after.n ? str_dup(after) : NULL;
	if (parts[part].run) {
		parts[part].run(ex, call->shard);
		return;
	}
	range = (struct store_range){ .owner = ex->owner, .kind = str_of(parts[part].kind), .limit = ITEMS_PAGE };
	if (ex->after)
		range.after = str_of(ex->after + 1);
	if (store_list(ac->store, call->shard, &range, on_items, ex))
		fail_export(ex, -EBUSY);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Pieces of an account's XEP-0227 1.1 XML into the store: one request, one batch.
 *
 * {"command": "import user", "host", "name", "first": bool, "merge": bool, "dry": bool, "password": text or absent, "last": archive id,
 *  "xml": "<user xmlns='urn:xmpp:pie:0'>some of its children</user>"}
 * → {"exists": bool, "counts": {…}, "warnings": [sentence, …], "last": archive id of this piece's last message} */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/port.h"
#include "account/state.h"
#include "admin/port_priv.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/core.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/stanza.h"

enum { NODE_ROWS_MAX = 20000, PRIVATE_KEY_MAX = 300, BLOCKED_MAX = 2000 };

const char *const port_count_names[PORT_COUNTS] = {
	[PORT_CREDENTIALS] = "credentials", [PORT_CONTACTS] = "contacts", [PORT_REQUESTS] = "requests", [PORT_VCARDS] = "vcards",
	[PORT_PRIVATE] = "private", [PORT_BLOCKED] = "blocked", [PORT_OFFLINE] = "offline", [PORT_ARCHIVED] = "archived",
	[PORT_NODES] = "nodes", [PORT_ITEMS] = "items",
};

void import_warn(struct import *im, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	json_t *j;

	if (json_array_size(im->warnings) >= PORT_WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j = json_string(text); /* NULL when it was cut within a character */
	json_array_append_new(im->warnings, j ? j : json_string("an element was left out"));
}

/* ---- credentials ---- */

static bool number(struct str s, uint64_t max, uint64_t *out)
{
	return !str_u64(str_trim(s), max, out) && *out;
}

/* The bytes of a child. ejabberd (23.01) writes base64 of base64: twice says so. */
static bool bytes_of(struct import *im, const struct xml *el, const char *name, bool twice, struct str *out)
{
	struct arena *a = im->a;

	if (base64_decode(a, str_trim(xml_child_text(a, el, name, NULL)), out))
		return false;
	return !twice || !base64_decode(a, *out, out);
}

static bool key_bytes(struct import *im, const struct xml *el, bool twice, struct scram_keys *k)
{
	struct str salt, stored, server;

	if (!bytes_of(im, el, "salt", twice, &salt) || salt.n == 0 || salt.n > SCRAM_SALT_MAX)
		return false;
	if (!bytes_of(im, el, "stored-key", twice, &stored) || stored.n != hash_size(k->alg))
		return false;
	if (!bytes_of(im, el, "server-key", twice, &server) || server.n != hash_size(k->alg))
		return false;
	k->salt_n = (uint8_t)salt.n;
	memcpy(k->salt, salt.p, salt.n);
	memcpy(k->stored_key, stored.p, stored.n);
	memcpy(k->server_key, server.p, server.n);
	return true;
}

static void credentials(struct import *im, struct xml *el)
{
	struct arena *a = im->a;
	struct str mechanism = xml_get(el, "mechanism");
	struct scram_keys k = { 0 };
	uint64_t iterations;

	if (port_mechanism(mechanism, &k.alg)) {
		import_warn(im, "credentials for %.*s are of no use here", STR_ARG(mechanism));
		return;
	}
	if (!number(xml_child_text(a, el, "iter-count", NULL), PORT_ITERATIONS_MAX, &iterations) ||
		(!key_bytes(im, el, false, &k) && !key_bytes(im, el, true, &k))) {
		import_warn(im, "the credentials for %.*s make no sense", STR_ARG(mechanism));
		return;
	}
	k.iterations = (uint32_t)iterations;
	port_put_keys(im->batch, a, im->ac, im->node, &k);
	im->counts[PORT_CREDENTIALS]++;
}

/* ---- contacts ---- */

/* The item of this contact, made when absent; NULL when the roster is full. */
static struct xml *contact(struct import *im, struct str bare)
{
	struct xml *item = map_get(&im->roster, bare);

	if (item)
		return item;
	if (im->roster.n >= ROSTER_MAX) {
		import_warn(im, "a roster holds %d contacts: %.*s is left out", ROSTER_MAX, STR_ARG(bare));
		return NULL;
	}
	item = xml_new(im->a, "item", NS_ROSTER);
	xml_set(im->a, item, "jid", bare);
	xml_set(im->a, item, "subscription", STR("none"));
	xml_set(im->a, item, "listed", STR("false"));
	map_put(&im->roster, xml_get(item, "jid"), item);
	return item;
}

static void put_contact(struct import *im, struct xml *item)
{
	struct buf text = { 0 };

	xml_write(&text, item, STR_NONE);
	store_put(im->batch, im->owner, STR("roster"), xml_get(item, "jid"), buf_view(&text));
	buf_free(&text);
	im->roster_touched = true;
}

static bool is_subscription(struct str s)
{
	return str_is(s, "none") || str_is(s, "to") || str_is(s, "from") || str_is(s, "both");
}

static void roster_item_in(struct import *im, struct xml *from)
{
	struct arena *a = im->a;
	struct str sub = xml_get(from, "subscription"), name = xml_get(from, "name");
	struct xml *item;
	struct jid j;
	int groups = 0;

	if (jid_parse(a, xml_get(from, "jid"), &j)) {
		import_warn(im, "a contact has no good address: %.*s", STR_ARG(xml_get(from, "jid")));
		return;
	}
	if (str_is(sub, "remove"))
		return;
	item = contact(im, jid_bare_str(j));
	if (!item)
		return;
	xml_unset(item, "listed");
	xml_unset(item, "subscription");
	if (name.n && name.n <= ROSTER_NAME_MAX)
		xml_set(a, item, "name", name);
	xml_set(a, item, "subscription", is_subscription(sub) ? sub : STR("none"));
	if (str_is(xml_get(from, "ask"), "subscribe"))
		xml_set(a, item, "ask", STR("subscribe"));
	if (str_is(xml_get(from, "approved"), "true") || str_is(xml_get(from, "approved"), "1"))
		xml_set(a, item, "approved", STR("true"));
	while (item->first)
		xml_detach(item->first);
	for (struct xml *g = xml_child(from, "group", NULL); g && groups < ROSTER_GROUPS_MAX; g = xml_next_same(g), groups++)
		xml_add_text(a, item, "group", xml_text_of(a, g));
	put_contact(im, item);
	im->counts[PORT_CONTACTS]++;
}

static void roster(struct import *im, struct xml *el)
{
	for (struct xml *i = xml_child(el, "item", NULL); i; i = xml_next_same(i))
		roster_item_in(im, i);
}

/* A request that waits for the user's answer. */
static void presence(struct import *im, struct xml *el)
{
	struct xml *item;
	struct stanza st;
	struct blob *packed;

	if (!str_is(xml_get(el, "type"), "subscribe")) {
		import_warn(im, "a presence that is no subscription request is left out");
		return;
	}
	xml_set(im->a, el, "to", im->owner);
	if (stanza_from_xml(im->a, el, &st) || !st.from.full.n) {
		import_warn(im, "a subscription request has no good address");
		return;
	}
	item = contact(im, jid_bare_str(st.from));
	if (item && (str_is(xml_get(item, "subscription"), "from") || str_is(xml_get(item, "subscription"), "both")))
		item = NULL; /* answered long ago */
	if (item) {
		st.from = jid_bare(st.from);
		packed = stanza_pack(&st);
		xml_set(im->a, item, "in", base64_encode(im->a, blob_view(packed)));
		blob_unref(packed);
		put_contact(im, item);
		im->counts[PORT_REQUESTS]++;
	}
	stanza_fini(&st);
}

/* ---- XML that is kept as it is ---- */

/* Returns false when it is too large. */
static bool put_xml(struct import *im, const char *kind, struct str key, const struct xml *el)
{
	struct buf text = { 0 };
	bool ok;

	xml_write(&text, el, STR_NONE);
	ok = text.n <= PORT_XML_MAX;
	if (ok)
		store_put(im->batch, im->owner, str_of(kind), key, buf_view(&text));
	else
		import_warn(im, "<%.*s> is larger than what the server keeps (200 KiB)", STR_ARG(el->name));
	buf_free(&text);
	return ok;
}

static void vcard(struct import *im, struct xml *el)
{
	im->counts[PORT_VCARDS] += put_xml(im, "vcard", STR_NONE, el);
}

static void private_xml(struct import *im, struct xml *el)
{
	xml_each(child, el) {
		if (str_eq(child->ns, el->ns) || child->ns.n + child->name.n > PRIVATE_KEY_MAX) {
			import_warn(im, "a private element without a namespace of its own is left out");
			continue;
		}
		im->counts[PORT_PRIVATE] +=
			put_xml(im, "private", arena_printf(im->a, "%.*s %.*s", STR_ARG(child->ns), STR_ARG(child->name)), child);
	}
}

/* XEP-0227 has no word for it: ours. The account stays closed. */
static void disabled(struct import *im, struct xml *el)
{
	(void)el;
	im->disable = true;
}

static void prefs(struct import *im, struct xml *el)
{
	put_xml(im, "mam", STR_NONE, el);
}

/* ---- blocked addresses ---- */

static void block(struct import *im, struct str text)
{
	struct jid j;

	if (jid_parse(im->a, text, &j)) {
		import_warn(im, "a blocked address makes no sense: %.*s", STR_ARG(text));
	} else if (im->counts[PORT_BLOCKED] >= BLOCKED_MAX) {
		import_warn(im, "more blocked addresses than the server keeps");
	} else {
		store_put(im->batch, im->owner, STR("block"), j.full, STR("1"));
		im->counts[PORT_BLOCKED]++;
	}
}

/* Of the list in force, what blocks an address altogether; the rest has no place here (XEP-0016 is not spoken). */
static void privacy(struct import *im, struct xml *el)
{
	struct str name = xml_get(xml_child(el, "default", NULL) ? xml_child(el, "default", NULL) : el, "name");
	struct xml *list = xml_child(el, "list", NULL);
	uint32_t left = 0;

	while (list && name.n && !str_eq(xml_get(list, "name"), name))
		list = xml_next_same(list);
	xml_each(item, list) {
		if (str_is(xml_get(item, "type"), "jid") && str_is(xml_get(item, "action"), "deny"))
			block(im, xml_get(item, "value"));
		else
			left++;
	}
	if (left)
		import_warn(im, "%u rules of privacy lists that block no address are left out", left);
}

static void blocklist(struct import *im, struct xml *el)
{
	for (struct xml *i = xml_child(el, "item", NULL); i; i = xml_next_same(i))
		block(im, xml_get(i, "jid"));
}

/* ---- the table ---- */

static const struct {
	const char *name, *ns;
	void (*read)(struct import *im, struct xml *el);
} parts[] = {
	{ "scram-credentials", NS_PIE_SCRAM, credentials },
	{ "query", NS_ROSTER, roster },
	{ "presence", NS_CLIENT, presence },
	{ "vCard", NS_VCARD, vcard },
	{ "query", NS_PRIVATE, private_xml },
	{ "query", NS_PRIVACY, privacy },
	{ "blocklist", NS_BLOCKING, blocklist },
	{ "offline-messages", NS_PIE, import_offline },
	{ "archive", NS_PIE_MAM, import_archive },
	{ "pubsub", NS_PUBSUB_OWNER, import_nodes },
	{ "pubsub", NS_PUBSUB, import_items },
	{ "prefs", NS_MAM, prefs },
	{ "disabled", NS_EXPORT, disabled },
};

static void read_part(struct import *im, struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (xml_is(el, parts[i].name, parts[i].ns)) {
			parts[i].read(im, el);
			return;
		}
	}
	import_warn(im, "<%.*s xmlns='%.*s'> is not known and left out", STR_ARG(el->name), STR_ARG(el->ns));
}

/* ---- one request ---- */

static void import_free(struct import *im)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	map_fini(&im->roster);
	while (map_next(&im->nodes, &pos, &key, &value)) {
		map_del(&im->nodes, key);
		free(value);
	}
	map_fini(&im->nodes);
	json_decref(im->warnings);
	store_batch_free(im->batch);
	free((void *)im->node.p);
	free((void *)im->owner.p);
	free(im);
}

static void fail_import(struct import *im, int status)
{
	admin_fail_status(im->call, status);
	import_free(im);
}

static void answer(struct import *im)
{
	struct admin_call *call = im->call;
	json_t *counts = json_object();
	char last[24], last_item[24];

	for (int i = 0; i < PORT_COUNTS; i++)
		json_object_set_new(counts, port_count_names[i], json_integer((json_int_t)im->counts[i]));
	snprintf(last, sizeof(last), "%llu", (unsigned long long)im->last);
	snprintf(last_item, sizeof(last_item), "%llu", (unsigned long long)im->last_item);
	admin_succeed(call, json_pack("{s:b, s:o, s:O, s:s, s:s}", "exists", 0, "counts", counts, "warnings", im->warnings, "last", last,
				      "last_item", last_item));
	import_free(im);
}

static void on_written(struct shard *s, void *arg, int status)
{
	struct import *im = arg;
	struct admin_hooks *hooks = &im->call->admin->hooks;

	if (!status && im->disable) {
		im->disable = false;
		status = account_set_state(im->ac, s, im->node, ACCOUNT_DISABLE, on_written, im);
		if (!status)
			return;
	}
	if (status) {
		fail_import(im, status);
		return;
	}
	if (hooks->kick) /* what memory says is old */
		hooks->kick(hooks->arg, im->owner);
	answer(im);
}

static void write_batch(struct shard *s, struct import *im)
{
	struct store_batch *b = im->batch;
	char text[24];

	if (im->roster_touched) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)im->roster_ver + 1);
		store_put(b, im->owner, STR("roster"), STR_NONE, str_of(text));
	}
	if (im->offline_touched) {
		snprintf(text, sizeof(text), "%u", im->offline_n);
		store_put(b, im->owner, STR("spool"), STR_NONE, str_of(text));
	}
	if (im->nodes_touched) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)im->node_bytes);
		store_put(b, im->owner, STR("pubsub"), STR_NONE, str_of(text));
	}
	if (json_is_true(json_object_get(im->call->request, "dry"))) {
		answer(im);
		return;
	}
	im->batch = NULL;
	if (store_commit(im->ac->store, s, b, on_written, im))
		fail_import(im, -EBUSY);
}

static void take_known(struct import *im, const struct store_item *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct xml *item;

		if (!v[i].key.n)
			str_u64(v[i].value, UINT64_MAX, &im->roster_ver);
		else if (!xml_parse(im->a, arena_str(im->a, v[i].value), &item))
			map_put(&im->roster, xml_get(item, "jid"), item);
	}
}

static void on_roster(struct shard *s, void *arg, int status, const struct store_item *v, size_t n);

/* The nodes that are there: their names are kept beyond this turn. */
static void on_nodes(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct import *im = arg;

	for (size_t i = 0; !status && i < n; i++)
		import_known_node(im, &v[i]);
	if (!status)
		status = store_list(im->ac->store, s,
			&(struct store_range){ .owner = im->owner, .kind = STR("roster"), .limit = ROSTER_MAX + 1 }, on_roster, im);
	if (status)
		fail_import(im, status);
}

/* The roster as it is; then everything is read in this one turn. */
static void on_roster(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct import *im = arg;
	struct xml *user;

	im->a = shard_arena(s);
	if (status) {
		fail_import(im, status);
		return;
	}
	take_known(im, v, n);
	if (xml_parse(im->a, arena_str(im->a, admin_text_of(im->call, "xml")), &user)) {
		admin_fail(im->call, "bad-xml", "This piece of the file cannot be read.");
		import_free(im);
		return;
	}
	xml_each(el, user)
		read_part(im, el);
	write_batch(s, im);
}

static void on_spool(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct import *im = arg;
	uint64_t count = 0;

	if (n)
		str_u64(v->value, UINT32_MAX, &count);
	im->offline_n = (uint32_t)count;
	if (!status)
		status = store_list(im->ac->store, s,
			&(struct store_range){ .owner = im->owner, .kind = STR("pubsub"), .limit = NODE_ROWS_MAX }, on_nodes, im);
	if (status)
		fail_import(im, status);
}

static void read_piece(struct shard *s, struct import *im)
{
	int err = store_get(im->ac->store, s, im->owner, STR("spool"), STR_NONE, on_spool, im);

	if (err)
		fail_import(im, -EBUSY);
}

static void on_created(struct shard *s, void *arg, int status)
{
	struct import *im = arg;

	if (status == -EINVAL || status == -EMSGSIZE || status == -E2BIG) {
		import_warn(im, "the password cannot be used: set another one");
		port_put_account(im->batch, shard_arena(s), im->ac, im->node);
	} else if (status) {
		fail_import(im, status);
		return;
	} else {
		im->counts[PORT_CREDENTIALS]++;
	}
	read_piece(s, im);
}

static void create(struct shard *s, struct import *im)
{
	struct str password = admin_text_of(im->call, "password");
	struct account_new n = { .node = im->node, .password = password, .weak_ok = true };
	int err;

	if (!password.n || json_is_true(json_object_get(im->call->request, "dry"))) {
		im->counts[PORT_CREDENTIALS] += password.n != 0;
		port_put_account(im->batch, shard_arena(s), im->ac, im->node);
		read_piece(s, im);
		return;
	}
	err = account_create(im->ac, s, &n, on_created, im);
	if (err)
		on_created(s, im, err);
}

static void on_known(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms)
{
	struct import *im = arg;
	bool merge = json_is_true(json_object_get(im->call->request, "merge"));

	(void)admin;
	(void)created_ms;
	if (status == -ENOENT) {
		create(s, im);
	} else if (status) {
		fail_import(im, status);
	} else if (merge) {
		read_piece(s, im);
	} else {
		admin_succeed(im->call, json_pack("{s:b}", "exists", 1));
		import_free(im);
	}
}

void admin_import_user(struct admin_call *call)
{
	struct arena *a = shard_arena(call->shard);
	struct accounts *ac = admin_accounts_named(call, admin_text_of(call, "host"));
	struct str node;
	struct import *im;

	if (!ac) {
		admin_fail(call, "other-host", "This server does not serve that host.");
		return;
	}
	if (account_name_check(a, admin_text_of(call, "name"), &node)) {
		admin_fail_status(call, -EINVAL);
		return;
	}
	im = mem_zalloc(sizeof(*im));
	im->call = call;
	im->ac = ac;
	im->batch = store_batch_new();
	im->warnings = json_array();
	im->node = (struct str){ str_dup(node), node.n };
	im->owner = port_owner(a, ac, node);
	im->owner = (struct str){ str_dup(im->owner), im->owner.n };
	archive_id_parse(admin_text_of(call, "last"), &im->last);
	archive_id_parse(admin_text_of(call, "last_item"), &im->last_item);
	if (!json_is_true(json_object_get(call->request, "first")))
		read_piece(call->shard, im);
	else if (account_info(ac, call->shard, node, on_known, im))
		fail_import(im, -EBUSY);
}

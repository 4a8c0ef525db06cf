/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XML that the server keeps for an account as it is: vcard-temp (XEP-0054 1.2) and private storage (XEP-0049 1.2).
 * Store: kind "vcard" key "", kind "private" key "namespace name". */
#include "base/buf.h"
#include "core/feature.h"
#include "proto/xmpp/ns.h"

enum { KEEP_BYTES_MAX = 200 << 10, PRIVATE_KEY_MAX = 300 };

struct keep {
	const char *kind;
	bool (*key)(struct iq *iq, struct str *out); /* false: answered */
	struct xml *(*empty)(struct iq *iq);
};

static void on_got(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	const struct keep *k = h->arg;
	struct arena *a = core_arena(iq->core);
	struct xml *el = NULL, *wrap;

	(void)s;
	if (status)
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	else if (n && xml_parse(a, arena_str(a, v->value), &el))
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	else if (!el && iq->target == TO_USER) /* as for an account that is not there (XEP-0054 §3.1) */
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
	else if (!k->key)
		iq_result(iq, el ? el : k->empty(iq));
	else {
		wrap = xml_new(a, "query", NS_PRIVATE);
		xml_append(wrap, el ? el : k->empty(iq));
		iq_result(iq, wrap);
	}
	iq_held_free(h);
}

static void get(struct iq *iq, const struct keep *k, struct str key)
{
	struct core *c = iq->core;
	struct iq_held *h = iq_hold(iq, (void *)k);

	if (store_get(c->env->store, c->shard, iq->user->jid.full, str_of(k->kind), key, on_got, h)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

static void on_set(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (status)
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The server could not store this; try again later.");
	else
		iq_result(iq, NULL);
	iq_held_free(h);
}

static void set(struct iq *iq, const struct keep *k, struct str key, const struct xml *el)
{
	struct core *c = iq->core;
	struct store_batch *b;
	struct buf text = { 0 };
	struct iq_held *h;

	xml_write(&text, el, STR_NONE);
	if (text.n > KEEP_BYTES_MAX) {
		buf_free(&text);
		iq_error(iq, ERR_NOT_ACCEPTABLE, "This is larger than the server keeps (200 KiB).");
		return;
	}
	b = store_batch_new();
	h = iq_hold(iq, NULL);
	store_put(b, iq->user->jid.full, str_of(k->kind), key, buf_view(&text));
	buf_free(&text);
	if (store_commit(c->env->store, c->shard, b, on_set, h)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

/* ---- vcard-temp ---- */

static struct xml *empty_vcard(struct iq *iq)
{
	return xml_new(core_arena(iq->core), "vCard", NS_VCARD);
}

static const struct keep vcard_keep = { .kind = "vcard", .empty = empty_vcard };

static void vcard(struct iq *iq)
{
	if (iq->st->type == IQ_GET)
		get(iq, &vcard_keep, STR_NONE);
	else if (iq->target == TO_USER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else
		set(iq, &vcard_keep, STR_NONE, iq->el);
}

/* ---- private storage ---- */

static struct xml *private_child(struct iq *iq)
{
	struct xml *el = xml_child_any(iq->el);

	return el && !xml_next(el) && !str_is(el->ns, NS_PRIVATE) ? el : NULL;
}

static struct xml *empty_private(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *el = private_child(iq), *e = xml_new(a, "x", "x");

	e->name = el->name;
	e->ns = el->ns;
	return e;
}

static bool private_key(struct iq *iq, struct str *out)
{
	struct xml *el = private_child(iq);

	if (!el)
		iq_error(iq, ERR_BAD_REQUEST, "Private storage takes one element in a namespace of its own.");
	else if (el->ns.n + el->name.n > PRIVATE_KEY_MAX)
		iq_error(iq, ERR_NOT_ACCEPTABLE, NULL);
	else
		*out = arena_printf(core_arena(iq->core), "%.*s %.*s", STR_ARG(el->ns), STR_ARG(el->name));
	return out->n;
}

static const struct keep private_keep = { .kind = "private", .key = private_key, .empty = empty_private };

static void private_xml(struct iq *iq)
{
	struct str key = STR_NONE;

	if (iq->target == TO_USER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (!private_key(iq, &key))
		return;
	else if (iq->st->type == IQ_GET)
		get(iq, &private_keep, key);
	else
		set(iq, &private_keep, key, private_child(iq));
}

static const struct spec specs[] = { { "XEP-0054", "1.2" }, { "XEP-0049", "1.2" }, { NULL, NULL } };
static const char *const disco[] = { NS_VCARD, NULL };
static const char *const disco_server[] = { NS_VCARD, NS_PRIVATE, NULL };
static const struct iq_route routes[] = {
	{ NS_VCARD, "vCard", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, vcard },
	{ NS_PRIVATE, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, private_xml },
	{ 0 },
};

const struct feature feature_keep = {
	.name = "keep",
	.specs = specs,
	.disco_server = disco_server,
	.disco_account = disco,
	.iq = routes,
};

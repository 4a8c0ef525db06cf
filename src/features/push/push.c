/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0357 0.4.1 Push Notifications: enabling, disabling, and the service push.DOMAIN, which is this server's own sender of Web Push
 * (RFC 8030, RFC 8291, RFC 8292). Left out: publishing to push.DOMAIN by others (it serves the accounts of this server only). */
#include <stdlib.h>

#include "base/mem.h"
#include "features/push/push.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* The JID and node of a request. Returns false after answering. */
static bool read_target(struct iq *iq, struct jid *out_jid, struct str *out_node)
{
	*out_node = xml_get(iq->el, "node");
	if (jid_parse(core_arena(iq->core), xml_get(iq->el, "jid"), out_jid) || out_node->n > PUSH_NODE_MAX ||
		(out_node->n && memchr(out_node->p, '\n', out_node->n))) {
		iq_error(iq, ERR_BAD_REQUEST, "Which push service? It needs a jid.");
		return false;
	}
	return true;
}

/* A service that this account may have notified: not the server itself, its services, nor the account side of its users, who would all
 * hear from the server's own address, which may do more there than a user; a client of theirs (full JID) may be one. */
static bool may_notify(struct iq *iq, struct jid to, struct str node)
{
	bool ours = str_eq(to.full, push_host(iq->user));

	if (!ours && (core_service(iq->core, jid_domain(to)) || (jid_is_bare(to) && core_host(iq->core, jid_domain(to))))) {
		iq_error(iq, ERR_NOT_ALLOWED, "This is no push service.");
		return false;
	}
	if (ours && !push_web_find(iq->user, node)) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, "There is no such subscription.");
		return false;
	}
	return true;
}

static void enable(struct iq *iq)
{
	struct xml *form = form_find(iq->el, NULL, NS_PUBSUB_PUBLISH_OPTIONS);
	struct session *s = iq->session;
	struct buf text = { 0 };
	struct store_batch *b;
	struct push_reg *r;
	struct jid to;
	struct str node;

	if (!read_target(iq, &to, &node) || !may_notify(iq, to, node))
		return;
	if (form)
		xml_write(&text, form, STR_NONE);
	if (text.n > PUSH_FORM_MAX) {
		buf_free(&text);
		iq_error(iq, ERR_BAD_REQUEST, "The publish-options are too long.");
		return;
	}
	b = store_batch_new();
	r = push_reg_put(iq->user, b, to.full, node, buf_view(&text));
	buf_free(&text);
	if (s) {
		free(r->client);
		free(r->resource);
		r->client = s->client[0] ? mem_strdup(s->client) : NULL;
		r->resource = str_dup(jid_resource(s->jid));
		r->session = s->id;
		r->links = s->links;
	}
	r->count = 0;
	push_reg_save(r, b);
	iq_commit(iq, b, NULL);
}

static void disable(struct iq *iq)
{
	struct store_batch *b;
	struct jid to;
	struct str node;

	if (!read_target(iq, &to, &node))
		return;
	b = store_batch_new();
	push_reg_del(iq->user, b, to.full, node);
	iq_commit(iq, b, NULL);
}

/* ---- push.DOMAIN ---- */

static void info(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO), *id = xml_add(a, q, "identity", NULL);

	xml_set(a, id, "category", STR("pubsub"));
	xml_set(a, id, "type", STR("push"));
	xml_set(a, id, "name", STR("Web Push"));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_DISCO_INFO));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_PUSH));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_WEBPUSH));
	iq_result(iq, q);
}

static void items(struct iq *iq)
{
	iq_result(iq, xml_new(core_arena(iq->core), "query", NS_DISCO_ITEMS));
}

static void pong(struct iq *iq)
{
	iq_result(iq, NULL);
}

static void refuse(struct iq *iq)
{
	iq_error(iq, ERR_FORBIDDEN, "Only this server publishes here.");
}

static const struct iq_route at_service[] = {
	{ NS_DISCO_INFO, "query", IQ_ROUTE_GET, TO_SERVER, info },
	{ NS_DISCO_ITEMS, "query", IQ_ROUTE_GET, TO_SERVER, items },
	{ NS_PING, "ping", IQ_ROUTE_GET, TO_SERVER, pong },
	{ NS_PUBSUB, NULL, IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SERVER, refuse },
	{ 0 },
};

static void stanza(struct core *c, struct transit *t)
{
	iq_only(c, t, at_service);
}

/* ---- the row ---- */

static void on_start(struct core *c)
{
	struct push_core *p = mem_zalloc(sizeof(*p));

	p->core = c;
	list_init(&p->sends);
	c->slot[SLOT_PUSH] = p;
	push_vapid_load(p);
}

static const struct option options[] = {
	{ "push.sender", OPT_BOOL, "false", 0, 0, NULL, "Tell push services of others who wrote. Web Push is encrypted and always says it." },
	{ "push.body", OPT_BOOL, "false", 0, 0, NULL, "Tell push services of others what was written, as far as the server can read it." },
	{ "push.rooms", OPT_BOOL, "true", 0, 0, NULL,
		"Notify of every message of a room that waits for a client; off: only of those that name the user." },
	{ "push.wait", OPT_TIME, "15s", 0, 600000, NULL, "How long a client may take to acknowledge (XEP-0198) before it is notified." },
	{ "push.contact", OPT_STRING, "", 0, 0, NULL,
		"mailto: or https: address by which push services reach the operator; empty is the web address." },
	{ NULL },
};
static const struct spec specs[] = { { "XEP-0357", "0.4.1" }, { "RFC 8030", "2016-12" }, { "RFC 8188", "2017-06" },
	{ "RFC 8291", "2017-11" }, { "RFC 8292", "2017-11" }, { NULL, NULL } };
static const char *const disco_account[] = { NS_PUSH, NS_WEBPUSH, NULL };
static const struct iq_route routes[] = {
	{ NS_PUSH, "enable", IQ_ROUTE_SET, TO_SELF, enable },
	{ NS_PUSH, "disable", IQ_ROUTE_SET, TO_SELF, disable },
	{ NS_WEBPUSH, "vapid", IQ_ROUTE_GET, TO_SELF, push_web_key },
	{ NS_WEBPUSH, "subscribe", IQ_ROUTE_SET, TO_SELF, push_web_subscribe },
	{ NS_WEBPUSH, "unsubscribe", IQ_ROUTE_SET, TO_SELF, push_web_unsubscribe },
	{ 0 },
};
static const struct service service = { .label = "push", .category = "pubsub", .type = "push", .name = "Web Push", .stanza = stanza,
	.shutdown = push_sends_free };

const struct feature feature_push = {
	.name = "push",
	.specs = specs,
	.disco_account = disco_account,
	.options = options,
	.iq = routes,
	.deliver = { [DELIVER_PUSH] = push_delivered },
	.service = &service,
	.on_start = on_start,
	.on_unseen = push_unseen,
	.user_kind = "push",
	.user_item = push_item,
	.user_free = push_free,
};

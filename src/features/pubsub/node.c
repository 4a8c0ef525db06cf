/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §8: to create, configure, purge and delete nodes. */
#include <errno.h>

#include "crypto/random.h"
#include "features/pubsub/pubsub.h"

/* ---- create (§8.1) ---- */

static uint32_t nodes_of(const struct ps_host *h, struct jid who)
{
	struct str key;
	uint32_t pos = 0, n = 0;
	void *value;

	while (map_next(&h->nodes, &pos, &key, &value))
		n += str_eq(((struct ps_node *)value)->creator, jid_bare_str(who));
	return n;
}

/* Answers and returns false when this asker may not make a node of this name. */
static bool may_create(struct ps_req *r)
{
	bool pep = r->h->user;
	bool local = core_host(r->h->core, jid_domain(r->who)) &&
		core_host(r->h->core, jid_domain(r->who)) == core_host_of(r->h->core, jid_domain(r->h->jid));

	if (pep ? !jid_bare_eq(r->who, r->h->jid) : !local)
		ps_error(r, ERR_FORBIDDEN, NULL);
	else if (r->n)
		ps_error(r, ERR_CONFLICT, NULL);
	else if (r->node.n && !ps_text_ok(r->node, PS_NAME_MAX))
		iq_error(r->iq, ERR_NOT_ACCEPTABLE, "The name of a node has up to 1,000 bytes and no control characters.");
	else if (r->h->nodes.n >= (pep ? PS_NODES_MAX : PS_SERVICE_NODES_MAX) || (!pep && nodes_of(r->h, r->who) >= PS_CREATOR_NODES_MAX))
		ps_error(r, ERR_CONFLICT, "max-nodes-exceeded");
	else
		return true;
	return false;
}

/* Answers and returns false when the form cannot be. */
static bool read_config(struct ps_req *r, const struct xml *form, bool strict, struct ps_config *cfg)
{
	int rc = ps_config_read(r->a, form, r->h->user != NULL, strict, cfg);

	if (rc == -EOPNOTSUPP)
		ps_error(r, ERR_NOT_ACCEPTABLE, "unsupported-access-model");
	else if (rc == -ENOENT)
		ps_error(r, ERR_BAD_REQUEST, "invalid-options");
	else if (rc)
		ps_error(r, ERR_NOT_ACCEPTABLE, NULL);
	return !rc;
}

static struct ps_node *make(struct ps_req *r, struct str name, struct ps_config *cfg, struct store_batch *b)
{
	struct ps_node *n = ps_node_new(r->h, name, r->who.full, cfg);

	n->loaded = true;
	ps_node_save(n, b);
	if (!r->h->user)
		ps_affil_set(n, r->who.full, AFFIL_OWNER, b);
	return n;
}

bool ps_create(struct ps_req *r)
{
	const struct xml *conf = xml_child(r->pubsub, "configure", NULL);
	const struct xml *form = conf ? form_find(conf, "submit", NULL) : NULL;
	struct xml *reply = NULL, *el;
	struct store_batch *b;
	struct ps_config cfg;
	bool instant = !r->node.n;

	if (conf && xml_get(conf, "node").p) { /* §8.1.3 */
		ps_error(r, ERR_BAD_REQUEST, NULL);
		return true;
	}
	if (!may_create(r))
		return true;
	if (instant)
		r->node = random_token(r->a, 16);
	ps_config_init(&cfg, r->h->user != NULL, r->node);
	if (!form || read_config(r, form, false, &cfg)) {
		b = store_batch_new();
		make(r, r->node, &cfg, b);
		if (instant)
			reply = ps_reply(r, "create", &el);
		ps_answer(r->h, r->iq, b, reply);
	}
	ps_config_fini(&cfg);
	return true;
}

/* ---- settings (§8.2, §8.3) ---- */

bool ps_configure_get(struct ps_req *r)
{
	struct xml *el, *reply = ps_reply(r, "configure", &el);

	ps_config_write(r->a, form_new(r->a, el, "form", NS_PUBSUB_NODE_CONFIG), r->h->user != NULL, true, &r->n->cfg);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

bool ps_default(struct ps_req *r)
{
	struct ps_config cfg;
	struct xml *el, *reply;

	if (xml_get(r->el, "type").n && !str_is(xml_get(r->el, "type"), "leaf")) {
		ps_unsupported(r, "collections");
		return true;
	}
	reply = ps_reply(r, "default", &el);
	ps_config_init(&cfg, r->h->user != NULL, STR_NONE);
	ps_config_write(r->a, form_new(r->a, el, "form", NS_PUBSUB_NODE_CONFIG), r->h->user != NULL, true, &cfg);
	ps_config_fini(&cfg);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

/* Smaller limits hold at once. */
static void apply_limits(struct ps_node *n, struct store_batch *b)
{
	uint32_t max = n->cfg.persist ? ps_config_items(&n->cfg) : 0;

	while (n->items_n > max)
		ps_item_remove(n, n->items[0], b);
	ps_items_expire(n);
}

static void tell_config(struct ps_req *r)
{
	struct xml *form = NULL;

	if (!r->n->cfg.notify_config)
		return;
	if (r->n->cfg.deliver_payloads) { /* §8.2.5.3 */
		form = form_new(r->a, NULL, "result", NS_PUBSUB_NODE_CONFIG);
		ps_config_write(r->a, form, r->h->user != NULL, false, &r->n->cfg);
	}
	ps_event_simple(r->n, "configuration", form);
}

/* Subscriptions that the new settings do not allow end (XEP-0163 §8.1). */
static void drop_subs(struct ps_node *n, struct store_batch *b)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		struct ps_sub *s = value;

		if (ps_may_see(n, jid_bare(jid_trust(s->jid)), true).ok)
			continue;
		ps_event_subscription(n, s->jid, SUB_NONE);
		ps_sub_remove(n, s, b);
	}
}

bool ps_configure_set(struct ps_req *r)
{
	const struct xml *form = form_find(r->el, NULL, NULL);
	struct store_batch *b;
	struct ps_config cfg;

	if (form && str_is(xml_get(form, "type"), "cancel")) {
		ps_answer(r->h, r->iq, NULL, NULL);
		return true;
	}
	if (!form || !str_is(xml_get(form, "type"), "submit")) {
		ps_error(r, ERR_BAD_REQUEST, NULL);
		return true;
	}
	ps_config_copy(&cfg, &r->n->cfg);
	if (read_config(r, form, false, &cfg)) {
		struct ps_config old = r->n->cfg;

		r->n->cfg = cfg;
		cfg = old;
		b = store_batch_new();
		ps_node_save(r->n, b);
		apply_limits(r->n, b);
		drop_subs(r->n, b);
		tell_config(r);
		ps_answer(r->h, r->iq, b, NULL);
	}
	ps_config_fini(&cfg);
	return true;
}

/* ---- purge and delete (§8.4, §8.5) ---- */

bool ps_purge(struct ps_req *r)
{
	struct store_batch *b;

	if (!r->n->cfg.persist) {
		ps_unsupported(r, "persistent-items");
		return true;
	}
	if (ps_is_bookmarks(r->h, r->node) && !bookmarks_ready(r->h))
		return false;
	b = store_batch_new();
	ps_items_clear(r->n, b);
	if (r->n->cfg.notify_retract)
		ps_event_simple(r->n, "purge", NULL);
	if (ps_is_bookmarks(r->h, r->node))
		bookmarks_cleared(r->h, b);
	if (r->h->user && str_is(r->node, NS_AVATAR_METADATA))
		pep_avatar_changed(r->h, NULL, b);
	ps_answer(r->h, r->iq, b, NULL);
	return true;
}

bool ps_delete(struct ps_req *r)
{
	const struct xml *redirect = xml_child(r->el, "redirect", NULL);
	struct xml *copy = NULL;
	struct store_batch *b;

	if (ps_is_bookmarks(r->h, r->node) && !bookmarks_ready(r->h))
		return false;
	if (redirect) {
		copy = xml_new(r->a, "redirect", NS_PUBSUB_EVENT);
		xml_set(r->a, copy, "uri", xml_get(redirect, "uri"));
	}
	if (r->n->cfg.notify_delete)
		ps_event_simple(r->n, "delete", copy);
	b = store_batch_new();
	ps_node_remove(r->n, b);
	if (ps_is_bookmarks(r->h, r->node))
		bookmarks_cleared(r->h, b);
	if (r->h->user && str_is(r->node, NS_AVATAR_METADATA))
		pep_avatar_changed(r->h, NULL, b);
	ps_answer(r->h, r->iq, b, NULL);
	return true;
}

/* ---- nodes that come into being by publishing (§7.1.4, §7.1.5) ---- */

bool ps_auto_create(struct ps_req *r, const struct xml *options, struct store_batch *b)
{
	struct ps_config cfg;
	bool ok;

	if (!r->node.n) {
		ps_error(r, ERR_BAD_REQUEST, "nodeid-required");
		return false;
	}
	if (!may_create(r))
		return false;
	ps_config_init(&cfg, r->h->user != NULL, r->node);
	ok = !options || read_config(r, options, true, &cfg);
	if (ok)
		r->n = make(r, r->node, &cfg, b);
	ps_config_fini(&cfg);
	if (ok)
		r->affil = AFFIL_OWNER;
	return ok;
}

bool ps_options_met(struct ps_req *r, const struct xml *options)
{
	struct ps_config want;
	int rc;
	bool met;

	ps_config_copy(&want, &r->n->cfg);
	rc = ps_config_read(r->a, options, r->h->user != NULL, true, &want);
	met = !rc && ps_config_eq(&want, &r->n->cfg);
	ps_config_fini(&want);
	if (rc == -ENOENT)
		ps_error(r, ERR_BAD_REQUEST, "invalid-options");
	else if (!met)
		ps_error(r, ERR_CONFLICT, "precondition-not-met");
	return met;
}

struct ps_node *ps_node_own(struct ps_host *h, const char *name, struct store_batch *b)
{
	struct ps_node *n = ps_node_get(h, str_of(name));
	struct ps_config cfg;

	if (n)
		return n;
	ps_config_init(&cfg, true, str_of(name));
	n = ps_node_new(h, str_of(name), h->jid.full, &cfg);
	n->loaded = true;
	ps_node_save(n, b);
	ps_config_fini(&cfg);
	return n;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A client's Web Push endpoints (docs/api.md, urn:anser:webpush:0): PushSubscription of browsers, UnifiedPush of phones; and the
 * server's signing key (RFC 8292). Store: kind "server" key "vapid" = the private key in base64url. */
#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "features/push/push.h"

/* ---- the key: made once, by whichever shard is first ---- */

static void on_made(struct shard *s, void *arg, int status)
{
	struct push_core *p = s->core->slot[SLOT_PUSH];

	if (!p)
		return; /* the server ends */
	if (status == -EEXIST)
		push_vapid_load(p);
	else if (status)
		log_error("push.no_key", "error=%d next=\"no Web Push until the next start\"", -status);
	else
		p->ready = true;
}

static void make(struct push_core *p)
{
	struct core *c = p->core;
	struct store_batch *b = store_batch_new();

	p256_new(&p->vapid);
	store_insert(b, STR_NONE, STR("server"), STR("vapid"),
		base64url_encode(core_arena(c), (struct str){ (char *)p->vapid.private, P256_PRIVATE }));
	store_commit(c->env->store, c->shard, b, on_made, NULL);
}

static void on_key(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct push_core *p = s->core->slot[SLOT_PUSH];
	struct str raw;

	if (!p)
		return;
	if (status) {
		log_error("push.no_key", "error=%d next=\"no Web Push until the next start\"", -status);
	} else if (!n) {
		make(p);
	} else if (!base64url_decode(&s->arena, v->value, &raw) && raw.n == P256_PRIVATE) {
		memcpy(p->vapid.private, raw.p, P256_PRIVATE);
		p->ready = p256_derive(&p->vapid) == 0;
	}
}

void push_vapid_load(struct push_core *p)
{
	struct core *c = p->core;

	store_get(c->env->store, c->shard, STR_NONE, STR("server"), STR("vapid"), on_key, NULL);
}

void push_web_key(struct iq *iq)
{
	struct push_core *p = iq->core->slot[SLOT_PUSH];
	struct arena *a = core_arena(iq->core);
	struct xml *el = xml_new(a, "vapid", NS_WEBPUSH);

	if (!p->ready) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The key is not there yet; try again in a moment.");
		return;
	}
	xml_text(a, el, base64url_encode(a, (struct str){ (char *)p->vapid.public, P256_PUBLIC }));
	iq_result(iq, el);
}

/* ---- endpoints ---- */

/* Keys come as the Push API gives them: base64url, with or without padding. */
static struct str key_text(struct arena *a, const struct xml *el, const char *name)
{
	struct str text = str_trim(xml_child_text(a, el, name, NULL));

	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	return text;
}

/* Returns false after answering. *out_given: there are keys. */
static bool read_keys(struct iq *iq, struct webpush_reader *out, bool *out_given)
{
	struct arena *a = core_arena(iq->core);
	struct str p256dh = key_text(a, iq->el, "p256dh"), auth = key_text(a, iq->el, "auth"), key, secret;

	*out_given = p256dh.n || auth.n;
	if (!*out_given)
		return true;
	if (base64url_decode(a, p256dh, &key) || !p256_is_public(key) || base64url_decode(a, auth, &secret) || secret.n != WEBPUSH_AUTH) {
		iq_error(iq, ERR_BAD_REQUEST, "The keys are not those of a push subscription.");
		return false;
	}
	memcpy(out->public, key.p, P256_PUBLIC);
	memcpy(out->auth, secret.p, WEBPUSH_AUTH);
	return true;
}

static void on_subscribed(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct arena *a = core_arena(iq->core);
	struct xml *el = xml_new(a, "subscribed", NS_WEBPUSH);

	if (status || !iq->user) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The server could not store this; try again later.");
	} else {
		xml_set(a, el, "jid", push_host(iq->user));
		xml_set(a, el, "node", str_of(h->arg));
		iq_result(iq, el);
	}
	free(h->arg);
	iq_held_free(h);
}

void push_web_subscribe(struct iq *iq)
{
	struct core *c = iq->core;
	struct arena *a = core_arena(c);
	struct str endpoint = str_trim(xml_child_text(a, iq->el, "endpoint", NULL)), origin;
	struct webpush_reader reader;
	struct store_batch *b;
	struct push_web *w;
	struct iq_held *h;
	bool keys;
	int err = c->env->fetcher ? fetch_origin(c->env->fetcher, a, endpoint, &origin) : -ENOTSUP;

	if (err) {
		iq_error(iq, err == -EPERM ? ERR_NOT_ALLOWED : err == -ENOTSUP ? ERR_FEATURE_NOT_IMPLEMENTED : ERR_BAD_REQUEST,
			"The endpoint must be an https URL on the public internet.");
		return;
	}
	if (!read_keys(iq, &reader, &keys))
		return;
	b = store_batch_new();
	w = push_web_put(iq->user, b, endpoint, keys ? &reader : NULL);
	h = iq_hold(iq, mem_strdup(w->node));
	if (store_commit(c->env->store, c->shard, b, on_subscribed, h))
		on_subscribed(c->shard, h, -EBUSY);
}

void push_web_unsubscribe(struct iq *iq)
{
	struct push_web *w = push_web_find(iq->user, xml_get(iq->el, "node"));
	struct store_batch *b;

	if (!w) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	b = store_batch_new();
	push_web_del(iq->user, b, w);
	iq_commit(iq, b, NULL);
}

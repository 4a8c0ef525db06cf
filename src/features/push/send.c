/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One Web Push message on its way (RFC 8030 §5): encrypted, signed, sent, sent again within bounds. It outlives its user's stay in
 * memory; the outcome is written to the account by name. */
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "features/push/push.h"

enum { VAPID_LIFE_S = 12 * 3600, PAD = 256, TOPIC_BYTES = 21 /* 28 characters of base64url */ };

struct send {
	struct list link; /* in push_core.sends */
	struct core *core;
	struct str account, node, endpoint; /* own bytes */
	struct buf body;
	char topic[33];
	bool encrypted, call, in_flight;
	uint32_t tries;
	struct timer timer;
};

static struct push_core *of(struct core *c)
{
	return c->slot[SLOT_PUSH];
}

/* Its shard has stopped, or it has left all lists. */
static void on_drop(void *arg)
{
	struct send *s = arg;

	free((void *)s->account.p);
	free((void *)s->node.p);
	free((void *)s->endpoint.p);
	buf_free(&s->body);
	free(s);
}

static void send_free(struct send *s)
{
	timer_cancel(&s->core->shard->loop, &s->timer);
	list_del(&s->link);
	of(s->core)->sends_n--;
	on_drop(s);
}

void push_sends_free(struct core *c)
{
	struct push_core *p = of(c);
	struct send *s;

	if (!p)
		return;
	list_each(s, &p->sends, link) {
		if (s->in_flight)
			list_del(&s->link); /* its answer frees it */
		else
			send_free(s);
	}
	c->slot[SLOT_PUSH] = NULL;
	wipe(&p->vapid, sizeof(p->vapid));
	free(p);
}

/* ---- the outcome ---- */

enum outcome { SENT, FAILED, GONE, WAITS };

struct told {
	struct str node; /* own bytes */
	enum outcome outcome;
	uint64_t not_before_ms;
};

static void on_user(struct user *u, void *arg)
{
	struct told *t = arg;
	struct push_web *w = u && u->state == USER_READY ? push_web_find(u, t->node) : NULL;
	struct store_batch *b;

	if (w && t->outcome == SENT)
		w->failures = 0;
	if (w && t->not_before_ms)
		w->not_before_ms = t->not_before_ms;
	if (w && (t->outcome == GONE || (t->outcome == FAILED && ++w->failures >= PUSH_FAILURES_MAX))) {
		log_info("push.endpoint_gone", "account=%.*s reason=%s", STR_ARG(u->jid.full), t->outcome == GONE ? "gone" : "failures");
		b = store_batch_new();
		push_web_del(u, b, w);
		store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
	}
	free((void *)t->node.p);
	free(t);
}

static void tell_user(struct send *s, enum outcome outcome, uint64_t not_before_ms)
{
	struct told *t = mem_alloc(sizeof(*t));

	*t = (struct told){ .node = { str_dup(s->node), s->node.n }, .outcome = outcome, .not_before_ms = not_before_ms };
	user_with(s->core, s->account, on_user, t);
}

/* ---- trying ---- */

static void try(struct send *s);

static void on_retry(struct timer *t)
{
	try(container_of(t, struct send, timer));
}

/* 429 and 5xx and a broken network pass (RFC 8030 §8.4); other answers stay as they are. */
static bool may_pass(const struct fetch_answer *a)
{
	if (!a->status)
		return a->error != -EPERM && a->error != -ECANCELED;
	return a->status == 429 || a->status >= 500;
}

static void again(struct send *s, const struct fetch_answer *a)
{
	uint64_t in_ms = PUSH_RETRY_MS;

	for (uint32_t i = 1; i < s->tries; i++)
		in_ms *= 5;
	if (a->retry_ms > in_ms)
		in_ms = a->retry_ms < PUSH_RETRY_MAX_MS ? a->retry_ms : PUSH_RETRY_MAX_MS;
	if (a->retry_ms)
		tell_user(s, WAITS, s->core->shard->loop.now_ms + in_ms);
	s->timer.on_time = on_retry;
	timer_set(&s->core->shard->loop, &s->timer, in_ms);
}

static void on_answer(struct shard *sh, void *arg, const struct fetch_answer *a)
{
	struct send *s = arg;
	bool ok = a->status >= 200 && a->status < 300;

	s->in_flight = false;
	if (!of(sh->core)) { /* the server ends */
		on_drop(s);
		return;
	}
	log_debug("push.web", "account=%.*s status=%d error=%d try=%u", STR_ARG(s->account), a->status, -a->error, s->tries);
	if (!ok && may_pass(a) && s->tries < PUSH_TRIES_MAX && !s->call) {
		again(s, a);
		return;
	}
	metric_add(M_PUSHES_FAILED, !ok);
	if (!ok)
		log_info("push.failed", "account=%.*s status=%d error=%d", STR_ARG(s->account), a->status, -a->error);
	tell_user(s, ok ? SENT : a->status == 404 || a->status == 410 || a->error == -EPERM ? GONE : FAILED, 0);
	send_free(s);
}

static struct str contact(struct core *c)
{
	const char *given = config_str(core_config(c), "push.contact");

	return given[0] ? str_of(given) : c->env->web_url;
}

static void try(struct send *s)
{
	struct core *c = s->core;
	struct arena *a = core_arena(c);
	const char *headers[8] = { 0 };
	struct fetch_request r = { .method = "POST", .url = s->endpoint, .headers = headers, .body = buf_view(&s->body), .owner = s->account,
		.done = on_answer, .drop = on_drop, .arg = s };
	struct str origin, token;
	size_t n = 0;

	if (fetch_origin(c->env->fetcher, a, s->endpoint, &origin)) {
		tell_user(s, GONE, 0);
		send_free(s);
		return;
	}
	token = vapid_authorization(a, &of(c)->vapid, origin, clock_wall_ms() / 1000 + VAPID_LIFE_S, contact(c));
	headers[n++] = arena_printf(a, "Authorization: %.*s", STR_ARG(token)).p;
	headers[n++] = arena_printf(a, "TTL: %d", s->call ? PUSH_CALL_TTL_S : PUSH_TTL_S).p;
	headers[n++] = s->call ? "Urgency: high" : "Urgency: normal";
	headers[n++] = arena_printf(a, "Topic: %s", s->topic).p;
	headers[n++] = "Content-Type: application/octet-stream";
	if (s->encrypted)
		headers[n++] = "Content-Encoding: aes128gcm";
	s->tries++;
	s->in_flight = true;
	if (fetch(c->env->fetcher, c->shard, &r)) {
		s->in_flight = false;
		send_free(s); /* thousands wait already: this one is not sent; the message itself is safe */
	}
}

/* ---- what is said ---- */

/* Without keys the push service reads along: a number and nothing else. */
static struct str text_of(struct arena *a, const struct push_reg *r, bool private)
{
	json_t *j = json_pack("{si ss si}", "v", 1, "type", r->call ? "call" : "message", "count", (int)r->count);
	struct str text;
	char *p;

	if (private) {
		json_object_set_new(j, "account", json_stringn(r->user->jid.full.p, r->user->jid.full.n));
		if (r->sender)
			json_object_set_new(j, "from", json_string(r->sender));
		if (r->body)
			json_object_set_new(j, "body", json_string(r->body));
	}
	p = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	must(p);
	text = arena_str(a, str_of(p));
	free(p);
	return text;
}

/* RFC 8030 §5.4: what waits at the push service is replaced by news of the same conversation. */
static void set_topic(struct send *s, const struct push_reg *r)
{
	struct arena *a = core_arena(s->core);
	uint8_t digest[HASH_MAX];
	struct str topic, from = r->sender ? jid_bare_str(jid_trust(str_of(r->sender))) : STR_NONE;

	hash(HASH_SHA256, arena_printf(a, "%d %.*s %.*s", r->call, STR_ARG(s->account), STR_ARG(from)), digest);
	topic = base64url_encode(a, (struct str){ (char *)digest, TOPIC_BYTES });
	snprintf(s->topic, sizeof(s->topic), "%.*s", STR_ARG(topic));
}

/* What waits to be sent again is out of date. */
static void drop_older(struct push_core *p, struct str account, struct str node)
{
	struct send *s;

	list_each(s, &p->sends, link)
		if (!s->in_flight && str_eq(s->account, account) && str_eq(s->node, node))
			send_free(s);
}

void push_web_send(struct push_reg *r, struct push_web *w)
{
	struct core *c = r->user->core;
	struct push_core *p = of(c);
	struct str account = r->user->jid.full, text;
	struct send *s;

	if (!p || !p->ready || !c->env->fetcher || p->sends_n >= PUSH_SENDS_MAX)
		return;
	drop_older(p, account, str_of(w->node));
	s = mem_zalloc(sizeof(*s));
	s->core = c;
	list_push(&p->sends, &s->link);
	p->sends_n++;
	s->account = (struct str){ str_dup(account), account.n };
	s->node = (struct str){ mem_strdup(w->node), strlen(w->node) };
	s->endpoint = (struct str){ mem_strdup(w->endpoint), strlen(w->endpoint) };
	s->call = r->call;
	s->encrypted = w->encrypted;
	set_topic(s, r);
	text = text_of(core_arena(c), r, w->encrypted);
	if (text.n > WEBPUSH_PLAIN_MAX) /* the longest of names */
		text = text_of(core_arena(c), r, false);
	if (!w->encrypted)
		buf_str(&s->body, text);
	else if (webpush_encrypt(&w->reader, text, PAD, &s->body)) {
		send_free(s);
		return;
	}
	try(s);
}

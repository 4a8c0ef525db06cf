/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0388 1.0.4 Extensible SASL Profile with the inline parts of XEP-0386, XEP-0198 and XEP-0484. */
#include <errno.h>
#include <stdlib.h>

#include "account/fast.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/user.h"
#include "proto/xmpp/ns.h"
#include "xmpp/bind.h"
#include "xmpp/sasl.h"

enum { CLIENT_ID_MAX = 63, REQUEST_MAX = 8192 };

static void challenge(struct stream *st, struct str base64)
{
	struct arena *a = core_arena(st->core);
	struct xml *el = xml_new(a, "challenge", NS_SASL2);

	xml_text(a, el, base64);
	stream_write_xml(st, el);
}

static void failure(struct stream *st, const char *condition, const char *text)
{
	struct arena *a = core_arena(st->core);
	struct xml *el = xml_new(a, "failure", NS_SASL2);

	xml_add(a, el, condition, NS_SASL);
	if (text)
		xml_add_text(a, el, "text", str_of(text));
	stream_write_xml(st, el);
}

/* The request and what is known so far, until success is sent. */
struct inline_state {
	struct stream *st;
	struct str token; /* own bytes; p NULL: none */
	uint64_t expires_ms;
	struct archive_page ends; /* of the account's archive */
};

static const struct xml *request_of(struct stream *st)
{
	struct xml *el;

	return xml_parse(core_arena(st->core), str_of(st->auth->request), &el) ? NULL : el;
}

static void write_success(struct stream *st, struct xml *success, struct session *s, struct str additional)
{
	struct arena *a = core_arena(st->core);
	struct xml *first = xml_new(a, "success", NS_SASL2), *next;
	struct str bare = jid_make(a, str_of(st->node), st->host->domain, STR_NONE).full;

	if (additional.p)
		xml_add_text(a, first, "additional-data", additional);
	xml_add_text(a, first, "authorization-identifier", s ? s->jid.full : bare);
	for (struct xml *c = success->first; c; c = next) {
		next = c->next;
		xml_detach(c);
		xml_append(first, c);
	}
	stream_write_xml(st, first);
}

static void finish(struct inline_state *in, struct user *u)
{
	struct stream *st = in->st;
	struct arena *a = core_arena(st->core);
	const struct xml *request = request_of(st);
	struct xml *success = xml_new(a, "success", NS_SASL2), *t;
	bool replay = false;
	struct session *s = request ? bind_inline(st, u, request, success, &in->ends, &replay) : NULL;

	if (in->token.p) {
		t = xml_add(a, success, "token", NS_FAST);
		xml_set(a, t, "token", in->token);
		xml_set(a, t, "expiry", time_format(a, in->expires_ms));
	}
	write_success(st, success, s, st->auth->additional ? str_of(st->auth->additional) : STR_NONE);
	sasl_auth_free(st->auth);
	st->auth = NULL;
	if (st->state != STREAM_BOUND)
		st->state = STREAM_AUTHED;
	stream_features(st); /* XEP-0388 §2.6: at once, without a new stream */
	if (replay)
		session_sm_replay(s);
}

static void state_free(struct inline_state *in)
{
	free((void *)in->token.p);
	free(in);
}

static void on_user(struct user *u, void *arg)
{
	struct inline_state *in = arg;
	struct stream *st = in->st;

	if (!stream_woken(st)) {
		state_free(in);
		return;
	}
	if (!u || u->state != USER_READY)
		stream_error(st, "internal-server-error", "The account could not be loaded; try again.");
	else
		finish(in, u);
	state_free(in);
	stream_proceed(st);
}

static void on_ends(struct shard *sh, void *arg, int status, const struct archive_page *page)
{
	struct inline_state *in = arg;
	struct stream *st = in->st;

	if (!status)
		in->ends = *page;
	user_with(sh->core, jid_make(&sh->arena, str_of(st->node), st->host->domain, STR_NONE).full, on_user, in);
}

/* The ends of the archive as they are now (XEP-0386: at the time of binding), then the user. */
static void load_user(struct inline_state *in)
{
	struct core *c = in->st->core;
	struct arena *a = core_arena(c);
	struct archive_query q = { .owner = jid_make(a, str_of(in->st->node), in->st->host->domain, STR_NONE).full, .end_id = UINT64_MAX,
		.before_id = UINT64_MAX, .limit = 1, .want_ends = true };

	if (store_query(c->env->store, c->shard, &q, on_ends, in))
		on_ends(c->shard, in, -EBUSY, NULL);
}

static void on_durable(struct session *s, void *arg)
{
	(void)s;
	load_user(arg);
}

/* A session to be resumed first gets everything that it sent onto the disk, so that h tells the truth. */
static void settle(struct inline_state *in)
{
	struct stream *st = in->st;
	struct arena *a = core_arena(st->core);
	const struct xml *request = request_of(st);
	struct user *u = user_find(st->core, jid_make(a, str_of(st->node), st->host->domain, STR_NONE).full);
	struct session *old = request && u ? bind_resumable(u, xml_child(request, "resume", NS_SM)) : NULL;

	if (old)
		session_sm_when_durable(old, on_durable, in);
	else
		load_user(in);
}

static void on_token(struct shard *sh, void *arg, int status, struct str token, uint64_t expires_ms)
{
	struct inline_state *in = arg;

	(void)sh;
	if (!status) {
		in->token = (struct str){ str_dup(token), token.n };
		in->expires_ms = expires_ms;
	}
	settle(in);
}

static void on_revoked(struct shard *sh, void *arg, int status)
{
	(void)sh;
	(void)arg;
	if (status)
		log_error("fast.not_revoked", "error=%d next=\"the token dies at its time\"", -status);
}

/* The mechanism for which the client gets a new token: asked for, or the old one is due for rotation. NONE: no token. */
static struct str token_wanted(struct stream *st, const struct xml *request)
{
	const struct xml *want = request ? xml_child(request, "request-token", NS_FAST) : NULL;

	if (!request || !st->client || st->app[0]) /* an application password is its client's token */
		return STR_NONE;
	if (want && sasl_fast_known(xml_get(want, "mechanism")))
		return xml_get(want, "mechanism");
	return st->auth->fast_rotate && !st->auth->fast_invalidate ? xml_get(request, "mechanism") : STR_NONE;
}

static void success(struct stream *st, struct str additional)
{
	struct inline_state *in = mem_zalloc(sizeof(*in));
	const struct xml *request = request_of(st);
	struct core *c = st->core;
	struct str mechanism;

	(void)additional; /* kept in st->auth until the end */
	in->st = st;
	stream_wait(st);
	if (st->auth->fast_invalidate && st->client)
		fast_revoke(st->host->accounts, c->shard, str_of(st->node), str_of(st->client), on_revoked, NULL);
	mechanism = token_wanted(st, request);
	if (!mechanism.n || fast_issue(st->host->accounts, c->shard, str_of(st->node), str_of(st->client), mechanism, on_token, in))
		settle(in);
}

static const struct sasl_profile sasl2 = { challenge, success, failure, true };

static bool is_true(struct str s)
{
	return str_is(s, "true") || str_is(s, "1");
}

/* XEP-0509 §2.2: the request was made for other features than these; it counts for nothing. */
static bool config_matches(struct stream *st, const struct xml *el)
{
	struct arena *a = core_arena(st->core);
	const struct xml *version = xml_child(el, "config-version", NS_IAP);
	struct xml *f;

	if (!version || str_is(xml_get(version, "value"), st->config))
		return true;
	f = xml_new(a, "failure", NS_SASL2);
	xml_add(a, f, "aborted", NS_SASL);
	xml_add(a, f, "config-version-mismatch", NS_IAP);
	xml_add_text(a, f, "text", STR("What this server offers has changed; look at its features and try again."));
	stream_write_xml(st, f);
	return false;
}

static void authenticate(struct stream *st, struct xml *el)
{
	struct arena *a = core_arena(st->core);
	struct xml *agent = xml_child(el, "user-agent", NULL), *fast = xml_child(el, "fast", NS_FAST);
	struct str id = xml_get(agent ? agent : el, "id"), initial = xml_child_text(a, el, "initial-response", NULL);
	struct buf text = { 0 };

	if (st->continued) {
		stream_error(st, "policy-violation", "After a task, authentication starts over on a new stream.");
		return;
	}
	if (!config_matches(st, el))
		return;
	if (id.n > CLIENT_ID_MAX) {
		failure(st, "malformed-request", "The id of user-agent is too long.");
		return;
	}
	free(st->client);
	st->client = agent && id.n ? str_dup(id) : NULL;
	st->sasl2 = true;
	xml_write(&text, el, STR_NONE);
	if (text.n > REQUEST_MAX) {
		buf_free(&text);
		failure(st, "malformed-request", NULL);
		return;
	}
	buf_putc(&text, '\0');
	sasl_start(st, &sasl2, xml_get(el, "mechanism"), initial, text.p, fast != NULL);
	if (st->auth)
		sasl_upgrades_wanted(st, el);
	if (st->auth && fast)
		st->auth->fast_invalidate = is_true(xml_get(fast, "invalidate"));
}

void sasl2_element(struct stream *st, struct xml *el)
{
	bool running = st->auth && st->auth->profile == &sasl2;

	if (str_is(el->name, "authenticate"))
		authenticate(st, el);
	else if (str_is(el->name, "response") && running)
		sasl_response(st, xml_text_of(core_arena(st->core), el));
	else if (str_is(el->name, "next") && running)
		sasl_task_next(st, el);
	else if (str_is(el->name, "task-data") && running)
		sasl_task_data(st, el);
	else if (str_is(el->name, "abort") && running)
		sasl_abort(st);
	else
		failure(st, "malformed-request", NULL);
}

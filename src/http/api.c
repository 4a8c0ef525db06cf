/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* JSON for the front door of the web client: what this server is, the first administrator, invitations, registration.
 * Errors are {"error": machine-word, "message": sentence}. Everything after sign-in goes over XMPP. */
#include <errno.h>
#include <stdlib.h>

#include "account/invite.h"
#include "account/setup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/exchange.h"

enum { TOKEN_MAX = 128 };

/* A request that waits for the account layer. The peer may go meanwhile: then the answer finds no exchange. */
struct call {
	struct http *http;
	const struct host *host;
	id_t64 exchange;
	bool setup;
	char node[ACCOUNT_NAME_MAX * 4 + 1]; /* of the new account, normalised */
};

static struct call *call_new(struct exchange *x)
{
	struct call *c = mem_zalloc(sizeof(*c));

	c->http = x->http;
	c->host = x->host;
	c->exchange = exchange_id(x);
	http_hold(c->http);
	return c;
}

/* Frees c. Returns its exchange, or NULL when the peer has gone. */
static struct exchange *call_end(struct call *c)
{
	struct exchange *x = exchange_get(c->http, c->exchange);

	http_drop(c->http);
	free(c);
	return x;
}

/* What a status of the account layer is for the web client. */
static const struct {
	int status, http;
	const char *word, *sentence;
} errors[] = {
	{ -EEXIST, 409, "exists", "This name is taken." },
	{ -EACCES, 409, "already-set-up", "This server has an administrator already." },
	{ -EPERM, 403, "bad-code",
		"This set-up link is not valid. Use the newest one that the server printed." },
	{ -ENOENT, 404, "not-found", "This invitation is unknown, used or expired." },
	{ -EINVAL, 400, "bad-name", "Use letters, digits and . _ - for the name." },
	{ -EMSGSIZE, 400, "weak-password", "The password is too short: use 8 characters or more." },
	{ -E2BIG, 400, "weak-password", "The password is too long." },
	{ -EBUSY, 503, "busy", "The server is busy. Try again in a moment." },
	{ -ENOSPC, 507, "disk-full", "The server's disk is full." },
};

static void answer_status(struct exchange *x, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].status == status) {
			exchange_error(x, errors[i].http, errors[i].word, errors[i].sentence);
			return;
		}
	exchange_error(x, 500, "internal", "Something went wrong on the server.");
}

static bool held(struct exchange *x, enum limit which)
{
	if (limiter_take(x, which))
		return false;
	exchange_error(x, 429, "rate-limited", "Too many attempts. Wait a minute and try again.");
	return true;
}

static struct str text(struct exchange *x, const char *name)
{
	const json_t *v = json_object_get(x->json, name);

	return (struct str){ json_string_value(v), json_string_length(v) };
}

static struct str name_of(const struct invite *inv)
{
	struct str rest;

	return str_cut(inv->inviter, '@', &rest);
}

/* ---- GET /api/v1/server ---- */

static void on_setup_known(struct shard *s, void *arg, int status)
{
	struct call *c = arg;
	const struct http_config *cfg = c->http->cfg;
	const struct host *host = c->host;
	struct str muc = arena_printf(shard_arena(s), "conference.%.*s", STR_ARG(host->domain));
	struct exchange *x = call_end(c);

	if (!x)
		return;
	if (status < 0) {
		answer_status(x, status);
		return;
	}
	exchange_json(x, 200,
		json_pack("{ss% ss% ss sb sb ss% sI ss}", "domain", host->domain.p, host->domain.n,
			"name", cfg->name.p, cfg->name.n, "version", ANSER_VERSION, "setup_needed",
			status == 1 && !host->accounts->scope.n /* only the main host is set up by link */, "registration_open", (int)cfg->registration_open, "muc",
			muc.p, muc.n, "upload_max_bytes",
			(json_int_t)cfg->upload_max_bytes, "websocket", "/xmpp-websocket"));
}

void api_server(struct exchange *x)
{
	struct call *c = call_new(x);
	int rc = account_setup_needed(x->host->accounts, x->http->shard, on_setup_known, c);

	if (rc)
		answer_status(call_end(c), rc);
}

/* ---- POST /api/v1/setup, POST /api/v1/register ---- */

/* Checks name and password before anything is asked of the store. Returns false when it has answered. */
static bool check_new(struct exchange *x, struct call **out)
{
	struct arena *a = shard_arena(x->http->shard);
	struct str node, prepared;
	int rc = account_name_check(a, text(x, "name"), &node);
	struct call *c;

	if (!rc && node.n >= sizeof(c->node))
		rc = -EINVAL;
	if (!rc) {
		rc = account_password_check(a, text(x, "password"), &prepared);
		if (rc == -EINVAL) {
			exchange_error(x, 400, "weak-password",
				"The password has characters that cannot be typed everywhere.");
			return false;
		}
	}
	if (rc) {
		answer_status(x, rc);
		return false;
	}
	c = call_new(x);
	memcpy(c->node, node.p, node.n);
	*out = c;
	return true;
}

static void answer_created(struct call *c, int status, struct str inviter)
{
	const struct http_config *cfg = c->http->cfg;
	struct shard *s = c->http->shard;
	struct str jid = arena_printf(shard_arena(s), "%s@%.*s", c->node, STR_ARG(c->host->domain));
	struct exchange *x = call_end(c);

	if (!status && inviter.n && cfg->on_registered)
		cfg->on_registered(s, inviter, jid);
	if (!x)
		return;
	if (status)
		answer_status(x, status);
	else
		exchange_json(x, 201, json_pack("{ss%}", "jid", jid.p, jid.n));
}

static void on_setup_done(struct shard *s, void *arg, int status)
{
	answer_created(arg, status, STR_NONE);
}

void api_setup(struct exchange *x)
{
	struct call *c;
	int rc;

	if (held(x, LIMIT_SETUP) || !check_new(x, &c))
		return;
	struct setup in = {
		.code = text(x, "code"), .name = text(x, "name"), .password = text(x, "password")
	};

	rc = setup_finish(x->host->accounts, x->http->shard, &in, on_setup_done, c);
	if (rc)
		answer_status(call_end(c), rc);
}

static void on_registered(
	struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	answer_created(arg, status, status == 0 && inv ? inv->inviter : STR_NONE);
}

void api_register(struct exchange *x)
{
	struct str token = text(x, "token");
	struct call *c;
	int rc;

	if (held(x, LIMIT_REGISTER))
		return;
	if (!token.n && !x->http->cfg->registration_open) {
		exchange_error(x, 403, "invitation-needed", "This server needs an invitation.");
		return;
	}
	if (token.n > TOKEN_MAX) {
		answer_status(x, -ENOENT);
		return;
	}
	if (!check_new(x, &c))
		return;
	rc = invite_register(x->host->accounts, x->http->shard, token, str_of(c->node),
		text(x, "password"), on_registered, c);
	if (rc)
		answer_status(call_end(c), rc);
}

/* ---- GET /api/v1/invite/TOKEN ---- */

static void on_looked(
	struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct call *c = arg;
	struct str domain = c->host->domain, name, expires;
	struct exchange *x = call_end(c);

	if (!x)
		return;
	if (status) {
		answer_status(x, status);
		return;
	}
	name = name_of(inv);
	expires = time_format(shard_arena(s), inv->expires_ms);
	exchange_json(x, 200,
		json_pack("{ss% ss% ss% sb sn ss%}", "inviter",
			inv->inviter.p ? inv->inviter.p : "", inv->inviter.n, "inviter_name",
			name.p ? name.p : "", name.n, "domain", domain.p, domain.n, "account",
			(int)inv->account, "room", "expires", expires.p, expires.n));
}

void api_invite(struct exchange *x)
{
	struct call *c;
	int rc;

	if (held(x, LIMIT_LOOK))
		return;
	if (!x->rest.n || x->rest.n > TOKEN_MAX) {
		answer_status(x, -ENOENT);
		return;
	}
	c = call_new(x);
	rc = invite_look(x->host->accounts, x->http->shard, x->rest, on_looked, c);
	if (rc)
		answer_status(call_end(c), rc);
}

void api_unknown(struct exchange *x)
{
	exchange_error(x, 404, "not-found", "There is no such thing in this interface.");
}

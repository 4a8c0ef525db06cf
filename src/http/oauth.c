/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0493 0.1.1 for applications of others: where everything is (RFC 8414), registration (RFC 7591), the token for an authorization code
 * (RFC 6749 §4.1.3, with PKCE, RFC 7636). Public clients only; the page on which the owner grants access is consent.c.
 * Left out on purpose: refresh tokens (a token lives until it is revoked), other grant types, scopes but xmpp:client:normal. */
#include "http/oauth.h"

#include <errno.h>
#include <stdlib.h>

#include "account/grant.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/core.h"
#include "crypto/random.h"

/* ---- forms ---- */

struct form {
	struct buf text;
	void (*run)(struct exchange *x, struct str form);
	bool too_large;
};

static void on_form_body(struct exchange *x, struct str bytes)
{
	struct form *f = x->state;

	if (f->text.n + bytes.n > OAUTH_FORM_MAX)
		f->too_large = true;
	else
		buf_str(&f->text, bytes);
}

static void on_form_end(struct exchange *x)
{
	struct form *f = x->state;

	if (f->too_large)
		exchange_error(x, 413, "too-large", "That form is too large.");
	else
		f->run(x, arena_str(shard_arena(x->http->shard), buf_view(&f->text)));
}

static void on_form_gone(void *state)
{
	struct form *f = state;

	if (f->text.n)
		wipe(f->text.p, f->text.n); /* passwords ride in forms */
	buf_free(&f->text);
	free(f);
}

static const struct exchange_stream form_stream = { on_form_body, on_form_end, on_form_gone };

void oauth_take_form(struct exchange *x, void (*run)(struct exchange *x, struct str form))
{
	struct str type = str_cut(http_header_get(x->req, "content-type"), ';', &(struct str){ 0 });
	struct form *f;

	if (!str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded"))) {
		exchange_error(x, 415, "bad-type", "Send application/x-www-form-urlencoded.");
		return;
	}
	f = mem_zalloc(sizeof(*f));
	f->run = run;
	x->stream = &form_stream;
	x->state = f;
}

bool oauth_is_off(struct exchange *x)
{
	if (config_bool(core_config(x->http->shard->core), "access.oauth"))
		return false;
	exchange_error(x, 404, "not-found", "This server grants no access to other people's applications.");
	return true;
}

/* ---- GET /.well-known/oauth-authorization-server ---- */

void oauth_metadata(struct exchange *x)
{
	struct arena *a = shard_arena(x->http->shard);
	struct str url = x->host->web_url;

	if (oauth_is_off(x))
		return;
	exchange_json(x, 200,
		json_pack("{ss% ss ss ss s[s] s[s] s[s] s[s] s[s] sb}", "issuer", url.p, url.n,
			"authorization_endpoint", arena_printf(a, "%.*s/oauth/authorize", STR_ARG(url)).p,
			"token_endpoint", arena_printf(a, "%.*s/oauth/token", STR_ARG(url)).p,
			"registration_endpoint", arena_printf(a, "%.*s/oauth/register", STR_ARG(url)).p,
			"response_types_supported", "code", "grant_types_supported", "authorization_code",
			"code_challenge_methods_supported", "S256", "token_endpoint_auth_methods_supported", "none",
			"scopes_supported", OAUTH_SCOPE, "authorization_response_iss_parameter_supported", 1));
}

/* ---- POST /oauth/register ---- */

static void refuse(struct exchange *x, int status, const char *error, const char *text)
{
	exchange_json(x, status, json_pack("{ss ss}", "error", error, "error_description", text));
}

static bool held(struct exchange *x)
{
	if (limiter_take(x, LIMIT_LOOK))
		return false;
	refuse(x, 429, "temporarily_unavailable", "Too many requests; wait a minute.");
	return true;
}

void oauth_register(struct exchange *x)
{
	struct arena *a = shard_arena(x->http->shard);
	const json_t *name = json_object_get(x->json, "client_name"), *uris = json_object_get(x->json, "redirect_uris");
	struct grant_client c = { .name = { json_string_value(name), json_string_length(name) } };
	const json_t *uri;
	struct str id;
	size_t i;
	int err;

	if (oauth_is_off(x) || held(x))
		return;
	json_array_foreach(uris, i, uri)
		if (c.uris_n < GRANT_URIS_MAX)
			c.uris[c.uris_n++] = (struct str){ json_string_value(uri), json_string_length(uri) };
	if (!name && c.uris_n) /* it may be left out (RFC 7591 §2) */
		c.name = (struct str){ c.uris[0].p, c.uris[0].n < GRANT_NAME_MAX ? c.uris[0].n : GRANT_NAME_MAX };
	err = json_array_size(uris) > GRANT_URIS_MAX ? -EDOM : grant_register(x->host->accounts, a, &c, &id);
	if (err == -EDOM)
		refuse(x, 400, "invalid_redirect_uri", "One to five URIs: https, the loopback, or a private scheme; no fragment.");
	else if (err)
		refuse(x, 400, "invalid_client_metadata", "client_name is 1 to 64 bytes of text.");
	else
		exchange_json(x, 201,
			json_pack("{ss% sI ss% sO ss s[s] s[s]}", "client_id", id.p, id.n, "client_id_issued_at",
				(json_int_t)(clock_wall_ms() / 1000), "client_name", c.name.p, c.name.n, "redirect_uris", uris,
				"token_endpoint_auth_method", "none", "grant_types", "authorization_code", "response_types", "code"));
}

/* ---- POST /oauth/token ---- */

struct call {
	struct http *http;
	id_t64 exchange;
};

static void on_token(struct shard *s, void *arg, int status, struct str token)
{
	struct call *c = arg;
	struct exchange *x = exchange_get(c->http, c->exchange);

	(void)s;
	http_drop(c->http);
	free(c);
	if (!x)
		return;
	if (status == -EACCES)
		refuse(x, 400, "invalid_grant", "The code is unknown, used or old, or not for this client, URI and verifier.");
	else if (status)
		refuse(x, 503, "temporarily_unavailable", "The server is busy; try again.");
	else
		exchange_json(x, 200, json_pack("{ss% ss ss}", "access_token", token.p, token.n, "token_type", "Bearer", "scope", OAUTH_SCOPE));
}

static void redeem(struct exchange *x, struct str form)
{
	struct arena *a = shard_arena(x->http->shard);
	struct grant_code code = { http_form_get(a, form, "code"), http_form_get(a, form, "client_id"),
		http_form_get(a, form, "redirect_uri"), http_form_get(a, form, "code_verifier") };
	struct call *c;
	int err;

	if (!str_is(http_form_get(a, form, "grant_type"), "authorization_code")) {
		refuse(x, 400, "unsupported_grant_type", "Only authorization_code.");
		return;
	}
	if (!code.code.n || !code.client_id.n || !code.redirect.n || !code.verifier.n) {
		refuse(x, 400, "invalid_request", "code, client_id, redirect_uri and code_verifier are needed.");
		return;
	}
	c = mem_zalloc(sizeof(*c));
	*c = (struct call){ x->http, exchange_id(x) };
	http_hold(c->http);
	err = grant_redeem(x->host->accounts, x->http->shard, &code, on_token, c);
	if (err)
		on_token(x->http->shard, c, err, STR_NONE);
}

void oauth_token(struct exchange *x)
{
	if (!oauth_is_off(x) && !held(x))
		oauth_take_form(x, redeem);
}

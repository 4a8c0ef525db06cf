/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* POST /http-bind: a request of BOSH (XEP-0124) goes to xmpp/bosh whole and is answered when that has something to say. Pages of other
 * origins may use it as far as bosh.origins says; there are no cookies that they could misuse. */
#include <stdlib.h>

#include "base/mem.h"
#include "http/exchange.h"

enum { BODY_MAX = 256 << 10 }; /* bytes of one request: what xmpp/bosh parses at most */

struct request {
	struct buf body;
	char *origin; /* that is allowed to read the answer; NULL: none */
	struct http *http;
	id_t64 exchange;
	char *handle; /* of who is to answer; NULL: answered, or nobody is to be told */
};

/* The value of Access-Control-Allow-Origin for this request; malloc'ed, NULL: none. */
static char *allowed_origin(struct exchange *x)
{
	struct str list = x->http->cfg->bosh_origins, origin = http_header_get(x->req, "origin"), rest;

	for (rest = list; rest.n;) {
		struct str one = str_trim(str_cut(rest, ' ', &rest));

		if (str_is(one, "*"))
			return mem_strdup("*");
		if (one.n && origin.n && str_eq_nocase(one, origin))
			return str_dup(origin);
	}
	return NULL;
}

static void reply(struct exchange *x, int status, const char *origin, const char *type, struct str body)
{
	const struct http_field fields[] = {
		{ "Access-Control-Allow-Origin", str_of(origin) },
		{ "Access-Control-Allow-Methods", x->method == HTTP_M_OPTIONS ? STR("POST, OPTIONS") : STR_NONE },
		{ "Access-Control-Allow-Headers", x->method == HTTP_M_OPTIONS ? STR("Content-Type") : STR_NONE },
		{ "Access-Control-Max-Age", x->method == HTTP_M_OPTIONS ? STR("7200") : STR_NONE },
		{ "Vary", STR("Origin") },
		{ 0 },
	};

	exchange_reply(x, status, fields, type, body);
}

static void on_body(struct exchange *x, struct str bytes)
{
	struct request *r = x->state;

	if (r->body.n + bytes.n > BODY_MAX)
		reply(x, 413, r->origin, "text/plain", STR("too large\n"));
	else
		buf_str(&r->body, bytes);
}

static void on_end(struct exchange *x)
{
	struct request *r = x->state;
	struct buf body = r->body;

	r->body = (struct buf){ 0 };
	conn_hear_hangup(x->conn, true);
	r->http = x->http;
	r->exchange = exchange_id(x);
	r->handle = x->http->cfg->on_bosh(x->http->shard, r->exchange, conn_peer(x->conn), buf_view(&body));
	buf_free(&body);
}

static void on_gone(void *state)
{
	struct request *r = state;

	if (r->handle && r->http->shard->http) /* not when the shard ends */
		r->http->cfg->on_bosh_gone(r->http->shard, r->exchange, r->handle);
	buf_free(&r->body);
	free(r->handle);
	free(r->origin);
	free(r);
}

static const struct exchange_stream stream = { .on_body = on_body, .on_end = on_end, .on_gone = on_gone };

void http_bosh_answer(struct shard *s, id_t64 exchange, struct str type, struct str body)
{
	struct exchange *x = s->http ? exchange_get(s->http, exchange) : NULL;
	struct request *r;
	char text[64];

	if (!x) /* the client has gone; the answer is kept for when it asks again */
		return;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(type));
	r = x->state;
	free(r->handle);
	r->handle = NULL;
	conn_hear_hangup(x->conn, false);
	reply(x, 200, r->origin, text, body);
}

void bosh_serve(struct exchange *x)
{
	struct request *r;
	char *origin;

	if (!x->http->cfg->on_bosh) {
		exchange_error(x, 404, "not-found", "There is nothing at this address.");
		return;
	}
	origin = allowed_origin(x);
	if (x->method == HTTP_M_OPTIONS) {
		reply(x, 204, origin, NULL, STR_NONE);
	} else if (x->method != HTTP_M_POST) {
		reply(x, 200, origin, "text/plain", STR("This address speaks BOSH (XEP-0124): POST.\n"));
	} else if (http_header_get(x->req, "content-encoding").n) {
		reply(x, 415, origin, "text/plain", STR("no content encodings\n"));
	} else {
		r = mem_zalloc(sizeof(*r));
		r->origin = origin;
		origin = NULL;
		x->state = r;
		x->stream = &stream;
		exchange_body_limit(x, BODY_MAX);
	}
	free(origin);
}

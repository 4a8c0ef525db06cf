/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server's side of HTTP/1.1 (RFC 9112) on a connection: reader → route → answer, one request at a time; what is
 * pipelined behind an unfinished one waits in the socket. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "http/exchange.h"

struct http_conn {
	struct exchange x;
	struct list link; /* in http.conns */
	struct timer timer;
	struct http_reader *reader;
	struct buf
		rest; /* input that was kept while an answer is made; fed to the reader already */
	struct buf body; /* of an API request */
	id_t64 id; /* of the exchange, when somebody asked */
	bool active; /* between the head of a request and its answer */
	bool ended; /* the request is whole */
	bool answered;
	bool stalled; /* the handler wants no input now */
	bool expects_continue;
	bool keep_alive;
	bool draining; /* a long answer leaves first */
	bool in_head; /* the timer runs for a head */
	bool paused;
	bool pumping;
	bool detached;
};

static struct http_conn *hc_of(struct exchange *x)
{
	return container_of(x, struct http_conn, x);
}

static void set_timer(struct http_conn *hc, uint64_t in_ms)
{
	timer_set(&hc->x.http->shard->loop, &hc->timer, in_ms);
}

/* Ends the request on our side, answered or not. */
static void exchange_over(struct http_conn *hc)
{
	struct exchange *x = &hc->x;

	if (hc->id)
		ids_drop(&x->http->exchanges, hc->id);
	hc->id = 0;
	if (x->stream && x->stream->on_gone)
		x->stream->on_gone(x->state);
	json_decref(x->json);
	buf_free(&hc->body);
	*x = (struct exchange){ .http = x->http, .conn = x->conn };
	hc->active = hc->ended = hc->answered = hc->stalled = hc->expects_continue = false;
}

static void hc_free(struct http_conn *hc)
{
	exchange_over(hc);
	timer_cancel(&hc->x.http->shard->loop, &hc->timer);
	list_del(&hc->link);
	http_reader_free(hc->reader);
	buf_free(&hc->rest);
	free(hc);
}

static void on_close(struct conn *c, int err)
{
	hc_free(conn_owner(c));
}

/* ---- answers ---- */

static const char csp[] =
	"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob: data: "
	"https:; "
	"media-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
	"frame-ancestors 'none'; require-trusted-types-for 'script'";

static bool has_field(const struct http_field *fields, const char *name)
{
	for (; fields && fields->name; fields++)
		if (str_eq_nocase(str_of(fields->name), str_of(name)))
			return true;
	return false;
}

/* What every answer carries: the strictest default of each policy; a handler may name its own. */
static void write_common(struct http_conn *hc, struct buf *out, const struct http_field *fields)
{
	char date[HTTP_DATE_BYTES];

	http_date(clock_wall_ms() / 1000, date);
	http_write_field(out, "Date", str_of(date));
	http_write_field(out, "X-Content-Type-Options", STR("nosniff"));
	http_write_field(out, "Referrer-Policy", STR("no-referrer"));
	if (!has_field(fields, "Content-Security-Policy"))
		http_write_field(
			out, "Content-Security-Policy", (struct str){ csp, sizeof(csp) - 1 });
	if (!has_field(fields, "Cache-Control"))
		http_write_field(out, "Cache-Control", STR("no-store"));
	if (hc->x.http->cfg->hsts)
		http_write_field(out, "Strict-Transport-Security", STR("max-age=31536000"));
	if (hc->x.route && hc->x.route->cors) {
		http_write_field(out, "Access-Control-Allow-Origin", STR("*"));
		http_write_field(out, "Access-Control-Expose-Headers",
			STR("Upload-Offset, ETag, Content-Range"));
	}
	if (!hc->keep_alive)
		http_write_field(out, "Connection", STR("close"));
	for (; fields && fields->name; fields++)
		if (fields->value.p)
			http_write_field(out, fields->name, fields->value);
}

static struct buf *begin_answer(struct http_conn *hc, int status, const struct http_field *fields,
	const char *type, uint64_t n)
{
	struct buf *out = conn_out(hc->x.conn);

	must(hc->active && !hc->answered);
	hc->answered = true;
	if (!hc->ended && hc->x.route &&
		(hc->x.route->body == BODY_STREAM || hc->x.route->body == BODY_JSON) &&
		(hc->x.method & (HTTP_M_PUT | HTTP_M_PATCH | HTTP_M_POST)))
		hc->keep_alive = false; /* the rest of the body is not waited for */
	http_write_status(out, status);
	write_common(hc, out, fields);
	if (type) {
		http_write_field(out, "Content-Type", str_of(type));
		http_write_field_u64(out, "Content-Length", n);
	} else if (status != 204 && status != 304) {
		http_write_field_u64(out, "Content-Length", 0);
	}
	http_write_end(out);
	return out;
}

static void pump(struct http_conn *hc);

static void end_answer(struct http_conn *hc)
{
	if (conn_out_pending(hc->x.conn) >= CONN_OUT_HIGH)
		hc->draining = true;
	conn_dirty(hc->x.conn);
	pump(hc);
}

void exchange_reply(struct exchange *x, int status, const struct http_field *fields,
	const char *type, struct str body)
{
	struct buf *out = begin_answer(hc_of(x), status, fields, type, body.n);

	if (x->method != HTTP_M_HEAD && type)
		buf_str(out, body);
	end_answer(hc_of(x));
}

void exchange_json(struct exchange *x, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	must(text);
	exchange_reply(x, status, NULL, "application/json", str_of(text));
	free(text);
}

void exchange_error(struct exchange *x, int status, const char *word, const char *sentence)
{
	exchange_json(x, status, json_pack("{ss ss}", "error", word, "message", sentence));
}

void exchange_file(struct exchange *x, int status, const struct http_field *fields,
	const char *type, const struct exchange_part *part)
{
	struct http_conn *hc = hc_of(x);

	begin_answer(hc, status, fields, type, part->n);
	if (x->method == HTTP_M_HEAD || !part->n) {
		close(part->fd);
	} else {
		hc->draining = true;
		conn_write_file(x->conn, part->fd, part->offset, part->n);
	}
	end_answer(hc);
}

/* ---- later answers and slow bodies ---- */

id_t64 exchange_id(struct exchange *x)
{
	struct http_conn *hc = hc_of(x);

	if (!hc->id)
		hc->id = ids_add(&x->http->exchanges, x);
	return hc->id;
}

struct exchange *exchange_get(struct http *h, id_t64 id)
{
	return ids_get(&h->exchanges, id);
}

void exchange_stall(struct exchange *x)
{
	hc_of(x)->stalled = true;
}

void exchange_resume(struct exchange *x)
{
	hc_of(x)->stalled = false;
	pump(hc_of(x));
}

void exchange_body_limit(struct exchange *x, uint64_t bytes)
{
	http_reader_body_limit(hc_of(x)->reader, bytes);
}

struct str exchange_rest_input(struct exchange *x)
{
	return http_reader_rest_input(hc_of(x)->reader);
}

void exchange_detach(struct exchange *x)
{
	hc_of(x)->detached = true;
}

/* ---- requests ---- */

static void answer_options(struct exchange *x)
{
	static const struct http_field fields[] = {
		{ "Access-Control-Allow-Methods", { "GET, HEAD, PUT, PATCH, OPTIONS", 30 } },
		{ "Access-Control-Allow-Headers",
			{ "Authorization, Content-Type, Upload-Offset, Range, If-None-Match",
				64 } },
		{ "Access-Control-Max-Age", { "7200", 4 } },
		{ 0 },
	};

	exchange_reply(x, 204, fields, NULL, STR_NONE);
}

static void answer_method(struct exchange *x, unsigned methods)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
		"OPTIONS" };
	struct http_field fields[] = { { "Allow", STR_NONE }, { 0 } };
	struct buf allow = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (methods & 1U << i)
			buf_printf(&allow, "%s%s", allow.n ? ", " : "", names[i]);
	fields[0].value = buf_view(&allow);
	exchange_reply(x, 405, fields, "text/plain", STR("method not allowed\n"));
	buf_free(&allow);
}

static bool json_is_sent(const struct http_request *req)
{
	struct str params;
	struct str type = str_trim(str_cut(http_header_get(req, "content-type"), ';', &params));

	return str_eq_nocase(type, STR("application/json"));
}

static void dispatch(struct http_conn *hc)
{
	struct exchange *x = &hc->x;
	const struct route *r = x->route;

	if (!r)
		exchange_error(x, 404, "not-found", "There is nothing at this address.");
	else if (x->method == HTTP_M_OPTIONS && r->cors)
		answer_options(x);
	else if (!(r->methods & x->method))
		answer_method(x, r->methods | (r->cors ? HTTP_M_OPTIONS : 0));
	else if (r->body == BODY_JSON && !json_is_sent(x->req))
		/* A page of another origin cannot send this type without asking first. */
		exchange_error(x, 415, "not-json", "Send application/json.");
	else if (r->body == BODY_JSON)
		set_timer(hc, HTTP_BODY_MS);
	else
		r->handle(x);
}

static const struct host *host_of(const struct http *h, struct str field)
{
	struct str port, name = str_cut(field, ':', &port);
	const struct host *host = h->cfg->hosts ? hosts_find_nocase(h->cfg->hosts, name) : NULL;

	return host ? host : &h->main;
}

static void on_head(struct http_conn *hc, struct http_request *req)
{
	struct exchange *x = &hc->x;

	metric_add(M_HTTP_REQUESTS, 1);
	must(!hc->active);
	hc->active = true;
	hc->in_head = false;
	hc->keep_alive = req->keep_alive;
	timer_cancel(&x->http->shard->loop, &hc->timer);
	x->req = req;
	x->host = host_of(x->http, http_header_get(req, "host"));
	x->method = req->method;
	x->route = route_find(req->path, &x->rest);
	dispatch(hc);
	x->req = NULL;
	x->rest = STR_NONE;
	if (hc->detached || hc->answered)
		return;
	hc->expects_continue = req->expect_continue;
	if (x->route->body == BODY_STREAM)
		conn_idle(x->conn, HTTP_TRANSFER_IDLE_MS);
}

static void on_body(struct http_conn *hc, struct str bytes)
{
	struct exchange *x = &hc->x;

	if (hc->answered)
		return;
	if (x->stream)
		x->stream->on_body(x, bytes);
	else if (x->route->body == BODY_JSON && hc->body.n + bytes.n <= HTTP_JSON_MAX)
		buf_str(&hc->body, bytes);
	else if (x->route->body == BODY_JSON)
		exchange_error(x, 413, "too-large", "This request is too large.");
	/* A body that nobody asked for is read and forgotten; HTTP_LIMITS bounds it. */
}

static void on_whole(struct http_conn *hc)
{
	struct exchange *x = &hc->x;

	hc->ended = true;
	timer_cancel(&x->http->shard->loop, &hc->timer);
	if (hc->answered)
		return;
	if (x->stream) {
		x->stream->on_end(x);
	} else if (x->route->body == BODY_JSON) {
		x->json = json_loadb(
			hc->body.p ? hc->body.p : "", hc->body.n, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(x->json))
			x->route->handle(x);
		else
			exchange_error(x, 400, "bad-json", "The request is not a JSON object.");
	}
}

static void on_bad(struct http_conn *hc, int status)
{
	if (hc->active && hc->answered) {
		hc->keep_alive = false; /* the answer is out; nothing more can be read */
		return;
	}
	if (!hc->active)
		hc->x.method = HTTP_M_GET;
	hc->active = true;
	hc->keep_alive = false;
	exchange_reply(&hc->x, status, NULL, "text/plain", str_of(http_reason(status)));
}

/* Must the reader wait? */
static bool is_blocked(const struct http_conn *hc)
{
	return hc->draining || (hc->active && (hc->stalled || (hc->ended && !hc->answered)));
}

/* Ends what is answered. Returns false when the connection is no longer ours (hc is free). */
static bool settle(struct http_conn *hc)
{
	struct conn *c = hc->x.conn;

	if (hc->detached) {
		hc_free(hc);
		return false;
	}
	if (!hc->active || !hc->answered)
		return true;
	if (!hc->keep_alive) {
		conn_close(c);
		hc_free(hc);
		return false;
	}
	if (hc->ended) {
		exchange_over(hc);
		conn_idle(c, hc->draining ? HTTP_TRANSFER_IDLE_MS : 0);
		set_timer(hc, HTTP_KEEP_ALIVE_MS);
		if (hc->draining)
			timer_cancel(&hc->x.http->shard->loop, &hc->timer);
	}
	return true;
}

static void set_paused(struct http_conn *hc, bool paused)
{
	if (hc->paused == paused)
		return;
	hc->paused = paused;
	if (paused)
		conn_pause(hc->x.conn);
	else
		conn_resume(hc->x.conn);
}

static void handle(struct http_conn *hc, const struct http_event *ev)
{
	switch (ev->kind) {
	case HTTP_EV_HEAD: on_head(hc, ev->request); break;
	case HTTP_EV_BODY: on_body(hc, ev->body); break;
	case HTTP_EV_END: on_whole(hc); break;
	case HTTP_EV_ERROR: on_bad(hc, ev->status); break;
	case HTTP_EV_NONE: break;
	}
}

/* Takes requests from the reader until it needs more bytes or an answer has to be waited for. */
static void pump(struct http_conn *hc)
{
	struct http_event ev = { 0 };

	if (hc->pumping)
		return;
	hc->pumping = true;
	for (;;) {
		if (!settle(hc))
			return;
		if (is_blocked(hc)) {
			/* What is left lies in the shard's buffer, which the next read overwrites. */
			http_reader_keep(hc->reader, &hc->rest);
			hc->pumping = false;
			set_paused(hc, true);
			return;
		}
		if (hc->active && hc->expects_continue && !hc->answered) {
			hc->expects_continue = false;
			http_write_continue(conn_out(hc->x.conn));
			conn_dirty(hc->x.conn);
		}
		http_reader_next(hc->reader, shard_arena(hc->x.http->shard), &ev);
		if (ev.kind == HTTP_EV_NONE)
			break;
		handle(hc, &ev);
	}
	buf_free(&hc->rest);
	hc->pumping = false;
	if (!hc->active && !hc->in_head && !http_reader_idle(hc->reader)) {
		hc->in_head = true;
		set_timer(hc, HTTP_HEAD_MS);
	}
	set_paused(hc, false);
}

static void on_data(struct conn *c, struct str bytes)
{
	struct http_conn *hc = conn_owner(c);

	must(!hc->rest.n);
	http_reader_feed(hc->reader, bytes);
	pump(hc);
}

static void on_drain(struct conn *c)
{
	struct http_conn *hc = conn_owner(c);

	if (!hc->draining)
		return;
	hc->draining = false;
	if (!hc->active) {
		conn_idle(c, 0);
		set_timer(hc, HTTP_KEEP_ALIVE_MS);
	}
	pump(hc);
}

static void on_time(struct timer *t)
{
	struct http_conn *hc = container_of(t, struct http_conn, timer);
	struct conn *c = hc->x.conn;

	if (hc->active || hc->in_head) {
		on_bad(hc, 408);
		return;
	}
	conn_close(c);
	hc_free(hc);
}

static const struct conn_handler handler = {
	.on_data = on_data, .on_drain = on_drain, .on_close = on_close
};

int http_serve(struct shard *s, struct conn *c)
{
	struct http_conn *hc = mem_zalloc(sizeof(*hc));

	must(s->http);
	hc->x.http = s->http;
	hc->x.conn = c;
	hc->reader = http_reader_new(&HTTP_LIMITS);
	hc->timer.on_time = on_time;
	list_push(&s->http->conns, &hc->link);
	conn_handler_set(c, &handler, hc);
	set_timer(hc, CONN_HANDSHAKE_MS + HTTP_HEAD_MS);
	return 0;
}

void http_start(struct shard *s, const struct http_config *cfg)
{
	struct http *h = mem_zalloc(sizeof(*h));

	must(!s->http);
	h->shard = s;
	h->cfg = &h->own_cfg;
	s->http = h;
	http_configure(s, cfg);
	if (s->index == 0)
		limiter_reset();
	h->holds = 1;
	list_init(&h->conns);
	if (s->index == 0 && cfg->files)
		h->sweep = sweep_start(h);
}

void http_configure(struct shard *s, const struct http_config *cfg)
{
	s->http->own_cfg = *cfg;
	s->http->main = (struct host){ .domain = cfg->domain, .web_url = cfg->web_url, .accounts = cfg->accounts };
}

void http_stop(struct shard *s)
{
	struct http *h = s->http;
	struct http_conn *hc;

	if (!h)
		return;
	list_each (hc, &h->conns, link) {
		/* A last answer still leaves; a long file does not. */
		if (conn_out_pending(hc->x.conn) && !hc->draining)
			conn_close(hc->x.conn);
		else
			conn_abort(hc->x.conn);
		hc_free(hc);
	}
	sweep_stop(h->sweep);
	ids_fini(&h->exchanges);
	h->exchanges = (struct ids){ 0 };
	s->http = NULL;
	http_drop(h);
}

void http_hold(struct http *h)
{
	h->holds++;
}

void http_drop(struct http *h)
{
	if (--h->holds == 0)
		free(h);
}

void websocket_upgrade(struct exchange *x)
{
	const struct http_config *cfg = x->http->cfg;
	static const struct http_field fields[] = { { "Sec-WebSocket-Version", { "13", 2 } },
		{ 0 } };
	int status;

	if (!cfg->on_websocket) {
		exchange_error(x, 404, "not-found", "There is nothing at this address.");
		return;
	}
	status = cfg->on_websocket(x->http->shard, x->conn, x->req, exchange_rest_input(x));
	if (status == 0)
		exchange_detach(x);
	else
		exchange_reply(x, status, status == 426 ? fields : NULL, "text/plain",
			STR("This address speaks XMPP over WebSocket (RFC 7395).\n"));
}

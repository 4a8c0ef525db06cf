/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTP/1.1 on a connection: keep-alive, pipelining, limits, timeouts, the web client, discovery, health. */
#include "http_fixture.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/http/websocket.h"

#define HOST "Host: example.org\r\n"

TEST(serves_the_page_with_its_policies)
{
	struct web w;
	struct reply r;

	web_init(&w);
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(r.status, 200);
	assert_field(&r, "content-type", "text/html; charset=utf-8");
	assert_field(&r, "x-content-type-options", "nosniff");
	assert_field(&r, "cache-control", "no-cache");
	assert_field(&r, "vary", "Accept-Encoding");
	assert_null(reply_field(&r, "content-encoding").p);
	assert_true(str_starts(reply_field(&r, "content-security-policy"),
		STR("default-src 'self'; script-src 'self'")));
	assert_null(reply_field(&r, "strict-transport-security").p);
	assert_non_null(memmem(r.body.p, r.body.n, "<title>", 7));
	web_fini(&w);
}

TEST(answers_304_for_the_tag_it_gave)
{
	struct web w;
	struct reply r;
	char tag[100];

	web_init(&w);
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "\r\n");
	snprintf(tag, sizeof(tag), "%.*s", STR_ARG(reply_field(&r, "etag")));
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "If-None-Match: \"x\", %s\r\n\r\n", tag);
	assert_int_equal(r.status, 304);
	assert_int_equal(r.body.n, 0);
	assert_field(&r, "etag", tag);
	assert_null(reply_field(&r, "content-length").p);
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "If-None-Match: \"other\"\r\n\r\n");
	assert_int_equal(r.status, 200);
	web_fini(&w);
}

TEST(compresses_for_those_who_ask_each_form_with_its_own_tag)
{
	struct web w;
	struct reply r;
	char plain[100];

	web_init(&w);
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "\r\n");
	snprintf(plain, sizeof(plain), "%.*s", STR_ARG(reply_field(&r, "etag")));
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n");
	assert_int_equal(r.status, 200);
	assert_field(&r, "content-encoding", "gzip");
	assert_memory_equal(r.body.p, "\x1f\x8b", 2);
	assert_false(str_is(reply_field(&r, "etag"), plain));
	/* The tag of another form is no reason to leave the body out. */
	r = web_ask(&w,
		"GET / HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n\r\n",
		plain);
	assert_int_equal(r.status, 200);
	web_fini(&w);
}

TEST(answers_head_with_the_length_and_no_body)
{
	struct web w;
	struct peer p;
	struct reply r;
	char length[32];

	web_init(&w);
	r = web_ask(&w, "GET / HTTP/1.1\r\n" HOST "\r\n");
	snprintf(length, sizeof(length), "%zu", r.body.n);
	web_connect(&w, &p);
	web_send(&w, &p, "HEAD / HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n");
	r = web_reply(&w, &p, true);
	assert_int_equal(r.status, 200);
	assert_field(&r, "content-length", length);
	r = web_reply(&w, &p, false);
	assert_str(r.body, "ok\n");
	peer_fini(&p);
	web_fini(&w);
}

TEST(views_of_the_client_answer_with_the_page_and_nothing_else_does)
{
	static const char *const views[] = { "/setup", "/i/abc", "/c/bob@example.org",
		"/c/r@conference.example.org", "/settings" };
	static const struct {
		const char *path;
		int status;
	} others[] = {
		{ "/nothing.js", 404 },
		{ "/assets/nothing.css", 404 },
		{ "/../../etc/passwd", 400 },
		{ "/%2e%2e/%2e%2e/etc/passwd", 400 },
		{ "/..%2f..%2fetc%2fpasswd", 400 },
		{ "/a%00b", 400 },
		{ "/api/v1/nothing", 404 },
		{ "/api/", 404 },
	};
	struct web w;
	struct reply r;

	web_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(views); i++) {
		r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", views[i]);
		assert_int_equal(r.status, 200);
		assert_field(&r, "content-type", "text/html; charset=utf-8");
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", others[i].path);
		if (r.status != others[i].status)
			print_error("%s: %d\n", others[i].path, r.status);
		assert_int_equal(r.status, others[i].status);
	}
	web_fini(&w);
}

TEST(pipelined_requests_are_answered_in_order)
{
	struct web w;
	struct peer p;

	web_init(&w);
	web_connect(&w, &p);
	/* The second one is answered later (it asks the store); the third waits behind it. */
	web_send(&w, &p,
		"GET /healthz HTTP/1.1\r\n" HOST "\r\nGET /api/v1/server HTTP/1.1\r\n" HOST
		"\r\nGET /readyz HTTP/1.1\r\n" HOST
		"Connection: close\r\n\r\nGET /never HTTP/1.1\r\n" HOST "\r\n");
	assert_str(web_reply(&w, &p, false).body, "ok\n");
	assert_true(str_starts(web_reply(&w, &p, false).body, STR("{\"domain\":\"example.org\"")));
	assert_str(web_reply(&w, &p, false).body, "ready\n");
	assert_int_equal(web_reply(&w, &p, false).status, 0);
	assert_int_equal(p.end, 1);
	peer_fini(&p);
	web_fini(&w);
}

TEST(a_peer_that_pipelines_without_reading_is_held_back)
{
	struct web w;
	struct peer p;
	struct buf many = { 0 };
	int answered = 0;

	web_init(&w);
	web_connect(&w, &p);
	for (int i = 0; i < 4000; i++)
		buf_puts(&many, "GET / HTTP/1.1\r\n" HOST "\r\n");
	/* More answers than CONN_OUT_MAX holds, if they were all made at once. */
	peer_send(&w.net, &p, buf_view(&many));
	while (web_reply(&w, &p, false).status == 200)
		if (++answered == 4000)
			break;
	assert_int_equal(answered, 4000);
	buf_free(&many);
	peer_fini(&p);
	web_fini(&w);
}

TEST(any_split_of_a_request_gives_the_same_answer)
{
	static const char request[] =
		"POST /api/v1/register HTTP/1.1\r\n" HOST
		"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
	struct web w;

	web_init(&w);
	w.cfg.limits = false;
	http_configure(w.shard, &w.cfg);
	for (size_t at = 1; at < sizeof(request) - 1; at++) {
		struct peer p;

		web_connect(&w, &p);
		peer_send(&w.net, &p, (struct str){ request, at });
		net_turn(&w.net);
		peer_send(&w.net, &p, (struct str){ request + at, sizeof(request) - 1 - at });
		assert_int_equal(web_reply(&w, &p, false).status, 403);
		peer_fini(&p);
	}
	web_fini(&w);
}

TEST(framing_abuse_is_refused_and_ends_the_connection)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\nHost: x\n\n", 400 },
		{ "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "POST /api/v1/setup HTTP/1.1\r\n" HOST
		  "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
			400 },
		{ "POST /api/v1/setup HTTP/1.1\r\n" HOST
		  "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			400 },
		{ "POST /api/v1/setup HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\n", 415 },
		{ "POST /api/v1/setup HTTP/1.1\r\n" HOST
		  "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
			413 },
		{ "\x16\x03\x01\x02", 400 },
	};
	struct web w;

	web_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer p;
		struct reply r;

		web_connect(&w, &p);
		peer_send(&w.net, &p, str_of(rows[i].request));
		r = web_reply(&w, &p, false);
		if (r.status != rows[i].status)
			print_error("row %zu: %d\n", i, r.status);
		assert_int_equal(r.status, rows[i].status);
		assert_field(&r, "connection", "close");
		peer_want_end(&w.net, &p);
		assert_int_equal(p.end, 1);
		peer_fini(&p);
		web_turn(&w);
	}
	web_fini(&w);
}

TEST(a_head_that_never_ends_is_answered_431_and_a_slow_one_408)
{
	struct web w;
	struct peer p;
	struct buf long_head = { 0 };

	web_init(&w);
	buf_puts(&long_head, "GET / HTTP/1.1\r\n" HOST);
	while (long_head.n < 20000)
		buf_puts(&long_head,
			"X-Filler: "
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xx\r\n");
	web_connect(&w, &p);
	peer_send(&w.net, &p, buf_view(&long_head));
	assert_int_equal(web_reply(&w, &p, false).status, 431);
	peer_fini(&p);
	buf_free(&long_head);
	web_connect(&w, &p);
	web_send(&w, &p, "GET / HT");
	net_turn(&w.net);
	for (int i = 0; i < 14; i++) {
		net_skip(&w.net, 1000);
		web_send(&w, &p, "T"); /* dripping does not help */
	}
	net_skip(&w.net, 2000);
	assert_int_equal(web_reply(&w, &p, false).status, 408);
	peer_fini(&p);
	web_fini(&w);
}

TEST(a_silent_connection_is_closed_after_a_while)
{
	struct web w;
	struct peer p;

	web_init(&w);
	web_connect(&w, &p);
	web_send(&w, &p, "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(web_reply(&w, &p, false).status, 200);
	net_skip(&w.net, HTTP_KEEP_ALIVE_MS - 1000);
	peer_read(&p);
	assert_int_equal(p.end, 0);
	net_skip(&w.net, 1000);
	peer_want_end(&w.net, &p);
	assert_int_equal(p.end, 1);
	peer_fini(&p);
	web_fini(&w);
}

TEST(a_body_that_never_comes_is_answered_408)
{
	struct web w;
	struct peer p;

	web_init(&w);
	web_connect(&w, &p);
	web_send(&w, &p,
		"POST /api/v1/setup HTTP/1.1\r\n" HOST
		"Content-Type: application/json\r\nContent-Length: 100\r\nExpect: "
		"100-continue\r\n\r\n");
	assert_int_equal(web_reply(&w, &p, true).status, 100);
	web_send(&w, &p, "{");
	net_turn(&w.net);
	net_skip(&w.net, HTTP_BODY_MS);
	assert_int_equal(web_reply(&w, &p, false).status, 408);
	peer_fini(&p);
	web_fini(&w);
}

TEST(names_the_methods_that_a_path_has)
{
	struct web w;
	struct reply r;

	web_init(&w);
	r = web_ask(&w, "DELETE /healthz HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(r.status, 405);
	assert_field(&r, "allow", "GET, HEAD");
	r = web_ask(&w,
		"OPTIONS /upload/x/y HTTP/1.1\r\n" HOST "Origin: https://other.example\r\n"
		"Access-Control-Request-Method: PUT\r\n\r\n");
	assert_int_equal(r.status, 204);
	assert_field(&r, "access-control-allow-origin", "*");
	r = web_ask(&w, "OPTIONS /api/v1/setup HTTP/1.1\r\n" HOST "\r\n");
	assert_int_equal(r.status, 405);
	assert_null(reply_field(&r, "access-control-allow-origin").p);
	web_fini(&w);
}

TEST(tells_where_the_websocket_is)
{
	struct web w;
	struct reply r;

	web_init(&w);
	r = web_ask(&w, "GET /.well-known/host-meta.json HTTP/1.1\r\n" HOST "\r\n");
	assert_str(r.body,
		"{\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","
		"\"href\":\"wss://example.org:8443/xmpp-websocket\"}]}");
	assert_field(&r, "access-control-allow-origin", "*");
	r = web_ask(&w, "GET /.well-known/host-meta HTTP/1.1\r\n" HOST "\r\n");
	assert_field(&r, "content-type", "application/xrd+xml; charset=utf-8");
	assert_non_null(
		memmem(r.body.p, r.body.n, "href='wss://example.org:8443/xmpp-websocket'", 44));
	web_fini(&w);
}

static bool ready;

static bool is_ready(void)
{
	return ready;
}

TEST(tells_supervisors_and_monitoring)
{
	struct web w;
	struct reply r;

	web_init(&w);
	w.cfg.is_ready = is_ready;
	http_configure(w.shard, &w.cfg);
	ready = false;
	assert_int_equal(web_ask(&w, "GET /readyz HTTP/1.1\r\n" HOST "\r\n").status, 503);
	ready = true;
	assert_int_equal(web_ask(&w, "GET /readyz HTTP/1.1\r\n" HOST "\r\n").status, 200);
	r = web_ask(&w, "GET /metrics HTTP/1.1\r\n" HOST "\r\n");
	assert_field(&r, "content-type", "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(memmem(r.body.p, r.body.n, "anser_http_requests_total", 25));
	web_fini(&w);
}

/* A stand-in for the XMPP side: echoes whole messages with the bytes it got at the hand-over. */
static struct buf ws_in;

static void ws_data(struct conn *c, struct str bytes)
{
	buf_str(&ws_in, bytes);
}

static void ws_closed(struct conn *c, int err)
{
}

static const struct conn_handler ws_handler = { .on_data = ws_data, .on_close = ws_closed };
static struct conn *ws_conn;

static int on_websocket(
	struct shard *s, struct conn *c, const struct http_request *req, struct str early)
{
	int rc = ws_accept(conn_out(c), req, "xmpp");

	if (rc)
		return rc;
	conn_dirty(c);
	conn_handler_set(c, &ws_handler, NULL);
	ws_conn = c;
	buf_str(&ws_in, early);
	return 0;
}

TEST(hands_websockets_over_with_the_bytes_behind_the_request)
{
	struct web w;
	struct peer p;
	struct reply r;

	web_init(&w);
	w.cfg.on_websocket = on_websocket;
	http_configure(w.shard, &w.cfg);
	r = web_ask(&w, "GET /xmpp-websocket HTTP/1.1\r\n" HOST "\r\n");
	assert_true(r.status == 400 || r.status == 426);
	web_connect(&w, &p);
	web_send(&w, &p,
		"GET /xmpp-websocket HTTP/1.1\r\n" HOST
		"Connection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Sec-WebSocket-Protocol: xmpp\r\n\r\nearly ");
	r = web_reply(&w, &p, true);
	assert_int_equal(r.status, 101);
	assert_field(&r, "sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	web_send(&w, &p, "and late");
	for (int i = 0; i < 3; i++)
		net_turn(&w.net);
	assert_str(buf_view(&ws_in), "early and late");
	conn_abort(ws_conn);
	buf_free(&ws_in);
	peer_fini(&p);
	web_fini(&w);
}

UNIT_MAIN(cmocka_unit_test(serves_the_page_with_its_policies),
	cmocka_unit_test(answers_304_for_the_tag_it_gave),
	cmocka_unit_test(compresses_for_those_who_ask_each_form_with_its_own_tag),
	cmocka_unit_test(answers_head_with_the_length_and_no_body),
	cmocka_unit_test(views_of_the_client_answer_with_the_page_and_nothing_else_does),
	cmocka_unit_test(pipelined_requests_are_answered_in_order),
	cmocka_unit_test(a_peer_that_pipelines_without_reading_is_held_back),
	cmocka_unit_test(any_split_of_a_request_gives_the_same_answer),
	cmocka_unit_test(framing_abuse_is_refused_and_ends_the_connection),
	cmocka_unit_test(a_head_that_never_ends_is_answered_431_and_a_slow_one_408),
	cmocka_unit_test(a_silent_connection_is_closed_after_a_while),
	cmocka_unit_test(a_body_that_never_comes_is_answered_408),
	cmocka_unit_test(names_the_methods_that_a_path_has),
	cmocka_unit_test(tells_where_the_websocket_is),
	cmocka_unit_test(tells_supervisors_and_monitoring),
	cmocka_unit_test(hands_websockets_over_with_the_bytes_behind_the_request));

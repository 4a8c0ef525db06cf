/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests of one connection (RFC 9112): events do not depend on how the bytes came; what is ambiguous is refused. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/http/http.h"

static const struct http_limits LIMITS = {
	.target_bytes = 40, .head_bytes = 200, .headers = 5, .body_bytes = 20
};

static void put_request(struct buf *out, const struct http_request *q)
{
	buf_printf(out, "[%.*s %.*s", STR_ARG(q->method_name), STR_ARG(q->path));
	if (q->query.p)
		buf_printf(out, "?%.*s", STR_ARG(q->query));
	buf_printf(out, " at %.*s", STR_ARG(q->host));
	for (const struct http_header *h = q->headers; h; h = h->next)
		buf_printf(out, " %.*s=%.*s", STR_ARG(h->name), STR_ARG(h->value));
	if (q->content_length)
		buf_printf(out, " length %d", (int)q->content_length);
	if (!q->keep_alive)
		buf_puts(out, " last");
	if (q->expect_continue)
		buf_puts(out, " waits");
	if (q->upgrade.p)
		buf_printf(out, " to %.*s", STR_ARG(q->upgrade));
	buf_puts(out, "]");
}

/* All events as text; pieces of a body are joined. */
static struct buf run(struct str text, size_t first, size_t step)
{
	struct http_reader *r = http_reader_new(&LIMITS);
	struct buf out = { 0 };
	struct http_event e = { 0 };
	bool in_body = false;

	for (size_t at = 0, n = first; at < text.n && e.kind != HTTP_EV_ERROR; at += n, n = step) {
		struct arena a;
		char *piece;

		n = n < text.n - at ? n : text.n - at;
		piece = malloc(n);
		memcpy(piece, text.p + at, n);
		arena_init(&a);
		http_reader_feed(r, (struct str){ piece, n });
		do {
			http_reader_next(r, &a, &e);
			if (e.kind != HTTP_EV_BODY && e.kind != HTTP_EV_NONE && in_body) {
				buf_puts(&out, ")");
				in_body = false;
			}
			if (e.kind == HTTP_EV_HEAD)
				put_request(&out, e.request);
			else if (e.kind == HTTP_EV_END)
				buf_puts(&out, ".");
			else if (e.kind == HTTP_EV_ERROR)
				buf_printf(&out, "!%d", e.status);
			if (e.kind != HTTP_EV_BODY)
				continue;
			buf_printf(&out, "%s%.*s", in_body ? "" : "(", STR_ARG(e.body));
			in_body = true;
		} while (e.kind != HTTP_EV_NONE && e.kind != HTTP_EV_ERROR);
		arena_fini(&a);
		free(piece);
	}
	http_reader_free(r);
	return out;
}

static void same_for_every_split(struct str text, const char *want)
{
	for (size_t first = 1; first <= text.n; first++) {
		for (size_t step = 1; step <= text.n; step += text.n > 1 ? text.n - 1 : 1) {
			struct buf out = run(text, first, step);

			if (!str_is(buf_view(&out), want))
				fail_msg("split %zu, %zu of %.*s: %.*s, not %s", first, step,
					(int)text.n, text.p, (int)out.n, out.p, want);
			buf_free(&out);
		}
	}
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct {
	const char *text, *want;
} good[] = {
	{ GET "\r\n", "[GET / at a host=a]." },
	{ "\r\n" GET "\r\n", "[GET / at a host=a]." },
	{ GET "\r\n" GET "\r\n", "[GET / at a host=a].[GET / at a host=a]." },
	{ "POST /p?q=1&r HTTP/1.1\r\nHOST:\t A.example:80 \r\nContent-Length: 5\r\n\r\nhello" GET
	  "\r\n",
		"[POST /p?q=1&r at a.example:80 host=A.example:80 content-length=5 length "
		"5](hello)."
		"[GET / at a host=a]." },
	{ "PUT /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	  "3\r\nabc\r\n000A;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n" GET "\r\n",
		"[PUT /p at a host=a transfer-encoding=Chunked length -1](abc0123456789)."
		"[GET / at a host=a]." },
	{ "PUT /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"[PUT /p at a host=a transfer-encoding=chunked length -1]." },
	{ GET "Connection: close\r\n\r\n" GET "\r\n",
		"[GET / at a host=a connection=close last]." },
	{ "GET / HTTP/1.0\r\n\r\nrest", "[GET / at  last]." },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
		"[GET / at  connection=keep-alive].[GET / at  last]." },
	{ "GET http://A/b?c HTTP/1.1\r\nHost: a\r\n\r\n", "[GET /b?c at a host=a]." },
	{ "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "[GET / at a host=a]." },
	{ "OPTIONS * HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n",
		"[OPTIONS * at [::1]:8443 host=[::1]:8443]." },
	{ "PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", "[PROPFIND / at a host=a]." },
	{ "GET //a///b/%E9%B8%BF%20/.c/..d/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"[GET /a/b/鸿 /.c/..d/ at a host=a]." },
	{ GET "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
		"[GET / at a host=a upgrade=websocket connection=keep-alive, Upgrade to "
		"websocket]." },
	{ GET "Upgrade: websocket\r\n\r\n", "[GET / at a host=a upgrade=websocket]." },
	{ "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
		"[PUT / at a host=a expect=100-Continue content-length=1 length 1 waits](x)." },
	{ GET "Empty:\r\nA: b: c\r\nA: \xff\r\n\r\n", "[GET / at a host=a empty= a=b: c a=\xff]." },
};

TEST(reads_good_requests_however_they_are_split)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		same_for_every_split(str_of(good[i].text), good[i].want);
}

static const struct {
	const char *text, *want;
} bad[] = {
	/* lines */
	{ "\r\n\r\n" GET "\r\n", "!400" },
	{ "GET / HTTP/1.1\nHost: a\n\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "!400" },
	{ GET " folded\r\n\r\n", "!400" },
	{ GET "A: b\r\n\tfolded\r\n\r\n", "!400" },
	{ GET "A : b\r\n\r\n", "!400" },
	{ GET ": b\r\n\r\n", "!400" },
	{ GET "A\r\n\r\n", "!400" },
	{ GET "A b: c\r\n\r\n", "!400" },
	{ GET "A(: c\r\n\r\n", "!400" },
	{ GET "A\xc3\xa4: c\r\n\r\n", "!400" },
	{ GET "A: \x01\r\n\r\n", "!400" },
	{ GET "A: \x7f\r\n\r\n", "!400" },
	/* request line */
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "!400" },
	{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /\r\n\r\n", "!400" },
	{ "GET\r\n\r\n", "!400" },
	{ "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "!400" },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "!505" },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505" },
	{ "FROB / HTTP/1.1\r\nHost: a\r\n\r\n", "!501" },
	{ "get / HTTP/1.1\r\nHost: a\r\n\r\n", "!501" },
	{ "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "!501" },
	{ "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "!501" },
	/* target */
	{ "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a/./b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a/%2E%2e/b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a//.. HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%0a HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%7f HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /% HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET http:///b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET http://u@a/b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	{ "GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "!400" },
	/* host */
	{ "GET / HTTP/1.1\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", "!400" },
	{ GET "Host: a\r\n\r\n", "!400" },
	{ "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: [x]\r\n\r\n", "!400" },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!400" },
	/* lengths */
	{ GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "!400" },
	{ GET "Content-Length: 1, 1\r\n\r\nx", "!400" },
	{ GET "Content-Length: +1\r\n\r\nx", "!400" },
	{ GET "Content-Length: -1\r\n\r\nx", "!400" },
	{ GET "Content-Length: 0x1\r\n\r\nx", "!400" },
	{ GET "Content-Length:\r\n\r\nx", "!400" },
	{ GET "Content-Length: 1 1\r\n\r\nx", "!400" },
	{ GET "Content-Length: 99999999999999999999999\r\n\r\nx", "!400" },
	{ GET "Content-Length: 9223372036854775808\r\n\r\nx", "!413" },
	{ GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "!400" },
	{ GET "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "!400" },
	{ GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "!400" },
	{ GET "Transfer-Encoding: chunked, chunked\r\n\r\n", "!400" },
	{ GET "Transfer-Encoding: gzip, chunked\r\n\r\n", "!400" },
	{ GET "Transfer-Encoding: gzip\r\n\r\n", "!501" },
	{ GET "Transfer-Encoding: xchunked\r\n\r\n", "!501" },
	{ GET "Transfer-Encoding:\r\n\r\n", "!501" },
	{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "!400" },
	{ GET "Expect: magic\r\n\r\n", "!417" },
	/* limits */
	{ "GET /0123456789012345678901234567890123456789 HTTP/1.1\r\nHost: a\r\n\r\n", "!414" },
	{ "GET "
	  "/012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
	  "789012345678907",
		"!414" },
	{ GET "A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", "!431" },
	{ GET "A: "
	      "012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
	      "4567890123456789"
	      "012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
	      "4567890123456789",
		"!431" },
	{ GET "Content-Length: 21\r\n\r\n", "[GET / at a host=a content-length=21 length 21]!413" },
};

TEST(refuses_bad_requests_however_they_are_split)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		same_for_every_split(str_of(bad[i].text), bad[i].want);
	same_for_every_split(STR("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), "!400");
	same_for_every_split(STR(GET "A: \0\r\n\r\n"), "!400");
}

#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_OUT "[POST / at a host=a transfer-encoding=chunked length -1]"

static const struct {
	const char *text, *want;
} bad_chunks[] = {
	{ "\r\n", "!400" },
	{ "x\r\n", "!400" },
	{ "-1\r\n", "!400" },
	{ "0x1\r\n", "!400" },
	{ " 1\r\n", "!400" },
	{ "1 \r\n", "!400" },
	{ "1\n", "!400" },
	{ "1\r\r\n", "!400" },
	{ "1;a\nb\r\n", "!400" },
	{ "1;a\rb\r\n", "!400" },
	{ "0000000000000001\r\n", "!400" },
	{ "fffffffffffffff\r\n", "!413" },
	{ "15\r\n", "!413" },
	{ "10\r\n0123456789abcdef\r\n5\r\n", "(0123456789abcdef)!413" },
	{ "1\r\nab\r\n", "(a)!400" },
	{ "1\r\na\n", "(a)!400" },
	{ "1\r\na\rb", "(a)!400" },
	{ "0\r\n: x\r\n\r\n", "!400" },
	{ "0\r\nA b: x\r\n\r\n", "!400" },
	{ "0\r\n folded\r\n\r\n", "!400" },
	{ "0\r\nA: x\n\r\n", "!400" },
	{ "0\r\n\rx", "!400" },
};

TEST(refuses_bad_chunks_however_they_are_split)
{
	struct arena a;

	arena_init(&a);
	for (size_t i = 0; i < sizeof(bad_chunks) / sizeof(bad_chunks[0]); i++)
		same_for_every_split(arena_printf(&a, CHUNKED "%s", bad_chunks[i].text),
			arena_printf(&a, CHUNKED_OUT "%s", bad_chunks[i].want).p);
	arena_fini(&a);
}

TEST(limits_chunk_extensions_and_trailers)
{
	struct buf text = { 0 }, out;

	buf_puts(&text, CHUNKED "1;");
	for (int i = 0; i < 5000; i++)
		buf_putc(&text, 'x');
	out = run(buf_view(&text), text.n, 1);
	assert_str(buf_view(&out), CHUNKED_OUT "!431");
	buf_free(&out);
	buf_free(&text);
}

TEST(gives_the_rest_to_the_new_protocol)
{
	struct http_reader *r = http_reader_new(&HTTP_LIMITS);
	struct http_event e;
	struct arena a;

	arena_init(&a);
	http_reader_feed(r, STR(GET "Upgrade: x\r\nConnection: upgrade\r\n\r\n\x81\x80"));
	http_reader_next(r, &a, &e);
	assert_int_equal(e.kind, HTTP_EV_HEAD);
	assert_str(http_reader_rest_input(r), "\x81\x80");
	http_reader_free(r);
	arena_fini(&a);
}

TEST(takes_another_limit_for_one_body)
{
	struct http_reader *r = http_reader_new(&LIMITS);
	struct http_event e;
	struct arena a;

	arena_init(&a);
	assert_true(http_reader_idle(r));
	http_reader_feed(r,
		STR(GET "Content-Length: 30\r\n\r\n012345678901234567890123456789" GET
			"Content-Length: 21\r\n\r\n"));
	http_reader_next(r, &a, &e);
	http_reader_body_limit(r, 30);
	http_reader_next(r, &a, &e);
	assert_int_equal(e.kind, HTTP_EV_BODY);
	assert_int_equal(e.body.n, 30);
	assert_false(http_reader_idle(r));
	http_reader_next(r, &a, &e);
	assert_int_equal(e.kind, HTTP_EV_END);
	http_reader_next(r, &a, &e);
	assert_int_equal(e.kind, HTTP_EV_HEAD);
	http_reader_next(r, &a, &e);
	assert_int_equal(e.status, 413);
	http_reader_next(r, &a, &e);
	assert_int_equal(e.status, 413);
	http_reader_free(r);
	arena_fini(&a);
}

UNIT_MAIN(cmocka_unit_test(reads_good_requests_however_they_are_split),
	cmocka_unit_test(refuses_bad_requests_however_they_are_split),
	cmocka_unit_test(refuses_bad_chunks_however_they_are_split),
	cmocka_unit_test(limits_chunk_extensions_and_trailers),
	cmocka_unit_test(gives_the_rest_to_the_new_protocol),
	cmocka_unit_test(takes_another_limit_for_one_body));

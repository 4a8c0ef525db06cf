/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTP: the first byte chooses how the rest is split; events must not depend on it. The path never leads out. */
#include <stdlib.h>

#include "base/must.h"
#include "base/utf8.h"
#include "proto/http/http.h"
#include "proto/http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits SMALL = {
	.target_bytes = 100, .head_bytes = 500, .headers = 8, .body_bytes = 100
};

static void check_path(struct str path)
{
	must(utf8_valid(path) && !memchr(path.p, 0, path.n));
	must(str_is(path, "*") || path.p[0] == '/');
	must(!memmem(path.p, path.n, "//", 2) && !memmem(path.p, path.n, "/../", 4));
	must(!str_ends(path, STR("/..")) && !str_ends(path, STR("/.")));
}

static void put_request(struct arena *a, struct buf *out, const struct http_request *q)
{
	uint64_t first, last;

	check_path(q->path);
	buf_printf(out, "[%.*s %.*s %.*s %.*s %d %d %d", STR_ARG(q->method_name), STR_ARG(q->path),
		STR_ARG(q->query), STR_ARG(q->host), (int)q->content_length, q->keep_alive,
		q->expect_continue);
	for (const struct http_header *h = q->headers; h; h = h->next) {
		must(!memchr(h->value.p, '\r', h->value.n) &&
			!memchr(h->value.p, '\n', h->value.n));
		buf_printf(out, " %.*s=%.*s", STR_ARG(h->name), STR_ARG(h->value));
	}
	buf_puts(out, "]");
	if (http_range(http_header_get(q, "range"), 1000, &first, &last) == 0)
		must(first <= last && last < 1000);
	http_encoding_choose(http_header_get(q, "accept-encoding"), HTTP_GZIP | HTTP_BROTLI);
	http_date_parse(http_header_get(q, "if-modified-since"), &first);
	http_form_get(a, q->query, "a");
	if (ws_accept(out, q, "xmpp") == 0)
		buf_puts(out, "^");
}

static struct buf run(struct str text, size_t step)
{
	struct http_reader *r = http_reader_new(&SMALL);
	struct http_event e = { .kind = HTTP_EV_NONE };
	struct buf out = { 0 };

	for (size_t at = 0; at < text.n && e.kind != HTTP_EV_ERROR; at += step) {
		size_t n = step < text.n - at ? step : text.n - at;
		char *piece = malloc(n);
		struct arena a;

		memcpy(piece, text.p + at, n);
		arena_init(&a);
		http_reader_feed(r, (struct str){ piece, n });
		do {
			http_reader_next(r, &a, &e);
			if (e.kind == HTTP_EV_HEAD)
				put_request(&a, &out, e.request);
			else if (e.kind == HTTP_EV_BODY)
				buf_str(&out, e.body);
			else if (e.kind != HTTP_EV_NONE)
				buf_printf(&out, "{%d %d}", e.kind, e.status);
		} while (e.kind != HTTP_EV_NONE && e.kind != HTTP_EV_ERROR);
		arena_fini(&a);
		free(piece);
	}
	http_reader_free(r);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, split;
	struct str text;

	if (size < 2)
		return 0;
	text = (struct str){ (const char *)data + 1, size - 1 };
	whole = run(text, text.n);
	split = run(text, 1 + data[0] % 64u);
	must(str_eq(buf_view(&whole), buf_view(&split)));
	buf_free(&whole);
	buf_free(&split);
	return 0;
}

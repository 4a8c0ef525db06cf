/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* WebSocket: the first byte chooses how the rest is split; events and answers must not depend on it. */
#include <stdlib.h>

#include "base/must.h"
#include "base/utf8.h"
#include "proto/http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 300 };

static struct buf run(struct str text, size_t step)
{
	struct ws_reader *w = ws_reader_new(MESSAGE_MAX);
	struct buf out = { 0 }, replies = { 0 };
	struct ws_event e = { .kind = WS_NONE };

	for (size_t at = 0; at < text.n && e.kind != WS_ERROR; at += step) {
		size_t n = step < text.n - at ? step : text.n - at;
		char *piece = malloc(n);
		struct arena a;

		memcpy(piece, text.p + at, n);
		arena_init(&a);
		ws_reader_feed(w, (struct str){ piece, n });
		do {
			ws_reader_next(w, &a, &replies, &e);
			if (e.kind == WS_NONE)
				continue;
			buf_printf(&out, "[%d %u ", e.kind, e.code);
			buf_str(&out, e.text);
			must(e.text.n <= MESSAGE_MAX && utf8_valid(e.text));
		} while (e.kind != WS_NONE && e.kind != WS_ERROR);
		arena_fini(&a);
		free(piece);
	}
	buf_str(&out, buf_view(&replies));
	buf_free(&replies);
	ws_reader_free(w);
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

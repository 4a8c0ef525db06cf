/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* WebSocket (RFC 6455): handshake, frames, limits, closing codes. */
#include "unit.h"

#include <stdlib.h>

#include "base/base64.h"
#include "proto/http/websocket.h"

enum { MESSAGE_MAX = 70000 };

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct http_request *request(const char *text)
{
	struct http_reader *r = http_reader_new(&HTTP_LIMITS);
	struct http_event e;

	http_reader_feed(r, str_of(text));
	http_reader_next(r, &arena, &e);
	assert_int_equal(e.kind, HTTP_EV_HEAD);
	http_reader_free(r);
	return e.request;
}

#define UPGRADE "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "Sec-WebSocket-Version: 13\r\n"

TEST(accepts_the_handshake_of_the_rfc)
{
	/* RFC 6455 §1.3 */
	struct http_request *q = request("GET /chat HTTP/1.1\r\n" UPGRADE KEY V13
					 "Sec-WebSocket-Protocol: chat, superchat\r\n\r\n");
	struct buf out = { 0 };

	assert_int_equal(ws_accept(&out, q, "chat"), 0);
	assert_str(buf_view(&out),
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: "
		"chat\r\n\r\n");
	out.n = 0;
	assert_int_equal(ws_accept(&out, q, NULL), 0);
	assert_null(memmem(out.p, out.n, "Protocol:", 9));
	buf_free(&out);
}

TEST(refuses_bad_handshakes)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" UPGRADE KEY V13 "\r\n", 400 }, /* no subprotocol */
		{ "GET / HTTP/1.1\r\n" UPGRADE KEY V13 "Sec-WebSocket-Protocol: xmpps\r\n\r\n",
			400 },
		{ "GET / HTTP/1.1\r\n" UPGRADE V13 "Sec-WebSocket-Protocol: xmpp\r\n\r\n", 400 },
		{ "GET / HTTP/1.1\r\n" UPGRADE V13 "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"
		  "Sec-WebSocket-Protocol: xmpp\r\n\r\n",
			400 },
		{ "GET / HTTP/1.1\r\n" UPGRADE KEY "Sec-WebSocket-Protocol: xmpp\r\n\r\n", 426 },
		{ "GET / HTTP/1.1\r\n" UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426 },
		{ "GET / HTTP/1.1\r\nHost: a\r\n" KEY V13 "\r\n", 426 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" KEY V13
		  "\r\n",
			426 },
		{ "POST / HTTP/1.1\r\n" UPGRADE KEY V13 "Sec-WebSocket-Protocol: xmpp\r\n\r\n",
			405 },
	};
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ws_accept(&out, request(cases[i].text), "xmpp"), cases[i].status);
		assert_int_equal(out.n, 0);
	}
}

/* A client's frame: masked, its first byte as given. */
static void put_frame(struct buf *out, unsigned first, struct str payload)
{
	static const unsigned char mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t n = payload.n;

	buf_putc(out, (char)first);
	if (n > 65535) {
		buf_putc(out, (char)0xff);
		for (int i = 7; i >= 0; i--)
			buf_putc(out, (char)((uint64_t)n >> 8 * i));
	} else if (n > 125) {
		buf_putc(out, (char)0xfe);
		buf_putc(out, (char)(n >> 8));
		buf_putc(out, (char)n);
	} else {
		buf_putc(out, (char)(0x80 | n));
	}
	buf_put(out, mask, 4);
	for (size_t i = 0; i < n; i++)
		buf_putc(out, (char)(payload.p[i] ^ mask[i % 4]));
}

/* All events as text; long messages by their length. */
static struct buf run(struct str text, size_t first, size_t step)
{
	static const char *const names[] = { "", "message", "ping", "pong", "close", "error" };
	struct ws_reader *w = ws_reader_new(MESSAGE_MAX);
	struct buf out = { 0 }, replies = { 0 };
	struct ws_event e = { 0 };

	for (size_t at = 0, n = first; at < text.n && e.kind != WS_ERROR; at += n, n = step) {
		struct arena a;
		char *piece;

		n = n < text.n - at ? n : text.n - at;
		piece = malloc(n);
		memcpy(piece, text.p + at, n);
		arena_init(&a);
		ws_reader_feed(w, (struct str){ piece, n });
		do {
			ws_reader_next(w, &a, &replies, &e);
			if (e.kind != WS_NONE)
				buf_printf(&out, "[%s", names[e.kind]);
			if (e.kind == WS_MESSAGE && e.text.n <= 100)
				buf_printf(&out, " %.*s", STR_ARG(e.text));
			else if (e.kind == WS_MESSAGE)
				buf_printf(&out, " %zu", e.text.n);
			else if (e.kind >= WS_CLOSE)
				buf_printf(&out, " %u", e.code);
			if (e.kind != WS_NONE)
				buf_puts(&out, "]");
		} while (e.kind != WS_NONE && e.kind != WS_ERROR);
		arena_fini(&a);
		free(piece);
	}
	buf_puts(&out, "<");
	buf_str(&out, hex_encode(&arena, buf_view(&replies)));
	buf_free(&replies);
	ws_reader_free(w);
	return out;
}

static void same_for_every_split(struct buf *text, const char *want)
{
	bool big = text->n > 1000;

	for (size_t first = 1; first <= text->n; first += big ? 49999 : 1) {
		struct buf out = run(buf_view(text), first, first % 2 ? text->n : big ? 77 : 1);

		if (!str_is(buf_view(&out), want))
			fail_msg("split %zu: %.*s, not %s", first, (int)out.n, out.p, want);
		buf_free(&out);
	}
	buf_free(text);
}

TEST(reads_the_frames_of_the_rfc)
{
	/* RFC 6455 §5.7: a masked "Hello", and a masked ping with the same body; the answer is its pong */
	struct str hello = unit_hex(&arena, "8185 37fa213d 7f9f4d5158 8985 37fa213d 7f9f4d5158");
	struct buf text = { 0 };

	buf_str(&text, hello);
	same_for_every_split(&text, "[message Hello][ping]<8a0548656c6c6f");
}

TEST(joins_fragments_around_control_frames)
{
	struct buf text = { 0 };

	put_frame(&text, 0x01, STR("鸿\xe9"));
	put_frame(&text, 0x89, STR(""));
	put_frame(&text, 0x00, STR(""));
	put_frame(&text, 0x8a, STR("x"));
	put_frame(&text, 0x80, STR("\x9b\x81"));
	put_frame(&text, 0x81, STR(""));
	same_for_every_split(&text, "[ping][pong][message 鸿雁][message ]<8a00");
}

TEST(takes_messages_up_to_the_limit)
{
	static char big[MESSAGE_MAX + 1];
	struct buf text = { 0 };

	memset(big, 'a', sizeof(big));
	put_frame(&text, 0x81, (struct str){ big, 126 });
	put_frame(&text, 0x81, (struct str){ big, 65535 });
	put_frame(&text, 0x81, (struct str){ big, 65536 });
	put_frame(&text, 0x01, (struct str){ big, 30000 });
	put_frame(&text, 0x80, (struct str){ big, 40000 });
	put_frame(&text, 0x81, (struct str){ big, MESSAGE_MAX });
	put_frame(&text, 0x81, (struct str){ big, MESSAGE_MAX + 1 });
	same_for_every_split(&text,
		"[message 126][message 65535][message 65536][message 70000][message 70000][error "
		"1009]<");
	put_frame(&text, 0x01, (struct str){ big, 30000 });
	put_frame(&text, 0x80, (struct str){ big, 40001 });
	same_for_every_split(&text, "[error 1009]<");
}

TEST(refuses_bad_frames)
{
	static const struct {
		const char *hex, *want;
	} cases[] = {
		{ "810548656c6c6f", "[error 1002]<" }, /* not masked */
		{ "c185 00000000 4141414141", "[error 1002]<" }, /* reserved bits */
		{ "a185 00000000 4141414141", "[error 1002]<" },
		{ "9185 00000000 4141414141", "[error 1002]<" },
		{ "8381 00000000 41", "[error 1002]<" }, /* reserved opcodes */
		{ "8b81 00000000 41", "[error 1002]<" },
		{ "8f81 00000000 41", "[error 1002]<" },
		{ "8081 00000000 41", "[error 1002]<" }, /* continues nothing */
		{ "0181 00000000 41 8181 00000000 42",
			"[error 1002]<" }, /* begins inside a message */
		{ "8281 00000000 41", "[error 1003]<" }, /* binary */
		{ "0981 00000000 41", "[error 1002]<" }, /* fragmented ping */
		{ "89fe 007e 00000000 41", "[error 1002]<" }, /* long ping */
		{ "81fe 007d 00000000 41", "[error 1002]<" }, /* length not the shortest */
		{ "81ff 000000000000ffff 00000000 41", "[error 1002]<" },
		{ "81ff 8000000000000000 00000000 41", "[error 1002]<" },
		{ "81ff 7fffffffffffffff 00000000 41", "[error 1009]<" },
		{ "8182 00000000 c328", "[error 1007]<" }, /* bad UTF-8 */
		{ "8183 00000000 eda080", "[error 1007]<" },
		{ "8181 00000000 c3", "[error 1007]<" },
		{ "8880 00000000", "[close 1005]<" },
		{ "8882 00000000 03e8", "[close 1000]<" },
		{ "8885 00000000 0fa0 616263", "[close 4000]<" },
		{ "8882 00000000 03e8 8181 00000000 41",
			"[close 1000]<" }, /* nothing is read behind it */
		{ "8881 00000000 03", "[error 1002]<" },
		{ "8882 00000000 03ed", "[error 1002]<" }, /* 1005 is never sent */
		{ "8882 00000000 03ee", "[error 1002]<" },
		{ "8882 00000000 0000", "[error 1002]<" },
		{ "8882 00000000 1388", "[error 1002]<" },
		{ "8883 00000000 03e8 ff", "[error 1007]<" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = { 0 };

		buf_str(&text, unit_hex(&arena, cases[i].hex));
		same_for_every_split(&text, cases[i].want);
	}
}

TEST(knows_whether_a_message_is_unfinished)
{
	struct ws_reader *w = ws_reader_new(100);
	struct buf text = { 0 }, replies = { 0 };
	struct ws_event e;

	put_frame(&text, 0x01, STR("ab"));
	put_frame(&text, 0x80, STR("cd"));
	for (size_t i = 0; i < text.n; i++) {
		ws_reader_feed(w, (struct str){ text.p + i, 1 });
		ws_reader_next(w, &arena, &replies, &e);
		assert_int_equal(e.kind, i + 1 == text.n ? WS_MESSAGE : WS_NONE);
		if (e.kind)
			ws_reader_next(w, &arena, &replies, &e);
		assert_int_equal(ws_reader_partial(w), i + 1 < text.n);
	}
	buf_free(&text);
	ws_reader_free(w);
}

TEST(writes_frames)
{
	static char big[70000];
	struct buf out = { 0 };

	ws_write_text(&out, STR("<a>"), STR("</a>"));
	ws_write_ping(&out);
	ws_write_close(&out, WS_NORMAL);
	ws_write_close(&out, WS_NO_STATUS);
	assert_str(hex_encode(&arena, buf_view(&out)), "81073c613e3c2f613e8900880203e88800");
	out.n = 0;
	ws_write_text(&out, STR_NONE, (struct str){ big, 126 });
	assert_memory_equal(out.p, "\x81\x7e\x00\x7e", 4);
	assert_int_equal(out.n, 130);
	out.n = 0;
	ws_write_text(&out, (struct str){ big, 100 }, (struct str){ big, 65436 });
	assert_memory_equal(out.p, "\x81\x7f\0\0\0\0\0\x01\0\0", 10);
	assert_int_equal(out.n, 65546);
	buf_free(&out);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(accepts_the_handshake_of_the_rfc), CASE(refuses_bad_handshakes),
	CASE(reads_the_frames_of_the_rfc), CASE(joins_fragments_around_control_frames),
	CASE(takes_messages_up_to_the_limit), CASE(refuses_bad_frames),
	CASE(knows_whether_a_message_is_unfinished), CASE(writes_frames));

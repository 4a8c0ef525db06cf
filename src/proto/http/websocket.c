/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* WebSocket, the server's side (RFC 6455). wslay reads frames; messages, limits and closing codes are ours. */
#include "proto/http/websocket.h"

#include <errno.h>
#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "crypto/hash.h"

enum {
	CONTROL_MAX = 125, /* RFC 6455 §5.5 */
	KEY_BYTES = 16,
	SHA1_BYTES = 20,
	FIN = 0x80,
};

/* RFC 6455 §4.2.2: the answer proves that the key was read as a WebSocket key. */
static struct str accept_value(struct arena *a, struct str key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t digest[SHA1_BYTES];

	hash(HASH_SHA1, arena_printf(a, "%.*s%s", STR_ARG(key), guid), digest);
	return base64_encode(a, (struct str){ (const char *)digest, sizeof(digest) });
}

static int check_upgrade(struct arena *a, const struct http_request *req, const char *protocol)
{
	struct str bytes;

	if (req->method != HTTP_M_GET)
		return 405;
	if (!http_list_has(req->upgrade, "websocket") ||
		!str_is(http_header_get(req, "sec-websocket-version"), "13"))
		return 426;
	if (base64_decode(a, http_header_get(req, "sec-websocket-key"), &bytes) != 0 ||
		bytes.n != KEY_BYTES)
		return 400;
	if (!protocol)
		return 0;
	for (const struct http_header *h = req->headers; h; h = h->next)
		if (str_is(h->name, "sec-websocket-protocol") && http_list_has(h->value, protocol))
			return 0;
	return 400;
}

int ws_accept(struct buf *out, const struct http_request *req, const char *protocol)
{
	struct arena a;
	int status;

	arena_init(&a);
	status = check_upgrade(&a, req, protocol);
	if (!status) {
		const struct http_field fields[] = {
			{ "Upgrade", STR("websocket") },
			{ "Connection", STR("Upgrade") },
			{ "Sec-WebSocket-Accept",
				accept_value(&a, http_header_get(req, "sec-websocket-key")) },
			{ "Sec-WebSocket-Protocol", str_of(protocol) },
			{ 0 },
		};

		http_write_head(out, 101, fields);
	}
	arena_fini(&a);
	return status;
}

struct ws_reader {
	wslay_frame_context_ptr frames; /* 4 KiB; NULL between frames when all input is read */
	struct str in;
	char *kept; /* our copy of in, see ws_reader_keep_input */
	uint64_t held; /* bytes that wslay took and that belong to no finished frame */
	struct buf message; /* of unfinished fragments or of an unfinished frame */
	uint64_t left; /* of the current frame's payload */
	size_t message_max;
	uint8_t control[CONTROL_MAX];
	uint8_t control_n;
	uint8_t opcode; /* of the current frame */
	bool fin;
	bool in_frame;
	bool in_message; /* fragments came, the last one did not */
	bool dead;
	bool closed; /* by the peer's close frame: dead without an error */
	unsigned code;
};

struct ws_reader *ws_reader_new(size_t message_max)
{
	struct ws_reader *w = mem_zalloc(sizeof(*w));

	w->message_max = message_max;
	return w;
}

static void drop_frames(struct ws_reader *w)
{
	if (w->frames)
		wslay_frame_context_free(w->frames);
	w->frames = NULL;
}

void ws_reader_free(struct ws_reader *w)
{
	if (!w)
		return;
	drop_frames(w);
	buf_free(&w->message);
	free(w->kept);
	free(w);
}

void ws_reader_feed(struct ws_reader *w, struct str bytes)
{
	must(!w->in.n);
	free(w->kept);
	w->kept = NULL;
	if (!w->dead)
		w->in = bytes;
}

void ws_reader_keep_input(struct ws_reader *w)
{
	char *copy = w->in.n ? mem_dup(w->in.p, w->in.n) : NULL;

	free(w->kept);
	w->kept = copy;
	w->in.p = copy;
}

bool ws_reader_partial(const struct ws_reader *w)
{
	return w->held || w->in_frame || w->in_message;
}

static ssize_t on_recv(uint8_t *p, size_t n, int flags, void *user)
{
	struct ws_reader *w = user;

	(void)flags;
	n = n < w->in.n ? n : w->in.n;
	if (!n)
		return -1;
	memcpy(p, w->in.p, n);
	w->in.p += n;
	w->in.n -= n;
	w->held += n;
	return (ssize_t)n;
}

static void fail(struct ws_reader *w, unsigned code, struct ws_event *out)
{
	*out = (struct ws_event){ .kind = WS_ERROR, .code = code };
	w->code = code;
	w->dead = true;
	w->in = STR_NONE;
	drop_frames(w);
	buf_free(&w->message);
}

/* RFC 6455 §5.2 length of the header as the sender had to write it. */
static size_t header_bytes(const struct wslay_frame_iocb *f)
{
	return 2 + 4 +
		(f->payload_length > 0xffff			  ? 8u
				: f->payload_length > CONTROL_MAX ? 2u
								  : 0u);
}

/* Returns 0, or the code to close with. */
static unsigned begin_frame(struct ws_reader *w, const struct wslay_frame_iocb *f)
{
	bool control = wslay_is_ctrl_frame(f->opcode);

	/* §5.1: a client must mask; §5.2: no extension was agreed that would use the reserved bits. */
	if (!f->mask || f->rsv || f->opcode > WSLAY_PONG ||
		(f->opcode > WSLAY_BINARY_FRAME && !control))
		return WS_PROTOCOL_ERROR;
	/* §5.4: a message's fragments follow each other, with control frames between them only. */
	if (!control && w->in_message != (f->opcode == WSLAY_CONTINUATION_FRAME))
		return WS_PROTOCOL_ERROR;
	if (f->opcode == WSLAY_BINARY_FRAME)
		return WS_UNSUPPORTED;
	if (!control && f->payload_length > w->message_max - w->message.n)
		return WS_TOO_BIG;
	w->in_frame = true;
	w->opcode = f->opcode;
	w->fin = f->fin;
	w->left = f->payload_length;
	w->control_n = 0;
	w->held -= header_bytes(f);
	return 0;
}

static void put_header(struct buf *out, uint8_t opcode, size_t n)
{
	uint8_t head[10] = { FIN | opcode, (uint8_t)n };
	size_t more = n > 0xffff ? 8 : n > CONTROL_MAX ? 2 : 0;

	if (more)
		head[1] = more == 8 ? 127 : 126;
	for (size_t i = 0; i < more; i++)
		head[2 + i] = (uint8_t)((uint64_t)n >> 8 * (more - 1 - i));
	buf_put(out, head, 2 + more);
}

/* RFC 6455 §7.4: codes that may stand in a close frame. */
static bool may_be_sent(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
		(code >= 3000 && code <= 4999);
}

static void end_close(struct ws_reader *w, struct ws_event *out)
{
	unsigned code = WS_NO_STATUS;

	if (w->control_n) {
		code = w->control_n < 2 ? 0 : (unsigned)(w->control[0] << 8 | w->control[1]);
		if (!may_be_sent(code)) {
			fail(w, WS_PROTOCOL_ERROR, out);
			return;
		}
		if (!utf8_valid((struct str){ (char *)w->control + 2, w->control_n - 2u })) {
			fail(w, WS_BAD_DATA, out);
			return;
		}
	}
	fail(w, code, out); /* nothing is read behind a close frame */
	w->closed = true;
	out->kind = WS_CLOSE;
}

static void end_message(struct ws_reader *w, struct arena *a, struct ws_event *out)
{
	w->in_message = !w->fin;
	if (!w->fin)
		return;
	if (!utf8_valid(buf_view(&w->message))) {
		fail(w, WS_BAD_DATA, out);
		return;
	}
	*out = (struct ws_event){ .kind = WS_MESSAGE, .text = arena_str(a, buf_view(&w->message)) };
	w->message.n = 0;
}

static void end_frame(
	struct ws_reader *w, struct arena *a, struct buf *replies, struct ws_event *out)
{
	w->in_frame = false;
	switch (w->opcode) {
	case WSLAY_PING:
		put_header(replies, WSLAY_PONG, w->control_n);
		buf_put(replies, w->control, w->control_n);
		out->kind = WS_PING;
		break;
	case WSLAY_PONG: out->kind = WS_PONG; break;
	case WSLAY_CONNECTION_CLOSE: end_close(w, out); break;
	default: end_message(w, a, out);
	}
}

static void take_payload(struct ws_reader *w, const struct wslay_frame_iocb *f)
{
	if (wslay_is_ctrl_frame(w->opcode)) {
		must(f->data_length <= sizeof(w->control) - w->control_n);
		memcpy(w->control + w->control_n, f->data, f->data_length);
		w->control_n = (uint8_t)(w->control_n + f->data_length);
	} else {
		buf_put(&w->message, f->data, f->data_length);
	}
	w->left -= f->data_length;
	w->held -= f->data_length;
}

/* All input is read: between frames nothing is worth keeping. */
static void rest(struct ws_reader *w)
{
	free(w->kept);
	w->kept = NULL;
	w->in = STR_NONE;
	if (w->held || w->in_frame)
		return;
	drop_frames(w);
	if (!w->in_message)
		buf_free(&w->message);
}

void ws_reader_next(struct ws_reader *w, struct arena *a, struct buf *replies, struct ws_event *out)
{
	static const struct wslay_frame_callbacks callbacks = { .recv_callback = on_recv };
	struct wslay_frame_iocb f = { 0 };
	unsigned code;

	*out = (struct ws_event){ .kind = WS_NONE };
	if (w->dead) {
		*out = (struct ws_event){ .kind = w->closed ? WS_NONE : WS_ERROR, .code = w->code };
		return;
	}
	if (!w->frames && !w->in.n)
		return;
	if (!w->frames)
		must(wslay_frame_context_init(&w->frames, &callbacks, w) == 0);
	while (out->kind == WS_NONE) {
		ssize_t n = wslay_frame_recv(w->frames, &f);

		if (n == WSLAY_ERR_WANT_READ) {
			rest(w);
			return;
		}
		code = n < 0 ? (unsigned)WS_PROTOCOL_ERROR : w->in_frame ? 0 : begin_frame(w, &f);
		if (code) {
			fail(w, code, out);
			return;
		}
		take_payload(w, &f);
		if (!w->left)
			end_frame(w, a, replies, out);
	}
}

void ws_write_text(struct buf *out, struct str head, struct str body)
{
	put_header(out, WSLAY_TEXT_FRAME, head.n + body.n);
	buf_str(out, head);
	buf_str(out, body);
}

void ws_write_close(struct buf *out, unsigned code)
{
	bool sent = may_be_sent(code);

	put_header(out, WSLAY_CONNECTION_CLOSE, sent ? 2 : 0);
	if (sent) {
		buf_putc(out, (char)(code >> 8));
		buf_putc(out, (char)code);
	}
}

void ws_write_ping(struct buf *out)
{
	put_header(out, WSLAY_PING, 0);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* WebSocket, the server's side: RFC 6455, on wslay's frames. Sans-I/O, events are pulled. No extensions.
 * Only text messages, whole and within a limit. Between frames a reader owns no buffer. */
#ifndef PROTO_HTTP_WEBSOCKET_H
#define PROTO_HTTP_WEBSOCKET_H

#include "proto/http/http.h"

enum ws_code {
	WS_NORMAL = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL_ERROR = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_STATUS = 1005, /* never on the wire: the peer's close frame had none */
	WS_BAD_DATA = 1007,
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_INTERNAL = 1011,
};

/* Checks an upgrade request (RFC 6455 §4.2.1) and writes the 101 answer with the subprotocol, which the client must offer
 * (NULL: none). Returns 0; else the status of the answer to give: 400, 405, or 426 (with "Sec-WebSocket-Version: 13"). */
int ws_accept(struct buf *out, const struct http_request *req, const char *protocol);

enum ws_event_kind {
	WS_NONE,
	WS_MESSAGE, /* text: UTF-8, in the arena */
	WS_PING,    /* answered already, in `replies` */
	WS_PONG,
	WS_CLOSE, /* code: answer with ws_write_close unless one was sent, then close the connection */
	WS_ERROR, /* code: to close with; the reader is dead */
};

struct ws_event {
	enum ws_event_kind kind;
	struct str text;
	unsigned code;
};

struct ws_reader;

struct ws_reader *ws_reader_new(size_t message_max); /* bytes of one message, all its fragments */
void ws_reader_free(struct ws_reader *w);	      /* takes NULL */
/* Hands over bytes, once the last ones are used up (WS_NONE); they must stay valid until then. */
void ws_reader_feed(struct ws_reader *w, struct str bytes);
void ws_reader_next(struct ws_reader *w, struct arena *a, struct buf *replies, struct ws_event *out);
/* The caller stops pulling events for a while: what was fed and not read is copied. */
void ws_reader_keep_input(struct ws_reader *w);
bool ws_reader_partial(const struct ws_reader *w); /* inside an unfinished frame or message */

/* One text frame of head and body, which need not be joined before. */
void ws_write_text(struct buf *out, struct str head, struct str body);
void ws_write_close(struct buf *out, unsigned code); /* WS_NO_STATUS: an empty close frame */
void ws_write_ping(struct buf *out);

#endif

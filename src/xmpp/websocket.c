/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A client's WebSocket: one element per message, through the same stream as TCP (RFC 7395). */
#include "xmpp/websocket.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/http/websocket.h"
#include "proto/xmpp/ns.h"
#include "xmpp/input.h"

struct socket {
	struct stream st;
	struct ws_reader *reader;
	bool close_sent; /* a WebSocket close frame is out */
};

static struct socket *of(struct stream *st)
{
	return container_of(st, struct socket, st);
}

static void link_free(struct stream *st)
{
	ws_reader_free(of(st)->reader);
	free(of(st));
}

static void close_frame(struct socket *w, unsigned code)
{
	if (!w->st.conn || w->close_sent)
		return;
	w->close_sent = true;
	ws_write_close(conn_out(w->st.conn), code);
	conn_dirty(w->st.conn);
}

static void link_close(struct stream *st)
{
	close_frame(of(st), WS_NORMAL);
}

static void link_write(struct stream *st, struct str bytes)
{
	if (!st->conn)
		return;
	ws_write_text(conn_out(st->conn), bytes, STR_NONE);
	conn_dirty(st->conn);
}

/* A stanza's head was written for a stream of jabber:client: the namespace goes in behind the name (RFC 7395 §3.3.3). */
static void link_write_two(struct stream *st, struct str head, struct str tail)
{
	struct buf b = { 0 };
	size_t name_n = 1;

	if (!st->conn)
		return;
	while (name_n < head.n && !memchr(" >/", head.p[name_n], 3))
		name_n++;
	if (tail.n) {
		buf_put(&b, head.p, name_n);
		buf_puts(&b, " xmlns='" NS_CLIENT "'");
		buf_put(&b, head.p + name_n, head.n - name_n);
		ws_write_text(conn_out(st->conn), buf_view(&b), tail);
		buf_free(&b);
	} else {
		ws_write_text(conn_out(st->conn), head, STR_NONE); /* nonzas name their namespace */
	}
	conn_dirty(st->conn);
}

static void link_write_open(struct stream *st, struct str id, struct str to)
{
	stream_write_head(st, "<open xmlns='" NS_FRAMING "'", id, to, "/>");
}

static void link_write_close(struct stream *st)
{
	link_write(st, STR("<close xmlns='" NS_FRAMING "'/>"));
}

static void link_restart(struct stream *st)
{
	(void)st; /* the client's next <open/> is the new stream (RFC 7395 §3.5) */
}

static void on_text(struct socket *w, struct str text)
{
	struct stream *st = &w->st;
	struct xml *el = stream_parse(st, text);

	if (!el)
		return;
	if (xml_is(el, "open", NS_FRAMING))
		stream_opened(st, el);
	else if (xml_is(el, "close", NS_FRAMING))
		stream_closed(st);
	else if (str_is(el->ns, NS_STREAM) && str_is(el->name, "stream"))
		stream_error(st, "bad-format", "RFC 7395 streams begin with <open/>.");
	else
		stream_element(st, el, text.n);
}

static void handle(struct socket *w, const struct ws_event *ev)
{
	switch (ev->kind) {
	case WS_MESSAGE:
		on_text(w, ev->text);
		break;
	case WS_CLOSE:
		close_frame(w, ev->code == WS_NO_STATUS ? WS_NORMAL : ev->code);
		conn_close(w->st.conn);
		w->st.conn = NULL;
		stream_lost(&w->st); /* no <close/> before it: the session can be resumed */
		break;
	case WS_ERROR:
		close_frame(w, ev->code);
		conn_close(w->st.conn);
		w->st.conn = NULL;
		stream_lost(&w->st);
		break;
	case WS_PING:
	case WS_PONG:
	case WS_NONE:
		break;
	}
}

static void link_feed(struct stream *st, struct str bytes)
{
	ws_reader_feed(of(st)->reader, bytes);
}

static bool link_take(struct stream *st, struct arena *a)
{
	struct socket *w = of(st);
	struct ws_event ev;

	ws_reader_next(w->reader, a, conn_out(st->conn), &ev);
	if (ev.kind == WS_PING)
		conn_dirty(st->conn);
	handle(w, &ev);
	return ev.kind != WS_NONE;
}

static void link_keep(struct stream *st)
{
	ws_reader_keep_input(of(st)->reader);
}

static const struct stream_link websocket_link = {
	.write = link_write,
	.write_two = link_write_two,
	.write_open = link_write_open,
	.write_close = link_write_close,
	.restart = link_restart,
	.close = link_close,
	.free = link_free,
	.feed = link_feed,
	.take = link_take,
	.keep = link_keep,
	.websocket = true,
};

int websocket_accept(struct shard *s, struct conn *c, const struct http_request *req, struct str early)
{
	struct socket *w;
	int status = ws_accept(conn_out(c), req, "xmpp");

	if (status)
		return status;
	conn_dirty(c);
	w = mem_zalloc(sizeof(*w));
	w->st.link = &websocket_link;
	w->st.conn = c;
	w->reader = ws_reader_new(STANZA_BYTES_MAX);
	stream_init(&w->st, s->core, true);
	conn_handler_set(c, &input_handler, &w->st);
	if (early.n)
		input_bytes(&w->st, early);
	return 0;
}

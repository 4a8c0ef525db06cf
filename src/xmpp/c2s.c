/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A client's TCP connection: bytes through the XML reader into the stream, elements out. */
#include "xmpp/c2s.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/xml/reader.h"
#include "proto/xmpp/ns.h"
#include "xmpp/input.h"

struct c2s {
	struct stream st;
	struct xml_reader *reader;
	struct tls_ctx *(*tls)(void);
	bool restart;
	bool raised; /* the reader's limits are those of an authenticated stream */
};

static struct c2s *of(struct stream *st)
{
	return container_of(st, struct c2s, st);
}

static void link_free(struct stream *st)
{
	xml_reader_free(of(st)->reader);
	free(of(st));
}

static void link_write(struct stream *st, struct str bytes)
{
	if (st->conn)
		conn_write(st->conn, bytes);
}

static void link_write_two(struct stream *st, struct str head, struct str tail)
{
	if (!st->conn)
		return;
	conn_write(st->conn, head);
	if (tail.n)
		conn_write(st->conn, tail);
}

static void link_write_open(struct stream *st, struct str id, struct str to)
{
	stream_write_head(st, "<?xml version='1.0'?><stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "'", id, to, ">");
}

static void link_write_close(struct stream *st)
{
	link_write(st, STR("</stream:stream>"));
}

static void link_restart(struct stream *st)
{
	of(st)->restart = true;
}

static void on_starttls(struct stream *st)
{
	struct c2s *c = of(st);
	struct tls_ctx *ctx = c->tls();

	/* Bytes behind <starttls/> were sent in the clear, perhaps by somebody else: RFC 6120 §5.4.3.3. */
	if (xml_reader_rest_input(c->reader).n || !ctx || conn_start_tls(st->conn, tls_ctx_of_name(ctx, st->host->ascii))) {
		tls_ctx_unref(ctx);
		st->state = STREAM_CLOSED;
		input_end(st);
		return;
	}
	tls_ctx_unref(ctx);
	st->secure = true;
	c->restart = true;
}

static void handle(struct c2s *c, struct xml_event *ev)
{
	struct stream *st = &c->st;

	switch (ev->kind) {
	case XML_STREAM_OPEN:
		stream_opened(st, ev->el);
		break;
	case XML_STANZA:
		stream_element(st, ev->el, ev->bytes);
		break;
	case XML_STREAM_CLOSE:
		stream_closed(st);
		break;
	case XML_ERROR:
		stream_xml_error(st, ev->error);
		break;
	case XML_SPACE:
	case XML_NONE:
		break;
	}
}

/* Starts the next stream on the same connection; what follows in the input belongs to it. */
static void restart(struct c2s *c, struct arena *a)
{
	struct str rest = arena_str(a, xml_reader_rest_input(c->reader));

	c->restart = false;
	xml_reader_restart(c->reader);
	xml_reader_limits(c->reader, c->st.authed ? &XML_LIMITS_STREAM : &XML_LIMITS_UNAUTH);
	xml_reader_feed(c->reader, rest);
}

static void link_feed(struct stream *st, struct str bytes)
{
	xml_reader_feed(of(st)->reader, bytes);
}

static bool link_take(struct stream *st, struct arena *a)
{
	struct c2s *c = of(st);
	struct xml_event ev;

	if (st->authed && !c->raised) { /* whatever the way to sign in, also by an answer that came from elsewhere */
		xml_reader_limits(c->reader, &XML_LIMITS_STREAM);
		c->raised = true;
	}
	xml_reader_next(c->reader, a, &ev);
	handle(c, &ev);
	if (c->restart && st->state != STREAM_CLOSED) {
		restart(c, a);
		st->restarted = true;
	}
	return ev.kind != XML_NONE || st->restarted;
}

static void link_keep(struct stream *st)
{
	xml_reader_keep_input(of(st)->reader);
}

static const struct stream_link tcp_link = {
	.write = link_write,
	.write_two = link_write_two,
	.write_open = link_write_open,
	.write_close = link_write_close,
	.restart = link_restart,
	.starttls = on_starttls,
	.free = link_free,
	.feed = link_feed,
	.take = link_take,
	.keep = link_keep,
};

void c2s_accept(struct shard *s, struct conn *conn, bool tls, struct tls_ctx *(*ctx)(void))
{
	struct c2s *c = mem_zalloc(sizeof(*c));

	c->st.link = &tcp_link;
	c->st.conn = conn;
	c->tls = ctx;
	c->reader = xml_reader_new(&XML_LIMITS_UNAUTH);
	stream_init(&c->st, s->core, tls);
	conn_handler_set(conn, &input_handler, &c->st);
}

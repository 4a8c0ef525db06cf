/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A client's TCP connection: bytes through the XML reader into the stream, elements out. */
#include "xmpp/c2s.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/xml/reader.h"
#include "proto/xmpp/ns.h"
#include "xmpp/stream.h"

struct c2s {
	struct stream st;
	struct xml_reader *reader;
	struct buf waiting; /* input behind a step that waits */
	struct deferred gone;
	struct tls_ctx *(*tls)(void);
	bool feeding, restart;
};

static struct c2s *of(struct stream *st)
{
	return container_of(st, struct c2s, st);
}

static void free_c2s(struct deferred *d)
{
	struct c2s *c = container_of(d, struct c2s, gone);

	stream_fini(&c->st);
	xml_reader_free(c->reader);
	buf_free(&c->waiting);
	free(c);
}

static void link_end(struct stream *st)
{
	struct c2s *c = of(st);

	if (st->conn)
		conn_close(st->conn);
	st->conn = NULL;
	timer_cancel(&st->core->shard->loop, &st->timer);
	if (st->busy) {
		st->dead = true;
		return;
	}
	c->gone.run = free_c2s;
	loop_defer(&st->core->shard->loop, &c->gone);
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
	struct buf b = { 0 };

	buf_puts(&b, "<?xml version='1.0'?><stream:stream xmlns='" NS_CLIENT "' xmlns:stream='" NS_STREAM "' id='");
	buf_str(&b, id);
	buf_puts(&b, "' from='");
	xml_escape(&b, st->core->env->domain);
	if (to.n && to.n <= HEAD_TEXT_MAX) {
		buf_puts(&b, "' to='");
		xml_escape(&b, to);
	}
	buf_puts(&b, "' version='1.0' xml:lang='en'>");
	link_write(st, buf_view(&b));
	buf_free(&b);
}

static void link_write_close(struct stream *st)
{
	link_write(st, STR("</stream:stream>"));
}

static void link_restart(struct stream *st)
{
	of(st)->restart = true;
}

static bool takes_input(const struct c2s *c)
{
	return !c->st.busy && !c->st.pauses && c->st.state != STREAM_CLOSED;
}

static void pull(struct c2s *c);

static void link_wake(struct stream *st)
{
	struct c2s *c = of(st);
	struct buf waiting;

	if (c->feeding)
		return;
	pull(c);
	while (c->waiting.n && takes_input(c)) {
		waiting = c->waiting;
		c->waiting = (struct buf){ 0 };
		xml_reader_feed(c->reader, buf_view(&waiting));
		pull(c);
		buf_free(&waiting);
	}
}

static void on_starttls(struct stream *st)
{
	struct c2s *c = of(st);
	struct tls_ctx *ctx = c->tls();

	/* Bytes behind <starttls/> were sent in the clear, perhaps by somebody else: RFC 6120 §5.4.3.3. */
	if (xml_reader_rest_input(c->reader).n || !ctx || conn_start_tls(st->conn, ctx)) {
		tls_ctx_unref(ctx);
		link_end(st);
		st->state = STREAM_CLOSED;
		return;
	}
	tls_ctx_unref(ctx);
	st->secure = true;
	c->restart = true;
}

static const struct stream_link tcp_link = {
	.write = link_write,
	.write_two = link_write_two,
	.write_open = link_write_open,
	.write_close = link_write_close,
	.end = link_end,
	.restart = link_restart,
	.starttls = on_starttls,
	.wake = link_wake,
};

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

/* Takes events until the input is used up or has to wait. */
static void pull(struct c2s *c)
{
	struct arena *a = core_arena(c->st.core);
	struct xml_event ev = { .kind = XML_SPACE };

	c->feeding = true;
	while (takes_input(c) && ev.kind != XML_NONE) {
		struct arena_mark mark = arena_mark(a);
		bool was_authed = c->st.authed;

		xml_reader_next(c->reader, a, &ev);
		handle(c, &ev);
		if (c->restart && c->st.state != STREAM_CLOSED) {
			restart(c, a); /* its input stays in the arena */
			continue;
		}
		if (c->st.authed && !was_authed)
			xml_reader_limits(c->reader, &XML_LIMITS_STREAM);
		arena_release(a, mark);
	}
	c->feeding = false;
	if (ev.kind != XML_NONE)
		xml_reader_keep_input(c->reader);
}

static void on_data(struct conn *conn, struct str bytes)
{
	struct c2s *c = conn_owner(conn);

	stream_alive(&c->st);
	if (!takes_input(c))
		buf_str(&c->waiting, bytes);
	else {
		xml_reader_feed(c->reader, bytes);
		pull(c);
	}
}

static void on_close(struct conn *conn, int err)
{
	struct c2s *c = conn_owner(conn);

	(void)err;
	c->st.conn = NULL;
	stream_lost(&c->st);
}

static const struct conn_handler handler = { .on_data = on_data, .on_close = on_close };

void c2s_accept(struct shard *s, struct conn *conn, bool tls, struct tls_ctx *(*ctx)(void))
{
	struct c2s *c = mem_zalloc(sizeof(*c));

	c->st.link = &tcp_link;
	c->st.conn = conn;
	c->tls = ctx;
	c->reader = xml_reader_new(&XML_LIMITS_UNAUTH);
	stream_init(&c->st, s->core, tls);
	conn_handler_set(conn, &handler, c);
}

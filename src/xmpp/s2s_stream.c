/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One connection with another server: bytes in and out, time outs, its end. What is said on it is in s2s_in.c and s2s_out.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "xmpp/s2s_priv.h"

/* ---- out ---- */

void s2s_write(struct s2s_stream *st, struct str bytes)
{
	if (st->conn)
		conn_write(st->conn, bytes);
}

void s2s_printf(struct s2s_stream *st, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	va_start(ap, fmt);
	vsnprintf(buf_room(&b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
	va_end(ap);
	b.n = (size_t)n;
	s2s_write(st, buf_view(&b));
	buf_free(&b);
}

struct str s2s_quoted(struct s2s_stream *st, struct str text)
{
	struct buf b = { 0 };
	struct str out;

	xml_escape(&b, text);
	out = arena_str(s2s_arena(st->s2s), buf_view(&b));
	buf_free(&b);
	return out;
}

void s2s_write_head(struct s2s_stream *st)
{
	struct buf b = { 0 };

	buf_puts(&b, "<?xml version='1.0'?><stream:stream xmlns='" NS_SERVER "' xmlns:stream='" NS_STREAM "' xmlns:db='" NS_DIALBACK "'");
	if (!st->outgoing) {
		free(st->id);
		st->id = str_dup(random_token(s2s_arena(st->s2s), 16));
		buf_printf(&b, " id='%s'", st->id);
	}
	if (st->local)
		buf_printf(&b, " from='%.*s'", STR_ARG(s2s_quoted(st, str_of(st->local))));
	if (st->remote)
		buf_printf(&b, " to='%.*s'", STR_ARG(s2s_quoted(st, str_of(st->remote))));
	buf_puts(&b, " version='1.0' xml:lang='en'>");
	s2s_write(st, buf_view(&b));
	buf_free(&b);
	st->opened = true;
}

/* ---- the end ---- */

static void on_gone(struct deferred *d)
{
	struct s2s_stream *st = container_of(d, struct s2s_stream, gone);

	xml_reader_free(st->reader);
	buf_free(&st->waiting);
	free(st->local);
	free(st->remote);
	free(st->id);
	free(st->held_from);
	free(st->held_to);
	free(st->held_key);
	free(st);
}

/* Everything that others know of the stream goes now, its memory at the end of the turn. */
static void end(struct s2s_stream *st, enum s2s_end why, const char *text)
{
	struct loop *l = &st->s2s->core->shard->loop;
	struct s2s_pair *p = st->pair;

	st->state = S2S_CLOSED;
	timer_cancel(l, &st->timer);
	timer_cancel(l, &st->rate);
	list_del(&st->in_core.in_core);
	ids_drop(&st->s2s->streams, st->handle);
	s2s_sm_leave(st, why == S2S_END_LOST);
	s2s_domains_free(st);
	st->pair = NULL;
	if (p)
		s2s_pair_ended(p, st, why, text);
	if (st->conn)
		conn_close(st->conn);
	st->conn = NULL;
	st->gone.run = on_gone;
	loop_defer(l, &st->gone);
}

void s2s_close(struct s2s_stream *st, enum s2s_end why, const char *text)
{
	if (st->state == S2S_CLOSED)
		return;
	if (st->opened)
		s2s_write(st, STR("</stream:stream>"));
	end(st, why, text);
}

void s2s_error(struct s2s_stream *st, const char *condition, const char *text)
{
	if (st->state == S2S_CLOSED)
		return;
	if (!st->opened)
		s2s_write_head(st);
	s2s_printf(st, "<stream:error><%s xmlns='" NS_STREAM_ERRORS "'/>", condition);
	if (text)
		s2s_printf(st, "<text xmlns='" NS_STREAM_ERRORS "' xml:lang='en'>%s</text>", text);
	s2s_write(st, STR("</stream:error>"));
	metric_add(M_STREAM_ERRORS, 1);
	log_info("s2s.error", "condition=%s remote=%s peer=%.*s", condition, st->remote ? st->remote : "-", STR_ARG(conn_peer(st->conn)));
	s2s_close(st, S2S_END_LOST, condition);
}

static void on_shutdown(struct core_link *l)
{
	s2s_error(container_of(l, struct s2s_stream, in_core), "system-shutdown", NULL);
}

/* ---- in ---- */

static bool takes_input(const struct s2s_stream *st)
{
	return !st->busy && !st->pauses && st->state != S2S_CLOSED;
}

static void on_head(struct s2s_stream *st, const struct xml *head)
{
	if (st->state != S2S_OPENING)
		s2s_error(st, "bad-format", "A stream head was not expected here.");
	else if (st->outgoing)
		s2s_out_head(st, head);
	else
		s2s_in_head(st, head);
}

static void on_xml_error(struct s2s_stream *st, int error)
{
	static const struct {
		int error;
		const char *condition;
	} table[] = { { -EBADMSG, "not-well-formed" }, { -EDOM, "bad-format" }, { -EPERM, "restricted-xml" },
		{ -EMSGSIZE, "policy-violation" }, { -EILSEQ, "unsupported-encoding" } };

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].error == error) {
			s2s_error(st, table[i].condition, NULL);
			return;
		}
	s2s_error(st, "bad-format", NULL);
}

static void take(struct s2s_stream *st, const struct xml_event *ev)
{
	switch (ev->kind) {
	case XML_STREAM_OPEN:
		on_head(st, ev->el);
		break;
	case XML_STANZA:
		if (st->outgoing)
			s2s_out_element(st, ev->el);
		else
			s2s_in_element(st, ev->el);
		break;
	case XML_STREAM_CLOSE:
		s2s_close(st, S2S_END_LOST, "it closed the stream");
		break;
	case XML_ERROR:
		on_xml_error(st, ev->error);
		break;
	case XML_SPACE:
	case XML_NONE:
		break;
	}
}

static bool is_trusted(const struct s2s_stream *st)
{
	return st->authed || st->verified.n;
}

static void restart(struct s2s_stream *st, struct arena *a)
{
	struct str rest = arena_str(a, xml_reader_rest_input(st->reader));

	st->restart = false;
	xml_reader_restart(st->reader);
	xml_reader_feed(st->reader, rest);
}

static void pull(struct s2s_stream *st)
{
	struct arena *a = s2s_arena(st->s2s);
	bool more = true;

	st->pulling = true;
	while (more && takes_input(st)) {
		struct arena_mark mark;
		struct xml_event ev;

		if (st->restart)
			restart(st, a);
		mark = arena_mark(a);
		xml_reader_limits(st->reader, is_trusted(st) ? &XML_LIMITS_STREAM : &XML_LIMITS_UNAUTH);
		xml_reader_next(st->reader, a, &ev);
		take(st, &ev);
		more = ev.kind != XML_NONE || st->restart;
		arena_release(a, mark);
	}
	st->pulling = false;
	if (more && st->state != S2S_CLOSED)
		xml_reader_keep_input(st->reader);
}

static void wake(struct s2s_stream *st)
{
	struct buf waiting;

	if (st->pulling || !takes_input(st))
		return;
	pull(st);
	while (st->waiting.n && takes_input(st)) {
		waiting = st->waiting;
		st->waiting = (struct buf){ 0 };
		xml_reader_feed(st->reader, buf_view(&waiting));
		pull(st);
		buf_free(&waiting);
	}
}

void s2s_pause(struct s2s_stream *st, bool on)
{
	if (!st->conn || (!on && !st->pauses))
		return;
	st->pauses = (uint8_t)(on ? st->pauses + 1 : st->pauses - 1);
	if (on)
		conn_pause(st->conn);
	else
		conn_resume(st->conn);
	if (!on)
		wake(st);
}

static void on_data(struct conn *c, struct str bytes)
{
	struct s2s_stream *st = conn_owner(c);

	st->active_ms = st->s2s->core->shard->loop.now_ms;
	st->pinged = false;
	if (!takes_input(st)) {
		buf_str(&st->waiting, bytes);
		return;
	}
	xml_reader_feed(st->reader, bytes);
	pull(st);
}

static void on_tls(struct conn *c)
{
	struct s2s_stream *st = conn_owner(c);

	if (!st->outgoing)
		return;
	st->secure = true;
	s2s_write_head(st);
}

static void on_drain(struct conn *c)
{
	struct s2s_stream *st = conn_owner(c);

	if (st->pair)
		s2s_pair_flush(st->pair);
}

static void on_close(struct conn *c, int err)
{
	struct s2s_stream *st = conn_owner(c);

	st->conn = NULL;
	if (st->state != S2S_CLOSED)
		end(st, S2S_END_LOST, err == -EPROTO ? "TLS failed" : "the connection broke");
}

static const struct conn_handler handler = { .on_data = on_data, .on_tls = on_tls, .on_drain = on_drain, .on_close = on_close };

/* ---- TLS ---- */

/* As who is connected to: the stream's `to` goes before SNI, which may name the target of an SRV record. */
static int serve_tls(struct s2s_stream *st, struct tls_ctx *ctx)
{
	char name[DNS_NAME_MAX];

	return conn_start_tls(st->conn, dns_ascii(st->local, name) ? ctx : tls_ctx_of_name(ctx, str_of(name)));
}

void s2s_start_tls(struct s2s_stream *st, struct tls_ctx *ctx)
{
	const struct resolver_place *place = st->outgoing ? &st->pair->found->v[st->pair->place] : NULL;
	int rc = -EPROTO;

	/* RFC 6120 §5.4.3.3: bytes behind the plain part were not sent by whom we will know then. */
	if (ctx && !xml_reader_rest_input(st->reader).n)
		rc = st->outgoing ? tls_peer_connect(st->conn, ctx, st->local, st->remote, place) : serve_tls(st, ctx);
	tls_ctx_unref(ctx);
	st->opened = false;
	st->state = S2S_OPENING;
	if (rc) {
		end(st, S2S_END_LOST, "TLS cannot begin");
		return;
	}
	st->secure = !st->outgoing;
	st->restart = true;
}

/* ---- moving ---- */

static void on_moved(struct shard *s, struct conn *c, void *owner)
{
	struct s2s_stream *st = owner;

	(void)c;
	st->s2s = s2s_of(s->core);
	st->busy = false;
	st->handle = ids_add(&st->s2s->streams, st);
	list_push(&s->core->links, &st->in_core.in_core);
	timer_set(&s->loop, &st->timer, s2s_int(st->s2s, "s2s.connect_timeout"));
	if (s->core->closing) {
		on_shutdown(&st->in_core);
		return;
	}
	st->go_on(st);
	wake(st);
}

void s2s_move(struct s2s_stream *st, void (*go_on)(struct s2s_stream *st))
{
	struct core *c = st->s2s->core;
	struct shard *home = core_shard_of(c, str_of(st->remote));

	st->go_on = go_on;
	if (st->moved || home == c->shard) {
		st->moved = true;
		go_on(st);
		return;
	}
	st->moved = true;
	st->busy = true;
	timer_cancel(&c->shard->loop, &st->timer);
	timer_cancel(&c->shard->loop, &st->rate);
	list_del(&st->in_core.in_core);
	ids_drop(&st->s2s->streams, st->handle);
	conn_move(st->conn, home, on_moved);
}

/* ---- time ---- */

static void ask_for_life(struct s2s_stream *st)
{
	struct arena *a = s2s_arena(st->s2s);

	st->pinged = true;
	if (st->sm)
		s2s_write(st, STR("<r xmlns='" NS_SM "'/>"));
	else if (st->pair && st->pair->ready == st)
		s2s_printf(st, "<iq type='get' id='s2s-life-%.*s' from='%s' to='%s'><ping xmlns='" NS_PING "'/></iq>",
			STR_ARG(random_token(a, 9)), st->local, st->remote);
	else
		st->pinged = false;
}

static void on_timer(struct timer *t)
{
	struct s2s_stream *st = container_of(t, struct s2s_stream, timer);
	struct loop *l = &st->s2s->core->shard->loop;
	uint64_t idle = s2s_int(st->s2s, "s2s.idle"), alive = s2s_int(st->s2s, "s2s.keepalive");
	bool waits = st->pair && (st->pair->unacked.n || !list_empty(&st->pair->verifies));

	if (!is_trusted(st) && !(st->outgoing && st->state == S2S_OPEN && !(st->pair && s2s_pair_wants(st->pair)))) {
		s2s_error(st, "connection-timeout", NULL);
	} else if (st->pinged && l->now_ms - st->active_ms >= alive) {
		s2s_error(st, "connection-timeout", "No sign of life.");
	} else if (!waits && l->now_ms - st->used_ms >= (st->outgoing ? idle : 2 * idle)) {
		s2s_close(st, S2S_END_QUIET, NULL);
	} else {
		if (l->now_ms - st->active_ms >= alive)
			ask_for_life(st);
		timer_set(l, t, alive < idle ? alive : idle);
	}
}

struct s2s_stream *s2s_stream_new(struct s2s *s, struct conn *c, bool outgoing)
{
	struct s2s_stream *st = mem_zalloc(sizeof(*st));

	st->s2s = s;
	st->conn = c;
	st->outgoing = outgoing;
	st->state = S2S_OPENING;
	st->reader = xml_reader_new(&XML_LIMITS_UNAUTH);
	st->active_ms = st->used_ms = s->core->shard->loop.now_ms;
	st->in_core.shutdown = on_shutdown;
	list_init(&st->verifying);
	list_push(&s->core->links, &st->in_core.in_core);
	st->timer.on_time = on_timer;
	timer_set(&s->core->shard->loop, &st->timer, s2s_int(s, "s2s.connect_timeout"));
	if (!outgoing)
		st->handle = ids_add(&s->streams, st);
	conn_handler_set(c, &handler, st);
	return st;
}

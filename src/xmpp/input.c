/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Input of a stream over any transport, and its end. */
#include "xmpp/input.h"

static bool takes_input(const struct stream *st)
{
	return !st->busy && !st->pauses && st->state != STREAM_CLOSED;
}

/* Takes events until the input is used up or has to wait. */
static void pull(struct stream *st)
{
	struct arena *a = core_arena(st->core);
	bool more = true;

	st->pulling = true;
	while (more && takes_input(st)) {
		struct arena_mark mark = arena_mark(a);

		more = st->link->take(st, a);
		if (!st->restarted) /* a new stream's input lies in the arena */
			arena_release(a, mark);
		st->restarted = false;
	}
	st->pulling = false;
	if (more && st->state != STREAM_CLOSED)
		st->link->keep(st);
}

void input_bytes(struct stream *st, struct str bytes)
{
	stream_alive(st);
	if (!takes_input(st)) {
		buf_str(&st->waiting, bytes);
		return;
	}
	st->link->feed(st, bytes);
	pull(st);
}

void input_wake(struct stream *st)
{
	struct buf waiting;

	if (st->pulling)
		return;
	pull(st);
	while (st->waiting.n && takes_input(st)) {
		waiting = st->waiting;
		st->waiting = (struct buf){ 0 };
		st->link->feed(st, buf_view(&waiting));
		pull(st);
		buf_free(&waiting);
	}
}

static void on_gone(struct deferred *d)
{
	struct stream *st = container_of(d, struct stream, gone);

	stream_fini(st);
	st->link->free(st);
}

void input_end(struct stream *st)
{
	if (st->conn && st->link->close)
		st->link->close(st);
	if (st->conn)
		conn_close(st->conn);
	st->conn = NULL;
	timer_cancel(&st->core->shard->loop, &st->timer);
	if (st->busy) {
		st->dead = true;
		return;
	}
	st->gone.run = on_gone;
	loop_defer(&st->core->shard->loop, &st->gone);
}

static void on_data(struct conn *conn, struct str bytes)
{
	input_bytes(conn_owner(conn), bytes);
}

static void on_close(struct conn *conn, int err)
{
	struct stream *st = conn_owner(conn);

	(void)err;
	st->conn = NULL;
	stream_lost(st);
}

const struct conn_handler input_handler = { .on_data = on_data, .on_close = on_close };

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The queue from one of our domains to one of another server, and the stream for it: looked up, connected, tried again.
 * Nothing is dropped in silence: what cannot be sent goes back to its sender, and what is on disk leaves it only when the peer has
 * acknowledged it: by XEP-0198, or by answering a ping that was sent behind it (XEP-0199). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "xmpp/s2s_priv.h"

enum { ACK_BATCH = 256 };

static void on_expiry(struct timer *t);
static void on_retry(struct timer *t);
static void on_ack_late(struct timer *t);
static void look_up(struct s2s_pair *p);

static struct loop *loop_of(const struct s2s_pair *p)
{
	return &p->s2s->core->shard->loop;
}

/* ---- queues ---- */

static void fifo_push(struct s2s_fifo *f, struct s2s_item *i)
{
	i->next = NULL;
	if (f->last)
		f->last->next = i;
	else
		f->first = i;
	f->last = i;
	f->n++;
	f->bytes += i->packed->n;
}

static struct s2s_item *fifo_take(struct s2s_fifo *f)
{
	struct s2s_item *i = f->first;

	if (!i)
		return NULL;
	f->first = i->next;
	if (!f->first)
		f->last = NULL;
	f->n--;
	f->bytes -= i->packed->n;
	return i;
}

/* All of a before all of b; a is empty then. */
static void fifo_prepend(struct s2s_fifo *b, struct s2s_fifo *a)
{
	if (!a->first)
		return;
	a->last->next = b->first;
	b->first = a->first;
	if (!b->last)
		b->last = a->last;
	b->n += a->n;
	b->bytes += a->bytes;
	*a = (struct s2s_fifo){ 0 };
}

static void item_free(struct s2s_item *i)
{
	blob_unref(i->packed);
	free(i);
}

static void forget_resume(struct s2s_pair *p)
{
	s2s_sm_free(p->resume);
	p->resume = NULL;
	p->resend_n = 0;
}

/* ---- the pair ---- */

struct s2s_pair *s2s_pair_get(struct s2s *s, struct str local, struct str remote, bool make)
{
	struct str key = arena_printf(s2s_arena(s), "%.*s %.*s", STR_ARG(local), STR_ARG(remote));
	struct s2s_pair *p = map_get(&s->pairs, key);

	if (p || !make || s->pairs.n >= S2S_PAIRS_MAX)
		return p;
	p = mem_zalloc(sizeof(*p));
	p->s2s = s;
	p->local = str_dup(local);
	p->remote = str_dup(remote);
	p->key = (struct str){ str_dup(key), key.n };
	p->retry.on_time = on_retry;
	p->expiry.on_time = on_expiry;
	p->ack.on_time = on_ack_late;
	list_init(&p->verifies);
	map_put(&s->pairs, p->key, p);
	return p;
}

void s2s_pair_free(struct s2s_pair *p)
{
	struct s2s_verify *v;
	struct s2s_item *i;

	map_del(&p->s2s->pairs, p->key);
	forget_resume(p);
	resolver_cancel(p->lookup);
	dial_cancel(p->dial);
	resolver_found_free(p->found);
	timer_cancel(loop_of(p), &p->retry);
	timer_cancel(loop_of(p), &p->expiry);
	timer_cancel(loop_of(p), &p->ack);
	while ((i = fifo_take(&p->unsent)) || (i = fifo_take(&p->unacked)))
		item_free(i);
	list_each(v, &p->verifies, link) {
		list_del(&v->link);
		s2s_verify_free(v);
	}
	free(p->local);
	free(p->remote);
	free((void *)p->key.p);
	free(p);
}

static bool is_unused(const struct s2s_pair *p)
{
	return !p->out && !p->ready && !p->working && !p->unsent.n && !p->unacked.n && list_empty(&p->verifies) && !timer_is_set(&p->retry);
}

/* Later: callers may be at work on it. */
static void free_if_unused(struct s2s_pair *p)
{
	if (is_unused(p))
		timer_set(loop_of(p), &p->expiry, 0);
}

bool s2s_pair_is_full(const struct s2s_pair *p)
{
	return p->unsent.n + p->unacked.n >= s2s_int(p->s2s, "s2s.queue_stanzas") ||
		p->unsent.bytes + p->unacked.bytes >= s2s_int(p->s2s, "s2s.queue_bytes");
}

bool s2s_pair_is_down(const struct s2s_pair *p)
{
	return timer_is_set(&p->retry) && p->backoff_ms > S2S_BACKOFF_LONG_MS;
}

bool s2s_pair_wants(const struct s2s_pair *p)
{
	return p->unsent.n > 0;
}

/* ---- giving back ---- */

static const struct {
	enum stanza_error error;
	const char *text, *condition; /* of dialback answers that wait */
} ends[] = {
	[S2S_END_QUIET] = { ERR_REMOTE_SERVER_TIMEOUT, NULL, "remote-server-timeout" },
	[S2S_END_LOST] = { ERR_REMOTE_SERVER_TIMEOUT, "That server cannot be reached at the moment.", "remote-connection-failed" },
	[S2S_END_ABSENT] = { ERR_REMOTE_SERVER_NOT_FOUND, "There is no such server.", "remote-server-not-found" },
	[S2S_END_REFUSED] = { ERR_REMOTE_SERVER_TIMEOUT, NULL, "remote-connection-failed" },
	[S2S_END_INVALID] = { ERR_INTERNAL_SERVER_ERROR, NULL, "remote-connection-failed" },
};

static bool every(const struct s2s_pair *p, const struct s2s_item *i)
{
	(void)p;
	(void)i;
	return true;
}

static bool not_on_disk(const struct s2s_pair *p, const struct s2s_item *i)
{
	(void)p;
	return !i->key.id;
}

static bool is_old(const struct s2s_pair *p, const struct s2s_item *i)
{
	return loop_of(p)->now_ms - i->since_ms >= s2s_int(p->s2s, "s2s.queue_time");
}

/* Those unsent that `which` names go back. They are taken out first: errors may bring new stanzas here. */
static void give_back(struct s2s_pair *p, bool (*which)(const struct s2s_pair *, const struct s2s_item *), enum s2s_end why, const char *text)
{
	struct core *c = p->s2s->core;
	struct s2s_fifo all = p->unsent, back = { 0 };
	struct s2s_item *i;

	p->unsent = (struct s2s_fifo){ 0 };
	while ((i = fifo_take(&all)))
		fifo_push(which(p, i) ? &back : &p->unsent, i);
	if (back.n && p->resend_n)
		forget_resume(p);
	while ((i = fifo_take(&back))) {
		struct stanza st;

		if (!stanza_unpack(blob_view(i->packed), &st)) {
			router_error(c, &st, ends[why].error, text ? text : ends[why].text);
			stanza_fini(&st);
		}
		outbox_del(c, &i->key, 1);
		item_free(i);
	}
}

static void set_expiry(struct s2s_pair *p)
{
	uint64_t age, max = s2s_int(p->s2s, "s2s.queue_time");

	if (!p->unsent.first)
		return;
	age = loop_of(p)->now_ms - p->unsent.first->since_ms;
	timer_set(loop_of(p), &p->expiry, age < max ? max - age : 0);
}

static void on_expiry(struct timer *t)
{
	struct s2s_pair *p = container_of(t, struct s2s_pair, expiry);

	if (is_unused(p)) {
		s2s_pair_free(p);
		return;
	}
	give_back(p, is_old, S2S_END_LOST, NULL);
	set_expiry(p);
	free_if_unused(p);
}

/* ---- connecting ---- */

static void verifies_fail(struct s2s_pair *p, enum s2s_end why)
{
	struct s2s_verify *v;

	list_each(v, &p->verifies, link) {
		list_del(&v->link);
		s2s_verify_done(v, "error", ends[why].condition);
	}
}

static void try_later(struct s2s_pair *p)
{
	uint16_t r;

	random_bytes(&r, sizeof(r));
	p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : S2S_BACKOFF_MIN_MS;
	if (p->backoff_ms > S2S_BACKOFF_MAX_MS)
		p->backoff_ms = S2S_BACKOFF_MAX_MS;
	timer_set(loop_of(p), &p->retry, p->backoff_ms + r % (p->backoff_ms / 4 + 1)); /* not all at once */
}

/* A try to reach the server failed. */
static void failed(struct s2s_pair *p, enum s2s_end why, const char *text)
{
	p->working = false;
	log_info("s2s.unreachable", "remote=%s local=%s reason=\"%s\" waiting=%u", p->remote, p->local, text ? text : "", p->unsent.n);
	verifies_fail(p, why);
	if (p->ready)
		return;
	if (why == S2S_END_LOST) {
		try_later(p);
		give_back(p, not_on_disk, why, NULL);
		if (!p->unsent.n)
			timer_cancel(loop_of(p), &p->retry);
	} else {
		p->backoff_ms = 0;
		give_back(p, every, why, text);
	}
	free_if_unused(p);
}

static void on_dialed(void *arg, int fd, size_t place)
{
	struct s2s_pair *p = arg;

	p->dial = NULL;
	if (fd >= 0 && p->s2s->core->closing) {
		close(fd);
		p->working = false;
	} else if (fd < 0) {
		failed(p, S2S_END_LOST, "no connection");
	} else {
		p->place = place;
		s2s_out_open(p, fd, &p->found->v[place]);
	}
}

static void on_found(void *arg, int status, struct resolver_found *found)
{
	struct s2s_pair *p = arg;

	p->lookup = NULL;
	resolver_found_free(p->found);
	p->found = found;
	if (status)
		failed(p, status == -ENOENT ? S2S_END_ABSENT : S2S_END_LOST, status == -ENOENT ? "There is no such server." : "no answer from the DNS");
	else
		p->dial = dial_start(p->s2s->core->shard, found, 0, s2s_int(p->s2s, "s2s.connect_timeout"), on_dialed, p);
}

static void look_up(struct s2s_pair *p)
{
	p->working = true;
	p->lookup = resolver_find(p->s2s->resolver, p->remote, on_found, p);
}

static void on_retry(struct timer *t)
{
	struct s2s_pair *p = container_of(t, struct s2s_pair, retry);

	if (!p->out && !p->working && (p->unsent.n || !list_empty(&p->verifies)))
		look_up(p);
	else
		free_if_unused(p);
}

/* Does what is due: sends, proves who we are, connects. */
static void kick(struct s2s_pair *p)
{
	if (p->ready)
		s2s_pair_flush(p);
	else if (p->out)
		s2s_out_authenticate(p->out);
	else if (!p->working && !timer_is_set(&p->retry) && !p->s2s->core->closing)
		look_up(p);
}

void s2s_pair_push(struct s2s_pair *p, struct s2s_item *i)
{
	fifo_push(&p->unsent, i);
	if (!timer_is_set(&p->expiry))
		set_expiry(p);
	kick(p);
}

void s2s_pair_verify(struct s2s_pair *p, struct s2s_verify *v)
{
	list_push(&p->verifies, &v->link);
	if (p->out && p->out->state == S2S_OPEN) {
		s2s_out_verify(p->out, v);
	} else if (!p->out && !p->working && !p->s2s->core->closing) {
		timer_cancel(loop_of(p), &p->retry); /* the other side is there: it has just connected */
		look_up(p);
	}
}

void s2s_pair_open(struct s2s_pair *p)
{
	struct s2s_verify *v;

	list_each(v, &p->verifies, link)
		if (!v->sent)
			s2s_out_verify(p->out, v);
	if (s2s_pair_wants(p) && !p->ready)
		s2s_out_authenticate(p->out);
}

/* ---- sending ---- */

/* Everything sent without an acknowledgement will be sent again. */
static void requeue(struct s2s_pair *p)
{
	p->ping_n = 0;
	timer_cancel(loop_of(p), &p->ack);
	fifo_prepend(&p->unsent, &p->unacked);
}

void s2s_pair_ready(struct s2s_pair *p, struct s2s_stream *st)
{
	if (p->ready && p->ready != st)
		return;
	p->ready = st;
	st->pair = p;
	p->backoff_ms = 0;
	timer_cancel(loop_of(p), &p->retry);
	s2s_pair_flush(p);
}

/* XEP-0199 behind what was sent: its answer says that all before it has arrived. */
static void ping(struct s2s_pair *p)
{
	if (p->ping_n || !p->unacked.n)
		return;
	p->ping_n = p->unacked.n;
	s2s_printf(p->ready, "<iq type='get' id='s2s-ack-%u' from='%.*s' to='%.*s'><ping xmlns='" NS_PING "'/></iq>", ++p->ping_seq,
		STR_ARG(s2s_quoted(p->ready, str_of(p->local))), STR_ARG(s2s_quoted(p->ready, str_of(p->remote))));
}

static void write_item(struct s2s_stream *st, const struct s2s_item *i)
{
	struct stanza out;
	struct buf *b;

	if (stanza_unpack(blob_view(i->packed), &out))
		return;
	b = conn_out(st->conn);
	stanza_write(b, &out, NULL);
	conn_dirty(st->conn);
	stanza_fini(&out);
	metric_add(M_STANZAS_OUT, 1);
}

void s2s_pair_flush(struct s2s_pair *p)
{
	struct s2s_stream *st = p->ready;
	bool any = false;

	if (!st || st->state != S2S_OPEN || !st->conn)
		return;
	if (p->resume && p->unsent.n)
		forget_resume(p); /* they go another way than the stream that might have been resumed */
	while (p->unsent.n && conn_out_pending(st->conn) < CONN_OUT_HIGH) {
		struct s2s_item *i = fifo_take(&p->unsent);

		write_item(st, i);
		fifo_push(&p->unacked, i);
		if (st->sm)
			st->sm->out++;
		any = true;
	}
	if (!any && (st->sm || !p->unacked.n))
		return;
	st->used_ms = loop_of(p)->now_ms;
	if (st->sm)
		s2s_sm_ask(st);
	else
		ping(p);
	if (!timer_is_set(&p->ack))
		timer_set(loop_of(p), &p->ack, S2S_ACK_MS);
}

void s2s_pair_acked(struct s2s_pair *p, uint32_t n)
{
	struct outbox_key keys[ACK_BATCH];
	size_t k = 0;

	for (; n && p->unacked.n; n--) {
		struct s2s_item *i = fifo_take(&p->unacked);

		if (i->key.id)
			keys[k++] = i->key;
		item_free(i);
		if (k == ACK_BATCH) {
			outbox_del(p->s2s->core, keys, k);
			k = 0;
		}
	}
	if (k)
		outbox_del(p->s2s->core, keys, k);
	if (p->unacked.n)
		timer_set(loop_of(p), &p->ack, S2S_ACK_MS);
	else
		timer_cancel(loop_of(p), &p->ack);
	s2s_pair_flush(p);
}

void s2s_pair_pong(struct s2s *s, const struct stanza *st)
{
	struct s2s_pair *p = s2s_pair_get(s, jid_domain(st->to), jid_domain(st->from), false);
	struct str seq = { st->id.p + 8, st->id.n - 8 };
	uint64_t n;
	uint32_t acked;

	if (!p || !p->ready || p->ready->sm || !p->ping_n || str_u64(seq, UINT32_MAX, &n) || n != p->ping_seq)
		return;
	acked = p->ping_n;
	p->ping_n = 0;
	p->pinged_back = true;
	s2s_pair_acked(p, acked);
	ping(p);
}

/* Nothing was heard of what was sent. A peer that never answers pings is taken at its word: TCP has it. */
static void on_ack_late(struct timer *t)
{
	struct s2s_pair *p = container_of(t, struct s2s_pair, ack);
	uint32_t n = p->ping_n;

	if (!p->ready || !p->unacked.n)
		return;
	if (p->ready->sm || p->pinged_back || conn_out_pending(p->ready->conn)) {
		s2s_error(p->ready, "connection-timeout", "No acknowledgement.");
		return;
	}
	p->ping_n = 0;
	s2s_pair_acked(p, n);
	ping(p);
}

/* ---- the end of a stream ---- */

void s2s_pair_unresend(struct s2s_pair *p, uint32_t n)
{
	struct s2s_fifo rest = p->unsent;

	/* As if they had just been acknowledged. */
	p->unsent = (struct s2s_fifo){ 0 };
	p->unacked = (struct s2s_fifo){ 0 };
	for (; n && rest.n; n--)
		fifo_push(&p->unacked, fifo_take(&rest));
	p->unsent = rest;
	p->resend_n = 0;
	s2s_pair_acked(p, p->unacked.n);
}

/* May the next address do better? */
static bool more_places(const struct s2s_pair *p, const struct s2s_stream *st)
{
	return !st->authed && p->found && p->place + 1 < p->found->n && !p->ready && (p->unsent.n || !list_empty(&p->verifies));
}

void s2s_pair_ended(struct s2s_pair *p, struct s2s_stream *st, enum s2s_end why, const char *text)
{
	bool was_ready = p->ready == st, was_out = p->out == st;

	if (was_ready) {
		p->ready = NULL;
		if (p->resume && was_out)
			p->resend_n = p->unacked.n;
		requeue(p);
	}
	if (was_out) {
		p->out = NULL;
		p->working = false;
	}
	if (p->s2s->core->closing)
		return;
	if (was_out && !was_ready && why == S2S_END_LOST && more_places(p, st)) {
		p->working = true;
		p->dial = dial_start(p->s2s->core->shard, p->found, p->place + 1, s2s_int(p->s2s, "s2s.connect_timeout"), on_dialed, p);
	} else if (was_out && !was_ready && why != S2S_END_QUIET) {
		failed(p, why, text);
	} else {
		verifies_fail(p, S2S_END_LOST);
		if (p->unsent.n && !p->out && !p->working) {
			try_later(p);
			set_expiry(p);
		}
	}
	free_if_unused(p);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One BOSH session in the shard where it lives: requests in the order of their rid, answers held until there is something to say
 * (XEP-0124 §8-§14), and the stream behind them.
 *
 *   rid            ≤ answered   answered..rid   rid+1..rid+requests   above
 *   comes again    replayed     takes its place (error to the earlier)  -
 *   comes first    -            -               taken in order        the session ends */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/xmpp/ns.h"
#include "xmpp/bosh_priv.h"
#include "xmpp/input.h"

static struct bosh *of(struct stream *st)
{
	return container_of(st, struct bosh, st);
}

static struct loop *loop_of(const struct bosh *b)
{
	return &b->st.core->shard->loop;
}

static void settle_soon(struct bosh *b)
{
	if (!b->moving)
		loop_defer(loop_of(b), &b->flush);
}

/* ---- answers ---- */

static void request_free(struct bosh_request *r)
{
	list_del(&r->link);
	free(r->text);
	free(r);
}

static void replay_drop(struct bosh *b, struct bosh_replay *p)
{
	list_del(&p->link);
	b->replay_bytes -= p->body.n;
	buf_free(&p->body);
	free(p);
}

static void replay_keep(struct bosh *b, uint64_t rid, struct buf *body)
{
	struct bosh_replay *p = mem_alloc(sizeof(*p)), *old;
	uint32_t n = 0;

	*p = (struct bosh_replay){ .rid = rid, .body = *body };
	list_push(&b->replays, &p->link);
	b->replay_bytes += body->n;
	list_each(old, &b->replays, link)
		n++;
	while (n > BOSH_REPLAYS_MAX || (n > 1 && b->replay_bytes > BOSH_REPLAY_BYTES_MAX)) {
		replay_drop(b, list_first(&b->replays, struct bosh_replay, link));
		n--;
	}
}

/* with: the payload goes along. */
static void answer(struct bosh *b, struct bosh_request *r, bool with)
{
	struct str payload = with ? buf_view(&b->out) : STR_NONE;
	struct buf body = { 0 };

	bosh_body_write(&body, b, r->rid, payload);
	if (r->reply.exchange)
		bosh_say(&r->reply, str_of(b->type), buf_view(&body));
	b->answered = r->rid;
	b->last_was_empty = payload.n == 0;
	b->created = true;
	replay_keep(b, r->rid, &body);
	if (with)
		buf_free(&b->out);
	request_free(r);
}

/* The oldest request that was taken and is not answered, or NULL. */
static struct bosh_request *oldest(struct bosh *b)
{
	struct bosh_request *r = list_first(&b->requests, struct bosh_request, link);

	return !list_empty(&b->requests) && (!r->text || b->ended) ? r : NULL;
}

static uint32_t taken_n(struct bosh *b)
{
	struct bosh_request *r;
	uint32_t n = 0;

	list_each(r, &b->requests, link)
		n += !r->text;
	return n;
}

/* Is it time to answer r? *out_with: with what waits. */
static bool is_due(struct bosh *b, const struct bosh_request *r, bool *out_with)
{
	*out_with = !b->release && r->reply.exchange;
	if (b->release || !r->reply.exchange)
		return true;
	if (b->input_bytes > BOSH_INPUT_MAX && !b->ended)
		return false; /* backpressure: the window of rids stops the client */
	return b->ended || b->out.n || taken_n(b) > b->hold || loop_of(b)->now_ms >= r->since_ms + b->wait_s * 1000ull;
}

static uint64_t inactivity_ms(const struct bosh *b)
{
	return b->pause_ms ? b->pause_ms : (uint64_t)config_int(core_config(b->st.core), "bosh.inactivity");
}

void bosh_drop_reply(struct bosh *b, struct shard *s, id_t64 exchange)
{
	struct bosh_request *r;

	list_each(r, &b->requests, link)
		if (r->reply.shard == s && r->reply.exchange == exchange)
			r->reply.exchange = 0;
	settle_soon(b);
}

static void set_timer(struct bosh *b)
{
	struct bosh_request *r = oldest(b);
	uint64_t now = loop_of(b)->now_ms, due;

	if (!r) {
		timer_set(loop_of(b), &b->timer, inactivity_ms(b));
		return;
	}
	due = r->since_ms + b->wait_s * 1000ull;
	timer_set(loop_of(b), &b->timer, due > now ? due - now : 0);
}

static void settle(struct bosh *b)
{
	struct bosh_request *r;
	bool with;

	while ((r = oldest(b)) && is_due(b, r, &with)) {
		answer(b, r, with);
		if (b->ended && with) { /* §13: the others are answered empty */
			b->condition = NULL;
			b->farewell = true;
			list_each(r, &b->requests, link) {
				if (r->reply.exchange)
					bosh_say(&r->reply, str_of(b->type), STR("<body xmlns='" NS_HTTPBIND "'/>"));
				request_free(r);
			}
			if (b->ghost)
				bosh_free(b);
			return;
		}
	}
	b->release = false;
	set_timer(b);
}

static void on_flush(struct deferred *d)
{
	settle(container_of(d, struct bosh, flush));
}

/* Either the oldest request has waited long enough, or the client has not been heard of for too long. */
static void on_timer(struct timer *t)
{
	struct bosh *b = container_of(t, struct bosh, timer);

	if (b->overflown && b->st.state != STREAM_CLOSED) {
		stream_lost(&b->st);
	} else if (oldest(b)) {
		settle(b);
	} else if (b->ghost) {
		bosh_free(b);
	} else if (b->st.state != STREAM_CLOSED) {
		log_debug("bosh.inactive", "peer=%s", b->peer);
		stream_lost(&b->st);
	}
}

/* ---- the stream's side ---- */

static void link_write(struct stream *st, struct str bytes)
{
	struct bosh *b = of(st);

	if (str_starts(bytes, STR("<stream:error")))
		b->condition = "remote-stream-error";
	buf_str(&b->out, bytes);
	if (b->overflown || b->out.n > BOSH_OUT_MAX) { /* as for any connection that nobody reads */
		b->overflown = true;
		buf_free(&b->out);
		timer_set(loop_of(b), &b->timer, 0);
		return;
	}
	settle_soon(b);
}

/* A stanza's head was written for a stream of jabber:client. */
static void link_write_two(struct stream *st, struct str head, struct str tail)
{
	struct bosh *b = of(st);
	size_t name_n = 1;

	if (!tail.n) {
		link_write(st, head);
		return;
	}
	while (name_n < head.n && !memchr(" >/", head.p[name_n], 3))
		name_n++;
	buf_put(&b->out, head.p, name_n);
	buf_puts(&b->out, " xmlns='" NS_CLIENT "'");
	buf_put(&b->out, head.p + name_n, head.n - name_n);
	link_write(st, tail);
}

static void link_write_open(struct stream *st, struct str id, struct str to)
{
	struct bosh *b = of(st);

	snprintf(b->stream_id, sizeof(b->stream_id), "%.*s", STR_ARG(id)); /* made of base64url */
}

static void link_write_close(struct stream *st)
{
	of(st)->ended = true;
	settle_soon(of(st));
}

static void link_restart(struct stream *st)
{
	(void)st; /* the client asks for it (XEP-0206 §6) */
}

/* The stream is over. What it said last waits for a request to go out with. */
static void link_free(struct stream *st)
{
	struct bosh *b = of(st);

	b->ghost = true;
	if (!b->ended || b->farewell || bosh_is_stopping(st->core->shard)) {
		bosh_free(b);
		return;
	}
	settle(b);
}

static size_t link_pending(struct stream *st)
{
	return of(st)->out.n;
}

static struct str link_peer(const struct stream *st)
{
	return str_of(container_of(st, struct bosh, st)->peer);
}

static void on_depart(struct deferred *d)
{
	struct bosh *b = container_of(d, struct bosh, depart);
	struct shard *to = b->moving;

	loop_undefer(&b->flush);
	timer_cancel(loop_of(b), &b->timer);
	bosh_move(b, to);
}

/* At the end of the turn: frames of the stream are open until then. */
static void link_move(struct stream *st, struct shard *to)
{
	struct bosh *b = of(st);

	b->moving = to;
	b->depart.run = on_depart;
	loop_defer(loop_of(b), &b->depart);
}

void bosh_arrived(struct bosh *b, struct shard *s)
{
	b->moving = NULL;
	stream_moved(&b->st, s);
	settle_soon(b);
}

static void open_stream(struct bosh *b, struct str to, struct str from)
{
	struct arena *a = core_arena(b->st.core);
	struct xml *open = xml_new(a, "open", NS_FRAMING);

	xml_set(a, open, "version", STR("1.0"));
	xml_set(a, open, "to", to.n ? to : b->st.host->domain); /* a restart may leave it out */
	if (from.n)
		xml_set(a, open, "from", from);
	stream_opened(&b->st, open);
}

static void element(struct bosh *b, struct str text)
{
	struct xml *el = stream_parse(&b->st, text);

	if (el)
		stream_element(&b->st, el, text.n);
}

static bool link_take(struct stream *st, struct arena *a)
{
	struct bosh *b = of(st);
	struct bosh_item *it = list_first(&b->input, struct bosh_item, link);

	if (list_empty(&b->input))
		return false;
	list_del(&it->link);
	b->input_bytes -= it->n;
	if (it->kind == BOSH_ELEMENT)
		element(b, (struct str){ it->text, it->n });
	else if (it->kind == BOSH_RESTART)
		open_stream(b, (struct str){ it->text, it->n }, STR_NONE);
	else
		stream_closed(st);
	free(it);
	settle_soon(b);
	return true;
}

static void link_feed(struct stream *st, struct str bytes)
{
	(void)st;
	(void)bytes; /* input comes as items */
}

static void link_keep(struct stream *st)
{
	(void)st;
}

static const struct stream_link bosh_link = {
	.write = link_write,
	.write_two = link_write_two,
	.write_open = link_write_open,
	.write_close = link_write_close,
	.restart = link_restart,
	.free = link_free,
	.feed = link_feed,
	.take = link_take,
	.keep = link_keep,
	.pending = link_pending,
	.peer = link_peer,
	.move = link_move,
	.websocket = true, /* every element names its namespace; no channel to bind to */
};

/* ---- requests ---- */

static void end_with(struct bosh *b, const char *condition)
{
	if (b->ended || b->ending)
		return;
	b->ending = true;
	b->condition = condition;
	bosh_items_drop(b);
	bosh_item_end(b); /* in its turn: the stream may be waiting for something */
	input_wake(&b->st);
	settle_soon(b);
}

/* §14.3: heard before. */
static void repeated(struct bosh *b, uint64_t rid, const struct bosh_reply *reply)
{
	struct arena *a = core_arena(b->st.core);
	struct bosh_replay *p;
	struct bosh_request *r;

	if (++b->repeats > BOSH_REPEATS_MAX) {
		bosh_say(reply, str_of(b->type), bosh_terminal(a, "policy-violation"));
		end_with(b, "policy-violation");
		return;
	}
	list_each(r, &b->requests, link) {
		if (r->rid != rid)
			continue;
		if (r->reply.exchange)
			bosh_say(&r->reply, str_of(b->type), STR("<body xmlns='" NS_HTTPBIND "' type='error'/>"));
		r->reply = *reply;
		r->since_ms = loop_of(b)->now_ms;
		settle_soon(b);
		return;
	}
	list_each(p, &b->replays, link) {
		if (p->rid != rid)
			continue;
		bosh_say(reply, str_of(b->type), buf_view(&p->body));
		return;
	}
	bosh_say(reply, str_of(b->type), bosh_terminal(a, "item-not-found"));
	end_with(b, "item-not-found");
}

static bool is_empty(const struct bosh_body *body)
{
	return !xml_child_any(body->el) && !body->restart && !body->terminate && !body->has_pause;
}

/* §11, §12: empty requests in quick succession although an answer is still held, or although the last one brought nothing. */
static bool is_too_fast(struct bosh *b, const struct bosh_body *body)
{
	uint64_t now = loop_of(b)->now_ms, last = b->last_empty_ms;
	bool polling = !b->hold || !b->wait_s;

	if (!is_empty(body)) {
		b->last_empty_ms = 0;
		return false;
	}
	b->last_empty_ms = now;
	if (!last || now - last >= BOSH_POLLING_S * 1000 || !config_bool(core_config(b->st.core), "limits.enabled"))
		return false;
	return polling ? b->last_was_empty : taken_n(b) >= b->requests_max;
}

/* Takes one request whose turn it is. Returns false when the session ends. */
static bool take_next(struct bosh *b, struct bosh_request *r, const struct bosh_body *body)
{
	struct bosh_replay *p;

	b->rid = r->rid;
	b->repeats = 0;
	b->pause_ms = 0;
	if (!bosh_key_ok(b, body, core_arena(b->st.core))) {
		end_with(b, "item-not-found");
		return false;
	}
	if (is_too_fast(b, body) || body->pause_s > BOSH_MAXPAUSE_S) {
		end_with(b, "policy-violation");
		return false;
	}
	if (body->has_ack)
		list_each(p, &b->replays, link)
			if (p->rid <= body->ack)
				replay_drop(b, p);
	if (body->has_pause) {
		b->pause_ms = body->pause_s * 1000;
		b->release = true;
	}
	bosh_body_items(b, body);
	return true;
}

static void take_in_order(struct bosh *b)
{
	struct arena *a = core_arena(b->st.core);
	struct bosh_request *r;

	list_each(r, &b->requests, link) {
		struct bosh_body body;
		char *text = r->text;

		if (!text)
			continue;
		if (r->rid != b->rid + 1)
			break;
		r->text = NULL;
		must(!bosh_body_parse(a, str_of(text), &body)); /* it was parsed when it came */
		free(text);
		if (!take_next(b, r, &body))
			return;
	}
}

/* By rid. */
static void insert(struct bosh *b, struct bosh_request *fresh)
{
	struct bosh_request *r;

	list_each(r, &b->requests, link) {
		if (r->rid < fresh->rid)
			continue;
		list_insert(&r->link, &fresh->link);
		return;
	}
	list_push(&b->requests, &fresh->link);
}

static bool is_known(struct bosh *b, uint64_t rid)
{
	struct bosh_request *r;

	if (rid <= b->rid)
		return true;
	list_each(r, &b->requests, link)
		if (r->rid == rid)
			return true;
	return false;
}

static struct bosh_request *request_new(struct bosh *b, uint64_t rid, const struct bosh_reply *reply, char *text)
{
	struct bosh_request *r = mem_alloc(sizeof(*r));

	*r = (struct bosh_request){ .rid = rid, .reply = *reply, .text = text, .since_ms = loop_of(b)->now_ms };
	return r;
}

void bosh_take(struct bosh *b, const struct bosh_body *body, const struct bosh_reply *reply, struct str text)
{
	struct arena *a = core_arena(b->st.core);

	if (b->ghost || b->ended || b->ending) { /* what was still to be said; then nothing is known of it */
		insert(b, request_new(b, body->rid, reply, NULL));
		settle_soon(b);
		return;
	}
	if (is_known(b, body->rid)) {
		repeated(b, body->rid, reply);
		return;
	}
	if (body->rid > b->rid + b->requests_max) { /* §14.2 */
		bosh_say(reply, str_of(b->type), bosh_terminal(a, "item-not-found"));
		end_with(b, "item-not-found");
		return;
	}
	insert(b, request_new(b, body->rid, reply, str_dup(text)));
	take_in_order(b);
	if (b->ending)
		return;
	stream_alive(&b->st);
	input_wake(&b->st);
	settle_soon(b);
}

/* ---- the whole ---- */

static uint32_t least(uint64_t wanted, uint32_t most)
{
	return wanted < most ? (uint32_t)wanted : most;
}

struct bosh *bosh_new(struct core *c, const struct bosh_body *body, const struct bosh_reply *reply, struct str peer, const char *type,
	const char *sid)
{
	struct bosh *b = mem_zalloc(sizeof(*b));

	b->st.link = &bosh_link;
	list_init(&b->requests);
	list_init(&b->replays);
	list_init(&b->input);
	b->flush.run = on_flush;
	b->timer.on_time = on_timer;
	snprintf(b->sid, sizeof(b->sid), "%s", sid);
	snprintf(b->peer, sizeof(b->peer), "%.*s", STR_ARG(peer));
	snprintf(b->type, sizeof(b->type), "%s", type);
	b->wait_s = least(body->wait_s, BOSH_WAIT_MAX_S);
	b->hold = b->wait_s ? least(body->hold, BOSH_HOLD_MAX) : 0;
	b->requests_max = b->hold + 1;
	b->ver_minor = body->ver_minor ? body->ver_minor : 6;
	b->acks = body->has_ack && body->ack == 1;
	b->rid = body->rid;
	b->answered = body->rid - 1;
	stream_init(&b->st, c, true);
	list_push(&b->requests, &request_new(b, body->rid, reply, NULL)->link);
	bosh_key_ok(b, body, core_arena(c));
	open_stream(b, body->to, body->from);
	settle_soon(b);
	return b;
}

void bosh_free(struct bosh *b)
{
	struct bosh_request *r;
	struct bosh_replay *p;

	loop_undefer(&b->flush);
	loop_undefer(&b->depart);
	timer_cancel(loop_of(b), &b->timer);
	list_each(r, &b->requests, link) {
		if (r->reply.exchange)
			bosh_say(&r->reply, str_of(b->type), bosh_terminal(core_arena(b->st.core), "item-not-found"));
		request_free(r);
	}
	list_each(p, &b->replays, link)
		replay_drop(b, p);
	bosh_items_drop(b);
	buf_free(&b->out);
	bosh_gone(b);
	free(b);
}

void bosh_discard(struct bosh *b)
{
	struct bosh_request *r;
	struct bosh_replay *p;

	list_each(r, &b->requests, link)
		request_free(r);
	list_each(p, &b->replays, link)
		replay_drop(b, p);
	bosh_items_drop(b);
	buf_free(&b->out);
	if (!b->ghost)
		stream_fini(&b->st);
	free(b);
}

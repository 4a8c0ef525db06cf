/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0352 1.0.0: the stanzas held back for one inactive session. They were not sent and are not counted yet. */
#include "core/csi.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "core/weight.h"

struct held {
	struct list link;
	struct blob *tail;
	uint64_t offline_id;
	uint32_t head_n, from_n;
	uint8_t kind;
	bool keep;
	char bytes[]; /* head, then the sender */
};

struct csi {
	struct list held; /* in the order in which they will leave */
	uint32_t n, bytes;
	struct session *session;
	struct timer timer; /* csi.hold since the first of them */
};

static void drop(struct csi *c, struct held *h)
{
	list_del(&h->link);
	c->n--;
	c->bytes -= h->head_n + (uint32_t)h->tail->n;
	blob_unref(h->tail);
	free(h);
}

static void drop_replaced(struct csi *c, struct held *h)
{
	metric_add(M_CSI_REPLACED, 1);
	drop(c, h);
}

/* Availability of the same sender is worth its newest word only. */
static void replace_presence(struct csi *c, struct str from)
{
	struct held *h;

	list_each(h, &c->held, link)
		if (h->kind == ST_PRESENCE && str_eq((struct str){ h->bytes + h->head_n, h->from_n }, from))
			drop_replaced(c, h);
}

static void on_time(struct timer *t)
{
	csi_flush(container_of(t, struct csi, timer)->session);
}

static struct csi *csi_of(struct session *s)
{
	if (!s->csi) {
		s->csi = mem_zalloc(sizeof(*s->csi));
		s->csi->session = s;
		s->csi->timer.on_time = on_time;
		list_init(&s->csi->held);
	}
	return s->csi;
}

static bool may_wait(struct session *s, struct stanza *st, const struct outgoing *o)
{
	bool rooms = config_bool(core_config(s->core), "csi.hold_rooms"), room = st->kind == ST_MESSAGE && st->type == MSG_GROUPCHAT;
	enum weight w;

	if (st->kind == ST_MESSAGE && (st->flags & (SF_BODY | SF_CARBON)) == SF_BODY && !(room && rooms))
		return false; /* the usual case costs no look inside */
	/* Without XEP-0198 what is worth keeping would be lost with the connection: it is not held back. */
	if (o->keep && !s->sm)
		return false;
	w = stanza_weight(s->user, st, room ? session_nick(s, st->from) : STR_NONE);
	return w == WEIGHT_LIGHT || (w == WEIGHT_ROOM && s->sm && rooms);
}

bool csi_hold(struct session *s, struct stanza *st, const struct outgoing *o)
{
	struct csi *c;
	struct held *h;

	if (!may_wait(s, st, o)) {
		csi_flush(s);
		return false;
	}
	c = csi_of(s);
	if (st->kind == ST_PRESENCE)
		replace_presence(c, st->from.full);
	h = mem_alloc(sizeof(*h) + o->head.n + st->from.full.n);
	*h = (struct held){ .tail = blob_ref(o->tail), .offline_id = o->offline_id, .head_n = (uint32_t)o->head.n,
		.from_n = (uint32_t)st->from.full.n, .kind = o->kind, .keep = o->keep };
	memcpy(h->bytes, o->head.p, o->head.n);
	if (st->from.full.n)
		memcpy(h->bytes + o->head.n, st->from.full.p, st->from.full.n);
	list_push(&c->held, &h->link);
	metric_add(M_CSI_HELD, 1);
	c->n++;
	c->bytes += h->head_n + (uint32_t)h->tail->n;
	if (c->n >= CSI_HELD_MAX || c->bytes > CSI_HELD_BYTES_MAX)
		csi_flush(s);
	else if (!timer_is_set(&c->timer))
		timer_set(&s->core->shard->loop, &c->timer, (uint64_t)config_int(core_config(s->core), "csi.hold"));
	return true;
}

static void send_first(struct session *s, struct csi *c)
{
	struct held *h = list_first(&c->held, struct held, link);

	session_out(s, &(struct outgoing){ .head = { h->bytes, h->head_n }, .tail = h->tail, .offline_id = h->offline_id,
		.kind = h->kind, .keep = h->keep });
	drop(c, h);
}

void csi_flush(struct session *s)
{
	struct csi *c = s->csi;

	if (!c)
		return;
	timer_cancel(&s->core->shard->loop, &c->timer);
	while (!list_empty(&c->held))
		send_first(s, c);
}

void csi_set(struct session *s, bool inactive)
{
	s->inactive = inactive;
	if (inactive)
		return;
	csi_flush(s);
	free(s->csi);
	s->csi = NULL;
}

void csi_end(struct session *s)
{
	struct csi *c = s->csi;

	if (!c)
		return;
	timer_cancel(&s->core->shard->loop, &c->timer);
	while (!list_empty(&c->held)) {
		struct held *h = list_first(&c->held, struct held, link);

		if (h->keep && s->sm)
			send_first(s, c);
		else
			drop(c, h);
	}
	free(c);
	s->csi = NULL;
}

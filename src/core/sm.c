/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 1.6.3 stream management of a session. What the client sends is acknowledged only when it is dealt with and,
 * for archived messages, on disk: see receipts. */
#include "core/sm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/csi.h"
#include "core/feature.h"
#include "core/offline.h"
#include "crypto/random.h"

int session_sm_enable(struct session *s, bool resume, uint64_t max_ms)
{
	struct sm *sm;

	if (s->sm)
		return -EALREADY;
	sm = s->sm = mem_zalloc(sizeof(*sm));
	if (!resume)
		return 0;
	struct str token = random_token(core_arena(s->core), 32);

	memcpy(sm->id, token.p, token.n < sizeof(sm->id) ? token.n : sizeof(sm->id) - 1);
	sm->max_ms = (uint64_t)config_int(core_config(s->core), "sm.resume");
	if (max_ms && max_ms < sm->max_ms)
		sm->max_ms = max_ms;
	return 0;
}

static void on_overflow(struct timer *t)
{
	session_kick(container_of(t, struct session, expiry), "policy-violation", "Too many stanzas are not acknowledged.");
}

bool sm_keep(struct session *s, const struct outgoing *o)
{
	struct sm *sm = s->sm;
	struct unacked *u;

	if (!s->overflown && (sm->n >= SM_QUEUE_MAX || sm->bytes > SM_QUEUE_BYTES_MAX)) {
		s->overflown = true; /* ended by the timer: a caller may be walking the user's sessions */
		s->expiry.on_time = on_overflow;
		timer_set(&s->core->shard->loop, &s->expiry, 0);
	}
	if (s->overflown && !o->keep)
		return false;
	u = mem_alloc(sizeof(*u) + o->head.n);
	*u = (struct unacked){ .tail = blob_ref(o->tail), .head_n = (uint32_t)o->head.n, .kind = o->kind, .keep = o->keep,
		.offline_id = o->offline_id };
	u->at_ms = o->kind == ST_MESSAGE ? clock_wall_ms() : 0;
	memcpy(u->head, o->head.p, o->head.n);
	if (sm->last)
		sm->last->next = u;
	else
		sm->first = u;
	sm->last = u;
	sm->n++;
	sm->bytes += (uint32_t)(o->head.n + o->tail->n);
	sm->out++;
	return !s->overflown;
}

static void drop_first(struct sm *sm)
{
	struct unacked *u = sm->first;

	sm->first = u->next;
	if (!sm->first)
		sm->last = NULL;
	sm->n--;
	sm->bytes -= u->head_n + u->tail->n;
	blob_unref(u->tail);
	free(u);
}

static void on_ask(struct timer *t)
{
	struct session *s = container_of(t, struct session, ask);

	if (s->sm && s->sm->n && s->ops) {
		s->sm->asked_at = s->sm->out;
		session_nonza(s, STR("<r xmlns='urn:xmpp:sm:3'/>"));
	}
}

void sm_ask_if_due(struct session *s)
{
	struct sm *sm = s->sm;

	if (!s->ops)
		return;
	if (sm->out - sm->asked_at >= SM_ASK_EVERY) {
		sm->asked_at = sm->out;
		session_nonza(s, STR("<r xmlns='urn:xmpp:sm:3'/>"));
	} else if (!timer_is_set(&s->ask)) {
		s->ask.on_time = on_ask;
		timer_set(&s->core->shard->loop, &s->ask, SM_ASK_MS);
	}
}

int session_sm_acked(struct session *s, uint32_t h)
{
	struct sm *sm = s->sm;
	uint32_t n = h - sm->acked;

	if (n > sm->n)
		return -ERANGE;
	while (n--) {
		offline_acked(s, sm->first);
		drop_first(sm);
	}
	sm->acked = h;
	return 0;
}

struct session *session_sm_find(struct user *u, struct str token)
{
	struct session *s;

	if (token.n == 0)
		return NULL;
	list_each(s, &u->sessions, in_user)
		if (s->sm && !s->overflown && s->sm->id[0] && equal_ct(str_of(s->sm->id), token))
			return s;
	return NULL;
}

int session_sm_attach(struct session *s, uint32_t h, const struct session_ops *ops, void *link)
{
	const struct session_ops *old = s->ops;

	if (s->overflown || s->sm->in != s->sm->durable) /* the h that we would tell is too low: the rest would come twice */
		return -EBUSY;
	if (h - s->sm->acked > s->sm->n)
		return -ERANGE;
	timer_cancel(&s->core->shard->loop, &s->expiry);
	s->ops = NULL;
	if (old) /* the old connection is still there, perhaps half open (XEP-0198 §5) */
		old->close(s, "conflict", "Resumed by another connection.");
	session_rate_forget(s);
	s->ops = ops;
	s->link = link;
	s->links++;
	s->sm->paused = false;
	return session_sm_acked(s, h);
}

void session_sm_replay(struct session *s)
{
	for (struct unacked *u = s->sm->first; u && s->ops; u = u->next)
		s->ops->send(s, (struct str){ u->head, u->head_n }, blob_view(u->tail));
	csi_set(s, false); /* XEP-0352 §5.2: a resumed stream begins active */
	s->sm->asked_at = s->sm->out;
	if (s->sm->n)
		session_nonza(s, STR("<r xmlns='urn:xmpp:sm:3'/>"));
}

/* Who waits for the disk waits in vain. */
static void displace(struct sm *sm)
{
	sm_durable_fn *fn = sm->when_durable;

	sm->when_durable = NULL;
	if (fn)
		fn(NULL, sm->when_durable_arg);
}

void sm_give_back(struct session *s)
{
	struct sm *sm = s->sm;

	if (!sm)
		return;
	while (sm->first) {
		if (sm->first->keep || sm->first->kind == ST_IQ)
			offline_give_back(s, sm->first);
		drop_first(sm);
	}
	displace(sm);
	free(sm);
	s->sm = NULL;
}

/* ---- what the client sends ---- */

struct receipt session_sm_received(struct session *s)
{
	struct sm *sm = s->sm;

	if (!sm)
		return (struct receipt){ 0 };
	sm->in++;
	if (sm->in - sm->durable >= SM_UNDURABLE_MAX - 1 && !sm->paused && s->ops) {
		sm->paused = true;
		s->ops->pause(s, true);
	}
	return (struct receipt){ .shard = s->core->shard, .session = s->id, .seq = sm->in };
}

static void send_ack(struct session *s)
{
	char a[64];
	int n = snprintf(a, sizeof(a), "<a xmlns='urn:xmpp:sm:3' h='%u'/>", s->sm->durable);

	s->sm->told = s->sm->durable;
	session_nonza(s, (struct str){ a, (size_t)n });
}

static void answer_if_due(struct session *s)
{
	struct sm *sm = s->sm;

	if (!sm->ack_wanted || (int32_t)(sm->durable - sm->ack_upto) < 0) {
		if (sm->durable - sm->told >= SM_TELL_EVERY)
			send_ack(s);
		return;
	}
	send_ack(s);
	if ((int32_t)(sm->durable - sm->ack_last) >= 0)
		sm->ack_wanted = false;
	else
		sm->ack_upto = sm->ack_last; /* asked again meanwhile: answered when that is on disk */
}

static void tell_durable(struct session *s)
{
	struct sm *sm = s->sm;
	sm_durable_fn *fn = sm->when_durable;

	if (!fn || sm->durable != sm->in)
		return;
	sm->when_durable = NULL;
	fn(s, sm->when_durable_arg);
}

void session_sm_asked(struct session *s)
{
	struct sm *sm = s->sm;

	sm->ack_last = sm->in;
	if (!sm->ack_wanted)
		sm->ack_upto = sm->in;
	sm->ack_wanted = true;
	answer_if_due(s);
}

void session_sm_when_durable(struct session *s, sm_durable_fn *fn, void *arg)
{
	struct sm *sm = s->sm;

	displace(sm);
	sm->when_durable = fn;
	sm->when_durable_arg = arg;
	tell_durable(s);
}

static void mark_durable(struct session *s, uint32_t seq)
{
	struct sm *sm = s->sm;
	uint32_t bit = seq % SM_UNDURABLE_MAX;

	must(seq - sm->durable - 1 < SM_UNDURABLE_MAX);
	sm->done[bit / 8] |= (uint8_t)(1u << bit % 8);
	for (;;) {
		bit = (sm->durable + 1) % SM_UNDURABLE_MAX;
		if (sm->durable == sm->in || !(sm->done[bit / 8] & 1u << bit % 8))
			break;
		sm->done[bit / 8] &= (uint8_t) ~(1u << bit % 8);
		sm->durable++;
	}
	if (sm->paused && sm->in - sm->durable < SM_UNDURABLE_MAX / 2 && s->ops) {
		sm->paused = false;
		s->ops->pause(s, false);
	}
	answer_if_due(s);
	tell_durable(s);
}

/* Receipts for sessions of one other shard. */
struct receipt_mail {
	struct mail mail;
	int n;
	struct receipt r[RECEIPTS_PER_MAIL];
};

static void deal_with(struct core *c, struct receipt r)
{
	struct session *s = r.done ? NULL : session_get(c, r.session);

	if (r.done)
		r.done(c, r.session, r.seq);
	else if (s && s->sm)
		mark_durable(s, r.seq);
}

static void on_receipts(struct shard *sh, struct mail *m)
{
	struct receipt_mail *rm = container_of(m, struct receipt_mail, mail);

	for (int i = 0; i < rm->n; i++)
		deal_with(sh->core, rm->r[i]);
	free(rm);
}

static const struct mail_kind MAIL_RECEIPTS = { .name = "sm.receipts", .handle = on_receipts, .must_arrive = true };

void receipts_flush(struct core *c)
{
	for (int i = 0; i < c->env->shards->n; i++) {
		struct receipt_mail *m = c->receipts[i];

		c->receipts[i] = NULL;
		if (m)
			shard_post(c->env->shards->v[i], &m->mail);
	}
	loop_undefer(&c->receipts_due);
}

static void on_receipts_due(struct deferred *d)
{
	receipts_flush(container_of(d, struct core, receipts_due));
}

/* One commit makes many messages durable: their receipts share a mail. */
static void receipt_later(struct core *c, struct receipt r)
{
	struct receipt_mail **m = &c->receipts[r.shard->index];

	if (!*m) {
		*m = mem_alloc(sizeof(**m));
		(*m)->mail = (struct mail){ .kind = &MAIL_RECEIPTS };
		(*m)->n = 0;
		c->receipts_due.run = on_receipts_due;
		loop_defer(&c->shard->loop, &c->receipts_due);
	}
	(*m)->r[(*m)->n++] = r;
	if ((*m)->n == RECEIPTS_PER_MAIL) {
		shard_post(r.shard, &(*m)->mail);
		*m = NULL;
	}
}

void receipt_done(struct receipt r)
{
	struct shard *self = shard_self();

	if (!r.shard)
		return;
	must(self && self->core);
	if (r.shard != self) {
		receipt_later(self->core, r);
		return;
	}
	deal_with(self->core, r);
}

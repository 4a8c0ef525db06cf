/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 1.6.3 between servers. What a peer sends is acknowledged when it is dealt with and on disk; what we send stays in the pair's
 * queue until the peer has acknowledged it. A stream that broke is resumed by the same domain only. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "proto/xmpp/sm.h"
#include "xmpp/s2s_priv.h"

enum { RESUMABLE_MAX = 1000 /* streams of peers that one shard remembers when they broke */ };

static struct s2s_sm *sm_new(struct s2s_stream *st)
{
	struct s2s_sm *sm = mem_zalloc(sizeof(*sm));

	sm->core = st->s2s->core;
	sm->id = ids_add(&st->s2s->sms, sm);
	sm->local = mem_strdup(st->local);
	sm->remote = mem_strdup(st->remote);
	sm->stream = st;
	st->sm = sm;
	return sm;
}

/* Is resumed, or never will be. */
static void not_resumable(struct s2s_sm *sm)
{
	timer_cancel(&sm->core->shard->loop, &sm->expiry);
	if (list_linked(&sm->link))
		s2s_of(sm->core)->resumable_n--;
	list_del(&sm->link);
}

void s2s_sm_free(struct s2s_sm *sm)
{
	if (!sm)
		return;
	not_resumable(sm);
	if (sm->stream)
		sm->stream->sm = NULL;
	ids_drop(&s2s_of(sm->core)->sms, sm->id);
	free(sm->peer_token);
	free(sm->local);
	free(sm->remote);
	free(sm);
}

void s2s_sm_free_all(struct s2s *s)
{
	struct s2s_sm *sm;

	list_each(sm, &s->resumable, link)
		s2s_sm_free(sm);
}

static void on_expiry(struct timer *t)
{
	s2s_sm_free(container_of(t, struct s2s_sm, expiry));
}

/* Makes room for one more of this domain: its own oldest goes before anybody else's. */
static void forget_oldest(struct s2s *s, const char *remote)
{
	struct s2s_sm *sm;

	list_each(sm, &s->resumable, link) {
		if (strcmp(sm->remote, remote) == 0) {
			s2s_sm_free(sm);
			return;
		}
	}
	s2s_sm_free(list_first(&s->resumable, struct s2s_sm, link));
}

void s2s_sm_leave(struct s2s_stream *st, bool resumable)
{
	struct s2s_sm *sm = st->sm;
	struct s2s *s = st->s2s;

	if (!sm)
		return;
	st->sm = NULL;
	sm->stream = NULL;
	sm->paused = sm->asking = false;
	if (resumable && st->outgoing && sm->peer_token && st->pair && st->pair->ready == st && !sm->before) {
		s2s_sm_free(st->pair->resume);
		st->pair->resume = sm; /* the pair asks for it when it is back */
	} else if (resumable && !st->outgoing && sm->token[0]) {
		if (s->resumable_n >= RESUMABLE_MAX)
			forget_oldest(s, sm->remote);
		list_push(&s->resumable, &sm->link);
		s->resumable_n++;
		sm->expiry.on_time = on_expiry;
		timer_set(&sm->core->shard->loop, &sm->expiry, s2s_int(s, "sm.resume"));
	} else {
		s2s_sm_free(sm);
	}
}

/* ---- what the peer sends ---- */

static void tell(struct s2s_sm *sm)
{
	sm->told = sm->durable;
	s2s_printf(sm->stream, "<a xmlns='" NS_SM "' h='%u'/>", sm->durable);
}

static void on_done(struct core *c, id_t64 who, uint32_t seq)
{
	struct s2s *s = s2s_of(c);
	struct s2s_sm *sm = s ? ids_get(&s->sms, who) : NULL;

	if (!sm || seq - sm->durable - 1 >= S2S_UNDURABLE_MAX)
		return;
	sm->done[seq % S2S_UNDURABLE_MAX / 8] |= (uint8_t)(1u << seq % 8);
	while (sm->durable != sm->in) {
		uint32_t bit = (sm->durable + 1) % S2S_UNDURABLE_MAX;

		if (!(sm->done[bit / 8] & 1u << bit % 8))
			break;
		sm->done[bit / 8] &= (uint8_t) ~(1u << bit % 8);
		sm->durable++;
	}
	if (!sm->stream)
		return;
	if (sm->asked && sm->durable == sm->in) {
		sm->asked = false;
		tell(sm);
	} else if (sm->durable - sm->told >= S2S_TELL_EVERY) {
		tell(sm);
	}
	if (sm->paused && sm->in - sm->durable < S2S_UNDURABLE_MAX / 2) {
		sm->paused = false;
		s2s_pause(sm->stream, false);
	}
}

struct receipt s2s_sm_received(struct s2s_stream *st)
{
	struct s2s_sm *sm = st->sm;

	if (!sm || !sm->counting)
		return (struct receipt){ 0 };
	sm->in++;
	if (sm->in - sm->durable >= S2S_UNDURABLE_MAX - 1 && !sm->paused) {
		sm->paused = true;
		s2s_pause(st, true);
	}
	return (struct receipt){ .shard = sm->core->shard, .session = sm->id, .seq = sm->in, .done = on_done };
}

static void on_asked(struct s2s_stream *st)
{
	st->sm->asked = true;
	if (st->sm->durable == st->sm->in || st->sm->durable != st->sm->told) {
		st->sm->asked = st->sm->durable != st->sm->in;
		tell(st->sm);
	}
}

static void failed(struct s2s_stream *st, const char *condition)
{
	s2s_printf(st, "<failed xmlns='" NS_SM "'><%s xmlns='" NS_STANZA_ERRORS "'/></failed>", condition);
}

static bool is_true(struct str s)
{
	return str_is(s, "true") || str_is(s, "1");
}

static void enable(struct s2s_stream *st, struct xml *el)
{
	struct str token;

	if (st->outgoing || st->sm || !st->verified.n || !st->remote) {
		failed(st, "unexpected-request");
		return;
	}
	sm_new(st)->counting = true;
	if (st->pair && st->pair->ready == st)
		st->sm->before = st->pair->unacked.n;
	if (!is_true(xml_get(el, "resume"))) {
		s2s_write(st, STR("<enabled xmlns='" NS_SM "'/>"));
		return;
	}
	token = random_token(s2s_arena(st->s2s), 32);
	memcpy(st->sm->token, token.p, token.n < sizeof(st->sm->token) ? token.n : sizeof(st->sm->token) - 1);
	s2s_printf(st, "<enabled xmlns='" NS_SM "' id='%s' resume='true' max='%u'/>", st->sm->token,
		(unsigned)(s2s_int(st->s2s, "sm.resume") / 1000));
}

/* Of the same pair of domains only: a token alone is not enough. */
static struct s2s_sm *find(struct s2s_stream *st, struct str token)
{
	struct s2s_sm *sm;

	list_each(sm, &st->s2s->resumable, link)
		if (sm->token[0] && equal_ct(str_of(sm->token), token) && strcmp(sm->remote, st->remote) == 0 && strcmp(sm->local, st->local) == 0)
			return sm;
	return NULL;
}

static void resume(struct s2s_stream *st, struct xml *el)
{
	struct s2s_sm *sm = st->outgoing || st->sm || !st->verified.n || !st->remote ? NULL : find(st, xml_get(el, "previd"));
	uint64_t h;

	if (!sm || str_u64(xml_get(el, "h"), UINT32_MAX, &h)) {
		failed(st, sm ? "bad-request" : "item-not-found");
		return;
	}
	if (sm->in != sm->durable) { /* the h that we would tell is too low: the rest would come twice */
		failed(st, "resource-constraint");
		return;
	}
	not_resumable(sm);
	sm->stream = st;
	st->sm = sm;
	sm->before = st->pair && st->pair->ready == st ? st->pair->unacked.n : 0;
	sm->out = sm->acked = (uint32_t)h; /* what it did not get of ours has gone another way */
	s2s_printf(st, "<resumed xmlns='" NS_SM "' previd='%s' h='%u'/>", sm->token, sm->durable);
}

/* ---- what we send ---- */

/* One question at a time: what is sent meanwhile is asked for when the answer comes. */
void s2s_sm_ask(struct s2s_stream *st)
{
	if (st->sm->asking)
		return;
	st->sm->asking = true;
	st->sm->asked_out = st->sm->out;
	s2s_write(st, STR("<r xmlns='" NS_SM "'/>"));
}

static void on_ack(struct s2s_stream *st, struct xml *el)
{
	struct s2s_sm *sm = st->sm;
	uint32_t n, before;
	uint64_t h;

	if (str_u64(xml_get(el, "h"), UINT32_MAX, &h) || sm_ack(sm->acked, sm->out, (uint32_t)h, &n)) {
		s2s_error(st, "undefined-condition", NULL);
		return;
	}
	before = sm->before;
	sm->before = 0;
	sm->acked = (uint32_t)h;
	sm->asking = false;
	if (!st->pair || st->pair->ready != st)
		return;
	s2s_pair_acked(st->pair, before + n);
	/* Not again after an answer that brought nothing: a peer may answer at once and know no more. */
	if (st->sm == sm && st->pair->unacked.n && (before + n || sm->out != sm->asked_out))
		s2s_sm_ask(st);
}

void s2s_sm_begin(struct s2s_stream *st)
{
	struct s2s_sm *old = st->pair->resume;

	if (old) {
		s2s_printf(st, "<resume xmlns='" NS_SM "' previd='%.*s' h='%u'/>", STR_ARG(s2s_quoted(st, str_of(old->peer_token))), old->durable);
		return;
	}
	sm_new(st);
	s2s_write(st, STR("<enable xmlns='" NS_SM "' resume='true'/>"));
	if (st->pair->ready && st->pair->ready != st)
		return;
	s2s_pair_ready(st->pair, st);
}

static void on_enabled(struct s2s_stream *st, struct xml *el)
{
	struct str id = xml_get(el, "id");

	st->sm->counting = true;
	if (st->sm->peer_token || !is_true(xml_get(el, "resume")) || !id.n || id.n > S2S_ID_MAX)
		return;
	st->sm->peer_token = str_dup(id);
}

static void on_resumed(struct s2s_stream *st, struct xml *el)
{
	struct s2s_pair *p = st->pair;
	struct s2s_sm *sm = p ? p->resume : NULL;
	uint32_t n;
	uint64_t h;

	if (!sm || st->sm || str_u64(xml_get(el, "h"), UINT32_MAX, &h) || sm_ack(sm->acked, sm->out, (uint32_t)h, &n) || n > p->resend_n) {
		s2s_error(st, "undefined-condition", NULL);
		return;
	}
	p->resume = NULL;
	st->sm = sm;
	sm->stream = st;
	sm->acked = sm->out = (uint32_t)h; /* what it did not get is sent, and counted, again */
	log_info("s2s.resumed", "remote=%s local=%s again=%u", st->remote, st->local, p->resend_n - n);
	s2s_pair_unresend(p, n);
	s2s_pair_ready(p, st);
}

static void on_failed(struct s2s_stream *st, struct xml *el)
{
	struct s2s_pair *p = st->pair;

	(void)el;
	if (p && p->resume) {
		s2s_sm_free(p->resume);
		p->resume = NULL;
		p->resend_n = 0;
		s2s_sm_begin(st);
		return;
	}
	/* It does not do it after all. */
	s2s_sm_free(st->sm);
	if (p)
		s2s_pair_ready(p, st);
}

static const struct {
	const char *name;
	bool running; /* only with XEP-0198 on */
	bool outgoing; /* only on streams that we opened */
	void (*handle)(struct s2s_stream *st, struct xml *el);
} elements[] = {
	{ "enable", false, false, enable },
	{ "resume", false, false, resume },
	{ "a", true, false, on_ack },
	{ "enabled", true, true, on_enabled },
	{ "resumed", false, true, on_resumed },
	{ "failed", false, true, on_failed },
};

void s2s_sm_element(struct s2s_stream *st, struct xml *el)
{
	if (str_is(el->name, "r") && st->sm) {
		on_asked(st);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
		if (!str_is(el->name, elements[i].name) || (elements[i].running && !st->sm) || (elements[i].outgoing && !st->outgoing))
			continue;
		elements[i].handle(st, el);
		return;
	}
	s2s_error(st, "unsupported-stanza-type", NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a client sends (RFC 6120 §8.1): shape, rate, `from`, count for XEP-0198; then on its way by kind. */
#include <errno.h>

#include "base/metrics.h"
#include "core/csi.h"
#include "core/iq.h"
#include "core/presence.h"
#include "core/session.h"
#include "proto/xmpp/ns.h"

enum { RATE_BURST = 300, RATE_PER_S = 50, RATE_PAUSE_MS = 200 };

static void on_refill(struct timer *t)
{
	struct session *s = container_of(t, struct session, rate);

	if (s->rate_paused && s->ops)
		s->ops->pause(s, false);
	s->rate_paused = false;
}

void session_rate_forget(struct session *s)
{
	timer_cancel(&s->core->shard->loop, &s->rate);
	s->rate_paused = false;
}

/* Token bucket per session. A client over its rate is read more slowly: nothing is lost, nobody else waits. */
static void count_rate(struct session *s)
{
	uint64_t now = s->core->shard->loop.now_ms;

	if (!config_bool(core_config(s->core), "limits.enabled"))
		return;
	s->rate_tokens += s->rate_at_ms ? (now - s->rate_at_ms) * RATE_PER_S : RATE_BURST * 1000;
	if (s->rate_tokens > RATE_BURST * 1000)
		s->rate_tokens = RATE_BURST * 1000;
	s->rate_at_ms = now;
	if (s->rate_tokens >= 1000)
		s->rate_tokens -= 1000;
	if (s->rate_tokens >= 1000 || s->rate_paused || !s->ops)
		return;
	metric_add(M_RATE_LIMITED, 1);
	s->rate_paused = true;
	s->ops->pause(s, true);
	s->rate.on_time = on_refill;
	timer_set(&s->core->shard->loop, &s->rate, RATE_PAUSE_MS);
}

/* RFC 6120 §8.1.2.1: `from` must be the full or bare JID of the session; the server writes the full one. */
static bool from_is_own(struct session *s, struct str from)
{
	struct jid j;

	if (!from.p)
		return true;
	if (jid_parse(core_arena(s->core), from, &j))
		return false;
	return jid_eq(j, s->jid) || jid_eq(j, s->user->jid);
}

static void receive_message(struct session *s, struct stanza *st, struct receipt r)
{
	struct transit t = { .core = s->core, .user = s->user, .session = s, .st = st, .receipt = r };

	if (st->to.full.n == 0)
		st->to = s->user->jid; /* RFC 6120 §10.3.1 */
	stanza_scan(st);
	pipeline_send(&t);
}

static void receive_iq(struct session *s, struct stanza *st)
{
	struct jid to = st->to;
	bool own = to.full.n == 0 || jid_eq(to, s->user->jid);

	if (own) {
		st->to = s->user->jid;
		iq_dispatch(s->core, s, s->user, st, TO_SELF);
	} else if (str_eq(to.full, jid_domain(s->jid))) {
		iq_dispatch(s->core, s, NULL, st, TO_SERVER);
	} else if ((st->type == IQ_GET || st->type == IQ_SET) && user_blocks(s->user, to)) {
		iq_blocked(s->core, st);
	} else {
		router_route(s->core, st);
	}
}

/* RFC 6120 §8.2.3: an IQ has an id; a request holds exactly one child, a result at most one. */
static bool iq_shape_ok(const struct stanza *st)
{
	struct xml *first = xml_child_any(st->el);

	if (!st->id.p)
		return false;
	if (st->type == IQ_GET || st->type == IQ_SET)
		return first && !xml_next(first);
	return true;
}

static void refuse(struct session *s, struct stanza *st, enum stanza_error e, const char *text)
{
	struct stanza err;

	st->to = JID_NONE;
	if (stanza_error_reply(core_arena(s->core), st, e, text, &err)) {
		err.from = s->user->jid;
		err.to = s->jid;
		metric_add(M_STANZA_ERRORS, 1);
		session_send(s, &err, NULL);
		stanza_fini(&err);
	}
}

static void dispatch(struct session *s, struct stanza *st, int shape, struct receipt r)
{
	if (shape == -EINVAL)
		refuse(s, st, ERR_JID_MALFORMED, NULL);
	else if (shape || (st->kind == ST_IQ && !iq_shape_ok(st)))
		refuse(s, st, ERR_BAD_REQUEST, NULL);
	else if (st->kind == ST_MESSAGE) {
		receive_message(s, st, r);
		return;
	} else if (st->kind == ST_PRESENCE)
		presence_out(s, st);
	else
		receive_iq(s, st);
	receipt_done(r);
}

int session_receive(struct session *s, struct xml *el)
{
	struct stanza st;
	int shape;

	if (!str_is(el->ns, NS_CLIENT) ||
		!(str_is(el->name, "message") || str_is(el->name, "presence") || str_is(el->name, "iq")))
		return -EINVAL;
	if (!from_is_own(s, xml_get(el, "from")))
		return -EACCES;
	xml_unset(el, "from");
	shape = stanza_from_xml(core_arena(s->core), el, &st);
	st.from = s->jid;
	s->active_ms = s->core->shard->loop.now_ms;
	csi_flush(s); /* the client's radio is awake: what was held back costs nothing now */
	metric_add(M_STANZAS_IN, 1);
	count_rate(s);
	dispatch(s, &st, shape, session_sm_received(s));
	stanza_fini(&st);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanzas of other servers: their addresses (RFC 6120 §8.1), their namespace, what they may not say; then as any other stanza. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "xmpp/s2s_priv.h"

enum { RATE_BURST_S = 3, RATE_PAUSE_MS = 100 };

static void on_refill(struct timer *t)
{
	s2s_pause(container_of(t, struct s2s_stream, rate), false);
}

/* Token bucket: a stream over its rate is read more slowly, nothing is lost. */
static void count_rate(struct s2s_stream *st)
{
	struct loop *l = &st->s2s->core->shard->loop;
	uint64_t rate = s2s_int(st->s2s, "s2s.rate"), now = l->now_ms;

	if (!s2s_bool(st->s2s, "limits.enabled"))
		return;
	st->rate_tokens += st->rate_at_ms ? (now - st->rate_at_ms) * rate : RATE_BURST_S * rate * 1000;
	if (st->rate_tokens > RATE_BURST_S * rate * 1000)
		st->rate_tokens = RATE_BURST_S * rate * 1000;
	st->rate_at_ms = now;
	if (st->rate_tokens >= 1000)
		st->rate_tokens -= 1000;
	if (st->rate_tokens >= 1000 || timer_is_set(&st->rate))
		return;
	metric_add(M_RATE_LIMITED, 1);
	st->rate.on_time = on_refill;
	timer_set(l, &st->rate, RATE_PAUSE_MS);
	s2s_pause(st, true);
}

/* The content namespace is another one inside this server (RFC 6120 §4.8.3). */
static void to_client_ns(struct xml *el)
{
	if (str_is(el->ns, NS_SERVER))
		el->ns = STR(NS_CLIENT);
	xml_each(child, el)
		to_client_ns(child);
}

/* What only this server may say of its own entities (XEP-0359 §6, XEP-0203). */
static void take_out(struct core *c, struct xml *el)
{
	struct xml *child, *next;

	for (child = xml_child_any(el); child; child = next) {
		const char *who = xml_is(child, "stanza-id", NS_SID) ? "by" : xml_is(child, "delay", NS_DELAY) ? "from" : NULL;
		struct jid j;

		next = xml_next(child);
		if (who && !jid_parse(core_arena(c), xml_get(child, who), &j) && core_is_local(c, jid_domain(j)))
			xml_detach(child);
	}
}

static bool from_ok(const struct s2s_stream *st, struct str domain)
{
	if (st->outgoing)
		return str_is(domain, st->remote);
	return map_get(&st->verified, domain) != NULL;
}

static bool iq_ok(const struct stanza *st)
{
	struct xml *first = xml_child_any(st->el);

	return st->id.p && (st->type == IQ_RESULT || st->type == IQ_ERROR || (first && !xml_next(first)));
}

/* ---- answers to pings of our own ---- */

struct pong_mail {
	struct mail mail;
	struct blob *packed;
};

static void on_pong(struct shard *sh, struct mail *m)
{
	struct pong_mail *p = container_of(m, struct pong_mail, mail);
	struct stanza st;

	if (s2s_of(sh->core) && !stanza_unpack(blob_view(p->packed), &st)) {
		s2s_pair_pong(s2s_of(sh->core), &st);
		stanza_fini(&st);
	}
	blob_unref(p->packed);
	free(p);
}

static void on_pong_discard(struct mail *m)
{
	blob_unref(container_of(m, struct pong_mail, mail)->packed);
	free(m);
}

static const struct mail_kind MAIL_PONG = { .name = "s2s.pong", .handle = on_pong, .discard = on_pong_discard, .must_arrive = true };

static bool is_pong(struct core *c, struct stanza *st)
{
	struct pong_mail *p;

	if (st->kind != ST_IQ || (st->type != IQ_RESULT && st->type != IQ_ERROR) || !str_starts(st->id, STR("s2s-")) || st->to.node_n)
		return false;
	if (!str_starts(st->id, STR("s2s-ack-")))
		return true;
	p = mem_alloc(sizeof(*p));
	*p = (struct pong_mail){ .mail.kind = &MAIL_PONG, .packed = stanza_pack(st) };
	shard_post(core_shard_of(c, jid_domain(st->from)), &p->mail);
	return true;
}

static void deliver(struct core *c, struct stanza *st, struct receipt r)
{
	struct transit t = { .core = c, .st = st, .receipt = r };

	if (st->kind == ST_MESSAGE)
		stanza_scan(st);
	if (st->kind == ST_IQ && !iq_ok(st))
		router_error(c, st, ERR_BAD_REQUEST, NULL);
	else if (!is_pong(c, st)) {
		router_route_transit(&t);
		return;
	}
	receipt_done(r);
}

void s2s_receive(struct s2s_stream *st, struct xml *el)
{
	struct core *c = st->s2s->core;
	struct stanza in;
	int rc;

	if (!st->outgoing && !st->verified.n) {
		s2s_error(st, "not-authorized", NULL);
		return;
	}
	if (!str_is(el->name, "message") && !str_is(el->name, "presence") && !str_is(el->name, "iq")) {
		s2s_error(st, "unsupported-stanza-type", NULL);
		return;
	}
	to_client_ns(el);
	rc = stanza_from_xml(core_arena(c), el, &in);
	if (rc == -EPERM || rc == -EINVAL || (rc == 0 && (!in.from.full.n || !in.to.full.n)) || !xml_get(el, "from").p || !xml_get(el, "to").p) {
		s2s_error(st, "improper-addressing", NULL);
	} else if (!from_ok(st, jid_domain(in.from))) {
		s2s_error(st, "invalid-from", NULL);
	} else if (!core_is_local(c, jid_domain(in.to))) {
		s2s_error(st, "host-unknown", NULL);
	} else {
		struct receipt r = s2s_sm_received(st);

		take_out(c, el);
		metric_add(M_STANZAS_IN, 1);
		st->used_ms = c->shard->loop.now_ms;
		count_rate(st);
		if (rc) {
			router_error(c, &in, ERR_BAD_REQUEST, NULL);
			receipt_done(r);
		} else {
			deliver(c, &in, r);
		}
	}
	stanza_fini(&in);
}

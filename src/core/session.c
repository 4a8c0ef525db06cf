/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Bound resources: binding, ending, sending. XEP-0198 is in core/sm.c, what clients send in core/inbound.c. */
#include "core/session.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/caps.h"
#include "core/csi.h"
#include "core/feature.h"
#include "core/offline.h"
#include "core/presence.h"
#include "core/sm.h"
#include "core/unseen.h"
#include "core/user.h"
#include "crypto/random.h"

static struct str random_resource(struct arena *a)
{
	return random_token(a, 12);
}

struct session *session_bind(struct user *u, struct str wanted, const struct session_ops *ops, void *link)
{
	struct core *c = u->core;
	struct arena *a = core_arena(c);
	struct session *s, *old;

	if (str_empty(wanted))
		wanted = random_resource(a);
	old = user_resource(u, wanted);
	if (old)
		session_kick(old, "conflict", "Signed in again with the same resource.");
	if (u->sessions_n >= SESSIONS_PER_USER_MAX || u->disabled)
		return NULL;
	s = mem_zalloc(sizeof(*s));
	s->core = c;
	s->user = u;
	s->ops = ops;
	s->link = link;
	s->links = 1;
	s->id = ids_add(&c->sessions, s);
	s->jid = jid_dup(jid_make(a, jid_node(u->jid), jid_domain(u->jid), wanted));
	s->since_ms = s->active_ms = c->shard->loop.now_ms;
	list_init(&s->directed);
	user_session_added(u, s);
	metric_add(M_SESSIONS_ONLINE, 1);
	return s;
}

static void directed_free(struct session *s)
{
	struct directed *d;

	list_each(d, &s->directed, link) {
		list_del(&d->link);
		free((void *)d->to.full.p);
		free(d);
	}
}

void session_end(struct session *s)
{
	struct core *c = s->core;
	struct user *u = s->user;

	if (s->dead)
		return;
	s->dead = true;
	s->ops = NULL;
	timer_cancel(&c->shard->loop, &s->expiry);
	timer_cancel(&c->shard->loop, &s->ask);
	session_rate_forget(s);
	offline_stop(s);
	presence_session_gone(s);
	ids_drop(&c->sessions, s->id);
	user_session_removed(u, s);
	csi_end(s);
	sm_give_back(s);
	directed_free(s);
	caps_gone(s);
	blob_unref(s->presence);
	free((void *)s->jid.full.p);
	free(s);
	metric_add(M_SESSIONS_ONLINE, -1);
}

void session_kick(struct session *s, const char *stream_error, const char *text)
{
	const struct session_ops *ops = s->ops;

	if (s->dead)
		return;
	s->ops = NULL;
	if (ops)
		ops->close(s, stream_error, text);
	session_end(s);
}

static void on_expiry(struct timer *t)
{
	session_end(container_of(t, struct session, expiry));
}

void session_link_lost(struct session *s, bool resumable)
{
	if (s->dead)
		return;
	s->ops = NULL;
	s->link = NULL;
	session_rate_forget(s);
	if (!resumable || s->overflown || !s->sm || !s->sm->id[0]) {
		session_end(s);
		return;
	}
	timer_cancel(&s->core->shard->loop, &s->ask);
	s->expiry.on_time = on_expiry;
	timer_set(&s->core->shard->loop, &s->expiry, s->sm->max_ms);
}

void session_out(struct session *s, const struct outgoing *o)
{
	metric_add(M_STANZAS_OUT, 1);
	if (s->sm && !sm_keep(s, o))
		return;
	if (s->ops)
		s->ops->send(s, o->head, blob_view(o->tail));
	if (s->sm)
		sm_ask_if_due(s);
}

void session_send(struct session *s, struct stanza *st, const struct jid *to)
{
	struct buf *head = &s->core->scratch;
	struct jid kept = st->to;
	struct outgoing o;
	struct blob *tail;

	if (s->dead)
		return;
	tail = stanza_tail(st);
	if (to)
		st->to = *to;
	head->n = 0;
	stanza_write_head(head, st, NULL);
	st->to = kept;
	o = (struct outgoing){ .head = buf_view(head), .tail = tail, .offline_id = s->sm ? s->sm->offline_id : 0,
		.kind = (uint8_t)st->kind, .keep = st->kind == ST_MESSAGE && offline_worthy(st) };
	if (s->inactive && csi_hold(s, st, &o))
		return;
	session_out(s, &o);
	if (!s->ops || s->inactive || (s->sm && st->kind == ST_MESSAGE))
		unseen(s->user, s, st);
}

void session_nonza(struct session *s, struct str bytes)
{
	if (s->ops)
		s->ops->send(s, bytes, STR_NONE);
}

struct session *session_get(struct core *c, id_t64 id)
{
	return ids_get(&c->sessions, id);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where a BOSH session is: its sid names the shard that made it, which knows the shard where it lives now. Requests and answers go
 * by mail, also within a shard: an answer is never given within the request. */
#include "xmpp/bosh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "xmpp/bosh_priv.h"

/* A session that this shard made. */
struct route {
	char sid[BOSH_SID_MAX + 1];
	struct shard *home;
	struct address *address;
};

/* How many sessions an address has. */
struct address {
	char text[BOSH_PEER_MAX + 1];
	uint32_t n;
};

/* In core->slot[SLOT_BOSH]. */
struct bosh_shard {
	struct map routes, addresses, sessions; /* sessions: those that live here */
	bool stopping;
};

static struct bosh_shard *of(struct shard *s)
{
	struct core *c = s->core;

	if (!c->slot[SLOT_BOSH])
		c->slot[SLOT_BOSH] = mem_zalloc(sizeof(struct bosh_shard));
	return c->slot[SLOT_BOSH];
}

bool bosh_is_stopping(struct shard *s)
{
	return of(s)->stopping;
}

/* ---- answers ---- */

struct answer_mail {
	struct mail mail;
	struct bosh_reply to;
	struct str type; /* behind the struct, as the body is */
	size_t n;
	char bytes[];
};

static void on_answer(struct shard *s, struct mail *m)
{
	struct answer_mail *am = container_of(m, struct answer_mail, mail);

	am->to.fn(s, am->to.exchange, am->type, (struct str){ am->bytes + am->type.n, am->n });
	free(am);
}

static const struct mail_kind MAIL_ANSWER = { .name = "bosh.answer", .handle = on_answer, .must_arrive = true };

void bosh_say(const struct bosh_reply *to, struct str type, struct str body)
{
	struct answer_mail *am = mem_alloc(sizeof(*am) + type.n + body.n);

	*am = (struct answer_mail){ .mail.kind = &MAIL_ANSWER, .to = *to, .type = { am->bytes, type.n }, .n = body.n };
	memcpy(am->bytes, type.p, type.n);
	memcpy(am->bytes + type.n, body.p, body.n);
	shard_post(to->shard, &am->mail);
}

static void refuse(struct shard *s, const struct bosh_reply *to, const char *condition)
{
	bosh_say(to, str_of(bosh_type(STR_NONE)), bosh_terminal(&s->arena, condition));
}

/* ---- sessions and their routes ---- */

static void route_drop(struct bosh_shard *bs, struct str sid)
{
	struct route *r = map_del(&bs->routes, sid);

	if (!r)
		return;
	if (r->address && --r->address->n == 0) {
		map_del(&bs->addresses, str_of(r->address->text));
		free(r->address);
	}
	free(r);
}

struct sid_mail {
	struct mail mail;
	char sid[BOSH_SID_MAX + 1];
};

static void on_gone(struct shard *s, struct mail *m)
{
	struct sid_mail *sm = container_of(m, struct sid_mail, mail);

	route_drop(of(s), str_of(sm->sid));
	free(sm);
}

static const struct mail_kind MAIL_GONE = { .name = "bosh.gone", .handle = on_gone, .must_arrive = true };

/* "SHARD-RANDOM": the shard that made it, or NULL. */
static struct shard *maker_of(struct shard *s, struct str sid)
{
	struct str rest, number = str_cut(sid, '-', &rest);
	uint64_t n;

	if (sid.n > BOSH_SID_MAX || str_u64(number, SHARDS_MAX, &n) || n >= (uint64_t)s->all->n)
		return NULL;
	return s->all->v[n];
}

void bosh_gone(struct bosh *b)
{
	struct shard *s = b->st.core->shard, *maker = maker_of(s, str_of(b->sid));
	struct sid_mail *m;

	map_del(&of(s)->sessions, str_of(b->sid));
	if (maker == s) {
		route_drop(of(s), str_of(b->sid));
		return;
	}
	m = mem_zalloc(sizeof(*m));
	m->mail.kind = &MAIL_GONE;
	snprintf(m->sid, sizeof(m->sid), "%s", b->sid);
	shard_post(maker, &m->mail);
}

struct move_mail {
	struct mail mail;
	struct bosh *b;
};

static void on_move(struct shard *s, struct mail *m)
{
	struct move_mail *mm = container_of(m, struct move_mail, mail);
	struct bosh *b = mm->b;

	free(mm);
	map_put(&of(s)->sessions, str_of(b->sid), b);
	bosh_arrived(b, s);
}

/* The other shard has stopped: the process ends. */
static void on_lost(struct mail *m)
{
	struct move_mail *mm = container_of(m, struct move_mail, mail);

	bosh_discard(mm->b);
	free(mm);
}

static const struct mail_kind MAIL_MOVE = { .name = "bosh.move", .handle = on_move, .discard = on_lost, .must_arrive = true };

void bosh_move(struct bosh *b, struct shard *to)
{
	struct bosh_shard *bs = of(b->st.core->shard);
	struct route *r = map_get(&bs->routes, str_of(b->sid));
	struct move_mail *m = mem_zalloc(sizeof(*m));

	map_del(&bs->sessions, str_of(b->sid));
	if (r) /* a session moves once, from the shard that made it */
		r->home = to;
	m->mail.kind = &MAIL_MOVE;
	m->b = b;
	shard_post(to, &m->mail);
}

static struct address *address_of(struct bosh_shard *bs, struct str peer)
{
	struct address *a = map_get(&bs->addresses, peer);

	if (a)
		return a;
	a = mem_zalloc(sizeof(*a));
	snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(peer));
	map_put(&bs->addresses, str_of(a->text), a);
	return a;
}

/* ---- requests ---- */

struct request_mail {
	struct mail mail;
	struct bosh_reply reply;
	bool hung_up; /* text is the sid: its answer is not waited for any more */
	size_t n;
	char text[];
};

static void on_request(struct shard *s, struct mail *m);

static void on_unheard(struct mail *m)
{
	free(container_of(m, struct request_mail, mail));
}

static const struct mail_kind MAIL_REQUEST = { .name = "bosh.request", .handle = on_request, .discard = on_unheard };

/* Takes what find and hang_up do to another shard. */
static void pass_on(struct shard *s, struct shard *to, const struct bosh_reply *reply, struct str text, bool hung_up)
{
	struct request_mail *m = mem_alloc(sizeof(*m) + text.n);

	*m = (struct request_mail){ .mail.kind = &MAIL_REQUEST, .reply = *reply, .hung_up = hung_up, .n = text.n };
	memcpy(m->text, text.p ? text.p : "", text.n);
	if (!shard_post(to, &m->mail))
		return;
	free(m);
	if (!hung_up)
		refuse(s, reply, "internal-server-error");
}

static void hang_up(struct shard *s, const struct bosh_reply *reply, struct str sid)
{
	struct bosh_shard *bs = of(s);
	struct bosh *b = map_get(&bs->sessions, sid);
	struct route *r = b ? NULL : map_get(&bs->routes, sid);

	if (b)
		bosh_drop_reply(b, reply->shard, reply->exchange);
	else if (r && r->home != s)
		pass_on(s, r->home, reply, sid, true);
}

/* Here, or where this shard knows it to be. */
static void find(struct shard *s, const struct bosh_body *body, const struct bosh_reply *reply, struct str text)
{
	struct bosh_shard *bs = of(s);
	struct bosh *b = map_get(&bs->sessions, body->sid);
	struct route *r = b ? NULL : map_get(&bs->routes, body->sid);

	if (b)
		bosh_take(b, body, reply, text);
	else if (r && r->home != s)
		pass_on(s, r->home, reply, text, false);
	else
		refuse(s, reply, "item-not-found");
}

static void on_request(struct shard *s, struct mail *m)
{
	struct request_mail *rm = container_of(m, struct request_mail, mail);
	struct str text = { rm->text, rm->n };
	struct bosh_body body;

	if (rm->hung_up)
		hang_up(s, &rm->reply, text);
	else if (!bosh_body_parse(&s->arena, text, &body))
		find(s, &body, &rm->reply, text);
	free(rm);
}

/* XEP-0124 §7.1. */
static void create(struct shard *s, const struct bosh_body *body, const struct bosh_reply *reply, struct str peer)
{
	struct bosh_shard *bs = of(s);
	struct core *c = s->core;
	const char *type = bosh_type(body->content);
	struct address *address = address_of(bs, peer);
	struct str host;
	struct route *r;
	struct bosh *b;
	const char *condition = NULL;

	if (!body->to.n)
		condition = "improper-addressing";
	else if (body->to.n > HEAD_TEXT_MAX || jid_nameprep(&s->arena, body->to, &host) || !core_host(c, host))
		condition = "host-unknown";
	else if (!type)
		condition = "bad-request";
	else if (bs->stopping)
		condition = "system-shutdown";
	else if (bs->routes.n >= BOSH_SESSIONS_MAX ||
		(address->n >= BOSH_PER_ADDRESS_MAX && config_bool(core_config(c), "limits.enabled")))
		condition = "policy-violation";
	if (condition) {
		if (!address->n) {
			map_del(&bs->addresses, str_of(address->text));
			free(address);
		}
		refuse(s, reply, condition);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	snprintf(r->sid, sizeof(r->sid), "%d-%.*s", s->index, STR_ARG(random_token(&s->arena, BOSH_SID_BYTES)));
	r->home = s;
	r->address = address;
	address->n++;
	map_put(&bs->routes, str_of(r->sid), r);
	b = bosh_new(c, body, reply, peer, type, r->sid);
	map_put(&bs->sessions, str_of(b->sid), b);
}

char *bosh_request(struct shard *s, id_t64 exchange, struct str peer, struct str text, bosh_answer_fn *fn)
{
	const struct bosh_reply reply = { s, exchange, fn };
	struct shard *maker;
	struct bosh_body body;

	if (bosh_body_parse(&s->arena, text, &body)) {
		refuse(s, &reply, "bad-request");
		return NULL;
	}
	if (!body.sid.p) { /* is answered at once */
		create(s, &body, &reply, peer);
		return NULL;
	}
	maker = maker_of(s, body.sid);
	if (!maker)
		refuse(s, &reply, "item-not-found");
	else if (maker == s)
		find(s, &body, &reply, text);
	else
		pass_on(s, maker, &reply, text, false);
	return maker ? str_dup(body.sid) : NULL;
}

void bosh_hung_up(struct shard *s, id_t64 exchange, const char *handle)
{
	const struct bosh_reply reply = { s, exchange, NULL };
	struct shard *maker = maker_of(s, str_of(handle));

	if (!maker)
		return;
	if (maker == s)
		hang_up(s, &reply, str_of(handle));
	else
		pass_on(s, maker, &reply, str_of(handle), true);
}

void bosh_stop(struct shard *s)
{
	struct bosh_shard *bs = of(s);
	uint32_t pos = 0;
	struct str key;
	void *value;

	bs->stopping = true;
	while (map_next(&bs->sessions, &pos, &key, &value)) {
		struct bosh *b = value;

		if (b->ghost)
			bosh_free(b);
	}
}

static void free_values(struct map *m)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(m, &pos, &key, &value))
		free(value);
	map_fini(m);
}

void bosh_fini(struct shard *s)
{
	struct bosh_shard *bs = of(s);
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&bs->sessions, &pos, &key, &value))
		bosh_discard(value);
	map_fini(&bs->sessions);
	free_values(&bs->routes);
	free_values(&bs->addresses);
	free(bs);
	s->core->slot[SLOT_BOSH] = NULL;
}

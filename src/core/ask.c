/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests under way, found again by the id "ask-SHARD-HANDLE"; an answer counts only from the address that was asked. */
#include "core/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

struct ask {
	struct list in_core;
	struct core *core;
	id_t64 id;
	struct timer timeout;
	ask_fn *fn;
	void *arg;
	size_t to_n;
	char to[];
};

/* An answer on its way to the shard that asked. */
struct answer_mail {
	struct mail mail;
	struct blob *packed;
};

static void finish(struct ask *a, struct stanza *reply)
{
	struct core *c = a->core;
	ask_fn *fn = a->fn;
	void *arg = a->arg;

	timer_cancel(&c->shard->loop, &a->timeout);
	ids_drop(&c->asks, a->id);
	list_del(&a->in_core);
	free(a);
	fn(c, reply, arg);
}

static void on_timeout(struct timer *t)
{
	finish(container_of(t, struct ask, timeout), NULL);
}

static void answer(struct core *c, struct stanza *st, id_t64 id)
{
	struct ask *a = ids_get(&c->asks, id);

	if (a && str_eq(st->from.full, (struct str){ a->to, a->to_n }))
		finish(a, st);
}

/* "ask-SHARD-HANDLE". */
static bool parse_id(struct str s, uint64_t *out_shard, uint64_t *out_id)
{
	struct str rest, shard;

	if (!str_is(str_cut(s, '-', &rest), "ask"))
		return false;
	shard = str_cut(rest, '-', &rest);
	return !str_u64(shard, SHARDS_MAX - 1, out_shard) && !str_u64(rest, UINT64_MAX, out_id);
}

static void handle_answer(struct shard *s, struct mail *m)
{
	struct answer_mail *am = container_of(m, struct answer_mail, mail);
	uint64_t shard, id;
	struct stanza st;

	if (s->core && !stanza_unpack(blob_view(am->packed), &st)) {
		if (parse_id(st.id, &shard, &id))
			answer(s->core, &st, id);
		stanza_fini(&st);
	}
	blob_unref(am->packed);
	free(am);
}

static void discard_answer(struct mail *m)
{
	struct answer_mail *am = container_of(m, struct answer_mail, mail);

	blob_unref(am->packed);
	free(am);
}

static const struct mail_kind MAIL_ANSWER = { .name = "answer", .handle = handle_answer, .discard = discard_answer };

bool ask_answered(struct core *c, struct stanza *st)
{
	struct shards *all = c->env->shards;
	struct answer_mail *am;
	uint64_t shard, id;

	if ((st->type != IQ_RESULT && st->type != IQ_ERROR) || !parse_id(st->id, &shard, &id) || shard >= (uint64_t)all->n)
		return false;
	if (all->v[shard] == c->shard && !c->asking) {
		answer(c, st, id);
		return true;
	}
	am = mem_zalloc(sizeof(*am));
	am->mail.kind = &MAIL_ANSWER;
	am->packed = stanza_pack(st);
	if (shard_post(all->v[shard], &am->mail))
		discard_answer(&am->mail);
	return true;
}

/* Makes the entry; returns its id. */
static id_t64 ask_new(struct core *c, const struct question *q)
{
	struct str to = q->to.full;
	struct ask *a = mem_zalloc(sizeof(*a) + to.n);

	*a = (struct ask){ .core = c, .fn = q->fn, .arg = q->arg, .to_n = to.n, .timeout.on_time = on_timeout };
	memcpy(a->to, to.p, to.n);
	a->id = ids_add(&c->asks, a);
	list_push(&c->asks_open, &a->in_core);
	timer_set(&c->shard->loop, &a->timeout, ASK_TIMEOUT_MS);
	return a->id;
}

int iq_ask(struct core *c, const struct question *q)
{
	struct stanza st;
	char id[64];

	must(q->type == IQ_GET || q->type == IQ_SET);
	if (c->asks.n >= ASKS_MAX)
		return -ENOBUFS;
	snprintf(id, sizeof(id), "ask-%d-%llu", c->shard->index, (unsigned long long)ask_new(c, q));
	stanza_new(core_arena(c), ST_IQ, q->type, &st);
	st.from = q->from;
	st.to = q->to;
	st.id = arena_str(core_arena(c), str_of(id));
	st.flags = q->flags;
	xml_append(st.el, q->payload);
	c->asking = true;
	router_route(c, &st);
	c->asking = false;
	stanza_fini(&st);
	return 0;
}

void asks_free(struct core *c)
{
	while (!list_empty(&c->asks_open))
		finish(list_first(&c->asks_open, struct ask, in_core), NULL);
	ids_fini(&c->asks);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Errands to other shards: one mail there, the same one back. */
#include "core/visit.h"

#include <stdlib.h>

#include "base/mem.h"

/* What all mails of one errand bring together; touched in the asking shard only. */
struct errand {
	struct shard *home;
	visit_done_fn *done;
	void *arg;
	int left;
	struct buf out;
};

struct visit {
	struct mail mail;
	struct errand *errand;
	visit_fn *fn;
	visit_user_fn *user_fn;
	struct buf out;
	size_t bare_n, request_n;
	char bytes[]; /* bare, request */
};

static void ended(struct errand *e, struct core *c)
{
	if (--e->left)
		return;
	e->done(c, c ? buf_view(&e->out) : STR_NONE, e->arg);
	buf_free(&e->out);
	free(e);
}

static void visit_free(struct visit *v, struct core *home)
{
	struct errand *e = v->errand;

	buf_free(&v->out);
	free(v);
	ended(e, home);
}

static void discard(struct mail *m)
{
	visit_free(container_of(m, struct visit, mail), NULL);
}

static void on_back(struct shard *s, struct mail *m)
{
	struct visit *v = container_of(m, struct visit, mail);

	buf_str(&v->errand->out, buf_view(&v->out));
	visit_free(v, s->core);
}

static const struct mail_kind MAIL_BACK = { .name = "visit.back", .handle = on_back, .discard = discard, .must_arrive = true };

static void go_back(struct visit *v)
{
	v->mail.kind = &MAIL_BACK;
	shard_post(v->errand->home, &v->mail);
}

static struct str request_of(const struct visit *v)
{
	return (struct str){ v->bytes + v->bare_n, v->request_n };
}

static void on_user(struct user *u, void *arg)
{
	struct visit *v = arg;

	v->user_fn(u, request_of(v), &v->out);
	go_back(v);
}

static void on_visit(struct shard *s, struct mail *m)
{
	struct visit *v = container_of(m, struct visit, mail);

	if (v->user_fn) {
		user_with(s->core, (struct str){ v->bytes, v->bare_n }, on_user, v);
		return;
	}
	v->fn(s->core, request_of(v), &v->out);
	go_back(v);
}

static const struct mail_kind MAIL_VISIT = { .name = "visit", .handle = on_visit, .discard = discard, .must_arrive = true };

static struct errand *errand_new(struct core *c, int n, visit_done_fn *done, void *arg)
{
	struct errand *e = mem_zalloc(sizeof(*e));

	*e = (struct errand){ .home = c->shard, .done = done, .arg = arg, .left = n };
	return e;
}

static struct visit *visit_new(struct errand *e, struct str bare, struct str request)
{
	struct visit *v = mem_zalloc(sizeof(*v) + bare.n + request.n);

	v->mail.kind = &MAIL_VISIT;
	v->errand = e;
	v->bare_n = bare.n;
	v->request_n = request.n;
	if (bare.n)
		memcpy(v->bytes, bare.p, bare.n);
	if (request.n)
		memcpy(v->bytes + bare.n, request.p, request.n);
	return v;
}

void visit_all(struct core *c, struct str request, visit_fn *fn, visit_done_fn *done, void *arg)
{
	struct shards *all = c->env->shards;
	struct errand *e = errand_new(c, all->n, done, arg);

	for (int i = 0; i < all->n; i++) {
		struct visit *v = visit_new(e, STR_NONE, request);

		v->fn = fn;
		shard_post(all->v[i], &v->mail);
	}
}

void visit_user(struct core *c, struct str bare, struct str request, visit_user_fn *fn, visit_done_fn *done, void *arg)
{
	struct visit *v = visit_new(errand_new(c, 1, done, arg), bare, request);

	v->user_fn = fn;
	shard_post(core_shard_of(c, bare), &v->mail);
}

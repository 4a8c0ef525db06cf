/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts in memory: loading, waiting stanzas, eviction. */
#include "core/user.h"

#include <errno.h>
#include <stdlib.h>

#include "account/state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/feature.h"
#include "core/roster.h"

/* Somebody who waits until the user is loaded. */
struct waiting {
	struct waiting *next;
	user_fn *fn;
	void *arg;
};

/* A load under way: the user is found again by name, because it may be forgotten meanwhile. */
struct load {
	const struct feature *feature; /* NULL: the account itself */
	char name[];
};

enum { ITEMS_MAX = ROSTER_MAX + 1 /* the version of the roster is an item too */ };

static void on_tick(struct timer *t);

static struct user *user_new(struct core *c, struct str bare)
{
	struct user *u = mem_zalloc(sizeof(*u));

	u->core = c;
	u->jid = jid_dup(jid_trust(bare));
	list_init(&u->sessions);
	map_put(&c->users, u->jid.full, u);
	return u;
}

static void user_free(struct user *u)
{
	struct core *c = u->core;

	map_del(&c->users, u->jid.full);
	list_del(&u->idle);
	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->user_free)
			(*f)->user_free(u);
	roster_free(u);
	free((void *)u->last_status.p);
	free((void *)u->jid.full.p);
	free(u);
}

void users_free(struct core *c)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	c->ending = true; /* no user is made from within */
	while (map_next(&c->users, &pos, &key, &value)) {
		struct user *u = value;

		while (u->first_waiting) {
			struct waiting *w = u->first_waiting;

			u->first_waiting = w->next;
			w->fn(NULL, w->arg);
			free(w);
		}
		user_free(u);
	}
	map_fini(&c->users);
}

static void make_idle(struct user *u)
{
	struct core *c = u->core;

	u->idle_since_ms = c->shard->loop.now_ms;
	list_del(&u->idle);
	list_push(&c->idle_users, &u->idle);
	if (!timer_is_set(&c->tick)) {
		c->tick.on_time = on_tick;
		timer_set(&c->shard->loop, &c->tick, USER_IDLE_MS / 4);
	}
}

static void on_tick(struct timer *t)
{
	struct core *c = container_of(t, struct core, tick);
	uint64_t now = c->shard->loop.now_ms;

	while (!list_empty(&c->idle_users)) {
		struct user *u = list_first(&c->idle_users, struct user, idle);

		if (now - u->idle_since_ms < USER_IDLE_MS)
			break;
		user_free(u);
	}
	if (!list_empty(&c->idle_users))
		timer_set(&c->shard->loop, t, USER_IDLE_MS / 4);
}

static void loaded(struct user *u)
{
	struct waiting *w;

	if (u->state == USER_LOADING)
		u->state = USER_READY;
	/* Handlers may queue no more waiters now: the state is final. */
	while ((w = u->first_waiting)) {
		u->first_waiting = w->next;
		u->waiting_n--;
		w->fn(u, w->arg);
		free(w);
	}
	u->last_waiting = NULL;
	if (u->state == USER_FAILED || (u->state == USER_ABSENT && !u->sessions_n))
		user_free(u); /* asked again next time */
	else if (!u->sessions_n)
		make_idle(u);
}

static void load_account(struct user *u, struct str value)
{
	struct account_state st;

	if (account_state_decode(value, &st))
		return;
	u->admin = st.admin;
	u->disabled = st.disabled;
	u->created_ms = st.created_ms;
}

static void on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct load *l = arg;
	struct user *u = map_get(&s->core->users, str_of(l->name));

	if (u && u->state != USER_READY && u->loads) {
		if (status)
			u->state = USER_FAILED;
		else if (!l->feature && n == 0)
			u->state = USER_ABSENT;
		else if (!l->feature)
			load_account(u, v->value);
		for (size_t i = 0; l->feature && i < n && u->state == USER_LOADING; i++)
			l->feature->user_item(u, v[i].key, v[i].value);
		if (--u->loads == 0)
			loaded(u);
	}
	free(l);
}

static struct load *load_new(struct user *u, const struct feature *f)
{
	struct load *l = mem_alloc(sizeof(*l) + u->jid.full.n + 1);

	l->feature = f;
	memcpy(l->name, u->jid.full.p, u->jid.full.n + 1);
	u->loads++;
	return l;
}

static void start_load(struct user *u)
{
	struct core *c = u->core;
	struct store *st = c->env->store;
	struct load *l = load_new(u, NULL);

	u->loads++; /* held until all are asked */
	if (store_get(st, c->shard, u->jid.full, STR("account"), STR_NONE, on_items, l)) {
		u->loads--;
		u->state = USER_FAILED;
		free(l);
	}
	for (const struct feature *const *f = c->env->features; *f; f++) {
		if (!(*f)->user_kind)
			continue;
		l = load_new(u, *f);
		if (store_list(st, c->shard,
			    &(struct store_range){ .owner = u->jid.full, .kind = str_of((*f)->user_kind), .limit = ITEMS_MAX },
			    on_items, l)) {
			u->loads--;
			u->state = USER_FAILED;
			free(l);
		}
	}
	u->loads--;
}

void user_with(struct core *c, struct str bare, user_fn *fn, void *arg)
{
	struct user *u = map_get(&c->users, bare);
	bool fresh = !u;
	struct waiting *w;

	if (c->ending) {
		fn(NULL, arg);
		return;
	}
	if (u && u->state == USER_READY) {
		if (!u->sessions_n)
			make_idle(u);
		fn(u, arg);
		return;
	}
	if (!u) {
		u = user_new(c, bare);
		start_load(u);
	}
	if (u->waiting_n >= USER_WAITING_MAX) {
		fn(NULL, arg);
		return;
	}
	w = mem_alloc(sizeof(*w));
	*w = (struct waiting){ .fn = fn, .arg = arg };
	if (u->last_waiting && u->first_waiting)
		u->last_waiting->next = w;
	else
		u->first_waiting = w;
	u->last_waiting = w;
	u->waiting_n++;
	if (fresh && u->loads == 0)
		loaded(u); /* the store refused at once; another one is just told so and takes this one along */
}

struct user *user_find(struct core *c, struct str bare)
{
	struct user *u = map_get(&c->users, bare);

	return u && u->state == USER_READY ? u : NULL;
}

struct forget_mail {
	struct mail mail;
	char name[];
};

static void on_forget(struct shard *s, struct mail *m)
{
	struct forget_mail *f = container_of(m, struct forget_mail, mail);
	struct user *u = user_find(s->core, str_of(f->name));

	if (u) {
		struct session *se;

		u->leaving = true;

		list_each(se, &u->sessions, in_user)
			session_kick(se, "not-authorized", "This account was removed or changed.");
		if (!u->sessions_n)
			user_free(u);
	}
	free(f);
}

static const struct mail_kind MAIL_FORGET = { .name = "user.forget", .handle = on_forget, .must_arrive = true };

static void post_name(struct env *env, struct str bare, const struct mail_kind *kind)
{
	struct forget_mail *f = mem_alloc(sizeof(*f) + bare.n + 1);

	f->mail.kind = kind;
	memcpy(f->name, bare.p, bare.n);
	f->name[bare.n] = '\0';
	shard_post(shard_of(env->shards, bare), &f->mail);
}

void user_forget(struct env *env, struct str bare)
{
	post_name(env, bare, &MAIL_FORGET);
}

static void on_gone(struct shard *s, struct mail *m)
{
	struct forget_mail *f = container_of(m, struct forget_mail, mail);

	for (const struct feature *const *v = s->core->env->features; v && *v; v++)
		if ((*v)->account_gone)
			(*v)->account_gone(s->core, str_of(f->name));
	free(f);
}

static const struct mail_kind MAIL_GONE = { .name = "user.gone", .handle = on_gone, .must_arrive = true };

void user_gone(struct env *env, struct str bare)
{
	user_forget(env, bare);
	post_name(env, bare, &MAIL_GONE);
}

void user_session_added(struct user *u, struct session *s)
{
	u->login_ms = clock_wall_ms();
	list_push(&u->sessions, &s->in_user);
	u->sessions_n++;
	list_del(&u->idle);
}

void user_session_removed(struct user *u, struct session *s)
{
	list_del(&s->in_user);
	u->sessions_n--;
	if (!u->sessions_n)
		make_idle(u);
}

struct session *user_resource(struct user *u, struct str resource)
{
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (str_eq(jid_resource(s->jid), resource))
			return s;
	return NULL;
}

bool user_is_available(const struct user *u)
{
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (s->presence)
			return true;
	return false;
}

bool user_blocks(const struct user *u, struct jid j)
{
	const struct map *m = &u->blocked;
	struct str domain = jid_domain(j), from_domain;

	if (!m->n)
		return false;
	from_domain = (struct str){ domain.p, j.full.n - (size_t)(domain.p - j.full.p) };
	return map_get(m, j.full) || map_get(m, jid_bare_str(j)) || map_get(m, from_domain) || map_get(m, domain);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a process must learn from the store before it serves accounts.
 *   server items → (accounts?) → (move accounts, one after another) → write → (set-up code) → wake the caller */
#include "account/start.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"

#define DEFAULT_DOMAIN "localhost"

enum { SERVER_ITEMS_MAX = 100 };

struct run {
	struct mail mail;
	struct accounts *ac;
	struct accounts_start *st;
	struct store_batch *batch; /* what the start writes */
	bool dirty;
	char **nodes; /* accounts that move */
	size_t nodes_n, moved;
	char from[START_DOMAIN_MAX]; /* their domain so far */
	sem_t done;
	int status;
	char *err;
	size_t err_n;
};

static void finish(struct run *r, int status)
{
	if (status && !r->err[0])
		snprintf(r->err, r->err_n, "the database did not answer: %s", strerror(-status));
	r->status = status;
	sem_post(&r->done);
}

static void put(struct run *r, const char *key, struct str value)
{
	store_put(r->batch, STR_NONE, STR("server"), str_of(key), value);
	r->dirty = true;
}

/* ---- the last steps ---- */

static void on_code(struct shard *s, void *arg, int status, const char *code)
{
	struct run *r = arg;

	if (status == 1)
		snprintf(r->st->code, sizeof(r->st->code), "%s", code);
	finish(r, status < 0 ? status : 0);
}

static void on_written(struct shard *s, void *arg, int status)
{
	struct run *r = arg;

	r->ac->domain = str_of(r->st->domain_out);
	if (!status && r->st->serving)
		status = setup_code_new(r->ac, s, on_code, r);
	else if (!status)
		finish(r, 0);
	if (status)
		finish(r, status);
}

static void write_all(struct shard *s, struct run *r)
{
	struct store_batch *b = r->batch;

	r->batch = NULL;
	if (!r->dirty) {
		store_batch_free(b);
		on_written(s, r, 0);
	} else if (store_commit(r->ac->store, s, b, on_written, r)) {
		finish(r, -EBUSY);
	}
}

/* ---- accounts that were made before the domain was known ---- */

static void move_next(struct shard *s, struct run *r);

static struct str old_owner(struct shard *s, const struct run *r)
{
	return arena_printf(shard_arena(s), "%s@%s", r->nodes[r->moved], r->from);
}

static void on_owner_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct run *r = arg;
	struct str to = arena_printf(shard_arena(s), "%s@%s", r->nodes[r->moved], r->st->domain_out);

	if (status) {
		finish(r, status);
		return;
	}
	for (size_t i = 0; i < n; i++)
		store_put(r->batch, to, v[i].kind, v[i].key, v[i].value);
	store_del_all(r->batch, old_owner(s, r), STR_NONE, STR_NONE);
	r->moved++;
	move_next(s, r);
}

static void move_next(struct shard *s, struct run *r)
{
	struct store_range all = { .limit = UINT32_MAX };
	int err;

	if (r->moved == r->nodes_n) {
		write_all(s, r);
		return;
	}
	all.owner = old_owner(s, r);
	err = store_list(r->ac->store, s, &all, on_owner_items, r);
	if (err)
		finish(r, err);
}

static void on_movers(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct run *r = arg;

	if (status) {
		finish(r, status);
		return;
	}
	r->nodes = mem_zalloc((n + 1) * sizeof(*r->nodes));
	for (; r->nodes_n < n; r->nodes_n++)
		r->nodes[r->nodes_n] = str_dup(v[r->nodes_n].key);
	if (n)
		log_info("accounts.moved", "from=%s to=%s count=%zu", r->from, r->st->domain_out, n);
	r->dirty = true;
	move_next(s, r);
}

/* A firm domain may change only while it has no accounts. */
static void on_occupants(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct run *r = arg;

	if (!status && n) {
		snprintf(r->err, r->err_n,
			"this data directory belongs to the domain %s and has its accounts, but %s was asked for; "
			"start with --domain %s, or use another directory with --data", r->from, r->st->domain_out, r->from);
		status = -EEXIST;
	}
	if (status)
		finish(r, status);
	else
		write_all(s, r);
}

/* ---- the first step ---- */

static void take_domain(struct shard *s, struct run *r, struct str own, struct str guess)
{
	struct str known = own.n ? own : guess, want = r->st->domain;
	struct str use = want.n ? want : known.n ? known : STR(DEFAULT_DOMAIN);
	struct store_range users = { .kind = STR("user"), .limit = own.n ? 1 : UINT32_MAX };
	bool other = known.n && !str_eq(known, use);

	snprintf(r->st->domain_out, sizeof(r->st->domain_out), "%.*s", STR_ARG(use));
	snprintf(r->from, sizeof(r->from), "%.*s", STR_ARG(known));
	if (r->st->serving && !str_eq(own, use)) {
		put(r, "domain", use);
		store_del(r->batch, STR_NONE, STR("server"), STR("domain_guess"));
	} else if (!own.n && !str_eq(guess, use)) {
		put(r, "domain_guess", use);
	}
	if (!other)
		write_all(s, r);
	else if (store_list(r->ac->store, s, &users, own.n ? on_occupants : on_movers, r))
		finish(r, -EBUSY);
}

/* Its accounts are kept as those of a further host. */
static bool is_further_host(const struct accounts_start *st, struct str domain)
{
	struct str rest = str_of(st->hosts_out);

	while (rest.n)
		if (str_eq(str_cut(rest, ',', &rest), domain))
			return true;
	return false;
}

static void on_server_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct run *r = arg;
	struct accounts *ac = r->ac;
	struct str domain = STR_NONE, guess = STR_NONE;
	bool secret = false;

	if (status) {
		finish(r, status);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (str_is(v[i].key, "secret") && v[i].value.n == sizeof(ac->secret)) {
			memcpy(ac->secret, v[i].value.p, sizeof(ac->secret));
			secret = true;
		} else if (str_is(v[i].key, "domain")) {
			domain = v[i].value;
		} else if (str_is(v[i].key, "domain_guess")) {
			guess = v[i].value;
		} else if (str_is(v[i].key, "hosts")) {
			snprintf(r->st->hosts_out, sizeof(r->st->hosts_out), "%.*s", STR_ARG(v[i].value));
		}
	}
	if (is_further_host(r->st, r->st->domain)) {
		snprintf(r->err, r->err_n, "%.*s is one of the further domains (hosts) of this data directory and cannot become its main one; "
			"start without it once, or use another directory with --data", STR_ARG(r->st->domain));
		finish(r, -EEXIST);
		return;
	}
	r->batch = store_batch_new();
	if (!secret) {
		random_bytes(ac->secret, sizeof(ac->secret));
		put(r, "secret", (struct str){ (const char *)ac->secret, sizeof(ac->secret) });
	}
	take_domain(s, r, domain, guess);
}

static void begin(struct shard *s, struct mail *m)
{
	struct run *r = container_of(m, struct run, mail);
	struct store_range server = { .kind = STR("server"), .limit = SERVER_ITEMS_MAX };
	int err = store_list(r->ac->store, s, &server, on_server_items, r);

	if (err)
		finish(r, err);
}

static void keep_mail(struct mail *m)
{
	(void)m; /* it lives on the caller's stack */
}

static const struct mail_kind mail_start = { "accounts.start", begin, keep_mail, true };

int accounts_start(struct accounts *ac, struct accounts_start *st, char *err, size_t err_n)
{
	struct run r = { .mail.kind = &mail_start, .ac = ac, .st = st, .err = err, .err_n = err_n };
	struct shards *one = &st->shards;
	int status = shards_init(one, 1);

	*err = 0;
	*ac = (struct accounts){ .store = st->store, .pool = st->pool };
	sem_init(&r.done, 0, 0);
	if (!status)
		status = shards_start(one, NULL);
	if (!status) {
		must(shard_post(one->v[0], &r.mail) == 0);
		while (sem_wait(&r.done) < 0)
			must(errno == EINTR);
		shards_stop(one);
		status = r.status;
	} else {
		snprintf(err, err_n, "cannot start a thread: %s", strerror(-status));
	}
	sem_destroy(&r.done);
	store_batch_free(r.batch);
	for (size_t i = 0; i < r.nodes_n; i++)
		free(r.nodes[i]);
	free(r.nodes);
	return status;
}

void accounts_start_fini(struct accounts_start *st)
{
	shards_fini(&st->shards);
}

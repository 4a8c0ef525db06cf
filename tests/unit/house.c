/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A whole server inside the test: opening, ending, turning by hand. Its clients are in house_client.c. */
#include "house.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "account/record.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/archive_text.h"
#include "features/features.h"
#include "store/store_priv.h"
#include "xmpp/c2s.h"

/* ---- a store that waits or fails when it is told to ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int how;
	bool writer_waits, reader_waits;
} gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false, false };

static struct store_backend gated; /* memory behind the gate */

static bool pass(int wait, int fail, bool *waits)
{
	bool fails;

	pthread_mutex_lock(&gate.lock);
	while (gate.how & wait) {
		*waits = true;
		pthread_cond_wait(&gate.changed, &gate.lock);
	}
	*waits = false;
	fails = gate.how & fail;
	pthread_mutex_unlock(&gate.lock);
	return !fails;
}

static int gated_begin(struct store_db *db)
{
	return pass(WRITES_WAIT, WRITES_FAIL, &gate.writer_waits) ? store_memory.begin(db) : -ENOSPC;
}

/* Only what never began is rolled back here. */
static void gated_rollback(struct store_db *db)
{
	(void)db;
}

static int gated_get(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out)
{
	return pass(READS_WAIT, READS_FAIL, &gate.reader_waits) ? store_memory.get(r, owner, kind, key, out) : -EIO;
}

static int gated_list(struct store_reader *r, const struct store_range *range, struct store_items *out)
{
	return pass(READS_WAIT, READS_FAIL, &gate.reader_waits) ? store_memory.list(r, range, out) : -EIO;
}

static int gated_query(struct store_reader *r, const struct archive_query *q, struct archive_filter *f,
			struct store_page *out)
{
	return pass(READS_WAIT, READS_FAIL, &gate.reader_waits) ? store_memory.query(r, q, f, out) : -EIO;
}

void house_store(int how)
{
	pthread_mutex_lock(&gate.lock);
	gate.how = how;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void open_store(struct house *h)
{
	struct store_config cfg = { .backend = "memory", .dir = "/nowhere", .readers = 1, .text = archive_text };
	char err[200];

	house_store(STORE_WORKS);
	must(store_open(&cfg, &h->store, err, sizeof(err)) == 0);
	gated = store_memory;
	gated.begin = gated_begin;
	gated.rollback = gated_rollback;
	gated.get = gated_get;
	gated.list = gated_list;
	gated.query = gated_query;
	pthread_mutex_lock(&h->store->lock);
	h->store->backend = &gated;
	h->store->gaps_skipped = INT_MAX; /* every commit at once: here nothing gathers */
	pthread_mutex_unlock(&h->store->lock);
}

/* Every answer that the store owes is in a mailbox, or the gate keeps it. */
static bool store_is_quiet(struct store *s)
{
	bool writer_waits, reader_waits, writes, reads;

	pthread_mutex_lock(&s->lock);
	pthread_mutex_lock(&gate.lock);
	writer_waits = gate.writer_waits && (gate.how & WRITES_WAIT);
	reader_waits = gate.reader_waits && (gate.how & READS_WAIT);
	pthread_mutex_unlock(&gate.lock);
	writes = s->submitted == s->finished;
	reads = !s->ready.first && !s->reads_run; /* those that wait for writes are released with them */
	pthread_mutex_unlock(&s->lock);
	return (writes || writer_waits) && (reads || reader_waits);
}

/* ---- turning ---- */

static bool shard_is_quiet(struct shard *s)
{
	struct pollfd p = { .fd = s->loop.epoll_fd, .events = POLLIN };
	const struct heap_node *next = heap_min(&s->loop.timers);

	return list_empty(&s->loop.deferred) && !shard_has_mail(s) && poll(&p, 1, 0) == 0 &&
		!(next && next->key <= clock_mono_ms() + s->loop.skew_ms);
}

static void turn(struct shard *s)
{
	shard_play(s);
	must(loop_turn(&s->loop, 0) == 0);
	shard_play(NULL);
}

/* One round over all shards. Returns whether there was something to do. */
static bool turn_all(struct house *h)
{
	bool any = false;

	for (int i = 0; i < h->shards.n; i++) {
		for (int turns = 0; turns < 10000 && !shard_is_quiet(h->shards.v[i]); turns++) {
			turn(h->shards.v[i]);
			any = true;
		}
	}
	return any;
}

/* For a moment, or until a thread of the store or pool has answered. */
static void await_mail(struct house *h)
{
	struct pollfd p[SHARDS_MAX];

	for (int i = 0; i < h->shards.n; i++)
		p[i] = (struct pollfd){ .fd = h->shards.v[i]->loop.epoll_fd, .events = POLLIN };
	poll(p, (nfds_t)h->shards.n, 1);
}

void house_quiet(struct house *h)
{
	uint64_t begun = clock_mono_ms();

	must(!h->threads);
	shard_play(NULL);
	for (;;) {
		/* Asked in this order: what the store and the pool answered stands in a mailbox when the shards are asked. */
		bool settled = store_is_quiet(h->store) && pool_is_idle(h->pool);

		if (!turn_all(h) && settled)
			return;
		if (!settled)
			await_mail(h);
		must(clock_mono_ms() - begun < HOUSE_WAIT_MS);
	}
}

void house_turn(struct house *h, int shard)
{
	must(!h->threads);
	turn(h->shards.v[shard]);
}

void house_skip(struct house *h, uint64_t ms)
{
	house_quiet(h);
	for (int i = 0; i < h->shards.n; i++)
		h->shards.v[i]->loop.skew_ms += ms;
	house_quiet(h);
}

struct core *house_core(struct house *h, const char *bare)
{
	struct shard *s = shard_of(&h->shards, str_of(bare));

	must(!h->threads);
	shard_play(s);
	return s->core;
}

const char *house_name_in(struct house *h, int shard, const char *name, char out[64])
{
	char bare[128];

	for (int i = 0;; i++) {
		snprintf(out, 64, "%s%d", name, i);
		snprintf(bare, sizeof(bare), "%s@" HOUSE_DOMAIN, out);
		if (shard_of(&h->shards, str_of(bare))->index == shard)
			return out;
	}
}

struct session *house_session(struct house *h, const char *bare, const char *resource)
{
	struct user *u = user_find(house_core(h, bare), str_of(bare));

	return u ? user_resource(u, str_of(resource)) : NULL;
}

/* ---- accounts ---- */

struct put {
	struct mail mail;
	struct house *house;
	struct store_batch *batch;
	sem_t done;
};

static void on_put(struct shard *s, void *arg, int status)
{
	struct put *p = arg;

	must(status == 0);
	sem_post(&p->done);
}

static void on_put_mail(struct shard *s, struct mail *m)
{
	struct put *p = container_of(m, struct put, mail);

	must(store_commit(p->house->store, s, p->batch, on_put, p) == 0);
}

static const struct mail_kind MAIL_PUT = { .name = "house.put", .handle = on_put_mail, .must_arrive = true };

void house_account(struct house *h, const char *name)
{
	struct account_new new = { .node = str_of(name) };
	struct put p = { .mail.kind = &MAIL_PUT, .house = h, .batch = store_batch_new() };
	struct account_keyset keys;
	struct arena a;

	/* One round of hashing: these passwords guard nothing. */
	for (int alg = 0; alg < RECORD_ALGS; alg++)
		scram_keys_derive((enum hash_alg)alg, 1, STR("secret"), &keys.v[alg]);
	arena_init(&a);
	record_put_new(p.batch, &a, &h->accounts, &new, &keys);
	arena_fini(&a);
	sem_init(&p.done, 0, 0);
	must(shard_post(h->shards.v[0], &p.mail) == 0);
	while (sem_trywait(&p.done))
		if (h->threads || !turn_all(h))
			poll(NULL, 0, 1);
	sem_destroy(&p.done);
}

/* ---- opening and closing ---- */

static void on_start(struct shard *s)
{
	core_start(s, &container_of(s->all, struct house, shards)->env);
}

void house_config(struct house *h, const char *option, const char *value)
{
	char err[200];

	must(config_set(h->config, option, value, err, sizeof(err)) == 0);
}

void house_open(struct house *h, int shards, bool threads)
{
	*h = (struct house){ .threads = threads };
	log_setup(LOG_ERROR, LOG_TEXT);
	open_store(h);
	h->pool = pool_new(1);
	h->accounts = (struct accounts){ .store = h->store, .pool = h->pool, .domain = STR(HOUSE_DOMAIN) };
	h->config = options_new();
	house_config(h, "limits.enabled", "false");
	must(shards_init(&h->shards, shards) == 0);
	h->env = (struct env){ .shards = &h->shards, .store = h->store, .pool = h->pool, .accounts = &h->accounts,
		.hosts = &h->hosts,
		.config = h->config, .domain = STR(HOUSE_DOMAIN), .web_url = STR("https://" HOUSE_DOMAIN ":8443"),
		.features = features };
	hosts_init(&h->hosts, &h->accounts, h->env.web_url);
	for (int i = 0; !threads && i < shards; i++) {
		shard_play(h->shards.v[i]);
		on_start(h->shards.v[i]);
		arena_reset(&h->shards.v[i]->arena);
	}
	shard_play(NULL);
	if (threads)
		must(shards_start(&h->shards, on_start) == 0);
}

static void on_stop(struct shard *s, struct mail *m)
{
	free(m);
	core_shutdown(s->core);
}

static const struct mail_kind MAIL_STOP = { .name = "house.stop", .handle = on_stop, .must_arrive = true };

static bool all_is_quiet(struct house *h)
{
	if (!store_is_quiet(h->store) || !pool_is_idle(h->pool) || metric_get(M_CONNECTIONS_OPEN) > 0)
		return false;
	if (!h->threads)
		house_quiet(h);
	return true;
}

void house_shutdown(struct house *h)
{
	for (int i = 0; i < h->shards.n; i++) {
		struct mail *m = mem_zalloc(sizeof(*m));

		m->kind = &MAIL_STOP;
		must(shard_post(h->shards.v[i], m) == 0);
	}
	if (!h->threads)
		house_quiet(h);
}

/* As app/wiring does: sessions end, streams close, the store answers, then the shards stop. */
void house_close(struct house *h)
{
	house_store(STORE_WORKS);
	house_shutdown(h);
	for (int i = 0; i < h->clients_n; i++) {
		client_close(&h->clients[i]);
		buf_free(&h->clients[i].got);
	}
	for (uint64_t begun = clock_mono_ms(); !all_is_quiet(h); must(clock_mono_ms() - begun < HOUSE_WAIT_MS))
		if (h->threads)
			poll(NULL, 0, 1);
		else
			house_quiet(h);
	shards_stop(&h->shards);
	for (int i = 0; i < h->shards.n; i++) {
		core_free(h->shards.v[i]->core);
		h->shards.v[i]->core = NULL;
	}
	pool_free(h->pool);
	store_close(h->store);
	shards_fini(&h->shards);
	config_free(h->config);
	hosts_fini(&h->hosts);
}

/* ---- new connections ---- */

struct accept_mail {
	struct mail mail;
	int fd;
};

static struct tls_ctx *no_tls(void)
{
	return NULL;
}

static void on_accept(struct shard *s, struct mail *m)
{
	struct accept_mail *a = container_of(m, struct accept_mail, mail);

	c2s_accept(s, conn_new(s, a->fd, NULL, NULL), true, no_tls);
	free(a);
}

static const struct mail_kind MAIL_ACCEPT = { .name = "house.accept", .handle = on_accept, .must_arrive = true };

struct house_client *house_connect(struct house *h, int shard)
{
	struct accept_mail *a = mem_zalloc(sizeof(*a));
	struct house_client *c = &h->clients[h->clients_n++];
	int fd[2];

	must(h->clients_n <= HOUSE_CLIENTS_MAX);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	*c = (struct house_client){ .house = h, .fd = fd[0] };
	a->mail.kind = &MAIL_ACCEPT;
	a->fd = fd[1];
	must(shard_post(h->shards.v[shard], &a->mail) == 0);
	return c;
}

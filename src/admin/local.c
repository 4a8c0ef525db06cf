/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Commands on a data directory at rest. */
#include "admin/local.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/start.h"
#include "base/mem.h"

struct admin_local {
	struct store *store;
	struct pool *pool;
	struct accounts accounts;
	struct hosts hosts;
	struct accounts_start start;
	struct shards shards;
	struct admin admin;
	char web_url[START_DOMAIN_MAX + 32];
	char *dir;
};

struct ask {
	struct mail mail;
	struct admin_call call;
	json_t *answer;
	sem_t done;
};

static int begin(struct admin_local *l, struct str domain, char *err, size_t err_n)
{
	int status;

	l->pool = pool_new(1);
	l->start = (struct accounts_start){ .store = l->store, .pool = l->pool, .domain = domain };
	status = accounts_start(&l->accounts, &l->start, err, err_n);
	if (status)
		return status;
	status = shards_init(&l->shards, 1);
	if (!status)
		status = shards_start(&l->shards, NULL);
	if (status)
		snprintf(err, err_n, "cannot start a thread: %s", strerror(-status));
	return status;
}

static void add_hosts(struct admin_local *l)
{
	struct str rest = str_of(l->start.hosts_out), url = str_of(l->web_url);
	struct arena a;

	arena_init(&a);
	hosts_init(&l->hosts, &l->accounts, url);
	while (rest.n) {
		struct str name = str_cut(rest, ',', &rest);

		hosts_add(&l->hosts, name, arena_printf(&a, "https://%.*s:8443", STR_ARG(name)));
	}
	arena_fini(&a);
}

int admin_local_open(const char *dir, struct str domain, const char *web_url, struct admin_local **out, char *err, size_t err_n)
{
	struct store_config cfg = { .backend = "sqlite", .dir = dir, .readers = 1 };
	struct admin_local *l = mem_zalloc(sizeof(*l));
	int status;

	l->dir = mem_strdup(dir);
	status = store_open(&cfg, &l->store, err, err_n);

	if (!status)
		status = begin(l, domain, err, err_n);
	if (status) {
		admin_local_close(l);
		return status;
	}
	if (web_url)
		snprintf(l->web_url, sizeof(l->web_url), "%s", web_url);
	else
		snprintf(l->web_url, sizeof(l->web_url), "https://%s:8443", l->start.domain_out);
	add_hosts(l);
	l->admin = (struct admin){ .accounts = &l->accounts, .hosts = &l->hosts, .data_dir = l->dir, .web_url = l->web_url };
	*out = l;
	return 0;
}

static void on_answer(struct admin_call *call, json_t *answer)
{
	struct ask *q = call->arg;

	q->answer = answer;
	sem_post(&q->done);
}

static void on_ask(struct shard *s, struct mail *m)
{
	struct ask *q = container_of(m, struct ask, mail);

	q->call.shard = s;
	admin_run(&q->call);
}

static void keep_mail(struct mail *m)
{
	(void)m; /* it lives on the caller's stack */
}

static const struct mail_kind mail_ask = { "admin.ask", on_ask, keep_mail, true };

json_t *admin_local_ask(struct admin_local *l, json_t *request)
{
	struct ask q = { .mail.kind = &mail_ask };

	q.call = (struct admin_call){ .admin = &l->admin, .request = request, .answer = on_answer, .arg = &q };
	sem_init(&q.done, 0, 0);
	must(shard_post(l->shards.v[0], &q.mail) == 0);
	while (sem_wait(&q.done) < 0)
		must(errno == EINTR);
	sem_destroy(&q.done);
	return q.answer;
}

void admin_local_close(struct admin_local *l)
{
	if (!l)
		return;
	if (l->shards.n)
		shards_stop(&l->shards);
	pool_free(l->pool);
	store_close(l->store);
	shards_fini(&l->shards);
	accounts_start_fini(&l->start);
	hosts_fini(&l->hosts);
	free(l->dir);
	free(l);
}

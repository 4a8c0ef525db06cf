/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Threads that take jobs from one bounded queue; a finished job travels home as mail. */
#include "loop/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

enum { POOL_THREADS_MAX = 64 };

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct mail *first, **last;
	int n;	     /* waiting */
	int busy; /* being run or on their way home */
	bool stop;
	int threads;
	pthread_t thread[POOL_THREADS_MAX];
};

static void on_done(struct shard *s, struct mail *m)
{
	struct job *j = container_of(m, struct job, mail);

	j->done(s, j);
}

static void on_discard(struct mail *m)
{
	struct job *j = container_of(m, struct job, mail);

	if (j->discard)
		j->discard(j);
	else
		free(j);
}

static const struct mail_kind mail_job = {
	.name = "pool.done",
	.handle = on_done,
	.discard = on_discard,
	.must_arrive = true,
};

static struct job *next_job(struct pool *p)
{
	struct mail *m = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->stop)
		pthread_cond_wait(&p->work, &p->lock);
	if (!p->stop) {
		m = p->first;
		p->first = m->next;
		if (!p->first)
			p->last = &p->first;
		p->n--;
		p->busy++;
	}
	pthread_mutex_unlock(&p->lock);
	return m ? container_of(m, struct job, mail) : NULL;
}

static void *run(void *arg)
{
	struct pool *p = arg;
	struct job *j;

	log_thread("pool");
	while ((j = next_job(p))) {
		j->run(j);
		must(shard_post(j->home, &j->mail) == 0);
		pthread_mutex_lock(&p->lock);
		p->busy--;
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

struct pool *pool_new(int threads)
{
	struct pool *p = mem_zalloc(sizeof(*p));

	must(threads >= 1 && threads <= POOL_THREADS_MAX);
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	for (; p->threads < threads; p->threads++)
		must(pthread_create(&p->thread[p->threads], NULL, run, p) == 0);
	return p;
}

int pool_submit(struct pool *p, struct job *j)
{
	pthread_mutex_lock(&p->lock);
	if (p->n >= POOL_QUEUE_MAX) {
		pthread_mutex_unlock(&p->lock);
		return -EBUSY;
	}
	j->mail.kind = &mail_job;
	j->mail.next = NULL;
	*p->last = &j->mail;
	p->last = &j->mail.next;
	p->n++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

bool pool_is_idle(struct pool *p)
{
	bool idle;

	pthread_mutex_lock(&p->lock);
	idle = p->n == 0 && p->busy == 0;
	pthread_mutex_unlock(&p->lock);
	return idle;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	for (struct mail *m = p->first, *next; m; m = next) {
		next = m->next;
		on_discard(m);
	}
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

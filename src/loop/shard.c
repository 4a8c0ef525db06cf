/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Threads with a loop and a mailbox: a mutex around a singly linked list, and an eventfd that is written only when the receiver
 * sleeps. The receiver takes the whole list before it would sleep, so that a burst of mail costs one wake-up at most. */
#include "loop/shard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum {
	MAIL_PER_ROUND = 1024, /* then output is flushed and other work has its turn */
	SLOW_SAY_US = 1000000,
};

struct shard_private {
	struct shard *shard;
	pthread_t thread;
	bool started;
	void (*on_start)(struct shard *s);

	pthread_mutex_t lock; /* guards what follows, down to the line */
	struct mail *first, **last;
	int n;
	bool stopping, stopped;
	bool asleep; /* has looked, found nothing and nobody has woken it since */
	/* ---- */

	struct watch wake;
	/* The shard's thread only. */
	struct mail *inbox; /* taken, not yet handled */
	bool woken; /* there may be mail to take */
	struct deferred more;
	uint64_t slow_said_us;
	unsigned slow_unsaid;
	long preemptions; /* when last a turn was slow */
};

static _Thread_local struct shard *self;

struct shard *shard_self(void)
{
	return self;
}

struct shard *shard_play(struct shard *s)
{
	struct shard *before = self;

	self = s;
	return before;
}

struct shard *shard_of(struct shards *all, struct str bare_jid)
{
	return all->v[str_hash_stable(bare_jid) % (unsigned)all->n];
}

/* Counted always, said once a second. A thread that had to leave its processor to others was not slow itself: that is
 * for debugging only. */
static void tell_slow(struct shard *s, uint64_t took_us)
{
	struct shard_private *p = s->priv;
	struct rusage use = { 0 };
	bool preempted;

	metric_add(M_SLOW_TURNS, 1);
	getrusage(RUSAGE_THREAD, &use);
	preempted = use.ru_nivcsw != p->preemptions;
	p->preemptions = use.ru_nivcsw;
	if (p->slow_said_us && s->loop.step_us - p->slow_said_us < SLOW_SAY_US) {
		p->slow_unsaid++;
		return;
	}
	if (log_wants(preempted ? LOG_DEBUG : LOG_WARNING))
		log_line(preempted ? LOG_DEBUG : LOG_WARNING, "shard.slow",
			"handler=%s took_ms=%llu more=%u", s->loop.doing,
			(unsigned long long)(took_us / 1000), p->slow_unsaid);
	p->slow_said_us = s->loop.step_us;
	p->slow_unsaid = 0;
}

static void on_step(struct loop *l)
{
	struct shard *s = container_of(l, struct shard, loop);
	uint64_t now_us = clock_mono_us(), took_us = now_us - l->step_us;

	l->step_us = now_us;
	if (took_us > TURN_SLOW_MS * 1000)
		tell_slow(s, took_us);
	arena_reset(&s->arena);
}

static void take_all(struct shard_private *p)
{
	p->woken = false;
	pthread_mutex_lock(&p->lock);
	p->inbox = p->first;
	p->first = NULL;
	p->last = &p->first;
	p->n = 0;
	if (p->stopping)
		p->shard->loop.stop = true;
	pthread_mutex_unlock(&p->lock);
}

static void read_mail(struct shard_private *p)
{
	struct shard *s = p->shard;

	for (int left = MAIL_PER_ROUND; left > 0; left--) {
		struct mail *m;

		if (!p->inbox && p->woken)
			take_all(p);
		m = p->inbox;
		if (!m)
			break;
		p->inbox = m->next;
		m->next = NULL;
		s->loop.doing = m->kind->name;
		m->kind->handle(s, m);
		on_step(&s->loop);
	}
	if (p->inbox || p->woken)
		loop_defer(&s->loop, &p->more);
}

static void on_wake(struct watch *w, uint32_t events)
{
	struct shard_private *p = container_of(w, struct shard_private, wake);

	(void)events;
	p->woken = true;
	read_mail(p);
}

static void on_more(struct deferred *d)
{
	read_mail(container_of(d, struct shard_private, more));
}

static void discard(struct mail *m)
{
	if (m->kind->discard)
		m->kind->discard(m);
	else
		free(m);
}

static void wake(struct shard_private *p)
{
	uint64_t one = 1;
	ssize_t rc = write(p->wake.fd, &one, sizeof(one));

	(void)rc; /* can only fail when the counter is full, and then the shard is awake */
}

/* Mail that came while this thread was busy woke nobody. */
static void on_wait(struct loop *l)
{
	struct shard_private *p = container_of(l, struct shard, loop)->priv;

	pthread_mutex_lock(&p->lock);
	p->woken = p->first || p->stopping;
	p->asleep = !p->woken;
	pthread_mutex_unlock(&p->lock);
	if (p->woken)
		loop_defer(l, &p->more);
}

bool shard_has_mail(struct shard *s)
{
	struct shard_private *p = s->priv;
	bool any;

	pthread_mutex_lock(&p->lock);
	any = p->first;
	pthread_mutex_unlock(&p->lock);
	return any;
}

int shard_post(struct shard *to, struct mail *m)
{
	struct shard_private *p = to->priv;
	bool asleep;

	m->next = NULL;
	pthread_mutex_lock(&p->lock);
	if (p->stopped) {
		pthread_mutex_unlock(&p->lock);
		discard(m);
		return 0;
	}
	if (p->n >= MAILBOX_MAX && !m->kind->must_arrive) {
		pthread_mutex_unlock(&p->lock);
		metric_add(M_MAILBOX_REFUSED, 1);
		return -ENOBUFS;
	}
	asleep = p->asleep;
	p->asleep = false;
	*p->last = m;
	p->last = &m->next;
	p->n++;
	pthread_mutex_unlock(&p->lock);
	if (asleep)
		wake(p);
	return 0;
}

static int shard_init(struct shards *all, int index)
{
	struct shard *s = mem_zalloc(sizeof(*s));
	struct shard_private *p = mem_zalloc(sizeof(*p));
	int rc = loop_init(&s->loop);

	s->all = all;
	s->index = index;
	s->priv = p;
	s->io_buf = mem_alloc(SHARD_IO_BYTES);
	s->loop.on_step = on_step;
	s->loop.on_wait = on_wait;
	arena_init(&s->arena);
	p->shard = s;
	p->last = &p->first;
	p->wake.on_ready = on_wake;
	p->more.run = on_more;
	p->asleep = true;
	pthread_mutex_init(&p->lock, NULL);
	p->wake.fd = rc ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	all->v[index] = s;
	all->n = index + 1;
	if (rc)
		return rc;
	if (p->wake.fd < 0)
		return -errno;
	/* Edge-triggered: each write is an event of its own, and nobody needs to read the counter. */
	return loop_watch(&s->loop, &p->wake, EPOLLIN | EPOLLET);
}

int shards_init(struct shards *all, int n)
{
	*all = (struct shards){ 0 };
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets without MSG_NOSIGNAL */
	if (n < 1 || n > SHARDS_MAX)
		return -EINVAL;
	for (int i = 0; i < n; i++) {
		int rc = shard_init(all, i);

		if (rc) {
			shards_fini(all);
			return rc;
		}
	}
	return 0;
}

static const char *thread_name(int index)
{
	static const char names[SHARDS_MAX][8] = {
		"shard0",
		"shard1",
		"shard2",
		"shard3",
		"shard4",
		"shard5",
		"shard6",
		"shard7",
		"shard8",
		"shard9",
		"shard10",
		"shard11",
		"shard12",
		"shard13",
		"shard14",
		"shard15",
	};

	return names[index][0] ? names[index] : "shard";
}

static void *run(void *arg)
{
	struct shard *s = arg;

	self = s;
	s->loop.step_us = clock_mono_us();
	log_thread(thread_name(s->index));
	if (s->priv->on_start)
		s->priv->on_start(s);
	on_step(&s->loop);
	while (!s->loop.stop) {
		int rc = loop_turn(&s->loop, -1);

		must(rc == 0); /* epoll_wait fails for programmer errors only */
	}
	return NULL;
}

int shards_start(struct shards *all, void (*on_start)(struct shard *s))
{
	for (int i = 0; i < all->n; i++) {
		struct shard_private *p = all->v[i]->priv;
		int rc;

		p->on_start = on_start;
		rc = pthread_create(&p->thread, NULL, run, all->v[i]);
		if (rc) {
			shards_stop(all);
			return -rc;
		}
		p->started = true;
	}
	return 0;
}

static void discard_all(struct shard_private *p)
{
	struct mail *m;

	pthread_mutex_lock(&p->lock);
	p->stopped = true;
	*p->last = NULL;
	m = p->first;
	p->first = NULL;
	p->last = &p->first;
	pthread_mutex_unlock(&p->lock);
	for (struct mail *next; p->inbox; p->inbox = next) {
		next = p->inbox->next;
		discard(p->inbox);
	}
	for (struct mail *next; m; m = next) {
		next = m->next;
		discard(m);
	}
}

void shards_stop(struct shards *all)
{
	for (int i = 0; i < all->n; i++) {
		struct shard_private *p = all->v[i]->priv;

		pthread_mutex_lock(&p->lock);
		p->stopping = true;
		pthread_mutex_unlock(&p->lock);
		wake(p);
	}
	for (int i = 0; i < all->n; i++) {
		struct shard_private *p = all->v[i]->priv;

		if (p->started)
			pthread_join(p->thread, NULL);
		p->started = false;
	}
	for (int i = 0; i < all->n; i++)
		discard_all(all->v[i]->priv);
}

void shards_fini(struct shards *all)
{
	for (int i = 0; i < all->n; i++) {
		struct shard *s = all->v[i];

		must(!s->priv->started);
		discard_all(s->priv);
		if (s->priv->wake.fd >= 0)
			close(s->priv->wake.fd);
		pthread_mutex_destroy(&s->priv->lock);
		loop_fini(&s->loop);
		arena_fini(&s->arena);
		free(s->io_buf);
		free(s->priv);
		free(s);
	}
	all->n = 0;
}

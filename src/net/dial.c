/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Connections under way to several addresses. */
#include "net/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct attempt {
	struct watch watch; /* fd -1: none or over */
	struct dial *dial;
};

struct dial {
	struct shard *shard;
	const struct resolver_found *found;
	dial_fn *fn;
	void *arg;
	struct timer next, end;
	size_t at; /* the next place */
	int open;
	struct attempt attempts[RESOLVER_PLACES_MAX];
};

static void attempt_end(struct attempt *t)
{
	if (t->watch.fd < 0)
		return;
	loop_unwatch(&t->dial->shard->loop, &t->watch);
	close(t->watch.fd);
	t->watch.fd = -1;
	t->dial->open--;
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < RESOLVER_PLACES_MAX; i++)
		attempt_end(&d->attempts[i]);
	timer_cancel(&d->shard->loop, &d->next);
	timer_cancel(&d->shard->loop, &d->end);
	free(d);
}

static void finish(struct dial *d, int fd, size_t place)
{
	dial_fn *fn = d->fn;
	void *arg = d->arg;

	dial_cancel(d);
	fn(arg, fd, place);
}

static void on_connected(struct watch *w, uint32_t events)
{
	struct attempt *t = container_of(w, struct attempt, watch);
	struct dial *d = t->dial;
	int err = 0, fd = w->fd;
	socklen_t n = sizeof(err);

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && !err) {
		loop_unwatch(&d->shard->loop, w);
		w->fd = -1;
		d->open--;
		finish(d, fd, (size_t)(t - d->attempts));
		return;
	}
	attempt_end(t);
	if (d->at < d->found->n || !d->open)
		timer_set(&d->shard->loop, &d->next, 0);
}

static void try_place(struct dial *d, size_t i)
{
	const struct resolver_place *p = &d->found->v[i];
	struct attempt *t = &d->attempts[i];
	bool v6 = p->address.any.sa_family == AF_INET6;
	int fd = socket(p->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (connect(fd, &p->address.any, v6 ? sizeof(p->address.v6) : sizeof(p->address.v4)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return;
	}
	t->watch = (struct watch){ .fd = fd, .on_ready = on_connected };
	d->open++;
	if (loop_watch(&d->shard->loop, &t->watch, EPOLLOUT))
		attempt_end(t);
}

static void on_next(struct timer *timer)
{
	struct dial *d = container_of(timer, struct dial, next);

	if (d->at < d->found->n)
		try_place(d, d->at++);
	else if (!d->open) {
		finish(d, -1, 0);
		return;
	}
	if (d->at < d->found->n || !d->open)
		timer_set(&d->shard->loop, timer, d->open ? DIAL_NEXT_MS : 0);
}

static void on_end(struct timer *timer)
{
	finish(container_of(timer, struct dial, end), -1, 0);
}

struct dial *dial_start(struct shard *s, const struct resolver_found *found, size_t first, uint64_t max_ms, dial_fn *fn, void *arg)
{
	struct dial *d = mem_zalloc(sizeof(*d));

	d->shard = s;
	d->found = found;
	d->fn = fn;
	d->arg = arg;
	d->at = first;
	d->next.on_time = on_next;
	d->end.on_time = on_end;
	for (size_t i = 0; i < RESOLVER_PLACES_MAX; i++) {
		d->attempts[i].watch.fd = -1;
		d->attempts[i].dial = d;
	}
	timer_set(&s->loop, &d->next, 0);
	timer_set(&s->loop, &d->end, max_ms);
	return d;
}

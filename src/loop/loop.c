/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The loop of one thread on epoll: descriptors, timers in a heap, work for the end of the turn. */
#include "loop/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	EVENTS_PER_TURN = 256,
	DEFER_ROUNDS =
		8, /* deferred work that defers more work is run in the same turn this often */
	/* Deferred work is mostly output. When it is long (a message to a thousand occupants), some input is looked at in
	 * between: what it adds to connections that still wait leaves in the same record and system call. */
	DEFER_PER_TURN = 128,
	EVENTS_BETWEEN = 32,
};

static void refresh(struct loop *l)
{
	l->step_us = clock_mono_us();
	l->now_ms = l->step_us / 1000 + l->skew_ms;
}

int loop_init(struct loop *l)
{
	*l = (struct loop){ .doing = "none" };
	list_init(&l->deferred);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	refresh(l);
	return 0;
}

void loop_fini(struct loop *l)
{
	if (l->epoll_fd > 0)
		close(l->epoll_fd);
	heap_fini(&l->timers);
	l->epoll_fd = -1;
}

int loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!events) {
		loop_unwatch(l, w);
		return 0;
	}
	if (w->events == events)
		return 0;
	if (epoll_ctl(l->epoll_fd, w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return -errno;
	w->events = events;
	return 0;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (!w->events)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->events = 0;
	for (int i = 0; i < l->ready_n; i++)
		if (l->ready_guard[i] == w)
			l->ready_guard[i] = NULL;
}

void timer_set(struct loop *l, struct timer *t, uint64_t in_ms)
{
	heap_set(&l->timers, &t->node, l->now_ms + in_ms);
}

void timer_cancel(struct loop *l, struct timer *t)
{
	heap_del(&l->timers, &t->node);
}

bool timer_is_set(const struct timer *t)
{
	return t->node.pos != 0;
}

void loop_defer(struct loop *l, struct deferred *d)
{
	if (!list_linked(&d->link))
		list_push(&l->deferred, &d->link);
}

void loop_undefer(struct deferred *d)
{
	list_del(&d->link);
}

static void step(struct loop *l)
{
	if (l->on_step)
		l->on_step(l);
}

static int wait_ms(const struct loop *l, int max_wait_ms)
{
	const struct heap_node *next = heap_min(&l->timers);
	uint64_t now;

	if (!list_empty(&l->deferred) || max_wait_ms == 0)
		return 0;
	if (!next)
		return max_wait_ms;
	now = clock_mono_us() / 1000 + l->skew_ms;
	if (next->key <= now)
		return 0;
	if (max_wait_ms >= 0 && next->key - now > (uint64_t)max_wait_ms)
		return max_wait_ms;
	return next->key - now > 3600000 ? 3600000 : (int)(next->key - now);
}

static void run_events(struct loop *l, const struct epoll_event *events, int n)
{
	struct watch *ready[EVENTS_PER_TURN];

	for (int i = 0; i < n; i++)
		ready[i] = events[i].data.ptr;
	l->ready_guard = ready;
	l->ready_n = n;
	for (int i = 0; i < n; i++) {
		struct watch *w = ready[i];

		if (!w)
			continue;
		l->doing = "watch";
		w->on_ready(w, events[i].events);
		step(l);
	}
	l->ready_n = 0;
	l->ready_guard = NULL;
}

static void run_timers(struct loop *l)
{
	/* A timer that sets itself again with 0 ms waits for the next turn. */
	for (uint32_t left = l->timers.n; left > 0; left--) {
		struct heap_node *node = heap_min(&l->timers);
		struct timer *t;

		if (!node || node->key > l->now_ms)
			return;
		heap_del(&l->timers, node);
		t = container_of(node, struct timer, node);
		l->doing = "timer";
		t->on_time(t);
		step(l);
	}
}

static void run_deferred(struct loop *l)
{
	int left = DEFER_PER_TURN;

	for (int round = 0; round < DEFER_ROUNDS && left > 0 && !list_empty(&l->deferred); round++) {
		struct list mark; /* stands after what was queued before this round */

		list_push(&l->deferred, &mark);
		for (struct list *node = list_shift(&l->deferred); node != &mark;
			node = list_shift(&l->deferred)) {
			struct deferred *d = container_of(node, struct deferred, link);

			l->doing = "deferred";
			d->run(d);
			step(l);
			if (--left == 0) {
				list_del(&mark);
				return;
			}
		}
	}
}

int loop_turn(struct loop *l, int max_wait_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int max, n;

	if (l->on_wait)
		l->on_wait(l);
	max = list_empty(&l->deferred) ? EVENTS_PER_TURN : EVENTS_BETWEEN;
	n = epoll_wait(l->epoll_fd, events, max, wait_ms(l, max_wait_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	refresh(l);
	if (n > 0)
		run_events(l, events, n);
	run_timers(l);
	run_deferred(l);
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One thread's event loop: epoll, timers, work for the end of the turn. */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/heap.h"
#include "base/list.h"

struct watch;
typedef void watch_fn(struct watch *w, uint32_t events); /* events: EPOLLIN | EPOLLOUT | ... */

/* A descriptor in the loop; embedded in its owner. May be removed and freed inside its own callback. */
struct watch {
	watch_fn *on_ready;
	int fd;
	uint32_t events; /* as registered; 0: not in the loop */
};

struct timer;
typedef void timer_fn(struct timer *t);

/* A one-shot timer; embedded in its owner. Zeroed: not set. */
struct timer {
	struct heap_node node;
	timer_fn *on_time;
};

/* Work to do once at the end of the current turn (flush a connection): embedded in its owner. Zeroed: not queued. */
struct deferred {
	struct list link;
	void (*run)(struct deferred *d);
};

struct loop {
	int epoll_fd;
	uint64_t now_ms;  /* monotonic, refreshed each turn */
	uint64_t skew_ms; /* added to the clock: tests let time pass with it */
	uint64_t step_us; /* when the current event, timer or deferred work began */
	struct heap timers;
	struct list deferred;
	struct watch **ready_guard; /* events of this turn not yet handed out: a watch removed meanwhile is skipped */
	int ready_n;
	bool stop;
	/* What runs now, for the log of slow handlers: a static string; a handler may set a finer one. */
	const char *doing;
	/* Runs after each event, timer and deferred work. NULL: none. The shard resets its arena here. */
	void (*on_step)(struct loop *l);
	/* Runs before events are waited for; may queue work with loop_defer: the loop does not wait then. NULL: none. The shard looks
	 * into its mailbox here. */
	void (*on_wait)(struct loop *l);
};

int loop_init(struct loop *l);	/* 0; -errno */
void loop_fini(struct loop *l);
int loop_watch(struct loop *l, struct watch *w, uint32_t events); /* adds or changes; events 0 removes. 0; -errno */
void loop_unwatch(struct loop *l, struct watch *w);		    /* takes one that is not in the loop too */
void timer_set(struct loop *l, struct timer *t, uint64_t in_ms); /* sets or moves */
void timer_cancel(struct loop *l, struct timer *t);
bool timer_is_set(const struct timer *t);
void loop_defer(struct loop *l, struct deferred *d); /* once, however often it is called in a turn */
void loop_undefer(struct deferred *d);
/* One turn: waits at most max_wait_ms (-1: until something happens), hands out events, timers, deferred work. 0; -errno. */
int loop_turn(struct loop *l, int max_wait_ms);

#endif

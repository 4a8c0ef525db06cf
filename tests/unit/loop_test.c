/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The loop's turn: events, timers, deferred work, and things that vanish in the middle of it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "loop/loop.h"

static struct loop loop;
static struct buf trace;

static void begin(void)
{
	assert_int_equal(loop_init(&loop), 0);
	trace.n = 0;
}

static void end(void)
{
	loop_fini(&loop);
	buf_free(&trace);
}

struct timed {
	struct timer timer;
	const char *name;
	uint64_t again_ms;
	bool again;
};

static void on_time(struct timer *t)
{
	struct timed *x = container_of(t, struct timed, timer);

	buf_puts(&trace, x->name);
	if (x->again)
		timer_set(&loop, t, x->again_ms);
}

static void pass_time(uint64_t ms)
{
	loop.skew_ms += ms;
	assert_int_equal(loop_turn(&loop, 0), 0);
}

TEST(timers_fire_in_order_of_time)
{
	struct timed a = { .timer.on_time = on_time, .name = "a" },
		     b = { .timer.on_time = on_time, .name = "b" },
		     c = { .timer.on_time = on_time, .name = "c" };

	begin();
	timer_set(&loop, &b.timer, 20000);
	timer_set(&loop, &a.timer, 10000);
	timer_set(&loop, &c.timer, 90000);
	timer_set(&loop, &c.timer, 30000); /* moved */
	pass_time(1);
	assert_str(buf_view(&trace), "");
	pass_time(40000);
	assert_str(buf_view(&trace), "abc");
	assert_false(timer_is_set(&a.timer));
	timer_set(&loop, &a.timer, 10);
	assert_true(timer_is_set(&a.timer));
	timer_cancel(&loop, &a.timer);
	timer_cancel(&loop, &a.timer);
	pass_time(1000);
	assert_str(buf_view(&trace), "abc");
	end();
}

TEST(a_timer_that_sets_itself_for_now_does_not_hold_the_turn)
{
	struct timed a = { .timer.on_time = on_time, .name = "a", .again = true };

	begin();
	timer_set(&loop, &a.timer, 0);
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "a");
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "aa");
	timer_cancel(&loop, &a.timer);
	end();
}

struct ready {
	struct watch watch;
	const char *name;
	struct ready *kill; /* taken out and freed in the callback, and this one too */
};

static void on_ready(struct watch *w, uint32_t events)
{
	struct ready *r = container_of(w, struct ready, watch);
	struct ready *kill = r->kill;

	buf_puts(&trace, r->name);
	loop_unwatch(&loop, w);
	if (kill && kill != r) {
		loop_unwatch(&loop, &kill->watch);
		close(kill->watch.fd);
		free(kill);
	}
	if (kill) {
		close(w->fd);
		free(r);
	}
}

static struct ready *ready_new(const char *name)
{
	struct ready *r = mem_zalloc(sizeof(*r));

	*r = (struct ready){
		.watch.on_ready = on_ready, .watch.fd = eventfd(1, EFD_NONBLOCK), .name = name
	};
	assert_int_equal(loop_watch(&loop, &r->watch, EPOLLIN), 0);
	return r;
}

TEST(a_watch_removed_by_another_one_is_not_called)
{
	struct ready *a, *b;

	begin();
	a = ready_new("x");
	b = ready_new("x");
	a->kill = b;
	b->kill = a;
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "x"); /* one of them, and the other is gone */
	a = ready_new("y");
	a->kill = a; /* itself */
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "xy");
	end();
}

struct later {
	struct deferred deferred;
	const char *name;
	struct later *next;
};

static void on_later(struct deferred *d)
{
	struct later *l = container_of(d, struct later, deferred);

	buf_puts(&trace, l->name);
	if (l->next)
		loop_defer(&loop, &l->next->deferred);
}

TEST(deferred_work_runs_once_at_the_end_of_the_turn)
{
	struct later a = { .deferred.run = on_later, .name = "a" },
		     b = { .deferred.run = on_later, .name = "b" };
	struct ready *r;

	begin();
	r = ready_new("event ");
	loop_defer(&loop, &a.deferred);
	loop_defer(&loop, &b.deferred);
	loop_defer(&loop, &a.deferred);
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "event ab");
	loop_defer(&loop, &a.deferred);
	loop_defer(&loop, &b.deferred);
	loop_undefer(&a.deferred);
	loop_undefer(&a.deferred);
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_str(buf_view(&trace), "event abb");
	close(r->watch.fd);
	free(r);
	end();
}

TEST(work_that_defers_itself_goes_on_but_lets_events_through)
{
	struct later a = { .deferred.run = on_later, .name = "a" };
	struct ready *r;
	size_t n;

	begin();
	a.next = &a;
	loop_defer(&loop, &a.deferred);
	assert_int_equal(loop_turn(&loop, -1), 0);
	n = trace.n;
	assert_in_range(n, 2, 100);
	r = ready_new("e");
	assert_int_equal(loop_turn(&loop, -1), 0); /* does not wait, for work is left */
	assert_int_equal(trace.p[n], 'e');
	assert_int_equal(trace.n, 2 * n + 1);
	close(r->watch.fd);
	free(r);
	end();
}

TEST(much_deferred_work_lets_events_through_and_all_of_it_runs)
{
	enum { MANY = 1000 };
	struct later *all = mem_zalloc(MANY * sizeof(*all));
	struct ready *r;
	const char *e;

	begin();
	for (int i = 0; i < MANY; i++) {
		all[i] = (struct later){ .deferred.run = on_later, .name = "." };
		loop_defer(&loop, &all[i].deferred);
	}
	assert_int_equal(loop_turn(&loop, -1), 0);
	assert_in_range(trace.n, 1, MANY - 1);
	r = ready_new("e");
	while (trace.n < MANY + 1)
		assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(trace.n, MANY + 1);
	e = memchr(trace.p, 'e', trace.n);
	assert_non_null(e);
	assert_true(e < trace.p + MANY);
	assert_true(list_empty(&loop.deferred));
	close(r->watch.fd);
	free(r);
	free(all);
	end();
}

UNIT_MAIN(cmocka_unit_test(timers_fire_in_order_of_time),
	cmocka_unit_test(a_timer_that_sets_itself_for_now_does_not_hold_the_turn),
	cmocka_unit_test(a_watch_removed_by_another_one_is_not_called),
	cmocka_unit_test(deferred_work_runs_once_at_the_end_of_the_turn),
	cmocka_unit_test(work_that_defers_itself_goes_on_but_lets_events_through),
	cmocka_unit_test(much_deferred_work_lets_events_through_and_all_of_it_runs));

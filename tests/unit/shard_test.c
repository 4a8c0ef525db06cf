/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Mail between threads, and the pool. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "loop/pool.h"
#include "loop/shard.h"

enum { SENDERS = 4, PER_SENDER = 20000 };

struct letter {
	struct mail mail;
	int sender, number;
};

static int last_seen[SENDERS];
static int handled, discarded;
static bool in_order;
static atomic_int all_done;

static void on_letter(struct shard *s, struct mail *m)
{
	struct letter *l = container_of(m, struct letter, mail);

	must(shard_self() == NULL || shard_self() == s);
	if (l->number != last_seen[l->sender] + 1)
		in_order = false;
	last_seen[l->sender] = l->number;
	handled++;
	arena_alloc(shard_arena(s), 1000);
	if (handled == SENDERS * PER_SENDER)
		atomic_store(&all_done, 1);
	free(l);
}

static void on_discard(struct mail *m)
{
	discarded++;
	free(m);
}

static const struct mail_kind kind_letter = {
	.name = "test.letter", .handle = on_letter, .discard = on_discard
};
static const struct mail_kind kind_urgent = {
	.name = "test.urgent",
	.handle = on_letter,
	.discard = on_discard,
	.must_arrive = true,
};

static int post(struct shard *to, int sender, int number, const struct mail_kind *kind)
{
	struct letter *l = mem_zalloc(sizeof(*l));
	int rc;

	*l = (struct letter){ .mail.kind = kind, .sender = sender, .number = number };
	rc = shard_post(to, &l->mail);
	if (rc)
		free(l);
	return rc;
}

static void start_over(void)
{
	memset(last_seen, 0, sizeof(last_seen));
	handled = discarded = 0;
	in_order = true;
	atomic_store(&all_done, 0);
}

struct sender {
	struct shard *to;
	int index;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 1; i <= PER_SENDER; i++)
		must(post(s->to, s->index, i, &kind_urgent) == 0);
	return NULL;
}

TEST(mail_of_each_sender_arrives_in_order_and_once)
{
	struct shards all;
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	start_over();
	assert_int_equal(shards_init(&all, 2), 0);
	assert_int_equal(shards_start(&all, NULL), 0);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ all.v[1], i };
		must(pthread_create(&threads[i], NULL, send_all, &senders[i]) == 0);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	while (!atomic_load(&all_done))
		sched_yield();
	shards_stop(&all);
	assert_int_equal(handled, SENDERS * PER_SENDER);
	assert_true(in_order);
	shards_fini(&all);
}

TEST(a_full_mailbox_refuses_all_but_answers)
{
	struct shards all;
	int64_t refused = metric_get(M_MAILBOX_REFUSED);

	start_over();
	assert_int_equal(shards_init(&all, 1), 0);
	for (int i = 1; i <= MAILBOX_MAX; i++)
		assert_int_equal(post(all.v[0], 0, i, &kind_letter), 0);
	assert_int_equal(post(all.v[0], 0, 0, &kind_letter), -ENOBUFS);
	assert_int_equal(metric_get(M_MAILBOX_REFUSED), refused + 1);
	assert_int_equal(post(all.v[0], 0, MAILBOX_MAX + 1, &kind_urgent), 0);
	for (int i = 0; i < 1000 && handled < MAILBOX_MAX + 1; i++)
		loop_turn(&all.v[0]->loop, 0);
	assert_int_equal(handled, MAILBOX_MAX + 1);
	assert_true(in_order);
	shards_fini(&all);
}

TEST(mail_for_a_stopped_shard_is_discarded)
{
	struct shards all;

	start_over();
	assert_int_equal(shards_init(&all, 1), 0);
	assert_int_equal(post(all.v[0], 0, 1, &kind_letter), 0);
	shards_stop(&all);
	assert_int_equal(discarded, 1);
	assert_int_equal(post(all.v[0], 0, 2, &kind_letter), 0);
	assert_int_equal(discarded, 2);
	assert_int_equal(handled, 0);
	shards_fini(&all);
}

static int chain_left;

static void on_chain(struct shard *s, struct mail *m)
{
	if (--chain_left > 0)
		must(shard_post(s, m) == 0);
	else
		free(m);
}

static const struct mail_kind kind_chain = { .name = "test.chain", .handle = on_chain };

static void start_chain(struct shard *s)
{
	struct mail *m = mem_zalloc(sizeof(*m));

	must(shard_self() == s);
	m->kind = &kind_chain;
	must(shard_post(s, m) == 0);
}

TEST(a_shard_may_write_to_itself_for_long_and_still_stop)
{
	struct shards all;

	chain_left = 100000;
	assert_int_equal(shards_init(&all, 1), 0);
	assert_int_equal(shards_start(&all, start_chain), 0);
	shards_stop(&all);
	assert_true(chain_left < 100000);
	shards_fini(&all);
}

TEST(a_jid_has_one_shard)
{
	struct shards all;
	bool seen[4] = { 0 };

	assert_int_equal(shards_init(&all, 4), 0);
	assert_ptr_equal(
		shard_of(&all, STR("alice@example.org")), shard_of(&all, STR("alice@example.org")));
	for (char i = 'a'; i <= 'z'; i++)
		seen[shard_of(&all, (struct str){ &i, 1 })->index] = true;
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	shards_fini(&all);
}

/* ---- pool ---- */

struct sum {
	struct job job;
	int n, result;
};

static atomic_int jobs_done, jobs_discarded, gate;
static int sum_of_results;

static void sum_run(struct job *j)
{
	struct sum *s = container_of(j, struct sum, job);

	for (int i = 1; i <= s->n; i++)
		s->result += i;
}

static void sum_done(struct shard *s, struct job *j)
{
	must(shard_self() == s);
	sum_of_results += container_of(j, struct sum, job)->result;
	free(j);
	atomic_fetch_add(&jobs_done, 1);
}

static void wait_for_gate(struct job *j)
{
	(void)j;
	while (!atomic_load(&gate))
		sched_yield();
}

static void job_discard(struct job *j)
{
	atomic_fetch_add(&jobs_discarded, 1);
	free(j);
}

static struct job *job_new(struct shard *home, void (*run)(struct job *j), int n)
{
	struct sum *s = mem_zalloc(sizeof(*s));

	s->job = (struct job){ .home = home, .run = run, .done = sum_done, .discard = job_discard };
	s->n = n;
	return &s->job;
}

TEST(jobs_come_home_with_their_results)
{
	struct shards all;
	struct pool *p = pool_new(POOL_THREADS);

	atomic_store(&jobs_done, 0);
	sum_of_results = 0;
	assert_int_equal(shards_init(&all, 1), 0);
	assert_int_equal(shards_start(&all, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(pool_submit(p, job_new(all.v[0], sum_run, 10)), 0);
	while (atomic_load(&jobs_done) < 100)
		sched_yield();
	pool_free(p);
	shards_stop(&all);
	assert_int_equal(sum_of_results, 5500);
	shards_fini(&all);
}

TEST(a_full_pool_says_busy_and_discards_what_waits_at_its_end)
{
	struct shards all;
	struct pool *p = pool_new(1);
	struct job *one_more;
	int taken = 0;

	atomic_store(&gate, 0);
	atomic_store(&jobs_discarded, 0);
	assert_int_equal(shards_init(&all, 1), 0);
	one_more = job_new(all.v[0], wait_for_gate, 0);
	while (pool_submit(p, one_more) == 0) {
		taken++;
		one_more = job_new(all.v[0], wait_for_gate, 0);
	}
	assert_in_range(taken, POOL_QUEUE_MAX, POOL_QUEUE_MAX + 1);
	assert_int_equal(pool_submit(p, one_more), -EBUSY);
	free(one_more);
	atomic_store(&gate, 1);
	pool_free(p);
	shards_stop(&all);
	shards_fini(&all);
	assert_int_equal(atomic_load(&jobs_discarded), taken);
}

UNIT_MAIN(cmocka_unit_test(mail_of_each_sender_arrives_in_order_and_once),
	cmocka_unit_test(a_full_mailbox_refuses_all_but_answers),
	cmocka_unit_test(mail_for_a_stopped_shard_is_discarded),
	cmocka_unit_test(a_shard_may_write_to_itself_for_long_and_still_stop),
	cmocka_unit_test(a_jid_has_one_shard), cmocka_unit_test(jobs_come_home_with_their_results),
	cmocka_unit_test(a_full_pool_says_busy_and_discards_what_waits_at_its_end));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Counters and gauges. Each thread adds to a slot of its own, so that shards share no cache line; reading sums the slots. */
#include "base/metrics.h"

#include <stdatomic.h>

enum { SLOTS = 32, CACHE_LINE = 64 };

struct slot {
	_Atomic int64_t v[METRIC_COUNT];
} __attribute__((aligned(CACHE_LINE)));

#define METRIC_ROW(id, name, type, help) { name, type, help },
static const struct {
	const char *name, *type, *help;
} rows[] = { METRICS(METRIC_ROW) };
#undef METRIC_ROW

static struct slot slots[SLOTS];
static atomic_uint slots_given;

/* Threads beyond SLOTS share slots: slower, never wrong. */
static struct slot *slot_of_thread(void)
{
	static _Thread_local struct slot *mine;

	if (!mine)
		mine = &slots[atomic_fetch_add_explicit(&slots_given, 1, memory_order_relaxed) % SLOTS];
	return mine;
}

void metric_add(enum metric m, int64_t n)
{
	atomic_fetch_add_explicit(&slot_of_thread()->v[m], n, memory_order_relaxed);
}

int64_t metric_get(enum metric m)
{
	int64_t sum = 0;

	for (int i = 0; i < SLOTS; i++)
		sum += atomic_load_explicit(&slots[i].v[m], memory_order_relaxed);
	return sum;
}

void metrics_write(struct buf *out)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++)
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", rows[m].name, rows[m].help,
			rows[m].name, rows[m].type, rows[m].name, (long long)metric_get(m));
}

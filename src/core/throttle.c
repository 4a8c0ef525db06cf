/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Failed sign-ins: hash tables of token buckets with atomic cells; two names that share a cell share a bucket. */
#include "core/throttle.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/metrics.h"

static const struct {
	uint64_t burst, refill_ms;
} rules[THROTTLE_KINDS] = {
	[THROTTLE_ADDRESS] = { 20, 5000 },
	[THROTTLE_ACCOUNT] = { 100, 2000 },
	[THROTTLE_CODE] = { 10, 300000 }, /* 288 a day of 333,333 for three valid codes */
};

/* The moment (monotonic ms) at which the bucket is full again: one word says all. */
static _Atomic uint64_t full_at[THROTTLE_KINDS][THROTTLE_CELLS];

static _Atomic uint64_t *cell(enum throttle_kind kind, struct str who)
{
	return &full_at[kind][str_hash(who) % THROTTLE_CELLS];
}

bool throttle_may_try(struct core *c, enum throttle_kind kind, struct str who)
{
	uint64_t now = clock_mono_ms(), at = atomic_load_explicit(cell(kind, who), memory_order_relaxed);

	if (!config_bool(core_config(c), "limits.enabled"))
		return true;
	if (at <= now + (rules[kind].burst - 1) * rules[kind].refill_ms)
		return true;
	metric_add(M_RATE_LIMITED, 1);
	return false;
}

void throttle_failed(enum throttle_kind kind, struct str who)
{
	uint64_t now = clock_mono_ms(), max = now + rules[kind].burst * rules[kind].refill_ms;
	_Atomic uint64_t *at = cell(kind, who);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed), next;

	do {
		next = (old > now ? old : now) + rules[kind].refill_ms;
		if (next > max)
			next = max;
	} while (!atomic_compare_exchange_weak_explicit(at, &old, next, memory_order_relaxed, memory_order_relaxed));
}

void throttle_forgive(enum throttle_kind kind, struct str who)
{
	_Atomic uint64_t *at = cell(kind, who);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed), next;

	do {
		next = old > rules[kind].refill_ms ? old - rules[kind].refill_ms : 0;
	} while (!atomic_compare_exchange_weak_explicit(at, &old, next, memory_order_relaxed, memory_order_relaxed));
}

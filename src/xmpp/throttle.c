/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Failed sign-ins per address: a hash table of token buckets with atomic cells; two addresses that share a cell share a bucket. */
#include "xmpp/throttle.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/metrics.h"

/* The moment (monotonic ms) at which the bucket is full again: one word says all. */
static _Atomic uint64_t full_at[THROTTLE_ADDRESSES];

static _Atomic uint64_t *cell(struct str address)
{
	return &full_at[str_hash(address) % THROTTLE_ADDRESSES];
}

bool throttle_may_try(struct core *c, struct str address)
{
	uint64_t now = clock_mono_ms(), at = atomic_load_explicit(cell(address), memory_order_relaxed);

	if (!config_bool(core_config(c), "limits.enabled"))
		return true;
	if (at <= now + (uint64_t)(THROTTLE_BURST - 1) * THROTTLE_REFILL_MS)
		return true;
	metric_add(M_RATE_LIMITED, 1);
	return false;
}

void throttle_failed(struct core *c, struct str address)
{
	uint64_t now = clock_mono_ms(), max = now + (uint64_t)THROTTLE_BURST * THROTTLE_REFILL_MS;
	_Atomic uint64_t *at = cell(address);
	uint64_t old = atomic_load_explicit(at, memory_order_relaxed), next;

	(void)c;
	do {
		next = (old > now ? old : now) + THROTTLE_REFILL_MS;
		if (next > max)
			next = max;
	} while (!atomic_compare_exchange_weak_explicit(at, &old, next, memory_order_relaxed, memory_order_relaxed));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Token buckets per address and kind of request, in a table of fixed size: addresses that share a cell share a bucket. One table
 * for all shards, since the connections of one address spread over them. */
#include <arpa/inet.h>
#include <stdatomic.h>
#include <string.h>

#include "base/metrics.h"
#include "http/exchange.h"

enum { CELLS = 1024, ADDRESS_TEXT = 64 };

static const struct {
	uint64_t burst, refill_ms;
} limits[LIMITS] = {
	[LIMIT_SETUP] = { 10, 30000 },
	[LIMIT_REGISTER] = { 10, 60000 },
	[LIMIT_LOOK] = { 60, 2000 },
	[LIMIT_UPLOAD] = { 200, 500 },
};

/* When the bucket is full again (monotonic ms): one number says all. */
static _Atomic uint64_t full_at[LIMITS][CELLS];

void limiter_reset(void)
{
	for (int i = 0; i < LIMITS; i++)
		for (int k = 0; k < CELLS; k++)
			atomic_store_explicit(&full_at[i][k], 0, memory_order_relaxed);
}

/* Who is counted: an IPv4 address, or the /64 of an IPv6 one, of which a single house has many addresses. */
static uint64_t who(struct str address)
{
	char text[ADDRESS_TEXT];
	unsigned char v6[16];

	if (!memchr(address.p, ':', address.n) || address.n >= sizeof(text))
		return str_hash(address);
	memcpy(text, address.p, address.n);
	text[address.n] = 0;
	if (inet_pton(AF_INET6, text, v6) != 1)
		return str_hash(address);
	return str_hash((struct str){ (const char *)v6, 8 });
}

bool limiter_take(struct exchange *x, enum limit which)
{
	uint64_t now = x->http->shard->loop.now_ms, refill_ms = limits[which].refill_ms, old, next;
	_Atomic uint64_t *at = &full_at[which][who(conn_peer(x->conn)) % CELLS];

	if (!x->http->cfg->limits)
		return true;
	old = atomic_load_explicit(at, memory_order_relaxed);
	do {
		if (old > now + (limits[which].burst - 1) * refill_ms) {
			metric_add(M_RATE_LIMITED, 1);
			return false;
		}
		next = (old > now ? old : now) + refill_ms;
	} while (!atomic_compare_exchange_weak_explicit(at, &old, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Token buckets per address and kind of request, in a table of fixed size: addresses that share a cell share a bucket. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "http/exchange.h"

enum { CELLS = 1024, ADDRESS_TEXT = 64 };

static const struct {
	uint32_t burst, refill_ms;
} limits[LIMITS] = {
	[LIMIT_SETUP] = { 10, 30000 },
	[LIMIT_REGISTER] = { 10, 60000 },
	[LIMIT_LOOK] = { 60, 2000 },
	[LIMIT_UPLOAD] = { 200, 500 },
};

struct limiter {
	uint64_t full_at[LIMITS][CELLS]; /* when the bucket is full again: one number says all */
};

struct limiter *limiter_new(void)
{
	return mem_zalloc(sizeof(struct limiter));
}

void limiter_free(struct limiter *l)
{
	free(l);
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
	uint64_t now = x->http->shard->loop.now_ms;
	uint64_t *at = &x->http->limiter->full_at[which][who(conn_peer(x->conn)) % CELLS];

	if (!x->http->cfg->limits)
		return true;
	if (*at > now + (uint64_t)(limits[which].burst - 1) * limits[which].refill_ms) {
		metric_add(M_RATE_LIMITED, 1);
		return false;
	}
	*at = (*at > now ? *at : now) + limits[which].refill_ms;
	return true;
}

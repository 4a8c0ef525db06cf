/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Two addresses that share a cell share its limit: it is meant against floods, not for exact accounts. */
#include "net/counts.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

enum { CELLS = 8192, PREFIX_V6 = 8 };

struct counts {
	atomic_uint refs;
	atomic_uint open[CELLS];
};

struct counts *counts_new(void)
{
	struct counts *t = mem_zalloc(sizeof(*t));

	atomic_init(&t->refs, 1);
	return t;
}

void counts_unref(struct counts *t)
{
	if (t && atomic_fetch_sub(&t->refs, 1) == 1)
		free(t);
}

static struct str key(const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *v6 = (const void *)from;
	const struct sockaddr_in *v4 = (const void *)from;

	if (from->ss_family == AF_INET)
		return (struct str){ (const char *)&v4->sin_addr, sizeof(v4->sin_addr) };
	if (from->ss_family != AF_INET6)
		return STR_NONE;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return (struct str){ (const char *)&v6->sin6_addr + 12, 4 };
	return (struct str){ (const char *)&v6->sin6_addr, PREFIX_V6 };
}

int counts_enter(struct counts *t, const struct sockaddr_storage *from, uint32_t max)
{
	int cell = (int)(str_hash(key(from)) % CELLS);

	if (atomic_fetch_add(&t->open[cell], 1) >= max) {
		atomic_fetch_sub(&t->open[cell], 1);
		return -1;
	}
	atomic_fetch_add(&t->refs, 1);
	return cell;
}

void counts_leave(struct counts *t, int cell)
{
	atomic_fetch_sub(&t->open[cell], 1);
	counts_unref(t);
}

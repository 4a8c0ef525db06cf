/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Immutable shared bytes with an atomic count. */
#include "base/blob.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

struct blob *blob_new(const void *p, size_t n)
{
	struct blob *b;

	must(n <= UINT32_MAX);
	b = mem_alloc(sizeof(*b) + n);
	atomic_init(&b->refs, 1);
	b->n = (uint32_t)n;
	if (p && n)
		memcpy(b->p, p, n);
	return b;
}

struct blob *blob_ref(struct blob *b)
{
	if (b)
		atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void blob_unref(struct blob *b)
{
	unsigned before;

	if (!b)
		return;
	before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
	must(before);
	if (before == 1)
		free(b);
}

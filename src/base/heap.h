/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Intrusive binary min-heap by a 64-bit key: timers. A zeroed struct is an empty heap. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdint.h>

struct heap_node {
	uint64_t key;
	uint32_t pos; /* 1-based place in the heap, 0 when outside */
};

struct heap {
	struct heap_node **v;
	uint32_t n, cap;
};

void heap_fini(struct heap *h);
void heap_set(struct heap *h, struct heap_node *node, uint64_t key); /* inserts or moves */
void heap_del(struct heap *h, struct heap_node *node);		      /* takes a node outside too */
struct heap_node *heap_min(const struct heap *h);		      /* NULL when empty */

#endif

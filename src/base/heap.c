/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Intrusive binary min-heap. Places are 1-based: the children of i are 2i and 2i + 1. */
#include "base/heap.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { CAP_MIN = 16 };

void heap_fini(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

static void place(struct heap *h, struct heap_node *node, uint32_t pos)
{
	h->v[pos - 1] = node;
	node->pos = pos;
}

static void sift_up(struct heap *h, struct heap_node *node, uint32_t pos)
{
	while (pos > 1 && h->v[pos / 2 - 1]->key > node->key) {
		place(h, h->v[pos / 2 - 1], pos);
		pos /= 2;
	}
	place(h, node, pos);
}

static void sift_down(struct heap *h, struct heap_node *node, uint32_t pos)
{
	uint32_t child;

	while ((child = 2 * pos) <= h->n) {
		if (child < h->n && h->v[child]->key < h->v[child - 1]->key)
			child++;
		if (h->v[child - 1]->key >= node->key)
			break;
		place(h, h->v[child - 1], pos);
		pos = child;
	}
	place(h, node, pos);
}

/* Puts node where its key belongs, starting from pos. */
static void settle(struct heap *h, struct heap_node *node, uint32_t pos)
{
	if (pos > 1 && h->v[pos / 2 - 1]->key > node->key)
		sift_up(h, node, pos);
	else
		sift_down(h, node, pos);
}

void heap_set(struct heap *h, struct heap_node *node, uint64_t key)
{
	node->key = key;
	if (!node->pos) {
		if (h->n == h->cap) {
			h->cap = h->cap ? h->cap * 2 : CAP_MIN;
			h->v = mem_realloc(h->v, h->cap * sizeof(struct heap_node *));
		}
		place(h, node, ++h->n);
	}
	must(node->pos <= h->n && h->v[node->pos - 1] == node);
	settle(h, node, node->pos);
}

void heap_del(struct heap *h, struct heap_node *node)
{
	uint32_t pos = node->pos;
	struct heap_node *last;

	if (!pos)
		return;
	must(pos <= h->n && h->v[pos - 1] == node);
	last = h->v[--h->n];
	node->pos = 0;
	if (last != node)
		settle(h, last, pos);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->n ? h->v[0] : NULL;
}

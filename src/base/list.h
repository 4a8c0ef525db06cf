/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Intrusive doubly linked list. A node that is in no list is zeroed or points at itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l || !l->next;
}

static inline bool list_linked(const struct list *node)
{
	return node->next && node->next != node;
}

static inline void list_insert(struct list *before, struct list *node)
{
	node->next = before;
	node->prev = before->prev;
	before->prev->next = node;
	before->prev = node;
}

static inline void list_push(struct list *l, struct list *node) /* at the end */
{
	list_insert(l, node);
}

static inline void list_unshift(struct list *l, struct list *node) /* at the front */
{
	list_insert(l->next, node);
}

static inline void list_del(struct list *node) /* takes an unlinked node too */
{
	if (!node->next)
		return;
	node->next->prev = node->prev;
	node->prev->next = node->next;
	list_init(node);
}

static inline struct list *list_shift(struct list *l) /* first node or NULL */
{
	struct list *n = l->next;

	if (list_empty(l))
		return NULL;
	list_del(n);
	return n;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(l, type, member) list_entry((l)->next, type, member)
/* The current entry may be removed inside the loop; no other may. */
#define list_each(var, l, member)                                                                  \
	for (typeof(var) next_##var = ((var) = list_entry((l)->next, typeof(*(var)), member),        \
			 list_entry((var)->member.next, typeof(*(var)), member));                    \
		&(var)->member != (l);                                                               \
		(var) = next_##var, next_##var = list_entry((var)->member.next, typeof(*(var)), member))

#endif

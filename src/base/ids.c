/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Handles: slot and generation. Free slots form a list through next_free. */
#include "base/ids.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { CAP_MIN = 16 };

struct ids_slot {
	void *object;	    /* NULL when free */
	uint32_t generation; /* of the handle that is or will be given; wraps after 4 billion uses of a slot */
	uint32_t next_free; /* slot + 1, 0 at the end */
};

void ids_fini(struct ids *t)
{
	free(t->slots);
	*t = (struct ids){ 0 };
}

static void grow(struct ids *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : CAP_MIN;

	must(cap > t->cap);
	t->slots = mem_realloc(t->slots, cap * sizeof(struct ids_slot));
	for (uint32_t i = cap; i > t->cap; i--) {
		t->slots[i - 1] = (struct ids_slot){ .next_free = t->free };
		t->free = i;
	}
	t->cap = cap;
}

id_t64 ids_add(struct ids *t, void *object)
{
	struct ids_slot *slot;
	uint32_t number;

	must(object);
	if (!t->free)
		grow(t);
	number = t->free;
	slot = &t->slots[number - 1];
	t->free = slot->next_free;
	slot->object = object;
	t->n++;
	return (id_t64)slot->generation << 32 | number;
}

static struct ids_slot *slot_of(const struct ids *t, id_t64 id)
{
	uint32_t number = (uint32_t)id;
	struct ids_slot *slot;

	if (!number || number > t->cap)
		return NULL;
	slot = &t->slots[number - 1];
	return slot->object && slot->generation == id >> 32 ? slot : NULL;
}

void *ids_get(const struct ids *t, id_t64 id)
{
	struct ids_slot *slot = slot_of(t, id);

	return slot ? slot->object : NULL;
}

void ids_drop(struct ids *t, id_t64 id)
{
	struct ids_slot *slot = slot_of(t, id);

	if (!slot)
		return;
	slot->object = NULL;
	slot->generation++;
	slot->next_free = t->free;
	t->free = (uint32_t)id;
	t->n--;
}

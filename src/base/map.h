/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hash map from bytes to pointers, open addressing, seeded hash. A zeroed struct is an empty map.
 * Keys are borrowed: the bytes must live as long as the entry (normally a field of the value). */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;
struct map {
	struct map_slot *slots;
	uint32_t n, cap, tombs;
};

void map_fini(struct map *m);				/* frees the table, not the values */
void *map_get(const struct map *m, struct str key);	/* NULL if absent */
/* Sets key to value (never NULL); returns the value that stood there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_del(struct map *m, struct str key);		/* the removed value or NULL */
/* Walks all entries: `uint32_t i = 0; while (map_next(m, &i, &key, &value))`. The current entry may be deleted; nothing may be added. */
bool map_next(const struct map *m, uint32_t *pos, struct str *out_key, void **out_value);

#endif

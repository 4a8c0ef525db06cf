/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Handles for long-lived objects: slot + generation, so that a stale handle finds nothing. A zeroed struct is an empty table. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stdint.h>

struct ids_slot;
struct ids {
	struct ids_slot *slots;
	uint32_t n, cap, free;
};

typedef uint64_t id_t64; /* generation << 32 | slot + 1; 0 is never a handle */

void ids_fini(struct ids *t);
id_t64 ids_add(struct ids *t, void *object);
void *ids_get(const struct ids *t, id_t64 id); /* NULL when dropped or never given */
void ids_drop(struct ids *t, id_t64 id);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Memory of one event: allocate freely, give everything back at once. Never fails (aborts). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_chunk;
struct arena {
	struct arena_chunk *first, *cur;
	char *p, *end;
};

struct arena_mark {
	struct arena_chunk *cur;
	char *p;
};

void arena_init(struct arena *a);
void arena_fini(struct arena *a);	/* takes a zeroed or finished arena too */
void arena_reset(struct arena *a);	/* keeps one chunk of 64 KiB for the next event */
void *arena_alloc(struct arena *a, size_t n);	/* 16-byte aligned, uninitialised */
void *arena_zalloc(struct arena *a, size_t n);
struct str arena_str(struct arena *a, struct str s);	/* copy, with a NUL after it */
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Everything allocated after arena_mark is given back by arena_release. */
struct arena_mark arena_mark(struct arena *a);
void arena_release(struct arena *a, struct arena_mark m);

#endif

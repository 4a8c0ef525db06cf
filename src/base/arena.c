/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Memory of one event, as a chain of chunks that is cut back to its first chunk when the event is done. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { ALIGN = 16, CHUNK_BYTES = 64 * 1024 };

struct arena_chunk {
	struct arena_chunk *next;
	char *end;
	char bytes[] __attribute__((aligned(ALIGN)));
};

static struct arena_chunk *chunk_new(size_t n)
{
	size_t size = sizeof(struct arena_chunk) + n;
	struct arena_chunk *c;

	if (size < CHUNK_BYTES)
		size = CHUNK_BYTES;
	c = mem_alloc(size);
	c->next = NULL;
	c->end = (char *)c + size;
	return c;
}

static void chunks_free(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

void arena_fini(struct arena *a)
{
	chunks_free(a->first);
	*a = (struct arena){ 0 };
}

static void enter(struct arena *a, struct arena_chunk *c)
{
	a->cur = c;
	a->p = c->bytes;
	a->end = c->end;
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *first = a->first;

	if (!first)
		return;
	/* A first chunk that one large value made is not worth keeping. */
	if (first->end - (char *)first > CHUNK_BYTES) {
		arena_fini(a);
		return;
	}
	chunks_free(first->next);
	first->next = NULL;
	enter(a, first);
}

static void *alloc_slow(struct arena *a, size_t n)
{
	struct arena_chunk *c = chunk_new(n);
	void *p;

	if (!a->first) {
		a->first = c;
	} else {
		must(!a->cur->next);
		a->cur->next = c;
	}
	enter(a, c);
	p = a->p;
	a->p += n;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = a->p;

	must(n <= SIZE_MAX / 2);
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (n > (size_t)(a->end - a->p) || !p)
		return alloc_slow(a, n);
	a->p += n;
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return (struct str){ p, s.n };
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	size_t room = (size_t)(a->end - a->p);
	va_list args;
	char *p;
	int n;

	va_start(args, fmt);
	n = vsnprintf(a->p, room, fmt, args);
	va_end(args);
	must(n >= 0);
	if ((size_t)n < room)
		return (struct str){ arena_alloc(a, (size_t)n + 1), (size_t)n };
	p = arena_alloc(a, (size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, args);
	va_end(args);
	return (struct str){ p, (size_t)n };
}

struct arena_mark arena_mark(struct arena *a)
{
	return (struct arena_mark){ a->cur, a->p };
}

void arena_release(struct arena *a, struct arena_mark m)
{
	if (!m.cur) { /* marked while empty */
		arena_reset(a);
		return;
	}
	chunks_free(m.cur->next);
	m.cur->next = NULL;
	a->cur = m.cur;
	a->p = m.p;
	a->end = m.cur->end;
}

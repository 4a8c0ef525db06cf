/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growable bytes: doubles when full. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { CAP_MIN = 256 };

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

char *buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : CAP_MIN;

	must(n <= SIZE_MAX / 4 && b->n <= SIZE_MAX / 4);
	if (b->cap - b->n >= n && b->p)
		return b->p + b->n;
	while (cap - b->n < n)
		cap *= 2;
	b->p = mem_realloc(b->p, cap);
	b->cap = cap;
	return b->p + b->n;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(buf_room(b, n), p, n);
	b->n += n;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	*buf_room(b, 1) = c;
	b->n++;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->n;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(b->p ? b->p + b->n : NULL, room, fmt, args);
	va_end(args);
	must(n >= 0);
	if ((size_t)n >= room) {
		va_start(args, fmt);
		vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, args);
		va_end(args);
	}
	b->n += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
	must(n <= b->n);
	b->n -= n;
	if (b->n && n)
		memmove(b->p, b->p + n, b->n);
}

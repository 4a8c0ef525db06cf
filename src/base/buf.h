/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Growable bytes. A zeroed struct is an empty buffer. Growing never fails (aborts); the owner checks limits. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *p;
	size_t n, cap;
};

void buf_free(struct buf *b);			/* back to an empty buffer */
char *buf_room(struct buf *b, size_t n);	/* at least n writable bytes after the contents; then b->n += used */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t n);	/* drops the first n bytes */

static inline void buf_str(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

static inline struct str buf_view(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

#endif

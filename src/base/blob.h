/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Immutable shared bytes with an atomic count: a stanza or packet fanned out to many. Any thread. */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

struct blob {
	atomic_uint refs;
	uint32_t n;
	char p[];
};

struct blob *blob_new(const void *p, size_t n);	/* count 1; p may be NULL: fill it before sharing */
struct blob *blob_ref(struct blob *b);			/* NULL passes through */
void blob_unref(struct blob *b);			/* NULL passes through */

static inline struct str blob_view(const struct blob *b)
{
	return b ? (struct str){ b->p, b->n } : STR_NONE;
}

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Turns archive rows into blocks of the full-text index, in memory. Used by one thread at a time. */
#ifndef STORE_TEXT_BUILD_H
#define STORE_TEXT_BUILD_H

#include "store/store.h"
#include "store/text_block.h"
#include "store/words.h"

struct text_row {
	int64_t owner;
	uint32_t row; /* place in the part */
	uint64_t id;
	struct str with, stanza;
};

struct text_build {
	archive_text_fn *text_of;
	struct buf docs;  /* struct doc[] */
	struct buf terms; /* uint32_t[] */
	struct buf pairs, spare; /* uint64_t[]: term and row; scratch */
	struct buf rows;  /* scratch */
	struct buf text, last; /* scratch; the stanza before, which the other side's archive has too */
	struct words words;
	size_t last_at, last_n; /* its terms */
};

/* All terms that a row is found by, appended, in no order. */
void text_terms(archive_text_fn *text_of, struct str with, struct str stanza, struct text_build *scratch, struct buf *out);
/* Adds a row; rows rise. */
void text_build_add(struct text_build *b, const struct text_row *row);
/* Hands all blocks out by owner and term; key -1: the owner's struct text_meta. Returns 0 or what emit returned. */
typedef int text_emit_fn(void *arg, int64_t owner, int64_t key, struct str data);
int text_build_emit(struct text_build *b, text_emit_fn *emit, void *arg);
void text_build_free(struct text_build *b);

#endif

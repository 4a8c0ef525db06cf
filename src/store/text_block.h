/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Postings of the full-text index as bytes. A block holds the terms of one owner from its key on, rising:
 *
 *   varint term - the one before (the first: - the key) | varint bytes of the postings | postings
 *   postings: varint row - the one before (the first: itself), rising; a row is its place in the log beyond the part's begin
 */
#ifndef STORE_TEXT_BLOCK_H
#define STORE_TEXT_BLOCK_H

#include "base/buf.h"
#include "base/str.h"

enum { TEXT_BLOCK_BYTES = 1500 /* a block is full; SQLite keeps up to 2 KB of a row in its page */ };

struct text_entry {
	uint32_t term;
	struct str postings;
};

/* Walks a block: `struct text_cursor c = text_read(key, data); while (text_next(&c, &e))`. Damaged bytes end it. */
struct text_cursor {
	const char *at, *end;
	uint32_t term;
};
struct text_cursor text_read(uint32_t key, struct str data);
bool text_next(struct text_cursor *c, struct text_entry *out);
/* Appends the rows (uint32_t) of postings, each plus shift. */
void text_rows(struct str postings, uint32_t shift, struct buf *out);

/* Writes the blocks of one owner, terms rising. */
typedef int text_block_fn(void *arg, uint32_t key, struct str data);
struct text_writer {
	text_block_fn *on_block; /* returns 0; -errno ends all */
	void *arg;
	struct buf block, postings;
	uint32_t key, last;
	int err;
};
void text_put(struct text_writer *w, uint32_t term, const uint32_t *rows, size_t n);
void text_put_entry(struct text_writer *w, const struct text_entry *e); /* as it was read */
/* Hands the last block out. Returns 0 or what a call of on_block returned. The writer is ready for the next owner. */
int text_end(struct text_writer *w);
void text_writer_free(struct text_writer *w);

/* Takes a row out of the terms of one list and puts it to those of another (both sorted, all within the block's reach); out holds the
 * block anew, possibly empty. */
struct text_terms {
	const uint32_t *v;
	size_t n;
};
void text_block_edit(uint32_t key, struct str data, uint32_t row, struct text_terms drop, struct text_terms add, struct buf *out);

/* Sorts numbers of rows (uint32_t) and leaves each once. Returns how many. */
size_t text_rows_sort(struct buf *rows);

/* What is known of an owner in a part; kept as a block of its own. */
struct text_meta {
	uint64_t min_id, max_id;
	uint64_t skew; /* how far an id may lie behind one that came before it in the log */
};

#endif

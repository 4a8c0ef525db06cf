/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a read found: rows with their bytes in one buffer, built in a reader thread, handed out in a shard. */
#ifndef STORE_RESULT_H
#define STORE_RESULT_H

#include "base/buf.h"
#include "store/store.h"

/* Items or archive rows; while it is built the strings are offsets, after the seal they are pointers. Zeroed: empty. */
struct store_items {
	struct buf rows; /* struct store_item[] */
	struct buf bytes;
	size_t n;
};

void store_items_add(struct store_items *r, const struct store_item *item); /* copies */
void store_items_seal(struct store_items *r);
const struct store_item *store_items_at(const struct store_items *r); /* the array, after the seal */
void store_items_free(struct store_items *r);

struct store_page {
	struct buf rows; /* struct archive_found[] */
	struct buf bytes;
	struct archive_page page;
};

void store_page_add(struct store_page *r, const struct archive_found *row); /* copies; p NULL stays NULL */
void store_page_reverse(struct store_page *r); /* before the seal */
void store_page_seal(struct store_page *r);
void store_page_free(struct store_page *r);

#endif

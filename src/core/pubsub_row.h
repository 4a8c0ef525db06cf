/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stored row of a published item (XEP-0060 §12.1): written by features/pubsub and by an import, read there and by an export.
 *   kind "pubsub-item"  key node LF id  8 bytes seq (big endian), 4 bytes size, 2 bytes length of the publisher, publisher, payload
 *   kind "pubsub-data"  key node LF id  the payload, when it is larger than PUBSUB_INLINE_MAX */
#ifndef CORE_PUBSUB_ROW_H
#define CORE_PUBSUB_ROW_H

#include "base/str.h"
#include "store/store.h"

enum {
	PUBSUB_INLINE_MAX = 1024, /* payloads up to this are stored in the item's row */
	PUBSUB_ITEM_COST = 128,	  /* bytes that an item counts in its host's quota beside its id and payload */
};

struct pubsub_row {
	uint64_t seq;	      /* archive id of its publication: order and time */
	uint32_t size;	      /* bytes of the payload */
	bool big;	      /* the payload is a row of its own */
	struct str publisher; /* bare JID */
	struct str payload;   /* read: p NULL when big */
};

/* Reads the value of a "pubsub-item"; out borrows from it. Returns false, out untouched, for a row that is none. */
bool pubsub_row_read(struct str value, struct pubsub_row *out);
/* Puts the row of an item and, when it is big, the payload's; row->size and row->big are not looked at: the payload says. */
void pubsub_row_put(struct store_batch *b, struct str owner, struct str key, const struct pubsub_row *row);
/* What an item counts in its host's quota, in bytes. */
uint64_t pubsub_row_cost(size_t id_n, size_t payload_n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A write batch: operations encoded one after the other in one buffer, read back by the back ends. */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "base/buf.h"
#include "store/store.h"

enum { STORE_BUCKETS = 1024 }; /* owners are hashed to this many buckets to know which writes a read must wait for */

enum store_op_kind { OP_PUT, OP_INSERT, OP_EXPECT, OP_DEL, OP_DEL_ALL, OP_ARCHIVE, OP_TRIM, OP_REPLACE, OP_REMOVE };

/* One operation as read back; borrows from the batch. */
struct store_op {
	enum store_op_kind kind;
	uint16_t bucket;	/* of the owner */
	bool absent;		/* OP_EXPECT: the item must be absent */
	struct str owner, item_kind, key, value; /* key: the prefix for OP_DEL_ALL */
	struct archive_row row; /* OP_ARCHIVE; OP_REPLACE: id, stanza; OP_REMOVE: id; OP_TRIM: id is the bound */
};

struct store_batch {
	struct store_batch *next;
	struct shard *from;
	store_done_fn *done;
	void *arg;
	uint64_t seq;	 /* place in the order of all commits */
	int status;
	bool can_fail;	 /* holds an insert or expect: must be undone alone when one fails */
	uint32_t ops_n;
	uint32_t rows_n; /* archive rows */
	uint32_t blobs_n; /* operations that hold a stanza */
	size_t bytes;	 /* memory that it holds, stanzas included */
	struct buf ops;
};

/* Walks the operations: `size_t pos = 0; while (store_batch_next(b, &pos, &op))`. */
bool store_batch_next(const struct store_batch *b, size_t *pos, struct store_op *out);
uint16_t store_bucket(struct str owner);

#endif

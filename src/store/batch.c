/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Write batches: encoding and reading back. Used by one thread at a time: the shard that fills it, then the writer. */
#include "store/batch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { PARTS = 4, BATCH_FIRST_BYTES = 512 };

/* Head of an encoded operation; its parts follow, padded to 8 bytes. */
struct op_head {
	uint8_t kind;
	uint8_t flag; /* OP_EXPECT: absent; OP_ARCHIVE: outgoing; bit 1: with_full given; bit 2: origin given */
	uint16_t bucket;
	uint32_t size; /* head, parts and padding */
	uint32_t n[PARTS];
	uint64_t id;
	struct blob *blob;
};

enum { FLAG_ABSENT = 1, FLAG_OUTGOING = 1, FLAG_FULL = 2, FLAG_ORIGIN = 4 };

struct store_batch *store_batch_new(void)
{
	struct store_batch *b = mem_zalloc(sizeof(*b));

	buf_room(&b->ops, BATCH_FIRST_BYTES);
	return b;
}

void store_batch_free(struct store_batch *b)
{
	size_t pos = 0;

	if (!b)
		return;
	while (b->blobs_n && pos < b->ops.n) {
		struct op_head h;

		memcpy(&h, b->ops.p + pos, sizeof(h));
		blob_unref(h.blob);
		pos += h.size;
	}
	buf_free(&b->ops);
	free(b);
}

uint16_t store_bucket(struct str owner)
{
	return (uint16_t)(str_hash_stable(owner) % STORE_BUCKETS);
}

static void add(struct store_batch *b, struct op_head *h, const struct str parts[PARTS])
{
	static const char zeros[8];
	size_t size = sizeof(*h), pad;

	for (int i = 0; i < PARTS; i++) {
		must(parts[i].n <= (i == 3 ? STORE_VALUE_MAX : STORE_KEY_MAX));
		h->n[i] = (uint32_t)parts[i].n;
		size += parts[i].n;
	}
	pad = -size & 7;
	h->bucket = store_bucket(parts[0]);
	h->size = (uint32_t)(size + pad);
	buf_room(&b->ops, size + pad);
	buf_put(&b->ops, h, sizeof(*h));
	for (int i = 0; i < PARTS; i++)
		buf_str(&b->ops, parts[i]);
	buf_put(&b->ops, zeros, pad);
	b->ops_n++;
	b->bytes += size + pad;
}

static void add_item(struct store_batch *b, struct op_head h, struct str owner, struct str kind, struct str key,
		     struct str value)
{
	add(b, &h, (const struct str[PARTS]){ owner, kind, key, value });
}

void store_put(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value)
{
	add_item(b, (struct op_head){ .kind = OP_PUT }, owner, kind, key, value);
}

void store_insert(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value)
{
	add_item(b, (struct op_head){ .kind = OP_INSERT }, owner, kind, key, value);
	b->can_fail = true;
}

void store_expect(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value)
{
	uint8_t flag = value.p ? 0 : FLAG_ABSENT;

	add_item(b, (struct op_head){ .kind = OP_EXPECT, .flag = flag }, owner, kind, key, value);
	b->can_fail = true;
}

void store_del(struct store_batch *b, struct str owner, struct str kind, struct str key)
{
	add_item(b, (struct op_head){ .kind = OP_DEL }, owner, kind, key, STR_NONE);
}

void store_del_all(struct store_batch *b, struct str owner, struct str kind, struct str prefix)
{
	add_item(b, (struct op_head){ .kind = OP_DEL_ALL }, owner, kind, prefix, STR_NONE);
}

void store_archive(struct store_batch *b, const struct archive_row *row)
{
	struct op_head h = { .kind = OP_ARCHIVE, .id = row->id, .blob = blob_ref(row->stanza) };

	must(row->id <= INT64_MAX); /* ids made from times are below until 2089 */
	must(row->stanza && row->stanza->n <= STORE_VALUE_MAX);
	h.flag = (uint8_t)((row->outgoing ? FLAG_OUTGOING : 0) | (row->with_full.p ? FLAG_FULL : 0) |
			   (row->origin.p ? FLAG_ORIGIN : 0));
	add(b, &h, (const struct str[PARTS]){ row->owner, row->with, row->with_full, row->origin });
	b->rows_n++;
	b->blobs_n++;
	b->bytes += row->stanza->n;
}

static void add_row_op(struct store_batch *b, struct op_head h, struct str owner)
{
	add(b, &h, (const struct str[PARTS]){ owner, STR_NONE, STR_NONE, STR_NONE });
}

void store_archive_trim(struct store_batch *b, struct str owner, uint64_t before_id)
{
	add_row_op(b, (struct op_head){ .kind = OP_TRIM, .id = before_id }, owner);
}

void store_archive_replace(struct store_batch *b, struct str owner, uint64_t id, struct blob *stanza)
{
	must(stanza && stanza->n <= STORE_VALUE_MAX);
	add_row_op(b, (struct op_head){ .kind = OP_REPLACE, .id = id, .blob = blob_ref(stanza) }, owner);
	b->blobs_n++;
	b->bytes += stanza->n;
}

void store_archive_remove(struct store_batch *b, struct str owner, uint64_t id)
{
	add_row_op(b, (struct op_head){ .kind = OP_REMOVE, .id = id }, owner);
}

bool store_batch_next(const struct store_batch *b, size_t *pos, struct store_op *out)
{
	struct str parts[PARTS];
	struct op_head h;
	const char *p;

	if (*pos >= b->ops.n)
		return false;
	memcpy(&h, b->ops.p + *pos, sizeof(h));
	p = b->ops.p + *pos + sizeof(h);
	for (int i = 0; i < PARTS; i++) {
		parts[i] = (struct str){ p, h.n[i] };
		p += h.n[i];
	}
	*pos += h.size;
	*out = (struct store_op){
		.kind = h.kind, .bucket = h.bucket, .absent = h.kind == OP_EXPECT && h.flag & FLAG_ABSENT,
		.owner = parts[0], .item_kind = parts[1], .key = parts[2], .value = parts[3],
	};
	if (h.kind >= OP_ARCHIVE)
		out->row = (struct archive_row){
			.owner = parts[0], .id = h.id, .with = parts[1],
			.with_full = h.flag & FLAG_FULL ? parts[2] : STR_NONE,
			.origin = h.flag & FLAG_ORIGIN ? parts[3] : STR_NONE,
			.outgoing = h.flag & FLAG_OUTGOING, .stanza = h.blob,
		};
	return true;
}

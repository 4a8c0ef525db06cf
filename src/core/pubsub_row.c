/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Rows of published items, XEP-0060 §12.1. */
#include "core/pubsub_row.h"

#include "base/buf.h"

enum { SEQ_BYTES = 8, SIZE_BYTES = 4, LENGTH_BYTES = 2, HEAD = SEQ_BYTES + SIZE_BYTES + LENGTH_BYTES };

static void put_number(struct buf *b, uint64_t v, int bytes)
{
	while (bytes--)
		buf_putc(b, (char)(v >> 8 * bytes));
}

static uint64_t get_number(const char *p, int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | (unsigned char)*p++;
	return v;
}

bool pubsub_row_read(struct str value, struct pubsub_row *out)
{
	struct pubsub_row row = { 0 };
	size_t n;

	if (value.n < HEAD)
		return false;
	row.seq = get_number(value.p, SEQ_BYTES);
	row.size = (uint32_t)get_number(value.p + SEQ_BYTES, SIZE_BYTES);
	row.big = row.size > PUBSUB_INLINE_MAX;
	n = get_number(value.p + SEQ_BYTES + SIZE_BYTES, LENGTH_BYTES);
	if (value.n < HEAD + n)
		return false;
	row.publisher = (struct str){ value.p + HEAD, n };
	if (!row.big)
		row.payload = (struct str){ value.p + HEAD + n, value.n - HEAD - n };
	*out = row;
	return true;
}

void pubsub_row_put(struct store_batch *b, struct str owner, struct str key, const struct pubsub_row *row)
{
	bool big = row->payload.n > PUBSUB_INLINE_MAX;
	struct buf v = { 0 };

	put_number(&v, row->seq, SEQ_BYTES);
	put_number(&v, row->payload.n, SIZE_BYTES);
	put_number(&v, row->publisher.n, LENGTH_BYTES);
	buf_str(&v, row->publisher);
	if (!big)
		buf_str(&v, row->payload);
	store_put(b, owner, STR("pubsub-item"), key, buf_view(&v));
	if (big)
		store_put(b, owner, STR("pubsub-data"), key, row->payload);
	buf_free(&v);
}

uint64_t pubsub_row_cost(size_t id_n, size_t payload_n)
{
	return id_n + payload_n + PUBSUB_ITEM_COST;
}

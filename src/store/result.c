/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Results of reads: rows that refer to one growing buffer by offset until they are sealed. */
#include "store/result.h"

/* Copies s into bytes; the answer holds the offset + 1 in place of a pointer, NULL for no string. */
static struct str keep(struct buf *bytes, struct str s)
{
	size_t at = bytes->n;

	if (!s.p)
		return STR_NONE;
	buf_str(bytes, s);
	return (struct str){ (const char *)(uintptr_t)(at + 1), s.n };
}

static void point(const struct buf *bytes, struct str *s)
{
	if (s->p)
		s->p = s->n ? bytes->p + ((uintptr_t)s->p - 1) : "";
}

void store_items_add(struct store_items *r, const struct store_item *item)
{
	struct store_item kept = { keep(&r->bytes, item->owner), keep(&r->bytes, item->kind),
				   keep(&r->bytes, item->key), keep(&r->bytes, item->value) };

	buf_put(&r->rows, &kept, sizeof(kept));
	r->n++;
}

void store_items_seal(struct store_items *r)
{
	struct store_item *v = (struct store_item *)(void *)r->rows.p;

	for (size_t i = 0; i < r->n; i++) {
		point(&r->bytes, &v[i].owner);
		point(&r->bytes, &v[i].kind);
		point(&r->bytes, &v[i].key);
		point(&r->bytes, &v[i].value);
	}
}

const struct store_item *store_items_at(const struct store_items *r)
{
	return (const struct store_item *)(const void *)r->rows.p;
}

void store_items_free(struct store_items *r)
{
	buf_free(&r->rows);
	buf_free(&r->bytes);
	r->n = 0;
}

void store_page_add(struct store_page *r, const struct archive_found *row)
{
	struct archive_found kept = *row;

	kept.with = keep(&r->bytes, row->with);
	kept.with_full = keep(&r->bytes, row->with_full);
	kept.origin = keep(&r->bytes, row->origin);
	kept.stanza = keep(&r->bytes, row->stanza);
	buf_put(&r->rows, &kept, sizeof(kept));
	r->page.n++;
}

void store_page_reverse(struct store_page *r)
{
	struct archive_found *v = (struct archive_found *)(void *)r->rows.p;

	for (size_t i = 0, j = r->page.n; i + 1 < j; i++) {
		struct archive_found t = v[i];

		v[i] = v[--j];
		v[j] = t;
	}
}

void store_page_seal(struct store_page *r)
{
	struct archive_found *v = (struct archive_found *)(void *)r->rows.p;

	for (size_t i = 0; i < r->page.n; i++) {
		point(&r->bytes, &v[i].with);
		point(&r->bytes, &v[i].with_full);
		point(&r->bytes, &v[i].origin);
		point(&r->bytes, &v[i].stanza);
	}
	r->page.v = v;
}

void store_page_free(struct store_page *r)
{
	buf_free(&r->rows);
	buf_free(&r->bytes);
	r->page = (struct archive_page){ 0 };
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Encoding of the full-text index. */
#include "store/text_block.h"

#include <stdlib.h>

enum { VARINT_MAX = 5 };

/* There is room for VARINT_MAX bytes at p. Returns the end. */
static char *write_varint(char *p, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (char)(v | 0x80);
	*p++ = (char)v;
	return p;
}

static void put_varint(struct buf *b, uint32_t v)
{
	char *p = buf_room(b, VARINT_MAX);

	b->n += (size_t)(write_varint(p, v) - p);
}

static bool get_varint(const char **at, const char *end, uint32_t *out)
{
	uint32_t v = 0;

	for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
		unsigned char c = (unsigned char)*(*at)++;

		v |= (uint32_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

struct text_cursor text_read(uint32_t key, struct str data)
{
	return (struct text_cursor){ data.p, data.p + data.n, key };
}

bool text_next(struct text_cursor *c, struct text_entry *out)
{
	uint32_t delta, n;

	if (c->at >= c->end || !get_varint(&c->at, c->end, &delta) || !get_varint(&c->at, c->end, &n) ||
	    n > (size_t)(c->end - c->at))
		return false;
	c->term += delta;
	*out = (struct text_entry){ c->term, { c->at, n } };
	c->at += n;
	return true;
}

void text_rows(struct str postings, uint32_t shift, struct buf *out)
{
	const char *at = postings.p, *end = at + postings.n;
	uint32_t *to = (uint32_t *)(void *)buf_room(out, postings.n * sizeof(*to)), row = shift, delta;

	while (at < end && get_varint(&at, end, &delta)) {
		row += delta;
		*to++ = row;
		out->n += sizeof(row);
	}
}

void text_put_entry(struct text_writer *w, const struct text_entry *e)
{
	if (w->block.n && w->block.n + e->postings.n > TEXT_BLOCK_BYTES)
		text_end(w);
	if (!w->block.n)
		w->key = w->last = e->term;
	put_varint(&w->block, e->term - w->last);
	put_varint(&w->block, (uint32_t)e->postings.n);
	buf_str(&w->block, e->postings);
	w->last = e->term;
}

void text_put(struct text_writer *w, uint32_t term, const uint32_t *rows, size_t n)
{
	uint32_t before = 0;
	char *from, *p;

	w->postings.n = 0;
	from = p = buf_room(&w->postings, n * VARINT_MAX);
	for (size_t i = 0; i < n; i++) {
		p = write_varint(p, rows[i] - before);
		before = rows[i];
	}
	w->postings.n = (size_t)(p - from);
	text_put_entry(w, &(struct text_entry){ term, buf_view(&w->postings) });
}

int text_end(struct text_writer *w)
{
	if (w->block.n && !w->err)
		w->err = w->on_block(w->arg, w->key, buf_view(&w->block));
	w->block.n = 0;
	return w->err;
}

void text_writer_free(struct text_writer *w)
{
	buf_free(&w->block);
	buf_free(&w->postings);
}

static int by_term(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Appends postings with or without one row. */
static void edit_row(struct str postings, uint32_t row, bool add, struct buf *out)
{
	const char *at = postings.p, *end = at + postings.n;
	uint32_t now = 0, before = 0, delta;

	while (at < end && get_varint(&at, end, &delta)) {
		now += delta;
		if (add && now >= row) {
			put_varint(out, row - before);
			before = row;
			add = false;
		}
		if (now == row)
			continue;
		put_varint(out, now - before);
		before = now;
	}
	if (add)
		put_varint(out, row - before);
}

struct edit {
	struct buf *out, postings;
	uint32_t last, row;
};

static void put_edited(struct edit *e, uint32_t term, struct str postings)
{
	if (!postings.n)
		return;
	put_varint(e->out, term - e->last);
	put_varint(e->out, (uint32_t)postings.n);
	buf_str(e->out, postings);
	e->last = term;
}

static void put_changed(struct edit *e, uint32_t term, struct str postings, bool add)
{
	e->postings.n = 0;
	edit_row(postings, e->row, add, &e->postings);
	put_edited(e, term, buf_view(&e->postings));
}

void text_block_edit(uint32_t key, struct str data, uint32_t row, struct text_terms drop, struct text_terms add, struct buf *out)
{
	struct text_cursor c = text_read(key, data);
	struct edit e = { .out = out, .last = key, .row = row };
	struct text_entry entry;
	size_t at = 0;

	out->n = 0;
	while (text_next(&c, &entry)) {
		for (; at < add.n && add.v[at] < entry.term; at++)
			put_changed(&e, add.v[at], STR_NONE, true);
		if (at < add.n && add.v[at] == entry.term) {
			put_changed(&e, entry.term, entry.postings, true);
			at++;
		} else if (drop.n && bsearch(&entry.term, drop.v, drop.n, sizeof(*drop.v), by_term)) {
			put_changed(&e, entry.term, entry.postings, false);
		} else {
			put_edited(&e, entry.term, entry.postings);
		}
	}
	for (; at < add.n; at++)
		put_changed(&e, add.v[at], STR_NONE, true);
	buf_free(&e.postings);
}

/* ---- lists of rows ---- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

size_t text_rows_sort(struct buf *rows)
{
	uint32_t *v = (uint32_t *)(void *)rows->p;
	size_t n = rows->n / sizeof(*v), kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; i < n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	rows->n = kept * sizeof(*v);
	return kept;
}

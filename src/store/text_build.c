/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Building a part of the full-text index. */
#include "store/text_build.h"

#include <stdlib.h>

enum { RADIX_MIN = 256 };

struct doc {
	int64_t owner;
	uint64_t id;
	uint32_t row, terms_n;
	size_t terms_at;
};

static void add_special(int kind, struct str s, struct buf *out)
{
	uint32_t term;

	if (!s.n)
		return;
	term = words_special(kind, s);
	buf_put(out, &term, sizeof(term));
}

/* Terms of the stanza alone. */
static void stanza_terms(archive_text_fn *text_of, struct str stanza, struct text_build *scratch, struct buf *out)
{
	struct str ids[2] = { STR_NONE, STR_NONE };

	scratch->text.n = 0;
	text_of(stanza, &scratch->text, ids);
	words_fold(&scratch->words, buf_view(&scratch->text));
	words_terms(&scratch->words, out);
	add_special(TERM_ID, ids[0], out);
	if (!str_eq(ids[0], ids[1]))
		add_special(TERM_ID, ids[1], out);
}

void text_terms(archive_text_fn *text_of, struct str with, struct str stanza, struct text_build *scratch, struct buf *out)
{
	if (!stanza.n)
		return;
	stanza_terms(text_of, stanza, scratch, out);
	add_special(TERM_WITH, with, out);
}

void text_build_add(struct text_build *b, const struct text_row *row)
{
	struct doc d = { .owner = row->owner, .id = row->id, .row = row->row, .terms_at = b->terms.n };

	if (!row->stanza.n)
		return;
	if (b->last.n && str_eq(buf_view(&b->last), row->stanza)) {
		buf_room(&b->terms, b->last_n);
		buf_put(&b->terms, b->terms.p + b->last_at, b->last_n);
	} else {
		stanza_terms(b->text_of, row->stanza, b, &b->terms);
		b->last.n = 0;
		buf_str(&b->last, row->stanza);
		b->last_at = d.terms_at;
		b->last_n = b->terms.n - d.terms_at;
	}
	add_special(TERM_WITH, row->with, &b->terms);
	d.terms_n = (uint32_t)((b->terms.n - d.terms_at) / sizeof(uint32_t));
	buf_put(&b->docs, &d, sizeof(d));
}

/* ---- sorting ---- */

static int by_owner(const void *x, const void *y)
{
	const struct doc *a = x, *b = y;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static int by_number(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

/* By term; the rows rise already. */
static void radix(uint64_t *v, uint64_t *spare, size_t n)
{
	for (unsigned shift = 32; shift < 64; shift += 8) {
		size_t at[256] = { 0 }, sum = 0;
		uint64_t *swap = v;

		for (size_t i = 0; i < n; i++)
			at[v[i] >> shift & 0xff]++;
		for (int k = 0; k < 256; k++) {
			size_t count = at[k];

			at[k] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			spare[at[v[i] >> shift & 0xff]++] = v[i];
		v = spare;
		spare = swap;
	} /* four times: it ends where it began */
}

static uint64_t *sorted_pairs(struct text_build *b, const struct doc *v, size_t n, size_t *out_n)
{
	const uint32_t *terms = (const uint32_t *)(const void *)b->terms.p;
	uint64_t *pairs, *to;
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += v[i].terms_n;
	b->pairs.n = 0;
	to = pairs = (uint64_t *)(void *)buf_room(&b->pairs, all * sizeof(*pairs));
	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < v[i].terms_n; k++)
			*to++ = (uint64_t)terms[v[i].terms_at / sizeof(*terms) + k] << 32 | v[i].row;
	b->pairs.n = all * sizeof(*pairs);
	*out_n = all;
	if (*out_n >= RADIX_MIN)
		radix(pairs, (uint64_t *)(void *)buf_room(&b->spare, b->pairs.n), *out_n);
	else
		qsort(pairs, *out_n, sizeof(*pairs), by_number);
	return pairs;
}

/* ---- handing out ---- */

struct emitter {
	text_emit_fn *emit;
	void *arg;
	int64_t owner;
};

static int on_block(void *arg, uint32_t key, struct str data)
{
	struct emitter *e = arg;

	return e->emit(e->arg, e->owner, key, data);
}

static struct text_meta meta_of(const struct doc *v, size_t n)
{
	struct text_meta m = { .min_id = v[0].id, .max_id = v[0].id };

	for (size_t i = 1; i < n; i++) {
		if (v[i].id < m.max_id && m.max_id - v[i].id > m.skew)
			m.skew = m.max_id - v[i].id;
		if (v[i].id > m.max_id)
			m.max_id = v[i].id;
		if (v[i].id < m.min_id)
			m.min_id = v[i].id;
	}
	return m;
}

/* All of one owner. */
static int emit_owner(struct text_build *b, struct emitter *e, struct text_writer *w, const struct doc *v, size_t n)
{
	struct text_meta meta = meta_of(v, n);
	size_t pairs_n;
	const uint64_t *pairs = sorted_pairs(b, v, n, &pairs_n);
	uint32_t *rows = (uint32_t *)(void *)buf_room(&b->rows, n * sizeof(*rows));
	int err;

	e->owner = v->owner;
	err = e->emit(e->arg, e->owner, -1, (struct str){ (const char *)&meta, sizeof(meta) });
	for (size_t i = 0; i < pairs_n && !err;) {
		uint32_t term = (uint32_t)(pairs[i] >> 32);
		size_t rows_n = 0;

		for (; i < pairs_n && pairs[i] >> 32 == term; i++)
			if (!rows_n || rows[rows_n - 1] != (uint32_t)pairs[i])
				rows[rows_n++] = (uint32_t)pairs[i];
		text_put(w, term, rows, rows_n);
	}
	return err ? err : text_end(w);
}

int text_build_emit(struct text_build *b, text_emit_fn *emit, void *arg)
{
	struct doc *v = (struct doc *)(void *)b->docs.p;
	struct emitter e = { emit, arg, 0 };
	struct text_writer w = { .on_block = on_block, .arg = &e };
	size_t n = b->docs.n / sizeof(*v);
	int err = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_owner);
	for (size_t i = 0, to; i < n && !err; i = to) {
		for (to = i + 1; to < n && v[to].owner == v[i].owner; to++)
			;
		err = emit_owner(b, &e, &w, v + i, to - i);
	}
	text_writer_free(&w);
	return err;
}

void text_build_free(struct text_build *b)
{
	buf_free(&b->docs);
	buf_free(&b->terms);
	buf_free(&b->pairs);
	buf_free(&b->spare);
	buf_free(&b->rows);
	buf_free(&b->text);
	buf_free(&b->last);
	words_free(&b->words);
}

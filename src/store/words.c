/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Texts as searches see them: runs of folded letters. */
#include "store/words.h"

#include "base/must.h"
#include "base/utf8.h"
#include "store/fold.h"

enum class { APART, LETTER, UNSPACED, MARK };

/* Beyond ASCII all is a letter that is not said to be something else; rising. */
static const struct {
	uint32_t lo, hi;
	enum class class;
} classes[] = {
	{ 0x80, 0xa9, APART },		{ 0xab, 0xb1, APART },	       { 0xb4, 0xb4, APART },
	{ 0xb6, 0xb8, APART },		{ 0xbb, 0xbb, APART },	       { 0xbf, 0xbf, APART },
	{ 0xd7, 0xd7, APART },		{ 0xf7, 0xf7, APART },	       { 0x2b9, 0x2ff, APART },
	{ 0x300, 0x36f, MARK },		{ 0x37e, 0x37e, APART },       { 0x387, 0x387, APART },
	{ 0x483, 0x489, MARK },		{ 0x55a, 0x55f, APART },       { 0x589, 0x58f, APART },
	{ 0x591, 0x5c7, MARK },		{ 0x5f3, 0x5f4, APART },       { 0x600, 0x60f, APART },
	{ 0x610, 0x61a, MARK },		{ 0x61b, 0x61f, APART },       { 0x640, 0x640, MARK },
	{ 0x64b, 0x65f, MARK },		{ 0x66a, 0x66d, APART },       { 0x670, 0x670, MARK },
	{ 0x6d4, 0x6d4, APART },	{ 0x6d6, 0x6ed, MARK },	       { 0x700, 0x70d, APART },
	{ 0x964, 0x965, APART },	{ 0xe01, 0xe3a, UNSPACED },    { 0xe3f, 0xe3f, APART },
	{ 0xe40, 0xe4e, UNSPACED },	{ 0xe4f, 0xe4f, APART },       { 0xe5a, 0xe5b, APART },
	{ 0xe80, 0xeff, UNSPACED },	{ 0x1000, 0x103f, UNSPACED },  { 0x104a, 0x104f, APART },
	{ 0x1050, 0x109f, UNSPACED },	{ 0x1100, 0x11ff, UNSPACED },  { 0x1360, 0x1368, APART },
	{ 0x1780, 0x17d3, UNSPACED },	{ 0x17d4, 0x17db, APART },     { 0x1ab0, 0x1aff, MARK },
	{ 0x1dc0, 0x1dff, MARK },	{ 0x1fbd, 0x1fbd, APART },     { 0x1fbf, 0x1fc1, APART },
	{ 0x2000, 0x206f, APART },	{ 0x207a, 0x207e, APART },     { 0x208a, 0x208f, APART },
	{ 0x20a0, 0x20cf, APART },	{ 0x20d0, 0x20ff, MARK },      { 0x2190, 0x23ff, APART },
	{ 0x2400, 0x245f, APART },	{ 0x2500, 0x25ff, APART },     { 0x2600, 0x27bf, UNSPACED },
	{ 0x27c0, 0x2aff, APART },	{ 0x2b00, 0x2bff, UNSPACED },  { 0x2e00, 0x2e7f, APART },
	{ 0x2e80, 0x2fdf, UNSPACED },	{ 0x2ff0, 0x3004, APART },     { 0x3005, 0x3007, UNSPACED },
	{ 0x3008, 0x3020, APART },	{ 0x3021, 0x3029, UNSPACED },  { 0x302a, 0x302f, MARK },
	{ 0x3030, 0x3030, APART },	{ 0x3031, 0x3098, UNSPACED },  { 0x3099, 0x309a, MARK },
	{ 0x309b, 0x309c, APART },	{ 0x309d, 0x309f, UNSPACED },  { 0x30a0, 0x30a0, APART },
	{ 0x30a1, 0x30fa, UNSPACED },	{ 0x30fb, 0x30fb, APART },     { 0x30fc, 0x31ff, UNSPACED },
	{ 0x3200, 0x33ff, APART },	{ 0x3400, 0x9fff, UNSPACED },  { 0xa000, 0xa4cf, UNSPACED },
	{ 0xa960, 0xa97f, UNSPACED },	{ 0xaa60, 0xaa7f, UNSPACED },  { 0xaa80, 0xaadf, UNSPACED },
	{ 0xac00, 0xd7ff, UNSPACED },	{ 0xe000, 0xf8ff, APART },     { 0xf900, 0xfaff, UNSPACED },
	{ 0xfe00, 0xfe0f, MARK },	{ 0xfe10, 0xfe1f, APART },     { 0xfe20, 0xfe2f, MARK },
	{ 0xfe30, 0xfe6f, APART },	{ 0xfeff, 0xff0f, APART },     { 0xff1a, 0xff20, APART },
	{ 0xff3b, 0xff40, APART },	{ 0xff5b, 0xff65, APART },     { 0xff66, 0xffdf, UNSPACED },
	{ 0xffe0, 0xffff, APART },	{ 0x1f000, 0x1f3fa, UNSPACED }, { 0x1f3fb, 0x1f3ff, MARK },
	{ 0x1f400, 0x1faff, UNSPACED },	{ 0x20000, 0x3ffff, UNSPACED }, { 0xe0000, 0x10ffff, APART },
};

static bool is_ascii_letter(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

static enum class class_of(uint32_t c)
{
	size_t lo = 0, hi = ARRAY_LEN(classes);

	if (c < 0x80)
		return is_ascii_letter(c) ? LETTER : APART;
	if (c >= 0x3400 && c <= 0x9fff)
		return UNSPACED;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > classes[mid].hi)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ARRAY_LEN(classes) && c >= classes[lo].lo ? classes[lo].class : LETTER;
}

static uint32_t fold_one(uint32_t c)
{
	size_t lo = 0, hi = fold_rows_n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c > fold_rows[mid].from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < fold_rows_n && fold_rows[lo].from == c ? fold_rows[lo].to : c;
}

static const char *fold_long(uint32_t c)
{
	for (size_t i = 0; i < fold_longs_n && fold_longs[i].from <= c; i++)
		if (fold_longs[i].from == c)
			return fold_longs[i].to;
	return NULL;
}

/* ---- folding ---- */

/* Where a text is being cut into runs. */
struct folder {
	struct buf *out;
	enum class in;	/* of the run that is open; APART: none */
	size_t letters; /* of that run */
};

/* There is room: words_fold has seen to it. */
static void put(struct folder *f, uint32_t c)
{
	memcpy(f->out->p + f->out->n, &c, sizeof(c));
	f->out->n += sizeof(c);
}

static void close_run(struct folder *f)
{
	if (f->in != APART)
		put(f, 0);
	f->in = APART;
	f->letters = 0;
}

static void add(struct folder *f, uint32_t c)
{
	enum class class = class_of(c);

	if (class == MARK)
		return;
	if (class != f->in)
		close_run(f);
	f->in = class;
	if (class == APART || (class == LETTER && ++f->letters > WORDS_WORD_MAX))
		return;
	put(f, c);
}

static void fold(struct folder *f, uint32_t c)
{
	const char *more;

	if (c < 0x80) {
		add(f, c >= 'A' && c <= 'Z' ? c + 32 : c);
		return;
	}
	if (c >= 0x3400 && c <= 0x9fff) { /* by far the most frequent, and never folded */
		add(f, c);
		return;
	}
	more = c < 0x10000 ? fold_long(c) : NULL;
	for (; more && *more; more++)
		add(f, (uint32_t)*more);
	if (!more)
		add(f, c < 0x10000 ? fold_one(c) : c);
}

void words_fold(struct words *w, struct str text)
{
	struct folder f = { .out = &w->runs };
	size_t pos = 0;

	w->runs.n = 0;
	if (text.n > WORDS_TEXT_MAX)
		text.n = WORDS_TEXT_MAX;
	buf_room(&w->runs, (2 * text.n + 2) * sizeof(uint32_t)); /* each byte at most a letter and a border */
	put(&f, 0);
	while (pos < text.n) {
		unsigned char byte = (unsigned char)text.p[pos];
		int32_t c = byte;

		if (byte < 0x80) {
			pos++;
		} else {
			c = utf8_next(text, &pos);
			if (c < 0) {
				c = ' ';
				pos++;
			}
		}
		fold(&f, (uint32_t)c);
	}
	close_run(&f);
}

void words_free(struct words *w)
{
	buf_free(&w->runs);
}

/* ---- runs ---- */

struct run {
	const uint32_t *p; /* behind a 0, before a 0 */
	size_t n;
};

static bool next_run(const struct words *w, size_t *pos, struct run *out)
{
	const uint32_t *v = words_at(w);
	size_t n = w->runs.n / sizeof(*v), at = *pos;

	if (at + 1 >= n)
		return false;
	out->p = v + at + 1;
	for (at++; v[at]; at++)
		;
	out->n = (size_t)(v + at - out->p);
	*pos = at;
	return true;
}

size_t words_runs(const struct words *w)
{
	size_t pos = 0, n = 0;
	struct run r;

	while (next_run(w, &pos, &r))
		n++;
	return n;
}

static bool holds(const struct words *text, const uint32_t *p, size_t n)
{
	const uint32_t *v = words_at(text), *end = v + text->runs.n / sizeof(*v);

	for (; (size_t)(end - v) >= n; v++)
		if (*v == *p && memcmp(v, p, n * sizeof(*p)) == 0)
			return true;
	return false;
}

bool words_match(const struct words *query, const struct words *text)
{
	size_t pos = 0;
	struct run r;

	while (next_run(query, &pos, &r)) {
		bool word = class_of(*r.p) == LETTER;

		/* a word with the borders around it, a stretch without */
		if (!holds(text, word ? r.p - 1 : r.p, word ? r.n + 2 : r.n))
			return false;
	}
	return true;
}

/* ---- terms ---- */

enum { PAIR = 1u << 31, FIRST_SHIFT = 14, FIRST_MASK = 0x1ffff, SECOND_MASK = 0x3fff };

static uint32_t hash(const void *p, size_t n, uint32_t seed)
{
	const unsigned char *at = p;
	uint32_t h = 2166136261u ^ seed;

	while (n--)
		h = (h ^ *at++) * 16777619u;
	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	h ^= h >> 13;
	return h & ~(uint32_t)PAIR;
}

/* The pair of a letter and its neighbour, 0 behind the last: pairs of one first letter lie side by side. */
static uint32_t pair(uint32_t a, uint32_t b)
{
	return (uint32_t)PAIR | (a & FIRST_MASK) << FIRST_SHIFT | (b & SECOND_MASK);
}

void words_terms(const struct words *w, struct buf *out)
{
	size_t pos = 0;
	struct run r;

	while (next_run(w, &pos, &r)) {
		if (class_of(*r.p) == LETTER) {
			uint32_t term = hash(r.p, r.n * sizeof(*r.p), 0);

			buf_put(out, &term, sizeof(term));
			continue;
		}
		for (size_t i = 0; i < r.n; i++) {
			uint32_t term = pair(r.p[i], r.p[i + 1]);

			buf_put(out, &term, sizeof(term));
		}
	}
}

size_t words_ranges(const struct words *query, struct term_range *out, size_t max)
{
	size_t pos = 0, n = 0;
	struct run r;

	while (n < max && next_run(query, &pos, &r)) {
		if (class_of(*r.p) == LETTER) {
			uint32_t term = hash(r.p, r.n * sizeof(*r.p), 0);

			out[n++] = (struct term_range){ term, term };
		} else if (r.n == 1) {
			out[n++] = (struct term_range){ pair(r.p[0], 0), pair(r.p[0], SECOND_MASK) };
		}
		/* the last letter may go on in the text: only its pair with the one before says something */
		for (size_t i = 0; class_of(*r.p) != LETTER && i + 1 < r.n && n < max; i++) {
			uint32_t term = pair(r.p[i], r.p[i + 1]);

			out[n++] = (struct term_range){ term, term };
		}
	}
	return n;
}

uint32_t words_special(int kind, struct str s)
{
	return hash(s.p, s.n, (uint32_t)kind * 0x9e3779b9u);
}

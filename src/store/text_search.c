/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Searches. Each part of the index names candidates, rows that have all terms of the query; what the query really asks is looked up in
 * the row. Parts are asked in order of time, and no further than the page needs. Rows that no part has are looked at one by one. */
#include <stdlib.h>

#include "store/sqlite_walk.h"
#include "store/text_index.h"
#include "store/text_block.h"

enum {
	RANGES_MAX = 12,	/* of one query; rows are compared in full afterwards */
	COUNT_LOOK_MAX = 5000,	/* candidates that are looked at for a count */
	SEEK_MIN = 64,		/* candidates from which on it pays to search for the first */
};

struct hit {
	uint64_t id;
	int64_t seq;
};

/* The owner's share of a part. */
struct share {
	int64_t part, first;
	struct text_meta meta;
};

struct search {
	struct walk *w;
	struct term_range ranges[RANGES_MAX + 2];
	size_t ranges_n;
	struct buf shares; /* struct share[] in the order in which they are asked */
	int64_t indexed;   /* rows beyond it are in no part */
	size_t want;	   /* hits that are enough */
	size_t looks;	   /* candidates that may still be looked at */
	struct buf hits;   /* struct hit[], the best ones first but for those of the part under way */
	struct buf rows, more; /* uint32_t[]: candidates */
};

static struct hit *hits(const struct search *s)
{
	return (struct hit *)(void *)s->hits.p;
}

static size_t hits_n(const struct search *s)
{
	return s->hits.n / sizeof(struct hit);
}

static int oldest_first(const void *x, const void *y)
{
	const struct hit *a = x, *b = y;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int newest_first(const void *x, const void *y)
{
	return oldest_first(y, x);
}

/* Sorts what was found, each id once, and keeps what is wanted. */
static void settle(struct search *s)
{
	struct hit *v = hits(s);
	size_t n = hits_n(s), kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), s->w->backward ? newest_first : oldest_first);
	for (size_t i = 0; i < n && kept < s->want; i++)
		if (!kept || v[kept - 1].id != v[i].id)
			v[kept++] = v[i];
	s->hits.n = kept * sizeof(*v);
}

static bool is_enough(const struct search *s)
{
	return hits_n(s) >= s->want;
}

/* ---- what to look for ---- */

static void add_special(struct search *s, int kind, struct str text)
{
	uint32_t term = words_special(kind, text);

	s->ranges[s->ranges_n++] = (struct term_range){ term, term };
}

static void choose_terms(struct search *s)
{
	const struct archive_query *q = s->w->q;

	if (q->message_id.n)
		add_special(s, TERM_ID, q->message_id);
	if (s->w->peer == PEER_BARE)
		add_special(s, TERM_WITH, q->with);
	if (q->text.n)
		s->ranges_n += words_ranges(&s->w->filter->query, s->ranges + s->ranges_n, RANGES_MAX);
}

/* ---- candidates ---- */

/* Keeps in a what b has too. */
static void intersect(struct buf *a, const struct buf *b)
{
	uint32_t *x = (uint32_t *)(void *)a->p;
	const uint32_t *y = (const uint32_t *)(const void *)b->p;
	size_t xn = a->n / sizeof(*x), yn = b->n / sizeof(*y), i = 0, k = 0, kept = 0;

	while (i < xn && k < yn) {
		if (x[i] < y[k]) {
			i++;
		} else if (y[k] < x[i]) {
			k++;
		} else {
			x[kept++] = x[i++];
			k++;
		}
	}
	a->n = kept * sizeof(*x);
}

/* Rows of the terms of a block within the range; counts the terms. */
static void read_block(const struct term_range *range, uint32_t key, struct str data, struct buf *out, size_t *terms)
{
	struct text_cursor c = text_read(key, data);
	struct text_entry e;

	while (text_next(&c, &e) && e.term <= range->hi) {
		if (e.term < range->lo)
			continue;
		text_rows(e.postings, 0, out);
		++*terms;
	}
}

static int read_blocks(struct search *s, enum sql_id id, const struct share *share, const struct term_range *range,
		       struct buf *out, size_t *terms)
{
	struct sql *q = &s->w->r->sql;
	sqlite3_stmt *st = sql_get(q, id);
	int rc;

	if (!st)
		return sql_failed(q);
	sqlite3_bind_int64(st, 1, share->part);
	sqlite3_bind_int64(st, 2, s->w->owner);
	sqlite3_bind_int64(st, 3, range->lo);
	if (id == SQL_TEXT_BLOCKS)
		sqlite3_bind_int64(st, 4, range->hi);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		if (sqlite3_column_int64(st, 0) != TEXT_META)
			read_block(range, (uint32_t)sqlite3_column_int64(st, 0), sql_column(st, 1), out, terms);
	rc = sql_errno(q->db, rc);
	sqlite3_reset(st);
	return rc;
}

static int rows_of(struct search *s, const struct share *share, const struct term_range *range, struct buf *out)
{
	size_t terms = 0;
	int rc;

	out->n = 0;
	rc = read_blocks(s, SQL_TEXT_BLOCK, share, range, out, &terms);
	if (!rc && range->hi > range->lo)
		rc = read_blocks(s, SQL_TEXT_BLOCKS, share, range, out, &terms);
	if (terms > 1)
		text_rows_sort(out);
	return rc;
}

/* All rows of the share that have each term. */
static int candidates(struct search *s, const struct share *share)
{
	int rc = rows_of(s, share, &s->ranges[0], &s->rows);

	for (size_t i = 1; i < s->ranges_n && s->rows.n && !rc; i++) {
		rc = rows_of(s, share, &s->ranges[i], &s->more);
		intersect(&s->rows, &s->more);
	}
	return rc;
}

/* ---- looking at them ---- */

/* Looks at a row. Returns 1 and its id when it is there, whatever it says; a match is added to the hits. */
static int look(struct search *s, int64_t seq, uint64_t *out_id)
{
	uint64_t id = 0;
	int rc = archive_walk_fetch(s->w, seq, NULL, &id);

	if (rc < 0)
		return rc;
	s->looks--;
	if (rc && id >= s->w->lo && id <= s->w->hi) {
		struct hit h = { id, seq };

		buf_put(&s->hits, &h, sizeof(h));
	}
	*out_id = id;
	return id != 0;
}

/* Whether a row with this id lies so far behind the wanted end of the range that all beyond it in the log do so too. */
static bool is_before(const struct search *s, const struct share *share, uint64_t id)
{
	uint64_t skew = share->meta.skew;

	return s->w->backward ? id > s->w->hi && id - s->w->hi > skew : id < s->w->lo && s->w->lo - id > skew;
}

/* The i-th candidate in the direction of the search. */
static int64_t seq_at(const struct search *s, const struct share *share, size_t i)
{
	const uint32_t *v = (const uint32_t *)(const void *)s->rows.p;
	size_t n = s->rows.n / sizeof(*v);

	return share->first + v[s->w->backward ? n - 1 - i : i];
}

/* The first candidate that may be within the range. */
static int seek(struct search *s, const struct share *share, size_t *out)
{
	size_t lo = 0, hi = s->rows.n / sizeof(uint32_t), hits_before = s->hits.n;
	int rc = 0;

	while (hi - lo > SEEK_MIN && rc >= 0) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t id = 0;

		rc = look(s, seq_at(s, share, mid), &id);
		if (rc == 1 && is_before(s, share, id))
			lo = mid;
		else
			hi = mid;
	}
	s->hits.n = hits_before;
	*out = lo;
	return rc < 0 ? rc : 0;
}

/* Whether nothing better than the worst of the wanted hits can come behind this id. */
static bool is_beyond(const struct search *s, const struct share *share, uint64_t id, uint64_t worst)
{
	uint64_t skew = share->meta.skew;

	return s->w->backward ? worst > id && worst - id > skew : id > worst && id - worst > skew;
}

static int search_share(struct search *s, const struct share *share)
{
	size_t n, i = 0;
	uint64_t worst = 0;
	bool enough = false;
	int rc = candidates(s, share);

	n = s->rows.n / sizeof(uint32_t);
	if (!rc && n > SEEK_MIN)
		rc = seek(s, share, &i);
	for (; i < n && rc >= 0 && s->looks; i++) {
		uint64_t id;

		rc = look(s, seq_at(s, share, i), &id);
		if (rc == 1 && !enough && is_enough(s)) {
			struct hit last;

			settle(s);
			last = hits(s)[s->want - 1];
			worst = last.id;
			enough = true;
		}
		if (rc == 1 && enough && is_beyond(s, share, id, worst))
			break;
	}
	settle(s);
	return rc < 0 ? rc : 0;
}

/* ---- parts ---- */

static int newest_share_first(const void *x, const void *y)
{
	const struct share *a = x, *b = y;

	return a->meta.max_id > b->meta.max_id ? -1 : a->meta.max_id < b->meta.max_id;
}

static int oldest_share_first(const void *x, const void *y)
{
	const struct share *a = x, *b = y;

	return a->meta.min_id < b->meta.min_id ? -1 : a->meta.min_id > b->meta.min_id;
}

/* The owner's share of a part, if there is one within the range. */
static int add_share(struct search *s, int64_t part, int64_t first)
{
	struct sql *q = &s->w->r->sql;
	struct share share = { .part = part, .first = first };
	sqlite3_stmt *st = sql_get(q, SQL_TEXT_GET);
	int rc;

	if (!st)
		return sql_failed(q);
	sqlite3_bind_int64(st, 1, part);
	sqlite3_bind_int64(st, 2, s->w->owner);
	sqlite3_bind_int64(st, 3, TEXT_META);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && sql_column(st, 0).n == sizeof(share.meta)) {
		memcpy(&share.meta, sql_column(st, 0).p, sizeof(share.meta));
		if (share.meta.min_id <= s->w->hi && share.meta.max_id >= s->w->lo)
			buf_put(&s->shares, &share, sizeof(share));
	}
	rc = sql_errno(q->db, rc);
	sqlite3_reset(st);
	return rc;
}

static int find_shares(struct search *s)
{
	struct sql *q = &s->w->r->sql;
	sqlite3_stmt *st = sql_get(q, SQL_TEXT_PARTS);
	int rc, err = 0;

	if (!st)
		return sql_failed(q);
	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		s->indexed = sqlite3_column_int64(st, 2);
		err = add_share(s, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1));
	}
	if (!err)
		err = sql_errno(q->db, rc);
	sqlite3_reset(st);
	if (s->shares.n)
		qsort(s->shares.p, s->shares.n / sizeof(struct share), sizeof(struct share),
		      s->w->backward ? newest_share_first : oldest_share_first);
	return err;
}

static int search_parts(struct search *s)
{
	const struct share *v = (const struct share *)(const void *)s->shares.p;
	int rc = 0;

	for (size_t i = 0; i < s->shares.n / sizeof(*v) && !rc && s->looks; i++) {
		if (is_enough(s)) {
			uint64_t worst = hits(s)[s->want - 1].id;

			if (s->w->backward ? v[i].meta.max_id < worst : v[i].meta.min_id > worst)
				break;
		}
		rc = search_share(s, &v[i]);
	}
	return rc;
}

/* Rows that no part has, in order of their ids. */
static int search_rest(struct search *s, const struct buf *copied)
{
	size_t found = 0;
	struct ref ref;
	int rc = archive_walk_start(s->w, copied);

	if (!rc && s->indexed >= s->w->merged)
		s->w->disk_ended = true; /* the index tables have nothing else */
	while (!rc && found < s->want && s->looks && (rc = archive_walk_next(s->w, &ref)) > 0) {
		uint64_t id = 0;
		size_t before = s->hits.n;

		rc = ref.seq > s->indexed ? look(s, ref.seq, &id) : 0;
		found += s->hits.n > before;
		rc = rc < 0 ? rc : 0;
	}
	archive_walk_end(s->w);
	settle(s);
	return rc < 0 ? rc : 0;
}

static int search(struct search *s, const struct buf *copied)
{
	int rc;

	choose_terms(s);
	if (!s->ranges_n || (s->w->q->text.n && !words_runs(&s->w->filter->query)))
		return 0;
	rc = find_shares(s);
	if (!rc)
		rc = search_rest(s, copied);
	return rc ? rc : search_parts(s);
}

static void search_free(struct search *s)
{
	buf_free(&s->shares);
	buf_free(&s->hits);
	buf_free(&s->rows);
	buf_free(&s->more);
}

int text_search(struct walk *w, const struct buf *copied, struct store_page *out)
{
	struct search s = { .w = w, .want = (size_t)w->q->limit + 1, .looks = SIZE_MAX };
	int rc = search(&s, copied);

	out->page.complete = hits_n(&s) <= w->q->limit;
	for (size_t i = 0; i < hits_n(&s) && i < w->q->limit && rc >= 0; i++)
		rc = archive_walk_fetch(w, hits(&s)[i].seq, out, NULL);
	if (w->backward)
		store_page_reverse(out);
	search_free(&s);
	return rc < 0 ? rc : 0;
}

int text_count(struct walk *w, const struct buf *copied, int64_t *out)
{
	struct search s = { .w = w, .want = SIZE_MAX, .looks = COUNT_LOOK_MAX };
	int rc = search(&s, copied);

	*out = s.looks ? (int64_t)hits_n(&s) : -1;
	search_free(&s);
	return rc;
}

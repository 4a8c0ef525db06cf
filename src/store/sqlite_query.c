/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SQLite: archive pages. A query walks the index tables and the recent rows, which these do not hold yet, side by side
 * and fetches from the log what it finds. A reader's thread; each query is one read transaction. */
#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "store/sqlite_walk.h"

/* ---- the two sources ---- */

static bool is_in(const struct walk *w, const struct recent_row *row)
{
	return row->id >= w->lo && row->id <= w->hi &&
	       (w->peer == PEER_ANY || row->peer == w->hash[0] || (w->peer == PEER_FULL && row->peer == w->hash[1]));
}

static int newest_first(const void *x, const void *y)
{
	const struct recent_row *a = x, *b = y;

	return a->id > b->id ? -1 : a->id < b->id;
}

static size_t walk_recent_n(const struct walk *w)
{
	return w->recent.n / sizeof(struct recent_row);
}

/* Keeps the recent rows that match, in order. They were copied newest first, mostly. */
static void choose_recent(struct walk *w, const struct buf *copied)
{
	const struct recent_row *v = recent_rows(copied);
	size_t n = copied->n / sizeof(*v);
	bool sorted = true;

	w->recent.n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_in(w, &v[i]))
			continue;
		if (walk_recent_n(w))
			sorted = sorted && recent_rows(&w->recent)[walk_recent_n(w) - 1].id >= v[i].id;
		buf_put(&w->recent, &v[i], sizeof(v[i]));
	}
	if (!sorted)
		qsort(w->recent.p, walk_recent_n(w), sizeof(*v), newest_first);
	for (size_t i = 0, j = walk_recent_n(w); !w->backward && i + 1 < j; i++) {
		struct recent_row *rows = recent_rows(&w->recent), t = rows[i];

		rows[i] = rows[--j];
		rows[j] = t;
	}
}

static int step_disk(struct walk *w)
{
	int rc = sqlite3_step(w->st);

	if (rc == SQLITE_ROW) {
		w->disk.id = (uint64_t)sqlite3_column_int64(w->st, 0);
		w->disk.seq = sqlite3_column_int64(w->st, 1);
		return 0;
	}
	w->disk_ended = true;
	return sql_errno(w->r->sql.db, rc);
}

static const enum sql_id walk_sql[][2] = {
	[PEER_ANY] = { SQL_WALK_UP, SQL_WALK_DOWN },
	[PEER_BARE] = { SQL_WALK_PEER_UP, SQL_WALK_PEER_DOWN },
	[PEER_FULL] = { SQL_WALK_PEERS_UP, SQL_WALK_PEERS_DOWN },
};

int archive_walk_start(struct walk *w, const struct buf *copied)
{
	w->at = 0;
	w->disk_ended = false;
	choose_recent(w, copied);
	w->st = sql_get(&w->r->sql, walk_sql[w->peer][w->backward]);
	if (!w->st)
		return sql_failed(&w->r->sql);
	sqlite3_bind_int64(w->st, 1, w->owner);
	sqlite3_bind_int64(w->st, 2, (int64_t)w->lo);
	sqlite3_bind_int64(w->st, 3, (int64_t)w->hi);
	sqlite3_bind_int64(w->st, 6, w->merged);
	if (w->peer != PEER_ANY)
		sqlite3_bind_int64(w->st, 4, w->hash[0]);
	if (w->peer == PEER_FULL)
		sqlite3_bind_int64(w->st, 5, w->hash[1]);
	return step_disk(w);
}

void archive_walk_end(struct walk *w)
{
	if (w->st)
		sqlite3_reset(w->st);
	buf_free(&w->recent);
}

int archive_walk_next(struct walk *w, struct ref *out)
{
	bool more = w->at < walk_recent_n(w);
	const struct recent_row *row = more ? &recent_rows(&w->recent)[w->at] : NULL;
	int rc;

	if (row && (w->disk_ended || (row->id < w->disk.id) == !w->backward)) {
		*out = (struct ref){ row->id, row->seq };
		w->at++;
		return 1;
	}
	if (w->disk_ended)
		return 0;
	*out = w->disk;
	rc = step_disk(w);
	return rc ? rc : 1;
}

/* ---- rows ---- */

int archive_walk_fetch(struct walk *w, int64_t seq, struct store_page *out, uint64_t *out_id)
{
	struct store_reader *r = w->r;
	sqlite3_stmt *st = sql_get(&r->sql, SQL_LOG_ROW);
	struct archive_found row;
	int rc;

	if (!st)
		return sql_failed(&r->sql);
	sqlite3_bind_int64(st, 1, seq);
	sqlite3_bind_int64(st, 2, w->owner);
	rc = sqlite3_step(st);
	if (rc != SQLITE_ROW) {
		/* A recent row may be younger than this transaction. */
		rc = sql_errno(r->sql.db, rc);
		sqlite3_reset(st);
		return rc;
	}
	row = (struct archive_found){
		.id = (uint64_t)sqlite3_column_int64(st, 0), .outgoing = (uint8_t)sqlite3_column_int(st, 1),
		.with = sql_column(st, 2), .with_full = sql_column(st, 3), .origin = sql_column(st, 4),
		.stanza = sql_column(st, 5),
	};
	if (out_id)
		*out_id = row.id;
	rc = archive_query_matches(w->q, row.with, row.with_full) && archive_filter_matches(w->filter, w->q, row.stanza);
	if (rc && out)
		store_page_add(out, &row);
	sqlite3_reset(st);
	return rc;
}

static int fill_page(struct walk *w, struct store_page *out)
{
	struct ref ref;
	int rc;

	out->page.complete = true;
	while ((rc = archive_walk_next(w, &ref)) > 0) {
		bool full = out->page.n == w->q->limit;

		rc = archive_walk_fetch(w, ref.seq, full ? NULL : out, NULL);
		if (rc < 0)
			break;
		if (rc && full) {
			out->page.complete = false;
			rc = 0;
			break;
		}
	}
	if (w->backward)
		store_page_reverse(out);
	return rc;
}

/* The place of one id. Returns 1 found, 0 absent, -errno. */
static int find_id(struct walk *w, const struct buf *copied, uint64_t id, int64_t *out_seq)
{
	const struct recent_row *v = recent_rows(copied);
	sqlite3_stmt *st;
	int rc;

	for (size_t i = 0; i < copied->n / sizeof(*v); i++) {
		if (v[i].id == id) {
			*out_seq = v[i].seq;
			return 1;
		}
	}
	if (id > INT64_MAX)
		return 0;
	st = sql_get(&w->r->sql, SQL_INDEX_FIND);
	if (!st)
		return sql_failed(&w->r->sql);
	sqlite3_bind_int64(st, 1, w->owner);
	sqlite3_bind_int64(st, 2, (int64_t)id);
	*out_seq = 0;
	rc = sql_number(&w->r->sql, st, out_seq);
	return rc ? rc : *out_seq != 0;
}

static int check_bounds(struct walk *w, const struct buf *copied)
{
	const struct archive_query *q = w->q;
	int64_t seq;
	int rc = 1;

	if (q->after_id)
		rc = find_id(w, copied, q->after_id, &seq);
	if (rc == 1 && q->before_id != UINT64_MAX)
		rc = find_id(w, copied, q->before_id, &seq);
	for (uint32_t i = 0; rc == 1 && i < q->ids_n; i++)
		rc = find_id(w, copied, q->ids[i], &seq);
	return rc == 1 ? 0 : rc == 0 ? -ENOENT : rc;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int page_of_ids(struct walk *w, const struct buf *copied, struct store_page *out)
{
	uint64_t ids[STORE_PAGE_MAX];
	uint32_t n = w->q->ids_n;
	int64_t seq = 0;
	int rc = 0;

	must(n <= STORE_PAGE_MAX);
	memcpy(ids, w->q->ids, n * sizeof(ids[0]));
	qsort(ids, n, sizeof(ids[0]), by_number);
	out->page.complete = true;
	for (uint32_t i = 0; rc >= 0 && i < n; i++) {
		if (ids[i] < w->lo || ids[i] > w->hi || (i && ids[i] == ids[i - 1]))
			continue;
		rc = find_id(w, copied, ids[i], &seq);
		if (rc == 1)
			rc = archive_walk_fetch(w, seq, out, NULL);
	}
	return rc < 0 ? rc : 0;
}

static int page_of_range(struct walk *w, const struct buf *copied, struct store_page *out)
{
	int rc = archive_walk_start(w, copied);

	if (!rc)
		rc = fill_page(w, out);
	archive_walk_end(w);
	return rc;
}

/* ---- counting ---- */

static int count_disk(struct walk *w, int64_t *out)
{
	sqlite3_stmt *st = sql_get(&w->r->sql, w->peer == PEER_ANY ? SQL_COUNT : SQL_COUNT_PEER);

	if (!st)
		return sql_failed(&w->r->sql);
	sqlite3_bind_int64(st, 1, w->owner);
	sqlite3_bind_int64(st, 2, (int64_t)w->lo);
	sqlite3_bind_int64(st, 3, (int64_t)w->hi);
	sqlite3_bind_int64(st, 6, w->merged);
	if (w->peer != PEER_ANY)
		sqlite3_bind_int64(st, 4, w->hash[0]);
	return sql_number(&w->r->sql, st, out);
}

static bool is_search(const struct walk *w)
{
	return w->r->has_text && archive_filter_is_set(w->q);
}

/* What no index tells: looks at each row. */
static int count_each(struct walk *w, const struct buf *copied, int64_t *out)
{
	struct ref ref;
	int rc = archive_walk_start(w, copied);

	while (!rc && (rc = archive_walk_next(w, &ref)) > 0) {
		rc = archive_walk_fetch(w, ref.seq, NULL, NULL);
		if (rc > 0) {
			++*out;
			rc = 0;
		}
	}
	archive_walk_end(w);
	return rc;
}

static int edge(struct walk *w, enum sql_id id, uint64_t *out)
{
	sqlite3_stmt *st = sql_get(&w->r->sql, id);
	int64_t n = 0;
	int rc;

	if (!st)
		return sql_failed(&w->r->sql);
	sqlite3_bind_int64(st, 1, w->owner);
	rc = sql_number(&w->r->sql, st, &n);
	*out = (uint64_t)n;
	return rc;
}

static int count(struct walk *w, const struct buf *copied, struct archive_page *page)
{
	const struct recent_row *v = recent_rows(copied);
	bool each = w->peer == PEER_FULL || archive_filter_is_set(w->q);
	size_t n = copied->n / sizeof(*v);
	int rc = 0;

	w->lo = w->q->start_id;
	w->hi = w->q->end_id > INT64_MAX ? INT64_MAX : w->q->end_id;
	if (w->q->want_count)
		page->total = 0;
	if (w->q->want_count && w->lo <= w->hi)
		rc = is_search(w) ? text_count(w, copied, &page->total) : each ? count_each(w, copied, &page->total) :
			count_disk(w, &page->total);
	for (size_t i = 0; i < n && w->q->want_count && !each; i++)
		page->total += is_in(w, &v[i]);
	if (!rc)
		rc = edge(w, SQL_FIRST, &page->first_id_all);
	if (!rc)
		rc = edge(w, SQL_LAST, &page->last_id_all);
	for (size_t i = 0; i < n; i++) {
		if (!page->first_id_all || v[i].id < page->first_id_all)
			page->first_id_all = v[i].id;
		if (v[i].id > page->last_id_all)
			page->last_id_all = v[i].id;
	}
	return rc;
}

/* ---- a query ---- */

static int run(struct walk *w, const struct buf *copied, struct store_page *out)
{
	int rc = w->q->check_bounds ? check_bounds(w, copied) : 0;

	out->page.complete = true;
	if (!rc && archive_query_range(w->q, &w->lo, &w->hi))
		rc = w->q->ids_n ? page_of_ids(w, copied, out) : is_search(w) ? text_search(w, copied, out) : page_of_range(w, copied, out);
	if (!rc && (w->q->want_count || w->q->want_ends))
		rc = count(w, copied, &out->page);
	return rc;
}

/* Begins a transaction and copies the owner's recent rows that belong beside it. */
static int begin(struct store_reader *r, struct walk *w, struct buf *copied)
{
	int rc;

	for (;;) {
		rc = sql_run_id(&r->sql, SQL_BEGIN_READ);
		if (rc)
			return rc;
		rc = sql_number(&r->sql, sql_get(&r->sql, SQL_ARCHIVE_MERGED), &w->merged);
		if (!rc) {
			w->owner = sql_name(&r->sql, w->q->owner);
			rc = w->owner < 0 ? (int)w->owner : 0;
		}
		if (rc || recent_copy(r->recent, w->owner, w->merged, copied))
			return rc; /* the caller ends the transaction */
		/* Between the two looks the rows went to the index tables: the next transaction sees them there. */
		rc = sql_run_id(&r->sql, SQL_COMMIT);
		if (rc)
			return rc;
	}
}

int sqlite_query(struct store_reader *r, const struct archive_query *q, struct archive_filter *f, struct store_page *out)
{
	struct walk w = { .r = r, .q = q, .filter = f, .backward = q->backward };
	struct buf copied = { 0 };
	int rc;

	if (!str_empty(q->with)) {
		w.peer = memchr(q->with.p, '/', q->with.n) ? PEER_FULL : PEER_BARE;
		w.hash[0] = archive_peer_hash(q->with);
		w.hash[1] = archive_peer_hash(archive_bare(q->with));
	}
	out->page.total = q->want_count ? 0 : -1;
	rc = begin(r, &w, &copied);
	if (!rc)
		rc = run(&w, &copied, out);
	buf_free(&copied);
	return sql_end_read(&r->sql, rc);
}

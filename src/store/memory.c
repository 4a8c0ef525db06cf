/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The memory back end, for tests: sorted arrays per owner under a read-write lock, an undo list per batch. Nothing
 * survives the process. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "store/backend.h"

/* An item or an archive row; its strings follow it. */
struct entry {
	struct str kind, key, value;	     /* item */
	uint64_t id;			     /* row */
	struct str with, with_full, origin;  /* row */
	uint8_t outgoing;
	struct blob *stanza;		     /* row; NULL: an item */
	char bytes[];
};

struct set {
	struct entry **v;
	size_t n, cap;
};

enum { ITEMS, ROWS, SETS };

struct owner {
	struct str name;
	struct set sets[SETS];
};

/* What a batch did, so that it can be undone. */
struct change {
	struct set *set;
	struct entry *entry;
	bool added; /* else removed: freed once the batch stands */
};

struct store_db {
	pthread_rwlock_t lock;
	struct map owners;
	struct buf changes; /* struct change[] */
};

struct store_reader {
	struct store_db *db;
};

/* ---- sorted arrays ---- */

static int compare(const struct entry *a, const struct entry *b)
{
	int c;

	if (a->stanza || b->stanza || a->id || b->id)
		return a->id < b->id ? -1 : a->id > b->id;
	c = str_cmp(a->kind, b->kind);
	return c ? c : str_cmp(a->key, b->key);
}

/* The first place whose entry is not before e. */
static size_t place(const struct set *set, const struct entry *e)
{
	size_t lo = 0, hi = set->n;

	if (hi && compare(set->v[hi - 1], e) < 0)
		return hi; /* rows come in order of time */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(set->v[mid], e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool holds(const struct set *set, size_t at, const struct entry *e)
{
	return at < set->n && compare(set->v[at], e) == 0;
}

static void insert_at(struct set *set, size_t at, struct entry *e)
{
	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 8;
		set->v = mem_realloc(set->v, set->cap * sizeof(struct entry *));
	}
	memmove(set->v + at + 1, set->v + at, (set->n - at) * sizeof(struct entry *));
	set->v[at] = e;
	set->n++;
}

static void remove_at(struct set *set, size_t at, size_t n)
{
	memmove(set->v + at, set->v + at + n, (set->n - at - n) * sizeof(struct entry *));
	set->n -= n;
}

static void entry_free(struct entry *e)
{
	blob_unref(e->stanza);
	free(e);
}

/* ---- changes ---- */

static void note(struct store_db *db, struct set *set, struct entry *e, bool added)
{
	struct change c = { set, e, added };

	buf_put(&db->changes, &c, sizeof(c));
}

static void add(struct store_db *db, struct set *set, struct entry *e)
{
	size_t at = place(set, e);

	if (holds(set, at, e)) {
		note(db, set, set->v[at], false);
		remove_at(set, at, 1);
	}
	insert_at(set, at, e);
	note(db, set, e, true);
}

static void settle(struct store_db *db, bool keep)
{
	struct change *v = (struct change *)(void *)db->changes.p;

	for (size_t i = db->changes.n / sizeof(*v); i-- > 0;) {
		struct change *c = &v[i];

		if (keep) {
			if (!c->added)
				entry_free(c->entry);
		} else if (c->added) {
			remove_at(c->set, place(c->set, c->entry), 1);
			entry_free(c->entry);
		} else {
			insert_at(c->set, place(c->set, c->entry), c->entry);
		}
	}
	db->changes.n = 0;
}

/* ---- entries ---- */

static struct str put_str(char **at, struct str s)
{
	struct str out = { *at, s.n };

	if (!s.p)
		return STR_NONE;
	memcpy(*at, s.p, s.n);
	*at += s.n;
	return out;
}

static struct entry *item_new(const struct store_op *op)
{
	struct entry *e = mem_zalloc(sizeof(*e) + op->item_kind.n + op->key.n + op->value.n + 1);
	char *at = e->bytes;

	e->kind = put_str(&at, op->item_kind);
	e->key = put_str(&at, op->key);
	e->value = put_str(&at, op->value.p ? op->value : (struct str){ "", 0 });
	return e;
}

static struct entry *row_new(const struct archive_row *row)
{
	struct entry *e = mem_zalloc(sizeof(*e) + row->with.n + row->with_full.n + row->origin.n + 1);
	char *at = e->bytes;

	e->id = row->id;
	e->with = put_str(&at, row->with);
	e->with_full = put_str(&at, row->with_full);
	e->origin = put_str(&at, row->origin);
	e->outgoing = row->outgoing;
	e->stanza = blob_ref(row->stanza);
	return e;
}

static struct owner *owner_of(struct store_db *db, struct str name, bool make)
{
	struct owner *o = map_get(&db->owners, name);

	if (o || !make)
		return o;
	o = mem_zalloc(sizeof(*o));
	o->name = (struct str){ mem_dup(name.p ? name.p : "", name.n), name.n };
	map_put(&db->owners, o->name, o);
	return o;
}

/* ---- operations ---- */

static int put(struct store_db *db, const struct store_op *op)
{
	struct set *items = &owner_of(db, op->owner, true)->sets[ITEMS];
	struct entry probe = { .kind = op->item_kind, .key = op->key };

	if (op->kind == OP_INSERT && holds(items, place(items, &probe), &probe))
		return -EEXIST;
	add(db, items, item_new(op));
	return 0;
}

static int expect(struct store_db *db, const struct store_op *op)
{
	struct owner *o = owner_of(db, op->owner, false);
	struct entry probe = { .kind = op->item_kind, .key = op->key };
	size_t at = o ? place(&o->sets[ITEMS], &probe) : 0;
	bool there = o && holds(&o->sets[ITEMS], at, &probe);

	if (op->absent)
		return there ? -EAGAIN : 0;
	return there && str_eq(o->sets[ITEMS].v[at]->value, op->value) ? 0 : -EAGAIN;
}

typedef bool match_fn(const struct entry *e, const struct store_op *op);

static bool is_item(const struct entry *e, const struct store_op *op)
{
	return str_eq(e->kind, op->item_kind) && str_eq(e->key, op->key);
}

static bool is_under(const struct entry *e, const struct store_op *op)
{
	return (str_empty(op->item_kind) || str_eq(e->kind, op->item_kind)) && str_starts(e->key, op->key);
}

static bool is_older(const struct entry *e, const struct store_op *op)
{
	return op->row.id == UINT64_MAX || e->id < op->row.id;
}

static bool is_row(const struct entry *e, const struct store_op *op)
{
	return e->id == op->row.id;
}

static int remove_matching(struct store_db *db, const struct store_op *op, int which, match_fn *matches)
{
	struct owner *o = owner_of(db, op->owner, false);
	struct set *set = o ? &o->sets[which] : NULL;
	size_t kept = 0;

	for (size_t i = 0; set && i < set->n; i++) {
		if (matches(set->v[i], op))
			note(db, set, set->v[i], false);
		else
			set->v[kept++] = set->v[i];
	}
	if (set)
		set->n = kept;
	return 0;
}

static int del(struct store_db *db, const struct store_op *op)
{
	return remove_matching(db, op, ITEMS, is_item);
}

static int del_all(struct store_db *db, const struct store_op *op)
{
	return remove_matching(db, op, ITEMS, is_under);
}

static int remove_row(struct store_db *db, const struct store_op *op)
{
	return remove_matching(db, op, ROWS, is_row);
}

/* Another entry in its place. */
static int replace(struct store_db *db, const struct store_op *op)
{
	struct owner *o = owner_of(db, op->owner, false);
	struct entry probe = { .id = op->row.id };
	struct archive_row row;
	const struct entry *e;
	size_t at = o ? place(&o->sets[ROWS], &probe) : 0;

	if (!o || !holds(&o->sets[ROWS], at, &probe))
		return 0;
	e = o->sets[ROWS].v[at];
	row = (struct archive_row){ .id = e->id, .with = e->with, .with_full = e->with_full, .origin = e->origin,
				    .outgoing = e->outgoing, .stanza = op->row.stanza };
	add(db, &o->sets[ROWS], row_new(&row));
	return 0;
}

static int trim(struct store_db *db, const struct store_op *op)
{
	return remove_matching(db, op, ROWS, is_older);
}

static int archive_add(struct store_db *db, const struct store_op *op)
{
	add(db, &owner_of(db, op->owner, true)->sets[ROWS], row_new(&op->row));
	return 0;
}

typedef int op_fn(struct store_db *db, const struct store_op *op);

static op_fn *const ops[] = {
	[OP_PUT] = put, [OP_INSERT] = put, [OP_EXPECT] = expect, [OP_DEL] = del, [OP_DEL_ALL] = del_all,
	[OP_ARCHIVE] = archive_add, [OP_TRIM] = trim, [OP_REPLACE] = replace,
	[OP_REMOVE] = remove_row,
};

static int apply(struct store_db *db, const struct store_batch *b)
{
	struct store_op op;
	size_t pos = 0;
	int rc = 0;

	while (!rc && store_batch_next(b, &pos, &op))
		rc = ops[op.kind](db, &op);
	settle(db, rc == 0);
	return rc;
}

static int begin(struct store_db *db)
{
	return -pthread_rwlock_wrlock(&db->lock);
}

static int commit(struct store_db *db)
{
	return -pthread_rwlock_unlock(&db->lock);
}

static void rollback(struct store_db *db)
{
	must(false && db); /* no call above can fail with an error of the environment */
}

/* ---- reading ---- */

static int list(struct store_reader *r, const struct store_range *range, struct store_items *out)
{
	struct entry probe = { .kind = range->kind, .key = range->prefix };
	struct owner *o;

	if (range->after.p && str_cmp(range->after, range->prefix) > 0)
		probe.key = range->after;
	if (str_empty(range->kind))
		probe.key = STR_NONE;
	pthread_rwlock_rdlock(&r->db->lock);
	o = owner_of(r->db, range->owner, false);
	for (size_t i = o ? place(&o->sets[ITEMS], &probe) : 0; o && i < o->sets[ITEMS].n && out->n < range->limit; i++) {
		const struct entry *e = o->sets[ITEMS].v[i];

		if (!str_empty(range->kind) && !str_eq(e->kind, range->kind))
			break;
		if (!str_starts(e->key, range->prefix) || (range->after.p && str_cmp(e->key, range->after) <= 0))
			continue;
		store_items_add(out, &(struct store_item){ o->name, e->kind, e->key, e->value });
	}
	pthread_rwlock_unlock(&r->db->lock);
	return 0;
}

static int get(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out)
{
	struct entry probe = { .kind = kind, .key = key };
	struct owner *o;
	size_t at;

	pthread_rwlock_rdlock(&r->db->lock);
	o = owner_of(r->db, owner, false);
	at = o ? place(&o->sets[ITEMS], &probe) : 0;
	if (o && holds(&o->sets[ITEMS], at, &probe))
		store_items_add(out, &(struct store_item){ owner, kind, key, o->sets[ITEMS].v[at]->value });
	pthread_rwlock_unlock(&r->db->lock);
	return 0;
}

static bool has_row(const struct set *rows, uint64_t id)
{
	struct entry probe = { .id = id };

	return holds(rows, place(rows, &probe), &probe);
}

static bool bounds_hold(const struct set *rows, const struct archive_query *q)
{
	if ((q->after_id && !has_row(rows, q->after_id)) || (q->before_id != UINT64_MAX && !has_row(rows, q->before_id)))
		return false;
	for (uint32_t i = 0; i < q->ids_n; i++)
		if (!has_row(rows, q->ids[i]))
			return false;
	return true;
}

static bool is_wanted(const struct archive_query *q, struct archive_filter *f, const struct entry *e)
{
	bool listed = q->ids_n == 0;

	for (uint32_t i = 0; i < q->ids_n && !listed; i++)
		listed = q->ids[i] == e->id;
	return listed && archive_query_matches(q, e->with, e->with_full) &&
	       archive_filter_matches(f, q, blob_view(e->stanza));
}

static void collect(const struct set *rows, const struct archive_query *q, struct archive_filter *f, struct store_page *out)
{
	uint32_t limit = q->ids_n ? STORE_PAGE_MAX : q->limit;
	uint64_t lo, hi;

	out->page.complete = true;
	if (!archive_query_range(q, &lo, &hi))
		return;
	for (size_t i = 0; i < rows->n; i++) {
		const struct entry *e = rows->v[q->backward ? rows->n - 1 - i : i];

		if (e->id < lo || e->id > hi || !is_wanted(q, f, e))
			continue;
		if (out->page.n == limit) {
			out->page.complete = false;
			break;
		}
		store_page_add(out, &(struct archive_found){ .id = e->id, .with = e->with, .with_full = e->with_full,
							     .origin = e->origin, .stanza = blob_view(e->stanza),
							     .outgoing = e->outgoing });
	}
	if (q->backward)
		store_page_reverse(out);
}

static void count(const struct set *rows, const struct archive_query *q, struct archive_filter *f,
		  struct archive_page *page)
{
	if (q->want_count)
		page->total = 0;
	for (size_t i = 0; i < rows->n && q->want_count; i++) {
		const struct entry *e = rows->v[i];

		page->total += e->id >= q->start_id && e->id <= q->end_id &&
			       archive_query_matches(q, e->with, e->with_full) &&
			       archive_filter_matches(f, q, blob_view(e->stanza));
	}
	page->first_id_all = rows->n ? rows->v[0]->id : 0;
	page->last_id_all = rows->n ? rows->v[rows->n - 1]->id : 0;
}

static int query(struct store_reader *r, const struct archive_query *q, struct archive_filter *f, struct store_page *out)
{
	static const struct set none;
	const struct set *rows = &none;
	struct owner *o;
	int rc = 0;

	pthread_rwlock_rdlock(&r->db->lock);
	o = owner_of(r->db, q->owner, false);
	if (o)
		rows = &o->sets[ROWS];
	if (q->check_bounds && !bounds_hold(rows, q))
		rc = -ENOENT;
	else
		collect(rows, q, f, out);
	if (!rc && (q->want_count || q->want_ends))
		count(rows, q, f, &out->page);
	pthread_rwlock_unlock(&r->db->lock);
	return rc;
}

static int owners(struct store_reader *r, struct str cursor, uint32_t limit, struct store_items *out)
{
	struct store_db *db = r->db;

	pthread_rwlock_rdlock(&db->lock);
	while (out->n < limit) {
		const struct owner *next = NULL;
		uint32_t pos = 0;
		struct str key;
		char oldest[24];
		void *value;

		while (map_next(&db->owners, &pos, &key, &value)) {
			const struct owner *o = value;

			if (o->sets[ROWS].n && (!cursor.p || str_cmp(key, cursor) > 0) && (!next || str_cmp(key, next->name) < 0))
				next = o;
		}
		if (!next)
			break;
		snprintf(oldest, sizeof(oldest), "%llu", (unsigned long long)next->sets[ROWS].v[0]->id);
		store_items_add(out, &(struct store_item){ .owner = next->name, .key = next->name, .value = str_of(oldest) });
		cursor = next->name;
	}
	pthread_rwlock_unlock(&db->lock);
	return 0;
}

/* ---- open and close ---- */

static int db_open(const char *dir, archive_text_fn *text, struct store_db **out, char *err, size_t err_n)
{
	struct store_db *db = mem_zalloc(sizeof(*db));

	pthread_rwlock_init(&db->lock, NULL);
	*out = db;
	return 0;
}

static void db_close(struct store_db *db)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&db->owners, &pos, &key, &value)) {
		struct owner *o = value;

		for (int s = 0; s < SETS; s++) {
			for (size_t i = 0; i < o->sets[s].n; i++)
				entry_free(o->sets[s].v[i]);
			free(o->sets[s].v);
		}
		free((char *)(uintptr_t)o->name.p);
		free(o);
	}
	map_fini(&db->owners);
	buf_free(&db->changes);
	pthread_rwlock_destroy(&db->lock);
	free(db);
}

static int reader_open(struct store_db *db, struct store_reader **out)
{
	*out = mem_zalloc(sizeof(**out));
	(*out)->db = db;
	return 0;
}

static void reader_close(struct store_reader *r)
{
	free(r);
}

const struct store_backend store_memory = {
	.name = "memory",
	.open = db_open, .close = db_close,
	.begin = begin, .apply = apply, .commit = commit, .rollback = rollback,
	.reader_open = reader_open, .reader_close = reader_close,
	.get = get, .list = list, .query = query, .owners = owners,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Archive rows that the index tables do not hold yet. */
#include "store/recent.h"

#include <string.h>

static int32_t *head_of(struct recent *r, int64_t owner)
{
	return &r->heads[(uint64_t)owner % RECENT_BUCKETS];
}

static void add(struct recent *r, struct recent_row row)
{
	int32_t *head = head_of(r, row.owner);

	row.prev = *head;
	*head = (int32_t)recent_n(r);
	buf_put(&r->rows, &row, sizeof(row));
}

void recent_init(struct recent *r, int64_t merged)
{
	*r = (struct recent){ .merged = merged };
	pthread_mutex_init(&r->lock, NULL);
	memset(r->heads, -1, sizeof(r->heads));
}

void recent_fini(struct recent *r)
{
	buf_free(&r->rows);
	pthread_mutex_destroy(&r->lock);
}

size_t recent_n(const struct recent *r)
{
	return r->rows.n / sizeof(struct recent_row);
}

/* Keeps only the rows beyond merged. */
static void forget(struct recent *r, int64_t merged)
{
	struct recent_row *v = recent_rows(&r->rows);
	size_t n = recent_n(r);

	memset(r->heads, -1, sizeof(r->heads));
	r->rows.n = 0;
	for (size_t i = 0; i < n; i++)
		if (v[i].seq > merged)
			add(r, v[i]); /* never overtakes i */
	r->merged = merged;
}

void recent_publish(struct recent *r, int64_t merged, const struct recent_row *v, size_t n)
{
	pthread_mutex_lock(&r->lock);
	if (merged > r->merged)
		forget(r, merged);
	for (size_t i = 0; i < n; i++)
		if (v[i].seq > r->merged)
			add(r, v[i]);
	pthread_mutex_unlock(&r->lock);
}

/* The owner's row with this id, NULL: none. */
static struct recent_row *find(const struct recent *r, int64_t owner, uint64_t id)
{
	struct recent_row *v = recent_rows(&r->rows);

	for (int32_t i = r->heads[(uint64_t)owner % RECENT_BUCKETS]; i >= 0; i = v[i].prev)
		if (v[i].owner == owner && v[i].id == id)
			return &v[i];
	return NULL;
}

void recent_remove(struct recent *r, const struct recent_row *v, size_t n)
{
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < n; i++) {
		struct recent_row *row = find(r, v[i].owner, v[i].id);

		if (row)
			row->owner = RECENT_GONE; /* it stays in its place and its chain */
	}
	pthread_mutex_unlock(&r->lock);
}

int64_t recent_find(const struct recent *r, int64_t owner, uint64_t id)
{
	const struct recent_row *row = find(r, owner, id);

	return row ? row->seq : 0;
}

bool recent_is_gone(const struct recent *r, const struct recent_row *row)
{
	const struct recent_row *v = recent_rows(&r->rows);
	size_t n = recent_n(r), lo = 0;

	while (n > 1) { /* by seq, which only rises */
		size_t half = n / 2;

		if (v[lo + half].seq <= row->seq)
			lo += half;
		n -= half;
	}
	return n && v[lo].seq == row->seq && v[lo].owner == RECENT_GONE;
}

bool recent_copy(struct recent *r, int64_t owner, int64_t merged, struct buf *out)
{
	const struct recent_row *v;
	bool current;

	pthread_mutex_lock(&r->lock);
	v = recent_rows(&r->rows);
	current = r->merged <= merged;
	for (int32_t i = *head_of(r, owner); current && i >= 0; i = v[i].prev)
		if (v[i].owner == owner && v[i].seq > merged)
			buf_put(out, &v[i], sizeof(v[i]));
	pthread_mutex_unlock(&r->lock);
	return current;
}

int64_t recent_next_owner(struct recent *r, int64_t after, uint64_t *out_id)
{
	const struct recent_row *v;
	int64_t owner = 0;

	pthread_mutex_lock(&r->lock);
	v = recent_rows(&r->rows);
	for (size_t i = 0, n = recent_n(r); i < n; i++) {
		if (v[i].owner <= after || (owner && v[i].owner > owner))
			continue;
		if (v[i].owner != owner || v[i].id < *out_id)
			*out_id = v[i].id;
		owner = v[i].owner;
	}
	pthread_mutex_unlock(&r->lock);
	return owner;
}

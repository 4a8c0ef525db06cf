/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Keeps the full-text index true to rows that are replaced or removed. The writer's thread, in its transaction. */
#include "store/text_index_priv.h"

/* Takes out of both what both have. */
static void keep_differences(struct buf *a, struct buf *b)
{
	uint32_t *x = (uint32_t *)(void *)a->p, *y = (uint32_t *)(void *)b->p;
	size_t xn = text_rows_sort(a), yn = text_rows_sort(b), i = 0, k = 0, xk = 0, yk = 0;

	while (i < xn || k < yn) {
		if (k == yn || (i < xn && x[i] < y[k])) {
			x[xk++] = x[i++];
		} else if (i == xn || y[k] < x[i]) {
			y[yk++] = y[k++];
		} else {
			i++;
			k++;
		}
	}
	a->n = xk * sizeof(*x);
	b->n = yk * sizeof(*y);
}

/* A row of the index being changed. */
struct change {
	struct sql *q;
	int64_t part, owner;
	uint32_t row;
	struct buf drop, add; /* uint32_t[], sorted */
	size_t dropped, added; /* dealt with */
};

static struct text_terms rest(const struct buf *b, size_t done)
{
	return (struct text_terms){ (const uint32_t *)(const void *)b->p + done, b->n / sizeof(uint32_t) - done };
}

static struct text_terms below(struct text_terms t, int64_t end)
{
	size_t n = 0;

	while (n < t.n && t.v[n] < end)
		n++;
	return (struct text_terms){ t.v, n };
}

static int write_block(struct change *c, int64_t key, const struct buf *data)
{
	sqlite3_stmt *st = sql_get(c->q, data->n ? SQL_TEXT_PUT : SQL_TEXT_DEL);

	if (!st)
		return sql_failed(c->q);
	sqlite3_bind_int64(st, 1, c->part);
	sqlite3_bind_int64(st, 2, c->owner);
	sqlite3_bind_int64(st, 3, key);
	if (data->n)
		sql_bind(st, 4, buf_view(data));
	return sql_run(c->q, st);
}

/* The block that a term belongs to, copied; *key TEXT_META: there is none before it. */
static int read_block(struct change *c, uint32_t term, int64_t *key, struct buf *data)
{
	sqlite3_stmt *st = sql_get(c->q, SQL_TEXT_BLOCK);
	int rc;

	if (!st)
		return sql_failed(c->q);
	sqlite3_bind_int64(st, 1, c->part);
	sqlite3_bind_int64(st, 2, c->owner);
	sqlite3_bind_int64(st, 3, term);
	*key = TEXT_META;
	data->n = 0;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && (*key = sqlite3_column_int64(st, 0)) != TEXT_META)
		buf_str(data, sql_column(st, 1));
	rc = sql_errno(c->q->db, rc);
	sqlite3_reset(st);
	return rc;
}

/* Where the block's reach ends. */
static int read_end(struct change *c, uint32_t term, int64_t *out)
{
	sqlite3_stmt *st = sql_get(c->q, SQL_TEXT_BLOCKS);

	if (!st)
		return sql_failed(c->q);
	sqlite3_bind_int64(st, 1, c->part);
	sqlite3_bind_int64(st, 2, c->owner);
	sqlite3_bind_int64(st, 3, term);
	sqlite3_bind_int64(st, 4, UINT32_MAX);
	*out = (int64_t)UINT32_MAX + 1;
	return sql_number(c->q, st, out);
}

/* Edits the block of the next term, with all terms in its reach. */
static int change_block(struct change *c, struct buf *data, struct buf *out)
{
	struct text_terms drop = rest(&c->drop, c->dropped), add = rest(&c->add, c->added);
	uint32_t term = !add.n || (drop.n && drop.v[0] < add.v[0]) ? drop.v[0] : add.v[0];
	int64_t key = TEXT_META, end = 0;
	int rc = read_block(c, term, &key, data);

	if (!rc)
		rc = read_end(c, term, &end);
	if (rc)
		return rc;
	drop = below(drop, end);
	add = below(add, end);
	c->dropped += drop.n;
	c->added += add.n;
	if (key == TEXT_META && !add.n)
		return 0;
	if (key == TEXT_META)
		key = add.v[0];
	text_block_edit((uint32_t)key, buf_view(data), c->row, drop, add, out);
	return write_block(c, key, out);
}

static int find_part(struct change *c, int64_t seq)
{
	sqlite3_stmt *st = sql_get(c->q, SQL_TEXT_PART_OF);
	int rc;

	if (!st)
		return sql_failed(c->q);
	sqlite3_bind_int64(st, 1, seq);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		c->part = sqlite3_column_int64(st, 0);
		c->row = (uint32_t)(seq - sqlite3_column_int64(st, 1));
	}
	rc = sql_errno(c->q->db, rc);
	sqlite3_reset(st);
	return rc;
}

int text_index_change(struct store_db *db, const struct recent_row *row, struct str with, struct str before, struct str after)
{
	struct text_index *t = db->text;
	struct change c = { .q = &db->sql, .owner = row->owner };
	struct buf data = { 0 }, out = { 0 };
	int rc;

	if (!t)
		return 0;
	if (row->seq > t->first && row->seq <= t->last)
		t->spoilt = true;
	rc = find_part(&c, row->seq);
	if (rc || !c.part)
		return rc;
	text_terms(t->text_of, with, before, &t->scratch, &c.drop);
	text_terms(t->text_of, with, after, &t->scratch, &c.add);
	keep_differences(&c.drop, &c.add);
	while (!rc && (rest(&c.drop, c.dropped).n || rest(&c.add, c.added).n))
		rc = change_block(&c, &data, &out);
	buf_free(&c.drop);
	buf_free(&c.add);
	buf_free(&data);
	buf_free(&out);
	return rc;
}

/* ---- an owner's older rows ---- */

static int drop_owner(struct store_db *db, int64_t part, int64_t owner)
{
	sqlite3_stmt *st = sql_get(&db->sql, SQL_TEXT_DROP_OWNER);

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, part);
	sqlite3_bind_int64(st, 2, owner);
	return sql_run(&db->sql, st);
}

/* Whether all that the owner has in a part is older. */
static int is_past(struct store_db *db, int64_t part, int64_t owner, uint64_t before_id)
{
	sqlite3_stmt *st = sql_get(&db->sql, SQL_TEXT_GET);
	struct text_meta m;
	bool past = false;
	int rc;

	if (!st)
		return sql_failed(&db->sql);
	sqlite3_bind_int64(st, 1, part);
	sqlite3_bind_int64(st, 2, owner);
	sqlite3_bind_int64(st, 3, TEXT_META);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && sql_column(st, 0).n == sizeof(m)) {
		memcpy(&m, sql_column(st, 0).p, sizeof(m));
		past = m.max_id < before_id;
	}
	rc = sql_errno(db->sql.db, rc);
	sqlite3_reset(st);
	return rc ? rc : past;
}

int text_index_trim(struct store_db *db, int64_t owner, uint64_t before_id)
{
	struct text_index *t = db->text;
	struct buf parts = { 0 };
	sqlite3_stmt *st = sql_get(&db->sql, SQL_TEXT_PARTS);
	int rc;

	if (!st)
		return sql_failed(&db->sql);
	if (t && t->last)
		t->spoilt = true;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		int64_t part = sqlite3_column_int64(st, 0);

		buf_put(&parts, &part, sizeof(part));
	}
	rc = sql_errno(db->sql.db, rc);
	sqlite3_reset(st);
	for (size_t i = 0; i < parts.n / sizeof(int64_t) && rc >= 0; i++) {
		int64_t part = ((const int64_t *)(const void *)parts.p)[i];

		rc = is_past(db, part, owner, before_id);
		if (rc == 1)
			rc = drop_owner(db, part, owner);
	}
	buf_free(&parts);
	return rc < 0 ? rc : 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Several parts of the full-text index become one. They are read side by side, owner by owner and term by term. */
#include <errno.h>

#include "base/must.h"
#include "store/text_index_priv.h"

/* A part being read. */
struct source {
	sqlite3_stmt *st;
	int64_t owner;	/* of the statement's row; 0: the end */
	uint32_t shift; /* of its rows in the new part */
	struct text_cursor block;
	struct text_entry entry;
	bool has; /* an entry of the owner in hand */
};

struct join {
	struct text_index *t;
	struct source v[TEXT_JOIN];
	size_t n;
	int64_t owner;
	struct buf rows;
};

static int step(struct join *j, struct source *s)
{
	int rc = sqlite3_step(s->st);

	s->owner = rc == SQLITE_ROW ? sqlite3_column_int64(s->st, 0) : 0;
	return sql_errno(j->t->read.db, rc);
}

/* The next entry of the owner; the statement stands at the block in hand or behind the last. */
static int next_entry(struct join *j, struct source *s)
{
	int rc;

	while (!(s->has = text_next(&s->block, &s->entry))) {
		rc = step(j, s);
		if (rc || s->owner != j->owner)
			return rc;
		s->block = text_read((uint32_t)sqlite3_column_int64(s->st, 1), sql_column(s->st, 2));
	}
	return 0;
}

static void add_meta(struct text_meta *all, const struct text_meta *m, bool first)
{
	if (first) {
		*all = *m;
		return;
	}
	if (m->skew > all->skew)
		all->skew = m->skew;
	if (all->max_id > m->min_id && all->max_id - m->min_id > all->skew)
		all->skew = all->max_id - m->min_id;
	if (m->max_id > all->max_id)
		all->max_id = m->max_id;
	if (m->min_id < all->min_id)
		all->min_id = m->min_id;
}

/* Begins the owner in all parts that have it. */
static int enter(struct join *j)
{
	struct text_meta all = { 0 }, m;
	bool first = true;
	int rc = 0;

	for (size_t i = 0; i < j->n && !rc; i++) {
		struct source *s = &j->v[i];
		struct str data;

		s->has = false;
		if (s->owner != j->owner)
			continue;
		data = sql_column(s->st, 2);
		s->block = (struct text_cursor){ 0 };
		if (sqlite3_column_int64(s->st, 1) == TEXT_META && data.n == sizeof(m)) {
			memcpy(&m, data.p, sizeof(m));
			add_meta(&all, &m, first);
			first = false;
		} else {
			return -EUCLEAN;
		}
		rc = next_entry(j, s);
	}
	return rc ? rc : text_index_emit(j->t, j->owner, TEXT_META, (struct str){ (const char *)&all, sizeof(all) });
}

static int on_block(void *arg, uint32_t key, struct str data)
{
	struct join *j = arg;

	return text_index_emit(j->t, j->owner, key, data);
}

static int join_owner(struct join *j, struct text_writer *w)
{
	int rc = enter(j);

	while (!rc) {
		const struct source *least = NULL;
		uint32_t term;

		for (size_t i = 0; i < j->n; i++)
			if (j->v[i].has && (!least || j->v[i].entry.term < least->entry.term))
				least = &j->v[i];
		if (!least)
			break;
		term = least->entry.term;
		j->rows.n = 0;
		for (size_t i = 0; i < j->n && !rc; i++) {
			if (!j->v[i].has || j->v[i].entry.term != term)
				continue;
			text_rows(j->v[i].entry.postings, j->v[i].shift, &j->rows);
			rc = next_entry(j, &j->v[i]);
		}
		text_put(w, term, (const uint32_t *)(const void *)j->rows.p, j->rows.n / sizeof(uint32_t));
	}
	return rc ? rc : text_end(w);
}

static int64_t least_owner(const struct join *j)
{
	int64_t owner = 0;

	for (size_t i = 0; i < j->n; i++)
		if (j->v[i].owner && (!owner || j->v[i].owner < owner))
			owner = j->v[i].owner;
	return owner;
}

static int open_source(struct join *j, const struct text_part *part, int64_t first)
{
	struct source *s = &j->v[j->n++];
	static const char text[] = "SELECT owner,term,data FROM text_block WHERE part=?1 ORDER BY owner,term";

	if (sqlite3_prepare_v2(j->t->read.db, text, -1, &s->st, NULL) != SQLITE_OK)
		return sql_failed(&j->t->read);
	sqlite3_bind_int64(s->st, 1, part->part);
	s->shift = (uint32_t)(part->first - first);
	return step(j, s);
}

int text_join(struct text_index *t, const struct text_part *v, size_t n)
{
	struct join j = { .t = t };
	struct text_writer w = { .on_block = on_block, .arg = &j };
	int rc = sql_run_id(&t->read, SQL_BEGIN_READ);

	must(n <= TEXT_JOIN);
	if (rc)
		return rc;
	for (size_t i = 0; i < n && !rc; i++)
		rc = open_source(&j, &v[i], v[0].first);
	while (!rc && !t->stop && (j.owner = least_owner(&j)))
		rc = join_owner(&j, &w);
	for (size_t i = 0; i < j.n; i++)
		sqlite3_finalize(j.v[i].st);
	text_writer_free(&w);
	buf_free(&j.rows);
	rc = sql_end_read(&t->read, rc);
	return rc ? rc : t->stop ? -EINTR : 0;
}

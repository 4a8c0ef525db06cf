/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an archive query means, the same for all back ends. */
#include "store/backend.h"

struct str archive_bare(struct str jid)
{
	struct str rest;

	return str_cut(jid, '/', &rest);
}

bool archive_query_range(const struct archive_query *q, uint64_t *out_lo, uint64_t *out_hi)
{
	uint64_t lo = q->start_id, hi = q->end_id;

	if (q->after_id == UINT64_MAX || (q->before_id == 0))
		return false;
	if (q->after_id && q->after_id + 1 > lo)
		lo = q->after_id + 1;
	if (q->before_id != UINT64_MAX && q->before_id - 1 < hi)
		hi = q->before_id - 1;
	if (hi > INT64_MAX)
		hi = INT64_MAX;
	*out_lo = lo;
	*out_hi = hi;
	return lo <= hi;
}

bool archive_query_matches(const struct archive_query *q, struct str with, struct str with_full)
{
	return str_empty(q->with) || str_eq(q->with, with) || (with_full.p && str_eq(q->with, with_full));
}

void archive_filter_init(struct archive_filter *f, const struct archive_query *q, archive_text_fn *text_of)
{
	*f = (struct archive_filter){ .text_of = text_of };
	if (q->text.n)
		words_fold(&f->query, q->text);
}

void archive_filter_fini(struct archive_filter *f)
{
	words_free(&f->query);
	words_free(&f->found);
	buf_free(&f->text);
}

bool archive_filter_is_set(const struct archive_query *q)
{
	return q->text.n || q->message_id.n;
}

bool archive_filter_matches(struct archive_filter *f, const struct archive_query *q, struct str stanza)
{
	struct str ids[2] = { STR_NONE, STR_NONE };

	if (!stanza.n)
		return false; /* its time is over */
	if (!archive_filter_is_set(q))
		return true;
	if (!f->text_of)
		return false;
	f->text.n = 0;
	f->text_of(stanza, &f->text, ids);
	if (q->message_id.n && !str_eq(ids[0], q->message_id) && !str_eq(ids[1], q->message_id))
		return false;
	if (!q->text.n)
		return true;
	words_fold(&f->found, buf_view(&f->text));
	return words_runs(&f->query) && words_match(&f->query, &f->found);
}

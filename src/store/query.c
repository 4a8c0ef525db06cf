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

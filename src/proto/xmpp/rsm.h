/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0059 1.0.1 result set management. */
#ifndef PROTO_XMPP_RSM_H
#define PROTO_XMPP_RSM_H

#include "proto/xml/xml.h"

struct rsm {
	bool present;
	uint32_t max;		/* UINT32_MAX when absent */
	bool has_before, has_after, has_index;
	struct str before, after; /* before may be empty: the last page */
	uint32_t index;
};

/* Reads <set/> of a query. Returns 0 (present false when there is none); -EBADMSG. */
int rsm_parse(struct arena *a, const struct xml *query, struct rsm *out);
/* Adds <set><first index=…/><last/><count/></set>. first/last empty: an empty page. index or count < 0: not written. */
void rsm_add(struct arena *a, struct xml *parent, struct str first, struct str last, int64_t index, int64_t count);

#endif

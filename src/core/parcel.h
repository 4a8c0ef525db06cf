/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stanza under way that outlives its turn: in a mail to another shard, or waiting for a user to load. */
#ifndef CORE_PARCEL_H
#define CORE_PARCEL_H

#include "core/pipeline.h"

struct parcel {
	struct mail mail;
	struct transit t; /* t.st is &st */
	struct stanza st; /* strings lie in bytes; the payload is the shared tail */
	struct jid *to_many; /* several recipients instead of st.to, with their bytes; NULL: one */
	size_t to_n;
	bool to_sessions; /* to_many are full JIDs of router_fanout */
	char bytes[];
};

struct parcel *parcel_new(const struct transit *t); /* copies; takes t's batch along, which t must forget */
void parcel_free(struct parcel *p);
void parcel_discard(struct mail *m);
void parcel_arrive(struct parcel *p); /* routes it in its shard and frees it */

#endif

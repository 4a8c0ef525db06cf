/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0313 1.1.3 queries, for the archive of any owner (accounts, rooms): reads the query, asks the store, sends the page.
 * Who may read what is the caller's to decide before mam_answer. */
#ifndef CORE_MAM_H
#define CORE_MAM_H

#include "core/iq.h"

enum {
	MAM_PAGE_DEFAULT = 50,
	MAM_PAGE_MAX = STORE_PAGE_MAX,
	MAM_PAGE_BYTES_MAX = 2 << 20, /* stanza bytes of one page; the rest is for the next one */
	MAM_IDS_MAX = 250,
	MAM_QUERYID_MAX = 256,
};

/* A query as read. The caller may narrow q further before mam_answer; strings lie in the turn's arena. */
struct mam_query {
	struct archive_query q;
	bool flip; /* <flip-page/>: the newest row is sent first */
	uint64_t extra_from; /* rows before this id get nothing of mam_view */
};

/* Reads <query xmlns='urn:xmpp:mam:2'/> with its form and RSM set. Returns 0; -EBADMSG; -ENOENT: an id that no archive here
 * ever gave; -EOPNOTSUPP: a field or kind of page that is not known (§4.1.5). */
int mam_parse(struct arena *a, const struct xml *query, struct mam_query *out);
/* The stanza error for what mam_parse or the store returned. */
enum stanza_error mam_error(int err);

/* How rows look to the asker. */
struct mam_view {
	/* Bytes to stand first in the forwarded message of this row (well-formed, in the arena), p NULL: none. NULL: never any. */
	struct str (*extra)(struct arena *a, const struct archive_found *row);
};

/* Payload and end tag of a message that hands a row out: front (bytes), <result><forwarded>…. NULL: the row is not to be shown any
 * more, or of a later version. New reference. */
struct blob *mam_result(struct arena *a, struct str front, struct str queryid, const struct archive_found *row,
	const struct mam_view *view);
/* Answers a query: a message per row from the archive's address, then <fin/> as the result of iq; or an error.
 * view may be NULL, else it must be static. m->q.owner is set here. */
void mam_answer(struct iq *iq, struct mam_query *m, struct str owner, const struct mam_view *view);
/* Adds <metadata/> (§5) with the ends of an archive: first_id_all and last_id_all of the page. */
void mam_metadata_add(struct arena *a, struct xml *parent, const struct archive_page *page);
/* Answers <metadata/> (§5). */
void mam_metadata(struct iq *iq, struct str owner);
/* Answers an IQ get of <query/>: the fields that can be asked for (§4.1.5). */
void mam_form(struct iq *iq);

#endif

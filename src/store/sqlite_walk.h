/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A query of the archive under way in the SQLite back end: shared by sqlite_query.c and the full-text search. */
#ifndef STORE_SQLITE_WALK_H
#define STORE_SQLITE_WALK_H

#include "store/sqlite.h"

/* How a query names the peer. */
enum peer { PEER_ANY, PEER_BARE, PEER_FULL };

struct ref {
	uint64_t id;
	int64_t seq;
};

/* Rows of the owner within the bounds, in one direction, all in one read transaction. */
struct walk {
	struct store_reader *r;
	const struct archive_query *q;
	struct archive_filter *filter;
	int64_t owner;
	int64_t merged; /* rows of the index tables beyond this seq are not all there yet; they are among the recent ones */
	enum peer peer;
	uint32_t hash[2]; /* of the JID as asked for, and of its bare form */
	uint64_t lo, hi;
	bool backward;
	sqlite3_stmt *st;
	struct ref disk; /* the statement's current row */
	bool disk_ended;
	struct buf recent; /* struct recent_row[] in the direction of the walk */
	size_t at;
};


/* copied: the owner's recent rows. Returns 0; -errno. */
int archive_walk_start(struct walk *w, const struct buf *copied);
/* Returns 1 with the next row, 0 at the end, -errno. */
int archive_walk_next(struct walk *w, struct ref *out);
void archive_walk_end(struct walk *w);
/* Fetches a row and adds it to out. Returns 1 when it is one of the query's; 0; -errno. out NULL: only tells. out_id, unless NULL,
 * gets the row's id when there is one. */
int archive_walk_fetch(struct walk *w, int64_t seq, struct store_page *out, uint64_t *out_id);

/* ---- text_search.c ---- */

/* The page of a query by text or message id. Returns 0; -errno. */
int text_search(struct walk *w, const struct buf *copied, struct store_page *out);
/* How many rows match in all; *out is -1 when there are too many to look at each. Returns 0; -errno. */
int text_count(struct walk *w, const struct buf *copied, int64_t *out);

#endif

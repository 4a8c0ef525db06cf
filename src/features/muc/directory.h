/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The rooms that a service lists. Rows: owner = host, kind "public", key = node, value = name, U+0001, description, U+0001, language, U+0001,
 * "o" for a room that anybody can enter and "n" for a non-anonymous one. Private to features/muc. */
#ifndef FEATURES_MUC_DIRECTORY_H
#define FEATURES_MUC_DIRECTORY_H

#include "features/muc/muc.h"

enum {
	DIRECTORY_PAGE = 500,	   /* rows of one reading */
	DIRECTORY_ROWS_MAX = 5000, /* rooms kept of one walk */
	DIRECTORY_READERS_MAX = 8, /* requests of a shard that read at a time */
	DIRECTORY_DESC_MAX = 512,
};

/* A room as it is listed. */
struct listed {
	char *row; /* what was stored */
	struct str node, name, desc, lang;
	bool open, non_anonymous;
	uint32_t users; /* after listing_count */
};

struct listing;
/* Is the room wanted? NULL takes all. */
typedef bool listing_fn(const struct listing *w, const struct listed *room);

/* Reading the list of a host on behalf of a request; freed by done. */
struct listing {
	struct iq_held *held;
	struct core *core;
	struct str host, after; /* own bytes; after p NULL: from the first */
	struct listed *v;
	size_t n, cap;
	size_t enough;	/* stop when so many are found */
	bool complete;	/* the end was reached */
	listing_fn *wants;
	void (*done)(struct listing *w, int status);
	int shard; /* next to be counted in */
	bool counted;
	void *arg; /* malloc'ed, freed with it */
};

/* NULL: too many read already. */
struct listing *listing_new(struct iq *iq, struct str host);
/* Reads; done is called from a later turn. Afterwards v is in order of nodes. */
void listing_start(struct listing *w, struct str after);
/* Fills in how many are inside, asking each shard; then done is called again, with counted set. */
void listing_count(struct listing *w);
void listing_free(struct listing *w);

/* The value of a room's row. */
struct str directory_row(const struct room *r);
void directory_items(struct iq *iq); /* disco#items of the service */
void directory_search(struct iq *iq); /* XEP-0433 */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0317 0.3.1 hats of a room. Private to features/muc. */
#ifndef FEATURES_MUC_HATS_H
#define FEATURES_MUC_HATS_H

#include <errno.h>

#include "features/muc/muc.h"

enum {
	HATS_MAX = 100,		  /* of a room */
	HATS_WORN_MAX = 16,	  /* by one */
	HATS_WEARERS_MAX = 10000, /* of a room */
	HAT_URI_MAX = 512,
	HAT_TITLE_MAX = 256,
};

struct hat {
	char *uri, *title, *hue; /* hue may be empty */
};

struct hat *hat_find(const struct room *r, struct str uri); /* NULL: none */
/* Makes or changes a hat; who wears it is shown anew. Values are checked. Returns 0; -ENOSPC. */
int hat_create(struct room *r, struct str uri, struct str title, struct str hue, struct store_batch **b);
void hat_destroy(struct room *r, struct hat *h, struct store_batch **b); /* frees h */
int hat_assign(struct room *r, struct hat *h, struct str bare, struct store_batch **b);	  /* 0; -ENOSPC */
int hat_unassign(struct room *r, struct hat *h, struct str bare, struct store_batch **b); /* 0; -ENOENT */
/* All hats by URI, in the turn's arena. */
size_t hats_sorted(const struct room *r, struct hat ***out);
typedef void hat_wearer_fn(void *arg, struct str bare, const struct hat *h);
void hats_each_wearer(const struct room *r, hat_wearer_fn *fn, void *arg);

#endif

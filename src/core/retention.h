/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long archives keep messages: options for accounts and for rooms, an override for each. One shard looks at all archives once
 * in an hour and removes what is older, the oldest first, in steps.
 * Store: owner = JID of the account or room, kind "keep", key "", value = days, 0: for ever; the same with owner "": there are such. */
#ifndef CORE_RETENTION_H
#define CORE_RETENTION_H

#include "core/core.h"
#include "store/store.h"

enum {
	RETENTION_EVERY_MS = 3600000,
	RETENTION_DAYS_MAX = 36500,
	RETENTION_OWNERS = 50, /* archives of one look */
	RETENTION_STEP = 250,  /* rows of one removal */
};

/* In the first shard: begins to look after the archives. */
void retention_start(struct core *c);
/* Looks now, as after a change; only in the first shard. Returns false while a look is under way. */
bool retention_look(struct core *c);
void retention_free(struct core *c);
/* Puts an override into a batch; days UINT32_MAX: none any more. */
void retention_set(struct store_batch *b, struct str owner, uint32_t days);

#endif

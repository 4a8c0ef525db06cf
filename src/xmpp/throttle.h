/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Failed sign-ins per address: a few are free, then one every few seconds. Any shard; one table for all, since an attacker's connections spread. */
#ifndef XMPP_THROTTLE_H
#define XMPP_THROTTLE_H

#include "core/core.h"

enum { THROTTLE_BURST = 20, THROTTLE_REFILL_MS = 5000, THROTTLE_ADDRESSES = 4096 };

bool throttle_may_try(struct core *c, struct str address); /* always true when limits.enabled is off */
void throttle_failed(struct core *c, struct str address);

#endif

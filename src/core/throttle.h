/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Failed sign-ins per address and per account: some are free, then one every few seconds. Any thread: one table for all shards, since an
 * attacker's connections spread. */
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

#include "core/core.h"

enum { THROTTLE_CELLS = 4096 };

/* An account's burst is larger: guessing from many addresses is slowed, but nobody locks somebody else out with a few tries.
 * THROTTLE_CODE, per account: codes of the second factor are short, and who gets to guess them knows the password; so few, and slowly. */
enum throttle_kind { THROTTLE_ADDRESS, THROTTLE_ACCOUNT, THROTTLE_CODE, THROTTLE_KINDS };

bool throttle_may_try(struct core *c, enum throttle_kind kind, struct str who); /* always true when limits.enabled is off */
void throttle_failed(enum throttle_kind kind, struct str who);
/* Takes one failure back: for tries that are counted before they are checked, so that many at once are no way around. */
void throttle_forgive(enum throttle_kind kind, struct str who);

#endif

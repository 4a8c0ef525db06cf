/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an administrator decides about an account: whether it may sign in, whether it is an administrator too. Kept in the account's
 * record: {"created": ms, "admin": bool, "disabled": bool}, "disabled" only when true. Return values: as account.h. */
#ifndef ACCOUNT_STATE_H
#define ACCOUNT_STATE_H

#include "account/account.h"

struct account_state {
	bool admin, disabled;
	uint64_t created_ms;
};

/* Reads a stored "account" or "user" item. Returns 0; -EBADMSG. */
int account_state_decode(struct str value, struct account_state *out);

/* status 0: may sign in; -EACCES disabled; -ENOENT; -EIO. */
int account_may_enter(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg);

enum account_change { ACCOUNT_DISABLE, ACCOUNT_ENABLE, ACCOUNT_ADMIN, ACCOUNT_NO_ADMIN };
/* Changes one thing of an account; its sessions are the caller's to end or to tell. status 0, also when it was so; -ENOENT; -EIO;
 * -EAGAIN: somebody else changed it meanwhile. */
int account_set_state(struct accounts *ac, struct shard *s, struct str node, enum account_change change, account_done_fn *done, void *arg);

#endif

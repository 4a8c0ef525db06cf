/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Questions and errands that go to other shards and come back: to all of them, or to the one that owns an account. For administration:
 * what is asked often gets a mail of its own. */
#ifndef CORE_VISIT_H
#define CORE_VISIT_H

#include "core/user.h"

/* Runs in each shard; writes what is to come back. request is what visit_all was given. */
typedef void visit_fn(struct core *c, struct str request, struct buf *out);
/* Runs in the account's shard. u->state is READY, ABSENT or FAILED; u is NULL when the shard could not say. */
typedef void visit_user_fn(struct user *u, struct str request, struct buf *out);
/* Runs in the shard that asked. out: what was written, of all shards in any order. c is NULL when the process ends: free arg only. */
typedef void visit_done_fn(struct core *c, struct str out, void *arg);

/* request is copied. done runs once, later. */
void visit_all(struct core *c, struct str request, visit_fn *fn, visit_done_fn *done, void *arg);
void visit_user(struct core *c, struct str bare, struct str request, visit_user_fn *fn, visit_done_fn *done, void *arg);

#endif

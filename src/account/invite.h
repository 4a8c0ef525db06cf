/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Invitations (XEP-0401 0.5, XEP-0445, XEP-0379): random tokens, stored hashed (owner "", kind "invite", key SHA-256 hex), single use. */
#ifndef ACCOUNT_INVITE_H
#define ACCOUNT_INVITE_H

#include "account/account.h"

enum { INVITE_DAYS = 7 };

struct invite {
	struct str inviter; /* bare JID, empty: the server itself (command line) */
	bool account;	     /* may create an account */
	uint64_t expires_ms; /* wall clock */
};

typedef void invite_fn(struct shard *s, void *arg, int status, struct str token, const struct invite *inv);
int invite_create(struct accounts *ac, struct shard *s, struct str inviter, bool account, invite_fn *done, void *arg);
/* status -ENOENT: unknown, used or expired. */
int invite_look(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg);
/* Creates an account with an invitation; the invitation is used up in the same transaction, and inviter and account become mutual
 * contacts (roster items written for the new account; the caller tells core about the inviter's side: see core/roster.h).
 * token empty: allowed by open registration (the caller checked). status as account_create, -ENOENT bad token. */
int invite_register(struct accounts *ac, struct shard *s, struct str token, struct str node, struct str password, invite_fn *done, void *arg);
/* Uses up an invitation without an account (XEP-0379 pre-authenticated subscription). */
int invite_use(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg);

#endif

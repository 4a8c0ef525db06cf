/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Invitations (XEP-0401 0.5, XEP-0445, XEP-0379): random tokens of 128 bits, stored hashed, single use.
 *   owner ""       kind "invite"   key hex(SHA-256(token))  JSON {"inviter", "account": bool, "expires": ms}
 *   owner inviter  kind "invited"  key the same             expires in ms as decimal: counts them, and dies with the account
 * Return values: as account.h. */
#ifndef ACCOUNT_INVITE_H
#define ACCOUNT_INVITE_H

#include "account/account.h"

enum {
	INVITE_DAYS = 7,
	INVITES_MAX = 200,	/* open ones per inviter */
	INVITE_TOKEN_MAX = 64,	/* characters */
};

struct invite {
	struct str inviter; /* bare JID, empty: the server itself (command line) */
	bool account;	     /* may create an account */
	uint64_t expires_ms; /* wall clock */
};

/* Strings are valid during the call; token is empty but for invite_create; inv is NULL unless status is 0 and a token was given. */
typedef void invite_fn(struct shard *s, void *arg, int status, struct str token, const struct invite *inv);
/* status -EDQUOT: INVITES_MAX open ones. */
int invite_create(struct accounts *ac, struct shard *s, struct str inviter, bool account, invite_fn *done, void *arg);
/* status -ENOENT: unknown, used or expired, or its inviter is gone. */
int invite_look(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg);
/* Creates an account with an invitation; the invitation is used up in the same transaction, and inviter and account become mutual
 * contacts (the roster item of the new account is written with it; the caller tells core about the inviter's side: see core/roster.h).
 * token empty: allowed by open registration (the caller checked). node as typed. status as account_create, -ENOENT bad token,
 * -EPERM the invitation makes no accounts. */
int invite_register(struct accounts *ac, struct shard *s, struct str token, struct str node, struct str password, invite_fn *done, void *arg);
/* Uses up an invitation without an account (XEP-0379 pre-authenticated subscription). */
int invite_use(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg);

#endif

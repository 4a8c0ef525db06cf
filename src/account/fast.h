/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0484 0.2.0 FAST tokens: HT-SHA-256-NONE/-ENDP/-EXPR. Tokens are random 256 bits, bound to a user-agent id, rotated at use.
 * The server must know the token to check HMAC(token, …): it keeps HMAC keys, not passwords; each dies by time and at password change. */
#ifndef ACCOUNT_FAST_H
#define ACCOUNT_FAST_H

#include "account/account.h"

enum { FAST_TOKEN_DAYS = 30, FAST_TOKENS_MAX = 32 };

/* Issues a token for this client (user-agent id) and mechanism; the older one of the same client stays valid until the new one is used. */
typedef void fast_token_fn(struct shard *s, void *arg, int status, struct str token, uint64_t expires_wall_ms);
int fast_issue(struct accounts *ac, struct shard *s, struct str node, struct str client, struct str mechanism, fast_token_fn *done, void *arg);

struct fast_check {
	struct str node, client, mechanism;
	struct str initiator_hash; /* HMAC(token, "Initiator" || cb-data) from the client */
	struct str cb_data;	    /* channel binding bytes, empty for -NONE */
};
/* status 0: right; responder is HMAC(token, "Responder" || cb-data). -EACCES: no such token, wrong, expired. */
typedef void fast_checked_fn(struct shard *s, void *arg, int status, struct str responder);
int fast_verify(struct accounts *ac, struct shard *s, const struct fast_check *c, fast_checked_fn *done, void *arg);
/* Forgets a client's tokens (client p NULL: all): sign-out, password change. */
int fast_revoke(struct accounts *ac, struct shard *s, struct str node, struct str client, account_done_fn *done, void *arg);

#endif

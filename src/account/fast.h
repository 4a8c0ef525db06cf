/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0484 0.2.0 FAST tokens: HT-SHA-256-NONE/-ENDP/-EXPR. Tokens are random 256 bits, bound to a user-agent id and a mechanism.
 * The server must know the token to check HMAC(token, …): it keeps HMAC keys, not passwords; each dies by time and at password change.
 *   kind "fast"  key hex(SHA-256(client))  JSON {"new": slot, "current": slot}, slot {"token", "mechanism", "expires": ms}
 * The two slots are those of XEP-0484's implementation notes: a new token takes the place of the current one when it is first used.
 * Left out: TLS 0-RTT, and with it the replay counter. Return values: as account.h. */
#ifndef ACCOUNT_FAST_H
#define ACCOUNT_FAST_H

#include "account/account.h"

enum {
	FAST_TOKEN_DAYS = 30,
	FAST_ROTATE_DAYS = 7,  /* a token this old is due for rotation */
	FAST_TOKENS_MAX = 32,  /* clients per account: the one that expires first makes room */
	FAST_CLIENT_MAX = 256, /* bytes of a user-agent id */
};

/* The key of a client's item, in the arena: of kinds "fast" and "client". */
struct str fast_client_key(struct arena *a, struct str client);
/* When the last token of a client's item dies, wall clock; 0: it has none. */
uint64_t fast_item_expires_ms(struct arena *a, struct str value);

/* Issues a token for this client (user-agent id) and mechanism; the older one of the same client stays valid until the new one is
 * used. -EINVAL: client empty or too long, or a mechanism that is not FAST's. */
typedef void fast_token_fn(struct shard *s, void *arg, int status, struct str token, uint64_t expires_wall_ms);
int fast_issue(struct accounts *ac, struct shard *s, struct str node, struct str client, struct str mechanism, fast_token_fn *done, void *arg);

struct fast_check {
	struct str node, client, mechanism;
	struct str initiator_hash; /* HMAC(token, "Initiator" || cb-data) from the client */
	struct str cb_data;	    /* channel binding bytes, empty for -NONE */
};
/* status 0: right; responder is HMAC(token, "Responder" || cb-data), valid during the call; rotate: issue a new token now.
 * -EACCES: no such token, wrong, expired, of another mechanism; -EIO. */
typedef void fast_checked_fn(struct shard *s, void *arg, int status, struct str responder, bool rotate);
int fast_verify(struct accounts *ac, struct shard *s, const struct fast_check *c, fast_checked_fn *done, void *arg);
/* Forgets a client's tokens (client p NULL: all): sign-out, password change. */
int fast_revoke(struct accounts *ac, struct shard *s, struct str node, struct str client, account_done_fn *done, void *arg);

#endif

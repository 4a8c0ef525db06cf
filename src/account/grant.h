/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Access that an account's owner granted to somebody else's application (XEP-0493 0.1.1): an authorization code for a minute (RFC 6749 §4.1,
 * RFC 7636 S256), then a token without an end but revocation and a new password. Both are shown once and kept as hashes.
 *   kind "grant"  key ID  JSON {"name", "client", "created": ms, "used": ms, "code": hash, "until": ms, "challenge", "redirect", "token": hash}
 * A code or token names its account: base64url(id (9 bytes) | secret (32) | node). Applications are registered without being stored: a
 * client_id is base64url(HMAC | JSON {"name", "redirect_uris"}). Calls and results: as account.h. */
#ifndef ACCOUNT_GRANT_H
#define ACCOUNT_GRANT_H

#include "account/account.h"

enum {
	GRANTS_MAX = 32,	  /* per account */
	GRANT_CODE_MS = 60000,
	GRANT_NAME_MAX = 64,	  /* bytes */
	GRANT_URIS_MAX = 5,
	GRANT_URI_MAX = 512,	  /* bytes */
	GRANT_CLIENT_MAX = 6000,  /* bytes of a client_id */
	GRANT_TOKEN_MAX = 512,	  /* bytes of a code or token */
	GRANT_USED_EVERY_MS = 3600000,
};

/* An application that registered itself. */
struct grant_client {
	struct str name;
	struct str uris[GRANT_URIS_MAX];
	size_t uris_n;
};

/* RFC 7591, statelessly. Returns 0 and the client_id; -EINVAL name; -EDOM a redirection URI that is not allowed: only https, http of the loopback,
 * or a private scheme with a dot (RFC 8252 §7), without fragment. */
int grant_register(struct accounts *ac, struct arena *a, const struct grant_client *c, struct str *out_client_id);
/* What a client_id says. Returns 0; -EACCES: not of our making. */
int grant_client_read(struct accounts *ac, struct arena *a, struct str client_id, struct grant_client *out);
/* Is this one of its URIs? Compared as bytes; the port of a loopback URI is free (RFC 8252 §7.3). */
bool grant_redirect_ok(const struct grant_client *c, struct str uri);

struct grant_new {
	struct str node, client_id, name, redirect, challenge;
};
/* Makes a grant and its code. status -EDQUOT: there are GRANTS_MAX; -ENOENT no such account. */
typedef void grant_text_fn(struct shard *s, void *arg, int status, struct str text);
int grant_create(struct accounts *ac, struct shard *s, const struct grant_new *g, grant_text_fn *done, void *arg);

struct grant_code {
	struct str code, client_id, redirect, verifier;
};
/* The token for a code. status -EACCES: unknown, old, of another client or URI, a wrong verifier; a second time ends the grant too. */
int grant_redeem(struct accounts *ac, struct shard *s, const struct grant_code *c, grant_text_fn *done, void *arg);

/* Whose token is it? status 0; -EACCES nobody's. */
typedef void grant_checked_fn(struct shard *s, void *arg, int status, struct str node, struct str id);
int grant_check(struct accounts *ac, struct shard *s, struct str token, grant_checked_fn *done, void *arg);

struct grant_row {
	struct str id, name;
	uint64_t created_ms, used_ms;
};
/* Those with a token. Rows are valid during the call. */
typedef void grant_list_fn(struct shard *s, void *arg, int status, const struct grant_row *v, size_t n);
int grant_list(struct accounts *ac, struct shard *s, struct str node, grant_list_fn *done, void *arg);
int grant_revoke(struct accounts *ac, struct shard *s, struct str node, struct str id, account_done_fn *done, void *arg); /* status -ENOENT */

#endif

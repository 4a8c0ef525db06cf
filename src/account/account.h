/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts: names, SCRAM keys, roles, tokens. Everything lives in store items of owner = bare JID.
 *   kind "account" key ""    JSON {created, admin, disabled}
 *   kind "scram"   key ALG   binary keys for SHA-1, SHA-256, SHA-512
 *   kind "fast"    key hash  JSON {client, mechanism, expires, counter}
 * Passwords are never stored; keys are derived in the pool. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "base/arena.h"
#include "crypto/scram.h"
#include "loop/pool.h"
#include "store/store.h"

enum {
	SCRAM_ITERATIONS = 10000,
	PASSWORD_MIN = 8,   /* code points, for passwords that people choose here */
	PASSWORD_MAX = 1024, /* bytes */
	ACCOUNT_NAME_MAX = 64,
};

/* What an account needs of the process. Borrowed for its life; one per process, any thread. */
struct accounts {
	struct store *store;
	struct pool *pool;
	struct str domain;
	uint8_t secret[32]; /* of this server: fake salts, slot tokens, occupant ids; made at first start, kept in the store */
};

/* status: 0; -ENOENT no such account; -EEXIST; -EINVAL bad name; -EMSGSIZE/-E2BIG weak or long password; -EIO, -ENOSPC, -EBUSY. */
typedef void account_done_fn(struct shard *s, void *arg, int status);

/* Checks a new account's name (a normalised localpart of letters, digits and . _ - ). Returns 0 and the node; -EINVAL. */
int account_name_check(struct arena *a, struct str name, struct str *out_node);
/* Returns 0; -EMSGSIZE too short; -E2BIG too long; -EINVAL not SASLprep-able. out: the prepared password. */
int account_password_check(struct arena *a, struct str password, struct str *out_prepared);

struct account_new {
	struct str node;	  /* normalised */
	struct str password; /* as typed */
	bool admin;
	bool only_first;	  /* -EACCES when some administrator exists already (first-run page) */
};
int account_create(struct accounts *ac, struct shard *s, const struct account_new *n, account_done_fn *done, void *arg);
int account_passwd(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg);
/* Deletes the account with all its items, archive and tokens. Sessions are the caller's to end. */
int account_delete(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg);

/* SCRAM keys for a sign-in. status -ENOENT: unknown (keys hold a stable fake, so that nobody can tell); -EACCES disabled. */
typedef void account_keys_fn(struct shard *s, void *arg, int status, const struct scram_keys *keys);
int account_keys(struct accounts *ac, struct shard *s, struct str node, enum hash_alg alg, account_keys_fn *done, void *arg);
/* Checks a plain password in the pool. status 0 right; -EACCES wrong or unknown. */
int account_check_password(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg);

/* status 0: out says whether it is an administrator. */
typedef void account_info_fn(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms);
int account_info(struct accounts *ac, struct shard *s, struct str node, account_info_fn *done, void *arg);

/* Is there an administrator? (store item owner "", kind "server", key "admin") */
int account_setup_needed(struct accounts *ac, struct shard *s, account_done_fn *done, void *arg); /* status 1 needed, 0 not */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts: names, SCRAM keys, roles. Everything lives in store items of owner = bare JID (forms: account/record.h).
 *   kind "account" key ""    JSON {created, admin}
 *   kind "scram"   key ALG   binary keys for SHA-1, SHA-256, SHA-512; application passwords and the second factor: account/signin.h
 *   kind "fast"    key hash  tokens, account/fast.h
 * Passwords are never stored; keys are derived in the pool.
 *
 * All calls with a done: return 0, and done runs later in the shard that asked; or -errno at once, and done is not called
 * (-EINVAL, -EMSGSIZE, -E2BIG as below; -EBUSY too much waits: ask again). Strings are copied. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H

#include "base/arena.h"
#include "crypto/scram.h"
#include "loop/pool.h"
#include "store/store.h"

enum {
	SCRAM_ITERATIONS = 10000,
	PASSWORD_MIN = 8,    /* code points, for passwords that people choose here */
	PASSWORD_MAX = 1024, /* bytes */
	ACCOUNT_NAME_MAX = 64, /* bytes */
	ACCOUNT_MANY_MAX = 1000000,
};

/* What an account needs of the process. Borrowed for its life; one per domain (account/host.h), any thread. */
struct accounts {
	struct store *store;
	struct pool *pool;
	struct str domain;
	struct str scope; /* owner of what belongs to no account: empty for the main domain, otherwise the domain */
	_Atomic uint8_t algs_lacking; /* hashes that some account was seen without, 1 << enum hash_alg: account/signin.h */
	uint8_t secret[32]; /* of this server: fake salts, slot tokens, occupant ids; made at first start, kept in the store */
};

/* status: 0; -ENOENT no such account; -EEXIST; -EACCES not the first; -EIO, -ENOSPC, -EBUSY. */
typedef void account_done_fn(struct shard *s, void *arg, int status);

/* Checks a new account's name: a localpart of letters and digits of any script and . _ - that begins with a letter or digit.
 * Returns 0 and the normalised node; -EINVAL. */
int account_name_check(struct arena *a, struct str name, struct str *out_node);
/* Returns 0; -EMSGSIZE too short; -E2BIG too long; -EINVAL not SASLprep-able. out: the prepared password. */
int account_password_check(struct arena *a, struct str password, struct str *out_prepared);

struct account_new {
	struct str node;     /* normalised */
	struct str password; /* as typed */
	bool admin;
	bool only_first; /* -EACCES when some administrator exists already (first-run page) */
	bool weak_ok;	 /* the operator chose the password: it may be short */
};
int account_create(struct accounts *ac, struct shard *s, const struct account_new *n, account_done_fn *done, void *arg);
/* COUNT accounts named PREFIX0, PREFIX1 ... with one password: its keys are derived once, so that thousands take a moment.
 * Fails with -EEXIST when one of them exists; earlier ones (in steps of some hundred) stay. For load tests. */
int account_create_many(struct accounts *ac, struct shard *s, const struct account_new *prefix, uint32_t count,
	account_done_fn *done, void *arg);
/* New password; all FAST tokens, application passwords and remembered clients of the account die in the same transaction. The second
 * factor stays. */
int account_passwd(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg);
/* The same when the operator chose it: it may be short. */
int account_passwd_weak(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg);
/* Deletes the account with all its items, archive, tokens and invitations. Sessions are the caller's to end. */
int account_delete(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg);

/* status 0: out says whether it is an administrator. */
typedef void account_info_fn(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms);
int account_info(struct accounts *ac, struct shard *s, struct str node, account_info_fn *done, void *arg);

struct account_row {
	struct str node;
	bool admin, disabled;
	uint64_t created_ms;
};
/* Accounts in order of their nodes, those after `after` (empty: from the first), at most limit. Rows are valid during the call. */
typedef void account_list_fn(struct shard *s, void *arg, int status, const struct account_row *v, size_t n);
int account_list(struct accounts *ac, struct shard *s, struct str after, uint32_t limit, account_list_fn *done, void *arg);

/* Was there ever an administrator? (store item owner "", kind "server", key "admin") */
int account_setup_needed(struct accounts *ac, struct shard *s, account_done_fn *done, void *arg); /* status 1 needed, 0 not */

#endif

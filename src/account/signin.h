/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an account can sign in with. All of it is one kind of items, so that a sign-in reads it at once and sees one moment:
 *   kind "scram"  key "SHA-256" …  keys of the password, account/record.h
 *                 key "app:ID"     an application password, account/apppass.h
 *                 key "totp"       the second factor, account/factor.h
 * All passwords of an account share salt and iterations for each hash (docs/decisions/0013), so that one SCRAM challenge serves all.
 * A hash for which the account has no keys, and an unknown account, get the stable false salt of scram_keys_fake. */
#ifndef ACCOUNT_SIGNIN_H
#define ACCOUNT_SIGNIN_H

#include "account/account.h"

enum {
	APP_PASSWORDS_MAX = 20, /* per account */
	APP_ID_MAX = 16,	/* bytes of an application password's id */
	SIGNIN_ALGS = 1 << HASH_SHA1 | 1 << HASH_SHA256 | 1 << HASH_SHA512,
};

/* For one hash. Wipe after use. */
struct signin {
	struct scram_keys keys; /* of the password; ones that nothing opens when !known */
	bool known;	     /* the account has keys of this hash */
	bool totp;	     /* a password alone is not enough */
	uint8_t algs;	     /* the hashes of the password, 1 << enum hash_alg; all of them for an unknown account */
	size_t apps_n;
	struct scram_other apps[APP_PASSWORDS_MAX];
	char ids[APP_PASSWORDS_MAX][APP_ID_MAX + 1];
};

/* status 0, whoever asks for whom; -EIO: in is NULL. in is valid during the call. */
typedef void signin_fn(struct shard *s, void *arg, int status, const struct signin *in);
int signin_look(struct accounts *ac, struct shard *s, struct str node, enum hash_alg alg, signin_fn *done, void *arg);

/* Hashes that an account was seen without since the start, 1 << enum hash_alg; 0 when that is all of them. Who does not say who it is is better
 * not offered these: a SCRAM exchange cannot fall back to another hash. */
uint8_t signin_lacking(const struct accounts *ac);

/* Checks a plain password against that of the account and its application passwords, in the pool. status 0 right: in says what
 * is known of the account, app is the id of the application password or ""; -EACCES wrong or unknown; -EIO. Keys that the account lacks for
 * some hash are stored on the way (an account that came from another server). */
typedef void signin_checked_fn(struct shard *s, void *arg, int status, const struct signin *in, const char *app);
int signin_check(struct accounts *ac, struct shard *s, struct str node, struct str password, signin_checked_fn *done, void *arg);

/* XEP-0480: adds keys for a hash that the password has none of. The salt must be that of signin_look. status 0; -EAGAIN: there are some
 * meanwhile, or the password was changed; -EIO … */
int signin_upgrade(struct accounts *ac, struct shard *s, struct str node, const struct scram_keys *keys, account_done_fn *done, void *arg);

/* Salt and iterations that new keys for a hash without keys get. */
void signin_salt(const struct accounts *ac, struct str node, enum hash_alg alg, struct scram_keys *out);

/* For files of account/: the items of kind "scram" of an account, and what they say for one hash. */
int signin_items(struct accounts *ac, struct shard *s, struct str node, store_items_fn *done, void *arg);
int signin_read(const struct accounts *ac, struct str node, enum hash_alg alg, const struct store_item *v, size_t n, struct signin *out); /* 0; -EIO */

#endif

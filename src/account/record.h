/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stored form of an account, and the making of its SCRAM keys in the pool. For files of account/ only.
 *   kind "account" key ""         JSON {"created": ms, "admin": bool}
 *   kind "scram"   key "SHA-256"  1 byte form, 4 bytes iterations (big endian), salt, StoredKey, ServerKey; the salt has 16 bytes in
 *                                 form 1, and its length stands before it in a byte in form 2
 * and for the whole host, owner accounts.scope ("" for the main domain):
 *   kind "user"    key node       the same JSON as "account": so that all accounts can be listed
 *   kind "server"  key "admin"    node of the first administrator */
#ifndef ACCOUNT_RECORD_H
#define ACCOUNT_RECORD_H

#include "account/account.h"

enum { RECORD_SCRAM_MAX = 1 + 4 + 1 + SCRAM_SALT_MAX + 2 * HASH_MAX, RECORD_ALGS = HASH_SHA512 + 1 };

/* Keys of one password for every algorithm. Wipe after use. */
struct account_keyset {
	struct scram_keys v[RECORD_ALGS];
};

/* "node@domain". */
struct str record_owner(struct arena *a, const struct accounts *ac, struct str node);
struct str record_alg(enum hash_alg alg); /* "SHA-256" */
struct str record_keys_encode(struct arena *a, const struct scram_keys *k);
int record_keys_decode(struct str value, enum hash_alg alg, struct scram_keys *out); /* 0; -EBADMSG */
struct str record_info_encode(struct arena *a, bool admin, uint64_t created_ms);
int record_info_decode(struct str value, bool *out_admin, uint64_t *out_created_ms); /* 0; -EBADMSG */

/* Adds to the batch: new keys, and no old token, application password, grant or client any more. */
void record_put_keys(struct store_batch *b, struct arena *a, struct str owner, const struct account_keyset *keys);
/* Adds to the batch all of a new account; the batch fails with -EEXIST when there is one. */
void record_put_new(struct store_batch *b, struct arena *a, const struct accounts *ac, const struct account_new *n,
	const struct account_keyset *keys);

/* Keys of a prepared password, derived in the pool. keys is valid during the call; when the server stops first, done is called
 * with s and keys NULL, to free what arg holds. Returns 0; -EBUSY, done is not called then. */
typedef void record_derived_fn(struct shard *s, void *arg, const struct account_keyset *keys);
int record_derive(struct accounts *ac, struct shard *s, struct str prepared, record_derived_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts that come from another server with their SCRAM keys, and what leaves for one (XEP-0227 1.1). */
#ifndef ACCOUNT_PORT_H
#define ACCOUNT_PORT_H

#include "account/account.h"

enum { PORT_ITERATIONS_MAX = 1000000 };

/* "SCRAM-SHA-256" → the algorithm. Returns 0; -ENOENT: a mechanism that is not known here. */
int port_mechanism(struct str name, enum hash_alg *out);
struct str port_mechanism_name(struct arena *a, enum hash_alg alg);
/* Adds to the batch: an account without a password; the batch fails with -EEXIST when there is one. */
void port_put_account(struct store_batch *b, struct arena *a, const struct accounts *ac, struct str node);
/* Adds to the batch: keys of one algorithm. */
void port_put_keys(struct store_batch *b, struct arena *a, const struct accounts *ac, struct str node, const struct scram_keys *keys);
/* Reads a stored "scram" item. Returns 0; -EBADMSG. */
int port_keys(struct str key, struct str value, struct scram_keys *out);
/* "node@domain". */
struct str port_owner(struct arena *a, const struct accounts *ac, struct str node);

#endif

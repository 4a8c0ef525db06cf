/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The one-time code that makes the first administrator from the web page. Random 128 bits, stored as a hash
 * (owner "", kind "server", key "setup"); each start makes a new one until there is an administrator. */
#ifndef ACCOUNT_SETUP_H
#define ACCOUNT_SETUP_H

#include "account/account.h"

enum { SETUP_CODE_BYTES = 16, SETUP_CODE_MAX = 32 /* characters with the NUL */ };

/* status 1: code (NUL-terminated, for the link only); 0: there is an administrator already, code is NULL. */
typedef void setup_code_fn(struct shard *s, void *arg, int status, const char *code);
int setup_code_new(struct accounts *ac, struct shard *s, setup_code_fn *done, void *arg);

struct setup {
	struct str code, name, password; /* as typed */
};
/* Makes the first administrator. status as account_create; -EPERM: wrong code; -EACCES: there is an administrator already. */
int setup_finish(struct accounts *ac, struct shard *s, const struct setup *in, account_done_fn *done, void *arg);

#endif

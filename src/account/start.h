/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a process must learn from the store before it serves accounts: the server's secret, its domain, whether an administrator exists.
 *   owner "" kind "server": "secret" 32 bytes; "domain" text; "domain_guess" text, when only the command line named one so far;
 *   "hosts" text, the further domains as of the last start */
#ifndef ACCOUNT_START_H
#define ACCOUNT_START_H

#include "account/host.h"
#include "account/setup.h"

enum { START_DOMAIN_MAX = 256 };

struct accounts_start {
	struct store *store;
	struct pool *pool;
	struct str domain;   /* normalised; empty: the one that the data belongs to, else localhost */
	bool serving;	     /* the domain becomes the data's own, and a set-up code is made */
	char domain_out[START_DOMAIN_MAX]; /* the domain to use: ac->domain points here */
	char hosts_out[HOSTS_TEXT_MAX];     /* further domains that the data knows, "b.example,c.example" */
	char code[SETUP_CODE_MAX];	    /* empty: there is an administrator, or not serving */
	struct shards shards; /* where the answers came to */
};

/* Fills ac. Blocks; runs the store's callbacks in a small shard of its own, so no other shard needs to run. st must outlive ac;
 * call accounts_start_fini, also after a failure, once the store is closed: its threads may still be waking that shard.
 * Accounts that were made before the domain was known move to it. Returns 0; -EEXIST the data belongs to another domain and has
 * accounts; -errno, with a sentence in err. */
int accounts_start(struct accounts *ac, struct accounts_start *st, char *err, size_t err_n);
void accounts_start_fini(struct accounts_start *st); /* takes a zeroed one */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts over a real store, pool and shard, for tests that wait for each answer. */
#ifndef ACCOUNT_KIT_H
#define ACCOUNT_KIT_H

#include <semaphore.h>

#include "account/apppass.h"
#include "account/client.h"
#include "account/factor.h"
#include "account/fast.h"
#include "account/invite.h"
#include "account/setup.h"
#include "account/start.h"

struct kit {
	struct store *store;
	struct pool *pool;
	struct shards shards;
	struct accounts accounts;
	struct accounts_start start;
	const char *dir;
	char err[600];
};

/* backend "sqlite" or "memory"; domain NULL: as the data says. Returns accounts_start's status; the kit is open when it is 0. */
int kit_open(struct kit *k, const char *backend, const char *dir, const char *domain, bool serving);
void kit_close(struct kit *k);

/* What a call answered. */
struct answer {
	int status;
	struct scram_keys keys;
	struct scram_other app; /* the first application password */
	bool admin, rotate;
	bool known, totp; /* struct signin */
	uint8_t algs;
	char text[256];  /* token, code, inviter */
	char id[80];
	uint8_t bytes[32];
	size_t n; /* rows */
	uint64_t at_ms;
	bool account;
	sem_t done;
};

/* A call in the shard: returns what the function under test returned. On 0 its callback, one of those below, must run. */
typedef int kit_fn(struct accounts *ac, struct shard *s, struct answer *out, void *arg);
/* Runs fn in the shard and waits for its callback; out->status is what it returned when that is not 0. */
void kit_call(struct kit *k, kit_fn *fn, void *arg, struct answer *out);

account_done_fn kit_on_done;
signin_fn kit_on_signin;	      /* n: application passwords */
signin_checked_fn kit_on_signin_checked; /* text: the application password's id */
apppass_made_fn kit_on_app_made; /* id; text: the password */
apppass_list_fn kit_on_apps;	  /* n; of the last: id, text: its name, at_ms: used */
factor_secret_fn kit_on_secret;	  /* id: the secret in base32; text: the URI */
factor_codes_fn kit_on_codes;	  /* n; text: the last code */
client_list_fn kit_on_clients;	  /* n; of the first: id: its key, text: its device, known: password, rotate: fast, at_ms */
account_info_fn kit_on_info;
account_list_fn kit_on_list;
fast_token_fn kit_on_token;
fast_checked_fn kit_on_checked;
invite_fn kit_on_invite;
setup_code_fn kit_on_code;
store_items_fn kit_on_items; /* text: the first value */

/* Often used. */
int kit_create(struct kit *k, const char *name, const char *password, bool admin);
int kit_check(struct kit *k, const char *name, const char *password);
/* The value of an item as text; "" when it is absent. */
const char *kit_item(struct kit *k, const char *owner, const char *kind, const char *key);

#endif

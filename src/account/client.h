/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The clients that signed in to an account (XEP-0494 0.1.0), as far as they said who they are (user-agent of XEP-0388).
 *   kind "client"  key hex(SHA-256(user-agent id))  JSON {"agent", "software", "device", "first": ms, "last": ms, "password": bool}
 * The same key as that of its FAST tokens. A new password forgets them all. Calls and results: as account.h. */
#ifndef ACCOUNT_CLIENT_H
#define ACCOUNT_CLIENT_H

#include "account/account.h"

enum {
	CLIENTS_MAX = 64,	       /* per account: the one that was away longest makes room */
	CLIENT_TEXT_MAX = 128,	       /* bytes of software and device that are kept */
	CLIENT_SEEN_EVERY_MS = 3600000, /* "last" is written at most so often */
};

struct client_seen {
	struct str node, agent;	      /* agent: the user-agent id */
	struct str software, device; /* may be empty: what is known stays */
	bool password;		      /* it showed the password, not a token */
};
/* It signed in now: noted, some time. */
void client_seen(struct accounts *ac, struct shard *s, const struct client_seen *c);

struct client_row {
	struct str key, agent, software, device;
	uint64_t first_ms, last_ms; /* wall clock */
	bool password, fast;	    /* what it has opened the account with; a token that lives */
};
/* Clients that were seen in the last keep_ms or have a token. Rows are valid during the call. */
typedef void client_list_fn(struct shard *s, void *arg, int status, const struct client_row *v, size_t n);
int client_list(struct accounts *ac, struct shard *s, struct str node, uint64_t keep_ms, client_list_fn *done, void *arg);
/* Forgets a client and its tokens. */
int client_forget(struct accounts *ac, struct shard *s, struct str node, struct str key, account_done_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A whole server inside the test: memory store, accounts, every feature, shards that the test turns by hand (or threads), and clients
 * on socket pairs that speak to the real streams as if they were encrypted. No port, no TLS, no file.
 * Needs no cmocka: the fuzz targets use it too. What cannot be is a must(). */
#ifndef HOUSE_H
#define HOUSE_H

#include "account/account.h"
#include "core/user.h"
#include "net/conn.h"

enum { HOUSE_CLIENTS_MAX = 80, HOUSE_WAIT_MS = 20000 /* a test that waits longer has failed */ };

#define HOUSE_DOMAIN "anser.test"

struct house_client {
	struct house *house;
	int fd;		/* ours; -1: the server closed, or we did */
	bool closed;	/* by the server */
	struct buf got; /* what came and was not yet expected */
};

struct house {
	struct shards shards;
	struct store *store;
	struct pool *pool;
	struct accounts accounts;
	struct hosts hosts;
	struct env env;
	struct config *config;
	bool threads;
	struct house_client clients[HOUSE_CLIENTS_MAX];
	int clients_n;
};

/* What the store does with requests from now on. One house at a time. */
enum house_store { STORE_WORKS = 0, WRITES_WAIT = 1, WRITES_FAIL = 2, READS_WAIT = 4, READS_FAIL = 8 };

/* threads: the shards run by themselves; else the test turns them, in order, by the calls below. Rate limits are off. */
void house_open(struct house *h, int shards, bool threads);
/* Ends as the server does; everything is freed. */
void house_close(struct house *h);
void house_store(int how); /* enum house_store */
/* Makes an account; its password is "secret". */
void house_account(struct house *h, const char *name);
void house_config(struct house *h, const char *option, const char *value);
/* By hand: until nothing is left to do but to wait for a timer, a client or a store that waits. */
void house_quiet(struct house *h);
/* By hand: lets the time of timers pass, then is quiet. */
void house_skip(struct house *h, uint64_t ms);
/* By hand: the calling thread plays the shard that owns this bare JID, for calls into core; house_quiet ends it. */
struct core *house_core(struct house *h, const char *bare);
/* By hand: one shard alone, once. */
void house_turn(struct house *h, int shard);
/* All sessions end as at the end of the server. */
void house_shutdown(struct house *h);
/* A name ("NAME0", "NAME1" ...) of an account whose home is this shard. */
const char *house_name_in(struct house *h, int shard, const char *name, char out[64]);
struct session *house_session(struct house *h, const char *bare, const char *resource);

/* ---- clients ---- */

/* A fresh connection in this shard. */
struct house_client *house_connect(struct house *h, int shard);
void client_send(struct house_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void client_bytes(struct house_client *c, const void *p, size_t n);
/* Waits until these bytes came; what came up to their end is taken. Returns it, NUL-terminated, until the next call; ends the test
 * with what came instead. */
const char *client_expect(struct house_client *c, const char *text);
/* By hand: quiet, then all that came since the last expectation; taken. Until the next call. */
const char *client_take(struct house_client *c);
/* Like take, but whether the server has closed. */
bool client_is_closed(struct house_client *c);
void client_close(struct house_client *c); /* the connection breaks */
/* Signs in with SASL (RFC 6120) and binds the resource. */
void client_sign_in(struct house_client *c, const char *name, const char *resource);
/* The same as one element of SASL2 without binding: extra stands inside <authenticate/>. */
void client_authenticate(struct house_client *c, const char *name, const char *extra);
/* Enables XEP-0198. Returns the token to resume with, in a static buffer. */
const char *client_enable_sm(struct house_client *c);
/* A ping to the server is answered. */
void client_ping(struct house_client *c);
/* Presence is sent and came back. */
void client_available(struct house_client *c);

#endif

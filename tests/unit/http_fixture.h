/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* For tests of HTTP: one shard with the server on it, accounts in a memory store, and a plain client. */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include "account/account.h"
#include "http/http_server.h"
#include "net_fixture.h"

struct web {
	struct net net;
	struct shard *shard;
	struct accounts accounts;
	struct http_config cfg;
	const char *dir;
};

struct reply {
	int status;
	struct str head, body; /* in the client's buffer, valid until the next request */
};

void web_init(struct web *w);
void web_fini(struct web *w);
void web_turn(struct web *w); /* waits a moment for other threads when nothing is to do */
void web_connect(struct web *w, struct peer *p);
/* Sends bytes, which may be a part of a request. */
void web_send(struct web *w, struct peer *p, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Waits for the next whole answer. head_only: it has no body whatever its length says. */
struct reply web_reply(struct web *w, struct peer *p, bool head_only);
/* One request on a connection of its own; the body stays valid until the next call. */
struct reply web_ask(struct web *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The value of a field; p NULL when absent. name with lower-case letters. */
struct str reply_field(const struct reply *r, const char *name);

#define assert_field(r, name, want) assert_str(reply_field((r), (name)), (want))

#endif

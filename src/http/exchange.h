/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One HTTP request and its answer, as the handlers of routes see it. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <jansson.h>

#include "http/http_server.h"

struct exchange;

/* HTTP in one shard. */
struct http {
	struct shard *shard;
	uint32_t holds; /* answers of pool and store on their way, and one for the time until http_stop */
	struct http_config own_cfg;
	const struct http_config *cfg; /* = &own_cfg */
	struct host main;	 /* of own_cfg */
	struct ids exchanges;	 /* those that are answered later */
	struct list conns;
	struct sweep *sweep; /* of the first shard; NULL elsewhere */
};

/* Around each request to the pool or the store: its answer may come after http_stop. */
void http_hold(struct http *h);
void http_drop(struct http *h);

/* Looks from time to time for files that no account owns any more (sweep.c). */
struct sweep *sweep_start(struct http *h);
void sweep_stop(struct sweep *w); /* takes NULL */

/* A body that is taken in pieces. on_body must copy what it keeps; exchange_stall makes the next piece wait. */
struct exchange_stream {
	void (*on_body)(struct exchange *x, struct str bytes);
	void (*on_end)(struct exchange *x);
	void (*on_gone)(void *state); /* the exchange is over, answered or not: release what still hangs on it */
};

typedef void route_fn(struct exchange *x);

enum route_body {
	BODY_NONE,   /* handle runs at the head; a body is refused */
	BODY_JSON,   /* handle runs when the whole body (application/json, HTTP_JSON_MAX) is in x->json; x->req is NULL then */
	BODY_STREAM, /* handle runs at the head and sets x->stream */
};

struct route {
	const char *path;
	bool prefix; /* everything below path; x->rest is what follows */
	unsigned methods; /* HTTP_M_* */
	enum route_body body;
	bool cors; /* any origin may ask; OPTIONS is answered */
	route_fn *handle;
};

struct exchange {
	struct http *http;
	struct conn *conn;
	const struct host *host; /* that the Host field names; the main one when it names none of ours */
	const struct route *route;
	enum http_method_bit method;
	const struct http_request *req; /* only while handle runs at the head */
	struct str rest;		 /* the same */
	json_t *json;
	const struct exchange_stream *stream;
	void *state;
};

/* The row for a path, or NULL. */
const struct route *route_find(struct str path, struct str *out_rest);

/* The answer. After one of these x is gone, unless the caller is a handler that the server called just now: do not touch it.
 * fields: ends with a NULL name, or NULL. The body is left out for HEAD, its length is not. type NULL: no body, no length. */
void exchange_reply(struct exchange *x, int status, const struct http_field *fields, const char *type, struct str body);
void exchange_json(struct exchange *x, int status, json_t *json); /* takes json */
/* {"error": word, "message": sentence}. */
void exchange_error(struct exchange *x, int status, const char *word, const char *sentence);
struct exchange_part {
	int fd;
	uint64_t offset, n;
};
/* A part of a file; takes its fd. */
void exchange_file(struct exchange *x, int status, const struct http_field *fields, const char *type, const struct exchange_part *part);

/* A handle for answers that come later: exchange_get gives NULL when the peer has gone meanwhile. */
id_t64 exchange_id(struct exchange *x);
struct exchange *exchange_get(struct http *h, id_t64 id);
/* The next piece of the body waits (and the peer, by TCP) until exchange_resume. x may be gone after exchange_resume. */
void exchange_stall(struct exchange *x);
void exchange_resume(struct exchange *x);
/* Allows a longer body than HTTP_LIMITS does; in handle only. */
void exchange_body_limit(struct exchange *x, uint64_t bytes);
/* Hands the connection over (WebSocket): x and its connection object are gone when the handler has returned. */
void exchange_detach(struct exchange *x);
struct str exchange_rest_input(struct exchange *x); /* bytes behind the request */

/* Handlers, one per row of routes.c. */
route_fn static_serve, host_meta_xml, host_meta_json, health_live, health_ready, health_metrics, websocket_upgrade, bosh_serve;
route_fn api_server, api_setup, api_invite, api_register, api_unknown, upload_serve;
route_fn oauth_metadata, oauth_register, oauth_authorize, oauth_token;

/* A bucket per address and kind of request (limiter.c). */
enum limit { LIMIT_SETUP, LIMIT_REGISTER, LIMIT_LOOK, LIMIT_UPLOAD, LIMITS };
/* Empties all buckets: the server starts. */
void limiter_reset(void);
/* Takes one from the bucket of the peer's address; false: it is empty (answer 429). Always true when limits are off. */
bool limiter_take(struct exchange *x, enum limit which);

#endif

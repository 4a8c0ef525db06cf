/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTP on our own connections: the web client, discovery, API, uploads; WebSocket streams are handed on to a hook.
 * RFC 9110, RFC 9112 (HTTP/1.1 only). Everything belongs to one shard. */
#ifndef HTTP_HTTP_SERVER_H
#define HTTP_HTTP_SERVER_H

#include "account/host.h"
#include "http/files.h"
#include "net/conn.h"
#include "proto/http/http.h"

enum {
	HTTP_HEAD_MS = 15000,	   /* from the first byte of a request, or the start of a connection, to the end of its head */
	HTTP_BODY_MS = 30000,	   /* for the body of an API request */
	HTTP_KEEP_ALIVE_MS = 75000, /* between requests */
	HTTP_TRANSFER_IDLE_MS = 60000, /* an upload or download that stands still */
	HTTP_JSON_MAX = 16 << 10,  /* body of an API request */
};

/* What wiring knows and HTTP needs. Copied; what it points to is borrowed until http_stop. */
struct http_config {
	struct accounts *accounts; /* of the main host, as domain and web_url */
	const struct hosts *hosts; /* all; NULL: the main one only */
	struct store *store;
	struct pool *pool;
	struct files *files; /* NULL: no uploads */
	struct str domain, name;
	struct str web_url; /* "https://host:8443" */
	bool registration_open, limits, metrics_public;
	bool hsts;		     /* Strict-Transport-Security: only with a certificate that browsers trust */
	uint64_t upload_max_bytes, upload_quota_bytes;
	/* Takes the connection over for RFC 7395 (sets a handler of its own, answers with 101): 0. Otherwise the status of the answer
	 * that http gives, as ws_accept returns it. early: bytes that came behind the request. */
	int (*on_websocket)(struct shard *s, struct conn *c, const struct http_request *req, struct str early);
	/* A request of BOSH: its body, and the handle for http_bosh_answer. NULL: not served. Returns what on_bosh_gone wants to know when
	 * the client goes without waiting for the answer, malloc'ed; or NULL. */
	char *(*on_bosh)(struct shard *s, id_t64 exchange, struct str peer, struct str body);
	void (*on_bosh_gone)(struct shard *s, id_t64 exchange, const char *handle);
	struct str addresses; /* of this server, for XEP-0487, with spaces between; empty: not told */
	int c2s_tls_port, s2s_tls_port; /* 0: none */
	struct str bosh_origins; /* that may use it from a page, with spaces between; "*": any */
	/* A new account whose inviter (bare JID) is to become a mutual contact; the new account's side is stored already. */
	void (*on_registered)(struct shard *s, struct str inviter, struct str jid);
	bool (*is_ready)(void); /* for /readyz; NULL: always */
};

/* In each shard's thread, before http_serve. */
void http_start(struct shard *s, const struct http_config *cfg);
void http_configure(struct shard *s, const struct http_config *cfg); /* after a reload; in the shard's thread */
/* Ends its connections (at once) and forgets everything; in the shard's thread, or when it has stopped. */
void http_stop(struct shard *s);
/* Answers a request that on_bosh got; nothing happens when its connection is gone. */
void http_bosh_answer(struct shard *s, id_t64 exchange, struct str type, struct str body);
/* Serves HTTP on a connection that speaks TLS already or is about to (ALPN http/1.1 or none). Takes it. Returns 0. */
int http_serve(struct shard *s, struct conn *c);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * One XMPP client (RFC 6120, XEP-0368, XEP-0198) on a non-blocking socket, and the fleet that owns
 * many of them around one epoll. Everything runs in one thread.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "opts.h"
#include "scram.h"
#include "stanza.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum client_state {
	CLIENT_IDLE,	   /* not connected */
	CLIENT_CONNECTING, /* TCP */
	CLIENT_OPENING,	   /* before STARTTLS */
	CLIENT_PROCEED,
	CLIENT_TLS,
	CLIENT_FEATURES, /* before SASL */
	CLIENT_CHALLENGE,
	CLIENT_SUCCESS,
	CLIENT_BOUND_FEATURES, /* after SASL */
	CLIENT_BINDING,
	CLIENT_SESSION, /* stream management, roster, presence */
	CLIENT_READY,
	CLIENT_CLOSING, /* </stream:stream> sent */
	CLIENT_CLOSED,	/* ended as asked */
	CLIENT_FAILED,	/* ended otherwise */
	CLIENT_STATES
};

struct fleet;

struct client {
	struct fleet *fleet;
	SSL *ssl;
	int fd;
	enum client_state state;
	int64_t number; /* the account is PREFIX<number> */
	int64_t started_ns, ready_ns;
	uint32_t sm_in, sm_out, sm_acked; /* stanzas, XEP-0198 */
	bool sm_on, quiet;		  /* quiet: does not send presence */
	bool far;			  /* an account of the second server */
	bool want_write;
	uint8_t missing; /* what the session still waits for */
	char *in, *out;	 /* unfinished stanza; bytes that the socket refused */
	size_t in_len, in_cap, out_len, out_cap;
	struct scram *scram; /* during login only */
	void *data;	     /* of the scene */
};

struct scene {
	void (*on_ready)(struct client *c);
	void (*on_stanza)(struct client *c, const struct stanza *st); /* once ready */
	void (*on_ack)(struct client *c);			      /* sm_acked has moved */
	void (*on_closed)(struct client *c);			      /* CLOSED or FAILED */
};

#define FLEET_SCRATCH 131072

struct fleet {
	const struct opts *o;
	const struct scene *scene;
	struct client *clients;
	int64_t n;
	int epoll_fd;
	SSL_CTX *tls;
	int64_t logging_in, ready, failed, closed; /* clients in these conditions */
	int64_t deadline_ns;			   /* of the whole run */
	void *data;				   /* of the scene */
	char *why;				   /* first failure, for the report */
	char scratch[FLEET_SCRATCH];
};

/* Makes n clients for the accounts from o->first on. Never fails (aborts without memory). */
struct fleet *fleet_new(const struct opts *o, const struct scene *scene, int64_t n);
void fleet_free(struct fleet *f);

/* Waits at most timeout_ns for events and handles them. Returns 0; -ETIME when the run is too old. */
int fleet_poll(struct fleet *f, int64_t timeout_ns);

/*
 * Logs clients [from, to) in, o->concurrency at a time, and waits until all are ready.
 * Returns 0; -EIO when one failed (said on stderr).
 */
int fleet_login(struct fleet *f, int64_t from, int64_t to);

/* Sends </stream:stream> on every ready session and waits for the ends. */
void fleet_logout(struct fleet *f);

/* The domain of the client's account. */
const char *client_domain(const struct client *c);

/* Starts connecting. */
void client_start(struct client *c);

/* Sends bytes that are no stanza (stream headers, SM elements). */
void client_send(struct client *c, const char *text, size_t len);

/* Formats one stanza, counts it and sends it as one TLS record. At most 64 kB. */
void client_stanza(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Asks for an acknowledgement. */
void client_ask(struct client *c);

/* Ends the session: </stream:stream>, then waits for the server. */
void client_close(struct client *c);

/* Drops the connection at once, without a word. */
void client_drop(struct client *c);

#endif

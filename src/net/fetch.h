/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HTTPS requests to others (push services, hooks), on libcurl in one thread of its own; answers come back by mail.
 * What to ask for is chosen by peers: only https, no redirect is followed, TLS is verified, and connections to loopback, private,
 * link-local and other addresses that are not of the public internet are refused behind name resolution, unless allowed. */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include <netinet/in.h>

#include "base/arena.h"
#include "loop/shard.h"

enum {
	FETCH_URL_MAX = 1000,	      /* bytes */
	FETCH_QUEUE_MAX = 10000,      /* requests that wait or run; beyond it fetch() says -EBUSY */
	FETCH_ACTIVE_MAX = 64,	      /* that run */
	FETCH_PER_HOST_MAX = 6,	      /* … to one host: a slow one does not hold up the others */
	FETCH_PER_OWNER_MAX = 4,      /* … for one owner: who names slow hosts holds up himself */
	FETCH_BODY_MAX = 1 << 20,     /* bytes sent */
	FETCH_ANSWER_MAX = 64 << 10,  /* bytes of an answer's body; more ends the transfer with -EMSGSIZE */
	FETCH_CONNECT_MS = 10000,
	FETCH_TOTAL_MS = 20000,
};

struct fetcher;

struct fetch_config {
	bool allow_private; /* any address may be reached */
	const char *ca_file; /* PEM of more authorities; empty: only the system's */
};

/* The thread begins with the first request. */
struct fetcher *fetcher_new(const struct fetch_config *cfg);
/* Ends it: what runs is answered with -ECANCELED. Takes NULL. Before the shards are freed. */
void fetcher_free(struct fetcher *f);

struct fetch_answer {
	int status;	      /* of HTTP; 0: none came */
	int error;	      /* 0; -EPERM an address that is not allowed; -ETIMEDOUT; -EMSGSIZE; -EPROTO TLS or HTTP; -EHOSTUNREACH; -ECANCELED */
	uint64_t retry_ms;    /* Retry-After; 0: not given */
	struct str body;
};

struct fetch_request {
	const char *method;
	struct str url;
	const char *const *headers; /* "Name: value", ends with NULL; NULL: none */
	struct str body;
	struct str owner; /* on whose behalf, for fairness; empty: nobody's */
	void (*done)(struct shard *s, void *arg, const struct fetch_answer *a);
	void (*drop)(void *arg); /* instead of done, when the shard has stopped; NULL: nothing to do */
	void *arg;
};

/* Asks; everything is copied. done runs once, in home. Returns 0; -EINVAL a URL that fetch_origin refuses; -EMSGSIZE; -EBUSY: too many wait, or the thread cannot be made. */
int fetch(struct fetcher *f, struct shard *home, const struct fetch_request *r);
/* The origin "https://host[:port]" (RFC 6454 §6.2) of a URL that may be asked for. Returns 0; -EINVAL: not https, with a user, too long;
 * -EPERM: a literal address that is not allowed. */
int fetch_origin(const struct fetcher *f, struct arena *a, struct str url, struct str *out);
/* Is it an address of the public internet (RFC 6890)? */
bool fetch_is_public(const struct sockaddr *sa);

#endif

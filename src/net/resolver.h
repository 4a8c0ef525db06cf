/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where another domain's server is: SRV of XMPP (RFC 6120 §3.2, XEP-0368 1.1.0) in the order of RFC 2782, addresses, and TLSA
 * (RFC 7673) where the resolver validates DNSSEC. On c-ares in the loop; one per shard. Answers are kept for their TTL, bounded. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <netinet/in.h>

#include "loop/shard.h"
#include "net/dns.h"

enum {
	RESOLVER_PLACES_MAX = 16,  /* addresses tried for one domain */
	RESOLVER_TARGETS_MAX = 8,  /* hosts of SRV records looked up */
	RESOLVER_TLSA_MAX = 8,
	RESOLVER_CACHE_MAX = 4096, /* answers kept */
	RESOLVER_TTL_MIN_S = 5,
	RESOLVER_TTL_MAX_S = 3600,
	RESOLVER_NEGATIVE_S = 10, /* how long "there is none" is believed */
	XMPP_SERVER_PORT = 5269,
};

struct resolver_tlsa {
	uint8_t usage, selector, matching;
	uint16_t n;
	uint8_t *data; /* own */
};

struct resolver_place {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	char host[DNS_NAME_MAX]; /* the SRV target: base of the TLSA names */
	bool direct_tls;
	uint8_t tlsa_n;
	struct resolver_tlsa tlsa[RESOLVER_TLSA_MAX];
};

struct resolver_found {
	size_t n;
	struct resolver_place v[RESOLVER_PLACES_MAX]; /* in the order to be tried */
};
void resolver_found_free(struct resolver_found *f); /* takes NULL */

struct resolver;
/* servers: "ADDRESS[:PORT],…"; empty: the system's (/etc/resolv.conf). validates: its AD bit is believed. Returns 0; -errno. */
int resolver_new(struct shard *s, const char *servers, bool validates, struct resolver **out);
void resolver_free(struct resolver *r); /* takes NULL; who waits is not told */

/* status: 0 and found, which fn takes over; -ENOENT the domain has no XMPP server; -EAGAIN the DNS did not say. Never within the call. */
typedef void resolver_fn(void *arg, int status, struct resolver_found *found);
struct lookup;
struct lookup *resolver_find(struct resolver *r, const char *domain, resolver_fn *fn, void *arg);
void resolver_cancel(struct lookup *l); /* fn is not called any more; takes NULL */

#endif

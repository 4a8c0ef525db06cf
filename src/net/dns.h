/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages of the DNS (RFC 1035), as far as finding other servers needs them: one question out, resource records in.
 * Pure: no socket. Types: RFC 1035 (A), 3596 (AAAA), 2782 (SRV), 6698 (TLSA). */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/buf.h"

enum { DNS_NAME_MAX = 256, DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52, DNS_RECORDS_MAX = 64 };

struct dns_record {
	uint32_t ttl_s;
	uint16_t n; /* bytes of data */
	const uint8_t *data;
};

/* The answer section's records of one type; they borrow the message. */
struct dns_answer {
	bool validated; /* the resolver says so: AD (RFC 4035 §3.2.3) */
	size_t n;
	struct dns_record v[DNS_RECORDS_MAX]; /* more are left out */
	struct str message;
};

/* Reads an answer. Returns 0 with at least one record; -ENOENT the name or the type does not exist; -EAGAIN the server failed;
 * -EBADMSG no DNS answer. */
int dns_read(struct str message, uint16_t type, struct dns_answer *out);
struct dns_srv {
	uint16_t priority, weight, port;
	char host[DNS_NAME_MAX]; /* "" is the root: the service is not there (RFC 2782) */
};
/* 0; -EBADMSG. */
int dns_srv(const struct dns_answer *a, size_t i, struct dns_srv *out);
/* Orders records as RFC 2782 says; random: n numbers. */
void dns_srv_order(struct dns_srv *v, void **tags, size_t n, const uint32_t *random);
/* A domain as the DNS knows it (RFC 5890 A-labels). Returns 0; -EINVAL when it cannot be one. */
int dns_ascii(const char *domain, char out[DNS_NAME_MAX]);

#endif

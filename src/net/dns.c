/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading DNS messages. Names are expanded by c-ares, which knows circles of compression. */
#include "net/dns.h"

#include <ares.h>
#include <errno.h>
#include <idna.h>
#include <stdlib.h>

enum { HEADER = 12, RCODE_MASK = 15, RCODE_NXDOMAIN = 3, FLAG_QR = 0x80, FLAG_AD = 0x20, SRV_FIXED = 6, CLASS_IN = 1 };

static uint16_t u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Behind the name at *at. Returns 0; -EBADMSG. */
static int skip_name(struct str m, size_t *at)
{
	char *name;
	long n;

	if (*at >= m.n || ares_expand_name((const uint8_t *)m.p + *at, (const uint8_t *)m.p, (int)m.n, &name, &n) != ARES_SUCCESS)
		return -EBADMSG;
	ares_free_string(name);
	*at += (size_t)n;
	return 0;
}

static int read_records(struct str m, size_t at, unsigned count, uint16_t type, struct dns_answer *out)
{
	for (; count; count--) {
		const uint8_t *p;
		uint16_t n;

		if (skip_name(m, &at) || at + 10 > m.n)
			return -EBADMSG;
		p = (const uint8_t *)m.p + at;
		n = u16(p + 8);
		at += 10;
		if (at + n > m.n)
			return -EBADMSG;
		if (u16(p) == type && u16(p + 2) == CLASS_IN && out->n < DNS_RECORDS_MAX)
			out->v[out->n++] = (struct dns_record){ .ttl_s = (uint32_t)u16(p + 4) << 16 | u16(p + 6), .n = n, .data = p + 10 };
		at += n;
	}
	return 0;
}

int dns_read(struct str m, uint16_t type, struct dns_answer *out)
{
	const uint8_t *p = (const uint8_t *)m.p;
	size_t at = HEADER;

	*out = (struct dns_answer){ .message = m };
	if (m.n < HEADER || m.n > UINT16_MAX || !(p[2] & FLAG_QR))
		return -EBADMSG;
	if ((p[3] & RCODE_MASK) == RCODE_NXDOMAIN)
		return -ENOENT;
	if (p[3] & RCODE_MASK)
		return -EAGAIN;
	out->validated = p[3] & FLAG_AD;
	for (unsigned i = u16(p + 4); i; i--) {
		if (skip_name(m, &at) || at + 4 > m.n)
			return -EBADMSG;
		at += 4;
	}
	if (read_records(m, at, u16(p + 6), type, out))
		return -EBADMSG;
	return out->n ? 0 : -ENOENT;
}

int dns_srv(const struct dns_answer *a, size_t i, struct dns_srv *out)
{
	const struct dns_record *r = &a->v[i];
	char *name;
	long n;

	if (r->n <= SRV_FIXED || ares_expand_name(r->data + SRV_FIXED, (const uint8_t *)a->message.p, (int)a->message.n, &name, &n) != ARES_SUCCESS)
		return -EBADMSG;
	*out = (struct dns_srv){ .priority = u16(r->data), .weight = u16(r->data + 2), .port = u16(r->data + 4) };
	if (strlen(name) >= sizeof(out->host)) {
		ares_free_string(name);
		return -EBADMSG;
	}
	memcpy(out->host, name, strlen(name) + 1);
	ares_free_string(name);
	return 0;
}

static void swap(struct dns_srv *v, void **tags, size_t a, size_t b)
{
	struct dns_srv srv = v[a];
	void *tag = tags[a];

	v[a] = v[b];
	v[b] = srv;
	tags[a] = tags[b];
	tags[b] = tag;
}

/* Of v[from..] with the lowest priority, one by weight. */
static size_t choose(const struct dns_srv *v, size_t from, size_t n, uint32_t random)
{
	uint16_t lowest = UINT16_MAX;
	uint64_t sum = 0, at, seen = 0;
	size_t last = from;

	for (size_t i = from; i < n; i++)
		if (v[i].priority < lowest)
			lowest = v[i].priority;
	for (size_t i = from; i < n; i++)
		sum += v[i].priority == lowest ? v[i].weight : 0;
	at = random % (sum + 1);
	for (size_t i = from; i < n; i++) {
		if (v[i].priority != lowest)
			continue;
		last = i;
		seen += v[i].weight;
		if (seen >= at)
			break;
	}
	return last;
}

void dns_srv_order(struct dns_srv *v, void **tags, size_t n, const uint32_t *random)
{
	for (size_t i = 0; i < n; i++)
		swap(v, tags, i, choose(v, i, n, random[i]));
}

int dns_ascii(const char *domain, char out[DNS_NAME_MAX])
{
	char *ascii = NULL;
	int rc = idna_to_ascii_8z(domain, &ascii, 0);

	if (rc != IDNA_SUCCESS || !ascii[0] || strlen(ascii) >= DNS_NAME_MAX) {
		free(ascii);
		return -EINVAL;
	}
	memcpy(out, ascii, strlen(ascii) + 1);
	free(ascii);
	return 0;
}

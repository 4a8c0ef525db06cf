/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which addresses are of the public internet: not those of RFC 6890 and its registries, nor what carries one of them inside. */
#include <arpa/inet.h>

#include "net/fetch.h"

static const struct {
	uint32_t net;
	uint8_t bits;
} special4[] = {
	{ 0x00000000, 8 },  /* this network */
	{ 0x0a000000, 8 },  /* private */
	{ 0x64400000, 10 }, /* shared, RFC 6598 */
	{ 0x7f000000, 8 },  /* loopback */
	{ 0xa9fe0000, 16 }, /* link-local: metadata services */
	{ 0xac100000, 12 }, /* private */
	{ 0xc0000000, 24 }, /* IETF */
	{ 0xc0000200, 24 }, /* documentation */
	{ 0xc0586300, 24 }, /* 6to4 relays */
	{ 0xc0a80000, 16 }, /* private */
	{ 0xc6120000, 15 }, /* benchmarks */
	{ 0xc6336400, 24 }, /* documentation */
	{ 0xcb007100, 24 }, /* documentation */
	{ 0xe0000000, 4 },  /* multicast */
	{ 0xf0000000, 4 },  /* reserved, broadcast */
};

static const struct {
	uint8_t net[6];
	uint8_t bits;
} special6[] = {
	{ { 0x20, 0x01, 0x00 }, 23 },	    /* IETF, Teredo, ORCHID */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
	{ { 0x20, 0x02 }, 16 },		    /* 6to4: any IPv4 address inside */
	{ { 0x3f, 0xff, 0x00 }, 20 },	    /* documentation */
};

static bool is_public4(uint32_t host_order)
{
	for (size_t i = 0; i < ARRAY_LEN(special4); i++)
		if ((host_order ^ special4[i].net) >> (32 - special4[i].bits) == 0)
			return false;
	return true;
}

static bool in_net6(const uint8_t *a, const uint8_t *net, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	return memcmp(a, net, bytes) == 0 && (!rest || ((a[bytes] ^ net[bytes]) >> (8 - rest)) == 0);
}

static bool is_public6(const uint8_t *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
		return is_public4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15]);
	if ((a[0] & 0xe0) != 0x20) /* global unicast is 2000::/3 */
		return false;
	for (size_t i = 0; i < ARRAY_LEN(special6); i++)
		if (in_net6(a, special6[i].net, special6[i].bits))
			return false;
	return true;
}

bool fetch_is_public(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return is_public4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6)
		return is_public6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
	return false;
}

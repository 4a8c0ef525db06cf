/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 4648 base64, base64url without padding, base32 without padding, hex. */
#include "base/base64.h"

#include <errno.h>

static const char alphabet_plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct str encode(struct arena *a, struct str in, const char *alphabet, bool pad)
{
	const unsigned char *p = (const unsigned char *)in.p;
	char *out = arena_alloc(a, (in.n + 2) / 3 * 4 + 1);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			(left > 2 ? p[i + 2] : 0u);

		for (size_t k = 0; k < 4; k++)
			if (k <= left)
				out[n++] = alphabet[v >> (18 - 6 * k) & 63];
			else if (pad)
				out[n++] = '=';
	}
	out[n] = 0;
	return (struct str){ out, n };
}

/* 0-63, or -1. c62 and c63 are the two characters in which the alphabets differ. */
static int value_of(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == c62)
		return 62;
	return c == c63 ? 63 : -1;
}

/* Decodes unpadded text. The unused bits of the last character must be zero (RFC 4648 §3.5). */
static int decode(struct arena *a, struct str in, const char *c62_63, struct str *out)
{
	unsigned char *p;
	uint32_t bits = 0;
	size_t n = 0, have = 0;

	if (in.n % 4 == 1)
		return -EBADMSG;
	p = arena_alloc(a, in.n / 4 * 3 + 3);
	for (size_t i = 0; i < in.n; i++) {
		int v = value_of(in.p[i], c62_63[0], c62_63[1]);

		if (v < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			p[n++] = (unsigned char)(bits >> have);
		}
	}
	if (bits & ((1u << have) - 1))
		return -EBADMSG;
	p[n] = 0;
	*out = (struct str){ (char *)p, n };
	return 0;
}

struct str base64_encode(struct arena *a, struct str in)
{
	return encode(a, in, alphabet_plain, true);
}

int base64_decode(struct arena *a, struct str in, struct str *out)
{
	if (in.n % 4)
		return -EBADMSG;
	for (int i = 0; i < 2 && in.n && in.p[in.n - 1] == '='; i++)
		in.n--;
	return decode(a, in, "+/", out);
}

struct str base64url_encode(struct arena *a, struct str in)
{
	return encode(a, in, alphabet_url, false);
}

int base64url_decode(struct arena *a, struct str in, struct str *out)
{
	return decode(a, in, "-_", out);
}

struct str base32_encode(struct arena *a, struct str in)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	const unsigned char *p = (const unsigned char *)in.p;
	char *out = arena_alloc(a, (in.n * 8 + 4) / 5 + 1);
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (size_t i = 0; i < in.n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 5; have -= 5)
			out[n++] = alphabet[bits >> (have - 5) & 31];
	}
	if (have)
		out[n++] = alphabet[bits << (5 - have) & 31];
	out[n] = 0;
	return (struct str){ out, n };
}

struct str hex_encode(struct arena *a, struct str in)
{
	char *out = arena_alloc(a, in.n * 2 + 1);

	for (size_t i = 0; i < in.n; i++) {
		out[2 * i] = "0123456789abcdef"[(unsigned char)in.p[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[in.p[i] & 15];
	}
	out[in.n * 2] = 0;
	return (struct str){ out, in.n * 2 };
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(struct arena *a, struct str in, struct str *out)
{
	char *p;

	if (in.n % 2)
		return -EBADMSG;
	p = arena_alloc(a, in.n / 2 + 1);
	for (size_t i = 0; i < in.n; i += 2) {
		int high = hex_value(in.p[i]), low = hex_value(in.p[i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		p[i / 2] = (char)(high << 4 | low);
	}
	p[in.n / 2] = 0;
	*out = (struct str){ p, in.n / 2 };
	return 0;
}

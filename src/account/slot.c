/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Upload slots (XEP-0363 1.1): a signed, dated URL path. A token is base64url of
 *   HMAC-SHA-256 (32 bytes) | size (8, big endian) | expires ms (8, big endian) | owner | 0 | type
 * with the HMAC over "slot" 0 id 0 name 0 and what follows it in the token. */
#include "account/slot.h"

#include <errno.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "crypto/random.h"

enum { MAC_BYTES = 32, ID_BYTES = 24, TOKEN_MAX = 4096, FIXED = 16 };

#define MINUTE_MS 60000ull

static void put_u64(struct buf *b, uint64_t v)
{
	for (int shift = 56; shift >= 0; shift -= 8)
		buf_putc(b, (char)(v >> shift));
}

static uint64_t get_u64(const char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static void sign(const struct accounts *ac, struct str id, struct str name, struct str claims, uint8_t out[MAC_BYTES])
{
	struct str key = { (const char *)ac->secret, sizeof(ac->secret) };
	struct buf text = { 0 };

	buf_put(&text, "slot", 5);
	buf_str(&text, id);
	buf_putc(&text, 0);
	buf_str(&text, name);
	buf_putc(&text, 0);
	buf_str(&text, claims);
	hmac(HASH_SHA256, key, buf_view(&text), out);
	buf_free(&text);
}

void slot_make(struct accounts *ac, struct arena *a, struct slot *io, struct str *out_token)
{
	struct buf claims = { 0 }, token = { 0 };
	uint8_t mac[MAC_BYTES];

	must(io->name.n <= SLOT_NAME_MAX && !memchr(io->name.p ? io->name.p : "", 0, io->name.n));
	must(io->owner.n + io->type.n <= TOKEN_MAX / 2);
	io->id = random_token(a, ID_BYTES);
	io->expires_ms = clock_wall_ms() + SLOT_MINUTES * MINUTE_MS;
	put_u64(&claims, io->size);
	put_u64(&claims, io->expires_ms);
	buf_str(&claims, io->owner);
	buf_putc(&claims, 0);
	buf_str(&claims, io->type);
	sign(ac, io->id, io->name, buf_view(&claims), mac);
	buf_put(&token, mac, sizeof(mac));
	buf_str(&token, buf_view(&claims));
	*out_token = base64url_encode(a, buf_view(&token));
	buf_free(&token);
	buf_free(&claims);
}

/* One parameter over the limit: a struct for one call would hide what it takes. NOLINTNEXTLINE(readability-function-size) */
int slot_check(struct accounts *ac, struct arena *a, struct str token, struct str id, struct str name, uint64_t now_wall_ms, struct slot *out)
{
	struct str bytes, claims, owner, type;
	uint8_t want[MAC_BYTES];

	if (token.n > TOKEN_MAX || name.n > SLOT_NAME_MAX || base64url_decode(a, token, &bytes) || bytes.n < MAC_BYTES + FIXED + 1)
		return -EACCES;
	claims = (struct str){ bytes.p + MAC_BYTES, bytes.n - MAC_BYTES };
	sign(ac, id, name, claims, want);
	if (!equal_ct((struct str){ bytes.p, MAC_BYTES }, (struct str){ (const char *)want, sizeof(want) }))
		return -EACCES;
	if (get_u64(claims.p + 8) <= now_wall_ms)
		return -ETIME;
	owner = str_cut((struct str){ claims.p + FIXED, claims.n - FIXED }, 0, &type);
	*out = (struct slot){ .id = arena_str(a, id), .name = arena_str(a, name), .owner = owner, .type = type,
		.size = get_u64(claims.p), .expires_ms = get_u64(claims.p + 8) };
	return 0;
}

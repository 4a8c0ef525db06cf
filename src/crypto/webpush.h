/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an application server needs of Web Push: message encryption (RFC 8291 in the coding aes128gcm of RFC 8188, one record) and
 * the signed token that names the sender (RFC 8292). Keys are P-256: private 32 bytes, public 65 bytes uncompressed. Any thread. */
#ifndef CRYPTO_WEBPUSH_H
#define CRYPTO_WEBPUSH_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	P256_PRIVATE = 32,
	P256_PUBLIC = 65,
	WEBPUSH_AUTH = 16,
	WEBPUSH_SALT = 16,
	WEBPUSH_RECORD = 4096,
	WEBPUSH_PLAIN_MAX = 3992, /* bytes: the whole body stays within the 4096 that push services take (RFC 8030 §7.2) */
};

struct p256_key {
	uint8_t private[P256_PRIVATE], public[P256_PUBLIC];
};

void p256_new(struct p256_key *out);
/* Fills the public part from the private one. Returns 0; -EINVAL: no such key. */
int p256_derive(struct p256_key *key);
/* Is it a point of the curve (RFC 8291 §7)? */
bool p256_is_public(struct str key);

/* Who can read it. */
struct webpush_reader {
	uint8_t public[P256_PUBLIC], auth[WEBPUSH_AUTH];
};

/* Appends the encrypted body to out; the plain text is padded with zeros to a multiple of pad (0: not at all).
 * Returns 0; -EMSGSIZE; -EINVAL the reader's key is none. */
int webpush_encrypt(const struct webpush_reader *to, struct str plain, size_t pad, struct buf *out);
/* The same with a given sender's key and salt: for tests with the RFC's numbers. */
int webpush_encrypt_as(const struct p256_key *sender, const uint8_t salt[WEBPUSH_SALT], const struct webpush_reader *to,
	struct str plain, size_t pad, struct buf *out);

/* The value of Authorization (RFC 8292 §3) for a push service's origin. expires_s: Unix time, at most 24 h ahead;
 * contact: "mailto:…" or "https:…", a URI without quotes. */
struct str vapid_authorization(struct arena *a, const struct p256_key *key, struct str origin, uint64_t expires_s, struct str contact);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hashes, HMAC (RFC 2104) and PBKDF2 (RFC 8018 §5.2). Any thread. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/str.h"

enum hash_alg { HASH_SHA1, HASH_SHA256, HASH_SHA512 };
enum { HASH_MAX = 64 }; /* bytes of the longest digest */

size_t hash_size(enum hash_alg alg); /* bytes of a digest */
/* Each writes hash_size(alg) bytes to out. */
void hash(enum hash_alg alg, struct str in, uint8_t *out);
void hmac(enum hash_alg alg, struct str key, struct str in, uint8_t *out);
/* Slow on purpose (milliseconds): call it in the pool. */
void pbkdf2(enum hash_alg alg, struct str password, struct str salt, uint32_t iterations, uint8_t *out);

/* A hash of bytes that come in pieces: files, tables. */
struct hash_stream;
struct hash_stream *hash_stream_new(enum hash_alg alg);
void hash_stream_put(struct hash_stream *s, struct str in);
void hash_stream_end(struct hash_stream *s, uint8_t *out); /* also frees s */
void hash_stream_free(struct hash_stream *s);		   /* gives up early; takes NULL */

#endif

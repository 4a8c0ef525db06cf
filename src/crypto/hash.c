/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hashes, HMAC, PBKDF2 on OpenSSL. */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/must.h"

static const struct {
	const EVP_MD *(*md)(void);
	size_t size;
} algs[] = {
	[HASH_SHA1] = { EVP_sha1, 20 },
	[HASH_SHA256] = { EVP_sha256, 32 },
	[HASH_SHA512] = { EVP_sha512, 64 },
};

size_t hash_size(enum hash_alg alg)
{
	must((size_t)alg < ARRAY_LEN(algs));
	return algs[alg].size;
}

static const EVP_MD *md_of(enum hash_alg alg)
{
	must((size_t)alg < ARRAY_LEN(algs));
	return algs[alg].md();
}

/* OpenSSL takes NULL for "use the last key" in some calls: an empty key needs an address. */
static const char *bytes_of(struct str s)
{
	return s.p ? s.p : "";
}

void hash(enum hash_alg alg, struct str in, uint8_t *out)
{
	must(EVP_Digest(bytes_of(in), in.n, out, NULL, md_of(alg), NULL) == 1);
}

void hmac(enum hash_alg alg, struct str key, struct str in, uint8_t *out)
{
	must(key.n <= INT32_MAX);
	must(HMAC(md_of(alg), bytes_of(key), (int)key.n, (const uint8_t *)bytes_of(in), in.n, out, NULL));
}

void pbkdf2(enum hash_alg alg, struct str password, struct str salt, uint32_t iterations, uint8_t *out)
{
	must(password.n <= INT32_MAX && salt.n <= INT32_MAX && iterations && iterations <= INT32_MAX);
	must(PKCS5_PBKDF2_HMAC(bytes_of(password), (int)password.n, (const uint8_t *)bytes_of(salt),
		     (int)salt.n, (int)iterations, md_of(alg), (int)hash_size(alg), out) == 1);
}

/* A stream is OpenSSL's context itself: the type is never completed. */
struct hash_stream *hash_stream_new(enum hash_alg alg)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx && EVP_DigestInit_ex(ctx, md_of(alg), NULL) == 1);
	return (struct hash_stream *)ctx;
}

void hash_stream_put(struct hash_stream *s, struct str in)
{
	must(EVP_DigestUpdate((EVP_MD_CTX *)s, bytes_of(in), in.n) == 1);
}

void hash_stream_end(struct hash_stream *s, uint8_t *out)
{
	must(EVP_DigestFinal_ex((EVP_MD_CTX *)s, out, NULL) == 1);
	hash_stream_free(s);
}

void hash_stream_free(struct hash_stream *s)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)s);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * SCRAM client. Real clients keep the derived key, so the generator does too: a small table by
 * salt and iteration count. The server's signature is not verified; the servers are ours.
 */
#include "scram.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SLOTS 65536 /* power of two */
#define SALT_MAX 64

struct key {
	unsigned char salt[SALT_MAX];
	int salt_len, iterations;
	bool sha256;
	unsigned char client_key[32], stored_key[32];
};

static struct key *cache; /* the only global of the generator: derived keys */

void scram_first(struct scram *s, bool sha256, const char *user, char *out)
{
	unsigned char random[12];
	char text[200];

	s->sha256 = sha256;
	RAND_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(s->nonce + 2 * i, 3, "%02x", random[i]);
	snprintf(s->first_bare, sizeof(s->first_bare), "n=%s,r=%s", user, s->nonce);
	int n = snprintf(text, sizeof(text), "n,,%s", s->first_bare);

	EVP_EncodeBlock((unsigned char *)out, (unsigned char *)text, n);
}

static int decode(const char *in, size_t len, unsigned char *out, size_t max)
{
	if (len == 0 || len % 4 != 0 || len / 4 * 3 > max)
		return -EBADMSG;
	int n = EVP_DecodeBlock(out, (const unsigned char *)in, (int)len);

	for (size_t i = len; n > 0 && in[--i] == '=';)
		n--;
	return n > 0 ? n : -EBADMSG;
}

static void mac(const EVP_MD *md, const unsigned char *key, const char *text, unsigned char *out)
{
	HMAC(md, key, EVP_MD_get_size(md), (const unsigned char *)text, strlen(text), out, NULL);
}

static void derive(struct key *k, const char *password)
{
	const EVP_MD *md = k->sha256 ? EVP_sha256() : EVP_sha1();
	unsigned char salted[32];

	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), k->salt, k->salt_len, k->iterations, md,
			  EVP_MD_get_size(md), salted);
	mac(md, salted, "Client Key", k->client_key);
	EVP_Digest(k->client_key, (size_t)EVP_MD_get_size(md), k->stored_key, NULL, md, NULL);
}

static const struct key *lookup(const struct key *want, const char *password)
{
	size_t h = want->sha256;

	if (!cache)
		cache = calloc(CACHE_SLOTS, sizeof(*cache));
	if (!cache)
		abort();
	for (int i = 0; i < want->salt_len; i++)
		h = h * 131 + want->salt[i];
	struct key *k = &cache[h & (CACHE_SLOTS - 1)];

	if (k->salt_len != want->salt_len || k->iterations != want->iterations ||
	    k->sha256 != want->sha256 || memcmp(k->salt, want->salt, (size_t)k->salt_len) != 0) {
		*k = *want;
		derive(k, password);
	}
	return k;
}

int scram_final(struct scram *s, const char *password, const char *challenge, size_t len, char *out)
{
	char first[SCRAM_TEXT], bare[200], auth[SCRAM_TEXT + 400], proof64[64], nonce[128], salt64[100];
	unsigned char signature[32], proof[32];
	struct key want = { .sha256 = s->sha256 };
	int n = decode(challenge, len, (unsigned char *)first, sizeof(first) - 1);

	if (n < 0)
		return n;
	first[n] = '\0';
	if (sscanf(first, "r=%127[^,],s=%99[^,],i=%d", nonce, salt64, &want.iterations) != 3)
		return -EBADMSG;
	want.salt_len = decode(salt64, strlen(salt64), want.salt, sizeof(want.salt));
	if (want.salt_len < 0 || strncmp(nonce, s->nonce, strlen(s->nonce)) != 0)
		return -EBADMSG;
	const struct key *k = lookup(&want, password);
	const EVP_MD *md = s->sha256 ? EVP_sha256() : EVP_sha1();
	int size = EVP_MD_get_size(md);

	snprintf(bare, sizeof(bare), "c=biws,r=%s", nonce);
	snprintf(auth, sizeof(auth), "%s,%s,%s", s->first_bare, first, bare);
	mac(md, k->stored_key, auth, signature);
	for (int i = 0; i < size; i++)
		proof[i] = k->client_key[i] ^ signature[i];
	EVP_EncodeBlock((unsigned char *)proof64, proof, size);
	n = snprintf(auth, sizeof(auth), "%s,p=%s", bare, proof64);
	EVP_EncodeBlock((unsigned char *)out, (unsigned char *)auth, n);
	return 0;
}

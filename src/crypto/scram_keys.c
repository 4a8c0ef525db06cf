/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What SCRAM stores of a password and how a proof is checked against it, RFC 5802 §3. */
#include "base/must.h"
#include "crypto/random.h"
#include "crypto/scram.h"

static struct str bytes(const uint8_t *p, size_t n)
{
	return (struct str){ (const char *)p, n };
}

/* alg, iterations and salt are set: makes the rest. */
static void from_salted(struct scram_keys *k, const uint8_t *salted)
{
	uint8_t client_key[HASH_MAX];
	size_t n = hash_size(k->alg);

	hmac(k->alg, bytes(salted, n), STR("Client Key"), client_key);
	hash(k->alg, bytes(client_key, n), k->stored_key);
	hmac(k->alg, bytes(salted, n), STR("Server Key"), k->server_key);
	wipe(client_key, sizeof(client_key));
}

void scram_keys_of_salted(enum hash_alg alg, uint32_t iterations, const uint8_t *salt, const uint8_t *salted, struct scram_keys *out)
{
	struct scram_keys k = { .alg = alg, .iterations = iterations };

	memcpy(k.salt, salt, SCRAM_SALT_BYTES); /* which may lie in *out */
	from_salted(&k, salted);
	*out = k;
	wipe(&k, sizeof(k));
}

void scram_keys_derive_like(const struct scram_keys *like, struct str password, struct scram_keys *out)
{
	struct scram_keys k = { .alg = like->alg, .iterations = like->iterations, .salt_n = like->salt_n };
	uint8_t salted[HASH_MAX];

	memcpy(k.salt, like->salt, sizeof(k.salt));
	pbkdf2(k.alg, password, scram_salt(&k), k.iterations, salted);
	from_salted(&k, salted);
	*out = k;
	wipe(salted, sizeof(salted));
	wipe(&k, sizeof(k));
}

void scram_keys_derive_with(enum hash_alg alg, uint32_t iterations, struct str password, const uint8_t *salt, struct scram_keys *out)
{
	struct scram_keys like = { .alg = alg, .iterations = iterations };

	memcpy(like.salt, salt, SCRAM_SALT_BYTES);
	scram_keys_derive_like(&like, password, out);
}

void scram_keys_derive(enum hash_alg alg, uint32_t iterations, struct str password, struct scram_keys *out)
{
	uint8_t salt[SCRAM_SALT_BYTES];

	random_bytes(salt, sizeof(salt));
	scram_keys_derive_with(alg, iterations, password, salt, out);
}

void scram_keys_fake(enum hash_alg alg, uint32_t iterations, struct str secret, struct str username, struct scram_keys *out)
{
	uint8_t seed[HASH_MAX], part[HASH_MAX];
	size_t n = hash_size(alg);

	*out = (struct scram_keys){ .alg = alg, .iterations = iterations };
	/* Real users have another salt for each algorithm, and so must these. */
	hmac(alg, secret, username, seed);
	hmac(alg, bytes(seed, n), STR("salt"), part);
	memcpy(out->salt, part, SCRAM_SALT_BYTES);
	hmac(alg, bytes(seed, n), STR("stored key"), out->stored_key);
	hmac(alg, bytes(seed, n), STR("server key"), out->server_key);
}

bool scram_keys_match(const struct scram_keys *k, struct str password)
{
	struct scram_keys tried;
	bool same;

	scram_keys_derive_like(k, password, &tried);
	same = equal_ct(bytes(tried.stored_key, HASH_MAX), bytes(k->stored_key, HASH_MAX));
	wipe(&tried, sizeof(tried));
	return same;
}

bool scram_proof_check(const struct scram_keys *k, struct str auth_message, struct str proof, uint8_t *out_signature)
{
	uint8_t client_key[HASH_MAX], stored[HASH_MAX];
	size_t n = hash_size(k->alg);
	bool right;

	if (proof.n != n)
		return false;
	/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage) must hash to StoredKey. */
	hmac(k->alg, bytes(k->stored_key, n), auth_message, client_key);
	for (size_t i = 0; i < n; i++)
		client_key[i] ^= (uint8_t)proof.p[i];
	hash(k->alg, bytes(client_key, n), stored);
	right = equal_ct(bytes(stored, n), bytes(k->stored_key, n));
	if (right)
		hmac(k->alg, bytes(k->server_key, n), auth_message, out_signature);
	wipe(client_key, sizeof(client_key));
	return right;
}

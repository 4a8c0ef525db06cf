/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 8291 and RFC 8292 on OpenSSL. */
#include "crypto/webpush.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/base64.h"
#include "base/must.h"
#include "crypto/hash.h"
#include "crypto/random.h"

enum { SECRET = 32, TAG = 16, CEK = 16, NONCE = 12, SIGNATURE = 64 };

/* ---- keys ---- */

int p256_derive(struct p256_key *key)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(group);
	BIGNUM *n = BN_bin2bn(key->private, P256_PRIVATE, NULL);
	bool ok;

	must(group && point && n);
	ok = !BN_is_zero(n) && BN_cmp(n, EC_GROUP_get0_order(group)) < 0 && EC_POINT_mul(group, point, n, NULL, NULL, NULL) == 1 &&
		EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, key->public, P256_PUBLIC, NULL) == P256_PUBLIC;
	BN_clear_free(n);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return ok ? 0 : -EINVAL;
}

void p256_new(struct p256_key *out)
{
	do
		random_bytes(out->private, P256_PRIVATE);
	while (p256_derive(out));
}

/* private NULL: a public key only. NULL when it is no key. */
static EVP_PKEY *pkey(const uint8_t *private, const uint8_t *public)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = private ? BN_bin2bn(private, P256_PRIVATE, NULL) : NULL;
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	must(ctx && bld);
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, public, P256_PUBLIC);
	if (n)
		OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n);
	params = OSSL_PARAM_BLD_to_param(bld);
	if (params && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_clear_free(n);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

bool p256_is_public(struct str key)
{
	EVP_PKEY *k;
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (key.n != P256_PUBLIC || key.p[0] != 0x04)
		return false;
	k = pkey(NULL, (const uint8_t *)key.p);
	ctx = k ? EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL) : NULL;
	ok = ctx && EVP_PKEY_public_check(ctx) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(k);
	return ok;
}

/* ---- RFC 8291 ---- */

static int agree(const struct p256_key *own, const uint8_t *peer, uint8_t out[SECRET])
{
	EVP_PKEY *k, *p;
	EVP_PKEY_CTX *ctx;
	size_t n = SECRET;
	bool ok;

	if (!p256_is_public((struct str){ (const char *)peer, P256_PUBLIC }))
		return -EINVAL;
	k = pkey(own->private, own->public);
	p = pkey(NULL, peer);
	ctx = k ? EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL) : NULL;
	ok = ctx && p && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, p) == 1 && EVP_PKEY_derive(ctx, out, &n) == 1 &&
		n == SECRET;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(k);
	EVP_PKEY_free(p);
	return ok ? 0 : -EINVAL;
}

static struct str bytes(const uint8_t *p, size_t n)
{
	return (struct str){ (const char *)p, n };
}

/* HKDF-Expand of RFC 5869 for at most one block: info and the counter 1. */
static void expand(const uint8_t prk[HASH_MAX], struct str info, uint8_t out[HASH_MAX])
{
	char text[256];

	must(info.n < sizeof(text));
	memcpy(text, info.p, info.n);
	text[info.n] = 1;
	hmac(HASH_SHA256, bytes(prk, SECRET), (struct str){ text, info.n + 1 }, out);
}

/* §3.4: the keys of the one record. */
static int keys(const struct p256_key *sender, const uint8_t *salt, const struct webpush_reader *to, uint8_t cek[HASH_MAX],
	uint8_t nonce[HASH_MAX])
{
	uint8_t secret[SECRET], prk[HASH_MAX], ikm[HASH_MAX];
	char info[14 + 2 * P256_PUBLIC] = "WebPush: info";
	int err = agree(sender, to->public, secret);

	if (err)
		return err;
	memcpy(info + 14, to->public, P256_PUBLIC);
	memcpy(info + 14 + P256_PUBLIC, sender->public, P256_PUBLIC);
	hmac(HASH_SHA256, bytes(to->auth, WEBPUSH_AUTH), bytes(secret, SECRET), prk);
	expand(prk, (struct str){ info, sizeof(info) }, ikm);
	hmac(HASH_SHA256, bytes(salt, WEBPUSH_SALT), bytes(ikm, SECRET), prk);
	expand(prk, STR("Content-Encoding: aes128gcm\0"), cek);
	expand(prk, STR("Content-Encoding: nonce\0"), nonce);
	wipe(secret, sizeof(secret));
	wipe(ikm, sizeof(ikm));
	wipe(prk, sizeof(prk));
	return 0;
}

/* Appends the record: plain text, the delimiter of a last record, padding; then the tag (RFC 8188 §2). */
static void seal(const uint8_t *cek, const uint8_t *nonce, struct str plain, size_t zeros, struct buf *out)
{
	static const uint8_t zero[WEBPUSH_RECORD], delimiter = 2;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *p = (uint8_t *)buf_room(out, plain.n + 1 + zeros + TAG), *at = p;
	int n = 0;

	must(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, cek, nonce) == 1);
	if (plain.n)
		must(EVP_EncryptUpdate(ctx, at, &n, (const uint8_t *)plain.p, (int)plain.n) == 1);
	at += n;
	must(EVP_EncryptUpdate(ctx, at, &n, &delimiter, 1) == 1);
	at += n;
	must(EVP_EncryptUpdate(ctx, at, &n, zero, (int)zeros) == 1);
	at += n;
	must(EVP_EncryptFinal_ex(ctx, at, &n) == 1);
	at += n;
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, at) == 1);
	EVP_CIPHER_CTX_free(ctx);
	out->n += (size_t)(at - p) + TAG;
}

int webpush_encrypt_as(const struct p256_key *sender, const uint8_t salt[WEBPUSH_SALT], const struct webpush_reader *to,
	struct str plain, size_t pad, struct buf *out)
{
	static const uint8_t record_size[4] = { 0, 0, WEBPUSH_RECORD >> 8, 0 };
	uint8_t cek[HASH_MAX], nonce[HASH_MAX];
	size_t zeros = pad && plain.n % pad ? pad - plain.n % pad : 0;
	int err;

	if (plain.n > WEBPUSH_PLAIN_MAX)
		return -EMSGSIZE;
	if (plain.n + zeros > WEBPUSH_PLAIN_MAX)
		zeros = WEBPUSH_PLAIN_MAX - plain.n;
	err = keys(sender, salt, to, cek, nonce);
	if (err)
		return err;
	buf_put(out, salt, WEBPUSH_SALT);
	buf_put(out, record_size, sizeof(record_size));
	buf_putc(out, P256_PUBLIC);
	buf_put(out, sender->public, P256_PUBLIC);
	seal(cek, nonce, plain, zeros, out);
	wipe(cek, sizeof(cek));
	wipe(nonce, sizeof(nonce));
	return 0;
}

int webpush_encrypt(const struct webpush_reader *to, struct str plain, size_t pad, struct buf *out)
{
	uint8_t salt[WEBPUSH_SALT];
	struct p256_key once; /* §2.1: a new key for each message */
	int err;

	random_bytes(salt, sizeof(salt));
	p256_new(&once);
	err = webpush_encrypt_as(&once, salt, to, plain, pad, out);
	wipe(&once, sizeof(once));
	return err;
}

/* ---- RFC 8292 ---- */

/* JWS wants r and s, 32 bytes each (RFC 7518 §3.4); OpenSSL makes DER. */
static void sign(const struct p256_key *key, struct str text, uint8_t out[SIGNATURE])
{
	EVP_PKEY *k = pkey(key->private, key->public);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[128];
	const uint8_t *p = der;
	size_t n = sizeof(der);
	ECDSA_SIG *sig;

	must(k && ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k) == 1);
	must(EVP_DigestSign(ctx, der, &n, (const uint8_t *)text.p, text.n) == 1);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
	must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SIGNATURE / 2) == SIGNATURE / 2 &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SIGNATURE / 2, SIGNATURE / 2) == SIGNATURE / 2);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(k);
}

struct str vapid_authorization(struct arena *a, const struct p256_key *key, struct str origin, uint64_t expires_s, struct str contact)
{
	struct str head = base64url_encode(a, STR("{\"typ\":\"JWT\",\"alg\":\"ES256\"}")), body, text;
	uint8_t signature[SIGNATURE];

	body = arena_printf(a, "{\"aud\":\"%.*s\",\"exp\":%llu,\"sub\":\"%.*s\"}", STR_ARG(origin), (unsigned long long)expires_s,
		STR_ARG(contact));
	text = arena_printf(a, "%.*s.%.*s", STR_ARG(head), STR_ARG(base64url_encode(a, body)));
	sign(key, text, signature);
	return arena_printf(a, "vapid t=%.*s.%.*s, k=%.*s", STR_ARG(text), STR_ARG(base64url_encode(a, bytes(signature, SIGNATURE))),
		STR_ARG(base64url_encode(a, bytes(key->public, P256_PUBLIC))));
}

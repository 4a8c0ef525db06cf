/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The self-signed certificate, read back by OpenSSL. */
#include "unit.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/must.h"
#include "crypto/cert.h"

static struct arena a;

static int teardown(void **state)
{
	arena_fini(&a);
	return 0;
}

static X509 *read_cert(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(cert);
	return cert;
}

static struct str der_of(X509 *cert)
{
	uint8_t *der = NULL;
	int n = i2d_X509(cert, &der);
	struct str copy;

	assert_true(n > 0);
	copy = arena_str(&a, (struct str){ (char *)der, (size_t)n });
	OPENSSL_free(der);
	return copy;
}

TEST(names_the_domain_and_its_services_for_ten_years)
{
	struct str cert_pem, key_pem;
	EVP_PKEY *key;
	BIO *bio;
	X509 *cert;

	assert_int_equal(cert_self_signed(&a, STR("example.org"), &cert_pem, &key_pem), 0);
	cert = read_cert(cert_pem);
	bio = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	assert_int_equal(X509_check_private_key(cert, key), 1);
	assert_int_equal(X509_verify(cert, key), 1);
	assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "conference.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "upload.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "pubsub.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "www.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 0);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(cert)) < 0);
	assert_int_equal(X509_cmp_timeframe(NULL, X509_get0_notBefore(cert), X509_get0_notAfter(cert)), 0);
	BIO_free(bio);
	EVP_PKEY_free(key);
	X509_free(cert);
}

TEST(localhost_and_addresses_get_their_addresses)
{
	struct str cert_pem, key_pem;
	X509 *cert;

	assert_int_equal(cert_self_signed(&a, STR("localhost"), &cert_pem, &key_pem), 0);
	cert = read_cert(cert_pem);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	X509_free(cert);
	assert_int_equal(cert_self_signed(&a, STR("192.0.2.7"), &cert_pem, &key_pem), 0);
	cert = read_cert(cert_pem);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.7", 0), 1);
	X509_free(cert);
}

TEST(refuses_domains_that_no_certificate_can_hold)
{
	static char longest[253];
	static const struct str bad[] = { STR(""), STR("a,IP:1.2.3.4"), STR("a b"), STR("a\n"), STR("*.example.org"), STR("a:b"),
		STR("ex\0ample"), STR("\xe9\xb8\xbf.example") };
	struct str cert_pem, key_pem;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cert_self_signed(&a, bad[i], &cert_pem, &key_pem), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(cert_self_signed(&a, (struct str){ longest, 253 }, &cert_pem, &key_pem), -EINVAL);
	longest[63] = '.';
	assert_int_equal(cert_self_signed(&a, (struct str){ longest, 127 }, &cert_pem, &key_pem), 0);
}

TEST(end_point_hash_uses_the_hash_of_the_signature)
{
	struct str cert_pem, key_pem, der;
	uint8_t got[HASH_MAX], want[HASH_MAX];
	size_t n = 0;
	X509 *cert;

	assert_int_equal(cert_self_signed(&a, STR("example.org"), &cert_pem, &key_pem), 0);
	cert = read_cert(cert_pem);
	der = der_of(cert);
	X509_free(cert);
	assert_int_equal(cert_end_point_hash(der, got, &n), 0);
	hash(HASH_SHA256, der, want);
	assert_int_equal(n, 32);
	assert_memory_equal(got, want, 32);
	assert_int_equal(cert_end_point_hash(STR_NONE, got, &n), -EBADMSG);
	assert_int_equal(cert_end_point_hash((struct str){ der.p, der.n - 1 }, got, &n), -EBADMSG);
}

/* A certificate of any key and digest, to be hashed. */
static struct str signed_with(EVP_PKEY *key, const EVP_MD *md)
{
	X509 *cert = X509_new();
	struct str der;

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 60);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, md) > 0);
	der = der_of(cert);
	X509_free(cert);
	return der;
}

TEST(end_point_hash_of_other_signatures)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256"), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint8_t got[HASH_MAX], want[HASH_MAX];
	struct str der = signed_with(ec, EVP_sha512());
	size_t n = 0;

	assert_int_equal(cert_end_point_hash(der, got, &n), 0);
	hash(HASH_SHA512, der, want);
	assert_int_equal(n, 64);
	assert_memory_equal(got, want, 64);
	der = signed_with(ec, EVP_sha1());
	assert_int_equal(cert_end_point_hash(der, got, &n), 0);
	hash(HASH_SHA256, der, want);
	assert_int_equal(n, 32);
	assert_memory_equal(got, want, 32);
	assert_int_equal(cert_end_point_hash(signed_with(ed, NULL), got, &n), -ENOTSUP);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ed);
}

UNIT_MAIN(cmocka_unit_test_teardown(names_the_domain_and_its_services_for_ten_years, teardown),
	cmocka_unit_test_teardown(localhost_and_addresses_get_their_addresses, teardown),
	cmocka_unit_test_teardown(refuses_domains_that_no_certificate_can_hold, teardown),
	cmocka_unit_test_teardown(end_point_hash_uses_the_hash_of_the_signature, teardown),
	cmocka_unit_test_teardown(end_point_hash_of_other_signatures, teardown));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Self-signed certificates and end-point hashes on OpenSSL. */
#include "crypto/cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/must.h"
#include "crypto/random.h"

enum { SERIAL_BYTES = 16, DOMAIN_MAX = 235 /* 253 less the longest service prefix */, CN_MAX = 64 };

static const char *const services[] = { "conference", "upload", "pubsub", "push" };

static bool is_address(const char *domain)
{
	struct in6_addr ip;

	return inet_pton(AF_INET, domain, &ip) == 1 || inet_pton(AF_INET6, domain, &ip) == 1;
}

/* The value goes into OpenSSL's configuration syntax: only what a host name can hold may pass. */
static bool is_host_name(struct str domain)
{
	for (size_t i = 0; i < domain.n; i++) {
		char c = domain.p[i], letter = c | 32;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != ':')
			return false;
	}
	return domain.n > 0 && domain.n <= DOMAIN_MAX;
}

static struct str alternative_names(struct arena *a, const char *domain)
{
	struct str names;

	if (is_address(domain))
		return arena_printf(a, "IP:%s", domain);
	names = arena_printf(a, "DNS:%s", domain);
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		names = arena_printf(a, "%s,DNS:%s.%s", names.p, services[i], domain);
	if (strcmp(domain, "localhost") == 0)
		names = arena_printf(a, "%s,IP:127.0.0.1,IP:::1", names.p);
	return names;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(cert, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool set_serial(X509 *cert)
{
	uint8_t bytes[SERIAL_BYTES];
	BIGNUM *number;
	bool ok;

	random_bytes(bytes, sizeof(bytes));
	bytes[0] &= 0x7f; /* positive, RFC 5280 §4.1.2.2 */
	bytes[0] |= 0x40;
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok;
}

/* Common names end at 64 bytes: a longer domain stands in the alternative names only. */
static bool set_names(X509 *cert, const char *domain)
{
	X509_NAME *name = X509_get_subject_name(cert);
	const char *cn = strlen(domain) <= CN_MAX ? domain : "Anser";

	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0) == 1 &&
		X509_set_issuer_name(cert, name) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *key, struct arena *a, const char *domain)
{
	return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
		/* A clock that is a little behind must not see it as not yet valid. */
		X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
		X509_time_adj_ex(X509_getm_notAfter(cert), CERT_YEARS * 365 + CERT_YEARS / 4, 0, NULL) &&
		set_names(cert, domain) && X509_set_pubkey(cert, key) == 1 &&
		add_extension(cert, NID_subject_alt_name, alternative_names(a, domain).p) &&
		add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
		add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
		add_extension(cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool read_out(struct arena *a, BIO *bio, struct str *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	if (n <= 0)
		return false;
	*out = arena_str(a, (struct str){ p, (size_t)n });
	return true;
}

int cert_self_signed(struct arena *a, struct str domain, struct str *out_cert_pem, struct str *out_key_pem)
{
	struct str name = arena_str(a, domain), cert_pem, key_pem;
	BIO *cert_bio, *key_bio;
	EVP_PKEY *key;
	X509 *cert;
	int rc = -EIO;

	if (!is_host_name(domain) || (memchr(domain.p, ':', domain.n) && !is_address(name.p)))
		return -EINVAL;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	cert_bio = BIO_new(BIO_s_mem());
	key_bio = BIO_new(BIO_s_secmem());
	if (key && cert && cert_bio && key_bio && fill(cert, key, a, name.p) && PEM_write_bio_X509(cert_bio, cert) == 1 &&
		PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		read_out(a, cert_bio, &cert_pem) && read_out(a, key_bio, &key_pem)) {
		*out_cert_pem = cert_pem;
		*out_key_pem = key_pem;
		rc = 0;
	}
	BIO_free(key_bio);
	BIO_free(cert_bio);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

int cert_end_point_hash(struct str der, uint8_t *out, size_t *out_n)
{
	const uint8_t *p = (const uint8_t *)der.p;
	uint8_t digest[EVP_MAX_MD_SIZE];
	int md_nid = NID_undef;
	const EVP_MD *md;
	unsigned n = 0;
	X509 *cert;

	if (!der.n || der.n > INT32_MAX)
		return -EBADMSG;
	cert = d2i_X509(NULL, &p, (long)der.n);
	if (!cert)
		return -EBADMSG;
	if (!X509_get_signature_info(cert, &md_nid, NULL, NULL, NULL) || md_nid == NID_undef) {
		X509_free(cert);
		return -ENOTSUP;
	}
	X509_free(cert);
	/* RFC 5929 §4.1: MD5 and SHA-1 give way to SHA-256. */
	md = md_nid == NID_md5 || md_nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(md_nid);
	if (!md || EVP_MD_get_size(md) > HASH_MAX)
		return -ENOTSUP;
	must(EVP_Digest(der.p, der.n, digest, &n, md, NULL) == 1);
	memcpy(out, digest, n);
	*out_n = n;
	return 0;
}

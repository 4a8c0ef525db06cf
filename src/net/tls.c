/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TLS server contexts: certificate, protocol versions, ciphers, ALPN (RFC 7301), and the certificate's hash for channel
 * binding (RFC 5929). No session cache and no tickets: they cost memory per connection, and clients resume one layer up. */
#include "net/tls_priv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

/* TLS 1.2: forward secrecy only, AEAD first; CBC is kept last for old clients (RFC 9325 §4.2). */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!SHA384:!aNULL:!PSK:!SRP:!DSS";

/* TLS 1.3: 128 bits first, which are as safe for what is ahead and cheaper; a client without AES in hardware gets ChaCha. */
static const char suites[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

static const struct {
	struct str name;
	enum conn_alpn alpn;
} protocols[] = {
	{ { "xmpp-client", 11 }, ALPN_XMPP_CLIENT },
	{ { "http/1.1", 8 }, ALPN_HTTP11 },
	{ { "xmpp-server", 11 }, ALPN_XMPP_SERVER },
};

enum conn_alpn tls_alpn(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (str_eq(protocols[i].name, name))
			return protocols[i].alpn;
	return ALPN_NONE;
}

/* The first protocol of the client's list that we speak: a client that offers several prefers its first. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned int in_n, void *arg)
{
	(void)ssl;
	(void)arg;
	for (unsigned int i = 0; i < in_n && in[i] < in_n - i; i += in[i] + 1U) {
		struct str name = { (const char *)in + i + 1, in[i] };

		if (tls_alpn(name) == ALPN_NONE)
			continue;
		*out = in + i + 1;
		*out_n = in[i];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol, RFC 7301 §3.2 */
}

/* Chooses the certificate before it is sent. ALPN and options are the same in all contexts. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct tls_ctx *c = arg, *other = name ? tls_ctx_of_name(c, str_of(name)) : c;

	(void)alert;
	if (other != c)
		SSL_set_SSL_CTX(ssl, other->ssl);
	return SSL_TLSEXT_ERR_OK;
}

static int say(char *err, size_t err_n, const char *what, const char *file, int rc)
{
	unsigned long e = ERR_peek_error();
	const char *why = e && ERR_GET_LIB(e) != ERR_LIB_SYS ? ERR_reason_error_string(e) : NULL;

	snprintf(err, err_n, "%s %s: %s", what, file, why ? why : strerror(rc));
	ERR_clear_error();
	return -rc;
}

/* RFC 5929 §4.1: the signature's hash, but SHA-256 in the place of MD5 and SHA-1. */
static void hash_certificate(struct tls_ctx *c)
{
	X509 *cert = SSL_CTX_get0_certificate(c->ssl);
	const EVP_MD *md;
	int nid = NID_undef;

	if (!cert || !X509_get_signature_info(cert, &nid, NULL, NULL, NULL) || nid == NID_undef)
		return; /* for instance Ed25519: its hash is not defined there */
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	md = EVP_get_digestbynid(nid);
	if (md && !X509_digest(cert, md, c->end_point, &c->end_point_n))
		c->end_point_n = 0;
}

static int load(
	struct tls_ctx *c, const char *cert_file, const char *key_file, char *err, size_t err_n)
{
	errno = 0;
	if (SSL_CTX_use_certificate_chain_file(c->ssl, cert_file) != 1)
		return say(err, err_n, "cannot use the certificate", cert_file,
			errno ? errno : EINVAL);
	errno = 0;
	if (SSL_CTX_use_PrivateKey_file(c->ssl, key_file, SSL_FILETYPE_PEM) != 1)
		return say(err, err_n, "cannot use the key", key_file, errno ? errno : EINVAL);
	if (SSL_CTX_check_private_key(c->ssl) != 1)
		return say(
			err, err_n, "the certificate does not belong to the key", key_file, EINVAL);
	hash_certificate(c);
	return 0;
}

void tls_ctx_configure(struct tls_ctx *c)
{
	SSL_CTX *ssl = c->ssl;

	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
			SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ssl,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ssl, 1);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	must(SSL_CTX_set_cipher_list(ssl, ciphers) == 1);
	must(SSL_CTX_set_ciphersuites(ssl, suites) == 1);
	must(SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	SSL_CTX_set_app_data(ssl, c);
	SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ssl, c);
}

int tls_ctx_new(
	const char *cert_file, const char *key_file, struct tls_ctx **out, char *err, size_t err_n)
{
	struct tls_ctx *c = mem_zalloc(sizeof(*c));
	int rc;

	atomic_init(&c->refs, 1);
	c->ssl = SSL_CTX_new(TLS_server_method());
	must(c->ssl);
	tls_ctx_configure(c);
	rc = load(c, cert_file, key_file, err, err_n);
	if (rc) {
		tls_ctx_unref(c);
		return rc;
	}
	*out = c;
	return 0;
}

void tls_ctx_add_name(struct tls_ctx *c, struct str name, struct tls_ctx *other)
{
	c->names = mem_realloc(c->names, (c->names_n + 1) * sizeof(*c->names));
	c->names[c->names_n++] = (struct tls_name){ str_dup(name), other == c ? c : tls_ctx_ref(other) };
}

static struct tls_ctx *find_name(const struct tls_ctx *c, struct str name)
{
	for (size_t i = 0; i < c->names_n; i++)
		if (str_eq_nocase(str_of(c->names[i].name), name))
			return c->names[i].ctx;
	return NULL;
}

struct tls_ctx *tls_ctx_of_name(struct tls_ctx *c, struct str name)
{
	struct tls_ctx *other = find_name(c, name);
	struct str rest;

	if (!other) { /* conference.HOST and the like */
		str_cut(name, '.', &rest);
		other = rest.n ? find_name(c, rest) : NULL;
	}
	return other ? other : c;
}

bool tls_ctx_covers(struct tls_ctx *c, struct str name)
{
	X509 *cert = SSL_CTX_get0_certificate(c->ssl);

	return cert && X509_check_host(cert, name.p, name.n, 0, NULL) == 1;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void tls_ctx_unref(struct tls_ctx *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < c->names_n; i++) {
		free(c->names[i].name);
		if (c->names[i].ctx != c)
			tls_ctx_unref(c->names[i].ctx);
	}
	free(c->names);
	SSL_CTX_free(c->ssl);
	free(c);
}

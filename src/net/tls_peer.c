/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Certificates of other servers. A certificate for a server serves on both sides (XEP-0178): the client's purpose in it is not asked. */
#include "net/tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/conn_priv.h"
#include "net/tls_priv.h"

static const unsigned char alpn_server[] = "\x0bxmpp-server";

/* OIDs of otherName: id-on-dnsSRV (RFC 4985), id-on-xmppAddr (RFC 6120). */
static const char oid_srv_name[] = "1.3.6.1.5.5.7.8.7", oid_xmpp_addr[] = "1.3.6.1.5.5.7.8.5";
static const char srv_prefix[] = "_xmpp-server.";

/* Judges the chain and lets the handshake go on; the judgement is read later by SSL_get_verify_result. */
static int on_verify(X509_STORE_CTX *x, void *arg)
{
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(x);

	(void)arg;
	X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_trust(p, X509_TRUST_SSL_SERVER);
	if (X509_verify_cert(x) <= 0 && X509_STORE_CTX_get_error(x) == X509_V_OK)
		X509_STORE_CTX_set_error(x, X509_V_ERR_UNSPECIFIED);
	return 1;
}

static int trust(SSL_CTX *ssl, const char *ca_file, char *err, size_t err_n)
{
	int ok = ca_file[0] ? SSL_CTX_load_verify_locations(ssl, ca_file, NULL) : SSL_CTX_set_default_verify_paths(ssl);

	ERR_clear_error();
	if (ok == 1)
		return 0;
	snprintf(err, err_n, "s2s.ca_file: cannot read trusted certificates from %s", ca_file);
	return -EINVAL;
}

/* One certificate with its key and chain. */
static int derive(struct tls_ctx *base, const char *ca_file, bool client, struct tls_ctx **out, char *err, size_t err_n)
{
	struct tls_ctx *c = mem_zalloc(sizeof(*c));
	STACK_OF(X509) *chain = NULL;

	atomic_init(&c->refs, 1);
	c->ssl = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
	must(c->ssl);
	tls_ctx_configure(c);
	SSL_CTX_get0_chain_certs(base->ssl, &chain);
	must(SSL_CTX_use_certificate(c->ssl, SSL_CTX_get0_certificate(base->ssl)) == 1);
	must(SSL_CTX_use_PrivateKey(c->ssl, SSL_CTX_get0_privatekey(base->ssl)) == 1);
	if (chain)
		SSL_CTX_set1_chain(c->ssl, chain);
	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ssl, on_verify, NULL);
	must(!client || SSL_CTX_dane_enable(c->ssl) == 1);
	*out = c;
	return trust(c->ssl, ca_file, err, err_n);
}

int tls_peer_ctx_new(struct tls_ctx *base, const char *ca_file, bool client, struct tls_ctx **out, char *err, size_t err_n)
{
	struct tls_ctx *c = NULL, *other;
	int rc = derive(base, ca_file, client, &c, err, err_n);

	for (size_t i = 0; !rc && i < base->names_n; i++) {
		struct str name = str_of(base->names[i].name);

		other = NULL;
		if (base->names[i].ctx == base) {
			tls_ctx_add_name(c, name, c);
			continue;
		}
		rc = derive(base->names[i].ctx, ca_file, client, &other, err, err_n);
		if (!rc)
			tls_ctx_add_name(c, name, other);
		tls_ctx_unref(other);
	}
	if (rc)
		tls_ctx_unref(c);
	else
		*out = c;
	return rc;
}

static int add_tlsa(SSL *ssl, const char *ascii, const struct resolver_place *place)
{
	int usable = 0;

	if (!place->tlsa_n)
		return 0;
	/* RFC 7673 §4: the target's name and the domain's are both references. */
	if (SSL_dane_enable(ssl, place->host) != 1 || SSL_add1_host(ssl, ascii) != 1)
		return -ENOMEM;
	for (size_t i = 0; i < place->tlsa_n; i++) {
		const struct resolver_tlsa *t = &place->tlsa[i];

		usable += SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching, t->data, t->n) > 0;
	}
	return usable;
}

int tls_peer_connect(struct conn *c, struct tls_ctx *ctx, const char *local, const char *domain, const struct resolver_place *place)
{
	char own[DNS_NAME_MAX], ascii[DNS_NAME_MAX];
	struct tls_ctx *named = dns_ascii(local, own) ? ctx : tls_ctx_of_name(ctx, str_of(own));
	SSL *ssl = SSL_new(named->ssl);
	int rc = ssl ? dns_ascii(domain, ascii) : -ENOMEM;

	if (!rc && add_tlsa(ssl, ascii, place) < 0)
		rc = -ENOMEM;
	if (!rc && (SSL_set_tlsext_host_name(ssl, ascii) != 1 ||
			   (place->direct_tls && SSL_set_alpn_protos(ssl, alpn_server, sizeof(alpn_server) - 1))))
		rc = -ENOMEM;
	ERR_clear_error();
	if (rc) {
		SSL_free(ssl);
		return rc;
	}
	SSL_set_connect_state(ssl);
	c->client = ssl;
	return conn_start_tls(c, ctx);
}

static bool text_is(const ASN1_STRING *s, const char *prefix, const char *name)
{
	struct str text = { (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s) }, p = str_of(prefix);

	return text.n > p.n && str_eq_nocase((struct str){ text.p, p.n }, p) &&
		str_eq_nocase((struct str){ text.p + p.n, text.n - p.n }, str_of(name));
}

static bool other_name_is(const OTHERNAME *o, const char *ascii, const char *domain)
{
	char oid[64];

	OBJ_obj2txt(oid, sizeof(oid), o->type_id, 1);
	if (strcmp(oid, oid_srv_name) == 0 && o->value->type == V_ASN1_IA5STRING)
		return text_is(o->value->value.ia5string, srv_prefix, ascii);
	if (strcmp(oid, oid_xmpp_addr) == 0 && o->value->type == V_ASN1_UTF8STRING)
		return text_is(o->value->value.utf8string, "", domain);
	return false;
}

static bool names(X509 *cert, const char *domain)
{
	const unsigned int flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	char ascii[DNS_NAME_MAX];
	GENERAL_NAMES *all;
	bool found = false;

	if (dns_ascii(domain, ascii))
		return false;
	if (X509_check_host(cert, ascii, 0, flags, NULL) == 1 || X509_check_ip_asc(cert, domain, 0) == 1)
		return true;
	all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(all) && !found; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(all, i);

		found = n->type == GEN_OTHERNAME && other_name_is(n->d.otherName, ascii, domain);
	}
	GENERAL_NAMES_free(all);
	return found;
}

enum tls_proof tls_peer_proof(const struct conn *c, const char *domain, const char **out_why)
{
	X509 *cert = conn_is_tls(c) ? SSL_get0_peer_certificate(c->ssl) : NULL;
	enum tls_proof proof = TLS_PROOF_NONE;
	const char *why = "it shows no certificate";
	long result;

	if (cert) {
		result = SSL_get_verify_result(c->ssl);
		why = result == X509_V_OK ? "its certificate is for another name" : X509_verify_cert_error_string(result);
		if (result == X509_V_OK && SSL_get0_dane_authority(c->ssl, NULL, NULL) >= 0)
			proof = TLS_PROOF_DANE;
		else if (result == X509_V_OK)
			proof = names(cert, domain) ? TLS_PROOF_PKIX : TLS_PROOF_OTHER;
	}
	ERR_clear_error();
	if (out_why)
		*out_why = why;
	return proof;
}

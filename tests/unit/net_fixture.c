/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Shards and peers for tests of connections. */
#include "net_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

enum { TURNS_MAX = 20000 };

static void make_certificate(const char *cert_file, const char *key_file)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	must(X509_sign(x, key, EVP_sha256()) > 0);
	must((f = fopen(cert_file, "w")) && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
	must((f = fopen(key_file, "w")) &&
		PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
	X509_free(x);
	EVP_PKEY_free(key);
}

void net_init(struct net *n, int shards)
{
	const char *dir = unit_tmpdir();
	char err[256] = "";

	*n = (struct net){ 0 };
	must(shards_init(&n->all, shards) == 0);
	snprintf(n->cert, sizeof(n->cert), "%s/cert.pem", dir);
	snprintf(n->key, sizeof(n->key), "%s/key.pem", dir);
	make_certificate(n->cert, n->key);
	must(tls_ctx_new(n->cert, n->key, &n->tls, err, sizeof(err)) == 0);
	n->client_tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(
		n->client_tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

void net_fini(struct net *n)
{
	net_turn(n);
	shards_fini(&n->all);
	tls_ctx_unref(n->tls);
	SSL_CTX_free(n->client_tls);
}

static void turn(struct net *n, int wait_ms)
{
	for (int i = 0; i < n->all.n; i++)
		must(loop_turn(&n->all.v[i]->loop, wait_ms) == 0);
}

void net_turn(struct net *n)
{
	turn(n, 0);
}

/* One of up to TURNS_MAX turns: the later ones leave the processor to threads that work for the loop. */
static void turn_of(struct net *n, int i)
{
	turn(n, i < TURNS_MAX / 2 ? 0 : 1);
}

void net_skip(struct net *n, uint64_t ms)
{
	for (int i = 0; i < n->all.n; i++)
		n->all.v[i]->loop.skew_ms += ms;
	net_turn(n);
}

void peer_init(struct peer *p, int *out_fd)
{
	int fds[2];

	*p = (struct peer){ 0 };
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	p->fd = fds[0];
	*out_fd = fds[1];
}

void peer_fini(struct peer *p)
{
	SSL_free(p->ssl);
	close(p->fd);
	buf_free(&p->in);
}

void peer_tls(struct net *n, struct peer *p, const char *alpn, const char *sni)
{
	unsigned char list[64];

	p->ssl = SSL_new(n->client_tls);
	SSL_set_fd(p->ssl, p->fd);
	SSL_set_connect_state(p->ssl);
	if (alpn) {
		list[0] = (unsigned char)strlen(alpn);
		memcpy(list + 1, alpn, list[0]);
		SSL_set_alpn_protos(p->ssl, list, list[0] + 1U);
	}
	if (sni)
		SSL_set_tlsext_host_name(p->ssl, sni);
}

static int ssl_end(struct peer *p, int rc)
{
	int err = SSL_get_error(p->ssl, rc);

	if (err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	p->end = err == SSL_ERROR_ZERO_RETURN ? 1 : -EPROTO;
	return p->end;
}

bool peer_handshake(struct net *n, struct peer *p)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		int rc = SSL_do_handshake(p->ssl);

		if (rc == 1) {
			net_turn(n);
			return true;
		}
		if (ssl_end(p, rc) != -EAGAIN)
			return false;
		net_turn(n);
	}
	return false;
}

void peer_send(struct net *n, struct peer *p, struct str bytes)
{
	for (int i = 0; i < TURNS_MAX && bytes.n; i++) {
		ssize_t rc = p->ssl ? SSL_write(p->ssl, bytes.p, (int)bytes.n)
				    : send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (rc > 0) {
			bytes.p += rc;
			bytes.n -= (size_t)rc;
		} else {
			must(p->ssl ? ssl_end(p, (int)rc) == -EAGAIN : errno == EAGAIN);
			peer_read(p);
		}
		if (bytes.n)
			turn_of(n, i);
	}
	must(!bytes.n);
}

void peer_read(struct peer *p)
{
	while (!p->end) {
		char *room = buf_room(&p->in, 16384);
		ssize_t rc = p->ssl ? SSL_read(p->ssl, room, 16384) : recv(p->fd, room, 16384, 0);

		if (rc > 0) {
			p->in.n += (size_t)rc;
			continue;
		}
		if (p->ssl) {
			ssl_end(p, (int)rc);
			return;
		}
		if (rc < 0 && errno == EAGAIN)
			return;
		p->end = rc == 0 ? 1 : -errno;
	}
}

void peer_want(struct net *n, struct peer *p, size_t bytes)
{
	for (int i = 0; i < TURNS_MAX && p->in.n < bytes && !p->end; i++) {
		turn_of(n, i);
		peer_read(p);
	}
}

void peer_want_end(struct net *n, struct peer *p)
{
	for (int i = 0; i < TURNS_MAX && !p->end; i++) {
		turn_of(n, i);
		peer_read(p);
	}
}

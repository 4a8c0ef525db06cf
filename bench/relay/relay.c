/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * anser-relay PORT: the floor. One thread, one epoll, OpenSSL, and nothing else: a client says
 * <hello n='N'/>, gets <ok/>, and from then on each record that it sends goes, unread, to its
 * partner (2i and 2i+1 are partners), one TLS record each. A record that begins with "<all" goes to
 * everybody else and to the sender. "</stream:stream>" is answered alike, then the end.
 * Prints "ready" once it listens. The certificate is made at the start (ECDSA P-256).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX 20000
#define RECORD_MAX 16384
#define MAX_EVENTS 256
#define BACKLOG_BYTES (4u << 20) /* a peer with more than this waiting is dropped */

struct peer {
	int fd;
	long number; /* -1 before hello */
	bool secure; /* handshake finished */
	SSL *ssl;
	char *out; /* what the socket refused */
	size_t out_len, out_cap;
};

struct relay {
	int epoll_fd, listen_fd;
	SSL_CTX *tls;
	struct peer *by_number[PEERS_MAX];
	char record[RECORD_MAX];
};

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char mine[] = "\x0bxmpp-client";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, out_len, mine, sizeof(mine) - 1, in,
				     in_len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *tls_new(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	if (!ctx || !key || !cert)
		abort();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	if (!X509_sign(cert, key, EVP_sha256()) || SSL_CTX_use_certificate(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, key) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	return ctx;
}

static void watch(struct relay *r, struct peer *p, int op, bool write)
{
	struct epoll_event ev = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = p };

	epoll_ctl(r->epoll_fd, op, p->fd, &ev);
}

static void drop(struct relay *r, struct peer *p)
{
	if (p->number >= 0)
		r->by_number[p->number] = NULL;
	SSL_free(p->ssl);
	close(p->fd);
	p->fd = -1; /* freed after the events of this turn */
}

static void keep(struct relay *r, struct peer *p, const char *text, size_t len)
{
	if (p->out_len + len > BACKLOG_BYTES)
		return;
	if (p->out_len + len > p->out_cap) {
		p->out_cap = 2 * (p->out_len + len);
		p->out = realloc(p->out, p->out_cap);
		if (!p->out)
			abort();
	}
	if (p->out_len == 0)
		watch(r, p, EPOLL_CTL_MOD, true);
	memcpy(p->out + p->out_len, text, len);
	p->out_len += len;
}

static void send_to(struct relay *r, struct peer *p, const char *text, size_t len)
{
	int n = p->out_len > 0 ? 0 : SSL_write(p->ssl, text, (int)len);

	if (n < 0)
		ERR_clear_error();
	if (n < (int)len)
		keep(r, p, text + (n > 0 ? n : 0), len - (size_t)(n > 0 ? n : 0));
}

static void flush(struct relay *r, struct peer *p)
{
	int n = p->out_len > 0 ? SSL_write(p->ssl, p->out, (int)p->out_len) : 0;

	if (n <= 0) {
		ERR_clear_error();
		return;
	}
	p->out_len -= (size_t)n;
	memmove(p->out, p->out + n, p->out_len);
	if (p->out_len == 0)
		watch(r, p, EPOLL_CTL_MOD, false);
}

static void hello(struct relay *r, struct peer *p, size_t len)
{
	static const char want[] = "<hello n='";

	if (len <= sizeof(want) || strncmp(r->record, want, sizeof(want) - 1) != 0) {
		drop(r, p);
		return;
	}
	long n = strtol(r->record + sizeof(want) - 1, NULL, 10);

	if (n < 0 || n >= PEERS_MAX || r->by_number[n]) {
		drop(r, p);
		return;
	}
	p->number = n;
	r->by_number[n] = p;
	send_to(r, p, "<ok/>", 5);
}

static void relay(struct relay *r, struct peer *p, size_t len)
{
	static const char bye[] = "</stream:stream>";

	if (p->number < 0) {
		hello(r, p, len);
	} else if (strncmp(r->record, "<all", 4) == 0) {
		for (long i = 0; i < PEERS_MAX && r->by_number[i]; i++)
			send_to(r, r->by_number[i], r->record, len);
	} else if (strncmp(r->record, bye, sizeof(bye) - 1) == 0) {
		send_to(r, p, bye, sizeof(bye) - 1);
		drop(r, p);
	} else if (r->by_number[p->number ^ 1]) {
		send_to(r, r->by_number[p->number ^ 1], r->record, len);
	}
}

static void readable(struct relay *r, struct peer *p)
{
	do {
		int n = SSL_read(p->ssl, r->record, RECORD_MAX - 1);

		if (n <= 0) {
			int e = SSL_get_error(p->ssl, n);

			ERR_clear_error();
			if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
				drop(r, p);
			return;
		}
		r->record[n] = '\0';
		relay(r, p, (size_t)n);
	} while (p->fd >= 0 && SSL_has_pending(p->ssl));
}

static void handshake(struct relay *r, struct peer *p)
{
	int n = SSL_accept(p->ssl);

	if (n == 1) {
		p->secure = true;
		return;
	}
	int e = SSL_get_error(p->ssl, n);

	ERR_clear_error();
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		drop(r, p);
}

static void on_event(struct relay *r, struct peer *p, uint32_t events)
{
	if (p->fd < 0)
		return;
	if (!p->secure) {
		handshake(r, p);
		return;
	}
	if (events & EPOLLOUT)
		flush(r, p);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		readable(r, p);
}

static void accept_all(struct relay *r)
{
	int fd, one = 1;

	while ((fd = accept4(r->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *p = calloc(1, sizeof(*p));

		if (!p || !(p->ssl = SSL_new(r->tls)))
			abort();
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		p->fd = fd;
		p->number = -1;
		SSL_set_fd(p->ssl, fd);
		SSL_set_accept_state(p->ssl);
		watch(r, p, EPOLL_CTL_ADD, false);
	}
}

static int listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void turn(struct relay *r)
{
	struct epoll_event ev[MAX_EVENTS];
	struct peer *gone[MAX_EVENTS];
	int n = epoll_wait(r->epoll_fd, ev, MAX_EVENTS, -1), dead = 0;

	for (int i = 0; i < n; i++) {
		struct peer *p = ev[i].data.ptr;

		if (!p) {
			accept_all(r);
			continue;
		}
		on_event(r, p, ev[i].events);
		if (p->fd < 0)
			gone[dead++] = p;
	}
	while (dead > 0) {
		free(gone[--dead]->out);
		free(gone[dead]);
	}
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct epoll_event ev = { .events = EPOLLIN };
	struct rlimit lim;

	if (argc != 2) {
		fprintf(stderr, "usage: anser-relay PORT\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	r.tls = tls_new();
	r.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r.listen_fd = listen_on(atoi(argv[1]));
	epoll_ctl(r.epoll_fd, EPOLL_CTL_ADD, r.listen_fd, &ev);
	printf("ready\n");
	fflush(stdout);
	for (;;)
		turn(&r);
}

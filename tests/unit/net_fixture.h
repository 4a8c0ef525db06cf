/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* For tests of connections: shards turned by hand in the test's own thread, and a client on OpenSSL beside them. */
#ifndef NET_FIXTURE_H
#define NET_FIXTURE_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/tls.h"

struct net {
	struct shards all;
	struct tls_ctx *tls;
	SSL_CTX *client_tls;
	char cert[128], key[128];
};

/* The other end of a connection. */
struct peer {
	int fd;
	SSL *ssl;
	struct buf in;
	int end; /* 0 open; 1 the server closed; -errno */
};

void net_init(struct net *n, int shards); /* with a certificate of its own */
void net_fini(struct net *n);
void net_turn(struct net *n);		/* one turn of each shard, without waiting */
void net_skip(struct net *n, uint64_t ms); /* lets time pass */

/* Makes a pair of sockets; out_fd is the server's. */
void peer_init(struct peer *p, int *out_fd);
void peer_fini(struct peer *p);
void peer_tls(struct net *n, struct peer *p, const char *alpn, const char *sni); /* begins; alpn: one name or NULL */
bool peer_handshake(struct net *n, struct peer *p); /* turns until it is done; false: refused */
void peer_send(struct net *n, struct peer *p, struct str bytes); /* all of it, turning meanwhile */
void peer_read(struct peer *p); /* takes what is there */
/* Turns until the peer has read n bytes in all or nothing more can come. */
void peer_want(struct net *n, struct peer *p, size_t bytes);
/* Turns until the server has closed. */
void peer_want_end(struct net *n, struct peer *p);

#endif

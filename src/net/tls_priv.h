/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What tls.c and conn_tls.c share; nobody else includes libssl. */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/conn.h"

struct tls_name {
	char *name;
	struct tls_ctx *ctx;
};

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;
	uint8_t end_point[EVP_MAX_MD_SIZE]; /* RFC 5929 tls-server-end-point */
	unsigned int end_point_n;	     /* 0: not defined for this certificate */
	struct tls_name *names;		     /* other certificates */
	size_t names_n;
};

/* The context whose certificate the connection presents. */
static inline const struct tls_ctx *tls_presented(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}
void tls_ctx_configure(struct tls_ctx *c); /* versions, ciphers, ALPN and names of a server */
enum conn_alpn tls_alpn(struct str name); /* ALPN_NONE when we do not speak it */

#endif

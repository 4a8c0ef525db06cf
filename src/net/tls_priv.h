/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What tls.c and conn_tls.c share; nobody else includes libssl. */
#ifndef NET_TLS_PRIV_H
#define NET_TLS_PRIV_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/conn.h"

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;
	uint8_t end_point[EVP_MAX_MD_SIZE]; /* RFC 5929 tls-server-end-point */
	unsigned int end_point_n;	     /* 0: not defined for this certificate */
};

void tls_ctx_configure(SSL_CTX *ssl); /* versions, ciphers, ALPN of a server */
int tls_ctx_load(struct tls_ctx *c, const char *cert_file, const char *key_file, char *err, size_t err_n);
enum conn_alpn tls_alpn(struct str name); /* ALPN_NONE when we do not speak it */

#endif

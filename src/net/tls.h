/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TLS 1.2 and 1.3 server contexts on OpenSSL (RFC 7590, RFC 9325, ALPN RFC 7301). The only includer of libssl with conn_tls. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/arena.h"

struct tls_ctx; /* refcounted: a reload leaves old connections on the old one. Any thread. */

/* Loads PEM certificate chain and key. Returns 0; -errno with a message for people in err (size err_n). */
int tls_ctx_new(const char *cert_file, const char *key_file, struct tls_ctx **out, char *err, size_t err_n);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *c);
void tls_ctx_unref(struct tls_ctx *c);

#endif

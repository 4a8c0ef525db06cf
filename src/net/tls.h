/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TLS 1.2 and 1.3 server contexts on OpenSSL (RFC 7590, RFC 9325, ALPN RFC 7301). The only includer of libssl with conn_tls. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/arena.h"

struct tls_ctx; /* refcounted: a reload leaves old connections on the old one. Any thread. */

/* Loads PEM certificate chain and key. Returns 0; -errno with a message for people in err (size err_n). */
int tls_ctx_new(const char *cert_file, const char *key_file, struct tls_ctx **out, char *err, size_t err_n);
/* A client that names this host or a name one label below it (SNI, RFC 6066 §3) gets the other certificate. Before c is used; keeps a
 * reference, unless other is c itself. Names are ASCII, without regard to case. */
void tls_ctx_add_name(struct tls_ctx *c, struct str name, struct tls_ctx *other);
/* The context of that name, borrowed; c itself when there is none. */
struct tls_ctx *tls_ctx_of_name(struct tls_ctx *c, struct str name);
/* Is the certificate good for this host name? */
bool tls_ctx_covers(struct tls_ctx *c, struct str name);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *c);
void tls_ctx_unref(struct tls_ctx *c);

#endif

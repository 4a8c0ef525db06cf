/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Clients over TCP (RFC 6120, RFC 7590, XEP-0368). */
#ifndef XMPP_C2S_H
#define XMPP_C2S_H

#include "net/conn.h"

/* Takes a fresh connection over. tls: the connection is encrypted already (direct TLS, ALPN xmpp-client). ctx is for STARTTLS:
 * called when needed, returns a reference or NULL when there is no certificate. */
void c2s_accept(struct shard *s, struct conn *c, bool tls, struct tls_ctx *(*ctx)(void));

#endif

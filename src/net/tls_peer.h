/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* TLS between servers (RFC 6120 §13.7, XEP-0178 1.2): both sides show certificates, and what was shown is judged here: PKIX names
 * (RFC 9525: dNSName, SRVName of RFC 4985; xmppAddr of RFC 6120 §13.7.1.4) or DANE (RFC 7673). The handshake itself refuses no
 * certificate: what follows from it is the stream's decision. */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include "net/conn.h"
#include "net/resolver.h"

/* A context with the certificates of base, also those of its other names, that asks the peer for its own. ca_file: PEM with trusted
 * roots; empty: the system's. client: for connections that we open. Returns 0; -errno with a sentence in err. */
int tls_peer_ctx_new(struct tls_ctx *base, const char *ca_file, bool client, struct tls_ctx **out, char *err, size_t err_n);

/* The client's handshake of a local domain with the server of another. place: for its TLSA records and whether ALPN is due (direct
 * TLS). Returns 0; -errno. */
int tls_peer_connect(struct conn *c, struct tls_ctx *ctx, const char *local, const char *domain, const struct resolver_place *place);

enum tls_proof {
	TLS_PROOF_NONE,	    /* no certificate, or its chain is not trusted */
	TLS_PROOF_OTHER,    /* good, but for another name */
	TLS_PROOF_PKIX,	    /* good, for this domain */
	TLS_PROOF_DANE,	    /* as the domain's TLSA records say */
};
/* What the peer's certificate proves of this domain (as in JIDs). out_why: words for the log, static; may be NULL. */
enum tls_proof tls_peer_proof(const struct conn *c, const char *domain, const char **out_why);

#endif

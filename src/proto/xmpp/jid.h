/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Addresses: RFC 7622 (RFC 6122 profiles by libidn: nodeprep, nameprep, resourceprep). A jid borrows its bytes. */
#ifndef PROTO_XMPP_JID_H
#define PROTO_XMPP_JID_H

#include "base/arena.h"

enum { JID_PART_MAX = 1023 };

/* full is the normalised text "node@domain/resource"; node and resource may be absent. An empty jid has full.n == 0. */
struct jid {
	struct str full;
	uint16_t node_n;   /* 0: no node */
	uint16_t domain_n;
};

#define JID_NONE ((struct jid){ STR_NONE, 0, 0 })

static inline struct str jid_node(struct jid j)
{
	return (struct str){ j.full.p, j.node_n };
}
static inline size_t jid_bare_len(struct jid j)
{
	return (j.node_n ? j.node_n + 1u : 0u) + j.domain_n;
}
static inline struct str jid_domain(struct jid j)
{
	return (struct str){ j.full.p + (j.node_n ? j.node_n + 1u : 0u), j.domain_n };
}
static inline struct str jid_bare_str(struct jid j)
{
	return (struct str){ j.full.p, jid_bare_len(j) };
}
static inline struct str jid_resource(struct jid j)
{
	size_t b = jid_bare_len(j);

	return j.full.n > b + 1 ? (struct str){ j.full.p + b + 1, j.full.n - b - 1 } : STR_NONE;
}
static inline struct jid jid_bare(struct jid j) /* shares the bytes */
{
	return (struct jid){ jid_bare_str(j), j.node_n, j.domain_n };
}
static inline bool jid_is_bare(struct jid j)
{
	return j.full.n == jid_bare_len(j);
}
static inline bool jid_eq(struct jid a, struct jid b)
{
	return str_eq(a.full, b.full);
}
static inline bool jid_bare_eq(struct jid a, struct jid b)
{
	return str_eq(jid_bare_str(a), jid_bare_str(b));
}

/* Parses and normalises any peer's text. Plain lower-case ASCII takes a fast path without libidn.
 * Returns 0 and a jid in the arena; -EBADMSG for anything that RFC 7622 §3 refuses. */
int jid_parse(struct arena *a, struct str text, struct jid *out);
/* Takes bytes that jid_parse made before (a stored or already routed address): no check, no copy. */
struct jid jid_trust(struct str full);
/* Builds from normalised parts (any may be empty but domain). */
struct jid jid_make(struct arena *a, struct str node, struct str domain, struct str resource);
struct jid jid_dup(struct jid j); /* malloc'ed bytes in full.p, NUL-terminated: free((void *)j.full.p) */
struct jid jid_copy(struct arena *a, struct jid j);
/* Normalises one part alone. Return 0; -EBADMSG. */
int jid_nodeprep(struct arena *a, struct str in, struct str *out);
int jid_nameprep(struct arena *a, struct str in, struct str *out);
int jid_resourceprep(struct arena *a, struct str in, struct str *out);

/* The A-label form (RFC 5890) of a normalised domain, for what knows ASCII names only: DNS, TLS, HTTP. An address stays as it is.
 * Returns 0; -EBADMSG no such form. */
int jid_domain_to_ascii(struct arena *a, struct str domain, struct str *out);

/* XEP-0106 is left to clients. */
#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Other servers (RFC 6120 §4, XEP-0220 1.1.1): streams that they open and that we open, and the queues of stanzas to them.
 * A remote domain belongs to the shard that shard_of gives for its name: its queues and streams are touched there only. */
#ifndef XMPP_S2S_H
#define XMPP_S2S_H

#include "core/pipeline.h"
#include "net/tls_peer.h"

extern const struct option s2s_options[];

/* What all shards share; lives as long as they. The certificates in force: a reference, or NULL. */
struct s2s_shared {
	struct tls_ctx *(*server_tls)(void);
	struct tls_ctx *(*client_tls)(void);
	char secret[65]; /* of dialback keys (XEP-0185), hex: s2s_secret makes it */
};
void s2s_secret(struct s2s_shared *shared);

/* In each shard, behind core_start: takes the queue of earlier runs up. Returns 0; -EINVAL: s2s.nameserver is none. */
int s2s_start(struct core *c, const struct s2s_shared *shared);
/* When the shard's thread has ended, before core_free. */
void s2s_free(struct core *c);
/* A fresh connection of another server. tls: encrypted already (direct TLS). */
void s2s_accept(struct shard *s, struct conn *c, bool tls);
/* For env->remote. */
void s2s_route(struct core *c, struct transit *t);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A TCP connection, plain or TLS, owned by one shard; it can move to another with all its state (docs/decisions).
 * Output is collected and leaves in one TLS write and one system call at the end of the turn. Nagle is off. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/arena.h"
#include "loop/shard.h"
#include "net/tls.h"

struct conn;

enum conn_alpn { ALPN_NONE, ALPN_XMPP_CLIENT, ALPN_HTTP11, ALPN_XMPP_SERVER };

enum {
	CONN_OUT_MAX = 4 << 20,	   /* bytes a peer may leave unread before the connection is dropped */
	CONN_OUT_HIGH = 256 << 10, /* over this the owner stops producing what can wait (history, files) */
	CONN_HANDSHAKE_MS = 30000, /* slow-loris: time for TLS */
};

/* What the owner gets told. All run in the connection's shard; conn_close may be called inside each. */
struct conn_handler {
	/* Plain bytes arrived; valid during the call. Bytes that the handler cannot take yet: conn_pause, keep them. */
	void (*on_data)(struct conn *c, struct str bytes);
	/* TLS is up (conn_alpn, conn_tls_* can be asked). NULL: not interested. */
	void (*on_tls)(struct conn *c);
	/* Output fell under CONN_OUT_HIGH after it was over it, or the queued files have left. NULL: not interested. */
	void (*on_drain)(struct conn *c);
	/* The connection is gone; err 0 for an orderly end, -errno otherwise. The owner drops its pointer; the conn frees itself. */
	void (*on_close)(struct conn *c, int err);
};

/* Takes the descriptor (non-blocking is set). Returns the connection, reading. */
struct conn *conn_new(struct shard *s, int fd, const struct conn_handler *h, void *owner);
void conn_handler_set(struct conn *c, const struct conn_handler *h, void *owner);
void *conn_owner(const struct conn *c);
struct shard *conn_shard(const struct conn *c);

/* Begins the server's TLS handshake: at once for a TLS port, or after STARTTLS once output is flushed.
 * Must not be called with plain input pending: STARTTLS injection (the owner closes then). Keeps a reference on ctx. */
int conn_start_tls(struct conn *c, struct tls_ctx *ctx);
bool conn_is_tls(const struct conn *c);
enum conn_alpn conn_tls_alpn(const struct conn *c);
const char *conn_tls_version(const struct conn *c); /* "TLSv1.3"; NULL without TLS */
const char *conn_tls_sni(const struct conn *c);	 /* NULL: none */
/* RFC 9266 tls-exporter: 32 bytes. Returns 0; -ENOTSUP (no TLS, or 1.2 without extended master secret). */
int conn_tls_exporter(struct conn *c, uint8_t out[32]);
/* RFC 5929 tls-server-end-point. Returns 0 and the hash in the arena; -ENOTSUP. */
int conn_tls_end_point(struct conn *c, struct arena *a, struct str *out);

/* RFC 5929 tls-unique: the client's Finished message, in the arena. RFC 9266 leaves it undefined for TLS 1.3, where clients in the field
 * use it all the same; there each handshake is full, so it is as unique. Returns 0; -ENOTSUP (as conn_tls_exporter). */
int conn_tls_unique(struct conn *c, struct arena *a, struct str *out);

/* Appends to the output; leaves at the end of the turn. Over CONN_OUT_MAX the connection is reset (on_close -ENOBUFS). */
void conn_write(struct conn *c, struct str bytes);
struct buf *conn_out(struct conn *c); /* the output buffer itself, for writers; call conn_dirty after */
void conn_dirty(struct conn *c);
size_t conn_out_pending(const struct conn *c);
/* Queues a file range after what was written; sent as the socket takes it. Takes fd. */
void conn_write_file(struct conn *c, int fd, uint64_t offset, uint64_t n);

void conn_pause(struct conn *c);  /* stop reading: backpressure. Counts; each needs one conn_resume */
void conn_resume(struct conn *c);
/* A paused connection hears nothing of its peer; with this it is told (on_close) when the peer has gone, and what was sent before and is
 * unread is lost: for an owner that only waits to answer. */
void conn_hear_hangup(struct conn *c, bool on);
/* Flushes what is queued (at most 5 s), closes TLS and socket; on_close is not called. */
void conn_close(struct conn *c);
void conn_abort(struct conn *c); /* at once; on_close is not called */
/* Idle time out: on_close(-ETIMEDOUT) after in_ms without input. 0: none. */
void conn_idle(struct conn *c, uint64_t in_ms);

/* Moves the connection to another shard: it leaves this loop now (no callback runs here any more), unsent output and
 * unread TLS bytes go along, and `on_moved` runs there with the owner pointer; then reading goes on. The owner object must be
 * reachable by nobody else. Works for the own shard too (on_moved runs by mail). */
void conn_move(struct conn *c, struct shard *to, void (*on_moved)(struct shard *s, struct conn *c, void *owner));
/* The peer's address as text, "127.0.0.1"; without port. */
struct str conn_peer(const struct conn *c);

#endif

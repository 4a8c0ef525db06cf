/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The connection's insides, shared by conn.c, conn_out.c and conn_tls.c only. */
#ifndef NET_CONN_PRIV_H
#define NET_CONN_PRIV_H

#include <netinet/in.h>

#include "base/buf.h"
#include "net/conn.h"
#include "net/counts.h"

enum {
	CONN_CLOSE_MS = 5000,	     /* time for the last output to leave and for the peer to close */
	CONN_LAST_LINGER_MS = 300,   /* the latter, when the server ends: all output has left by then */
	CONN_LINGER_BYTES = 1 << 20, /* input thrown away while closing; more resets the connection */
	CONN_RECORD = 16384,	     /* plain bytes of one TLS record */
	CONN_READS_PER_EVENT = 4,    /* full buffers read before others have their turn */
	CONN_FILE_PER_TURN = 4,	     /* file chunks sent before others have their turn */
};

/* A file that waits for its turn in the output, and what was written after it. */
struct conn_file {
	struct conn_file *next;
	int fd;
	uint64_t offset, left;
	struct buf after;
};

struct conn_move_mail {
	struct mail mail;
	struct conn *conn;
	struct shard *to;
	void (*on_moved)(struct shard *s, struct conn *c, void *owner);
};

/* OPEN → (close) → DRAINING: output leaves → LINGERING: our side is shut, input is thrown away → freed. */
enum conn_state { CONN_OPEN, CONN_DRAINING, CONN_LINGERING };

struct conn {
	struct watch watch;
	struct timer timer; /* handshake, idle or close, whichever is on */
	struct deferred work;
	struct shard *shard;
	const struct conn_handler *h;
	void *owner;
	void *ssl; /* SSL; NULL: plain */
	void *client; /* SSL made for our side of a handshake as the client, until it begins (net/tls_peer) */
	struct tls_ctx *tls;
	struct buf out;
	size_t out_sent; /* of out, already taken by the socket */
	struct conn_file *files;
	struct counts *counts;	       /* of its listener, or NULL */
	struct conn_move_mail *move; /* a move waits for the end of the turn */
	uint64_t last_in_ms; /* or last output, while we do not read */
	uint64_t id;
	uint32_t idle_ms;
	uint32_t lingered; /* input thrown away while closing */
	int32_t cell;	     /* in counts */
	int err;	     /* output failed: reported by the deferred work */
	uint8_t pauses;
	uint8_t calls; /* frames of ours below: it is freed when the last returns */
	uint8_t state; /* enum conn_state */
	uint8_t alpn;
	bool handshaking : 1;
	bool tls_wanted : 1;  /* STARTTLS waits for the plain output to leave */
	bool out_blocked : 1; /* the socket took less than we had: EPOLLOUT */
	bool in_blocked : 1;  /* TLS must write before it can read */
	bool read_more : 1;   /* bytes may wait inside OpenSSL: read without an event */
	bool over_high : 1;
	bool hears_hangup : 1; /* also while paused */
	bool eof : 1;	 /* the peer closed its side */
	bool dead : 1; /* freed when calls is 0 */
	char peer[INET6_ADDRSTRLEN];
	uint8_t peer_n;
};

/* conn.c */
void conn_rewatch(struct conn *c);		/* registers what it waits for */
void conn_fail(struct conn *c, int err);	/* tells the owner and lets go of it */
void conn_enter(struct conn *c);		/* around each call to the owner */
bool conn_leave(struct conn *c);		/* false: c is gone */
bool conn_deliver(struct conn *c, struct str bytes); /* false: stop reading (paused, moving, closed) and do not touch it */
void conn_arm(struct conn *c);			/* sets the timer that its state needs */
void conn_work(struct conn *c);			/* asks for a run at the end of the turn */

/* conn_out.c */
/* Sends what the socket takes. Returns 0; -errno when the connection is broken. */
int conn_flush(struct conn *c);
bool conn_has_out(const struct conn *c);
void conn_out_free(struct conn *c);

/* conn_tls.c */
int conn_tls_begin(struct conn *c);  /* 0; -errno */
int conn_tls_handshake(struct conn *c); /* 0: done; -EAGAIN: more to come; -errno */
/* Reads at most n bytes. Returns their number; 0 end of input; -EAGAIN nothing there; -errno. */
ssize_t conn_tls_read(struct conn *c, char *p, size_t n);
ssize_t conn_tls_write(struct conn *c, const char *p, size_t n); /* bytes taken; -EAGAIN; -errno */
bool conn_tls_has_more(const struct conn *c); /* bytes wait inside OpenSSL */
void conn_tls_shutdown(struct conn *c);	/* sends close_notify */
void conn_tls_free(struct conn *c);

#endif

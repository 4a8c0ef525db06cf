/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Listening sockets. One socket, watched by all shards with EPOLLEXCLUSIVE, so that a taken port is seen at start. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/conn.h"

enum { LISTEN_BACKLOG = 1024, LISTEN_PER_ADDRESS_MAX = 20000 };

struct listener;

/* How a listener's connections begin. on_accept runs in the accepting shard with a fresh connection (no handler yet):
 * it must set one. tls: the handshake was begun already when the port is direct TLS. */
typedef void accept_fn(struct shard *s, struct conn *c, void *arg);

/* Binds ADDRESS:PORT or [V6]:PORT ("127.0.0.1:5222", "[::]:5222", "*:5222" both families). Returns 0;
 * -EADDRINUSE, -EACCES, -EINVAL ... with a sentence for people in err. */
int listener_open(const char *address, struct listener **out, char *err, size_t err_n);
/* The port really bound (for ":0" in tests). */
int listener_port(const struct listener *l);
/* Another limit than LISTEN_PER_ADDRESS_MAX; before listener_serve. */
void listener_per_address(struct listener *l, uint32_t max);
/* Starts accepting in shard s: call once in each shard. */
int listener_serve(struct listener *l, struct shard *s, accept_fn *on_accept, void *arg);
/* Stops accepting in s. Takes NULL. */
void listener_stop(struct listener *l, struct shard *s);
void listener_free(struct listener *l);

#endif

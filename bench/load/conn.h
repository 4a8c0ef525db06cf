/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Bytes of a client: TCP, TLS, and the queue for what the socket refuses. Private to the fleet. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "client.h"

/* Handles an epoll event. */
void conn_event(struct client *c, uint32_t events);

/* Sends now, or keeps what the socket refuses. */
void conn_write(struct client *c, const char *text, size_t len);

/* Begins TLS on the connected socket. */
void conn_start_tls(struct client *c);

/* Ends the connection in the state `state`, telling the scene. */
void conn_end(struct client *c, enum client_state state, const char *why);

/* Called by conn.c: the transport is up (TCP without TLS, or TLS finished). */
void login_transport_up(struct client *c, bool tls);

/* Called by conn.c: a whole stanza arrived. */
void login_stanza(struct client *c, const struct stanza *st);

#endif

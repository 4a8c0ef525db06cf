/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Clients over WebSocket (RFC 7395). */
#ifndef XMPP_WEBSOCKET_H
#define XMPP_WEBSOCKET_H

#include "net/conn.h"
#include "proto/http/http.h"

/* Takes the connection of an upgrade request over and answers 101; early: bytes that came behind the request. Returns 0;
 * else the HTTP status to answer with (400, 405, 426): the connection stays the caller's. */
int websocket_accept(struct shard *s, struct conn *c, const struct http_request *req, struct str early);

#endif

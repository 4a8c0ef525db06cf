/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Input of a stream, whatever carries it: bytes go in, events are pulled one by one, and what comes while the stream waits
 * (busy, or held by backpressure) is kept. Also the end of a stream's life. Uses the verbs of struct stream_link. */
#ifndef XMPP_INPUT_H
#define XMPP_INPUT_H

#include "xmpp/stream.h"

/* Bytes arrived. */
void input_bytes(struct stream *st, struct str bytes);
/* The stream may take input again: what waited is handed over. */
void input_wake(struct stream *st);
/* Closes the connection if it is there. The stream's memory goes at the end of the turn (link->free), or, while it is busy, when it
 * is woken (dead is set meanwhile). */
void input_end(struct stream *st);

/* For transports: the connection's events; the owner is the stream. */
extern const struct conn_handler input_handler;

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stream of a component, jabber:component:accept (XEP-0114 1.6). The connection is not encrypted: it belongs on one machine or one
 * trusted net. Left out: jabber:component:connect.
 *
 *   state       may come                  goes to
 *   HEAD        stream head, to=NAME      HANDSHAKE
 *   HANDSHAKE   <handshake/>              LIVE, in the home shard of the name
 *   LIVE        stanzas                   CLOSED
 */
#ifndef XMPP_COMPONENT_H
#define XMPP_COMPONENT_H

#include "loop/shard.h"
#include "net/conn.h"

/* Takes over an accepted connection. */
void component_accept(struct shard *s, struct conn *conn);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0352 1.0.0 inside core: what an inactive client need not hear now is held back here, before XEP-0198 counts it, and leaves in
 * its order as soon as something of weight does. Of availability only the newest of each sender is kept. */
#ifndef CORE_CSI_H
#define CORE_CSI_H

#include "core/sm.h"

enum {
	CSI_HELD_MAX = 500,
	CSI_HELD_BYTES_MAX = 128 << 10,
};

/* A stanza for an inactive session: true when it is held back. Otherwise what was held has just been sent, and it is to follow.
 * o's bytes are copied, its tail referenced. */
bool csi_hold(struct session *s, struct stanza *st, const struct outgoing *o);
/* Sends what is held back (into the XEP-0198 queue when the link is lost). */
void csi_flush(struct session *s);
/* The client's word. Becoming active flushes. */
void csi_set(struct session *s, bool inactive);
/* The session ends: availability is forgotten; the rest goes where unacknowledged stanzas go. */
void csi_end(struct session *s);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 1.6.1 §4: counters of handled stanzas, which go from 2^32-1 back to 0. */
#ifndef PROTO_XMPP_SM_H
#define PROTO_XMPP_SM_H

#include <stdint.h>

/* How many stanzas lie between the counter values from and to, modulo 2^32. */
uint32_t sm_distance(uint32_t from, uint32_t to);
/* The peer says that it handled h stanzas; acked were acknowledged before and sent were sent in all.
 * Returns 0 and how many are acknowledged anew; -ERANGE if h takes back what was acknowledged or counts what was never sent. */
int sm_ack(uint32_t acked, uint32_t sent, uint32_t h, uint32_t *out_n);

#endif

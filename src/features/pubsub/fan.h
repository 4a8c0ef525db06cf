/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One event to accounts of this server, chosen in each shard by what their sessions want and whether they are there. Private to
 * features/pubsub. */
#ifndef FEATURES_PUBSUB_FAN_H
#define FEATURES_PUBSUB_FAN_H

#include "core/router.h"

enum fan_mode {
	FAN_INTERESTED, /* sessions whose capabilities name the node, and who share their presence with the sender */
	FAN_EITHER,	/* those, or if there are none the address itself */
	FAN_RESOURCE,	/* a full JID, unless FAN_INTERESTED reaches it */
	FAN_AVAILABLE,	/* available sessions of the address whose state is wanted */
};

struct fan_to {
	struct jid jid;
	uint8_t mode;
	uint8_t show; /* FAN_AVAILABLE: bits in the order of pubsub#show-values, 0: any */
};

/* st: from and payload set. node: the name that capabilities must have. Addresses are of this server. */
void fan_out(struct core *c, struct stanza *st, struct str node, const struct fan_to *to, size_t n);
extern const char *const fan_shows[5];

#endif

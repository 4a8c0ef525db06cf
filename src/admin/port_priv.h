/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One request of an import, for the files that read its parts. */
#ifndef ADMIN_PORT_PRIV_H
#define ADMIN_PORT_PRIV_H

#include "account/port.h"
#include "admin/port.h"
#include "base/map.h"

struct import {
	struct admin_call *call;
	struct accounts *ac; /* of its host */
	struct arena *a; /* of the turn in which the batch is made */
	struct store_batch *batch;
	struct str node, owner;
	struct map roster; /* bare JID → struct xml item: what is there and what comes */
	uint64_t roster_ver;
	bool roster_touched;
	uint32_t offline_n;
	bool offline_touched, disable;
	struct map nodes;      /* names of the account's nodes → itself */
	uint64_t node_bytes;   /* what its items count */
	uint64_t last_item;    /* sequence number of the last one */
	bool nodes_touched;
	uint64_t last; /* archive id */
	uint64_t counts[PORT_COUNTS];
	json_t *warnings;
};

void import_warn(struct import *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

enum { IMPORT_SHARD = SHARDS_MAX - 1 }; /* in the archive ids that an import makes: few machines have so many */

/* port_messages.c: <offline-messages/> and <archive/>. */
void import_offline(struct import *im, struct xml *el);
void import_archive(struct import *im, struct xml *el);

/* port_pubsub.c: <pubsub/> of XEP-0227 §4.9. */
void import_nodes(struct import *im, struct xml *el);
void import_items(struct import *im, struct xml *el);
/* A row of kind "pubsub" that is there already. */
void import_known_node(struct import *im, const struct store_item *row);

#endif

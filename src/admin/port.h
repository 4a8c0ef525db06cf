/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0227 1.1 import and export, the side of the store: pieces of one account's XML in and out. The files are the command line's
 * (admin/import.c, admin/export.c), which asks for piece after piece, so that a large file needs little memory anywhere. */
#ifndef ADMIN_PORT_H
#define ADMIN_PORT_H

#include "admin/command_priv.h"
#include "proto/xml/xml.h"

enum {
	PORT_PIECE_BYTES = 256 << 10,	/* of XML in one request; one larger element stands alone */
	PORT_PIECE_ELEMENTS = 2000,
	PORT_PAGE_BYTES = 512 << 10,	/* after which an export's answer ends */
	PORT_WARNINGS_MAX = 50,		/* of one piece */
	PORT_XML_MAX = 200 << 10,	/* of a vCard or one private element: what the server keeps */
	PORT_MESSAGE_MAX = 256 << 10,
	PORT_OFFLINE_MAX = 10000,	/* messages kept for one account */
	PORT_NODES_MAX = 500,		/* nodes of one account */
	PORT_NODE_NAME_MAX = 1000,	/* bytes */
	PORT_ITEM_BYTES_MAX = 240 << 10, /* of an item's payload */
};

/* What is counted: names in the answers. */
enum port_count { PORT_CREDENTIALS, PORT_CONTACTS, PORT_REQUESTS, PORT_VCARDS, PORT_PRIVATE, PORT_BLOCKED, PORT_OFFLINE, PORT_ARCHIVED,
	PORT_NODES, PORT_ITEMS, PORT_COUNTS };
extern const char *const port_count_names[PORT_COUNTS];

#endif

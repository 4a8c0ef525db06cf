/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reads a large document piece by piece: the elements around are told as they open and close, those inside come whole. Sans-I/O, on expat.
 * Refuses DTDs (and with them entities); comments and processing instructions are passed over. For files of an operator. */
#ifndef PROTO_XML_CUTTER_H
#define PROTO_XML_CUTTER_H

#include "proto/xml/xml.h"

enum {
	CUTTER_DEPTH_MAX = 128,
	CUTTER_WHOLE_BYTES_MAX = 1 << 20, /* of one whole element in the document */
	CUTTER_ATTRS_MAX = 64,
};

struct cutter_handler {
	/* An element begins, with its attributes, at this depth (the root: 0), outside of every whole one. Returns 1: what is inside is told
	 * too; 0: it shall come whole; -errno: stop. */
	int (*open)(void *arg, const struct xml *el, int depth);
	/* A whole element. It is over CUTTER_WHOLE_BYTES_MAX when el is NULL. Returns 0; -errno: stop. */
	int (*whole)(void *arg, struct xml *el, int depth);
	/* An element that open said 1 to ends. Returns 0; -errno: stop. */
	int (*close)(void *arg, int depth);
};

struct cutter;
struct cutter *cutter_new(const struct cutter_handler *h, void *arg);
void cutter_free(struct cutter *c);
/* Reads the next bytes; last: the document ends with them. Elements live until the handler returns. Returns 0; -EBADMSG not well-formed;
 * -EPERM restricted XML; -EMSGSIZE too deep or too many attributes; what a handler returned. */
int cutter_feed(struct cutter *c, struct str bytes, bool last);
/* Where the reader stands, from 1. */
unsigned long cutter_line(const struct cutter *c);

#endif

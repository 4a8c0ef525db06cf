/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* From expat's callbacks to trees: shared by the stream reader and xml_parse. Private to proto/xml.
 * Holds the limits and the restrictions of RFC 6120 §11.1; suspends expat behind every event. */
#ifndef PROTO_XML_BUILD_H
#define PROTO_XML_BUILD_H

#include "proto/xml/parser.h"
#include "proto/xml/reader.h"

enum build_got {
	GOT_OPEN = 1 << 0, /* the root's start tag: root, head */
	GOT_STANZA = 1 << 1, /* top, bytes */
	GOT_CLOSE = 1 << 2,
	GOT_SPACE = 1 << 3,
};

struct xml_build {
	struct xml_parser *parser; /* NULL while none is needed */
	const struct xml_limits *limits;
	struct arena *a;
	struct xml *root, *top, *cur, *text; /* text: the run that may still grow */
	struct str default_ns; /* of the root, in the arena; read with root */
	char *head; /* the root's start tag with its declarations only; malloc'ed, NULL before it */
	uint64_t start, end; /* parser offsets of the stanza's start and of the last event's end */
	uint32_t depth; /* open elements, the root included */
	uint32_t elements, ns_bytes, text_cap;
	int error;
	uint8_t got; /* build_got */
	bool suspended;
};

/* Gives b a parser: behind its head, or a fresh one. */
void build_begin(struct xml_build *b);
/* Lets the parser go: back to the thread if it stands between stanzas, else freed. */
void build_end(struct xml_build *b);
/* Hands bytes to expat (n up to 2^30), or goes on behind the last event with n = 0. Returns 0, or the error (also in b->error). */
int build_feed(struct xml_build *b, const char *p, size_t n);
/* Bytes that expat holds and has not reported: of an unfinished tag, or behind the event just reported. */
uint64_t build_pending(const struct xml_build *b);
struct str build_unread(const struct xml_build *b); /* the bytes of the unfinished tag themselves */
uint64_t build_counted(const struct xml_build *b); /* bytes that count against the limit so far */
int build_fail(
	struct xml_build *b, int error); /* refuses what was read so far. Returns the error */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streaming reader of an XMPP stream (RFC 6120 §11, RFC 6120 §4): bytes in, stream head and whole stanzas out. Sans-I/O, on expat.
 * Refuses DTDs, comments, processing instructions and entity references; holds size, depth, attribute and child limits.
 * An idle reader that stands between stanzas can give its parser back (xml_reader_rest) and costs then < 200 bytes. */
#ifndef PROTO_XML_READER_H
#define PROTO_XML_READER_H

#include "proto/xml/xml.h"

struct xml_limits {
	uint32_t stanza_bytes; /* bytes of one stanza on the wire, e.g. 262144 */
	uint32_t depth;	       /* nesting inside a stanza, e.g. 64 */
	uint32_t elements;     /* elements of one stanza, e.g. 4096 */
	uint32_t attrs;	       /* attributes of one element, e.g. 64 */
};

extern const struct xml_limits XML_LIMITS_STREAM; /* after authentication */
extern const struct xml_limits XML_LIMITS_UNAUTH; /* before: 16 KiB */

enum xml_event_kind {
	XML_NONE,	 /* needs more bytes */
	XML_STREAM_OPEN, /* el: the root element with its attributes, no children; "xmlns" is the declared default namespace */
	XML_STANZA,	 /* el: one whole child of the root */
	XML_STREAM_CLOSE,
	XML_SPACE,	 /* white space between stanzas: a keep-alive */
	XML_ERROR,	 /* error says which; the reader is dead */
};

struct xml_event {
	enum xml_event_kind kind;
	struct xml *el;	/* in the arena given to xml_reader_next */
	size_t bytes;	/* wire size of the stanza */
	int error;	/* -EBADMSG not well-formed; -EDOM text between stanzas; -EPERM restricted XML; -EMSGSIZE a limit; -EILSEQ bad UTF-8 or unsupported encoding */
};

struct xml_reader;

struct xml_reader *xml_reader_new(const struct xml_limits *limits); /* limits are borrowed for its life */
void xml_reader_free(struct xml_reader *r);			     /* takes NULL */
void xml_reader_limits(struct xml_reader *r, const struct xml_limits *limits);
/* Begins a new stream on the same connection (after STARTTLS or SASL): forgets the root and all input. */
void xml_reader_restart(struct xml_reader *r);
/* Hands over bytes. They are parsed by xml_reader_next; bytes must stay valid until it answers XML_NONE. */
void xml_reader_feed(struct xml_reader *r, struct str bytes);
/* Next event. Trees are built in the arena, which must not be reset before XML_STANZA, XML_STREAM_OPEN or XML_ERROR was used
 * unless xml_reader_partial() is false: an unfinished stanza keeps its own copy inside the reader. */
void xml_reader_next(struct xml_reader *r, struct arena *a, struct xml_event *out);
/* Bytes fed and not yet parsed (pipelined behind the event just returned). */
struct str xml_reader_rest_input(const struct xml_reader *r);
/* The caller stops pulling events for a while: what was fed and not parsed is copied. Feed more only after the next XML_NONE. */
void xml_reader_keep_input(struct xml_reader *r);
bool xml_reader_partial(const struct xml_reader *r); /* inside an unfinished stanza */
/* Gives the parser's memory back when nothing is half read; it comes back by itself at the next feed.
 * xml_reader_next does so by itself whenever it answers XML_NONE between stanzas. */
void xml_reader_rest(struct xml_reader *r);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Expat parsers, kept per thread between stanzas. A parser that stands inside an open root differs from another only in
 * the root's name and namespace declarations (its "head"), so streams with equal heads take turns on a few parsers and
 * an idle stream owns none. Private to proto/xml; a parser is used by one thread at a time. */
#ifndef PROTO_XML_PARSER_H
#define PROTO_XML_PARSER_H

#include <expat.h>

#include "base/str.h"

enum { XML_NS_SEPARATOR = '\xff' }; /* never a byte of UTF-8 */

struct xml_parser {
	struct xml_parser *next;
	XML_Parser expat;
	char *head; /* NULL: nothing parsed before the owner's bytes */
	uint64_t fed; /* bytes handed to expat, the head included */
};

/* A parser that has read head ("<name xmlns='...'>"), or nothing if head is NULL; handlers are not set. */
struct xml_parser *xml_parser_take(const char *head);
/* Takes back a parser that stands right behind its head or behind whole children of that root. head names a fresh parser's. */
void xml_parser_give(struct xml_parser *p, const char *head);
void xml_parser_free(struct xml_parser *p); /* takes NULL */
/* Expat keeps each name it has met: a parser that met many bytes is to be replaced. */
bool xml_parser_is_worn(const struct xml_parser *p);

#endif

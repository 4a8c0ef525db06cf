/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Stanzas as spans of the received bytes. A splitter, not a parser: it trusts the server to send
 * well-formed XML and looks only for the borders, so that the generator stays cheap.
 */
#ifndef BENCH_STANZA_H
#define BENCH_STANZA_H

#include <stdbool.h>
#include <stddef.h>

enum stanza_kind { STANZA_ELEMENT, STANZA_OPEN, STANZA_CLOSE };

struct stanza {
	enum stanza_kind kind;
	const char *text; /* the whole element, not terminated */
	size_t len;
	size_t head;	  /* bytes of the first tag, with its brackets */
	const char *name; /* of the first tag */
	size_t name_len;
};

struct span {
	const char *text; /* NULL when absent */
	size_t len;
};

/* Finds the next stanza in buf from *pos. Returns 1 and advances *pos; 0 when more bytes are needed. */
int stanza_next(const char *buf, size_t len, size_t *pos, struct stanza *out);

/* Is the first tag's name `name`? */
bool stanza_is(const struct stanza *st, const char *name);

/* The value of an attribute of the first tag, as received (not unescaped). */
struct span stanza_attr(const struct stanza *st, const char *name);

/* Does an attribute of the first tag have this value? */
bool stanza_attr_is(const struct stanza *st, const char *name, const char *value);

/* First occurrence of a string within the stanza, or NULL. */
const char *stanza_find(const struct stanza *st, const char *needle);

/* Text between the first "<NAME...>" and the next "<". */
struct span stanza_text(const struct stanza *st, const char *name);

#endif

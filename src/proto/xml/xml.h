/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XML elements in an arena: build, look up, write. Restricted XML of RFC 6120 §11.
 * Every element knows its namespace by value; prefixes exist only on the wire. */
#ifndef PROTO_XML_XML_H
#define PROTO_XML_XML_H

#include "base/arena.h"
#include "base/buf.h"

struct xml_attr {
	struct xml_attr *next;
	struct str ns;	 /* empty for plain attributes; "xml" for xml:lang and the like */
	struct str name;
	struct str value; /* unescaped */
};

/* A node is an element (name set) or a run of text (name empty). */
struct xml {
	struct str name, ns;
	struct str text; /* of a text node, unescaped */
	struct xml_attr *attrs;
	struct xml *parent, *first, *last, *next;
};

/* Building. Strings are borrowed: they must live as long as the arena (use arena_str for others). */
struct xml *xml_new(struct arena *a, const char *name, const char *ns);
/* Adds a child; ns NULL means the parent's. Returns the child. */
struct xml *xml_add(struct arena *a, struct xml *parent, const char *name, const char *ns);
/* Adds a child with text only. Returns the child. */
struct xml *xml_add_text(struct arena *a, struct xml *parent, const char *name, struct str text);
void xml_text(struct arena *a, struct xml *el, struct str text);
void xml_set(struct arena *a, struct xml *el, const char *name, struct str value);  /* adds or replaces; empty value is kept */
void xml_setf(struct arena *a, struct xml *el, const char *name, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void xml_unset(struct xml *el, const char *name);
void xml_append(struct xml *parent, struct xml *child); /* child must have no parent */
void xml_detach(struct xml *child);
struct xml *xml_copy(struct arena *a, const struct xml *el); /* deep, strings too */

/* Looking up. */
static inline bool xml_is(const struct xml *el, const char *name, const char *ns)
{
	return el && str_is(el->name, name) && str_is(el->ns, ns);
}
struct str xml_get(const struct xml *el, const char *name);	 /* plain attribute; STR_NONE (p NULL) when absent */
struct str xml_lang(const struct xml *el);			 /* xml:lang of the element itself */
/* First child element; ns NULL means the parent's; name NULL means any name in ns. */
struct xml *xml_child(const struct xml *el, const char *name, const char *ns);
struct xml *xml_child_any(const struct xml *el);		 /* first child element or NULL */
struct xml *xml_next(const struct xml *el);			 /* next sibling element or NULL */
struct xml *xml_next_same(const struct xml *el);		 /* next sibling with the same name and namespace */
/* All direct text of the element, joined. */
struct str xml_text_of(struct arena *a, const struct xml *el);
struct str xml_child_text(struct arena *a, const struct xml *el, const char *name, const char *ns); /* STR_NONE if no such child */

#define xml_each(var, el)                                                                          \
	for (struct xml *var = xml_child_any(el); var; var = xml_next(var))

/* Writing. ns_context is the default namespace in force where the bytes will stand (an xmlns is written only where it changes).
 * Output is well-formed for every tree: text is escaped, prefixed attributes other than xml: are given a declaration. */
void xml_write(struct buf *out, const struct xml *el, struct str ns_context);
void xml_write_open(struct buf *out, const struct xml *el, struct str ns_context);    /* "<name ...>" without children */
void xml_write_children(struct buf *out, const struct xml *el);			       /* children only, in el's namespace */
void xml_escape(struct buf *out, struct str s); /* for text and for attributes in single or double quotes */

/* Parses one whole document (a stored value or a WebSocket frame). Same limits as the reader.
 * Returns 0 and the root; -EBADMSG not well-formed; -EPERM restricted (DTD, comment, PI, entity); -EMSGSIZE over a limit. */
int xml_parse(struct arena *a, struct str bytes, struct xml **out);

#endif

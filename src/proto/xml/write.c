/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Writes XML trees (XML 1.0 §2.2, Namespaces in XML 1.0 §6): escaped, namespaces declared where they change. */
#include <stdio.h>

#include "base/utf8.h"
#include "proto/xml/xml.h"

#define NS_XML "http://www.w3.org/XML/1998/namespace"
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

enum {
	IN_TEXT = 1 << 0, /* must be escaped in text */
	IN_VALUE = 1 << 1, /* must be escaped in attribute values */
	CONTROL = 1 << 2, /* XML 1.0 has no way to write it */
	HIGH = 1 << 3, /* part of a sequence that may be invalid */
	LEAD_EF = 1 << 4, /* U+FFFE and U+FFFF begin with it */
};

/* A carriage return would be read back as a line feed, and white space of a value as a space: written as references. */
static const unsigned char CLASS[256] = {
	[0 ... 0x08] = CONTROL,
	['\t'] = IN_VALUE,
	['\n'] = IN_VALUE,
	[0x0b ... 0x0c] = CONTROL,
	['\r'] = IN_TEXT | IN_VALUE,
	[0x0e ... 0x1f] = CONTROL,
	['&'] = IN_TEXT | IN_VALUE,
	['<'] = IN_TEXT | IN_VALUE,
	['>'] = IN_TEXT | IN_VALUE,
	['"'] = IN_VALUE,
	['\''] = IN_VALUE,
	[0x80 ... 0xee] = HIGH,
	[0xef] = HIGH | LEAD_EF,
	[0xf0 ... 0xff] = HIGH,
};

static void put_reference(struct buf *out, char c)
{
	switch (c) {
	case '&': buf_puts(out, "&amp;"); break;
	case '<': buf_puts(out, "&lt;"); break;
	case '>': buf_puts(out, "&gt;"); break;
	case '"': buf_puts(out, "&quot;"); break;
	case '\'': buf_puts(out, "&apos;"); break;
	case '\t': buf_puts(out, "&#9;"); break;
	case '\n': buf_puts(out, "&#10;"); break;
	case '\r': buf_puts(out, "&#13;"); break;
	default: buf_puts(out, REPLACEMENT);
	}
}

/* Writes the sequence at *pos, or U+FFFD for what XML cannot hold. */
static void put_sequence(struct buf *out, struct str s, size_t *pos)
{
	size_t from = *pos;
	int32_t cp = utf8_next(s, pos);

	if (cp < 0)
		*pos = from + 1;
	if (cp < 0 || cp == 0xfffe || cp == 0xffff)
		buf_puts(out, REPLACEMENT);
	else
		buf_put(out, s.p + from, *pos - from);
}

static void escape(struct buf *out, struct str s, unsigned char mask)
{
	size_t pos = 0, from;

	mask |= CONTROL | HIGH;
	while (pos < s.n) {
		for (from = pos; pos < s.n && !(CLASS[(unsigned char)s.p[pos]] & mask); pos++)
			;
		buf_put(out, s.p + from, pos - from);
		if (pos == s.n)
			return;
		if (!(CLASS[(unsigned char)s.p[pos]] & (HIGH | LEAD_EF)))
			put_reference(out, s.p[pos++]);
		else if ((mask & HIGH) && utf8_valid((struct str){ s.p + pos, s.n - pos }))
			mask = (unsigned char)((mask & ~HIGH) |
				LEAD_EF); /* the rest is known good */
		else
			put_sequence(out, s, &pos);
	}
}

void xml_escape(struct buf *out, struct str s)
{
	escape(out, s, IN_TEXT | IN_VALUE);
}

static void put_attr(struct buf *out, struct str prefix, struct str name, struct str value)
{
	buf_putc(out, ' ');
	if (prefix.n) {
		buf_str(out, prefix);
		buf_putc(out, ':');
	}
	buf_str(out, name);
	buf_put(out, "='", 2);
	escape(out, value, IN_VALUE);
	buf_putc(out, '\'');
}

static void put_attrs(struct buf *out, const struct xml_attr *at)
{
	unsigned foreign = 0;
	char prefix[16];

	for (; at; at = at->next) {
		if (!at->ns.n || str_is(at->ns, "xml")) {
			/* A namespace is never an attribute of ours: it would be declared twice. */
			if (at->ns.n || !str_is(at->name, "xmlns"))
				put_attr(out, at->ns, at->name, at->value);
			continue;
		}
		snprintf(prefix, sizeof(prefix), "a%u", foreign++);
		put_attr(out, STR("xmlns"), str_of(prefix), at->ns);
		put_attr(out, str_of(prefix), at->name, at->value);
	}
}

/* The namespace of XML itself cannot be a default namespace; its prefix needs no declaration. */
static bool is_xml_ns(const struct xml *el)
{
	return str_is(el->ns, NS_XML);
}

static void put_name(struct buf *out, const struct xml *el)
{
	if (is_xml_ns(el))
		buf_put(out, "xml:", 4);
	buf_str(out, el->name);
}

static void put_open(struct buf *out, const struct xml *el, struct str ns_context)
{
	buf_putc(out, '<');
	put_name(out, el);
	if (!is_xml_ns(el) && !str_eq(el->ns, ns_context))
		put_attr(out, STR_NONE, STR("xmlns"), el->ns);
	put_attrs(out, el->attrs);
}

static void put_node(struct buf *out, const struct xml *node, struct str ns_context);

static void put_children(struct buf *out, const struct xml *el, struct str ns_context)
{
	for (const struct xml *child = el->first; child; child = child->next)
		put_node(out, child, ns_context);
}

static void put_node(struct buf *out, const struct xml *node, struct str ns_context)
{
	if (!node->name.n) {
		escape(out, node->text, IN_TEXT);
		return;
	}
	put_open(out, node, ns_context);
	if (!node->first) {
		buf_put(out, "/>", 2);
		return;
	}
	buf_putc(out, '>');
	put_children(out, node, is_xml_ns(node) ? ns_context : node->ns);
	buf_put(out, "</", 2);
	put_name(out, node);
	buf_putc(out, '>');
}

void xml_write(struct buf *out, const struct xml *el, struct str ns_context)
{
	put_node(out, el, ns_context);
}

void xml_write_open(struct buf *out, const struct xml *el, struct str ns_context)
{
	put_open(out, el, ns_context);
	buf_putc(out, '>');
}

void xml_write_children(struct buf *out, const struct xml *el)
{
	put_children(out, el, is_xml_ns(el) ? STR_NONE : el->ns);
}

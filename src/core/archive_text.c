/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reads the texts of a message off its bytes. These are what xml_write made of a tree, so that no parser is needed: no
 * comments, no CDATA, '<' and '>' only around tags, a namespace only where it changes. */
#include "core/archive_text.h"

#include "base/must.h"
#include "proto/xmpp/stanza.h"

struct cursor {
	const char *at, *end;
};

/* One character reference, behind its '&'. */
static void reference(struct buf *out, struct cursor *c)
{
	static const struct { const char *name; char c; } names[] = {
		{ "amp;", '&' }, { "lt;", '<' }, { "gt;", '>' }, { "quot;", '"' }, { "apos;", '\'' },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i].name);

		if ((size_t)(c->end - c->at) >= n && memcmp(c->at, names[i].name, n) == 0) {
			buf_putc(out, names[i].c);
			c->at += n;
			return;
		}
	}
	buf_putc(out, ' '); /* white space, which xml_write refers to by number */
	while (c->at < c->end && *c->at != ';' && *c->at != '<')
		c->at++;
	c->at += c->at < c->end && *c->at == ';';
}

static void text(struct buf *out, struct cursor *c)
{
	while (c->at < c->end && *c->at != '<') {
		const char *from = c->at;

		while (c->at < c->end && *c->at != '<' && *c->at != '&')
			c->at++;
		buf_put(out, from, (size_t)(c->at - from));
		if (c->at < c->end && *c->at == '&') {
			c->at++;
			reference(out, c);
		}
	}
	buf_putc(out, '\n');
}

static bool is_text(struct str tag)
{
	struct str rest, name = str_cut(tag, ' ', &rest);

	if (!str_is(name, "body") && !str_is(name, "subject"))
		return false;
	return !memmem(rest.p ? rest.p : "", rest.n, "xmlns=", 6);
}

void archive_text(struct str packed, struct buf *out, struct str ids[2])
{
	struct cursor c;
	struct stanza st;
	int depth = 0;

	if (stanza_unpack(packed, &st))
		return;
	ids[0] = st.id;
	ids[1] = st.origin_id;
	c = (struct cursor){ st.packed_tail.p, st.packed_tail.p + st.packed_tail.n };
	while (c.at < c.end && (c.at = memchr(c.at, '<', (size_t)(c.end - c.at)))) {
		const char *end = memchr(c.at, '>', (size_t)(c.end - c.at));
		struct str tag;

		if (!end)
			return;
		tag = (struct str){ c.at + 1, (size_t)(end - c.at - 1) };
		c.at = end + 1;
		if (tag.n && tag.p[0] == '/')
			depth--;
		else if ((!tag.n || tag.p[tag.n - 1] != '/') && ++depth == 1 && is_text(tag))
			text(out, &c);
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Parses one whole XML document: a WebSocket frame (RFC 7395 §3.3) or a stored value.
 * It is read as the child of a root that is always open, so that no parser is made or reset for it. */
#include <errno.h>
#include <stdlib.h>

#include "proto/xml/build.h"

/* Stored stanzas were escaped and wrapped since the stream's limits let them in. */
static const struct xml_limits LIMITS = {
	.stanza_bytes = 8 * 262144, .depth = 72, .elements = 4224, .attrs = 64
};

static char root[] = "<r>";

enum { DECLARATION_MAX = 128 };

/* The declaration is read by a parser of its own, since it may only stand at the start of one. */
static int check_declaration(struct arena *a, struct str declaration)
{
	struct xml_build b = { .limits = &LIMITS, .a = a };

	build_begin(&b);
	if (build_feed(&b, declaration.p, declaration.n) == 0)
		build_feed(&b, "<r/>", 4);
	build_end(&b);
	free(b.head);
	return b.error;
}

static int skip_declaration(struct arena *a, struct str *bytes)
{
	size_t max = bytes->n < DECLARATION_MAX ? bytes->n : DECLARATION_MAX;
	const char *end;
	size_t n;
	int err;

	if (!str_starts(*bytes, STR("<?xml")))
		return 0;
	end = memmem(bytes->p, max, "?>", 2);
	if (!end)
		return -EBADMSG;
	n = (size_t)(end + 2 - bytes->p);
	err = check_declaration(a, (struct str){ bytes->p, n });
	if (err)
		return err;
	*bytes = (struct str){ bytes->p + n, bytes->n - n };
	return 0;
}

/* Feeds all bytes; more than one element, or none, is no document. */
static int read_document(struct xml_build *b, struct str bytes, struct xml **out_top)
{
	int err = build_feed(b, bytes.p, bytes.n);

	if (err)
		return err;
	if (!(b->got & GOT_STANZA) || b->depth != 1)
		return -EBADMSG;
	*out_top = b->top;
	b->got = 0;
	if (b->suspended)
		err = build_feed(b, NULL, 0);
	if (err)
		return err;
	if (b->got & ~GOT_SPACE || b->depth != 1 || build_pending(b))
		return -EBADMSG;
	return 0;
}

int xml_parse(struct arena *a, struct str bytes, struct xml **out)
{
	struct xml_build b = { .limits = &LIMITS, .a = a, .head = root, .depth = 1 };
	struct xml *top = NULL;
	int err;

	if (!bytes.n)
		return -EBADMSG;
	if (bytes.n > LIMITS.stanza_bytes)
		return -EMSGSIZE;
	err = skip_declaration(a, &bytes);
	if (err || !bytes.n)
		return err ? err : -EBADMSG;
	build_begin(&b);
	err = read_document(&b, bytes, &top);
	if (err && !b.error)
		b.error = err; /* an unfinished parser is not to be used again */
	build_end(&b);
	if (!err)
		*out = top;
	return err;
}

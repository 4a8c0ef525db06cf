/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streaming reader of an XMPP stream (RFC 6120 §4, §11). Between stanzas it owns no parser: see parser.h. */
#include "proto/xml/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "proto/xml/build.h"

enum {
	PIECE_BYTES = 16 * 1024, /* handed to expat at a time, so that its buffer stays small */
	LONG_TAG_BYTES = 2048, /* of a tag without an end: from here on its bytes are held back */
};

const struct xml_limits XML_LIMITS_STREAM = {
	.stanza_bytes = 262144, .depth = 64, .elements = 4096, .attrs = 64
};
const struct xml_limits XML_LIMITS_UNAUTH = {
	.stanza_bytes = 16384, .depth = 16, .elements = 256, .attrs = 32
};

/* Expat reads an unfinished tag again from its start with each piece, so a long tag in small pieces would cost the square of
 * its length. Its bytes wait here until the one that ends it. */
struct hold {
	struct buf bytes;
	char quote; /* of the attribute value they stand in, 0: outside */
};

struct xml_reader {
	struct xml_build b;
	struct hold *hold; /* NULL: nothing is held back */
	struct arena own; /* holds the tree of an unfinished stanza between feeds */
	struct str in; /* fed and not yet handed to expat */
	char *kept; /* our copy of in, see xml_reader_keep_input */
	uint8_t seen; /* bytes of the stream, up to the two that tell the encoding */
	bool closed;
};

struct xml_reader *xml_reader_new(const struct xml_limits *limits)
{
	struct xml_reader *r = mem_zalloc(sizeof(*r));

	r->b.limits = limits;
	return r;
}

static void hold_free(struct xml_reader *r)
{
	if (r->hold)
		buf_free(&r->hold->bytes);
	free(r->hold);
	r->hold = NULL;
}

static void forget(struct xml_reader *r)
{
	const struct xml_limits *limits = r->b.limits;

	build_end(&r->b);
	hold_free(r);
	free(r->b.head);
	free(r->kept);
	arena_fini(&r->own);
	*r = (struct xml_reader){ .b.limits = limits };
}

void xml_reader_free(struct xml_reader *r)
{
	if (!r)
		return;
	forget(r);
	free(r);
}

void xml_reader_limits(struct xml_reader *r, const struct xml_limits *limits)
{
	r->b.limits = limits;
}

void xml_reader_restart(struct xml_reader *r)
{
	forget(r);
}

void xml_reader_feed(struct xml_reader *r, struct str bytes)
{
	must(!r->in.n && !r->b.suspended);
	if (!r->b.error && !r->closed)
		r->in = bytes;
}

void xml_reader_keep_input(struct xml_reader *r)
{
	/* Also what expat took and has not reported: rest_input finds it right before `in`. */
	struct str rest = xml_reader_rest_input(r);
	char *copy = rest.n ? mem_dup(rest.p, rest.n) : NULL;

	free(r->kept);
	r->kept = copy;
	r->in.p = copy ? copy + (rest.n - r->in.n) : NULL;
}

struct str xml_reader_rest_input(const struct xml_reader *r)
{
	size_t back = r->b.suspended ? (size_t)build_pending(&r->b) : 0;

	if (!back)
		return r->in;
	return (struct str){ r->in.p - back, r->in.n + back };
}

bool xml_reader_partial(const struct xml_reader *r)
{
	return r->b.depth >= 2 || (!r->b.suspended && build_pending(&r->b));
}

void xml_reader_rest(struct xml_reader *r)
{
	if (r->b.depth == 1 && !r->in.n && !r->b.suspended && !r->b.got && !build_pending(&r->b))
		build_end(&r->b);
}

/* An unfinished stanza outlives the caller's arena: the tree so far moves into the reader's own. */
static void keep_partial(struct xml_reader *r)
{
	struct xml_build *b = &r->b;
	unsigned levels = 0;

	if (b->depth < 2 || b->a == &r->own)
		return;
	for (const struct xml *el = b->cur; el != b->top; el = el->parent)
		levels++;
	b->top = xml_copy(&r->own, b->top);
	for (b->cur = b->top; levels; levels--)
		b->cur = b->cur->last; /* an open element is its parent's last child */
	if (b->text) {
		b->text = b->cur->last;
		b->text_cap = (uint32_t)b->text->text.n;
	}
	b->a = &r->own;
}

/* RFC 6120 §11.6: UTF-8 without a byte order mark. Expat would go over to UTF-16 by the first two bytes. */
static int check_encoding(struct xml_reader *r)
{
	size_t at = 0;

	if (r->seen == 0) {
		while (r->in.n && memchr(" \t\r\n", *r->in.p, 4))
			r->in.p++, r->in.n--;
		if (!r->in.n)
			return 0;
		if (*r->in.p != '<')
			return *r->in.p == 0 || (unsigned char)*r->in.p >= 0xfe ? -EILSEQ
										: -EBADMSG;
		r->seen = 1;
		at = 1;
	}
	if (r->seen == 1 && r->in.n > at) {
		if (!r->in.p[at])
			return -EILSEQ;
		r->seen = 2;
	}
	return 0;
}

static void set_event(struct xml_reader *r, struct arena *a, struct xml_event *out)
{
	struct xml_build *b = &r->b;

	if (b->got & GOT_OPEN) {
		*out = (struct xml_event){
			.kind = XML_STREAM_OPEN, .el = b->root, .bytes = b->end
		};
		b->got &= ~GOT_OPEN;
	} else if (b->got & GOT_STANZA) {
		*out = (struct xml_event){
			.kind = XML_STANZA, .el = b->top, .bytes = b->end - b->start
		};
		b->got &= ~GOT_STANZA;
		if (b->a == &r->own) {
			out->el = xml_copy(a, b->top);
			arena_fini(&r->own);
		}
	} else {
		*out = (struct xml_event){ .kind = XML_STREAM_CLOSE };
		r->closed = true;
		r->in = STR_NONE;
		build_end(b);
		b->got = 0;
	}
}

/* Bytes up to the ">" that ends a tag, that one included; all of them if none does. Keeps the quote between pieces. */
static size_t tag_bytes(struct str s, char *quote, bool *out_ended)
{
	size_t i = 0;

	*out_ended = false;
	while (i < s.n && !*out_ended) {
		char c = s.p[i++];

		if (*quote)
			*quote = c == *quote ? 0 : *quote;
		else if (c == '"' || c == '\'')
			*quote = c;
		else
			*out_ended = c == '>';
	}
	return i;
}

/* Long and without an end: a tag is waited for; comments, instructions and references are refused anyway. */
static void begin_hold(struct xml_reader *r)
{
	struct str tag = build_unread(&r->b);
	char quote = 0;
	bool ended;

	if (tag.n < 2 || tag.p[0] != '<' || tag.p[1] == '!' || tag.p[1] == '?') {
		build_fail(&r->b, -EPERM);
		return;
	}
	tag_bytes(tag, &quote, &ended);
	must(!ended);
	r->hold = mem_zalloc(sizeof(*r->hold));
	r->hold->quote = quote;
}

/* Takes input until the tag ends or the limit is reached; then expat gets all of it at once. */
static void go_on_holding(struct xml_reader *r)
{
	struct hold *h = r->hold;
	bool ended;
	size_t n = tag_bytes(r->in, &h->quote, &ended);

	buf_put(&h->bytes, r->in.p, n);
	r->in.p += n;
	r->in.n -= n;
	if (!ended && build_counted(&r->b) + h->bytes.n <= r->b.limits->stanza_bytes)
		return;
	build_feed(&r->b, h->bytes.p, h->bytes.n);
	hold_free(r);
}

/* Goes on until something is got or all input is read. */
static void pump(struct xml_reader *r)
{
	struct xml_build *b = &r->b;
	size_t n;

	while (!b->error && !(b->got & ~GOT_SPACE)) {
		if (b->suspended && b->depth == 1 && xml_parser_is_worn(b->parser)) {
			r->in = xml_reader_rest_input(r);
			xml_parser_free(b->parser);
			build_begin(b);
		} else if (b->suspended) {
			build_feed(b, NULL, 0);
			continue;
		}
		if (!r->in.n)
			return;
		if (r->hold) {
			go_on_holding(r);
			continue;
		}
		if (!b->parser)
			build_begin(b);
		n = r->in.n < PIECE_BYTES ? r->in.n : PIECE_BYTES;
		r->in.p += n;
		r->in.n -= n;
		if (build_feed(b, r->in.p - n, n) == 0 && !b->suspended &&
			build_pending(b) >= LONG_TAG_BYTES)
			begin_hold(r);
	}
}

void xml_reader_next(struct xml_reader *r, struct arena *a, struct xml_event *out)
{
	struct xml_build *b = &r->b;

	*out = (struct xml_event){ .kind = XML_NONE };
	b->a = r->own.first ? &r->own : a;
	if (!b->error && !r->closed && r->seen < 2)
		b->error = check_encoding(r);
	if (!b->error && !r->closed)
		pump(r);
	if (b->error) {
		*out = (struct xml_event){ .kind = XML_ERROR, .error = b->error };
		build_end(b);
		hold_free(r);
		arena_fini(&r->own);
		r->in = STR_NONE;
	} else if (b->got & ~GOT_SPACE) {
		set_event(r, a, out);
		b->got &= (uint8_t)~GOT_SPACE; /* the event itself shows that the peer lives */
	} else if (b->got) {
		b->got = 0;
		out->kind = XML_SPACE;
	} else {
		keep_partial(r);
		xml_reader_rest(r);
		free(r->kept);
		r->kept = NULL;
	}
}

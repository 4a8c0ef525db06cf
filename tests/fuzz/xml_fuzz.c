/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XML: the first byte chooses how the rest is split; events must not depend on it, and what was read can be written and read. */
#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "proto/xml/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xml_limits SMALL = {
	.stanza_bytes = 200, .depth = 8, .elements = 16, .attrs = 4
};

/* Two things may depend on the split: a bad tag that also crosses the byte limit may be refused for either fault, and a bad
 * sequence where no letter may stand is refused at its first byte. So errors are told for large limits only, and roughly. */
static void put_event(struct buf *out, const struct xml_event *e, const struct xml_limits *limits)
{
	buf_printf(out, "[%d %d %zu ", e->kind,
		limits == &SMALL	      ? 0
			: e->error == -EILSEQ ? -EBADMSG
					      : e->error,
		e->bytes);
	if (e->el)
		xml_write(out, e->el, STR_NONE);
	buf_puts(out, "]");
}

static struct buf run(struct str text, size_t step, const struct xml_limits *limits)
{
	struct xml_reader *r = xml_reader_new(limits);
	struct buf out = { 0 };
	struct xml_event e = { .kind = XML_NONE };

	for (size_t at = 0; at < text.n && e.kind != XML_ERROR; at += step) {
		size_t n = step < text.n - at ? step : text.n - at;
		char *piece = malloc(n);
		struct arena a;

		memcpy(piece, text.p + at, n);
		arena_init(&a);
		xml_reader_feed(r, (struct str){ piece, n });
		do {
			xml_reader_next(r, &a, &e);
			if (e.kind != XML_NONE && e.kind != XML_SPACE)
				put_event(&out, &e, limits);
		} while (e.kind != XML_NONE && e.kind != XML_ERROR);
		arena_fini(&a);
		free(piece);
	}
	xml_reader_free(r);
	return out;
}

static void same_for_both(struct str text, size_t step, const struct xml_limits *limits)
{
	struct buf whole = run(text, text.n, limits), split = run(text, step, limits);

	must(str_eq(buf_view(&whole), buf_view(&split)));
	buf_free(&whole);
	buf_free(&split);
}

static void written_parses_to_the_same(struct str text)
{
	struct buf once = { 0 }, twice = { 0 };
	struct arena a;
	struct xml *el;

	arena_init(&a);
	if (xml_parse(&a, text, &el) == 0) {
		xml_write(&once, xml_copy(&a, el), STR_NONE);
		must(xml_parse(&a, buf_view(&once), &el) == 0);
		xml_write(&twice, el, STR_NONE);
		must(str_eq(buf_view(&once), buf_view(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
	arena_fini(&a);
}

/* Any bytes at all can be text of a tree. */
static void text_survives(struct str text)
{
	struct buf out = { 0 };
	struct arena a;
	struct xml *el;

	arena_init(&a);
	el = xml_new(&a, "a", "b");
	xml_text(&a, el, text);
	xml_set(&a, el, "c", text);
	xml_write(&out, el, STR_NONE);
	must(xml_parse(&a, buf_view(&out), &el) == 0);
	buf_free(&out);
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text;

	if (size < 2)
		return 0;
	text = (struct str){ (const char *)data + 1, size - 1 };
	same_for_both(text, 1 + data[0] % 64u, &XML_LIMITS_UNAUTH);
	same_for_both(text, 1 + data[0] % 64u, &SMALL);
	written_parses_to_the_same(text);
	text_survives(text);
	return 0;
}

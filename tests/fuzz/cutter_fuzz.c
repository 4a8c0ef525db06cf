/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Documents in pieces (proto/xml/cutter): the first byte chooses how the rest is split; what is told must not depend on it. */
#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "proto/xml/cutter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Elements whose names begin with o are opened, all others come whole. */
static int on_open(void *arg, const struct xml *el, int depth)
{
	struct buf *out = arg;
	bool told = depth == 0 || (el->name.n && el->name.p[0] == 'o');

	if (told) {
		buf_printf(out, "(%d ", depth);
		xml_write_open(out, el, STR_NONE);
	}
	return told;
}

static int on_whole(void *arg, struct xml *el, int depth)
{
	struct buf *out = arg;

	must(el);
	buf_printf(out, "[%d ", depth);
	xml_write(out, el, STR_NONE);
	buf_puts(out, "]");
	return 0;
}

static int on_close(void *arg, int depth)
{
	buf_printf(arg, "%d)", depth);
	return 0;
}

static const struct cutter_handler handler = { on_open, on_whole, on_close };

/* Returns whether it is a document. */
static bool run(struct str text, size_t step, struct buf *out)
{
	struct cutter *c = cutter_new(&handler, out);
	int err = 0;

	for (size_t at = 0; at < text.n && !err; at += step) {
		size_t n = step < text.n - at ? step : text.n - at;
		char *piece = malloc(n);

		memcpy(piece, text.p + at, n);
		err = cutter_feed(c, (struct str){ piece, n }, false);
		free(piece);
	}
	if (!err)
		err = cutter_feed(c, STR_NONE, true);
	must(err <= 0 && cutter_line(c) >= 1);
	cutter_free(c);
	return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, split = { 0 };
	struct str text;
	bool good;

	if (size < 2)
		return 0;
	text = (struct str){ (const char *)data + 1, size - 1 };
	good = run(text, text.n, &whole);
	must(run(text, data[0] % 16 + 1u, &split) == good);
	/* What stands before a fault may be told or not: expat sees it with the bytes it came in. */
	must(!good || str_eq(buf_view(&whole), buf_view(&split)));
	buf_free(&whole);
	buf_free(&split);
	return 0;
}

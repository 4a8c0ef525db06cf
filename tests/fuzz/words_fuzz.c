/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Texts as searches see them, and blocks of their index. The first byte chooses: a text that is its own query, a stored stanza, a block. */
#include "base/must.h"
#include "core/archive_text.h"
#include "store/text_block.h"
#include "store/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A text has all terms that it asks for itself, and matches itself unless it has nothing to look for. */
static void use_text(struct str text)
{
	struct words query = { 0 }, found = { 0 };
	struct term_range ranges[8];
	struct buf terms = { 0 };
	const uint32_t *v;
	size_t n;

	words_fold(&query, text);
	words_fold(&found, text);
	must(words_match(&query, &found));
	words_terms(&found, &terms);
	v = (const uint32_t *)(const void *)terms.p;
	n = words_ranges(&query, ranges, 8);
	must((n == 0) == (words_runs(&query) == 0));
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < terms.n / sizeof(*v) && (v[k] < ranges[i].lo || v[k] > ranges[i].hi))
			k++;
		must(k < terms.n / sizeof(*v));
	}
	buf_free(&terms);
	words_free(&query);
	words_free(&found);
}

static void use_stanza(struct str bytes)
{
	struct str ids[2] = { STR_NONE, STR_NONE };
	struct buf text = { 0 };

	archive_text(bytes, &text, ids);
	if (text.n)
		use_text(buf_view(&text));
	buf_free(&text);
}

static void use_block(struct str bytes)
{
	static const uint32_t terms[] = { 3, 70, 1000000 };
	struct text_cursor c = text_read(1, bytes);
	struct buf rows = { 0 }, out = { 0 };
	struct text_entry e;

	while (text_next(&c, &e))
		text_rows(e.postings, 7, &rows);
	text_block_edit(1, bytes, 5, (struct text_terms){ terms, 2 }, (struct text_terms){ terms + 1, 2 }, &out);
	buf_free(&rows);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size ? size - 1 : 0 };

	if (!size)
		return 0;
	if (data[0] == 's')
		use_stanza(rest);
	else if (data[0] == 'b')
		use_block(rest);
	else
		use_text((struct str){ (const char *)data, size });
	return 0;
}

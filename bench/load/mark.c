/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Marks: "@" time ":" who ":" seq in fixed-width hexadecimal, then padding. */
#include "mark.h"

#include <stdio.h>
#include <string.h>

static const char padding[] = "the quick brown fox jumps over the lazy dog and back again, ";

void mark_body(char *out, struct mark m, size_t size)
{
	int n = snprintf(out, MARK_LEN + 1, "@%016llx:%08x:%08x ", (unsigned long long)m.sent_ns, m.who,
			 m.seq);

	for (size_t i = (size_t)n; i < size; i++)
		out[i] = padding[i % (sizeof(padding) - 1)];
	out[size] = '\0';
}

static bool hex(const char *p, int digits, uint64_t *out)
{
	uint64_t v = 0;

	for (int i = 0; i < digits; i++) {
		int c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

bool mark_read(const struct stanza *st, struct mark *out)
{
	const char *p = stanza_find(st, "<body>@");
	uint64_t ns, who, seq;

	if (!p || (size_t)(st->text + st->len - p) < 7 + MARK_LEN)
		return false;
	if (!hex(p + 7, 16, &ns) || !hex(p + 24, 8, &who) || !hex(p + 33, 8, &seq))
		return false;
	*out = (struct mark){ .sent_ns = (int64_t)ns, .who = (uint32_t)who, .seq = (uint32_t)seq };
	return true;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanza borders in a byte stream: tags are counted, quotes in tags are honoured, text is skipped. */
#include "stanza.h"

#include <stdio.h>
#include <string.h>

/* The end (one past '>') of the tag at p, or NULL when it is not complete. */
static const char *tag_end(const char *p, const char *end)
{
	char quote = 0;

	for (; p < end; p++) {
		if (quote) {
			if (*p == quote)
				quote = 0;
		} else if (*p == '\'' || *p == '"') {
			quote = *p;
		} else if (*p == '>') {
			return p + 1;
		}
	}
	return NULL;
}

static void name_of(struct stanza *st)
{
	const char *p = st->name = st->text + (st->text[1] == '/' ? 2 : 1);

	while (*p != ' ' && *p != '>' && *p != '/' && *p != '\n' && *p != '\t')
		p++;
	st->name_len = (size_t)(p - st->name);
}

static const char *skip_between(const char *p, const char *end)
{
	for (;;) {
		while (p < end && *p != '<')
			p++;
		if (end - p < 2 || p[1] != '?')
			return p;
		const char *q = memchr(p, '>', (size_t)(end - p));

		if (!q)
			return end;
		p = q + 1;
	}
}

/* Walks tags from p until the element that starts there is closed; returns its end or NULL. */
static const char *element_end(const char *p, const char *end)
{
	int depth = 0;

	while (p && p < end) {
		const char *close = tag_end(p, end);

		if (!close)
			return NULL;
		if (p[1] == '/')
			depth--;
		else if (close[-2] != '/')
			depth++;
		if (depth == 0)
			return close;
		p = memchr(close, '<', (size_t)(end - close));
	}
	return NULL;
}

int stanza_next(const char *buf, size_t len, size_t *pos, struct stanza *out)
{
	const char *end = buf + len;
	const char *p = skip_between(buf + *pos, end);
	const char *head = tag_end(p, end);
	const char *close;

	if (!head) {
		*pos = (size_t)(p - buf);
		return 0;
	}
	*out = (struct stanza){ .text = p, .head = (size_t)(head - p), .len = (size_t)(head - p) };
	name_of(out);
	if (p[1] == '/') {
		out->kind = STANZA_CLOSE;
		close = head;
	} else if (stanza_is(out, "stream:stream")) {
		out->kind = STANZA_OPEN;
		close = head;
	} else {
		close = element_end(p, end);
	}
	if (!close) {
		*pos = (size_t)(p - buf);
		return 0;
	}
	out->len = (size_t)(close - p);
	*pos = (size_t)(close - buf);
	return 1;
}

bool stanza_is(const struct stanza *st, const char *name)
{
	return st->name_len == strlen(name) && memcmp(st->name, name, st->name_len) == 0;
}

struct span stanza_attr(const struct stanza *st, const char *name)
{
	size_t n = strlen(name);
	const char *p = st->name + st->name_len;
	const char *end = st->text + st->head;

	while (p + n + 2 < end) {
		const char *eq = memchr(p, '=', (size_t)(end - p));

		if (!eq || eq + 1 >= end)
			break;
		const char *quote = memchr(eq + 2, eq[1], (size_t)(end - eq - 2));

		if (!quote)
			break;
		while (p < eq && (*p == ' ' || *p == '\n' || *p == '\t'))
			p++;
		if ((size_t)(eq - p) == n && memcmp(p, name, n) == 0)
			return (struct span){ eq + 2, (size_t)(quote - eq - 2) };
		p = quote + 1;
	}
	return (struct span){ NULL, 0 };
}

bool stanza_attr_is(const struct stanza *st, const char *name, const char *value)
{
	struct span v = stanza_attr(st, name);

	return v.text && v.len == strlen(value) && memcmp(v.text, value, v.len) == 0;
}

const char *stanza_find(const struct stanza *st, const char *needle)
{
	return memmem(st->text, st->len, needle, strlen(needle));
}

struct span stanza_text(const struct stanza *st, const char *name)
{
	char open[32];
	int n = snprintf(open, sizeof(open), "<%s", name);
	const char *end = st->text + st->len;
	const char *p = memmem(st->text, st->len, open, (size_t)n);

	while (p && p + n < end && p[n] != '>' && p[n] != ' ')
		p = memmem(p + n, (size_t)(end - p - n), open, (size_t)n);
	if (!p)
		return (struct span){ NULL, 0 };
	p = memchr(p, '>', (size_t)(end - p));
	if (!p || p[-1] == '/')
		return (struct span){ NULL, 0 };
	const char *q = memchr(p, '<', (size_t)(end - p));

	return q ? (struct span){ p + 1, (size_t)(q - p - 1) } : (struct span){ NULL, 0 };
}

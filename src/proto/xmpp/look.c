/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Looks of nicknames: RFC 3491 folding by libidn, then a table of letters that are drawn alike. A defence against mimicry by a glance,
 * not a full table of Unicode's confusables: one script is told from another, not l from 1. */
#include "proto/xmpp/look.h"

#include <stdlib.h>
#include <stringprep.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"

enum { NICK_ROOM = 4096 };

/* Lower-case letters of Cyrillic and Greek, and what Latin letter they (or their capitals) look like. */
static const struct {
	uint16_t from;
	char to;
} ALIKE[] = {
	{ 0x0131, 'i' }, { 0x0251, 'a' }, { 0x0261, 'g' }, { 0x026a, 'i' }, { 0x03b1, 'a' }, { 0x03b2, 'b' }, { 0x03b5, 'e' },
	{ 0x03b6, 'z' }, { 0x03b7, 'h' }, { 0x03b9, 'i' }, { 0x03ba, 'k' }, { 0x03bc, 'm' }, { 0x03bd, 'v' }, { 0x03bf, 'o' },
	{ 0x03c1, 'p' }, { 0x03c4, 't' }, { 0x03c5, 'u' }, { 0x03c7, 'x' }, { 0x03f2, 'c' }, { 0x03f3, 'j' }, { 0x0430, 'a' },
	{ 0x0432, 'b' }, { 0x0433, 'r' }, { 0x0435, 'e' }, { 0x043a, 'k' }, { 0x043c, 'm' }, { 0x043d, 'h' }, { 0x043e, 'o' },
	{ 0x0440, 'p' }, { 0x0441, 'c' }, { 0x0442, 't' }, { 0x0443, 'y' }, { 0x0445, 'x' }, { 0x044c, 'b' }, { 0x0455, 's' },
	{ 0x0456, 'i' }, { 0x0458, 'j' }, { 0x04ae, 'y' }, { 0x04af, 'y' }, { 0x04bb, 'h' }, { 0x04cf, 'l' }, { 0x0501, 'd' },
	{ 0x051b, 'q' }, { 0x051d, 'w' }, { 0x0578, 'n' }, { 0x057d, 'u' }, { 0x0585, 'o' }, { 0x05d5, 'l' },
};

/* Drawn as nothing, and what combines with the letter before without a letter of its own. */
static const struct {
	int32_t from, to;
} UNSEEN[] = {
	{ 0x20, 0x20 }, { 0xa0, 0xa0 }, { 0xad, 0xad }, { 0x300, 0x36f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
	{ 0x180b, 0x180f }, { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 },
	{ 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xe0000, 0xe0fff },
};

static bool is_unseen(int32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(UNSEEN); i++)
		if (c >= UNSEEN[i].from && c <= UNSEEN[i].to)
			return true;
	return false;
}

static char alike(int32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(ALIKE); i++)
		if (c == ALIKE[i].from)
			return ALIKE[i].to;
	return 0;
}

/* Case and width. What nameprep refuses stays as it is. */
static struct str fold(struct arena *a, struct str nick)
{
	char room[NICK_ROOM];

	if (nick.n >= sizeof(room) / 4)
		return nick;
	memcpy(room, nick.p, nick.n);
	room[nick.n] = '\0';
	return stringprep(room, sizeof(room), 0, stringprep_nameprep) == STRINGPREP_OK ? arena_str(a, str_of(room)) : nick;
}

static void put_look(struct buf *b, struct str s)
{
	size_t pos = 0;

	while (pos < s.n) {
		size_t at = pos;
		int32_t c = utf8_next(s, &pos);
		char latin = alike(c);

		if (c < 0 || pos <= at) { /* cannot be after resourceprep */
			buf_put(b, s.p + at, s.n - at);
			return;
		}
		if (latin)
			buf_putc(b, latin);
		else if (c >= 'A' && c <= 'Z')
			buf_putc(b, (char)(c + ('a' - 'A')));
		else if (!is_unseen(c))
			buf_put(b, s.p + at, pos - at);
	}
}

struct str nick_look(struct arena *a, struct str nick)
{
	struct buf b = { 0 };
	bool ascii = true;
	struct str out;

	for (size_t i = 0; i < nick.n; i++)
		ascii = ascii && (unsigned char)nick.p[i] < 0x80;
	put_look(&b, ascii ? nick : fold(a, nick));
	out = b.n ? arena_str(a, buf_view(&b)) : nick;
	buf_free(&b);
	return out;
}

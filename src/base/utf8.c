/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 3629 UTF-8, by the table of its §4. */
#include "base/utf8.h"

#include <errno.h>

/* Length of a sequence by its lead byte; 0 for bytes that never lead (80-C1, F5-FF). */
static size_t sequence_bytes(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2)
		return 0;
	if (lead < 0xe0)
		return 2;
	if (lead < 0xf0)
		return 3;
	return lead < 0xf5 ? 4 : 0;
}

int32_t utf8_next(struct str s, size_t *pos)
{
	static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p + *pos;
	size_t n;
	int32_t cp;

	if (*pos >= s.n)
		return -EBADMSG;
	n = sequence_bytes(*p);
	if (!n || n > s.n - *pos)
		return -EBADMSG;
	cp = n == 1 ? *p : *p & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -EBADMSG;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return -EBADMSG;
	*pos += n;
	return cp;
}

bool utf8_valid(struct str s)
{
	size_t pos = 0;
	uint64_t word;

	while (pos < s.n) {
		if (s.n - pos >= sizeof(word)) {
			memcpy(&word, s.p + pos, sizeof(word));
			if (!(word & 0x8080808080808080)) {
				pos += sizeof(word);
				continue;
			}
		}
		if (utf8_next(s, &pos) < 0)
			return false;
	}
	return true;
}

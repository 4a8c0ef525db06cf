/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SASLprep, RFC 4013, by libidn. */
#include "crypto/saslprep.h"

#include <errno.h>
#include <stringprep.h>

#include "base/utf8.h"
#include "crypto/random.h"

static bool is_plain_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

int saslprep(struct arena *a, struct str in, enum saslprep_use use, struct str *out)
{
	char text[SASLPREP_MAX + 1];
	int flags = use == SASLPREP_STORED ? STRINGPREP_NO_UNASSIGNED : 0, rc;

	if (in.n > SASLPREP_MAX)
		return -E2BIG;
	if (!in.n || !utf8_valid(in) || memchr(in.p, 0, in.n))
		return -EINVAL;
	if (is_plain_ascii(in)) {
		*out = arena_str(a, in);
		return 0;
	}
	memcpy(text, in.p, in.n);
	text[in.n] = 0;
	rc = stringprep(text, sizeof(text), flags, stringprep_saslprep);
	if (rc == STRINGPREP_OK && !text[0])
		rc = -EINVAL; /* only characters that are mapped to nothing */
	else if (rc == STRINGPREP_OK)
		*out = arena_str(a, str_of(text));
	else
		rc = rc == STRINGPREP_TOO_SMALL_BUFFER ? -E2BIG : -EINVAL;
	wipe(text, sizeof(text));
	return rc;
}

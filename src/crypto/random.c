/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Random bytes, tokens, comparing secrets. */
#include "crypto/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/base64.h"
#include "base/must.h"

void random_bytes(void *out, size_t n)
{
	char *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		must(got > 0 || errno == EINTR);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

struct str random_token(struct arena *a, size_t bytes)
{
	char *p = arena_alloc(a, bytes);

	random_bytes(p, bytes);
	return base64url_encode(a, (struct str){ p, bytes });
}

bool equal_ct(struct str a, struct str b)
{
	volatile unsigned char differ = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differ = (unsigned char)(differ | (a.p[i] ^ b.p[i]));
	return differ == 0;
}

void wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Assertions and helpers shared by all unit tests. */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"

enum { TMPDIRS_MAX = 64 };

static char tmpdirs[TMPDIRS_MAX][64];
static unsigned tmpdir_count;

void unit_assert_str(struct str got, const char *want, const char *file, int line)
{
	if (str_is(got, want))
		return;
	print_error("%s:%d: got  \"%.*s\"\n%s:%d: want \"%s\"\n", file, line, STR_ARG(got), file, line, want);
	_fail(file, line);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	must((c | 32) >= 'a' && (c | 32) <= 'f');
	return (c | 32) - 'a' + 10;
}

struct str unit_hex(struct arena *a, const char *hex)
{
	char *out = arena_alloc(a, strlen(hex) / 2 + 1);
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ' || *hex == '\n')
			continue;
		must(hex[1]);
		out[n++] = (char)(nibble(hex[0]) << 4 | nibble(hex[1]));
		hex++;
	}
	return (struct str){ out, n };
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	remove(path);
	return 0;
}

static void remove_tmpdirs(void)
{
	for (unsigned i = 0; i < tmpdir_count; i++)
		nftw(tmpdirs[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *unit_tmpdir(void)
{
	const char *base = getenv("TMPDIR");
	char *dir = tmpdirs[tmpdir_count];

	must(tmpdir_count < TMPDIRS_MAX);
	if (!tmpdir_count++)
		atexit(remove_tmpdirs);
	snprintf(dir, sizeof(tmpdirs[0]), "%.40s/anser-unit-XXXXXX", base ? base : "/tmp");
	must(mkdtemp(dir));
	return dir;
}

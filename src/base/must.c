/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The end of the process when an assertion fails. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

void must_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "%s:%d: must(%s) failed\n", file, line, cond);
	abort();
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Allocation that ends the process when memory is gone. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p, size_t n)
{
	if (p)
		return p;
	fprintf(stderr, "out of memory: %zu bytes wanted\n", n);
	abort();
}

void *mem_alloc(size_t n)
{
	return or_die(malloc(n ? n : 1), n);
}

void *mem_zalloc(size_t n)
{
	return or_die(calloc(1, n ? n : 1), n);
}

void *mem_realloc(void *p, size_t n)
{
	return or_die(realloc(p, n ? n : 1), n);
}

char *mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s));
}

char *mem_dup(const void *p, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (n)
		memcpy(copy, p, n);
	copy[n] = 0;
	return copy;
}

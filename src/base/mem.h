/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Allocation that never fails: small allocations abort the process when memory is gone. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);			 /* uninitialised; free() it */
void *mem_zalloc(size_t n);			 /* zeroed; free() it */
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
char *mem_dup(const void *p, size_t n); /* copy of n bytes with a NUL after them */

#endif

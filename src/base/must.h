/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Assertions that stay in release builds, for programmer errors only (never for input of a peer). */
#ifndef BASE_MUST_H
#define BASE_MUST_H

/* Ends the process with file, line and condition on standard error. */
_Noreturn void must_failed(const char *cond, const char *file, int line);

#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

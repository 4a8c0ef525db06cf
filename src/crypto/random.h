/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Random bytes of the kernel, tokens, and comparing secrets. Any thread. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/arena.h"

void random_bytes(void *out, size_t n); /* never fails (aborts) */
/* base64url text of so many random bytes: 16 bytes give 22 characters. */
struct str random_token(struct arena *a, size_t bytes);
/* Compares in a time that depends on the lengths only. */
bool equal_ct(struct str a, struct str b);
/* Overwrites a secret that is no longer needed; the compiler may not leave it out. */
void wipe(void *p, size_t n);

#endif

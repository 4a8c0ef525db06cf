/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SASLprep, RFC 4013, for passwords. Any thread. */
#ifndef CRYPTO_SASLPREP_H
#define CRYPTO_SASLPREP_H

#include "base/arena.h"

enum { SASLPREP_MAX = 1024 }; /* bytes, before and after */

/* SASLPREP_STORED: of a new password, unassigned code points are refused (RFC 3454 §7). */
enum saslprep_use { SASLPREP_QUERY, SASLPREP_STORED };

/* Returns 0 and the prepared text in the arena; -EINVAL forbidden characters, bad UTF-8 or nothing left; -E2BIG too long. */
int saslprep(struct arena *a, struct str in, enum saslprep_use use, struct str *out);

#endif

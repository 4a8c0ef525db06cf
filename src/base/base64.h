/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 4648 base64 (§4), base64url without padding (§5), base32 without padding (§6) and hex (§8). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/arena.h"

struct str base64_encode(struct arena *a, struct str in);
/* Strict: padding and alphabet as §4, no white space. Returns 0 and the bytes in the arena; -EBADMSG. */
int base64_decode(struct arena *a, struct str in, struct str *out);
struct str base64url_encode(struct arena *a, struct str in);
int base64url_decode(struct arena *a, struct str in, struct str *out);
struct str base32_encode(struct arena *a, struct str in); /* upper case */
struct str hex_encode(struct arena *a, struct str in); /* lower case */
int hex_decode(struct arena *a, struct str in, struct str *out);

#endif

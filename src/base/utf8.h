/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 3629 UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/str.h"

bool utf8_valid(struct str s); /* no overlong forms, surrogates, or code points over U+10FFFF */
/* Decodes one code point at *pos and moves it on. Returns it, or -EBADMSG. */
int32_t utf8_next(struct str s, size_t *pos);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Borrowed bytes with a length. Not NUL-terminated unless said; p may be NULL when n is 0. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *s)
{
	return (struct str){ s, s ? strlen(s) : 0 };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *s)
{
	return str_eq(a, str_of(s));
}

static inline bool str_empty(struct str a)
{
	return a.n == 0;
}

bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
int str_cmp(struct str a, struct str b);		 /* bytewise order; shorter first */
bool str_eq_nocase(struct str a, struct str b);		 /* ASCII only */
struct str str_trim(struct str s);			 /* without ASCII white space at both ends */
/* Splits s at the first sep: returns what stands before it, *rest gets what follows (NONE if no sep). */
struct str str_cut(struct str s, char sep, struct str *rest);
char *str_dup(struct str s);				 /* malloc'ed, NUL-terminated */
/* Reads a whole decimal number. Returns 0; -EBADMSG if not all digits; -ERANGE if over max. */
int str_u64(struct str s, uint64_t max, uint64_t *out);
uint64_t str_hash(struct str s);			 /* keyed with a seed chosen at start (SipHash-1-3) */
/* Hash that is the same in each process: for the choice of shards. FNV-1a, mixed. */
uint64_t str_hash_stable(struct str s);

#endif

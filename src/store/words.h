/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a search compares (XEP-0431 0.2.0 leaves it to the server): letters without case and marks, in runs.
 * A run is a word of an alphabetic script, or an unbroken stretch of a script that is written without spaces (Chinese,
 * Japanese, Korean, Thai ...) or of emoji. A query matches when the text holds each of its words as a word, and each of its
 * stretches anywhere within a stretch: so 天气 is found in 今天天气好. Order between runs does not matter. Any thread. */
#ifndef STORE_WORDS_H
#define STORE_WORDS_H

#include "base/buf.h"
#include "base/str.h"

enum {
	WORDS_QUERY_BYTES_MAX = 1024,
	WORDS_QUERY_RUNS_MAX = 32, /* of one query; a longer one is refused */
	WORDS_TEXT_MAX = 16384,	   /* bytes of one message that are searched */
	WORDS_WORD_MAX = 64,	   /* letters of a word that are compared */
};

/* Folded text: uint32_t code points, a 0 before the first run and behind each. */
struct words {
	struct buf runs;
};

static inline const uint32_t *words_at(const struct words *w)
{
	return (const uint32_t *)(const void *)w->runs.p;
}

/* Folds text, replacing what w held. Bytes that are no UTF-8 part runs. */
void words_fold(struct words *w, struct str text);
void words_free(struct words *w);
/* Number of runs; 0: nothing that could be searched for. */
size_t words_runs(const struct words *w);
/* Whether all runs of the query are in the text. */
bool words_match(const struct words *query, const struct words *text);

/* ---- terms: what an index is asked for; a text that matches has all terms of its query, but not the other way round ---- */

/* Terms of words and of pairs of neighbours. A single letter of a stretch is the beginning of a range of terms. */
struct term_range {
	uint32_t lo, hi; /* inclusive; the same but for a single letter */
};
enum { TERM_WITH = 1, TERM_ID = 2 };
/* Adds uint32_t terms of a text to out; the same one may come twice. */
void words_terms(const struct words *w, struct buf *out);
/* Fills ranges that every match has a term in, at most max. Returns how many. */
size_t words_ranges(const struct words *query, struct term_range *out, size_t max);
/* A term of something else that is looked up whole: TERM_WITH a peer's JID, TERM_ID a message's id. */
uint32_t words_special(int kind, struct str s);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How texts and queries are cut into runs and terms. */
#include "unit.h"

#include "store/words.h"

static bool matches(const char *query, const char *text)
{
	struct words q = { 0 }, t = { 0 };
	struct term_range ranges[64];
	struct buf terms = { 0 };
	const uint32_t *v;
	bool match, all = true;
	size_t n;

	words_fold(&q, str_of(query));
	words_fold(&t, str_of(text));
	match = words_runs(&q) && words_match(&q, &t);
	words_terms(&t, &terms);
	v = (const uint32_t *)(const void *)terms.p;
	n = words_ranges(&q, ranges, 64);
	for (size_t i = 0; i < n; i++) {
		bool any = false;

		for (size_t k = 0; k < terms.n / sizeof(*v); k++)
			any = any || (v[k] >= ranges[i].lo && v[k] <= ranges[i].hi);
		all = all && any;
	}
	assert_true(!match || (n && all)); /* the index never hides a match */
	buf_free(&terms);
	words_free(&q);
	words_free(&t);
	return match;
}

TEST(case_and_marks_do_not_count)
{
	assert_true(matches("STRASSE", "Die Stra\u00dfe ist lang"));
	assert_true(matches("\u0160koda", "skoda"));
	assert_true(matches("skoda", "Sˇ S\u030ckoda"));
	assert_true(matches("\u041c\u041e\u0421\u041a\u0412\u0410", "\u043c\u043e\u0441\u043a\u0432\u0430"));
	assert_true(matches("\u03c3\u03bf\u03c6\u03cc\u03c2", "\u03a3\u039f\u03a6\u039f\u03a3"));
	assert_true(matches("anser", "\uff21\uff4e\uff53\uff45\uff52")); /* full width */
	assert_true(matches("\u30ab\u30e1\u30e9", "\uff76\uff92\uff97")); /* half width */
	assert_true(matches("Vi\u1ec7t", "viet"));
}

TEST(words_are_whole)
{
	assert_true(matches("an", "here is an apple"));
	assert_false(matches("an", "and band ban"));
	assert_false(matches("band", "an"));
	assert_true(matches("foo.bar", "bar and foo"));
	assert_true(matches("x", "x"));
	assert_true(matches("2026", "on 2026-11-22"));
}

TEST(scripts_without_spaces_match_inside)
{
	assert_true(matches("\u4f60\u597d", "\u5927\u5bb6\u4f60\u597d\u554a"));
	assert_true(matches("\u597d", "\u4f60\u597d"));
	assert_false(matches("\u597d\u4f60", "\u4f60\u597d"));
	assert_true(matches("iPhone\u624b\u673a", "\u6211\u7684\u624b\u673a\u662fiphone"));
	assert_true(matches("\u6771\u4eac", "\u6771\u4eac\u90fd"));
	assert_true(matches("\ud55c\uad6d", "\ub300\ud55c\ubbfc\uad6d \ud55c\uad6d\uc5b4"));
	assert_true(matches("\u0e44\u0e17\u0e22", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22"));
	assert_true(matches("\U0001f44d", "well done \U0001f44d\U0001f3fd\U0001f389"));
	assert_true(matches("\U00020000", "a\U00020000b"));
}

TEST(nothing_to_look_for_matches_nothing)
{
	assert_false(matches("", "text"));
	assert_false(matches("  .,;!? \u3002\uff0c", "text . \u3002"));
	assert_false(matches("\xff\xfe", "text"));
	assert_false(matches("\u0301", "e\u0301"));
}

TEST(long_texts_and_words_are_cut)
{
	char *long_word = malloc(WORDS_TEXT_MAX * 2 + 1);

	memset(long_word, 'a', WORDS_TEXT_MAX * 2);
	long_word[WORDS_TEXT_MAX * 2] = '\0';
	assert_true(matches(long_word, long_word));
	assert_false(matches("a", long_word));
	for (size_t i = 1; i < WORDS_TEXT_MAX * 2; i += 2)
		long_word[i] = ' ';
	assert_true(matches("a a a a", long_word));
	free(long_word);
}

UNIT_MAIN(cmocka_unit_test(case_and_marks_do_not_count), cmocka_unit_test(words_are_whole),
	  cmocka_unit_test(scripts_without_spaces_match_inside), cmocka_unit_test(nothing_to_look_for_matches_nothing),
	  cmocka_unit_test(long_texts_and_words_are_cut));

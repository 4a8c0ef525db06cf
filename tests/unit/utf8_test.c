/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 3629: the examples of §7 and the sequences that §3, §4 and §10 forbid. */
#include "unit.h"

#include <errno.h>

#include "base/must.h"
#include "base/utf8.h"

TEST(accepts_the_examples_of_section_7)
{
	assert_true(utf8_valid(STR("A\xE2\x89\xA2\xCE\x91.")));
	assert_true(utf8_valid(STR("\xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4")));
	assert_true(utf8_valid(STR("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E")));
	assert_true(utf8_valid(STR("\xEF\xBB\xBF\xF0\xA3\x8E\xB4")));
	assert_true(utf8_valid(STR_NONE));
	assert_true(utf8_valid(STR("a\0b")));
}

TEST(decodes_the_edges_of_every_length)
{
	static const struct {
		struct str bytes;
		int32_t cp;
	} edges[] = { { STR("\0"), 0 }, { STR("\x7f"), 0x7f }, { STR("\xc2\x80"), 0x80 },
		{ STR("\xdf\xbf"), 0x7ff }, { STR("\xe0\xa0\x80"), 0x800 }, { STR("\xed\x9f\xbf"), 0xd7ff },
		{ STR("\xee\x80\x80"), 0xe000 }, { STR("\xef\xbf\xbf"), 0xffff },
		{ STR("\xf0\x90\x80\x80"), 0x10000 }, { STR("\xf4\x8f\xbf\xbf"), 0x10ffff } };

	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		size_t pos = 0;

		assert_int_equal(utf8_next(edges[i].bytes, &pos), edges[i].cp);
		assert_int_equal(pos, edges[i].bytes.n);
		for (size_t n = 0; n < edges[i].bytes.n; n++) {
			pos = 0;
			assert_int_equal(utf8_next((struct str){ edges[i].bytes.p, n }, &pos), -EBADMSG);
			assert_int_equal(pos, 0);
		}
	}
}

TEST(refuses_overlong_forms_surrogates_and_stray_bytes)
{
	static const struct str bad[] = { STR("\xc0\x80"), STR("\xc1\xbf"), STR("\xe0\x80\x80"),
		STR("\xe0\x9f\xbf"), STR("\xf0\x80\x80\x80"), STR("\xf0\x8f\xbf\xbf"), STR("\xed\xa0\x80"),
		STR("\xed\xbf\xbf"), STR("\xed\xa1\x8c\xed\xbe\xb4"), STR("\xf4\x90\x80\x80"),
		STR("\xf5\x80\x80\x80"), STR("\xf8\x88\x80\x80\x80"), STR("\xfc\x84\x80\x80\x80\x80"),
		STR("\xfe"), STR("\xff"), STR("\x80"), STR("\xbf"), STR("\xc2"), STR("\xe2\x82"),
		STR("\xf0\x9f\x98"), STR("\xc2\xc2"), STR("\xe2\x28\xa1"), STR("\xe2\x82\x28") };
	char padded[32];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(utf8_valid(bad[i]));
		/* The fast path over eight ASCII bytes must not step over it. */
		for (size_t at = 0; at + bad[i].n <= sizeof(padded); at++) {
			memset(padded, 'a', sizeof(padded));
			memcpy(padded + at, bad[i].p, bad[i].n);
			assert_false(utf8_valid((struct str){ padded, sizeof(padded) }));
		}
	}
}

UNIT_MAIN(cmocka_unit_test(accepts_the_examples_of_section_7),
	cmocka_unit_test(decodes_the_edges_of_every_length),
	cmocka_unit_test(refuses_overlong_forms_surrogates_and_stray_bytes));

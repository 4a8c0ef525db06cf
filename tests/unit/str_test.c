/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Borrowed bytes. */
#include "unit.h"

#include <errno.h>

#include "base/str.h"

TEST(compares_bytes_and_lengths)
{
	assert_true(str_eq(STR_NONE, STR("")));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
	assert_true(str_eq_nocase(STR("CoNtent-[Z"), STR("content-[z")));
	assert_false(str_eq_nocase(STR("["), STR("{")));
}

TEST(knows_prefixes_and_suffixes)
{
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_true(str_starts(STR_NONE, STR_NONE));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_ends(STR("abc"), STR("bc")));
	assert_false(str_ends(STR("c"), STR("bc")));
}

TEST(cuts_at_the_first_separator)
{
	struct str rest;

	assert_str(str_cut(STR("a=b=c"), '=', &rest), "a");
	assert_str(rest, "b=c");
	assert_str(str_cut(STR("abc"), '=', &rest), "abc");
	assert_null(rest.p);
	assert_str(str_cut(STR("a="), '=', &rest), "a");
	assert_non_null(rest.p);
	assert_int_equal(rest.n, 0);
	assert_str(str_trim(STR(" \t a b\r\n")), "a b");
	assert_str(str_trim(STR(" \n ")), "");
}

TEST(reads_whole_numbers_only)
{
	uint64_t v = 7;

	assert_int_equal(str_u64(STR("0"), 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(str_u64(STR("18446744073709551615"), UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_int_equal(str_u64(STR("18446744073709551616"), UINT64_MAX, &v), -ERANGE);
	assert_int_equal(str_u64(STR("99999999999999999999999"), UINT64_MAX, &v), -ERANGE);
	assert_int_equal(str_u64(STR("11"), 10, &v), -ERANGE);
	assert_int_equal(str_u64(STR(""), 10, &v), -EBADMSG);
	assert_int_equal(str_u64(STR("+1"), 10, &v), -EBADMSG);
	assert_int_equal(str_u64(STR("1 "), 10, &v), -EBADMSG);
	assert_int_equal(str_u64(STR("99999999999999999999999x"), 10, &v), -EBADMSG);
	assert_int_equal(v, 7);
}

TEST(hashes_differ_in_every_length_and_byte)
{
	char bytes[40] = { 0 };

	for (size_t n = 0; n < sizeof(bytes); n++) {
		uint64_t h = str_hash((struct str){ bytes, n });

		assert_true(h == str_hash((struct str){ bytes, n }));
		assert_true(h != str_hash((struct str){ bytes, n + 1 <= sizeof(bytes) ? n + 1 : 0 }));
		for (size_t i = 0; i < n; i++) {
			bytes[i] ^= (char)0x80;
			assert_true(h != str_hash((struct str){ bytes, n }));
			bytes[i] ^= (char)0x80;
		}
	}
}

TEST(stable_hash_stays_what_it_was)
{
	/* Shards of a stored user depend on it. */
	assert_true(str_hash_stable(STR("alice@example.org")) == str_hash_stable(STR("alice@example.org")));
	assert_true(str_hash_stable(STR("alice@example.org")) != str_hash_stable(STR("alicf@example.org")));
	assert_int_equal(str_hash_stable(STR_NONE), 0xefd01f60ba992926);
}

UNIT_MAIN(cmocka_unit_test(compares_bytes_and_lengths), cmocka_unit_test(knows_prefixes_and_suffixes),
	cmocka_unit_test(cuts_at_the_first_separator), cmocka_unit_test(reads_whole_numbers_only),
	cmocka_unit_test(hashes_differ_in_every_length_and_byte),
	cmocka_unit_test(stable_hash_stays_what_it_was));

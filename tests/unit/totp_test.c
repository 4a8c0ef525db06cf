/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* HOTP (RFC 4226 Appendix D), TOTP (RFC 6238 Appendix B), base32 (RFC 4648 §10). */
#include "unit.h"

#include "base/base64.h"
#include "base/must.h"
#include "crypto/totp.h"

static struct arena a;

#define SECRET_20 STR("12345678901234567890")
#define SECRET_32 STR("12345678901234567890123456789012")
#define SECRET_64 STR("1234567890123456789012345678901234567890123456789012345678901234")

TEST(hotp_of_the_standard)
{
	static const uint32_t values[] = { 755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489 };

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_int_equal(hotp(HASH_SHA1, SECRET_20, i, 6), values[i]);
}

TEST(totp_of_the_standard)
{
	static const struct {
		uint64_t time_s;
		uint32_t sha1, sha256, sha512;
	} rows[] = {
		{ 59, 94287082, 46119246, 90693936 },
		{ 1111111109, 7081804, 68084774, 25091201 },
		{ 1111111111, 14050471, 67062674, 99943326 },
		{ 1234567890, 89005924, 91819424, 93441116 },
		{ 2000000000, 69279037, 90698825, 38618901 },
		{ 20000000000, 65353130, 77737706, 47863826 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t step = totp_step(rows[i].time_s);

		assert_int_equal(hotp(HASH_SHA1, SECRET_20, step, 8), rows[i].sha1);
		assert_int_equal(hotp(HASH_SHA256, SECRET_32, step, 8), rows[i].sha256);
		assert_int_equal(hotp(HASH_SHA512, SECRET_64, step, 8), rows[i].sha512);
	}
}

static struct str code_at(uint64_t step)
{
	return arena_printf(&a, "%06u", hotp(HASH_SHA1, SECRET_20, step, 6));
}

TEST(takes_one_step_before_and_after_and_no_other)
{
	uint64_t now_s = 1700000000, now = totp_step(now_s);

	for (int i = -4; i <= 4; i++) {
		uint64_t step = now + (uint64_t)(int64_t)i;

		assert_int_equal(totp_check(SECRET_20, code_at(step), now_s, 0), i >= -1 && i <= 1 ? step : 0);
	}
	arena_fini(&a);
}

TEST(takes_no_step_twice_and_none_before_a_used_one)
{
	uint64_t now_s = 1700000000, now = totp_step(now_s);

	assert_int_equal(totp_check(SECRET_20, code_at(now), now_s, now - 1), now);
	assert_int_equal(totp_check(SECRET_20, code_at(now), now_s, now), 0);
	assert_int_equal(totp_check(SECRET_20, code_at(now - 1), now_s, now), 0);
	assert_int_equal(totp_check(SECRET_20, code_at(now + 1), now_s, now), now + 1);
	arena_fini(&a);
}

TEST(reads_six_digits_perhaps_in_groups)
{
	uint64_t now_s = 59, now = totp_step(now_s);
	static const char *const bad[] = { "", "28708", "2870822", "287o82", "-87082", "287082\n", "+287082", "287,082" };

	assert_int_equal(totp_check(SECRET_20, STR("287082"), now_s, 0), now);
	assert_int_equal(totp_check(SECRET_20, STR("287 082"), now_s, 0), now);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(totp_check(SECRET_20, str_of(bad[i]), now_s, 0), 0);
	assert_int_equal(totp_check(SECRET_20, STR_NONE, now_s, 0), 0);
}

TEST(base32_of_the_standard)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "f", "MY" }, { "fo", "MZXQ" }, { "foo", "MZXW6" }, { "foob", "MZXW6YQ" }, { "fooba", "MZXW6YTB" },
		{ "foobar", "MZXW6YTBOI" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(base32_encode(&a, str_of(rows[i][0])), rows[i][1]);
	arena_fini(&a);
}

TEST(writes_a_uri_that_no_name_can_break)
{
	assert_str(totp_uri(&a, SECRET_20, STR("a.example"), STR("alice@a.example")),
		"otpauth://totp/a.example:alice%40a.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=a.example");
	assert_str(totp_uri(&a, STR("f"), STR("a&b"), STR("x?secret=y#é")),
		"otpauth://totp/a%26b:x%3Fsecret%3Dy%23%C3%A9?secret=MY&issuer=a%26b");
	arena_fini(&a);
}

UNIT_MAIN(cmocka_unit_test(hotp_of_the_standard), cmocka_unit_test(totp_of_the_standard),
	cmocka_unit_test(takes_one_step_before_and_after_and_no_other),
	cmocka_unit_test(takes_no_step_twice_and_none_before_a_used_one),
	cmocka_unit_test(reads_six_digits_perhaps_in_groups), cmocka_unit_test(base32_of_the_standard),
	cmocka_unit_test(writes_a_uri_that_no_name_can_break));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hashes (FIPS 180-4 examples), HMAC (RFC 2202, RFC 4231), PBKDF2 (RFC 6070, RFC 7914 §11), random, SASLprep (RFC 4013 §3). */
#include "unit.h"

#include <errno.h>

#include "base/base64.h"
#include "base/must.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/saslprep.h"

static struct arena a;

static int teardown(void **state)
{
	arena_fini(&a);
	return 0;
}

static void check(enum hash_alg alg, const uint8_t *digest, const char *hex)
{
	assert_str(hex_encode(&a, (struct str){ (const char *)digest, hash_size(alg) }), hex);
}

static const struct {
	enum hash_alg alg;
	const char *abc, *hmac_jefe;
} vectors[] = {
	{ HASH_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ HASH_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ HASH_SHA512,
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
};

TEST(hashes_and_macs_of_the_standards)
{
	uint8_t out[HASH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		hash(vectors[i].alg, STR("abc"), out);
		check(vectors[i].alg, out, vectors[i].abc);
		hmac(vectors[i].alg, STR("Jefe"), STR("what do ya want for nothing?"), out);
		check(vectors[i].alg, out, vectors[i].hmac_jefe);
	}
	hash(HASH_SHA1, STR_NONE, out);
	check(HASH_SHA1, out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	hmac(HASH_SHA256, STR_NONE, STR_NONE, out);
	check(HASH_SHA256, out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(pieces_hash_like_the_whole)
{
	uint8_t out[HASH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct hash_stream *s = hash_stream_new(vectors[i].alg);

		hash_stream_put(s, STR("a"));
		hash_stream_put(s, STR_NONE);
		hash_stream_put(s, STR("bc"));
		hash_stream_end(s, out);
		check(vectors[i].alg, out, vectors[i].abc);
	}
	hash_stream_free(hash_stream_new(HASH_SHA1));
	hash_stream_free(NULL);
}

TEST(pbkdf2_of_the_standards)
{
	uint8_t out[HASH_MAX];

	pbkdf2(HASH_SHA1, STR("password"), STR("salt"), 1, out);
	check(HASH_SHA1, out, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
	pbkdf2(HASH_SHA1, STR("password"), STR("salt"), 2, out);
	check(HASH_SHA1, out, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
	pbkdf2(HASH_SHA1, STR("password"), STR("salt"), 4096, out);
	check(HASH_SHA1, out, "4b007901b765489abead49d926f721d065a429c1");
	pbkdf2(HASH_SHA256, STR("passwd"), STR("salt"), 1, out);
	check(HASH_SHA256, out, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

TEST(tokens_are_long_url_safe_and_never_the_same)
{
	struct str x = random_token(&a, 16), y = random_token(&a, 16), raw;

	assert_int_equal(x.n, 22);
	assert_int_equal(base64url_decode(&a, x, &raw), 0);
	assert_int_equal(raw.n, 16);
	assert_false(equal_ct(x, y));
	assert_true(equal_ct(x, x));
	assert_true(equal_ct(STR_NONE, STR("")));
	assert_false(equal_ct(STR("ab"), STR("abc")));
	assert_false(equal_ct(STR("abc"), STR("abd")));
}

TEST(saslprep_of_rfc_4013_section_3)
{
	struct str out;

	assert_int_equal(saslprep(&a, STR("I\xc2\xadX"), SASLPREP_STORED, &out), 0);
	assert_str(out, "IX");
	assert_int_equal(saslprep(&a, STR("user"), SASLPREP_STORED, &out), 0);
	assert_str(out, "user");
	assert_int_equal(saslprep(&a, STR("USER"), SASLPREP_STORED, &out), 0);
	assert_str(out, "USER");
	assert_int_equal(saslprep(&a, STR("\xc2\xaa"), SASLPREP_STORED, &out), 0);
	assert_str(out, "a");
	assert_int_equal(saslprep(&a, STR("\xe2\x85\xa8"), SASLPREP_STORED, &out), 0);
	assert_str(out, "IX");
	assert_int_equal(saslprep(&a, STR("\xe5\xaf\x86\xe7\xa0\x81\xc2\xa0x"), SASLPREP_STORED, &out), 0);
	assert_str(out, "\xe5\xaf\x86\xe7\xa0\x81 x");
	/* U+1F980 is younger than Unicode 3.2: unassigned for stringprep. */
	assert_int_equal(saslprep(&a, STR("\xf0\x9f\xa6\x80"), SASLPREP_QUERY, &out), 0);
	assert_str(out, "\xf0\x9f\xa6\x80");
}

TEST(saslprep_refuses_forbidden_text)
{
	static char big[SASLPREP_MAX + 2], growing[SASLPREP_MAX];
	static const struct str bad[] = { STR(""), STR("\x07"), STR("\xd8\xa7" "1"), STR("a\0b"), STR("\xff"),
		STR("\xc2\xad"), STR("\x7f"), STR("\xef\xbf\xbd"), STR("\xee\x80\x80") };
	struct str out = STR("untouched");

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(saslprep(&a, bad[i], SASLPREP_STORED, &out), -EINVAL);
	assert_int_equal(saslprep(&a, STR("\xf0\x9f\xa6\x80"), SASLPREP_STORED, &out), -EINVAL);
	memset(big, 'a', sizeof(big));
	assert_int_equal(saslprep(&a, (struct str){ big, SASLPREP_MAX + 1 }, SASLPREP_STORED, &out), -E2BIG);
	/* U+FDFA becomes 18 characters. */
	for (size_t i = 0; i + 3 <= sizeof(growing); i += 3)
		memcpy(growing + i, "\xef\xb7\xba", 3);
	assert_int_equal(saslprep(&a, (struct str){ growing, sizeof(growing) / 3 * 3 }, SASLPREP_STORED, &out), -E2BIG);
	assert_str(out, "untouched");
	assert_int_equal(saslprep(&a, (struct str){ big, SASLPREP_MAX }, SASLPREP_STORED, &out), 0);
	assert_int_equal(out.n, SASLPREP_MAX);
}

UNIT_MAIN(cmocka_unit_test_teardown(hashes_and_macs_of_the_standards, teardown),
	cmocka_unit_test_teardown(pieces_hash_like_the_whole, teardown),
	cmocka_unit_test_teardown(pbkdf2_of_the_standards, teardown),
	cmocka_unit_test_teardown(tokens_are_long_url_safe_and_never_the_same, teardown),
	cmocka_unit_test_teardown(saslprep_of_rfc_4013_section_3, teardown),
	cmocka_unit_test_teardown(saslprep_refuses_forbidden_text, teardown));

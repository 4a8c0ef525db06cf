/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 4648: the vectors of §10 and what a strict decoder refuses. */
#include "unit.h"

#include <errno.h>

#include "base/base64.h"
#include "base/must.h"

static struct arena a;

static const struct {
	struct str plain;
	const char *base64, *url, *hex;
} vectors[] = {
	{ STR(""), "", "", "" },
	{ STR("f"), "Zg==", "Zg", "66" },
	{ STR("fo"), "Zm8=", "Zm8", "666f" },
	{ STR("foo"), "Zm9v", "Zm9v", "666f6f" },
	{ STR("foob"), "Zm9vYg==", "Zm9vYg", "666f6f62" },
	{ STR("fooba"), "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
	{ STR("foobar"), "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
	{ STR("\xfb\xff\xfe"), "+//+", "-__-", "fbfffe" },
};

TEST(encodes_and_decodes_the_vectors_of_section_10)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct str out;

		assert_str(base64_encode(&a, vectors[i].plain), vectors[i].base64);
		assert_str(base64url_encode(&a, vectors[i].plain), vectors[i].url);
		assert_str(hex_encode(&a, vectors[i].plain), vectors[i].hex);
		assert_int_equal(base64_decode(&a, str_of(vectors[i].base64), &out), 0);
		assert_true(str_eq(out, vectors[i].plain));
		assert_int_equal(base64url_decode(&a, str_of(vectors[i].url), &out), 0);
		assert_true(str_eq(out, vectors[i].plain));
		assert_int_equal(hex_decode(&a, str_of(vectors[i].hex), &out), 0);
		assert_true(str_eq(out, vectors[i].plain));
	}
}

TEST(refuses_what_is_not_base64)
{
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "====", "=", "Zg==Zg==", "Zm9v\n",
		" Zm9v", "Zm-_", "Zh==", "Zm9=", "Z===", "Zm9v====", "\xc3\xa9==" };
	struct str out = STR("untouched");

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(base64_decode(&a, str_of(bad[i]), &out), -EBADMSG);
	assert_str(out, "untouched");
}

TEST(refuses_what_is_not_base64url_or_hex)
{
	static const char *const bad_url[] = { "Z", "Zg==", "Zm+/", "Zh", "Zm9" };
	static const char *const bad_hex[] = { "6", "6g", "0x", "66 " };
	struct str out;

	for (size_t i = 0; i < ARRAY_LEN(bad_url); i++)
		assert_int_equal(base64url_decode(&a, str_of(bad_url[i]), &out), -EBADMSG);
	for (size_t i = 0; i < ARRAY_LEN(bad_hex); i++)
		assert_int_equal(hex_decode(&a, str_of(bad_hex[i]), &out), -EBADMSG);
	assert_int_equal(hex_decode(&a, STR("fBFfFe"), &out), 0);
	assert_true(str_eq(out, STR("\xfb\xff\xfe")));
}

TEST(every_length_comes_back)
{
	char bytes[100];

	for (size_t n = 0; n < sizeof(bytes); n++) {
		struct str in = { bytes, n }, out;

		bytes[n] = (char)(n * 37);
		assert_int_equal(base64_decode(&a, base64_encode(&a, in), &out), 0);
		assert_true(str_eq(in, out));
		assert_int_equal(base64url_decode(&a, base64url_encode(&a, in), &out), 0);
		assert_true(str_eq(in, out));
	}
}

static int teardown(void **state)
{
	arena_fini(&a);
	return 0;
}

UNIT_MAIN(cmocka_unit_test_teardown(encodes_and_decodes_the_vectors_of_section_10, teardown),
	cmocka_unit_test_teardown(refuses_what_is_not_base64, teardown),
	cmocka_unit_test_teardown(refuses_what_is_not_base64url_or_hex, teardown),
	cmocka_unit_test_teardown(every_length_comes_back, teardown));

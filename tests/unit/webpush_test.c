/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Web Push: the numbers of RFC 8291 §5, and tokens that OpenSSL verifies. */
#include "unit.h"

#include <errno.h>

#include "base/base64.h"
#include "crypto/webpush.h"

static struct arena a;

static int teardown(void **state)
{
	arena_fini(&a);
	return 0;
}

static struct str unb64(const char *text)
{
	struct str out;

	assert_int_equal(base64url_decode(&a, str_of(text), &out), 0);
	return out;
}

static const char UA_PUBLIC[] = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
static const char UA_AUTH[] = "BTBZMqHH6r4Tts7J_aSIgg";

static struct webpush_reader reader(void)
{
	struct webpush_reader r;

	memcpy(r.public, unb64(UA_PUBLIC).p, P256_PUBLIC);
	memcpy(r.auth, unb64(UA_AUTH).p, WEBPUSH_AUTH);
	return r;
}

/* RFC 8291 §5 and appendix A. */
TEST(encrypts_the_example_of_the_rfc)
{
	static const char want[] = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
				   "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
				   "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
	struct webpush_reader r = reader();
	struct p256_key sender;
	struct buf out = { 0 };

	memcpy(sender.private, unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw").p, P256_PRIVATE);
	assert_int_equal(p256_derive(&sender), 0);
	assert_memory_equal(sender.public, unb64("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8").p,
		P256_PUBLIC);
	assert_int_equal(webpush_encrypt_as(&sender, (const uint8_t *)unb64("DGv6ra1nlYgDCS1FRnbzlw").p, &r,
				 STR("When I grow up, I want to be a watermelon"), 0, &out), 0);
	assert_int_equal(out.n, 144);
	assert_true(str_is(base64url_encode(&a, buf_view(&out)), want));
	buf_free(&out);
}

TEST(pads_to_hide_the_length_and_stays_within_4096_bytes)
{
	struct webpush_reader r = reader();
	char long_text[WEBPUSH_PLAIN_MAX + 1];
	struct buf one = { 0 }, other = { 0 }, most = { 0 };

	memset(long_text, 'x', sizeof(long_text));
	assert_int_equal(webpush_encrypt(&r, STR("a"), 256, &one), 0);
	assert_int_equal(webpush_encrypt(&r, STR("a longer text"), 256, &other), 0);
	assert_int_equal(one.n, other.n);
	assert_memory_not_equal(one.p, other.p, WEBPUSH_SALT);
	assert_memory_not_equal(one.p + 21, other.p + 21, P256_PUBLIC);
	assert_int_equal(webpush_encrypt(&r, (struct str){ long_text, WEBPUSH_PLAIN_MAX }, 256, &most), 0);
	assert_true(most.n <= 4096);
	assert_int_equal(webpush_encrypt(&r, (struct str){ long_text, sizeof(long_text) }, 256, &most), -EMSGSIZE);
	buf_free(&one);
	buf_free(&other);
	buf_free(&most);
}

TEST(refuses_what_is_no_point_of_the_curve)
{
	struct webpush_reader r = reader();
	struct p256_key zero = { 0 };
	struct buf out = { 0 };

	assert_true(p256_is_public((struct str){ (char *)r.public, P256_PUBLIC }));
	r.public[64] ^= 1;
	assert_false(p256_is_public((struct str){ (char *)r.public, P256_PUBLIC }));
	assert_int_equal(webpush_encrypt(&r, STR("x"), 0, &out), -EINVAL);
	assert_int_equal(out.n, 0);
	r.public[64] ^= 1;
	assert_false(p256_is_public((struct str){ (char *)r.public, P256_PUBLIC - 1 }));
	r.public[0] = 0x02;
	assert_false(p256_is_public((struct str){ (char *)r.public, P256_PUBLIC }));
	assert_int_equal(p256_derive(&zero), -EINVAL);
}

/* RFC 8292 §2: the signature is r and s over "header.body", by the key in k. */
TEST(signs_a_token_that_its_key_verifies)
{
	struct p256_key key;
	struct str value, token, head, body, sig, rest, k;

	p256_new(&key);
	value = vapid_authorization(&a, &key, STR("https://push.example.net"), 1453523768, STR("mailto:push@example.com"));
	assert_true(str_starts(value, STR("vapid t=")));
	token = str_cut((struct str){ value.p + 8, value.n - 8 }, ',', &rest);
	assert_true(str_starts(rest, STR(" k=")));
	k = (struct str){ rest.p + 3, rest.n - 3 };
	assert_true(str_eq(k, base64url_encode(&a, (struct str){ (char *)key.public, P256_PUBLIC })));
	head = str_cut(token, '.', &rest);
	body = str_cut(rest, '.', &sig);
	assert_true(str_is(unb64(arena_str(&a, head).p), "{\"typ\":\"JWT\",\"alg\":\"ES256\"}"));
	assert_true(str_is(unb64(arena_str(&a, body).p),
		"{\"aud\":\"https://push.example.net\",\"exp\":1453523768,\"sub\":\"mailto:push@example.com\"}"));
	assert_int_equal(unb64(arena_str(&a, sig).p).n, 64);
}

UNIT_MAIN(cmocka_unit_test_teardown(encrypts_the_example_of_the_rfc, teardown),
	cmocka_unit_test_teardown(pads_to_hide_the_length_and_stays_within_4096_bytes, teardown),
	cmocka_unit_test_teardown(refuses_what_is_no_point_of_the_curve, teardown),
	cmocka_unit_test_teardown(signs_a_token_that_its_key_verifies, teardown));

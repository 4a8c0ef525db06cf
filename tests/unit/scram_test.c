/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SCRAM: the dialogues of RFC 5802 §5, RFC 7677 §3 and XEP-0474, and what a server must refuse. */
#include "unit.h"

#include "base/base64.h"
#include "base/must.h"
#include "crypto/random.h"
#include "crypto/scram.h"

static struct arena a;
static struct scram_server s;

static int setup(void **state)
{
	arena_init(&a);
	scram_server_init(&s, HASH_SHA256, false, true);
	return 0;
}

static int teardown(void **state)
{
	scram_server_fini(&s);
	arena_fini(&a);
	return 0;
}

static struct str b64(const uint8_t *p, size_t n)
{
	return base64_encode(&a, (struct str){ (const char *)p, n });
}

/* The client's side: ClientProof of a password for an AuthMessage. */
static struct str client_proof(const struct scram_keys *k, struct str password, struct str auth_message)
{
	uint8_t salted[HASH_MAX], client_key[HASH_MAX], stored[HASH_MAX], signature[HASH_MAX];
	size_t n = hash_size(k->alg);

	pbkdf2(k->alg, password, (struct str){ (const char *)k->salt, SCRAM_SALT_BYTES }, k->iterations, salted);
	hmac(k->alg, (struct str){ (char *)salted, n }, STR("Client Key"), client_key);
	hash(k->alg, (struct str){ (char *)client_key, n }, stored);
	hmac(k->alg, (struct str){ (char *)stored, n }, auth_message, signature);
	for (size_t i = 0; i < n; i++)
		client_key[i] ^= signature[i];
	return b64(client_key, n);
}

TEST(proof_of_rfc_5802_section_5)
{
	static const struct str auth = STR("n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
					   "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
					   "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j");
	struct scram_keys k = { .alg = HASH_SHA1, .iterations = 4096 };
	uint8_t salted[HASH_MAX], client_key[HASH_MAX], signature[HASH_MAX];
	struct str salt, proof;

	/* Its salt has 12 bytes, ours 16: the keys are put together by hand. */
	assert_int_equal(base64_decode(&a, STR("QSXCR+Q6sek8bf92"), &salt), 0);
	pbkdf2(HASH_SHA1, STR("pencil"), salt, 4096, salted);
	hmac(HASH_SHA1, (struct str){ (char *)salted, 20 }, STR("Client Key"), client_key);
	hash(HASH_SHA1, (struct str){ (char *)client_key, 20 }, k.stored_key);
	hmac(HASH_SHA1, (struct str){ (char *)salted, 20 }, STR("Server Key"), k.server_key);
	assert_int_equal(base64_decode(&a, STR("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="), &proof), 0);
	assert_true(scram_proof_check(&k, auth, proof, signature));
	assert_str(b64(signature, 20), "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
	assert_false(scram_proof_check(&k, (struct str){ auth.p, auth.n - 1 }, proof, signature));
	assert_false(scram_proof_check(&k, auth, (struct str){ proof.p, 19 }, signature));
	assert_false(scram_proof_check(&k, auth, STR_NONE, signature));
}

static void rfc7677_keys(struct scram_keys *k)
{
	struct str salt;

	assert_int_equal(base64_decode(&a, STR("W22ZaJ0SNY7soEsUEjb6gQ=="), &salt), 0);
	scram_keys_derive_with(HASH_SHA256, 4096, STR("pencil"), (const uint8_t *)salt.p, k);
}

TEST(dialogue_of_rfc_7677_section_3)
{
	struct str user, authzid, out;
	struct scram_keys k;

	rfc7677_keys(&k);
	assert_int_equal(scram_server_first(&s, &a, STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &user, &authzid), SCRAM_OK);
	assert_str(user, "user");
	assert_null(authzid.p);
	/* The look-up of the keys may take a while: the arena of this turn is gone by then. */
	arena_reset(&a);
	assert_int_equal(scram_server_challenge(&s, &a, STR("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"), &k, STR_NONE, &out), SCRAM_OK);
	assert_str(out, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	arena_reset(&a);
	assert_int_equal(scram_server_final(&s, &a, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				 "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), STR_NONE, &out), SCRAM_OK);
	assert_str(out, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	/* Once over, it is over. */
	assert_int_equal(scram_server_final(&s, &a, STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				 "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), STR_NONE, &out), SCRAM_MALFORMED);
}

/* Runs a dialogue of `user` with the given gs2 header, c= data and password; the rest of it is right. */
static enum scram_status talk(const char *gs2, struct str c, struct str password, struct str cb_data)
{
	struct str user, authzid, server_first, out, bare = STR("n=user,r=abc"), without;
	struct scram_keys k, used;
	enum scram_status status;

	scram_keys_derive(s.alg, 1000, STR("right"), &k);
	status = scram_server_first(&s, &a, arena_printf(&a, "%s%s", gs2, bare.p), &user, &authzid);
	if (status)
		return status;
	used = k;
	scram_server_challenge(&s, &a, STR("DEF"), &k, STR_NONE, &server_first);
	without = arena_printf(&a, "c=%.*s,r=abcDEF,x=1", STR_ARG(base64_encode(&a, c)));
	return scram_server_final(&s, &a, arena_printf(&a, "%.*s,p=%s", STR_ARG(without),
		client_proof(&used, password, arena_printf(&a, "%s,%s,%s", bare.p, server_first.p, without.p)).p), cb_data, &out);
}

static void again(enum hash_alg alg, bool plus, bool plus_offered)
{
	scram_server_fini(&s);
	scram_server_init(&s, alg, plus, plus_offered);
}

TEST(every_hash_accepts_the_password_and_refuses_another)
{
	for (enum hash_alg alg = HASH_SHA1; alg <= HASH_SHA512; alg++) {
		again(alg, false, false);
		assert_int_equal(talk("n,,", STR("n,,"), STR("right"), STR_NONE), SCRAM_OK);
		again(alg, false, false);
		assert_int_equal(talk("n,,", STR("n,,"), STR("wrong"), STR_NONE), SCRAM_PROOF);
		again(alg, false, false);
		assert_int_equal(talk("y,,", STR("y,,"), STR("right"), STR_NONE), SCRAM_OK);
	}
}

TEST(channel_binding_must_be_that_of_the_channel)
{
	static const struct str data = STR("\x00\x01 channel"), c = STR("p=tls-exporter,,\x00\x01 channel");

	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=tls-exporter,,", c, STR("right"), data), SCRAM_OK);
	assert_string_equal(s.cb_type, "tls-exporter");
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=tls-exporter,,", c, STR("right"), STR("\x00\x01 Channel")), SCRAM_BINDING_DATA);
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=tls-exporter,,", STR("p=tls-unique,,\x00\x01 channel"), STR("right"), data), SCRAM_BINDING_DATA);
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=tls-exporter,,", c, STR("wrong"), data), SCRAM_PROOF);
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=tls-unknown,,", STR("p=tls-unknown,,"), STR("right"), STR_NONE), SCRAM_BINDING_TYPE);
	again(HASH_SHA256, false, true);
	assert_int_equal(talk("n,,", STR("y,,"), STR("right"), STR_NONE), SCRAM_BINDING_DATA);
}

TEST(flags_must_fit_the_mechanism)
{
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("n,,", STR("n,,"), STR("right"), STR_NONE), SCRAM_BINDING_FLAG);
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("y,,", STR("y,,"), STR("right"), STR_NONE), SCRAM_BINDING_FLAG);
	again(HASH_SHA256, false, true);
	assert_int_equal(talk("p=tls-exporter,,", STR("p=tls-exporter,,"), STR("right"), STR_NONE), SCRAM_BINDING_FLAG);
	again(HASH_SHA256, false, true);
	assert_int_equal(talk("y,,", STR("y,,"), STR("right"), STR_NONE), SCRAM_DOWNGRADE);
	again(HASH_SHA256, true, true);
	assert_int_equal(talk("p=a-type-whose-name-is-longer-than-any,,", STR("x"), STR("right"), STR_NONE), SCRAM_BINDING_TYPE);
}

TEST(names_are_decoded)
{
	struct str user, authzid;

	assert_int_equal(scram_server_first(&s, &a, STR("n,a=b=2Cc,n=\xe9\xb8\xbf=3D=2C=3D2C,r=x,z=ext"), &user, &authzid), SCRAM_OK);
	assert_str(user, "\xe9\xb8\xbf=,=2C");
	assert_str(authzid, "b,c");
}

TEST(refuses_bad_first_messages)
{
	static const struct str bad[] = { STR(""), STR("n"), STR("n,"), STR("n,,"), STR("n,,n=user"), STR("n,,n=user,"),
		STR("n,,n=,r=x"), STR("n,,r=x,n=user"), STR("n,,n=us=er,r=x"), STR("n,,n=us=2c,r=x"), STR("n,,n=user=,r=x"),
		STR("n,,n=user=2,r=x"), STR("n,,n=user,r="), STR("n,,n=user,r=a b"), STR("n,,n=user,r=\xc3\xa9"),
		STR("n,,n=\xff,r=x"), STR("n,,n=a\0b,r=x"), STR("x,,n=user,r=x"), STR("nn,,n=user,r=x"), STR("p,,n=user,r=x"),
		STR("p=,,n=user,r=x"), STR("p=a/b,,n=user,r=x"), STR("n,b=x,n=user,r=x"), STR("n,a=,n=user,r=x"),
		STR("n,,n=user,r=x,"), STR("n,,n=user,r=x,1=x"), STR("n,,n=user,r=x,x="), STR("n,n=user,r=x") };
	static char big[SCRAM_MESSAGE_MAX + 100];
	struct str user = STR("untouched"), authzid;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		again(HASH_SHA256, false, true);
		assert_int_equal(scram_server_first(&s, &a, bad[i], &user, &authzid), SCRAM_MALFORMED);
	}
	assert_int_equal(scram_server_first(&s, &a, STR("n,,m=must,n=user,r=x"), &user, &authzid), SCRAM_EXTENSION);
	assert_int_equal(scram_server_first(&s, &a, STR("n,,n=user,r=x,m=must"), &user, &authzid), SCRAM_EXTENSION);
	memset(big, 'r', sizeof(big));
	memcpy(big, "n,,n=user,r=", 12);
	assert_int_equal(scram_server_first(&s, &a, (struct str){ big, sizeof(big) }, &user, &authzid), SCRAM_MALFORMED);
	assert_int_equal(scram_server_first(&s, &a, (struct str){ big, 12 + SCRAM_NONCE_MAX + 1 }, &user, &authzid), SCRAM_MALFORMED);
	assert_str(user, "untouched");
	assert_int_equal(scram_server_first(&s, &a, (struct str){ big, 12 + SCRAM_NONCE_MAX }, &user, &authzid), SCRAM_OK);
	assert_int_equal(scram_server_first(&s, &a, STR("n,,n=user,r=x"), &user, &authzid), SCRAM_MALFORMED);
}

TEST(refuses_bad_final_messages)
{
	static const struct {
		const char *text;
		enum scram_status status;
	} bad[] = { { "", SCRAM_MALFORMED }, { "c=biws", SCRAM_MALFORMED }, { "c=biws,r=abcDEF", SCRAM_MALFORMED },
		{ "c=biws,r=abcDEF,p", SCRAM_MALFORMED }, { "r=abcDEF,c=biws,p=AAAA", SCRAM_MALFORMED },
		{ "p=AAAA,c=biws,r=abcDEF", SCRAM_MALFORMED }, { "c=biws,r=abcDEF,p=AAAA,x=y", SCRAM_MALFORMED },
		{ "c=biws,r=abcDEF,\xff=x,p=AAAA", SCRAM_MALFORMED }, { "m=x,c=biws,r=abcDEF,p=AAAA", SCRAM_EXTENSION },
		{ "c=biws,r=abcDEF,m=x,p=AAAA", SCRAM_EXTENSION }, { "c=biw,r=abcDEF,p=AAAA", SCRAM_ENCODING },
		{ "c=eSws,r=abcDEF,p=AAAA", SCRAM_BINDING_DATA }, { "c=,r=abcDEF,p=AAAA", SCRAM_BINDING_DATA },
		{ "c=biws,r=abc,p=AAAA", SCRAM_NONCE }, { "c=biws,r=abcDEFG,p=AAAA", SCRAM_NONCE },
		{ "c=biws,r=DEF,p=AAAA", SCRAM_NONCE }, { "c=biws,r=abcDEF,p=A A=", SCRAM_ENCODING },
		{ "c=biws,r=abcDEF,p=AAAA", SCRAM_PROOF }, { "c=biws,r=abcDEF,p=", SCRAM_PROOF } };
	struct str user, authzid, out;
	struct scram_keys k;

	rfc7677_keys(&k);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		again(HASH_SHA256, false, true);
		assert_int_equal(scram_server_final(&s, &a, STR("c=biws,r=abcDEF,p=AAAA"), STR_NONE, &out), SCRAM_MALFORMED);
		again(HASH_SHA256, false, true);
		scram_server_first(&s, &a, STR("n,,n=user,r=abc"), &user, &authzid);
		scram_server_challenge(&s, &a, STR("DEF"), &k, STR_NONE, &out);
		assert_int_equal(scram_server_final(&s, &a, str_of(bad[i].text), STR_NONE, &out), bad[i].status);
		assert_true(str_starts(out, STR("e=")));
		assert_non_null(scram_condition(bad[i].status));
	}
	assert_null(scram_condition(SCRAM_OK));
	assert_string_equal(scram_condition(SCRAM_PROOF), "not-authorized");
}

TEST(unknown_users_look_like_known_ones)
{
	struct scram_keys x, y, other_alg, other_secret;

	scram_keys_fake(HASH_SHA256, 10000, STR("secret"), STR("nobody"), &x);
	scram_keys_fake(HASH_SHA256, 10000, STR("secret"), STR("nobody"), &y);
	assert_memory_equal(&x, &y, sizeof(x));
	scram_keys_fake(HASH_SHA1, 10000, STR("secret"), STR("nobody"), &other_alg);
	scram_keys_fake(HASH_SHA256, 10000, STR("Secret"), STR("nobody"), &other_secret);
	assert_memory_not_equal(x.salt, other_alg.salt, sizeof(x.salt));
	assert_memory_not_equal(x.salt, other_secret.salt, sizeof(x.salt));
	scram_keys_fake(HASH_SHA256, 10000, STR("secret"), STR("nobodz"), &y);
	assert_memory_not_equal(x.salt, y.salt, sizeof(x.salt));
	assert_false(scram_keys_match(&x, STR("")));
}

TEST(keys_have_a_fresh_salt_and_match_their_password_only)
{
	struct scram_keys x, y;

	scram_keys_derive(HASH_SHA512, 1000, STR("right"), &x);
	scram_keys_derive(HASH_SHA512, 1000, STR("right"), &y);
	assert_memory_not_equal(x.salt, y.salt, sizeof(x.salt));
	assert_memory_not_equal(x.stored_key, y.stored_key, sizeof(x.stored_key));
	assert_true(scram_keys_match(&x, STR("right")));
	assert_false(scram_keys_match(&x, STR("Right")));
	assert_false(scram_keys_match(&x, STR_NONE));
}

TEST(advertised_lists_are_hashed_as_in_xep_0474)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", NULL };
	static const char *const types[] = { "tls-server-end-point", "tls-exporter", NULL };
	struct str advertised = scram_advertised(&a, mechanisms, types), user, authzid, out;
	struct scram_keys k;

	assert_str(advertised, "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point");
	assert_str(scram_advertised(&a, mechanisms, NULL), "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS");
	again(HASH_SHA1, false, false);
	scram_keys_derive(HASH_SHA1, 4096, STR("pencil"), &k);
	assert_int_equal(scram_server_first(&s, &a, STR("n,,n=user,r=abc"), &user, &authzid), SCRAM_OK);
	assert_int_equal(scram_server_challenge(&s, &a, STR("DEF"), &k, advertised, &out), SCRAM_OK);
	/* The hash in the XEP's full example, which advertises these lists. */
	assert_true(str_ends(out, STR(",i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=")));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
/* Other passwords with the salt of the first: whichever proves itself, its own ServerSignature comes back. */
TEST(takes_any_password_of_the_account)
{
	static const char *const passwords[] = { "right", "second", "third" };
	struct scram_other others[2];
	struct scram_keys first, k;

	scram_keys_derive(HASH_SHA256, 1000, STR("right"), &first);
	for (size_t i = 0; i < 2; i++) {
		scram_keys_derive_with(HASH_SHA256, 1000, str_of(passwords[i + 1]), first.salt, &k);
		memcpy(others[i].stored_key, k.stored_key, sizeof(k.stored_key));
		memcpy(others[i].server_key, k.server_key, sizeof(k.server_key));
	}
	for (size_t i = 0; i < 3; i++) {
		struct str user, authzid, server_first, out, auth, without = STR("c=biws,r=abcDEF");
		uint8_t signature[HASH_MAX];
		enum scram_status status;

		scram_server_fini(&s);
		scram_server_init(&s, HASH_SHA256, false, false);
		scram_server_first(&s, &a, STR("n,,n=user,r=abc"), &user, &authzid);
		scram_server_challenge(&s, &a, STR("DEF"), &first, STR_NONE, &server_first);
		s.others = others;
		s.others_n = 2;
		scram_keys_derive_with(HASH_SHA256, 1000, str_of(passwords[i]), first.salt, &k);
		auth = arena_printf(&a, "n=user,r=abc,%.*s,%.*s", STR_ARG(server_first), STR_ARG(without));
		status = scram_server_final(&s, &a, arena_printf(&a, "%.*s,p=%s", STR_ARG(without),
			client_proof(&k, str_of(passwords[i]), auth).p), STR_NONE, &out);
		assert_int_equal(status, SCRAM_OK);
		assert_int_equal(s.matched, i);
		hmac(HASH_SHA256, (struct str){ (const char *)k.server_key, 32 }, auth, signature);
		assert_str(out, arena_printf(&a, "v=%s", base64_encode(&a, (struct str){ (const char *)signature, 32 }).p).p);
	}
}

/* XEP-0474 §5.3 and XEP-0515 §4.3: the examples' lists and version. */
TEST(tells_what_was_offered_and_the_tls_version)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", NULL };
	static const char *const types[] = { "tls-server-end-point", "tls-exporter", NULL };
	struct scram_keys k = { .alg = HASH_SHA1, .iterations = 4096 };
	struct str user, authzid, out, offered = scram_advertised(&a, mechanisms, types);

	assert_str(offered, "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point");
	scram_server_fini(&s);
	scram_server_init(&s, HASH_SHA1, true, true);
	s.tls_version = "0304";
	assert_int_equal(scram_server_first(&s, &a, STR("p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"), &user, &authzid),
		SCRAM_OK);
	scram_server_challenge(&s, &a, STR("a09117a6-ac50-4f2f-93f1-93799c2bddf6"), &k, offered, &out);
	assert_str(out, "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6,s=AAAAAAAAAAAAAAAAAAAAAA==,i=4096,"
			"h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304");
}

UNIT_MAIN(T(takes_any_password_of_the_account), T(tells_what_was_offered_and_the_tls_version),
	T(proof_of_rfc_5802_section_5), T(dialogue_of_rfc_7677_section_3),
	T(every_hash_accepts_the_password_and_refuses_another), T(channel_binding_must_be_that_of_the_channel),
	T(flags_must_fit_the_mechanism), T(names_are_decoded), T(refuses_bad_first_messages), T(refuses_bad_final_messages),
	T(unknown_users_look_like_known_ones), T(keys_have_a_fresh_salt_and_match_their_password_only),
	T(advertised_lists_are_hashed_as_in_xep_0474));

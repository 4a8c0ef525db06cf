/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* FAST tokens: XEP-0484's rules of two slots, mechanisms, clients and revocation. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "account_kit.h"
#include "base/clock.h"

#define NONE "HT-SHA-256-NONE"
#define EXPR "HT-SHA-256-EXPR"

struct who {
	const char *client, *mechanism, *token, *cb;
	const char *word; /* what the client signs; NULL: "Initiator" */
};

static int do_issue(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct who *w = arg;

	return fast_issue(ac, s, STR("alice"), str_of(w->client), str_of(w->mechanism), kit_on_token, out);
}

static void ht(const char *token, const char *word, const char *cb, uint8_t *out)
{
	char text[300];
	size_t n = strlen(word);

	memcpy(text, word, n + 1);
	memcpy(text + n, cb, strlen(cb) + 1);
	hmac(HASH_SHA256, str_of(token), str_of(text), out);
}

static int do_verify(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct who *w = arg;
	uint8_t proof[HASH_MAX];
	struct fast_check c = { STR("alice"), str_of(w->client), str_of(w->mechanism), { (const char *)proof, 32 }, str_of(w->cb) };

	ht(w->token, w->word ? w->word : "Initiator", w->cb ? w->cb : "", proof);
	return fast_verify(ac, s, &c, kit_on_checked, out);
}

static int do_revoke(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return fast_revoke(ac, s, STR("alice"), arg ? str_of(arg) : STR_NONE, kit_on_done, out);
}

static void issue(struct kit *k, const char *client, const char *mechanism, char token[64])
{
	struct who w = { .client = client, .mechanism = mechanism };
	struct answer out;

	kit_call(k, do_issue, &w, &out);
	assert_int_equal(out.status, 0);
	assert_int_equal(strlen(out.text), 43); /* 256 bits as base64url */
	assert_true(out.at_ms > clock_wall_ms() + 29ull * 86400000);
	memcpy(token, out.text, 44);
}

static int verify(struct kit *k, const char *client, const char *mechanism, const char *token)
{
	struct who w = { .client = client, .mechanism = mechanism, .token = token };
	struct answer out;

	kit_call(k, do_verify, &w, &out);
	return out.status;
}

static void open_kit(struct kit *k, const char *backend)
{
	assert_int_equal(kit_open(k, backend, unit_tmpdir(), "example.org", false), 0);
	assert_int_equal(kit_create(k, "alice", "correct horse", false), 0);
}

TEST(opens_with_its_token_and_answers_the_client)
{
	struct who w = { "laptop", EXPR, NULL, "channel", NULL };
	uint8_t want[HASH_MAX];
	struct answer out;
	char token[64];
	struct kit k;

	open_kit(&k, "sqlite");
	issue(&k, "laptop", EXPR, token);
	w.token = token;
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, 0);
	ht(token, "Responder", "channel", want);
	assert_memory_equal(out.bytes, want, 32);
	assert_false(out.rotate); /* it is fresh */
	w.cb = "another channel";
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, 0); /* the client signed what the server sees */
	w.word = "Responder";
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, -EACCES);
	kit_close(&k);
}

TEST(refuses_other_clients_mechanisms_and_tokens)
{
	char token[64], other[64];
	struct kit k;

	open_kit(&k, "memory");
	issue(&k, "laptop", EXPR, token);
	issue(&k, "phone", EXPR, other);
	assert_int_equal(verify(&k, "phone", EXPR, token), -EACCES);
	assert_int_equal(verify(&k, "laptop", EXPR, other), -EACCES);
	assert_int_equal(verify(&k, "laptop", NONE, token), -EACCES);
	assert_int_equal(verify(&k, "laptop", "HT-SHA-512-NONE", token), -EACCES);
	assert_int_equal(verify(&k, "", EXPR, token), -EACCES);
	assert_int_equal(verify(&k, "laptop", EXPR, ""), -EACCES);
	assert_int_equal(verify(&k, "laptop", EXPR, token), 0);
	kit_close(&k);
}

TEST(keeps_the_old_token_until_the_new_one_is_used)
{
	char first[64], second[64], third[64];
	struct kit k;

	for (int b = 0; b < 2; b++) {
		open_kit(&k, b ? "sqlite" : "memory");
		issue(&k, "laptop", NONE, first);
		assert_int_equal(verify(&k, "laptop", NONE, first), 0);
		issue(&k, "laptop", NONE, second);
		assert_int_equal(verify(&k, "laptop", NONE, first), 0); /* the reply with the second may be lost */
		issue(&k, "laptop", NONE, third);
		assert_int_equal(verify(&k, "laptop", NONE, second), -EACCES); /* never used, replaced */
		assert_int_equal(verify(&k, "laptop", NONE, first), 0);
		assert_int_equal(verify(&k, "laptop", NONE, third), 0);
		assert_int_equal(verify(&k, "laptop", NONE, third), 0);
		assert_int_equal(verify(&k, "laptop", NONE, first), -EACCES);
		kit_close(&k);
	}
}

TEST(forgets_one_client_or_all)
{
	char laptop[64], phone[64];
	struct answer out;
	struct kit k;

	open_kit(&k, "sqlite");
	issue(&k, "laptop", NONE, laptop);
	issue(&k, "phone", NONE, phone);
	kit_call(&k, do_revoke, (void *)"laptop", &out);
	assert_int_equal(out.status, 0);
	assert_int_equal(verify(&k, "laptop", NONE, laptop), -EACCES);
	assert_int_equal(verify(&k, "phone", NONE, phone), 0);
	kit_call(&k, do_revoke, NULL, &out);
	assert_int_equal(verify(&k, "phone", NONE, phone), -EACCES);
	kit_close(&k);
}

TEST(makes_room_for_a_new_client)
{
	char tokens[FAST_TOKENS_MAX + 1][64], client[32];
	int left = 0;
	struct kit k;

	open_kit(&k, "memory");
	for (int i = 0; i <= FAST_TOKENS_MAX; i++) {
		snprintf(client, sizeof(client), "client %d", i);
		issue(&k, client, NONE, tokens[i]);
	}
	for (int i = 0; i <= FAST_TOKENS_MAX; i++) {
		snprintf(client, sizeof(client), "client %d", i);
		left += verify(&k, client, NONE, tokens[i]) == 0;
	}
	assert_int_equal(left, FAST_TOKENS_MAX);
	assert_int_equal(verify(&k, client, NONE, tokens[FAST_TOKENS_MAX]), 0);
	kit_close(&k);
}

/* Puts a token that is `age` days old into the current slot. */
struct aged {
	int64_t expires_in_ms;
};

static int do_age(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct aged *g = arg;
	struct store_batch *b = store_batch_new();
	struct str value = arena_printf(shard_arena(s), "{\"current\":{\"token\":\"T\",\"mechanism\":\"" NONE "\",\"expires\":%lld}}",
		(long long)((int64_t)clock_wall_ms() + g->expires_in_ms));

	/* SHA-256 of "old" */
	store_put(b, STR("alice@example.org"), STR("fast"),
		STR("cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4"), value);
	return store_commit(ac->store, s, b, kit_on_done, out);
}

TEST(lets_tokens_run_out_and_asks_for_new_ones_in_time)
{
	struct who w = { .client = "old", .mechanism = NONE, .token = "T" };
	struct aged dead = { -1 }, due = { 10ll * 86400000 }, fresh = { 29ll * 86400000 };
	struct answer out;
	struct kit k;

	open_kit(&k, "memory");
	kit_call(&k, do_age, &dead, &out);
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, -EACCES);
	kit_call(&k, do_age, &due, &out);
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, 0);
	assert_true(out.rotate);
	kit_call(&k, do_age, &fresh, &out);
	kit_call(&k, do_verify, &w, &out);
	assert_int_equal(out.status, 0);
	assert_false(out.rotate);
	kit_close(&k);
}

UNIT_MAIN(cmocka_unit_test(opens_with_its_token_and_answers_the_client),
	cmocka_unit_test(refuses_other_clients_mechanisms_and_tokens),
	cmocka_unit_test(keeps_the_old_token_until_the_new_one_is_used), cmocka_unit_test(forgets_one_client_or_all),
	cmocka_unit_test(makes_room_for_a_new_client), cmocka_unit_test(lets_tokens_run_out_and_asks_for_new_ones_in_time));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts on both back ends of the store. */
#include "unit.h"

#include <errno.h>

#include "account_kit.h"
#include "crypto/random.h"

static const char *const backends[] = { "memory", "sqlite" };
#define EACH_BACKEND(k)                                                                            \
	for (size_t b_ = 0; b_ < 2; b_++)                                                           \
		if (assert_int_equal(kit_open((k), backends[b_], unit_tmpdir(), "example.org", false), 0), true)

TEST(checks_names)
{
	static const struct {
		const char *name, *want; /* want NULL: refused */
	} rows[] = {
		{ "alice", "alice" }, { "Alice", "alice" }, { "a", "a" }, { "bob.b_b-9", "bob.b_b-9" }, { "鸿雁", "鸿雁" },
		{ "Straße", "strasse" }, { "7of9", "7of9" }, { "", NULL }, { ".a", NULL }, { "-a", NULL }, { "_a", NULL }, { "a b", NULL },
		{ "a@b", NULL }, { "a/b", NULL }, { "a+b", NULL }, { "a\"b", NULL }, { "a\nb", NULL }, { "\xff", NULL },
		{ "a<", NULL }, { "a'", NULL }, { "a&", NULL }, { "a!b", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};
	struct arena a = { 0 };
	struct str node;

	arena_init(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = account_name_check(&a, str_of(rows[i].name), &node);

		assert_int_equal(err, rows[i].want ? 0 : -EINVAL);
		if (rows[i].want)
			assert_str(node, rows[i].want);
	}
	arena_fini(&a);
}

TEST(checks_passwords)
{
	char longest[PASSWORD_MAX + 1];
	struct arena a = { 0 };
	struct str out;

	arena_init(&a);
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(account_password_check(&a, STR("12345678"), &out), 0);
	assert_int_equal(account_password_check(&a, STR("1234567"), &out), -EMSGSIZE);
	assert_int_equal(account_password_check(&a, STR("密码密码密码密码"), &out), 0);
	assert_int_equal(account_password_check(&a, STR("密码密码密"), &out), -EMSGSIZE);
	assert_int_equal(account_password_check(&a, STR(""), &out), -EMSGSIZE);
	assert_int_equal(account_password_check(&a, STR("1234567\x01"), &out), -EINVAL);
	assert_int_equal(account_password_check(&a, (struct str){ longest, PASSWORD_MAX }, &out), 0);
	assert_int_equal(account_password_check(&a, (struct str){ longest, PASSWORD_MAX + 1 }, &out), -E2BIG);
	arena_fini(&a);
}

static int do_info(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_info(ac, s, str_of(arg), kit_on_info, out);
}

static int do_setup_needed(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_setup_needed(ac, s, kit_on_done, out);
}

TEST(creates_once_and_checks_the_password)
{
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(kit_create(&k, "Alice", "correct horse", false), 0);
		assert_int_equal(kit_create(&k, "alice", "other password", true), -EEXIST);
		assert_int_equal(kit_check(&k, "alice", "correct horse"), 0);
		assert_int_equal(kit_check(&k, "alice", "other password"), -EACCES);
		assert_int_equal(kit_check(&k, "alice", ""), -EACCES);
		assert_int_equal(kit_check(&k, "nobody", "correct horse"), -EACCES);
		kit_call(&k, do_info, (void *)"alice", &out);
		assert_int_equal(out.status, 0);
		assert_false(out.admin);
		assert_true(out.at_ms > 0);
		kit_call(&k, do_info, (void *)"nobody", &out);
		assert_int_equal(out.status, -ENOENT);
		kit_call(&k, do_setup_needed, NULL, &out);
		assert_int_equal(out.status, 1); /* the refused one left no trace */
		assert_int_equal(kit_create(&k, "root", "correct horse", true), 0);
		kit_call(&k, do_setup_needed, NULL, &out);
		assert_int_equal(out.status, 0);
		assert_int_equal(kit_create(&k, "a b", "correct horse", false), -EINVAL);
		assert_int_equal(kit_create(&k, "bob", "short", false), -EMSGSIZE);
		kit_close(&k);
	}
}

/* Two registrations of one name at the same time: both derive keys, one commits. */
struct race {
	struct answer *second;
};

static int do_race(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	struct race *r = arg;
	struct account_new n = { .node = STR("carol"), .password = STR("correct horse") };

	assert_int_equal(account_create(ac, s, &n, kit_on_done, r->second), 0);
	return account_create(ac, s, &n, kit_on_done, out);
}

TEST(lets_one_of_two_at_once_have_a_name)
{
	struct kit k;
	struct answer first, second = { 0 };
	struct race r = { &second };

	EACH_BACKEND(&k) {
		sem_init(&second.done, 0, 0);
		kit_call(&k, do_race, &r, &first);
		sem_wait(&second.done);
		assert_int_equal(first.status + second.status, -EEXIST);
		assert_int_equal(first.status * second.status, 0);
		kit_close(&k);
	}
}

struct keys_of {
	const char *node;
	enum hash_alg alg;
};

static int do_keys(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct keys_of *q = arg;

	return signin_look(ac, s, str_of(q->node), q->alg, kit_on_signin, out);
}

TEST(gives_keys_of_all_hashes)
{
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(kit_create(&k, "alice", "correct horse", false), 0);
		for (int alg = HASH_SHA1; alg <= HASH_SHA512; alg++) {
			struct keys_of q = { "alice", (enum hash_alg)alg };

			kit_call(&k, do_keys, &q, &out);
			assert_int_equal(out.status, 0);
			assert_int_equal(out.keys.alg, alg);
			assert_int_equal(out.keys.iterations, SCRAM_ITERATIONS);
			assert_true(scram_keys_match(&out.keys, STR("correct horse")));
			assert_false(scram_keys_match(&out.keys, STR("correct horsf")));
		}
		kit_close(&k);
	}
}

TEST(gives_the_same_false_keys_for_an_unknown_name_each_time)
{
	const char *dir = unit_tmpdir();
	struct keys_of q = { "nobody", HASH_SHA256 }, other = { "nobodz", HASH_SHA256 };
	struct answer first, again, third;
	struct kit k;

	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", false), 0);
	kit_call(&k, do_keys, &q, &first);
	kit_call(&k, do_keys, &other, &third);
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", false), 0);
	kit_call(&k, do_keys, &q, &again);
	kit_close(&k);
	assert_int_equal(first.status, 0);
	assert_false(first.known);
	assert_int_equal(first.algs, SIGNIN_ALGS);
	assert_memory_equal(&first.keys, &again.keys, sizeof(first.keys));
	assert_memory_not_equal(first.keys.salt, third.keys.salt, sizeof(third.keys.salt));
	assert_false(scram_keys_match(&first.keys, STR("correct horse")));
}

static int do_passwd(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const char *const *v = arg;

	return account_passwd(ac, s, str_of(v[0]), str_of(v[1]), kit_on_done, out);
}

static int do_issue(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return fast_issue(ac, s, str_of(arg), STR("laptop"), STR("HT-SHA-256-NONE"), kit_on_token, out);
}

static size_t items(struct kit *k, const char *owner, const char *kind);

TEST(changes_a_password_and_forgets_tokens)
{
	const char *v[] = { "alice", "battery staple" }, *no[] = { "bob", "battery staple" }, *weak[] = { "alice", "x" };
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(kit_create(&k, "alice", "correct horse", false), 0);
		kit_call(&k, do_issue, (void *)"alice", &out);
		assert_int_equal(out.status, 0);
		assert_int_equal(items(&k, "alice@example.org", "fast"), 1);
		kit_call(&k, do_passwd, weak, &out);
		assert_int_equal(out.status, -EMSGSIZE);
		kit_call(&k, do_passwd, v, &out);
		assert_int_equal(out.status, 0);
		assert_int_equal(kit_check(&k, "alice", "correct horse"), -EACCES);
		assert_int_equal(kit_check(&k, "alice", "battery staple"), 0);
		assert_int_equal(items(&k, "alice@example.org", "fast"), 0);
		kit_call(&k, do_passwd, no, &out);
		assert_int_equal(out.status, -ENOENT);
		assert_int_equal(items(&k, "bob@example.org", "scram"), 0);
		kit_close(&k);
	}
}

struct range_of {
	const char *owner, *kind;
};

static int do_items(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct range_of *r = arg;
	struct store_range range = { .owner = str_of(r->owner), .kind = str_of(r->kind), .limit = 1000 };

	return store_list(ac->store, s, &range, kit_on_items, out);
}

static size_t items(struct kit *k, const char *owner, const char *kind)
{
	struct range_of r = { owner, kind };
	struct answer out;

	kit_call(k, do_items, &r, &out);
	assert_int_equal(out.status, 0);
	return out.n;
}

static int do_delete(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_delete(ac, s, str_of(arg), kit_on_done, out);
}

static int do_invite(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return invite_create(ac, s, str_of(arg), true, kit_on_invite, out);
}

TEST(deletes_everything_of_an_account)
{
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(kit_create(&k, "alice", "correct horse", false), 0);
		assert_int_equal(kit_create(&k, "alicf", "correct horse", false), 0);
		kit_call(&k, do_issue, (void *)"alice", &out);
		kit_call(&k, do_invite, (void *)"alice@example.org", &out);
		assert_int_equal(items(&k, "", "invite"), 1);
		kit_call(&k, do_delete, (void *)"alice", &out);
		assert_int_equal(out.status, 0);
		assert_int_equal(items(&k, "alice@example.org", ""), 0);
		assert_int_equal(items(&k, "", "invite"), 0);
		assert_int_equal(items(&k, "", "user"), 1);
		assert_int_equal(kit_check(&k, "alice", "correct horse"), -EACCES);
		assert_int_equal(kit_check(&k, "alicf", "correct horse"), 0);
		kit_call(&k, do_delete, (void *)"alice", &out);
		assert_int_equal(out.status, -ENOENT);
		assert_int_equal(kit_create(&k, "alice", "battery staple", false), 0);
		kit_close(&k);
	}
}

static int do_many(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	struct account_new n = { .node = STR("U"), .password = STR("pw"), .weak_ok = true };

	return account_create_many(ac, s, &n, *(uint32_t *)arg, kit_on_done, out);
}

struct page {
	const char *after;
	uint32_t limit;
};

static int do_list(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct page *p = arg;

	return account_list(ac, s, str_of(p->after), p->limit, kit_on_list, out);
}

TEST(creates_many_and_lists_them_in_pages)
{
	uint32_t count = 600, none = 0;
	struct page first = { "", 100 }, second = { "u0", 1000 };
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		kit_call(&k, do_many, &none, &out);
		assert_int_equal(out.status, -EINVAL);
		kit_call(&k, do_many, &count, &out);
		assert_int_equal(out.status, 0);
		assert_int_equal(kit_check(&k, "u0", "pw"), 0);
		assert_int_equal(kit_check(&k, "u599", "pw"), 0);
		assert_int_equal(kit_check(&k, "u600", "pw"), -EACCES);
		kit_call(&k, do_list, &first, &out);
		assert_int_equal(out.n, 100);
		assert_string_equal(out.text, "u188"); /* u0 u1 u10 u100 ... */
		kit_call(&k, do_list, &second, &out);
		assert_int_equal(out.n, 599);
		assert_string_equal(out.text, "u99");
		kit_call(&k, do_many, &count, &out);
		assert_int_equal(out.status, -EEXIST);
		kit_close(&k);
	}
}

/* ---- set-up ---- */

static int do_finish(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return setup_finish(ac, s, arg, kit_on_done, out);
}

TEST(makes_the_first_administrator_with_the_code_of_the_last_start)
{
	const char *dir = unit_tmpdir();
	char old[SETUP_CODE_MAX];
	struct setup in = { .name = STR("Root"), .password = STR("correct horse") };
	struct answer out;
	struct kit k;

	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", true), 0);
	assert_int_equal(strlen(k.start.code), 22);
	memcpy(old, k.start.code, sizeof(old));
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", true), 0);
	assert_string_not_equal(old, k.start.code);
	assert_null(strstr(kit_item(&k, "", "server", "setup"), k.start.code)); /* only its hash is kept */

	in.code = str_of(old);
	kit_call(&k, do_finish, &in, &out);
	assert_int_equal(out.status, -EPERM);
	in.code = str_of(k.start.code);
	in.password = STR("short");
	kit_call(&k, do_finish, &in, &out);
	assert_int_equal(out.status, -EMSGSIZE);
	in.password = STR("correct horse");
	kit_call(&k, do_finish, &in, &out);
	assert_int_equal(out.status, 0);
	kit_call(&k, do_info, (void *)"root", &out);
	assert_true(out.admin);
	in.name = STR("second");
	kit_call(&k, do_finish, &in, &out);
	assert_int_equal(out.status, -EACCES);
	kit_close(&k);

	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", true), 0);
	assert_string_equal(k.start.code, "");
	kit_close(&k);
}

/* ---- the domain ---- */

TEST(moves_accounts_made_before_the_domain_was_known)
{
	const char *dir = unit_tmpdir();
	struct kit k;

	assert_int_equal(kit_open(&k, "sqlite", dir, NULL, false), 0);
	assert_str(k.accounts.domain, "localhost");
	assert_int_equal(kit_create(&k, "alice", "correct horse", true), 0);
	assert_int_equal(kit_create(&k, "bob", "battery staple", false), 0);
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, "example.org", true), 0);
	assert_int_equal(kit_check(&k, "alice", "correct horse"), 0);
	assert_int_equal(kit_check(&k, "bob", "battery staple"), 0);
	assert_string_not_equal(kit_item(&k, "bob@example.org", "account", ""), "");
	assert_int_equal(items(&k, "bob@localhost", ""), 0);
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, NULL, false), 0);
	assert_str(k.accounts.domain, "example.org");
	kit_close(&k);
}

TEST(refuses_another_domain_once_there_are_accounts)
{
	const char *dir = unit_tmpdir();
	struct kit k;

	assert_int_equal(kit_open(&k, "sqlite", dir, "one.example", true), 0);
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, "two.example", true), 0); /* nobody lived there */
	assert_int_equal(kit_create(&k, "alice", "correct horse", false), 0);
	kit_close(&k);
	assert_int_equal(kit_open(&k, "sqlite", dir, "three.example", true), -EEXIST);
	assert_non_null(strstr(k.err, "belongs to the domain two.example"));
	assert_int_equal(kit_open(&k, "sqlite", dir, NULL, true), 0);
	assert_str(k.accounts.domain, "two.example");
	kit_close(&k);
}

UNIT_MAIN(cmocka_unit_test(checks_names), cmocka_unit_test(checks_passwords),
	cmocka_unit_test(creates_once_and_checks_the_password), cmocka_unit_test(lets_one_of_two_at_once_have_a_name),
	cmocka_unit_test(gives_keys_of_all_hashes), cmocka_unit_test(gives_the_same_false_keys_for_an_unknown_name_each_time),
	cmocka_unit_test(changes_a_password_and_forgets_tokens), cmocka_unit_test(deletes_everything_of_an_account),
	cmocka_unit_test(creates_many_and_lists_them_in_pages),
	cmocka_unit_test(makes_the_first_administrator_with_the_code_of_the_last_start),
	cmocka_unit_test(moves_accounts_made_before_the_domain_was_known),
	cmocka_unit_test(refuses_another_domain_once_there_are_accounts));

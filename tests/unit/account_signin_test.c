/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What opens an account: application passwords, the second factor, keys for more hashes, remembered clients. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "account_kit.h"
#include "base/base64.h"
#include "base/clock.h"
#include "crypto/totp.h"

#define PASSWORD "correct horse"

static struct arena a;

static void open_kit(struct kit *k, const char *backend, const char *dir)
{
	assert_int_equal(kit_open(k, backend, dir, "example.org", false), 0);
	assert_int_equal(kit_create(k, "alice", PASSWORD, false), 0);
}

#define EACH_BACKEND(k)                                                                            \
	for (int backend_ = 0; backend_ < 2 && (open_kit((k), backend_ ? "sqlite" : "memory", unit_tmpdir()), true); backend_++)

struct args {
	const char *node, *text;
	enum hash_alg alg;
	const struct scram_keys *keys;
};

static int do_look(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct args *g = arg;

	return signin_look(ac, s, str_of(g->node), g->alg, kit_on_signin, out);
}

static int do_app(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct args *g = arg;

	return apppass_create(ac, s, str_of(g->node), str_of(g->text), kit_on_app_made, out);
}

static int do_apps(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return apppass_list(ac, s, str_of(arg), kit_on_apps, out);
}

static int do_app_revoke(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return apppass_revoke(ac, s, STR("alice"), str_of(arg), kit_on_done, out);
}

static int do_app_used(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	apppass_used(ac, s, STR("alice"), str_of(arg));
	return apppass_list(ac, s, STR("alice"), kit_on_apps, out); /* behind the read of the first */
}

/* What the last call left to be written is written. */
static int do_barrier(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	(void)arg;
	return store_barrier(ac->store, s, kit_on_done, out);
}

static int do_passwd(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_passwd(ac, s, STR("alice"), str_of(arg), kit_on_done, out);
}

static int do_begin(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return factor_begin(ac, s, str_of(arg), kit_on_secret, out);
}

static int do_confirm(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return factor_confirm(ac, s, STR("alice"), str_of(arg), kit_on_codes, out);
}

static int do_code(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return factor_check(ac, s, STR("alice"), str_of(arg), kit_on_done, out);
}

static int do_recover(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct args *g = arg;

	return factor_recover(ac, s, str_of(g->node), str_of(g->text), kit_on_done, out);
}

static int do_renew(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	(void)arg;
	return factor_recovery_new(ac, s, STR("alice"), kit_on_codes, out);
}

static int do_off(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	(void)arg;
	return factor_off(ac, s, STR("alice"), kit_on_done, out);
}

static int do_upgrade(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct args *g = arg;

	return signin_upgrade(ac, s, str_of(g->node), g->keys, kit_on_done, out);
}

static int do_drop_keys(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	struct store_batch *b = store_batch_new();

	store_del(b, STR("alice@example.org"), STR("scram"), str_of(arg));
	return store_commit(ac->store, s, b, kit_on_done, out);
}

static int do_token(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return fast_issue(ac, s, STR("alice"), str_of(arg), STR("HT-SHA-256-NONE"), kit_on_token, out);
}

static int call(struct kit *k, kit_fn *fn, const void *arg, struct answer *out)
{
	kit_call(k, fn, (void *)arg, out);
	return out->status;
}

/* ---- application passwords ---- */

TEST(app_passwords_open_the_account_by_all_hashes_with_the_salt_of_the_password)
{
	struct kit k;
	struct answer out, made;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_app, &(struct args){ "alice", "telephone" }, &made), 0);
		assert_int_equal(strlen(made.text), APP_PASSWORD_CHARS);
		for (int alg = HASH_SHA1; alg <= HASH_SHA512; alg++) {
			struct scram_keys own;

			assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = (enum hash_alg)alg }, &out), 0);
			assert_int_equal(out.n, 1);
			assert_true(out.known);
			scram_keys_derive_with(out.keys.alg, out.keys.iterations, str_of(made.text), out.keys.salt, &own);
			assert_memory_equal(own.stored_key, out.app.stored_key, HASH_MAX);
			assert_memory_equal(own.server_key, out.app.server_key, HASH_MAX);
			assert_true(scram_keys_match(&out.keys, STR(PASSWORD)));
		}
		assert_int_equal(kit_check(&k, "alice", made.text), 0);
		assert_int_equal(kit_check(&k, "alice", PASSWORD), 0);
		assert_int_equal(kit_check(&k, "alice", "neither of them"), -EACCES);
		assert_int_equal(kit_check(&k, "alice", ""), -EACCES);
		assert_int_equal(kit_check(&k, "nobody", made.text), -EACCES);
		kit_close(&k);
	}
}

TEST(app_passwords_are_listed_noted_and_revoked)
{
	struct kit k;
	struct answer out, first, second;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_app, &(struct args){ "alice", "laptop \"鸿雁\"" }, &first), 0);
		assert_int_equal(call(&k, do_apps, "alice", &out), 0);
		assert_int_equal(out.n, 1);
		assert_string_equal(out.id, first.id);
		assert_string_equal(out.text, "laptop \"鸿雁\"");
		assert_int_equal(out.at_ms, 0);
		assert_int_equal(call(&k, do_app_used, first.id, &out), 0);
		assert_int_equal(call(&k, do_app_used, "none of that", &out), 0);
		assert_int_equal(call(&k, do_barrier, NULL, &out), 0);
		assert_int_equal(call(&k, do_apps, "alice", &out), 0);
		assert_in_range(out.at_ms, clock_wall_ms() - 60000, clock_wall_ms());
		assert_int_equal(kit_check(&k, "alice", first.text), 0);
		assert_int_equal(call(&k, do_app, &(struct args){ "alice", "second" }, &second), 0);
		assert_int_equal(call(&k, do_app_revoke, first.id, &out), 0);
		assert_int_equal(call(&k, do_app_revoke, first.id, &out), -ENOENT);
		assert_int_equal(call(&k, do_app_revoke, "", &out), -ENOENT);
		assert_int_equal(call(&k, do_app_revoke, "a-very-long-id-that-is-none", &out), -ENOENT);
		assert_int_equal(kit_check(&k, "alice", first.text), -EACCES);
		assert_int_equal(kit_check(&k, "alice", second.text), 0);
		kit_close(&k);
	}
}

TEST(app_passwords_have_bounds)
{
	static const char *const bad[] = { "", "a\nb", "\x7f", "\xff",
		"0123456789012345678901234567890123456789012345678901234567890123x" };
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			assert_int_equal(call(&k, do_app, &(struct args){ "alice", bad[i] }, &out), -EINVAL);
		assert_int_equal(call(&k, do_app, &(struct args){ "nobody", "x" }, &out), -ENOENT);
		for (int i = 0; i < APP_PASSWORDS_MAX; i++)
			assert_int_equal(call(&k, do_app, &(struct args){ "alice", "x" }, &out), 0);
		assert_int_equal(call(&k, do_app, &(struct args){ "alice", "x" }, &out), -EDQUOT);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA256 }, &out), 0);
		assert_int_equal(out.n, APP_PASSWORDS_MAX);
		kit_close(&k);
	}
}

TEST(a_new_password_ends_app_passwords)
{
	struct kit k;
	struct answer out, made;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_app, &(struct args){ "alice", "x" }, &made), 0);
		assert_int_equal(call(&k, do_passwd, "another password", &out), 0);
		assert_int_equal(kit_check(&k, "alice", made.text), -EACCES);
		assert_int_equal(call(&k, do_apps, "alice", &out), 0);
		assert_int_equal(out.n, 0);
		kit_close(&k);
	}
}

/* ---- keys for more hashes ---- */

TEST(an_account_without_some_keys_looks_as_it_is_and_takes_new_ones)
{
	struct kit k;
	struct answer out;
	struct scram_keys keys;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_drop_keys, "SHA-512", &out), 0);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA512 }, &out), 0);
		assert_false(out.known);
		assert_int_equal(out.algs, 1 << HASH_SHA1 | 1 << HASH_SHA256);
		signin_salt(&k.accounts, STR("alice"), HASH_SHA512, &keys);
		assert_memory_equal(keys.salt, out.keys.salt, SCRAM_SALT_BYTES);
		scram_keys_derive_with(HASH_SHA512, keys.iterations, STR(PASSWORD), keys.salt, &keys);
		assert_int_equal(call(&k, do_upgrade, &(struct args){ "nobody", .keys = &keys }, &out), -EAGAIN);
		assert_int_equal(call(&k, do_upgrade, &(struct args){ "alice", .keys = &keys }, &out), 0);
		assert_int_equal(call(&k, do_upgrade, &(struct args){ "alice", .keys = &keys }, &out), -EAGAIN);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA512 }, &out), 0);
		assert_true(out.known && scram_keys_match(&out.keys, STR(PASSWORD)));
		kit_close(&k);
	}
}

TEST(a_plain_password_brings_missing_keys_and_a_wrong_one_none)
{
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_drop_keys, "SHA-512", &out), 0);
		assert_int_equal(call(&k, do_drop_keys, "SHA-256", &out), 0);
		assert_int_equal(kit_check(&k, "alice", "wrong"), -EACCES);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA512 }, &out), 0);
		assert_int_equal(out.algs, 1 << HASH_SHA1);
		assert_int_equal(kit_check(&k, "alice", PASSWORD), 0);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA512 }, &out), 0);
		assert_int_equal(out.algs, SIGNIN_ALGS);
		assert_true(scram_keys_match(&out.keys, STR(PASSWORD)));
		kit_close(&k);
	}
}

/* ---- the second factor ---- */

static struct str secret_of(const char *base32)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	char *out = arena_alloc(&a, TOTP_SECRET_BYTES + 1);
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (; *base32; base32++) {
		bits = bits << 5 | (uint32_t)(strchr(alphabet, *base32) - alphabet);
		have += 5;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have);
		}
	}
	assert_int_equal(n, TOTP_SECRET_BYTES);
	return (struct str){ out, n };
}

static const char *code_of(struct str secret, int away)
{
	uint64_t step = totp_step(clock_wall_ms() / 1000) + (uint64_t)(int64_t)away;

	return arena_printf(&a, "%06u", hotp(HASH_SHA1, secret, step, 6)).p;
}

/* Turns it on with the code of the step before this one. */
static struct str turn_on(struct kit *k, struct answer *out)
{
	struct str secret;

	assert_int_equal(call(k, do_begin, "alice", out), 0);
	secret = secret_of(out->id);
	assert_int_equal(strncmp(out->text, "otpauth://totp/example.org:alice%40example.org?secret=", 54), 0);
	assert_int_equal(call(k, do_confirm, code_of(secret, -1), out), 0);
	assert_int_equal(out->n, FACTOR_RECOVERY_CODES);
	return secret;
}

TEST(a_factor_is_on_after_its_first_code_and_takes_each_code_once)
{
	struct kit k;
	struct answer out;
	struct str secret;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_confirm, "123456", &out), -ENOENT);
		assert_int_equal(call(&k, do_begin, "alice", &out), 0);
		assert_int_equal(call(&k, do_confirm, "", &out), -EACCES);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA1 }, &out), 0);
		assert_false(out.totp);
		secret = turn_on(&k, &out);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA1 }, &out), 0);
		assert_true(out.totp);
		assert_int_equal(call(&k, do_code, code_of(secret, -1), &out), -EACCES);
		assert_int_equal(call(&k, do_code, code_of(secret, 0), &out), 0);
		assert_int_equal(call(&k, do_code, code_of(secret, 0), &out), -EACCES);
		assert_int_equal(call(&k, do_code, code_of(secret, 1), &out), 0);
		assert_int_equal(call(&k, do_code, code_of(secret, 0), &out), -EACCES);
		assert_int_equal(call(&k, do_begin, "alice", &out), -EEXIST);
		assert_int_equal(call(&k, do_passwd, "another password", &out), 0);
		assert_int_equal(call(&k, do_look, &(struct args){ "alice", .alg = HASH_SHA1 }, &out), 0);
		assert_true(out.totp);
		kit_close(&k);
		arena_reset(&a);
	}
}

TEST(recovery_codes_count_once_for_their_account)
{
	struct kit k;
	struct answer out;
	char old[64], code[64];

	EACH_BACKEND(&k) {
		assert_int_equal(kit_create(&k, "bob", PASSWORD, false), 0);
		turn_on(&k, &out);
		snprintf(old, sizeof(old), "%s", out.text);
		assert_int_equal(call(&k, do_renew, NULL, &out), 0);
		snprintf(code, sizeof(code), "%s", out.text);
		assert_int_equal(call(&k, do_recover, &(struct args){ "alice", old }, &out), -EACCES);
		assert_int_equal(call(&k, do_recover, &(struct args){ "bob", code }, &out), -EACCES);
		assert_int_equal(call(&k, do_recover, &(struct args){ "alice", "" }, &out), -EACCES);
		assert_int_equal(call(&k, do_recover, &(struct args){ "alice", code }, &out), 0);
		assert_int_equal(call(&k, do_recover, &(struct args){ "alice", code }, &out), -EACCES);
		kit_close(&k);
		arena_reset(&a);
	}
}

TEST(turning_it_on_and_off_ends_tokens)
{
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_off, NULL, &out), -ENOENT);
		assert_int_equal(call(&k, do_token, "laptop", &out), 0);
		turn_on(&k, &out);
		assert_string_equal(kit_item(&k, "alice@example.org", "fast", fast_client_key(&a, STR("laptop")).p), "");
		assert_int_equal(call(&k, do_token, "laptop", &out), 0);
		assert_int_equal(call(&k, do_off, NULL, &out), 0);
		assert_string_equal(kit_item(&k, "alice@example.org", "fast", fast_client_key(&a, STR("laptop")).p), "");
		assert_int_equal(call(&k, do_off, NULL, &out), -ENOENT);
		assert_int_equal(call(&k, do_code, "123456", &out), -EACCES);
		assert_int_equal(call(&k, do_renew, NULL, &out), -ENOENT);
		kit_close(&k);
		arena_reset(&a);
	}
}

static bool file_has(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;
	char *bytes;
	size_t n, room = 8 << 20;
	bool found;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return false;
	bytes = malloc(room);
	assert_non_null(bytes);
	n = fread(bytes, 1, room, f);
	assert_true(n < room);
	found = memmem(bytes, n, text, strlen(text)) != NULL;
	free(bytes);
	fclose(f);
	return found;
}

TEST(no_password_or_recovery_code_is_in_the_database)
{
	static const char *const files[] = { "anser.db", "anser.db-wal" };
	const char *dir = unit_tmpdir();
	struct answer made, codes;
	struct kit k;

	open_kit(&k, "sqlite", dir);
	assert_int_equal(call(&k, do_app, &(struct args){ "alice", "a name to find" }, &made), 0);
	turn_on(&k, &codes);
	for (size_t i = 0; i < 2; i++) {
		assert_false(file_has(dir, files[i], made.text));
		assert_false(file_has(dir, files[i], codes.text));
		assert_false(file_has(dir, files[i], PASSWORD));
	}
	assert_true(file_has(dir, files[0], "a name to find") || file_has(dir, files[1], "a name to find"));
	kit_close(&k);
	arena_fini(&a);
}

/* ---- clients ---- */

static int do_seen(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	client_seen(ac, s, arg);
	return apppass_list(ac, s, STR("alice"), kit_on_apps, out); /* behind the read of the first */
}

static int do_clients(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return client_list(ac, s, STR("alice"), *(const uint64_t *)arg, kit_on_clients, out);
}

static int do_forget(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return client_forget(ac, s, STR("alice"), str_of(arg), kit_on_done, out);
}

TEST(clients_are_remembered_with_what_they_showed)
{
	struct client_seen c = { STR("alice"), STR("agent-1"), STR("Gajim"), STR("desk"), true };
	const uint64_t day = 86400000, none = 0;
	struct kit k;
	struct answer out;

	EACH_BACKEND(&k) {
		assert_int_equal(call(&k, do_seen, &c, &out), 0);
		assert_int_equal(call(&k, do_barrier, NULL, &out), 0);
		assert_int_equal(call(&k, do_clients, &day, &out), 0);
		assert_int_equal(out.n, 1);
		assert_string_equal(out.text, "desk");
		assert_true(out.known && !out.rotate);
		assert_int_equal(call(&k, do_token, "agent-1", &out), 0);
		assert_int_equal(call(&k, do_token, "agent-2", &out), 0);
		assert_int_equal(call(&k, do_clients, &none, &out), 0);
		assert_int_equal(out.n, 2); /* who has a token is listed, however little is remembered */
		assert_int_equal(call(&k, do_clients, &day, &out), 0);
		assert_int_equal(call(&k, do_forget, fast_client_key(&a, STR("agent-1")).p, &out), 0);
		assert_int_equal(call(&k, do_clients, &day, &out), 0);
		assert_int_equal(out.n, 1);
		assert_int_equal(call(&k, do_passwd, "another password", &out), 0);
		assert_int_equal(call(&k, do_clients, &day, &out), 0);
		assert_int_equal(out.n, 0);
		kit_close(&k);
		arena_reset(&a);
	}
}

TEST(what_a_client_says_of_itself_is_cut_at_a_whole_character)
{
	struct client_seen c = { STR("alice"), STR("agent-1"), STR_NONE, STR_NONE, true };
	const uint64_t day = 86400000;
	struct kit k;
	struct answer out;
	char device[600];

	EACH_BACKEND(&k) {
		for (size_t i = 0; i < 199; i++)
			memcpy(device + 3 * i, "鸿", 3);
		c.device = (struct str){ device, 597 };
		assert_int_equal(call(&k, do_seen, &c, &out), 0);
		assert_int_equal(call(&k, do_barrier, NULL, &out), 0);
		assert_int_equal(call(&k, do_clients, &day, &out), 0);
		assert_int_equal(strlen(out.text), CLIENT_TEXT_MAX / 3 * 3);
		kit_close(&k);
	}
	arena_fini(&a);
}

UNIT_MAIN(cmocka_unit_test(app_passwords_open_the_account_by_all_hashes_with_the_salt_of_the_password),
	cmocka_unit_test(app_passwords_are_listed_noted_and_revoked), cmocka_unit_test(app_passwords_have_bounds),
	cmocka_unit_test(a_new_password_ends_app_passwords),
	cmocka_unit_test(an_account_without_some_keys_looks_as_it_is_and_takes_new_ones),
	cmocka_unit_test(a_plain_password_brings_missing_keys_and_a_wrong_one_none),
	cmocka_unit_test(a_factor_is_on_after_its_first_code_and_takes_each_code_once),
	cmocka_unit_test(recovery_codes_count_once_for_their_account), cmocka_unit_test(turning_it_on_and_off_ends_tokens),
	cmocka_unit_test(no_password_or_recovery_code_is_in_the_database),
	cmocka_unit_test(clients_are_remembered_with_what_they_showed),
	cmocka_unit_test(what_a_client_says_of_itself_is_cut_at_a_whole_character));

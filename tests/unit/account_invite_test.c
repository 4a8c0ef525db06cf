/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Invitations: single use, bounded, and what registration leaves behind. */
#include "unit.h"

#include <errno.h>

#include "account_kit.h"

struct in {
	const char *inviter;
	bool account;
	const char *token, *name, *password;
	struct answer *second;
};

static int do_create(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct in *in = arg;

	return invite_create(ac, s, str_of(in->inviter), in->account, kit_on_invite, out);
}

static int do_look(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return invite_look(ac, s, str_of(arg), kit_on_invite, out);
}

static int do_use(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return invite_use(ac, s, str_of(arg), kit_on_invite, out);
}

static int do_register(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const struct in *in = arg;

	if (in->second)
		assert_int_equal(invite_register(ac, s, str_of(in->token), STR("dave"), str_of(in->password), kit_on_invite, in->second), 0);
	return invite_register(ac, s, str_of(in->token), str_of(in->name), str_of(in->password), kit_on_invite, out);
}

static int do_delete(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_delete(ac, s, str_of(arg), kit_on_done, out);
}

static void create(struct kit *k, const char *inviter, bool account, char token[64])
{
	struct in in = { .inviter = inviter, .account = account };
	struct answer out;

	kit_call(k, do_create, &in, &out);
	assert_int_equal(out.status, 0);
	assert_int_equal(strlen(out.text), 22); /* 128 bits as base64url */
	memcpy(token, out.text, 23);
}

static int call(struct kit *k, kit_fn *fn, const char *token, struct answer *out)
{
	kit_call(k, fn, (void *)(uintptr_t)token, out);
	return out->status;
}

static void open_kit(struct kit *k, const char *backend)
{
	assert_int_equal(kit_open(k, backend, unit_tmpdir(), "example.org", false), 0);
	assert_int_equal(kit_create(k, "alice", "correct horse", false), 0);
}

TEST(makes_an_account_and_a_contact_once)
{
	struct in in = { .name = "Bob", .password = "battery staple" };
	struct answer out;
	char token[64];
	struct kit k;

	for (int b = 0; b < 2; b++) {
		open_kit(&k, b ? "sqlite" : "memory");
		create(&k, "alice@example.org", true, token);
		assert_int_equal(call(&k, do_look, token, &out), 0);
		assert_string_equal(out.text, "alice@example.org");
		assert_true(out.account);
		in.token = token;
		kit_call(&k, do_register, &in, &out);
		assert_int_equal(out.status, 0);
		assert_string_equal(out.text, "alice@example.org");
		assert_int_equal(kit_check(&k, "bob", "battery staple"), 0);
		assert_string_equal(kit_item(&k, "bob@example.org", "roster", "alice@example.org"),
			"<item xmlns='jabber:iq:roster' jid='alice@example.org' subscription='both'/>");
		assert_int_equal(call(&k, do_look, token, &out), -ENOENT);
		in.name = "carol";
		kit_call(&k, do_register, &in, &out);
		assert_int_equal(out.status, -ENOENT);
		in.name = "Bob";
		kit_close(&k);
	}
}

TEST(lets_one_of_two_at_once_use_a_link)
{
	struct answer out, second = { 0 };
	struct in in = { .name = "bob", .password = "battery staple", .second = &second };
	char token[64];
	struct kit k;

	open_kit(&k, "sqlite");
	create(&k, "", true, token);
	in.token = token;
	sem_init(&second.done, 0, 0);
	kit_call(&k, do_register, &in, &out);
	sem_wait(&second.done);
	assert_int_equal(out.status + second.status, -ENOENT);
	assert_int_equal(out.status * second.status, 0);
	assert_int_equal((kit_check(&k, "bob", "battery staple") == 0) + (kit_check(&k, "dave", "battery staple") == 0), 1);
	kit_close(&k);
}

TEST(stays_good_when_registration_fails)
{
	struct in in = { .name = "alice", .password = "battery staple" };
	struct answer out;
	char token[64];
	struct kit k;

	open_kit(&k, "sqlite");
	create(&k, "alice@example.org", true, token);
	in.token = token;
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, -EEXIST);
	in.name = "b b";
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, -EINVAL);
	in.name = "bob";
	in.password = "short";
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, -EMSGSIZE);
	assert_int_equal(call(&k, do_look, token, &out), 0);
	kit_close(&k);
}

TEST(contact_invitations_make_no_accounts)
{
	struct in in = { .name = "bob", .password = "battery staple" };
	struct answer out;
	char token[64];
	struct kit k;

	open_kit(&k, "memory");
	create(&k, "alice@example.org", false, token);
	in.token = token;
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, -EPERM);
	assert_int_equal(call(&k, do_use, token, &out), 0);
	assert_string_equal(out.text, "alice@example.org");
	assert_int_equal(call(&k, do_use, token, &out), -ENOENT);
	kit_close(&k);
}

TEST(dies_with_its_inviter)
{
	struct answer out;
	char token[64];
	struct kit k;

	open_kit(&k, "memory");
	create(&k, "alice@example.org", true, token);
	kit_call(&k, do_delete, (void *)"alice", &out);
	assert_int_equal(out.status, 0);
	assert_int_equal(call(&k, do_look, token, &out), -ENOENT);
	kit_close(&k);
}

TEST(refuses_tokens_that_were_never_given)
{
	char longest[INVITE_TOKEN_MAX + 2];
	struct answer out;
	struct kit k;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	open_kit(&k, "memory");
	assert_int_equal(call(&k, do_look, "nonsense", &out), -ENOENT);
	assert_int_equal(call(&k, do_look, "", &out), -ENOENT);
	assert_int_equal(call(&k, do_look, longest, &out), -ENOENT);
	kit_close(&k);
}

TEST(bounds_what_one_inviter_has_open)
{
	struct in in = { .inviter = "alice@example.org" };
	struct answer out;
	char token[64];
	struct kit k;

	open_kit(&k, "memory");
	for (int i = 0; i < INVITES_MAX; i++)
		create(&k, in.inviter, false, token);
	kit_call(&k, do_create, &in, &out);
	assert_int_equal(out.status, -EDQUOT);
	assert_int_equal(call(&k, do_use, token, &out), 0);
	create(&k, in.inviter, false, token);
	kit_close(&k);
}

TEST(open_registration_needs_no_token)
{
	struct in in = { .token = "", .name = "bob", .password = "battery staple" };
	struct answer out;
	struct kit k;

	open_kit(&k, "memory");
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, 0);
	assert_int_equal(kit_check(&k, "bob", "battery staple"), 0);
	kit_call(&k, do_register, &in, &out);
	assert_int_equal(out.status, -EEXIST);
	kit_close(&k);
}

UNIT_MAIN(cmocka_unit_test(makes_an_account_and_a_contact_once), cmocka_unit_test(lets_one_of_two_at_once_use_a_link),
	cmocka_unit_test(stays_good_when_registration_fails), cmocka_unit_test(contact_invitations_make_no_accounts),
	cmocka_unit_test(dies_with_its_inviter), cmocka_unit_test(refuses_tokens_that_were_never_given),
	cmocka_unit_test(bounds_what_one_inviter_has_open), cmocka_unit_test(open_registration_needs_no_token));

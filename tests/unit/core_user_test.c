/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts in memory: loading, what waits for it, a store that fails, eviction, and the roster's way through the store. */
#include <stdio.h>

#include "core/core.h"
#include "core/roster.h"
#include "house.h"
#include "unit.h"

#define GHOST "ghost@" HOUSE_DOMAIN

static struct house house;

static int setup(void **state)
{
	(void)state;
	house_open(&house, 1, false);
	house_account(&house, "ann");
	house_account(&house, "bob");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	house_close(&house);
	return 0;
}

static struct house_client *signed_in(const char *name, const char *resource)
{
	struct house_client *c = house_connect(&house, 0);

	client_sign_in(c, name, resource);
	return c;
}

/* ---- waiting ---- */

struct seen {
	int n, order[8];
	int states[8]; /* -1: no user */
	struct core *core;
};

struct wait {
	struct seen *seen;
	int number;
	bool again;
};

static void on_user(struct user *u, void *arg)
{
	struct wait *w = arg;
	struct seen *s = w->seen;

	s->order[s->n] = w->number;
	s->states[s->n++] = u ? (int)u->state : -1;
	if (w->again) {
		w->again = false;
		w->number += 100;
		user_with(s->core, STR(GHOST), on_user, w);
	}
}

TEST(those_who_wait_for_a_user_come_in_order)
{
	struct seen seen = { .core = house_core(&house, "ann@" HOUSE_DOMAIN) };
	struct wait w[3];

	house_store(READS_WAIT);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct wait){ &seen, i, false };
		user_with(seen.core, STR("ann@" HOUSE_DOMAIN), on_user, &w[i]);
	}
	house_quiet(&house);
	assert_int_equal(seen.n, 0);
	house_store(STORE_WORKS);
	house_quiet(&house);
	assert_int_equal(seen.n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(seen.order[i], i);
		assert_int_equal(seen.states[i], USER_READY);
	}
}

TEST(one_who_is_told_that_nobody_is_there_may_ask_again)
{
	struct seen seen = { .core = house_core(&house, GHOST) };
	struct wait a = { &seen, 1, true }, b = { &seen, 2, false };

	user_with(seen.core, STR(GHOST), on_user, &a);
	user_with(seen.core, STR(GHOST), on_user, &b);
	house_quiet(&house);
	assert_int_equal(seen.n, 3);
	assert_int_equal(seen.order[0], 1);
	assert_int_equal(seen.order[1], 2);
	assert_int_equal(seen.order[2], 101);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen.states[i], USER_ABSENT);
	assert_null(map_get(&seen.core->users, STR(GHOST)));
}

static void count(struct user *u, void *arg)
{
	int *n = arg;

	n[u != NULL]++;
}

TEST(only_so_many_wait_for_a_user)
{
	struct core *c = house_core(&house, "ann@" HOUSE_DOMAIN);
	int n[2] = { 0 };

	house_store(READS_WAIT);
	for (int i = 0; i < USER_WAITING_MAX + 5; i++)
		user_with(c, STR("ann@" HOUSE_DOMAIN), count, n);
	assert_int_equal(n[0], 5);
	house_store(STORE_WORKS);
	house_quiet(&house);
	assert_int_equal(n[0], 5);
	assert_int_equal(n[1], USER_WAITING_MAX);
}

TEST(a_sender_learns_that_the_store_could_not_say)
{
	struct house_client *a = signed_in("ann", "x");

	house_quiet(&house);
	house_store(READS_FAIL);
	client_send(a, "<message to='bob@" HOUSE_DOMAIN "' type='chat' id='m1'><body>1</body></message>");
	client_expect(a, "internal-server-error");
	house_store(STORE_WORKS);
	client_send(a, "<message to='bob@" HOUSE_DOMAIN "' type='chat' id='m2'><body>2</body></message>");
	client_ping(a);
	a = signed_in("bob", "x");
	client_available(a);
	client_expect(a, "<body>2</body>");
}

TEST(those_who_wait_when_the_shard_ends_are_told_nobody)
{
	struct seen seen = { .core = house_core(&house, GHOST) };
	struct wait w = { &seen, 1, true };
	int n[2] = { 0 };

	house_store(READS_WAIT);
	user_with(seen.core, STR(GHOST), on_user, &w);
	user_with(seen.core, STR("ann@" HOUSE_DOMAIN), count, n);
	users_free(seen.core);
	assert_int_equal(seen.n, 2); /* also when it asks again from within */
	assert_int_equal(seen.states[1], -1);
	assert_int_equal(n[0], 1);
	house_store(STORE_WORKS);
	house_quiet(&house);
}

/* ---- an account that is gone ---- */

TEST(who_removes_his_account_is_forgotten)
{
	struct house_client *a = signed_in("ann", "x"), *b = signed_in("bob", "x");

	client_send(a, "<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>");
	client_expect(a, "<not-authorized");
	assert_true(client_is_closed(a));
	client_send(b, "<message to='ann@" HOUSE_DOMAIN "' type='chat'><body>1</body></message>");
	client_expect(b, "service-unavailable");
	assert_null(map_get(&house_core(&house, "ann@" HOUSE_DOMAIN)->users, STR("ann@" HOUSE_DOMAIN)));
}

/* ---- the roster through the store ---- */

static void forget_in_memory(const char *bare)
{
	house_skip(&house, USER_IDLE_MS * 2);
	house_skip(&house, USER_IDLE_MS * 2);
	assert_null(map_get(&house_core(&house, bare)->users, str_of(bare)));
}

TEST(a_roster_comes_back_as_it_was)
{
	struct house_client *a = signed_in("ann", "x"), *b = signed_in("bob", "x");
	const char *text;

	client_send(a,
		"<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@" HOUSE_DOMAIN "' name='B &lt;&amp;&#39;b'>"
		"<group>&#20013;&#25991;</group><group>a&amp;b</group></item></query></iq>");
	client_send(a, "<presence type='subscribe' to='bob@" HOUSE_DOMAIN "'><status>please</status></presence>");
	client_send(a, "<presence type='subscribed' to='carl@" HOUSE_DOMAIN "'/>");
	client_ping(a);
	client_close(a);
	client_close(b);
	forget_in_memory("ann@" HOUSE_DOMAIN);
	a = signed_in("ann", "x");
	client_send(a, "<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
	text = client_expect(a, "</query></iq>");
	assert_non_null(strstr(text, "name='B &lt;&amp;&apos;b'"));
	assert_non_null(strstr(text, "ask='subscribe'"));
	assert_non_null(strstr(text, "<group>\xe4\xb8\xad\xe6\x96\x87</group><group>a&amp;b</group>"));
	assert_non_null(strstr(text, "jid='carl@" HOUSE_DOMAIN "' subscription='none' approved='true'"));
	b = signed_in("bob", "x"); /* the request waits with everything that it said */
	client_available(b);
	client_expect(b, "type='subscribe'");
	client_expect(b, "<status>please</status>");
}

TEST(a_full_roster_comes_back_whole)
{
	struct core *c = house_core(&house, "ann@" HOUSE_DOMAIN);
	struct house_client *a = signed_in("ann", "x");
	struct user *u = user_find(house_core(&house, "ann@" HOUSE_DOMAIN), STR("ann@" HOUSE_DOMAIN));
	uint64_t version;

	for (int i = 0; i < ROSTER_MAX; i++) {
		struct contact *one = roster_need(u, jid_trust(arena_printf(core_arena(c), "c%d@" HOUSE_DOMAIN, i)));

		one->listed = true;
		roster_save(u, one, false);
	}
	assert_null(roster_need(u, jid_trust(STR("more@" HOUSE_DOMAIN))));
	version = u->roster_ver;
	client_close(a);
	forget_in_memory("ann@" HOUSE_DOMAIN);
	a = signed_in("ann", "x");
	u = user_find(house_core(&house, "ann@" HOUSE_DOMAIN), STR("ann@" HOUSE_DOMAIN));
	assert_int_equal(u->roster.n, ROSTER_MAX);
	assert_int_equal(u->roster_ver, version);
	client_ping(a);
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(those_who_wait_for_a_user_come_in_order), DIALOGUE(one_who_is_told_that_nobody_is_there_may_ask_again),
	DIALOGUE(only_so_many_wait_for_a_user), DIALOGUE(a_sender_learns_that_the_store_could_not_say),
	DIALOGUE(those_who_wait_when_the_shard_ends_are_told_nobody), DIALOGUE(who_removes_his_account_is_forgotten),
	DIALOGUE(a_roster_comes_back_as_it_was), DIALOGUE(a_full_roster_comes_back_whole));

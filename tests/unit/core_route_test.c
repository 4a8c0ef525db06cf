/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Archive ids, messages that wait in the sender's stages, routing between shards, the end of the server. */
#include <stdlib.h>

#include "base/mem.h"
#include "core/core.h"
#include "core/roster.h"
#include "house.h"
#include "unit.h"

enum { SHARDS = 5 };

static struct house house;
static char names[SHARDS][64]; /* each at home in another shard */

static int setup(void **state)
{
	(void)state;
	house_open(&house, SHARDS, false);
	for (int i = 0; i < SHARDS; i++)
		house_account(&house, house_name_in(&house, i, "user", names[i]));
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

static const char *bare_of(const char *name)
{
	static char v[4][128];
	static unsigned next;
	char *out = v[next++ % 4];

	snprintf(out, sizeof(v[0]), "%s@" HOUSE_DOMAIN, name);
	return out;
}

/* ---- archive ids ---- */

enum { COUNT = 1 << 15 };
static const uint64_t NOW = 1800000000000ull;

TEST(archive_ids_rise_within_a_millisecond)
{
	uint64_t a = archive_id_next(0, NOW, 3), b = archive_id_next(a, NOW, 3);

	assert_true(b == a + 1);
	assert_true(archive_id_ms(a) == NOW && archive_id_ms(b) == NOW);
	assert_true(archive_id_from_ms(NOW) <= a);
	assert_true(archive_id_from_ms(NOW + 1) > b);
}

TEST(archive_ids_rise_when_the_clock_steps_back)
{
	uint64_t a = archive_id_next(0, NOW, 3), b = archive_id_next(a, NOW - 60000, 3), c = archive_id_next(b, NOW + 1, 3);

	assert_true(a < b && b < c);
	assert_true(archive_id_ms(b) == NOW);
	assert_true(archive_id_ms(c) == NOW + 1);
}

TEST(archive_ids_take_the_next_millisecond_when_the_count_runs_over)
{
	uint64_t id = archive_id_next(0, NOW, 63), other = archive_id_next(0, NOW, 62);

	for (int i = 1; i < COUNT; i++)
		id = archive_id_next(id, NOW, 63);
	assert_true(archive_id_ms(id) == NOW);
	id = archive_id_next(id, NOW, 63);
	assert_true(archive_id_ms(id) == NOW + 1);
	assert_int_equal(id >> 15 & 63, 63);
	for (int i = 1; i < COUNT; i++)
		other = archive_id_next(other, NOW, 62);
	other = archive_id_next(other, NOW, 62); /* does not run into the next shard's */
	assert_int_equal(other >> 15 & 63, 62);
	assert_true(archive_id_ms(other) == NOW + 1);
}

TEST(archive_ids_are_ids_whatever_the_clock_says)
{
	uint64_t early = archive_id_next(0, 1000, 2), second = archive_id_next(early, 2000, 2), late = archive_id_next(second, UINT64_MAX, 2);

	assert_true(early > 0 && second == early + 1);
	assert_true(archive_id_next(second, NOW, 2) == archive_id_next(0, NOW, 2));
	assert_true(late > second && late < 1ull << 63);
	assert_true(archive_id_next(late, UINT64_MAX, 2) < 1ull << 63);
	assert_true(archive_id_from_ms(1000) == 0);
}

/* ---- a stage that answers later ---- */

static void chat_with_origin(struct house_client *c, const char *to, const char *text)
{
	client_send(c, "<message to='%s' type='chat'><body>%s</body><origin-id xmlns='urn:xmpp:sid:0' id='o%s'/></message>", bare_of(to), text,
		text);
}

TEST(messages_behind_one_that_waits_keep_their_order)
{
	struct house_client *a = signed_in(names[0], "x"), *b = signed_in(names[1], "x");

	client_available(b);
	house_store(READS_WAIT); /* the archive is asked about the first */
	chat_with_origin(a, names[1], "one");
	client_send(a, "<message to='%s' type='chat'><body>two</body></message>", bare_of(names[1]));
	house_quiet(&house);
	chat_with_origin(a, names[1], "three");
	house_quiet(&house);
	assert_null(strstr(client_take(b), "<body>"));
	house_store(STORE_WORKS);
	client_expect(b, "<body>one");
	client_expect(b, "<body>two");
	client_expect(b, "<body>three");
}

TEST(a_message_that_waits_outlives_its_session)
{
	struct house_client *a = signed_in(names[0], "x"), *b = signed_in(names[1], "x");

	client_available(b);
	house_store(READS_WAIT);
	chat_with_origin(a, names[1], "one");
	house_quiet(&house);
	session_kick(house_session(&house, bare_of(names[0]), "x"), "conflict", NULL);
	house_quiet(&house);
	house_store(STORE_WORKS);
	client_expect(b, "<body>one");
}

TEST(a_retry_is_taken_once)
{
	struct house_client *a = signed_in(names[0], "x"), *b = signed_in(names[1], "x");

	client_available(b);
	chat_with_origin(a, names[1], "one");
	chat_with_origin(a, names[1], "one");
	client_close(a);
	house_quiet(&house);
	a = signed_in(names[0], "x");
	chat_with_origin(a, names[1], "one");
	chat_with_origin(a, names[1], "two");
	client_expect(b, "<body>one");
	assert_null(strstr(client_expect(b, "<body>two"), "<body>one"));
}

/* ---- between shards ---- */

TEST(presence_reaches_contacts_in_every_shard)
{
	struct house_client *c[SHARDS];

	for (int i = 1; i < SHARDS; i++)
		roster_befriend(&house.env, str_of(bare_of(names[0])), str_of(bare_of(names[i])));
	for (int i = SHARDS - 1; i >= 0; i--) {
		c[i] = signed_in(names[i], "x");
		client_available(c[i]);
	}
	for (int i = 1; i < SHARDS; i++) {
		char want[200];

		snprintf(want, sizeof(want), "<presence from='%s/x' to='%s'", bare_of(names[0]), bare_of(names[i]));
		client_expect(c[i], want);
		snprintf(want, sizeof(want), "from='%s/x' to='%s", bare_of(names[i]), bare_of(names[0]));
		client_send(c[0], "<presence type='probe' to='%s'/>", bare_of(names[i]));
		client_expect(c[0], want);
	}
	client_close(c[0]);
	for (int i = 1; i < SHARDS; i++)
		client_expect(c[i], "type='unavailable'");
}

static void ignore(struct shard *s, struct mail *m)
{
	free(m);
}

static const struct mail_kind MAIL_NOISE = { .name = "test.noise", .handle = ignore };

TEST(a_full_mailbox_is_an_error_to_the_sender)
{
	struct house_client *a = signed_in(names[0], "x"), *b = signed_in(names[1], "x");

	client_enable_sm(a);
	client_available(b);
	for (int i = 0; i < MAILBOX_MAX; i++) {
		struct mail *m = mem_zalloc(sizeof(*m));

		m->kind = &MAIL_NOISE;
		assert_int_equal(shard_post(house.shards.v[1], m), 0);
	}
	client_send(a, "<message to='%s' type='chat' id='m1'><body>x</body></message><r xmlns='urn:xmpp:sm:3'/>", bare_of(names[1]));
	for (int i = 0; i < 3; i++)
		house_turn(&house, 0);
	client_expect(a, "resource-constraint");
	client_expect(a, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
	assert_null(strstr(client_take(b), "<body>"));
	client_send(a, "<message to='%s' type='chat' id='m2'><body>y</body></message>", bare_of(names[1]));
	client_expect(b, "<body>y</body>");
}

TEST(who_writes_to_nobody_gets_an_error)
{
	struct house_client *a = signed_in(names[0], "x");

	client_send(a, "<message to='ghost@" HOUSE_DOMAIN "' type='chat'><body>x</body></message>");
	client_expect(a, "service-unavailable");
	client_send(a, "<message to='x@example.org' type='chat'><body>x</body></message>");
	client_expect(a, "remote-server-not-found");
	client_send(a, "<iq type='get' id='1' to='ghost@" HOUSE_DOMAIN "/x'><ping xmlns='urn:xmpp:ping'/></iq>");
	client_expect(a, "service-unavailable");
}

/* ---- the end ---- */

TEST(everybody_is_told_that_the_server_ends)
{
	enum { PEOPLE = 12, CONTACTS = 12 };
	struct house_client *c[PEOPLE];
	char name[64], prefix[32], contact[128], node[64];

	/* Each of them has contacts that are not in memory: telling them loads accounts while the sessions are ended. */
	for (int i = 0; i < PEOPLE; i++) {
		snprintf(prefix, sizeof(prefix), "person%d-", i);
		house_name_in(&house, 0, prefix, name);
		house_account(&house, name);
		for (int k = 0; k < CONTACTS; k++) {
			snprintf(prefix, sizeof(prefix), "away%d-%d-", i, k);
			snprintf(contact, sizeof(contact), "%s@" HOUSE_DOMAIN, house_name_in(&house, 0, prefix, node));
			roster_befriend(&house.env, str_of(bare_of(name)), str_of(contact));
		}
		c[i] = signed_in(name, "x");
		client_available(c[i]);
	}
	house_skip(&house, USER_IDLE_MS * 2);
	house_shutdown(&house);
	for (int i = 0; i < PEOPLE; i++)
		client_expect(c[i], "<system-shutdown");
}

TEST(who_has_not_signed_in_is_told_too)
{
	struct house_client *a = house_connect(&house, 0), *b = house_connect(&house, 0), *c = house_connect(&house, 0);

	client_send(a, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" HOUSE_DOMAIN
		       "' version='1.0'>");
	client_expect(a, "</stream:features>");
	client_authenticate(b, names[1], ""); /* moved to another shard */
	client_expect(b, "<success");
	house_store(READS_WAIT);
	client_authenticate(c, names[2], ""); /* in the middle of it */
	house_quiet(&house);
	house_shutdown(&house);
	house_store(STORE_WORKS);
	client_expect(a, "<system-shutdown");
	client_expect(b, "<system-shutdown");
	client_expect(c, "<system-shutdown");
	assert_true(client_is_closed(a) && client_is_closed(b) && client_is_closed(c));
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(cmocka_unit_test(archive_ids_rise_within_a_millisecond), cmocka_unit_test(archive_ids_rise_when_the_clock_steps_back),
	cmocka_unit_test(archive_ids_take_the_next_millisecond_when_the_count_runs_over),
	cmocka_unit_test(archive_ids_are_ids_whatever_the_clock_says), DIALOGUE(messages_behind_one_that_waits_keep_their_order),
	DIALOGUE(a_message_that_waits_outlives_its_session), DIALOGUE(a_retry_is_taken_once),
	DIALOGUE(presence_reaches_contacts_in_every_shard), DIALOGUE(a_full_mailbox_is_an_error_to_the_sender),
	DIALOGUE(who_writes_to_nobody_gets_an_error), DIALOGUE(who_has_not_signed_in_is_told_too), DIALOGUE(everybody_is_told_that_the_server_ends));

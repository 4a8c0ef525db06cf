/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0198 as clients see it: what is acknowledged when, resumption and its races, messages of a session that dies. */
#include "core/session.h"
#include "house.h"
#include "unit.h"

static struct house house;
static char ann[64], bob[64]; /* at home in different shards */

static int setup(void **state)
{
	(void)state;
	house_open(&house, 2, false);
	house_account(&house, house_name_in(&house, 0, "ann", ann));
	house_account(&house, house_name_in(&house, 1, "bob", bob));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	house_close(&house);
	return 0;
}

/* Past SASL, no resource yet: resuming needs no more reading. */
static struct house_client *authenticated(const char *name)
{
	struct house_client *c = house_connect(&house, 0);

	client_authenticate(c, name, "");
	client_expect(c, "</stream:features>");
	return c;
}

static struct house_client *signed_in(const char *name, const char *resource)
{
	struct house_client *c = house_connect(&house, 1);

	client_sign_in(c, name, resource);
	return c;
}

static void chat(struct house_client *c, const char *to, const char *text)
{
	client_send(c, "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>%s</body></message>", to, text);
}

static void ask(struct house_client *c)
{
	client_send(c, "<r xmlns='urn:xmpp:sm:3'/>");
}

static void resume(struct house_client *c, const char *token)
{
	client_send(c, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", token);
}

static void expect_resumed(struct house_client *c, const char *token, unsigned h)
{
	char want[128];

	snprintf(want, sizeof(want), "<resumed xmlns='urn:xmpp:sm:3' previd='%s' h='%u'/>", token, h);
	client_expect(c, want);
}

TEST(what_is_not_on_disk_is_not_acknowledged)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk");

	client_enable_sm(a);
	client_available(b);
	house_store(WRITES_WAIT);
	client_send(a, "<presence/>");
	chat(a, bob, "one");
	ask(a);
	client_expect(b, "<body>one"); /* delivery does not wait for the disk */
	assert_null(strstr(client_take(a), "<a "));
	house_store(STORE_WORKS);
	client_expect(a, "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

TEST(a_message_that_the_disk_refuses_is_answered_with_an_error)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk");

	client_enable_sm(a);
	client_available(b);
	house_store(WRITES_FAIL);
	chat(a, bob, "one");
	ask(a);
	client_expect(a, "resource-constraint");
	client_expect(a, "<a xmlns='urn:xmpp:sm:3' h='1'/>");
	house_store(STORE_WORKS);
	chat(a, bob, "two");
	ask(a);
	client_expect(a, "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

TEST(resuming_replays_what_was_not_acknowledged)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk"), *again;
	const char *token = client_enable_sm(b);

	client_available(b);
	client_close(b);
	house_quiet(&house);
	chat(a, bob, "one");
	chat(a, bob, "two");
	again = authenticated(bob);
	client_send(again, "<resume xmlns='urn:xmpp:sm:3' h='1' previd='%s'/>", token);
	expect_resumed(again, token, 1);
	client_expect(again, "<body>one");
	client_expect(again, "<body>two");
	chat(a, bob, "three");
	client_expect(again, "<body>three");
}

TEST(a_stream_that_waits_to_close_gives_its_session_to_one_that_resumes_it)
{
	struct house_client *a = signed_in(ann, "phone"), *again = authenticated(ann);
	const char *token = client_enable_sm(a);

	house_store(WRITES_WAIT);
	chat(a, bob, "one");
	client_send(a, "</stream:stream>");
	house_quiet(&house);
	resume(again, token);
	house_quiet(&house);
	house_store(STORE_WORKS);
	expect_resumed(again, token, 1);
	client_ping(again);
	assert_true(client_is_closed(a));
}

TEST(of_two_that_resume_at_once_one_gets_the_session)
{
	struct house_client *a = signed_in(ann, "phone"), *one = authenticated(ann), *two = authenticated(ann);
	const char *token = client_enable_sm(a);

	house_store(WRITES_WAIT);
	chat(a, bob, "one");
	house_quiet(&house);
	resume(one, token);
	house_quiet(&house);
	resume(two, token);
	house_quiet(&house);
	house_store(STORE_WORKS);
	client_expect(one, "<failed xmlns='urn:xmpp:sm:3'>");
	expect_resumed(two, token, 1);
	client_ping(two);
}

TEST(a_message_that_waits_does_not_unpause_the_link_that_came_after_it)
{
	struct house_client *a = signed_in(ann, "phone"), *one = authenticated(ann), *two = authenticated(ann);
	const char *token = client_enable_sm(a);

	house_store(READS_WAIT); /* the archive is asked whether this is a retry */
	client_send(a, "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>x</body><origin-id xmlns='urn:xmpp:sid:0' id='o'/></message>",
		bob);
	house_quiet(&house);
	resume(one, token);
	house_quiet(&house);
	resume(two, token);
	house_quiet(&house);
	house_store(STORE_WORKS);
	expect_resumed(two, token, 1);
	client_ping(two);
}

TEST(messages_of_a_session_that_dies_go_to_the_other_one)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk"), *other = signed_in(bob, "sofa");

	client_enable_sm(b);
	client_available(b);
	client_available(other);
	client_send(a, "<message to='%s@" HOUSE_DOMAIN "/desk' type='chat'><body>one</body></message>", bob);
	house_quiet(&house);
	assert_null(strstr(client_take(other), "<body>one"));
	client_close(b);
	house_skip(&house, 86400000);
	client_expect(other, "<body>one");
}

TEST(messages_of_the_last_session_that_dies_wait_for_the_next)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk");
	const char *text;
	int ids = 0;

	client_enable_sm(b);
	client_available(b);
	chat(a, bob, "one");
	chat(a, bob, "two");
	client_expect(b, "<body>two");
	client_close(b);
	house_skip(&house, 86400000);
	assert_null(house_session(&house, "bob", "desk"));
	b = signed_in(bob, "desk");
	client_available(b);
	text = client_expect(b, "<body>two");
	assert_non_null(strstr(text, "<body>one"));
	assert_non_null(strstr(text, "urn:xmpp:delay"));
	for (; (text = strstr(text, "<stanza-id")); text++)
		ids++;
	assert_int_equal(ids, 2); /* each its own, and no second one */
}

TEST(what_was_kept_comes_once_however_often_the_presence_changes)
{
	struct house_client *a = signed_in(ann, "phone"), *b;

	chat(a, bob, "one");
	client_ping(a);
	b = signed_in(bob, "desk");
	client_enable_sm(b);
	client_available(b);
	client_expect(b, "<body>one");
	client_send(b, "<presence><priority>-1</priority></presence><presence/><presence type='unavailable'/><presence/>");
	assert_null(strstr(client_take(b), "<body>one"));
	client_close(b);
	house_skip(&house, 86400000); /* never acknowledged: still there */
	b = signed_in(bob, "desk");
	client_available(b);
	client_expect(b, "<body>one");
}

TEST(an_acknowledgement_of_more_than_was_sent_ends_the_stream)
{
	struct house_client *a = signed_in(ann, "phone");

	client_enable_sm(a);
	client_send(a, "<a xmlns='urn:xmpp:sm:3' h='7'/>");
	client_expect(a, "handled-count-too-high");
	assert_true(client_is_closed(a));
}

/* Headlines fill the queue but are not worth keeping. */
static void fill_queue(struct session *s, uint32_t left)
{
	struct stanza st;

	while (s->sm->n < SM_QUEUE_MAX - left) {
		stanza_new(core_arena(s->core), ST_MESSAGE, MSG_HEADLINE, &st);
		session_send(s, &st, NULL);
		stanza_fini(&st);
	}
}

TEST(a_queue_that_runs_over_ends_the_session_and_loses_no_message)
{
	struct house_client *a = signed_in(ann, "phone"), *b = signed_in(bob, "desk");
	char bare[80], text[16];

	client_enable_sm(b);
	client_available(b);
	snprintf(bare, sizeof(bare), "%s@" HOUSE_DOMAIN, bob);
	fill_queue(house_session(&house, bare, "desk"), 3);
	client_take(b);
	for (int i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "no. %d", i);
		chat(a, bob, text);
	}
	client_expect(b, "policy-violation");
	b = signed_in(bob, "desk");
	client_available(b);
	for (int i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "no. %d<", i);
		client_expect(b, text);
	}
}

TEST(a_session_that_ran_over_cannot_be_resumed)
{
	struct house_client *b = signed_in(bob, "desk"), *again = authenticated(bob);
	const char *token = client_enable_sm(b);
	struct session *s;
	struct stanza st;
	char bare[80];

	client_available(b);
	snprintf(bare, sizeof(bare), "%s@" HOUSE_DOMAIN, bob);
	s = house_session(&house, bare, "desk");
	fill_queue(s, 0);
	client_take(b);
	client_close(b); /* the server sees it in the same turn */
	s = house_session(&house, bare, "desk");
	stanza_new(core_arena(s->core), ST_MESSAGE, MSG_CHAT, &st);
	session_send(s, &st, NULL);
	stanza_fini(&st);
	assert_true(s->overflown);
	house_quiet(&house);
	assert_null(house_session(&house, bare, "desk"));
	resume(again, token);
	client_expect(again, "<failed xmlns='urn:xmpp:sm:3'>");
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(what_is_not_on_disk_is_not_acknowledged), DIALOGUE(a_message_that_the_disk_refuses_is_answered_with_an_error),
	DIALOGUE(resuming_replays_what_was_not_acknowledged),
	DIALOGUE(a_stream_that_waits_to_close_gives_its_session_to_one_that_resumes_it),
	DIALOGUE(of_two_that_resume_at_once_one_gets_the_session),
	DIALOGUE(a_message_that_waits_does_not_unpause_the_link_that_came_after_it),
	DIALOGUE(messages_of_a_session_that_dies_go_to_the_other_one),
	DIALOGUE(messages_of_the_last_session_that_dies_wait_for_the_next),
	DIALOGUE(what_was_kept_comes_once_however_often_the_presence_changes),
	DIALOGUE(an_acknowledgement_of_more_than_was_sent_ends_the_stream),
	DIALOGUE(a_queue_that_runs_over_ends_the_session_and_loses_no_message),
	DIALOGUE(a_session_that_ran_over_cannot_be_resumed));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whole dialogues in one process: two people, two shards. */
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

TEST(two_people_chat_across_shards)
{
	struct house_client *a = house_connect(&house, 0), *b = house_connect(&house, 0);

	client_sign_in(a, ann, "phone");
	client_sign_in(b, bob, "desk");
	client_available(b);
	client_send(a, "<message to='%s@" HOUSE_DOMAIN "' type='chat' id='m1'><body>hello</body></message>", bob);
	client_expect(b, "<body>hello</body>");
	client_send(b, "<message to='%s@" HOUSE_DOMAIN "/phone' type='chat' id='m2'><body>hi</body></message>", ann);
	client_expect(a, "<body>hi</body>");
	client_ping(a);
	client_ping(b);
}

TEST(a_message_to_nobody_there_waits_for_the_next_sign_in)
{
	struct house_client *a = house_connect(&house, 1), *b = house_connect(&house, 1);

	client_sign_in(a, ann, "phone");
	client_send(a, "<message to='%s@" HOUSE_DOMAIN "' type='chat' id='m1'><body>later</body></message>", bob);
	client_ping(a);
	client_sign_in(b, bob, "desk");
	client_available(b);
	client_expect(b, "<body>later</body>");
	client_expect(b, "urn:xmpp:delay");
}

/* Signed in by SASL2, whose success comes without a new stream. */
TEST(a_large_stanza_is_taken_after_every_way_to_sign_in)
{
	struct house_client *a = house_connect(&house, 0), *b = house_connect(&house, 1);
	static char text[60001];

	memset(text, 'x', sizeof(text) - 1);
	client_sign_in(b, bob, "desk");
	client_available(b);
	client_authenticate(a, ann, "<bind xmlns='urn:xmpp:bind:0'/>");
	client_expect(a, "</stream:features>");
	client_send(a, "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>%s</body></message>", bob, text);
	client_expect(b, text);
	client_send(b, "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>%sy</body></message>", bob, text);
	client_expect(b, "xy</body>");
	client_ping(a);
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(a_large_stanza_is_taken_after_every_way_to_sign_in), DIALOGUE(two_people_chat_across_shards), DIALOGUE(a_message_to_nobody_there_waits_for_the_next_sign_in));

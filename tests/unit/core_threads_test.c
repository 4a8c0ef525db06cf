/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The house with its shards in threads of their own: streams that move, messages and receipts between shards, the end. */
#include "house.h"
#include "unit.h"

enum { PEOPLE = 4, ROUNDS = 20 };

static struct house house;
static char names[PEOPLE][64];

static int setup(void **state)
{
	(void)state;
	house_open(&house, 2, true);
	for (int i = 0; i < PEOPLE; i++) {
		char prefix[16];

		snprintf(prefix, sizeof(prefix), "user%d-", i);
		house_account(&house, house_name_in(&house, i % 2, prefix, names[i]));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	house_close(&house);
	return 0;
}

TEST(everybody_writes_to_everybody)
{
	struct house_client *c[PEOPLE];
	char want[64];

	for (int i = 0; i < PEOPLE; i++) {
		c[i] = house_connect(&house, (i + 1) % 2); /* its stream has to move */
		client_sign_in(c[i], names[i], "x");
		client_enable_sm(c[i]);
		client_available(c[i]);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < PEOPLE; i++)
			client_send(c[i], "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>round %d.</body></message>",
				names[(i + 1 + round % (PEOPLE - 1)) % PEOPLE], round);
	for (int i = 0; i < ROUNDS * PEOPLE; i++) /* of several senders, in some order */
		client_expect(c[i % PEOPLE], "<body>round ");
	for (int i = 0; i < PEOPLE; i++) {
		client_send(c[i], "<r xmlns='urn:xmpp:sm:3'/>");
		snprintf(want, sizeof(want), "h='%d'/>", ROUNDS + 1); /* with its presence */
		client_expect(c[i], want);
	}
}

TEST(sessions_are_resumed_while_messages_come)
{
	struct house_client *a = house_connect(&house, 0), *b = house_connect(&house, 0);
	char token[64], want[64];
	int seen = 0;

	client_sign_in(a, names[0], "x");
	client_sign_in(b, names[1], "x");
	snprintf(token, sizeof(token), "%s", client_enable_sm(b));
	client_available(b);
	for (int round = 0; round < ROUNDS; round++) {
		client_send(a, "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>round %d.</body></message>", names[1], round);
		if (round % 5 != 4)
			continue;
		client_close(b);
		b = house_connect(&house, round % 2);
		client_authenticate(b, names[1], "");
		client_expect(b, "</stream:features>");
		client_send(b, "<resume xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", token);
		client_expect(b, "<resumed ");
		client_expect(b, "here"); /* nothing was acknowledged: all comes again */
		for (seen = 0; seen <= round; seen++) {
			snprintf(want, sizeof(want), "round %d.", seen);
			client_expect(b, want);
		}
	}
	assert_int_equal(seen, ROUNDS);
}

TEST(the_server_ends_in_the_middle_of_it)
{
	struct house_client *c[PEOPLE];

	for (int i = 0; i < PEOPLE; i++) {
		c[i] = house_connect(&house, 0);
		client_sign_in(c[i], names[i], "x");
		client_available(c[i]);
	}
	for (int i = 0; i < PEOPLE; i++)
		client_send(c[i], "<message to='%s@" HOUSE_DOMAIN "' type='chat'><body>x</body></message>", names[(i + 1) % PEOPLE]);
	house_shutdown(&house);
	for (int i = 0; i < PEOPLE; i++) {
		client_expect(c[i], "<system-shutdown");
		assert_true(client_is_closed(c[i]));
	}
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(everybody_writes_to_everybody), DIALOGUE(sessions_are_resumed_while_messages_come),
	DIALOGUE(the_server_ends_in_the_middle_of_it));

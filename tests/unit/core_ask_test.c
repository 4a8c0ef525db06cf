/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Requests of the server's own: the answer finds who asked, whichever shard it comes through; nobody else can give it. */
#include "core/ask.h"
#include "house.h"
#include "unit.h"

static struct house house;
static char ann[64], bob[64]; /* at home in different shards */
static int answers;
static enum stanza_type answer_type;
static bool answered_null;

static void on_answer(struct core *c, struct stanza *reply, void *arg)
{
	assert_ptr_equal(arg, &house);
	answers++;
	answered_null = !reply;
	if (reply)
		answer_type = reply->type;
}

static int setup(void **state)
{
	(void)state;
	answers = 0;
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

/* Asks name/r for its version, as the domain, in ann's shard. */
static void ask(const char *name)
{
	int before = answers;
	char at[128];
	struct core *c;
	struct jid from, to;

	snprintf(at, sizeof(at), "%s@" HOUSE_DOMAIN, ann);
	c = house_core(&house, at);
	snprintf(at, sizeof(at), "%s@" HOUSE_DOMAIN "/r", name);
	assert_int_equal(jid_parse(core_arena(c), str_of(at), &to), 0);
	assert_int_equal(jid_parse(core_arena(c), STR(HOUSE_DOMAIN), &from), 0);
	assert_int_equal(iq_ask(c,
				 &(struct question){ from, to, IQ_GET, xml_new(core_arena(c), "query", "jabber:iq:version"), on_answer, &house }), 0);
	assert_int_equal(answers, before); /* never within the call */
	house_quiet(&house);
}

/* The id of the request in what a client got. */
static void id_of(const char *got, char out[64])
{
	const char *id = strstr(got, "id='");

	assert_non_null(id);
	assert_int_equal(sscanf(id, "id='%63[^']", out), 1);
}

static void the_answer_arrives(const char *name, int shard)
{
	struct house_client *c = house_connect(&house, shard);
	char id[64];

	client_sign_in(c, name, "r");
	ask(name);
	id_of(client_take(c), id);
	client_send(c, "<iq type='result' id='%s' to='" HOUSE_DOMAIN "'><query xmlns='jabber:iq:version'/></iq>", id);
	house_quiet(&house);
	assert_int_equal(answers, 1);
	assert_false(answered_null);
	assert_int_equal(answer_type, IQ_RESULT);
	/* Once only. */
	client_send(c, "<iq type='result' id='%s' to='" HOUSE_DOMAIN "'/>", id);
	client_ping(c);
	assert_int_equal(answers, 1);
}

TEST(an_answer_in_the_same_shard)
{
	the_answer_arrives(ann, 0);
}

TEST(an_answer_from_another_shard)
{
	the_answer_arrives(bob, 1);
}

TEST(nobody_else_can_answer)
{
	struct house_client *a = house_connect(&house, 0), *b = house_connect(&house, 1);
	char id[64];

	client_sign_in(a, ann, "r");
	client_sign_in(b, bob, "r");
	ask(ann);
	id_of(client_take(a), id);
	client_send(b, "<iq type='result' id='%s' to='" HOUSE_DOMAIN "'/>", id);
	client_send(b, "<iq type='result' id='ask-1-99999999999999999999999' to='" HOUSE_DOMAIN "'/>");
	client_send(b, "<iq type='result' id='ask-63-1' to='" HOUSE_DOMAIN "'/>");
	client_send(b, "<iq type='result' id='ask-' to='" HOUSE_DOMAIN "'/>");
	client_ping(b);
	house_quiet(&house);
	assert_int_equal(answers, 0);
	client_send(a, "<iq type='error' id='%s' to='" HOUSE_DOMAIN "'><error type='cancel'/></iq>", id);
	house_quiet(&house);
	assert_int_equal(answers, 1);
	assert_int_equal(answer_type, IQ_ERROR);
}

TEST(who_is_not_there_is_an_error)
{
	ask("nobody");
	assert_int_equal(answers, 1);
	assert_false(answered_null);
	assert_int_equal(answer_type, IQ_ERROR);
	ask(ann); /* an account, but no such session */
	assert_int_equal(answers, 2);
	assert_int_equal(answer_type, IQ_ERROR);
}

TEST(silence_ends_after_a_while)
{
	struct house_client *a = house_connect(&house, 0);

	client_sign_in(a, ann, "r");
	ask(ann);
	client_take(a);
	house_skip(&house, ASK_TIMEOUT_MS + 1000);
	assert_int_equal(answers, 1);
	assert_true(answered_null);
}

TEST(the_end_of_the_server_tells_who_waits)
{
	struct house_client *a = house_connect(&house, 0);

	client_sign_in(a, ann, "r");
	ask(ann);
	house_close(&house);
	assert_int_equal(answers, 1);
	assert_true(answered_null);
	house_open(&house, 2, false);
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(an_answer_in_the_same_shard), DIALOGUE(an_answer_from_another_shard), DIALOGUE(nobody_else_can_answer),
	DIALOGUE(who_is_not_there_is_an_error), DIALOGUE(silence_ends_after_a_while), DIALOGUE(the_end_of_the_server_tells_who_waits));

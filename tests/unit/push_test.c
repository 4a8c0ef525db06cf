/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What the user may not have seen reaches the user's push service. */
#include "core/unseen.h"
#include "house.h"
#include "unit.h"

static struct house house;
static char ann[64], bob[64]; /* at home in different shards */
static struct house_client *service;

static int setup(void **state)
{
	struct house_client *a;

	house_open(&house, 2, false);
	house_account(&house, house_name_in(&house, 0, "ann", ann));
	house_account(&house, house_name_in(&house, 1, "bob", bob));
	service = house_connect(&house, 0);
	client_sign_in(service, bob, "app");
	a = house_connect(&house, 0);
	client_sign_in(a, ann, "phone");
	client_send(a, "<iq type='set' id='e'><enable xmlns='urn:xmpp:push:0' jid='%s@" HOUSE_DOMAIN "/app' node='n'/></iq>", bob);
	client_expect(a, "type='result'");
	client_send(a, "</stream:stream>");
	assert_true(client_is_closed(a));
	return 0;
}

static int teardown(void **state)
{
	house_close(&house);
	return 0;
}

static void on_user(struct user *u, void *arg)
{
	struct stanza st;

	assert_int_equal(stanza_unpack(blob_view(arg), &st), 0);
	if (u->state == USER_READY)
		unseen(u, NULL, &st);
	stanza_fini(&st);
	blob_unref(arg);
}

/* Something of this type has come from a room for ann, in her shard. */
static void room_says(enum stanza_type type, const char *from, const char *child)
{
	char at[128];
	struct core *c;
	struct stanza st;

	snprintf(at, sizeof(at), "%s@" HOUSE_DOMAIN, ann);
	c = house_core(&house, at);
	stanza_new(core_arena(c), ST_MESSAGE, type, &st);
	assert_int_equal(jid_parse(core_arena(c), str_of(from), &st.from), 0);
	xml_add_text(core_arena(c), st.el, child, STR("look, ann"));
	user_with(c, str_of(at), on_user, stanza_pack(&st));
	stanza_fini(&st);
	house_quiet(&house);
}

TEST(a_member_who_is_not_inside_is_told)
{
	room_says(MSG_GROUPCHAT, "room@conference." HOUSE_DOMAIN "/somebody", "body");
	client_expect(service, "<publish node='n'>");
	client_expect(service, "<field var='message-count'><value>1</value></field>");
}

TEST(what_weighs_nothing_is_not_told)
{
	room_says(MSG_GROUPCHAT, "room@conference." HOUSE_DOMAIN "/somebody", "thread");
	house_skip(&house, 10000);
	assert_null(strstr(client_take(service), "publish"));
}

TEST(nobody_is_told_of_an_account_that_is_not_there)
{
	snprintf(ann, sizeof(ann), "nobody");
	room_says(MSG_GROUPCHAT, "room@conference." HOUSE_DOMAIN "/somebody", "body");
	house_skip(&house, 10000);
	assert_null(strstr(client_take(service), "publish"));
}

UNIT_MAIN(cmocka_unit_test_setup_teardown(a_member_who_is_not_inside_is_told, setup, teardown),
	cmocka_unit_test_setup_teardown(what_weighs_nothing_is_not_told, setup, teardown),
	cmocka_unit_test_setup_teardown(nobody_is_told_of_an_account_that_is_not_there, setup, teardown));

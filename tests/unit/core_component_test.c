/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Components where time, a full output or the server's end decide; the dialogues of tests/flow have the rest. */
#include <errno.h>

#include "core/ask.h"
#include "core/component.h"
#include "core/delegation.h"
#include "core/feature.h"
#include "core/privilege.h"
#include "features/features.h"
#include "house.h"
#include "unit.h"

#define NAME "svc." HOUSE_DOMAIN

static struct house house;
static struct components *components;
static struct buf got;
static size_t pending;
static char ann[64];

static void fake_send(void *link, struct str head, struct str tail)
{
	assert_ptr_equal(link, &house);
	buf_str(&got, head);
	buf_str(&got, tail);
}

static size_t fake_pending(void *link)
{
	(void)link;
	return pending;
}

static const struct component_ops fake = { fake_send, fake_pending };

static int setup(void **state)
{
	char err[300];

	(void)state;
	pending = 0;
	house_open(&house, 2, false);
	house_config(&house, "components.secrets", NAME " secret12; deep." NAME " secret12; other.test secret12");
	house_config(&house, "components.delegations", NAME " urn:test:x");
	house_config(&house, "components.privileges", NAME " roster=get presence=roster iq=urn:test:y:both");
	assert_int_equal(components_new(house.config, &components, err, sizeof(err)), 0);
	assert_int_equal(components_place(components, &house.hosts, &house.shards, features, err, sizeof(err)), 0);
	house.env.components = components;
	house_account(&house, house_name_in(&house, 0, "ann", ann));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	house_close(&house);
	components_free(components);
	buf_free(&got);
	return 0;
}

static void attach(void)
{
	struct core *c = house_core(&house, NAME);
	struct component *cp = core_component(c, STR(NAME));

	assert_int_equal(component_attach(c, cp, &fake, &house), 0);
	assert_int_equal(component_attach(c, cp, &fake, &house), -EEXIST);
	privilege_attached(c, cp);
	delegation_attached(c, cp);
	house_quiet(&house);
}

static void detach(void)
{
	struct core *c = house_core(&house, NAME);

	component_detach(c, core_component(c, STR(NAME)));
	house_quiet(&house);
}

/* All that the component got since the last call. */
static const char *taken(void)
{
	static char text[20000];

	house_quiet(&house);
	assert_true(got.n < sizeof(text));
	memcpy(text, got.p ? got.p : "", got.n);
	text[got.n] = '\0';
	got.n = 0;
	return text;
}

TEST(the_longest_name_serves_an_address)
{
	struct core *c = house_core(&house, NAME);
	static const struct {
		const char *domain, *name;
	} table[] = {
		{ NAME, NAME }, { "x." NAME, NAME }, { "deep." NAME, "deep." NAME }, { "x.deep." NAME, "deep." NAME }, { "x.y." NAME, NAME },
		{ "x" NAME, NULL }, { HOUSE_DOMAIN, NULL }, { "test", NULL }, { "other.test", "other.test" }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct component *cp = core_component(c, str_of(table[i].domain));

		assert_true(table[i].name ? cp && str_is(cp->name, table[i].name) : !cp);
	}
	assert_non_null(component_of(c, jid_trust(STR(NAME))));
	assert_null(component_of(c, jid_trust(STR("x." NAME))));
	assert_null(component_of(c, jid_trust(STR("a@" NAME))));
	assert_null(component_of(c, jid_trust(STR(NAME "/r"))));
	house_quiet(&house);
}

TEST(silence_becomes_an_error)
{
	struct house_client *a = house_connect(&house, 0);

	attach();
	client_sign_in(a, ann, "r");
	taken();
	client_send(a, "<iq type='get' id='q'><x xmlns='urn:test:x'/></iq>");
	assert_non_null(strstr(taken(), "urn:xmpp:delegation:2"));
	assert_null(strstr(client_take(a), "id='q'"));
	house_skip(&house, ASK_TIMEOUT_MS + 1000);
	client_expect(a, "id='q' type='error'");
	client_expect(a, "service-unavailable");
	detach();
}

TEST(silence_about_a_request_in_somebodys_name_is_told)
{
	struct house_client *a = house_connect(&house, 0);
	struct core *c;
	struct xml *el;

	attach();
	client_sign_in(a, ann, "r");
	taken();
	c = house_core(&house, NAME);
	assert_int_equal(xml_parse(core_arena(c), arena_printf(core_arena(c),
		"<iq xmlns='jabber:client' type='get' id='p' from='" NAME "' to='%s@" HOUSE_DOMAIN "'><privileged_iq xmlns='urn:xmpp:privilege:2'>"
		"<iq xmlns='jabber:client' type='get' id='i' to='%s@" HOUSE_DOMAIN "/r'><y xmlns='urn:test:y'/></iq></privileged_iq></iq>", ann, ann),
		&el), 0);
	assert_int_equal(component_receive(c, core_component(c, STR(NAME)), el), 0);
	client_expect(a, "urn:test:y");
	assert_null(strstr(taken(), "id='p'"));
	house_skip(&house, ASK_TIMEOUT_MS + 1000);
	assert_non_null(strstr(taken(), "remote-server-timeout"));
	detach();
}

TEST(a_full_output_refuses_more)
{
	struct house_client *a = house_connect(&house, 0);

	attach();
	client_sign_in(a, ann, "r");
	taken();
	pending = COMPONENT_OUT_MAX + 1;
	client_send(a, "<message to='x@" NAME "' id='m'><body>x</body></message>");
	client_expect(a, "resource-constraint");
	assert_string_equal(taken(), "");
	pending = COMPONENT_OUT_MAX;
	client_send(a, "<message to='x@" NAME "' id='m'><body>x</body></message>");
	assert_non_null(strstr(taken(), "<body>x</body>"));
	detach();
}

TEST(the_server_may_end_while_answers_are_due)
{
	struct house_client *a = house_connect(&house, 0);

	attach();
	client_sign_in(a, ann, "r");
	client_send(a, "<iq type='get' id='q'><x xmlns='urn:test:x'/></iq>");
	assert_non_null(strstr(taken(), "urn:test:x"));
	detach(); /* as its stream does at the end */
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(the_longest_name_serves_an_address), DIALOGUE(silence_becomes_an_error),
	DIALOGUE(silence_about_a_request_in_somebodys_name_is_told), DIALOGUE(a_full_output_refuses_more),
	DIALOGUE(the_server_may_end_while_answers_are_due));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The counters of XEP-0198 in a session whose link is the test: wrap-around, receipts out of order, asking and telling, the pause. */
#include <errno.h>

#include "core/core.h"
#include "house.h"
#include "unit.h"

static struct house house;
static struct core *core;
static struct session *session;
static struct buf sent; /* what went to the link */
static int paused, closed;

static void on_send(struct session *s, struct str head, struct str tail)
{
	buf_str(&sent, head);
	buf_str(&sent, tail);
}

static void on_close(struct session *s, const char *stream_error, const char *text)
{
	closed++;
}

static void on_pause(struct session *s, bool on)
{
	paused += on ? 1 : -1;
}

static const struct session_ops ops = { .send = on_send, .close = on_close, .pause = on_pause };

static void on_user(struct user *u, void *arg)
{
	assert_int_equal(u->state, USER_READY);
	session = session_bind(u, STR("x"), &ops, &paused);
}

static int setup(void **state)
{
	(void)state;
	paused = closed = 0;
	house_open(&house, 1, false);
	house_account(&house, "ann");
	user_with(house_core(&house, "ann@" HOUSE_DOMAIN), STR("ann@" HOUSE_DOMAIN), on_user, NULL);
	house_quiet(&house);
	core = house_core(&house, "ann@" HOUSE_DOMAIN);
	assert_int_equal(session_sm_enable(session, true, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	house_close(&house);
	buf_free(&sent);
	return 0;
}

/* What went out since the last time. */
static const char *out(void)
{
	static char text[100000];

	assert_true(sent.n < sizeof(text));
	memcpy(text, sent.p ? sent.p : "", sent.n);
	text[sent.n] = '\0';
	sent.n = 0;
	return text;
}

static void send_text(const char *body)
{
	struct stanza st;

	stanza_new(core_arena(core), ST_MESSAGE, MSG_CHAT, &st);
	st.from = jid_trust(STR("bob@" HOUSE_DOMAIN "/y"));
	st.to = session->jid;
	xml_add_text(core_arena(core), st.el, "body", str_of(body));
	stanza_touched(&st);
	stanza_scan(&st);
	session_send(session, &st, NULL);
	stanza_fini(&st);
}

/* As if so many stanzas had been received, dealt with and acknowledged. */
static void received_before(uint32_t n)
{
	session->sm->in = session->sm->durable = session->sm->told = n;
}

/* As if so many had been sent and acknowledged. */
static void sent_before(uint32_t n)
{
	session->sm->out = session->sm->acked = session->sm->asked_at = n;
}

TEST(receipts_may_come_in_any_order)
{
	struct receipt r[3];

	for (int i = 0; i < 3; i++)
		r[i] = session_sm_received(session);
	session_sm_asked(session);
	receipt_done(r[2]);
	receipt_done(r[1]);
	assert_string_equal(out(), "");
	assert_int_equal(session->sm->durable, 0);
	receipt_done(r[0]);
	assert_string_equal(out(), "<a xmlns='urn:xmpp:sm:3' h='3'/>");
}

TEST(the_count_of_received_stanzas_wraps_around)
{
	struct receipt r[4];

	received_before(UINT32_MAX - 1);
	for (int i = 0; i < 4; i++)
		r[i] = session_sm_received(session);
	assert_int_equal(session->sm->in, 2);
	session_sm_asked(session);
	for (int i = 3; i > 0; i--)
		receipt_done(r[i]);
	assert_string_equal(out(), "");
	receipt_done(r[0]);
	assert_string_equal(out(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
	assert_int_equal(session->sm->durable, 2);
}

TEST(the_count_of_sent_stanzas_wraps_around)
{
	sent_before(UINT32_MAX - 1);
	for (int i = 0; i < 4; i++)
		send_text("x");
	assert_int_equal(session->sm->out, 2);
	assert_int_equal(session_sm_acked(session, 3), -ERANGE);
	assert_int_equal(session_sm_acked(session, UINT32_MAX - 2), -ERANGE);
	assert_int_equal(session_sm_acked(session, UINT32_MAX), 0);
	assert_int_equal(session->sm->n, 3);
	assert_int_equal(session_sm_acked(session, 1), 0);
	assert_int_equal(session->sm->n, 1);
	assert_int_equal(session_sm_acked(session, 2), 0);
	assert_int_equal(session->sm->n, 0);
	assert_int_equal(session->sm->bytes, 0);
	assert_int_equal(session_sm_acked(session, 2), 0);
}

TEST(the_link_is_paused_while_too_much_waits_for_the_disk)
{
	static struct receipt r[SM_UNDURABLE_MAX];
	int n = 0;

	received_before(UINT32_MAX - 500);
	while (!paused)
		r[n++] = session_sm_received(session);
	assert_true(n <= SM_UNDURABLE_MAX);
	for (int i = n - 1; i > 0; i--) /* the worst order */
		receipt_done(r[i]);
	assert_int_equal(paused, 1);
	receipt_done(r[0]);
	assert_int_equal(paused, 0);
	assert_int_equal(session->sm->durable, session->sm->in);
}

TEST(a_busy_client_is_told_without_asking)
{
	for (int i = 1; i < SM_TELL_EVERY; i++)
		receipt_done(session_sm_received(session));
	assert_string_equal(out(), "");
	receipt_done(session_sm_received(session));
	assert_string_equal(out(), "<a xmlns='urn:xmpp:sm:3' h='32'/>");
}

TEST(a_client_that_asks_twice_gets_the_later_answer_too)
{
	struct receipt a = session_sm_received(session), b;

	session_sm_asked(session);
	b = session_sm_received(session);
	session_sm_asked(session);
	receipt_done(a);
	assert_string_equal(out(), "<a xmlns='urn:xmpp:sm:3' h='1'/>");
	receipt_done(b);
	assert_string_equal(out(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
}

TEST(a_receipt_after_the_session_ended_is_nothing)
{
	struct receipt r = session_sm_received(session);

	session_end(session);
	receipt_done(r);
	house_quiet(&house);
}

TEST(a_client_is_asked_by_count_and_by_time)
{
	send_text("x");
	assert_null(strstr(out(), "<r "));
	house_skip(&house, SM_ASK_MS + 1);
	assert_string_equal(out(), "<r xmlns='urn:xmpp:sm:3'/>");
	core = house_core(&house, "ann@" HOUSE_DOMAIN);
	for (int i = 1; i < SM_ASK_EVERY; i++)
		send_text("x");
	assert_null(strstr(out(), "<r "));
	send_text("x");
	assert_non_null(strstr(out(), "<r xmlns='urn:xmpp:sm:3'/>"));
}

TEST(a_session_without_a_link_keeps_what_is_sent_and_replays_it)
{
	const char *text;

	send_text("one");
	session_link_lost(session, true);
	send_text("two");
	out();
	assert_ptr_equal(session_sm_find(session->user, str_of(session->sm->id)), session);
	assert_null(session_sm_find(session->user, STR("")));
	assert_null(session_sm_find(session->user, STR("x")));
	assert_int_equal(session_sm_attach(session, 3, &ops, &paused), -ERANGE);
	assert_int_equal(session_sm_attach(session, 1, &ops, &paused), 0);
	session_sm_replay(session);
	text = out();
	assert_null(strstr(text, "one"));
	assert_non_null(strstr(text, "two"));
	assert_non_null(strstr(text, "<r "));
}

TEST(a_session_is_not_resumed_before_the_disk_has_what_it_sent)
{
	struct receipt r = session_sm_received(session);

	session_link_lost(session, true);
	assert_int_equal(session_sm_attach(session, 0, &ops, &paused), -EBUSY);
	receipt_done(r);
	assert_int_equal(session_sm_attach(session, 0, &ops, &paused), 0);
	assert_int_equal(session_sm_enable(session, true, 0), -EALREADY);
}

#define DIALOGUE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

UNIT_MAIN(DIALOGUE(receipts_may_come_in_any_order), DIALOGUE(the_count_of_received_stanzas_wraps_around),
	DIALOGUE(the_count_of_sent_stanzas_wraps_around), DIALOGUE(the_link_is_paused_while_too_much_waits_for_the_disk),
	DIALOGUE(a_busy_client_is_told_without_asking), DIALOGUE(a_client_that_asks_twice_gets_the_later_answer_too),
	DIALOGUE(a_receipt_after_the_session_ended_is_nothing), DIALOGUE(a_client_is_asked_by_count_and_by_time),
	DIALOGUE(a_session_without_a_link_keeps_what_is_sent_and_replays_it),
	DIALOGUE(a_session_is_not_resumed_before_the_disk_has_what_it_sent));

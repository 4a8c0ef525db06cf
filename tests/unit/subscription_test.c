/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Every row of tables 2 to 9 of RFC 6121 appendix A, also those that two users of one server never reach because the other's
 * state is always the mirror. The file under test is included, with what it calls outside replaced by notes. */
#include "core/presence.h"
#include "core/roster.h"
#include "unit.h"

static struct {
	int routed[PRES_UNSUBSCRIBED + 1], delivered, pushed, saved, shown, hidden, errors;
	char from[64], to[64]; /* of what was routed last */
} seen;

static void note_route(struct core *c, struct stanza *st)
{
	(void)c;
	seen.routed[st->type]++;
	snprintf(seen.from, sizeof(seen.from), "%.*s", STR_ARG(st->from.full));
	snprintf(seen.to, sizeof(seen.to), "%.*s", STR_ARG(st->to.full));
}

static void note_error(struct core *c, struct stanza *st, enum stanza_error e, const char *text)
{
	(void)c;
	(void)st;
	(void)e;
	(void)text;
	seen.errors++;
}

static void note_save(struct user *u, struct contact *c, bool push)
{
	(void)u;
	(void)c;
	seen.saved++;
	seen.pushed += push;
}

static void note_send(struct session *s, struct stanza *st, const struct jid *to)
{
	(void)s;
	(void)to;
	if (st->kind == ST_PRESENCE)
		seen.delivered++;
}

static void note_show(struct user *u, struct jid to)
{
	(void)u;
	(void)to;
	seen.shown++;
}

static void note_hide(struct user *u, struct jid to)
{
	(void)u;
	(void)to;
	seen.hidden++;
}

#define router_route note_route
#define router_error note_error
#define roster_save note_save
#define session_send note_send
#define presence_show_to note_show
#define presence_hide_from note_hide
#include "core/subscription.c"

/* ---- states ---- */

enum { TO = SUB_TO, FROM = SUB_FROM, OUT = 4, IN = 8 };
enum { NONE_, N_OUT, N_IN, N_OUT_IN, TO_, TO_IN, FROM_, FROM_OUT, BOTH_, STATES };

static const int BITS[STATES] = { 0, OUT, IN, OUT | IN, TO, TO | IN, FROM, FROM | OUT, TO | FROM };
static const char *const NAMES[STATES] = { "None", "None + Pending Out", "None + Pending In",
	"None + Pending Out+In", "To", "To + Pending In", "From", "From + Pending Out", "Both" };

static struct shard shard;
static const struct feature *const no_features[] = { NULL };
static struct env env = { .features = no_features };
static struct core core = { .shard = &shard, .env = &env };
static struct user user;
static struct session session;

static void begin(void)
{
	arena_init(&shard.arena);
	user = (struct user){ .jid = jid_trust(STR("anne@here.example")), .core = &core };
	session = (struct session){ .presence = blob_new("", 0) };
	list_init(&user.sessions);
	list_push(&user.sessions, &session.in_user);
	memset(&seen, 0, sizeof(seen));
}

static void end(void)
{
	list_del(&session.in_user);
	blob_unref(session.presence);
	roster_free(&user);
	arena_fini(&shard.arena);
}

static struct contact *bring_to(int state)
{
	struct contact *c = roster_need(&user, jid_trust(STR("bert@there.example")));

	c->sub = (uint8_t)(BITS[state] & 3);
	c->ask = BITS[state] & OUT;
	c->pending_in = BITS[state] & IN;
	c->listed = c->sub || c->ask;
	return c;
}

static int state_now(void)
{
	const struct contact *c = roster_get(&user, STR("bert@there.example"));

	return c ? c->sub | (c->ask ? OUT : 0) | (c->pending_in ? IN : 0) : 0;
}

static void play(bool inbound, enum stanza_type type)
{
	struct stanza st;

	stanza_new(&shard.arena, ST_PRESENCE, type, &st);
	st.from = jid_trust(
		inbound ? STR("bert@there.example/desk") : STR("anne@here.example/phone"));
	st.to = jid_trust(inbound ? STR("anne@here.example") : STR("bert@there.example/desk"));
	if (inbound)
		subscription_in(&user, &st);
	else
		subscription_out(&user, &st);
	stanza_fini(&st);
}

/* ---- the tables ---- */

struct row {
	bool passes; /* routed to the contact, or delivered to the user */
	int to; /* new state */
	bool answered; /* inbound: by the server on the user's behalf */
};

static void check_common(int state, const struct row *row)
{
	if (state_now() != BITS[row->to])
		fail_msg("in \"%s\" the new state is %d, not \"%s\"", NAMES[state], state_now(),
			NAMES[row->to]);
	assert_int_equal(seen.saved > 0, state != row->to);
	assert_int_equal(seen.errors, 0);
	/* Available presence follows a subscription from the contact, unavailable its end (§3.1.6, §3.2.2, §3.3.3). */
	assert_int_equal(seen.shown, !(BITS[state] & FROM) && (BITS[row->to] & FROM));
	assert_int_equal(seen.hidden, (BITS[state] & FROM) && !(BITS[row->to] & FROM));
}

static int routed(void)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(seen.routed); i++)
		n += seen.routed[i];
	return n;
}

static void check_out(enum stanza_type type, const struct row table[STATES])
{
	for (int state = 0; state < STATES; state++) {
		begin();
		bring_to(state);
		play(false, type);
		if (routed() != table[state].passes || seen.routed[type] != table[state].passes)
			fail_msg("in \"%s\": routed %d", NAMES[state], routed());
		check_common(state, &table[state]);
		if (routed()) {
			assert_string_equal(
				seen.from, "anne@here.example"); /* stamped with the bare address */
			assert_string_equal(seen.to, "bert@there.example");
		}
		assert_int_equal(seen.delivered, 0);
		end();
	}
}

static void check_in(
	enum stanza_type type, enum stanza_type answer_type, const struct row table[STATES])
{
	for (int state = 0; state < STATES; state++) {
		begin();
		bring_to(state);
		play(true, type);
		if (seen.delivered != table[state].passes)
			fail_msg("in \"%s\": delivered %d", NAMES[state], seen.delivered);
		check_common(state, &table[state]);
		assert_int_equal(routed(), table[state].answered);
		assert_int_equal(seen.routed[answer_type], table[state].answered);
		end();
	}
}

TEST(table_2_outbound_subscribe)
{
	static const struct row table[STATES] = { [NONE_] = { true, N_OUT },
		[N_OUT] = { true, N_OUT },
		[N_IN] = { true, N_OUT_IN },
		[N_OUT_IN] = { true, N_OUT_IN },
		[TO_] = { true, TO_ },
		[TO_IN] = { true, TO_IN },
		[FROM_] = { true, FROM_OUT },
		[FROM_OUT] = { true, FROM_OUT },
		[BOTH_] = { true, BOTH_ } };

	check_out(PRES_SUBSCRIBE, table);
}

TEST(table_3_outbound_unsubscribe)
{
	static const struct row table[STATES] = { [NONE_] = { true, NONE_ },
		[N_OUT] = { true, NONE_ },
		[N_IN] = { true, N_IN },
		[N_OUT_IN] = { true, N_IN },
		[TO_] = { true, NONE_ },
		[TO_IN] = { true, N_IN },
		[FROM_] = { true, FROM_ },
		[FROM_OUT] = { true, FROM_ },
		[BOTH_] = { true, FROM_ } };

	check_out(PRES_UNSUBSCRIBE, table);
}

/* Where nothing is asked, "subscribed" is a pre-approval: saved, but no other state. */
TEST(table_4_outbound_subscribed)
{
	static const struct row table[STATES] = { [NONE_] = { false, NONE_ },
		[N_OUT] = { false, N_OUT },
		[N_IN] = { true, FROM_ },
		[N_OUT_IN] = { true, FROM_OUT },
		[TO_] = { false, TO_ },
		[TO_IN] = { true, BOTH_ },
		[FROM_] = { false, FROM_ },
		[FROM_OUT] = { false, FROM_OUT },
		[BOTH_] = { false, BOTH_ } };

	for (int state = 0; state < STATES; state++) {
		bool approves = !(BITS[state] & (FROM | IN));
		struct contact *c;

		begin();
		c = bring_to(state);
		play(false, PRES_SUBSCRIBED);
		assert_int_equal(c->approved, approves);
		assert_int_equal(seen.pushed, approves || state != table[state].to);
		assert_int_equal(state_now(), BITS[table[state].to]);
		assert_int_equal(routed(), table[state].passes);
		assert_int_equal(seen.shown, table[state].passes);
		end();
	}
}

TEST(table_5_outbound_unsubscribed)
{
	static const struct row table[STATES] = { [NONE_] = { false, NONE_ },
		[N_OUT] = { false, N_OUT },
		[N_IN] = { true, NONE_ },
		[N_OUT_IN] = { true, N_OUT },
		[TO_] = { false, TO_ },
		[TO_IN] = { true, TO_ },
		[FROM_] = { true, NONE_ },
		[FROM_OUT] = { true, N_OUT },
		[BOTH_] = { true, TO_ } };

	check_out(PRES_UNSUBSCRIBED, table);
}

TEST(table_5_cancels_a_pre_approval)
{
	static const int STATE[] = { NONE_, N_OUT, TO_ };

	for (size_t i = 0; i < ARRAY_LEN(STATE); i++) {
		struct contact *c;

		begin();
		c = bring_to(STATE[i]);
		c->approved = c->listed = true;
		play(false, PRES_UNSUBSCRIBED);
		assert_false(c->approved);
		assert_int_equal(routed(), 0);
		assert_int_equal(seen.pushed, 1);
		assert_int_equal(state_now(), BITS[STATE[i]]);
		end();
	}
}

TEST(table_6_inbound_subscribe)
{
	static const struct row table[STATES] = { [NONE_] = { true, N_IN },
		[N_OUT] = { true, N_OUT_IN },
		[N_IN] = { false, N_IN },
		[N_OUT_IN] = { false, N_OUT_IN },
		[TO_] = { true, TO_IN },
		[TO_IN] = { false, TO_IN },
		[FROM_] = { false, FROM_, true },
		[FROM_OUT] = { false, FROM_OUT, true },
		[BOTH_] = { false, BOTH_, true } };

	check_in(PRES_SUBSCRIBE, PRES_SUBSCRIBED, table);
}

TEST(table_6_answers_who_was_approved_before)
{
	static const int STATE[] = { NONE_, N_OUT, TO_ }, BECOMES[] = { FROM_, FROM_OUT, BOTH_ };

	for (size_t i = 0; i < ARRAY_LEN(STATE); i++) {
		struct contact *c;

		begin();
		c = bring_to(STATE[i]);
		c->approved = c->listed = true;
		play(true, PRES_SUBSCRIBE);
		assert_int_equal(state_now(), BITS[BECOMES[i]]);
		assert_false(c->approved);
		assert_int_equal(seen.delivered, 0);
		assert_int_equal(seen.routed[PRES_SUBSCRIBED], 1);
		assert_int_equal(seen.shown, 1);
		end();
	}
}

TEST(table_7_inbound_unsubscribe)
{
	static const struct row table[STATES] = { [NONE_] = { false, NONE_ },
		[N_OUT] = { false, N_OUT },
		[N_IN] = { true, NONE_, true },
		[N_OUT_IN] = { true, N_OUT, true },
		[TO_] = { false, TO_ },
		[TO_IN] = { true, TO_, true },
		[FROM_] = { true, NONE_, true },
		[FROM_OUT] = { true, N_OUT, true },
		[BOTH_] = { true, TO_, true } };

	check_in(PRES_UNSUBSCRIBE, PRES_UNSUBSCRIBED, table);
}

TEST(table_8_inbound_subscribed)
{
	static const struct row table[STATES] = { [NONE_] = { false, NONE_ },
		[N_OUT] = { true, TO_ },
		[N_IN] = { false, N_IN },
		[N_OUT_IN] = { true, TO_IN },
		[TO_] = { false, TO_ },
		[TO_IN] = { false, TO_IN },
		[FROM_] = { false, FROM_ },
		[FROM_OUT] = { true, BOTH_ },
		[BOTH_] = { false, BOTH_ } };

	check_in(PRES_SUBSCRIBED, PRES_SUBSCRIBED, table);
}

TEST(table_9_inbound_unsubscribed)
{
	static const struct row table[STATES] = { [NONE_] = { false, NONE_ },
		[N_OUT] = { true, NONE_ },
		[N_IN] = { false, N_IN },
		[N_OUT_IN] = { true, N_IN },
		[TO_] = { true, NONE_ },
		[TO_IN] = { true, N_IN },
		[FROM_] = { false, FROM_ },
		[FROM_OUT] = { true, FROM_ },
		[BOTH_] = { true, FROM_ } };

	check_in(PRES_UNSUBSCRIBED, PRES_UNSUBSCRIBED, table);
}

/* Appendix A.1: "None" includes a contact that is not in the roster at all. */
TEST(who_is_unknown_is_none)
{
	static const enum stanza_type SILENT_IN[] = { PRES_UNSUBSCRIBE, PRES_SUBSCRIBED,
		PRES_UNSUBSCRIBED };

	for (size_t i = 0; i < ARRAY_LEN(SILENT_IN); i++) {
		begin();
		play(true, SILENT_IN[i]);
		assert_int_equal(seen.delivered + routed() + seen.saved, 0);
		assert_int_equal(user.roster.n, 0);
		end();
	}
	begin();
	play(false, PRES_UNSUBSCRIBE);
	assert_int_equal(seen.routed[PRES_UNSUBSCRIBE], 1);
	play(false, PRES_UNSUBSCRIBED);
	assert_int_equal(routed(), 1);
	assert_int_equal(user.roster.n, 0);
	play(true, PRES_SUBSCRIBE);
	assert_int_equal(state_now(), IN);
	assert_false(roster_get(&user, STR("bert@there.example"))
			     ->listed); /* no item before the user approves */
	end();
}

UNIT_MAIN(cmocka_unit_test(table_2_outbound_subscribe),
	cmocka_unit_test(table_3_outbound_unsubscribe),
	cmocka_unit_test(table_4_outbound_subscribed),
	cmocka_unit_test(table_5_outbound_unsubscribed),
	cmocka_unit_test(table_5_cancels_a_pre_approval),
	cmocka_unit_test(table_6_inbound_subscribe),
	cmocka_unit_test(table_6_answers_who_was_approved_before),
	cmocka_unit_test(table_7_inbound_unsubscribe), cmocka_unit_test(table_8_inbound_subscribed),
	cmocka_unit_test(table_9_inbound_unsubscribed), cmocka_unit_test(who_is_unknown_is_none));

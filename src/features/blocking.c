/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0191 1.3 Blocking Command, with XEP-0377 0.4.1 reports. Store: kind "block", key = JID. core/user.h answers user_blocks for presence and IQ. */
#include <stdlib.h>

#include "base/mem.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/report.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

enum { BLOCKED_MAX = 2000 };

static void list(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *l = xml_new(a, "blocklist", NS_BLOCKING);
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&iq->user->blocked, &pos, &key, &value))
		xml_set(a, xml_add(a, l, "item", NULL), "jid", key);
	if (iq->session)
		iq->session->blocking_interested = true;
	iq_result(iq, l);
}

/* to all sessions that asked for the list. */
static void push(struct user *u, const struct xml *change)
{
	struct arena *a = core_arena(u->core);
	struct session *s;
	struct stanza st;

	stanza_new(a, ST_IQ, IQ_SET, &st);
	st.id = arena_printf(a, "block%llu", (unsigned long long)u->core->shard->loop.now_ms);
	xml_append(st.el, xml_copy(a, change));
	list_each(s, &u->sessions, in_user)
		if (s->blocking_interested)
			session_send(s, &st, &s->jid);
	stanza_fini(&st);
}

static void remember(struct user *u, struct str jid)
{
	struct str key = { str_dup(jid), jid.n };

	if (map_get(&u->blocked, jid))
		free((void *)key.p);
	else
		map_put(&u->blocked, key, (void *)key.p);
}

static void forget(struct user *u, struct str jid)
{
	free(map_del(&u->blocked, jid));
}

/* §3.3 and §3.4: who saw us is told that we are gone, and back again. */
static void tell_contact(struct user *u, struct jid j, bool blocked)
{
	if (!roster_sees_us(roster_get(u, jid_bare_str(j))))
		return;
	if (blocked)
		presence_hide_from(u, jid_bare(j));
	else
		presence_show_to(u, jid_bare(j));
}

/* Normalised addresses of the items. Returns their number, or -1 after answering an error. */
static int items(struct iq *iq, struct jid **out)
{
	struct arena *a = core_arena(iq->core);
	struct jid *v = arena_alloc(a, BLOCKED_MAX * sizeof(*v));
	int n = 0;

	xml_each(item, iq->el) {
		if (!xml_is(item, "item", NS_BLOCKING) || n == BLOCKED_MAX || !xml_get(item, "jid").p) {
			iq_error(iq, ERR_BAD_REQUEST, NULL);
			return -1;
		}
		if (jid_parse(a, xml_get(item, "jid"), &v[n])) {
			iq_error(iq, ERR_JID_MALFORMED, NULL);
			return -1;
		}
		xml_set(a, item, "jid", v[n++].full);
	}
	*out = v;
	return n;
}

static void on_stored(struct iq *iq)
{
	iq_result(iq, NULL);
	if (iq->user)
		push(iq->user, iq->el);
}

/* XEP-0377: are the reports good ones? Answers the error otherwise. */
static bool reports_ok(struct iq *iq)
{
	const char *why = NULL;

	xml_each(item, iq->el) {
		struct xml *report = xml_child(item, "report", NS_REPORTING);

		if (!report)
			continue;
		if (xml_next_same(report) || report_check(core_arena(iq->core), report, &why)) {
			iq_error(iq, ERR_BAD_REQUEST, xml_next_same(report) ? "One report for each address." : why);
			return false;
		}
	}
	return true;
}

/* Files the reports, and takes them off the items: the account's other clients hear only of the block. */
static void file_reports(struct iq *iq, const struct jid *v)
{
	int i = 0;

	xml_each(item, iq->el) {
		struct xml *report = xml_child(item, "report", NS_REPORTING);

		if (report) {
			report_file(iq->core, iq->user->jid, v[i], report);
			xml_detach(report);
		}
		i++;
	}
}

static void block(struct iq *iq)
{
	struct user *u = iq->user;
	struct store_batch *b;
	struct jid *v;
	int n = items(iq, &v);

	if (n < 0 || !reports_ok(iq))
		return;
	if (n == 0) {
		iq_error(iq, ERR_BAD_REQUEST, "Nothing to block is named.");
		return;
	}
	if (u->blocked.n + (uint32_t)n > BLOCKED_MAX) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The block list is full.");
		return;
	}
	b = store_batch_new();
	for (int i = 0; i < n; i++) {
		store_put(b, u->jid.full, STR("block"), v[i].full, STR("1"));
		tell_contact(u, v[i], true); /* before it holds: nothing passes afterwards */
		remember(u, v[i].full);
	}
	file_reports(iq, v);
	stanza_touched(iq->st);
	iq_commit(iq, b, on_stored);
}

static void unblock_all(struct iq *iq)
{
	struct user *u = iq->user;
	struct store_batch *b = store_batch_new();
	struct str key;
	uint32_t pos = 0;
	void *value;

	store_del_all(b, u->jid.full, STR("block"), STR_NONE);
	while (map_next(&u->blocked, &pos, &key, &value)) {
		struct jid j;

		map_del(&u->blocked, key);
		if (!jid_parse(core_arena(u->core), key, &j))
			tell_contact(u, j, false);
		free(value);
	}
	iq_commit(iq, b, on_stored);
}

static void unblock(struct iq *iq)
{
	struct user *u = iq->user;
	struct store_batch *b;
	struct jid *v;
	int n = items(iq, &v);

	if (n < 0)
		return;
	if (n == 0) {
		unblock_all(iq);
		return;
	}
	b = store_batch_new();
	for (int i = 0; i < n; i++) {
		store_del(b, u->jid.full, STR("block"), v[i].full);
		forget(u, v[i].full);
		tell_contact(u, v[i], false);
	}
	stanza_touched(iq->st);
	iq_commit(iq, b, on_stored);
}

/* The sender blocks the recipient: his own message does not go out. */
static enum verdict send_blocked(struct transit *t)
{
	struct arena *a = core_arena(t->core);
	struct stanza r;

	if (jid_bare_eq(t->st->to, t->user->jid) || !user_blocks(t->user, t->st->to))
		return PASS;
	if (stanza_error_reply(a, t->st, ERR_NOT_ACCEPTABLE, NULL, &r)) {
		xml_add(a, xml_child(r.el, "error", NS_CLIENT), "blocked", NS_BLOCKING_ERRORS);
		stanza_touched(&r);
		if (t->session) /* past the block, which would drop what comes from there */
			session_send(t->session, &r, NULL);
		stanza_fini(&r);
	}
	t->reason = "the sender blocks the recipient";
	return STOP;
}

/* The recipient blocks the sender: service-unavailable, as if nobody were there. */
static enum verdict deliver_blocked(struct transit *t)
{
	if (jid_bare_eq(t->st->from, t->user->jid) || !user_blocks(t->user, t->st->from))
		return PASS;
	if (t->st->type != MSG_GROUPCHAT && t->st->type != MSG_HEADLINE)
		router_error(t->core, t->st, ERR_SERVICE_UNAVAILABLE, NULL);
	t->reason = "the recipient blocks the sender";
	return STOP;
}

static void load(struct user *u, struct str key, struct str value)
{
	(void)value;
	remember(u, key);
}

static void unload(struct user *u)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&u->blocked, &pos, &key, &value)) {
		map_del(&u->blocked, key);
		free(value);
	}
	map_fini(&u->blocked);
}

static void forbidden(struct iq *iq)
{
	iq_error(iq, ERR_FORBIDDEN, NULL);
}

static const struct spec specs[] = { { "XEP-0191", "1.3" }, { "XEP-0377", "0.4.1" }, { NULL, NULL } };
static const char *const disco_server[] = { NS_BLOCKING, NS_REPORTING, NULL };
static const struct iq_route routes[] = {
	{ NS_BLOCKING, "blocklist", IQ_ROUTE_GET, TO_SELF, list },
	{ NS_BLOCKING, "block", IQ_ROUTE_SET, TO_SELF, block },
	{ NS_BLOCKING, "unblock", IQ_ROUTE_SET, TO_SELF, unblock },
	{ NS_BLOCKING, NULL, IQ_ROUTE_GET | IQ_ROUTE_SET, TO_USER, forbidden },
	{ 0 },
};

const struct feature feature_blocking = {
	.name = "blocking",
	.specs = specs,
	.disco_server = disco_server,
	.disco_account = disco_server,
	.iq = routes,
	.send = { [SEND_BLOCK] = send_blocked },
	.deliver = { [DELIVER_BLOCK] = deliver_blocked },
	.user_kind = "block",
	.user_item = load,
	.user_free = unload,
};

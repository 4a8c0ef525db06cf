/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Three small questions to the server or an account: XEP-0092 1.1 version, XEP-0202 2.0 time, XEP-0012 2.0 last activity. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/feature.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

enum { STATUS_MAX = 1024 };

static void version(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_VERSION);

	xml_add_text(a, q, "name", STR("Anser"));
	xml_add_text(a, q, "version", STR(ANSER_VERSION));
	iq_result(iq, q);
}

static void time_now(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *t = xml_new(a, "time", NS_TIME);

	xml_add_text(a, t, "tzo", STR("+00:00"));
	xml_add_text(a, t, "utc", time_format(a, clock_wall_ms()));
	iq_result(iq, t);
}

static void last_answer(struct iq *iq, uint64_t seconds, struct str status)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_LAST);

	xml_setf(a, q, "seconds", "%llu", (unsigned long long)seconds);
	if (status.n)
		xml_text(a, q, status);
	iq_result(iq, q);
}

/* XEP-0012 §3: how long the server is up. */
static void last_server(struct iq *iq)
{
	last_answer(iq, (clock_mono_ms() - iq->core->started_ms) / 1000, STR_NONE);
}

/* XEP-0012 §4: only who sees the presence may ask. */
static void last_account(struct iq *iq)
{
	struct user *u = iq->user;

	if (iq->target == TO_USER && !roster_sees_us(roster_get(u, jid_bare_str(iq->st->from))))
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (user_is_available(u))
		last_answer(iq, 0, STR_NONE);
	else
		last_answer(iq, u->last_ms ? (clock_wall_ms() - u->last_ms) / 1000 : 0, u->last_status);
}

/* Notes the moment of the last sign-off and its status text. */
static void on_unavailable(struct session *s, struct stanza *st)
{
	struct user *u = s->user;
	struct str status;

	if (user_is_available(u) || u->leaving)
		return;
	status = xml_child_text(core_arena(s->core), stanza_tree(st, core_arena(s->core)), "status", NS_CLIENT);
	if (status.n > STATUS_MAX)
		status = STR_NONE;
	free((void *)u->last_status.p);
	u->last_status = (struct str){ str_dup(status), status.n };
	u->last_ms = clock_wall_ms();
	u->last_unsaved = true;
}

/* Written when the account leaves memory, not at each sign-off: a client that comes and goes costs no commit. A server that is
 * killed forgets the sign-offs of the last minute; nobody was promised these. */
static void save(struct user *u)
{
	struct store_batch *b;
	char ms[24];

	if (!u->last_unsaved || u->leaving)
		return;
	snprintf(ms, sizeof(ms), "%llu", (unsigned long long)u->last_ms);
	b = store_batch_new();
	store_put(b, u->jid.full, STR("last"), STR_NONE, str_of(ms));
	store_put(b, u->jid.full, STR("last"), STR("status"), u->last_status);
	snprintf(ms, sizeof(ms), "%llu", (unsigned long long)u->login_ms);
	store_put(b, u->jid.full, STR("last"), STR("login"), str_of(ms));
	store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
}

static void load(struct user *u, struct str key, struct str value)
{
	if (key.n == 0)
		str_u64(value, UINT64_MAX, &u->last_ms);
	else if (str_is(key, "login"))
		str_u64(value, UINT64_MAX, &u->login_ms);
	else if (!u->last_status.p)
		u->last_status = (struct str){ str_dup(value), value.n };
}

static const struct spec specs[] = { { "XEP-0092", "1.1" }, { "XEP-0202", "2.0" }, { "XEP-0012", "2.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_VERSION, NS_TIME, NS_LAST, NULL };
static const char *const disco_account[] = { NS_LAST, NULL };
static const struct iq_route routes[] = {
	{ NS_VERSION, "query", IQ_ROUTE_GET, TO_SERVER, version },
	{ NS_TIME, "time", IQ_ROUTE_GET, TO_SERVER, time_now },
	{ NS_LAST, "query", IQ_ROUTE_GET, TO_SERVER, last_server },
	{ NS_LAST, "query", IQ_ROUTE_GET, TO_SELF | TO_USER, last_account },
	{ 0 },
};

const struct feature feature_small = {
	.name = "small",
	.specs = specs,
	.disco_server = disco,
	.disco_account = disco_account,
	.iq = routes,
	.on_unavailable = on_unavailable,
	.user_kind = "last",
	.user_item = load,
	.user_free = save,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 §4.8-4.22: what administrators may know: rosters, sign-ins, numbers and lists of accounts. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/roster.h"
#include "features/admin/admin.h"

/* ---- several accounts, a form each ---- */

/* A finished form as XML; the forms stand one behind the other in e->out. */
static void keep_form(struct admin_each *e, const struct xml *form)
{
	xml_write(&e->out, form, STR_NONE);
	buf_putc(&e->out, '\0');
}

static void finish_forms(struct admin_each *e, struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct str rest = buf_view(&e->out), line;
	struct xml *forms = xml_new(a, "forms", NS_DATA), *form;

	while (rest.n) {
		line = str_cut(rest, '\0', &rest);
		if (!xml_parse(a, arena_str(a, line), &form))
			xml_append(forms, form);
	}
	command_done_many(iq, forms);
}

static struct xml *account_form(struct admin_each *e, struct iq *iq)
{
	struct xml *form = admin_result(iq);

	form_field(core_arena(iq->core), form, "jid-multi", "accountjids", NULL, str_of(e->jids[e->i]));
	return form;
}

static void roster_out(struct user *u, struct str request, struct buf *out)
{
	struct xml *query;
	struct str key;
	uint32_t pos = 0;
	void *value;

	(void)request;
	if (!u || u->state != USER_READY)
		return;
	query = xml_new(core_arena(u->core), "query", NS_ROSTER);
	while (map_next(&u->roster, &pos, &key, &value)) {
		struct contact *c = value;

		if (c->listed)
			roster_item(core_arena(u->core), query, c);
	}
	xml_write(out, query, STR_NONE);
}

/* The visits' answers end here: out is the text of what goes into the form. */
static bool answered(struct core *c, struct admin_each *e)
{
	if (c)
		return true;
	admin_each_free(e);
	return false;
}

static void on_roster(struct core *c, struct str out, void *arg)
{
	struct admin_each *e = arg;
	struct iq *iq;
	struct xml *form, *query;

	if (!answered(c, e))
		return;
	iq = iq_wake(e->held);
	form = account_form(e, iq);
	if (xml_parse(core_arena(c), arena_str(core_arena(c), out), &query)) {
		admin_next(e, -EFBIG);
		return;
	}
	xml_append(form, query);
	keep_form(e, form);
	admin_next(e, 0);
}

static void act_roster(struct admin_each *e, struct iq *iq, struct jid jid)
{
	visit_user(iq->core, jid.full, STR_NONE, roster_out, on_roster, e);
}

void admin_get_roster(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_roster, .finish = finish_forms };

	admin_each_run(iq, form, &ops);
}

static void lastlogin_out(struct user *u, struct str request, struct buf *out)
{
	(void)request;
	if (u && u->state == USER_READY && u->login_ms)
		buf_str(out, time_format(core_arena(u->core), u->login_ms));
}

static void on_lastlogin(struct core *c, struct str out, void *arg)
{
	struct admin_each *e = arg;
	struct iq *iq;
	struct xml *form;

	if (!answered(c, e))
		return;
	iq = iq_wake(e->held);
	form = account_form(e, iq);
	form_field(core_arena(c), form, "text-single", "lastlogin", NULL, out.n ? arena_str(core_arena(c), out) : STR_NONE);
	keep_form(e, form);
	admin_next(e, 0);
}

static void act_lastlogin(struct admin_each *e, struct iq *iq, struct jid jid)
{
	visit_user(iq->core, jid.full, STR_NONE, lastlogin_out, on_lastlogin, e);
}

void admin_get_lastlogin(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_lastlogin, .finish = finish_forms };

	admin_each_run(iq, form, &ops);
}

/* ---- statistics of one account ---- */

static void stats_out(struct user *u, struct str request, struct buf *out)
{
	struct arena *a;
	struct xml *form, *ips, *resources;
	struct session *s;

	(void)request;
	if (!u || u->state != USER_READY)
		return;
	a = core_arena(u->core);
	form = form_new(a, NULL, "result", NS_ADMIN);
	ips = form_field(a, form, "text-multi", "ipaddresses", "The IP addresses of an online user", STR_NONE);
	form_field(a, form, "text-single", "rostersize", "The number of roster items", arena_printf(a, "%u", u->roster.n));
	resources = form_field(a, form, "text-multi", "onlineresources", "The resources that are online", STR_NONE);
	list_each(s, &u->sessions, in_user) {
		if (s->ops && s->ops->peer)
			xml_add_text(a, ips, "value", s->ops->peer(s));
		xml_add_text(a, resources, "value", jid_resource(s->jid));
	}
	xml_write(out, form, STR_NONE);
}

static void on_stats(struct core *c, struct str out, void *arg)
{
	struct iq_held *h = arg;
	struct xml *form;

	if (c) {
		struct iq *iq = iq_wake(h);

		if (!out.n || xml_parse(core_arena(c), arena_str(core_arena(c), out), &form))
			admin_failed(iq, -ENOENT);
		else
			command_done(iq, form);
	}
	iq_held_free(h);
}

void admin_user_stats(struct iq *iq, struct xml *form)
{
	struct str node;

	if (admin_account(iq, form_value(core_arena(iq->core), form, "accountjid"), &node))
		visit_user(iq->core, admin_bare(iq, node), STR_NONE, stats_out, on_stats, iq_hold(iq, NULL));
}

/* ---- all accounts ---- */

static void scan_free(struct admin_scan *sc)
{
	iq_held_free(sc->held);
	buf_free(&sc->nodes);
	free(sc->after);
	free(sc);
}

static void on_page(struct shard *s, void *arg, int status, const struct account_row *v, size_t n)
{
	struct admin_scan *sc = arg;
	struct accounts *ac = admin_held_accounts(sc->held);

	for (size_t i = 0; i < n; i++) {
		if (sc->want && !sc->want(&v[i]))
			continue;
		if (sc->count++ < sc->limit) {
			buf_str(&sc->nodes, v[i].node);
			buf_putc(&sc->nodes, '\n');
		}
	}
	if (!status && n == ADMIN_SCAN_PAGE) {
		free(sc->after);
		sc->after = str_dup(v[n - 1].node);
		status = account_list(ac, s, str_of(sc->after), ADMIN_SCAN_PAGE, on_page, sc);
		if (!status)
			return;
	}
	sc->status = status;
	sc->done(iq_wake(sc->held), sc, sc->arg);
	scan_free(sc);
}

void admin_scan_run(struct iq *iq, admin_want_fn *want, uint32_t limit, admin_scanned_fn *done, void *arg)
{
	struct admin_scan *sc = mem_zalloc(sizeof(*sc));

	*sc = (struct admin_scan){ .want = want, .limit = limit, .done = done, .arg = arg };
	sc->held = iq_hold(iq, NULL);
	if (account_list(admin_accounts(iq), iq->core->shard, STR_NONE, ADMIN_SCAN_PAGE, on_page, sc))
		on_page(iq->core->shard, sc, -EBUSY, NULL, 0);
}

static bool is_disabled(const struct account_row *row)
{
	return row->disabled;
}

/* ---- numbers and lists ---- */

/* What a list or number is called in the forms. */
struct noun {
	const char *num, *num_label, *list, *list_label;
};
static const struct noun registered = { "registeredusersnum", "The number of registered users", "registereduserjids", "The list of all users" };
static const struct noun disabled = { "disabledusersnum", "The number of disabled users", "disableduserjids",
	"The list of all disabled users" };
static const struct noun online = { "onlineusersnum", "The number of online users", "onlineuserjids", "The list of all online users" };
static const struct noun active = { "activeusersnum", "The number of active users", "activeuserjids", "The list of active users" };
/* XEP-0133 §4.22 names the list of idle users activeuserjids, and registers no other name. */
static const struct noun idle = { "idleusersnum", "The number of idle users", "activeuserjids", "The list of idle users" };

static void number(struct iq *iq, const struct noun *what, uint64_t n)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = admin_result(iq);

	form_field(a, form, "text-single", what->num, what->num_label, arena_printf(a, "%llu", (unsigned long long)n));
	command_done(iq, form);
}

/* max_items as a number. */
static uint32_t limit_of(struct iq *iq, const struct xml *form)
{
	uint64_t n;

	return str_u64(form_value(core_arena(iq->core), form, "max_items"), ADMIN_LIST_MAX, &n) ? ADMIN_LIST_MAX : (uint32_t)n;
}

/* names: nodes or bare JIDs, a line each. */
static void list(struct iq *iq, const struct noun *what, struct str names, uint32_t limit)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = admin_result(iq), *field = form_field(a, form, "jid-multi", what->list, what->list_label, STR_NONE);

	for (uint32_t n = 0; names.n && n < limit; n++) {
		struct str name = arena_str(a, str_cut(names, '\n', &names));

		xml_add_text(a, field, "value", memchr(name.p, '@', name.n) ? name : admin_bare(iq, name));
	}
	command_done(iq, form);
}

static void scanned_num(struct iq *iq, const struct admin_scan *scan, void *arg)
{
	if (scan->status)
		admin_failed(iq, scan->status);
	else
		number(iq, arg, scan->count);
}

static void scanned_list(struct iq *iq, const struct admin_scan *scan, void *arg)
{
	if (scan->status)
		admin_failed(iq, scan->status);
	else
		list(iq, arg, buf_view(&scan->nodes), scan->limit);
}

void admin_registered_num(struct iq *iq, struct xml *form)
{
	(void)form;
	admin_scan_run(iq, NULL, 0, scanned_num, (void *)&registered);
}

void admin_disabled_num(struct iq *iq, struct xml *form)
{
	(void)form;
	admin_scan_run(iq, is_disabled, 0, scanned_num, (void *)&disabled);
}

void admin_registered_list(struct iq *iq, struct xml *form)
{
	admin_scan_run(iq, NULL, limit_of(iq, form), scanned_list, (void *)&registered);
}

void admin_disabled_list(struct iq *iq, struct xml *form)
{
	admin_scan_run(iq, is_disabled, limit_of(iq, form), scanned_list, (void *)&disabled);
}

/* ---- who is online ---- */

struct online_ask {
	struct iq_held *held;
	const struct noun *what;
	uint32_t limit; /* 0: the number */
};

static bool is_active(const struct user *u)
{
	uint64_t now = u->core->shard->loop.now_ms;
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (s->ops && !s->inactive && now - s->active_ms < ADMIN_ACTIVE_MS)
			return true;
	return false;
}

/* request: "a" active, "i" idle, "o" both; then the domain. Answers a line per account. */
static void online_out(struct core *c, struct str request, struct buf *out)
{
	struct str key, domain = { request.p + 1, request.n - 1 };
	uint32_t pos = 0;
	void *value;

	while (map_next(&c->users, &pos, &key, &value)) {
		struct user *u = value;

		if (!u->sessions_n || !str_eq(jid_domain(u->jid), domain))
			continue;
		if (request.p[0] != 'o' && is_active(u) != (request.p[0] == 'a'))
			continue;
		buf_str(out, key);
		buf_putc(out, '\n');
	}
}

static void on_online(struct core *c, struct str out, void *arg)
{
	struct online_ask *q = arg;
	uint64_t n = 0;

	if (c) {
		for (size_t i = 0; i < out.n; i++)
			n += out.p[i] == '\n';
		if (q->limit)
			list(iq_wake(q->held), q->what, out, q->limit);
		else
			number(iq_wake(q->held), q->what, n);
	}
	iq_held_free(q->held);
	free(q);
}

static void ask_online(struct iq *iq, char which, const struct noun *what, uint32_t limit)
{
	struct online_ask *q = mem_zalloc(sizeof(*q));

	*q = (struct online_ask){ iq_hold(iq, NULL), what, limit };
	visit_all(iq->core, arena_printf(core_arena(iq->core), "%c%.*s", which, STR_ARG(jid_domain(iq->st->to))), online_out, on_online, q);
}

void admin_online_num(struct iq *iq, struct xml *form)
{
	(void)form;
	ask_online(iq, 'o', &online, 0);
}

void admin_active_num(struct iq *iq, struct xml *form)
{
	(void)form;
	ask_online(iq, 'a', &active, 0);
}

void admin_idle_num(struct iq *iq, struct xml *form)
{
	(void)form;
	ask_online(iq, 'i', &idle, 0);
}

void admin_online_list(struct iq *iq, struct xml *form)
{
	ask_online(iq, 'o', &online, limit_of(iq, form));
}

void admin_active_list(struct iq *iq, struct xml *form)
{
	ask_online(iq, 'a', &active, limit_of(iq, form));
}

void admin_idle_list(struct iq *iq, struct xml *form)
{
	ask_online(iq, 'i', &idle, limit_of(iq, form));
}

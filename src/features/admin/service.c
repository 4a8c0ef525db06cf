/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 §4.29 and §4.31: who administers, and the end of the server. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/state.h"
#include "base/log.h"
#include "base/mem.h"
#include "features/admin/admin.h"

enum { ADMINS_MAX = 200 };

static bool is_admin(const struct account_row *row)
{
	return row->admin;
}

/* ---- the list in the form ---- */

static void on_filled(struct iq *iq, const struct admin_scan *scan, void *arg)
{
	struct arena *a = core_arena(iq->core);
	struct str names = buf_view(&scan->nodes);
	char *text = arg;
	struct xml *form, *field;

	must(!xml_parse(a, arena_str(a, str_of(text)), &form));
	free(text);
	if (scan->status) {
		admin_failed(iq, scan->status);
		return;
	}
	field = form_field_of(form, "adminjids");
	while (names.n)
		xml_add_text(a, field, "value", admin_bare(iq, arena_str(a, str_cut(names, '\n', &names))));
	command_ask(iq, form);
}

void admin_fill_admins(struct iq *iq, struct xml *form, struct xml *answers)
{
	struct buf text = { 0 };

	(void)answers;
	xml_write(&text, form, STR_NONE);
	buf_putc(&text, '\0');
	admin_scan_run(iq, is_admin, ADMINS_MAX, on_filled, text.p);
}

/* ---- the list that comes back ---- */

struct edit {
	struct iq_held *held;
	char **wanted, **had; /* nodes */
	size_t wanted_n, had_n, i;
	int pass; /* rows of passes[] */
};

static void edit_free(struct edit *e)
{
	iq_held_free(e->held);
	for (size_t i = 0; i < e->wanted_n; i++)
		free(e->wanted[i]);
	for (size_t i = 0; i < e->had_n; i++)
		free(e->had[i]);
	free(e->wanted);
	free(e->had);
	free(e);
}

static bool among(char *const *v, size_t n, const char *node)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i], node) == 0)
			return true;
	return false;
}

static void edit_next(struct edit *e, int status);

static void on_checked(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms)
{
	(void)s;
	(void)admin;
	(void)created_ms;
	edit_next(arg, status);
}

/* request: "1" or "0" */
static void tell(struct user *u, struct str request, struct buf *out)
{
	(void)out;
	if (u && u->state == USER_READY)
		u->admin = str_is(request, "1");
}

static void on_told(struct core *c, struct str out, void *arg)
{
	(void)out;
	if (c)
		edit_next(arg, 0);
	else
		edit_free(arg);
}

static const char *node_now(const struct edit *e)
{
	return e->pass == 1 ? e->had[e->i] : e->wanted[e->i];
}

static void on_set(struct shard *s, void *arg, int status)
{
	struct edit *e = arg;
	struct iq *iq = iq_wake(e->held);
	struct str bare = admin_bare(iq, str_of(node_now(e)));

	(void)s;
	if (status) {
		edit_next(e, status);
		return;
	}
	log_info("account.role", "account=%.*s admin=%d by=%.*s", STR_ARG(bare), e->pass == 2, STR_ARG(jid_bare_str(iq->st->from)));
	visit_user(iq->core, bare, e->pass == 2 ? STR("1") : STR("0"), tell, on_told, e);
}

/* What the current pass does with its current node: all that are wanted must exist; then who goes, then who comes. */
static int edit_act(struct edit *e)
{
	struct core *c = e->held->iq.core;
	struct accounts *ac = admin_held_accounts(e->held);
	const char *node = node_now(e);

	if (e->pass == 0)
		return account_info(ac, c->shard, str_of(node), on_checked, e);
	if (e->pass == 1 ? among(e->wanted, e->wanted_n, node) : among(e->had, e->had_n, node)) {
		edit_next(e, 0);
		return 0;
	}
	return account_set_state(ac, c->shard, str_of(node), e->pass == 1 ? ACCOUNT_NO_ADMIN : ACCOUNT_ADMIN, on_set, e);
}

static void edit_next(struct edit *e, int status)
{
	if (status) {
		admin_failed(iq_wake(e->held), status);
		edit_free(e);
		return;
	}
	e->i++;
	while (e->pass < 3 && e->i >= (e->pass == 1 ? e->had_n : e->wanted_n)) {
		e->pass++;
		e->i = 0;
	}
	if (e->pass == 3) {
		command_done(iq_wake(e->held), NULL);
		edit_free(e);
		return;
	}
	status = edit_act(e);
	if (status)
		edit_next(e, status);
}

static void on_admins(struct iq *iq, const struct admin_scan *scan, void *arg)
{
	struct edit *e = arg;
	struct str names = buf_view(&scan->nodes);

	if (scan->status) {
		admin_failed(iq, scan->status);
		edit_free(e);
		return;
	}
	e->had = mem_zalloc((scan->count + 1) * sizeof(*e->had));
	while (names.n)
		e->had[e->had_n++] = str_dup(str_cut(names, '\n', &names));
	if (edit_act(e))
		edit_next(e, -EBUSY);
}

void admin_edit_admin(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct xml *first = form_first_value(form, "adminjids");
	char *nodes[ADMINS_MAX];
	struct edit *e;
	size_t n = 0;
	bool oneself = false;

	for (struct xml *v = first; v; v = xml_next_same(v)) {
		struct str jid = xml_text_of(a, v), node;

		if (n == ADMINS_MAX) {
			command_bad_payload(iq, "So many administrators are too many.");
			return;
		}
		if (!admin_account(iq, jid, &node))
			return;
		oneself |= str_eq(jid, jid_bare_str(iq->session->jid));
		nodes[n++] = (char *)arena_str(a, node).p;
	}
	if (!oneself) { /* so that somebody stays */
		iq_error(iq, ERR_NOT_ALLOWED, "You cannot take the role from yourself.");
		return;
	}
	e = mem_zalloc(sizeof(*e));
	e->wanted = mem_zalloc(n * sizeof(*e->wanted));
	while (e->wanted_n < n) {
		e->wanted[e->wanted_n] = mem_strdup(nodes[e->wanted_n]);
		e->wanted_n++;
	}
	e->held = iq_hold(iq, NULL);
	admin_scan_run(iq, is_admin, UINT32_MAX, on_admins, e);
}

/* ---- the end ---- */

static void on_stop_time(struct timer *t)
{
	(void)t;
	kill(getpid(), SIGTERM); /* as a service manager ends it */
}

void admin_shutdown(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct str text = form_text(a, form, "announcement");
	struct timer *stop = admin_stop_timer(iq->core);
	uint64_t seconds;

	if (!str_eq(jid_domain(iq->st->to), iq->core->env->domain)) {
		iq_error(iq, ERR_NOT_ALLOWED, "Other domains live here too: only administrators of the main one can end the server.");
		return;
	}
	if (text.n > NOTICE_BYTES_MAX || str_u64(form_value(a, form, "delay"), 3600, &seconds)) {
		command_bad_payload(iq, "This text is too long.");
		return;
	}
	if (text.n)
		admin_announce(iq->core, jid_domain(iq->st->to), text);
	log_info("server.shutdown", "seconds=%llu by=%.*s", (unsigned long long)seconds, STR_ARG(jid_bare_str(iq->st->from)));
	stop->on_time = on_stop_time;
	timer_set(&iq->core->shard->loop, stop, seconds * 1000);
	command_done(iq, NULL);
}

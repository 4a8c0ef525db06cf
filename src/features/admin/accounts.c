/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0133 §4.1-4.7: what is done to accounts; and the walk over several accounts that other commands use too. */
#include <errno.h>
#include <stdlib.h>

#include "account/state.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/presence.h"
#include "features/admin/admin.h"

static const struct {
	int status;
	enum stanza_error error;
	const char *text;
} failures[] = {
	{ -ENOENT, ERR_ITEM_NOT_FOUND, "There is no such account." },
	{ -EEXIST, ERR_CONFLICT, "There is an account of that name already." },
	{ -EINVAL, ERR_NOT_ACCEPTABLE, "This name or password cannot be used; names are letters, digits and . _ -" },
	{ -EMSGSIZE, ERR_NOT_ACCEPTABLE, "The password is empty." },
	{ -E2BIG, ERR_NOT_ACCEPTABLE, "The password is too long." },
	{ -EBUSY, ERR_RESOURCE_CONSTRAINT, "The server is busy; try again." },
	{ -EFBIG, ERR_RESOURCE_CONSTRAINT, "The answer is larger than a stanza can be." },
	{ -EAGAIN, ERR_RESOURCE_CONSTRAINT, "Somebody else changed it at the same moment; try again." },
};

void admin_failed(struct iq *iq, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].status == status) {
			iq_error(iq, failures[i].error, failures[i].text);
			return;
		}
	}
	iq_error(iq, ERR_INTERNAL_SERVER_ERROR, "The database could not do it.");
}

struct accounts *admin_accounts(const struct iq *iq)
{
	return core_host(iq->core, jid_domain(iq->st->to))->accounts;
}

struct accounts *admin_held_accounts(const struct iq_held *h)
{
	return core_host(h->iq.core, jid_domain(h->st.to))->accounts;
}

struct str admin_bare(struct iq *iq, struct str node)
{
	return jid_make(core_arena(iq->core), node, jid_domain(iq->st->to), STR_NONE).full;
}

struct xml *admin_result(struct iq *iq)
{
	return form_new(core_arena(iq->core), NULL, "result", NS_ADMIN);
}

/* Is this an account's address here? Answers the error otherwise. */
static bool is_account(struct iq *iq, struct jid j, bool full)
{
	if (!str_eq(jid_domain(j), jid_domain(iq->st->to)))
		iq_error(iq, ERR_NOT_ALLOWED, "Only accounts of this domain can be administered here.");
	else if (!j.node_n || (!full && !jid_is_bare(j)))
		command_bad_payload(iq, "This is not the address of an account.");
	else
		return true;
	return false;
}

bool admin_account(struct iq *iq, struct str jid, struct str *out_node)
{
	struct jid j = jid_trust(jid);

	if (!is_account(iq, j, false))
		return false;
	*out_node = jid_node(j);
	return true;
}

/* ---- several accounts ---- */

void admin_each_free(struct admin_each *e)
{
	iq_held_free(e->held);
	for (size_t i = 0; i < e->n; i++)
		free(e->jids[i]);
	free(e->jids);
	buf_free(&e->out);
	free(e);
}

static void on_known(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms)
{
	(void)s;
	(void)admin;
	(void)created_ms;
	admin_next(arg, status);
}

static void look(struct admin_each *e, struct iq *iq)
{
	int err = account_info(admin_accounts(iq), iq->core->shard, jid_node(jid_trust(str_of(e->jids[e->i]))), on_known, e);

	if (err) {
		admin_failed(iq, err);
		admin_each_free(e);
	}
}

void admin_next(struct admin_each *e, int status)
{
	struct iq *iq = iq_wake(e->held);

	if (status) {
		admin_failed(iq, status);
		admin_each_free(e);
		return;
	}
	if (++e->i == e->n && !e->acting) {
		e->i = 0;
		e->acting = true;
	}
	if (e->i < e->n && e->acting) {
		e->ops->act(e, iq, jid_trust(str_of(e->jids[e->i])));
	} else if (e->i < e->n) {
		look(e, iq);
	} else {
		if (e->ops->finish)
			e->ops->finish(e, iq);
		else
			command_done(iq, NULL);
		admin_each_free(e);
	}
}

void admin_each_run(struct iq *iq, struct xml *form, const struct admin_each_ops *ops)
{
	struct arena *a = core_arena(iq->core);
	struct admin_each *e;
	size_t n = 0;

	for (struct xml *v = form_first_value(form, "accountjids"); v; v = xml_next_same(v), n++) {
		struct jid j = jid_trust(xml_text_of(a, v));

		if (!is_account(iq, j, ops->full))
			return;
		if (ops->not_oneself && jid_bare_eq(j, iq->session->jid)) {
			iq_error(iq, ERR_NOT_ALLOWED, "Not your own account: another administrator can do that.");
			return;
		}
	}
	e = mem_zalloc(sizeof(*e));
	e->ops = ops;
	e->jids = mem_zalloc((n + 1) * sizeof(*e->jids));
	for (struct xml *v = form_first_value(form, "accountjids"); v; v = xml_next_same(v))
		e->jids[e->n++] = str_dup(xml_text_of(a, v));
	e->held = iq_hold(iq, NULL);
	look(e, iq);
}

/* ---- add ---- */

struct addition {
	struct iq_held *held;
	char *node;
	struct buf vcard;
};

static void addition_free(struct addition *ad)
{
	iq_held_free(ad->held);
	free(ad->node);
	buf_free(&ad->vcard);
	free(ad);
}

static void on_card(struct shard *s, void *arg, int status)
{
	struct addition *ad = arg;

	(void)s;
	if (status)
		log_error("account.card_not_saved", "error=%d next=\"the account is there, without its name\"", -status);
	command_done(iq_wake(ad->held), NULL);
	addition_free(ad);
}

static void on_added(struct shard *s, void *arg, int status)
{
	struct addition *ad = arg;
	struct iq *iq = iq_wake(ad->held);
	struct core *c = iq->core;
	struct str bare = admin_bare(iq, str_of(ad->node));
	struct store_batch *b;

	if (status) {
		admin_failed(iq, status);
		addition_free(ad);
		return;
	}
	user_forget(c->env, bare); /* that it was not there */
	log_info("account.created", "account=%.*s by=%.*s", STR_ARG(bare), STR_ARG(jid_bare_str(iq->st->from)));
	if (!ad->vcard.n) {
		command_done(iq, NULL);
		addition_free(ad);
		return;
	}
	b = store_batch_new();
	store_put(b, bare, STR("vcard"), STR_NONE, buf_view(&ad->vcard));
	if (store_commit(c->env->store, s, b, on_card, ad))
		on_card(s, ad, -EBUSY);
}

/* What the form told of the person, as vcard-temp. */
static void card(struct arena *a, const struct xml *form, struct buf *out)
{
	struct str email = form_value(a, form, "email"), given = form_value(a, form, "given_name"), family = form_value(a, form, "surname");
	struct xml *v = xml_new(a, "vCard", NS_VCARD), *n;

	if (!email.n && !given.n && !family.n)
		return;
	xml_add_text(a, v, "FN", str_trim(arena_printf(a, "%.*s %.*s", STR_ARG(given), STR_ARG(family))));
	n = xml_add(a, v, "N", NULL);
	xml_add_text(a, n, "FAMILY", family);
	xml_add_text(a, n, "GIVEN", given);
	if (email.n)
		xml_add_text(a, xml_add(a, v, "EMAIL", NULL), "USERID", email);
	xml_write(out, v, STR_NONE);
}

void admin_add_user(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct str node, password = form_value(a, form, "password");
	struct addition *ad;
	int err;

	if (!admin_account(iq, form_value(a, form, "accountjid"), &node))
		return;
	if (!str_eq(password, form_value(a, form, "password-verify"))) {
		command_bad_payload(iq, "The two passwords are not the same.");
		return;
	}
	ad = mem_zalloc(sizeof(*ad));
	ad->node = str_dup(node);
	card(a, form, &ad->vcard);
	ad->held = iq_hold(iq, NULL);
	err = account_create(admin_accounts(iq), iq->core->shard,
		&(struct account_new){ .node = node, .password = password, .weak_ok = true }, on_added, ad);
	if (err)
		on_added(iq->core->shard, ad, err);
}

/* ---- delete, disable, re-enable ---- */

static void gone(struct admin_each *e, int status, const char *event)
{
	struct iq *iq = iq_wake(e->held);
	struct str bare = str_of(e->jids[e->i]);

	if (!status)
		log_info(event, "account=%.*s by=%.*s", STR_ARG(bare), STR_ARG(jid_bare_str(iq->st->from)));
	user_forget(iq->core->env, bare); /* after a failure too: what memory says may be half done */
	admin_next(e, status);
}

static void on_deleted(struct shard *s, void *arg, int status)
{
	(void)s;
	gone(arg, status, "account.deleted");
}

/* Nothing is written for the account any more, and its contacts hear that it is over. */
static void leave(struct user *u, struct str request, struct buf *out)
{
	(void)request;
	(void)out;
	if (!u || u->state != USER_READY)
		return;
	u->leaving = true;
	subscription_leave_all(u);
}

static void on_left(struct core *c, struct str out, void *arg)
{
	struct admin_each *e = arg;
	int err;

	(void)out;
	if (!c) {
		admin_each_free(e);
		return;
	}
	err = account_delete(admin_held_accounts(e->held), c->shard, jid_node(jid_trust(str_of(e->jids[e->i]))), on_deleted, e);
	if (err)
		on_deleted(c->shard, e, err);
}

static void act_delete(struct admin_each *e, struct iq *iq, struct jid jid)
{
	visit_user(iq->core, jid.full, STR_NONE, leave, on_left, e);
}

void admin_delete_user(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_delete, .not_oneself = true };

	admin_each_run(iq, form, &ops);
}

static void on_disabled(struct shard *s, void *arg, int status)
{
	(void)s;
	gone(arg, status, "account.disabled");
}

static void on_enabled(struct shard *s, void *arg, int status)
{
	(void)s;
	gone(arg, status, "account.enabled");
}

static void act_disable(struct admin_each *e, struct iq *iq, struct jid jid)
{
	int err = account_set_state(admin_accounts(iq), iq->core->shard, jid_node(jid), ACCOUNT_DISABLE, on_disabled, e);

	if (err)
		admin_next(e, err);
}

void admin_disable_user(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_disable, .not_oneself = true };

	admin_each_run(iq, form, &ops);
}

static void act_reenable(struct admin_each *e, struct iq *iq, struct jid jid)
{
	int err = account_set_state(admin_accounts(iq), iq->core->shard, jid_node(jid), ACCOUNT_ENABLE, on_enabled, e);

	if (err)
		admin_next(e, err);
}

void admin_reenable_user(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_reenable };

	admin_each_run(iq, form, &ops);
}

/* ---- sessions, password ---- */

/* request: a resource, or empty for all. */
static void kick(struct user *u, struct str request, struct buf *out)
{
	struct session *s;

	(void)out;
	if (!u || u->state != USER_READY)
		return;
	list_each(s, &u->sessions, in_user)
		if (!request.n || str_eq(jid_resource(s->jid), request))
			session_kick(s, "policy-violation", "An administrator ended this session.");
}

static void on_kicked(struct core *c, struct str out, void *arg)
{
	(void)out;
	if (c)
		admin_next(arg, 0);
	else
		admin_each_free(arg);
}

static void act_kick(struct admin_each *e, struct iq *iq, struct jid jid)
{
	visit_user(iq->core, jid_bare_str(jid), jid_resource(jid), kick, on_kicked, e);
}

void admin_end_session(struct iq *iq, struct xml *form)
{
	static const struct admin_each_ops ops = { .act = act_kick, .full = true };

	admin_each_run(iq, form, &ops);
}

static void on_password(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (status)
		admin_failed(iq, status);
	else
		command_done(iq, NULL);
	iq_held_free(h);
}

void admin_change_password(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct iq_held *h;
	struct str node;
	int err;

	if (!admin_account(iq, form_value(a, form, "accountjid"), &node))
		return;
	h = iq_hold(iq, NULL);
	err = account_passwd_weak(admin_accounts(iq), iq->core->shard, node, form_value(a, form, "password"), on_password, h);
	if (err)
		on_password(iq->core->shard, h, err);
}

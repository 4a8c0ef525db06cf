/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0377 0.4.1 for administrators: the queue of reports as ad-hoc commands. The reports come by features/blocking; the queue is core/report. */
#include "core/report.h"

#include <errno.h>
#include <stdlib.h>

#include "account/state.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/command.h"
#include "core/feature.h"
#include "proto/xmpp/ns.h"

#define FORM_REPORTS "https://anser.im/protocol/reports"

static const struct form_option actions[] = {
	{ "keep", "Leave it in the queue" }, { "close", "Close it" }, { "disable", "Disable the reported account of this server, and close it" }, { 0 },
};
static const struct form_rule which[] = { { "report", "Report", FORM_LIST_SINGLE, .required = true }, { NULL } };
static const struct form_rule what[] = {
	{ "details", NULL, FORM_FIXED },
	{ "action", "What shall be done?", FORM_LIST_SINGLE, .required = true, .options = actions },
	{ NULL },
};

static const char *name_of(struct str reason)
{
	return str_is(reason, "urn:xmpp:reporting:spam") ? "spam" : str_is(reason, "urn:xmpp:reporting:abuse") ? "abuse" : "other";
}

static void store_failed(struct iq *iq)
{
	iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The database could not do it; try again.");
}

static struct str scope_of(const struct iq *iq)
{
	return core_host(iq->core, jid_domain(iq->st->to))->accounts->scope;
}

/* Asks the store for the queue, oldest first. */
static void ask_queue(struct iq *iq, struct str id, store_items_fn *fn, void *arg)
{
	struct core *c = iq->core;
	struct iq_held *h = iq_hold(iq, arg);
	int err = id.n ? store_get(c->env->store, c->shard, scope_of(iq), STR("report"), id, fn, h) :
			 store_list(c->env->store, c->shard, &(struct store_range){ .owner = scope_of(iq), .kind = STR("report"), .limit = REPORTS_PAGE }, fn, h);

	if (err)
		fn(c->shard, h, -EBUSY, NULL, 0);
}

/* ---- list ---- */

static const char *const columns[] = { "id", "stamp", "reporter", "jid", "reason" };

static void on_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct arena *a = &s->arena;
	struct xml *form = form_new(a, NULL, "result", FORM_REPORTS), *head = xml_add(a, form, "reported", NULL), *report;

	for (size_t k = 0; k < ARRAY_LEN(columns); k++)
		form_field(a, head, "text-single", columns[k], columns[k], STR_NONE);
	for (size_t i = 0; i < n; i++) {
		struct xml *item;

		if (xml_parse(a, arena_str(a, v[i].value), &report))
			continue;
		item = xml_add(a, form, "item", NULL);
		for (size_t k = 0; k < ARRAY_LEN(columns); k++)
			form_field(a, item, NULL, columns[k], NULL, xml_get(report, columns[k]));
	}
	if (status)
		store_failed(iq);
	else
		command_done(iq, form);
	iq_held_free(h);
}

static void list(struct iq *iq, struct xml *form)
{
	(void)form;
	ask_queue(iq, STR_NONE, on_list, NULL);
}

/* ---- resolve: which one, then what ---- */

static struct xml *form_of(struct arena *a, char *text)
{
	struct xml *form;

	must(!xml_parse(a, arena_str(a, str_of(text)), &form));
	free(text);
	return form;
}

static char *text_of(const struct xml *form)
{
	struct buf text = { 0 };

	xml_write(&text, form, STR_NONE);
	buf_putc(&text, '\0');
	return text.p;
}

static void on_choices(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct arena *a = &s->arena;
	struct xml *form = form_of(a, h->arg), *report;

	for (size_t i = 0; i < n; i++)
		if (!xml_parse(a, arena_str(a, v[i].value), &report))
			form_option(a, form_field_of(form, "report"),
				arena_printf(a, "%.*s %s: %.*s", STR_ARG(xml_get(report, "stamp")), name_of(xml_get(report, "reason")),
					STR_ARG(xml_get(report, "jid"))).p,
				arena_str(a, v[i].key).p);
	if (status)
		store_failed(iq);
	else
		command_ask(iq, form);
	iq_held_free(h);
}

static void fill_which(struct iq *iq, struct xml *form, struct xml *answers)
{
	(void)answers;
	ask_queue(iq, STR_NONE, on_choices, text_of(form));
}

/* What an administrator should read of a report, a line each. */
static void describe(struct arena *a, struct xml *field, const struct xml *report)
{
	for (size_t k = 1; k < ARRAY_LEN(columns); k++)
		xml_add_text(a, field, "value", arena_printf(a, "%s: %.*s", columns[k], STR_ARG(xml_get(report, columns[k]))));
	xml_each(el, report) {
		if (xml_is(el, "text", NS_REPORTING))
			xml_add_text(a, field, "value", arena_printf(a, "text: %.*s", STR_ARG(xml_text_of(a, el))));
		else if (str_is(el->name, "message"))
			xml_add_text(a, field, "value", arena_printf(a, "message of %.*s: %.*s", STR_ARG(xml_get(el, "stamp")),
				STR_ARG(xml_child_text(a, el, "body", NS_CLIENT))));
	}
}

static void on_details(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct arena *a = &s->arena;
	struct xml *form = form_of(a, h->arg), *report;

	if (status) {
		store_failed(iq);
	} else if (!n || xml_parse(a, arena_str(a, v->value), &report)) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, "This report is not in the queue any more.");
	} else {
		describe(a, form_field_of(form, "details"), report);
		command_ask(iq, form);
	}
	iq_held_free(h);
}

static void fill_what(struct iq *iq, struct xml *form, struct xml *answers)
{
	ask_queue(iq, form_value(core_arena(iq->core), answers, "report"), on_details, text_of(form));
}

static void on_closed(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (status)
		store_failed(iq);
	else
		command_done(iq, NULL);
	iq_held_free(h);
}

static void close_report(struct iq_held *h, struct str id, struct str value)
{
	struct core *c = h->iq.core;
	struct store_batch *b = store_batch_new();

	report_close(b, core_arena(c), core_host(c, jid_domain(h->st.to))->accounts->scope, id, value);
	log_info("report.closed", "id=%.*s by=%.*s", STR_ARG(id), STR_ARG(jid_bare_str(h->st.from)));
	if (store_commit(c->env->store, c->shard, b, on_closed, h))
		on_closed(c->shard, h, -EBUSY);
}

/* A report whose account is being disabled. */
struct verdict_pending {
	struct iq_held *held;
	char *id, *value, *bare;
};

static void on_disabled(struct shard *s, void *arg, int status)
{
	struct verdict_pending *p = arg;
	struct iq *iq = iq_wake(p->held);

	(void)s;
	if (status == -ENOENT) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, "There is no such account any more.");
	} else if (status) {
		store_failed(iq);
	} else {
		log_info("account.disabled", "account=%s by=%.*s", p->bare, STR_ARG(jid_bare_str(iq->st->from)));
		user_forget(iq->core->env, str_of(p->bare));
		close_report(p->held, str_of(p->id), str_of(p->value));
		p->held = NULL;
	}
	if (p->held)
		iq_held_free(p->held);
	free(p->id);
	free(p->value);
	free(p->bare);
	free(p);
}

static void disable(struct iq_held *h, struct str id, struct str value)
{
	struct iq *iq = &h->iq;
	struct arena *a = core_arena(iq->core);
	struct verdict_pending *p;
	struct xml *report;
	struct jid j = { 0 };

	if (!xml_parse(a, arena_str(a, value), &report))
		j = jid_bare(jid_trust(xml_get(report, "jid")));
	if (!j.node_n || !str_eq(jid_domain(j), jid_domain(iq->st->to)) || jid_bare_eq(j, iq->st->from)) {
		command_bad_payload(iq, "This is no account of this server that can be disabled.");
		iq_held_free(h);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	*p = (struct verdict_pending){ h, str_dup(id), str_dup(value), str_dup(j.full) };
	if (account_set_state(core_host(iq->core, jid_domain(iq->st->to))->accounts, iq->core->shard, jid_node(j), ACCOUNT_DISABLE, on_disabled, p))
		on_disabled(iq->core->shard, p, -EBUSY);
}

/* h->arg: whether the account is to be disabled. */
static void on_chosen(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)s;
	if (!status && n && h->arg) {
		disable(h, v->key, v->value);
	} else if (!status && n) {
		close_report(h, v->key, v->value);
	} else {
		if (status)
			store_failed(iq);
		else
			iq_error(iq, ERR_ITEM_NOT_FOUND, "This report is not in the queue any more.");
		iq_held_free(h);
	}
}

static void resolve(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct str action = form_value(a, form, "action");

	if (str_is(action, "keep"))
		command_done(iq, NULL);
	else
		ask_queue(iq, form_value(a, form, "report"), on_chosen, str_is(action, "disable") ? iq->core : NULL);
}

static const struct command_stage stages[] = {
	{ which, "Reports", "Choose one of the open reports.", fill_which },
	{ what, "A report", NULL, fill_what },
	{ 0 },
};
static const struct command commands[] = {
	{ FORM_REPORTS "#list", "List Reports of Abuse", TO_SERVER, true, list },
	{ FORM_REPORTS "#resolve", "Deal with a Report of Abuse", TO_SERVER, true, resolve, stages, FORM_REPORTS },
	{ 0 },
};

const struct feature feature_reports = {
	.name = "reports",
	.commands = commands,
};

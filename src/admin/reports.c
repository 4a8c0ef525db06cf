/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reports of abuse (XEP-0377, core/report.h) for the operator. */
#include <errno.h>

#include "admin/command_priv.h"
#include "base/log.h"
#include "core/report.h"

static json_t *text_json(struct str s)
{
	json_t *j = json_stringn(s.p ? s.p : "", s.n);

	return j ? j : json_string("");
}

static json_t *messages_json(struct arena *a, const struct xml *report)
{
	json_t *out = json_array();

	xml_each(el, report) {
		json_t *m;

		if (!str_is(el->name, "message"))
			continue;
		m = json_object();
		json_object_set_new(m, "from", text_json(xml_get(el, "from")));
		json_object_set_new(m, "stamp", text_json(xml_get(el, "stamp")));
		json_object_set_new(m, "body", text_json(xml_child_text(a, el, "body", NULL)));
		json_array_append_new(out, m);
	}
	return out;
}

static void on_reports(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	static const char *const names[] = { "id", "stamp", "reporter", "jid", "reason" };
	struct admin_call *call = arg;
	struct arena *a = shard_arena(s);
	json_t *list;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *row = json_object();
		struct xml *report;

		if (!xml_parse(a, arena_str(a, v[i].value), &report)) {
			for (size_t k = 0; k < ARRAY_LEN(names); k++)
				json_object_set_new(row, names[k], text_json(xml_get(report, names[k])));
			json_object_set_new(row, "text", text_json(xml_child_text(a, report, "text", NULL)));
			json_object_set_new(row, "messages", messages_json(a, report));
		}
		json_array_append_new(list, row);
	}
	admin_succeed(call, json_pack("{s:o, s:b}", "reports", list, "more", (int)(n == REPORTS_PAGE)));
}

void admin_reports(struct admin_call *call)
{
	struct str after = admin_text_of(call, "after");
	struct accounts *ac = admin_accounts_named(call, admin_text_of(call, "host"));
	struct store_range range = { .owner = ac ? ac->scope : STR_NONE, .kind = STR("report"), .after = after.n ? after : STR_NONE, .limit = REPORTS_PAGE };
	int err = ac ? store_list(ac->store, call->shard, &range, on_reports, call) : -ENOENT;

	if (err)
		admin_fail_status(call, err);
}

static void on_closed(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;

	(void)s;
	if (status)
		admin_fail_status(call, status);
	else
		admin_succeed(call, json_object());
}

static void on_report(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct admin_call *call = arg;
	struct store_batch *b;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	if (!n) {
		admin_fail(call, "not-found", "There is no such report in the queue.");
		return;
	}
	b = store_batch_new();
	report_close(b, shard_arena(s), v->owner, v->key, v->value);
	log_info("report.closed", "id=%.*s by=operator", STR_ARG(v->key));
	if (store_commit(call->admin->accounts->store, s, b, on_closed, call))
		admin_fail_status(call, -EBUSY);
}

void admin_report_close(struct admin_call *call)
{
	struct accounts *ac = admin_accounts_named(call, admin_text_of(call, "host"));
	int err = ac ? store_get(ac->store, call->shard, ac->scope, STR("report"), admin_text_of(call, "id"), on_report, call) : -ENOENT;

	if (err)
		admin_fail_status(call, err);
}

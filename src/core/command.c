/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Ad-hoc commands of all features. */
#include "core/command.h"

#include "core/feature.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

static bool may_run(const struct iq *iq, const struct command *cmd)
{
	struct user *asker = iq->session ? iq->session->user : NULL;

	if (!asker || !(cmd->targets & iq->target))
		return false;
	return !cmd->admin_only || (asker->admin && session_is_full(iq->session));
}

/* Walks all rows: returns the one behind *f and *i that the asker may run. */
static const struct command *next(const struct iq *iq, const struct feature *const **f, size_t *i)
{
	for (; **f; (*f)++, *i = 0)
		for (const struct command *v = (**f)->commands; v && v[*i].node; (*i)++)
			if (may_run(iq, &v[*i]))
				return &v[(*i)++];
	return NULL;
}

/* Is there such a command, for whomever? */
static bool exists(const struct iq *iq, struct str node)
{
	for (const struct feature *const *f = iq->core->env->features; *f; f++)
		for (const struct command *v = (*f)->commands; v && v->node; v++)
			if ((v->targets & iq->target) && str_is(node, v->node))
				return true;
	return false;
}

static const struct command *find(const struct iq *iq, struct str node)
{
	const struct feature *const *f = iq->core->env->features;
	const struct command *cmd;
	size_t i = 0;

	while ((cmd = next(iq, &f, &i)))
		if (str_is(node, cmd->node))
			return cmd;
	return NULL;
}

void command_items(struct iq *iq, struct xml *query)
{
	struct arena *a = core_arena(iq->core);
	const struct feature *const *f = iq->core->env->features;
	const struct command *cmd;
	size_t i = 0;

	while ((cmd = next(iq, &f, &i))) {
		struct xml *item = xml_add(a, query, "item", NULL);

		xml_set(a, item, "jid", iq->st->to.full);
		xml_set(a, item, "node", str_of(cmd->node));
		xml_set(a, item, "name", str_of(cmd->name));
	}
}

bool command_disco(struct iq *iq, struct str node)
{
	struct arena *a = core_arena(iq->core);
	const struct command *cmd = find(iq, node);
	struct xml *q, *id;

	if (!cmd)
		return false;
	q = xml_new(a, "query", NS_DISCO_INFO);
	xml_set(a, q, "node", node);
	id = xml_add(a, q, "identity", NULL);
	xml_set(a, id, "category", STR("automation"));
	xml_set(a, id, "type", STR("command-node"));
	xml_set(a, id, "name", str_of(cmd->name));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_COMMANDS));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_DATA));
	iq_result(iq, q);
	return true;
}

static void cancel(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *c = xml_new(a, "command", NS_COMMANDS);

	xml_set(a, c, "node", xml_get(iq->el, "node"));
	xml_set(a, c, "status", STR("canceled"));
	iq_result(iq, c);
}

void command_run(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct str action = xml_get(iq->el, "action"), node = xml_get(iq->el, "node");
	const struct command *cmd = find(iq, node);

	if (!cmd) {
		iq_error(iq, exists(iq, node) ? ERR_FORBIDDEN : ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	if (str_is(action, "cancel")) {
		cancel(iq);
		return;
	}
	if (action.n && !str_is(action, "execute") && !str_is(action, "complete")) {
		iq_error_app(iq, ERR_BAD_REQUEST, NULL,
			xml_new(a, str_is(action, "next") || str_is(action, "prev") ? "bad-action" : "malformed-action", NS_COMMANDS));
		return;
	}
	cmd->run(iq, form_find(iq->el, "submit", NULL));
}

void command_done(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct xml *c = xml_new(a, "command", NS_COMMANDS);
	struct str session = xml_get(iq->el, "sessionid");

	xml_set(a, c, "node", xml_get(iq->el, "node"));
	xml_set(a, c, "sessionid", session.n ? session : iq->st->id);
	xml_set(a, c, "status", STR("completed"));
	if (form)
		xml_append(c, form);
	iq_result(iq, c);
}

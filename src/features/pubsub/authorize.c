/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §8.6, §8.7: subscriptions that wait for an owner's word. */
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/random.h"
#include "features/pubsub/pubsub.h"

void ps_authorize_ask(struct ps_node *n, struct ps_sub *s)
{
	struct arena *a = core_arena(n->host->core);
	struct xml *form;
	struct stanza st;

	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &st);
	st.from = n->host->jid;
	st.id = random_token(a, 12);
	form = form_new(a, st.el, "form", NS_PUBSUB_SUBSCRIBE_AUTH);
	form_field(a, form, "text-single", "pubsub#node", "Node", n->name);
	form_field(a, form, "jid-single", "pubsub#subscriber_jid", "Who wants to subscribe", s->jid);
	form_field(a, form, "boolean", "pubsub#allow", "Allow it", STR("false"));
	ps_to_owners(n, &st);
}

struct decision {
	struct ps_job job;
	struct core *core;
	struct blob *packed;
};

static void decide(struct ps_host *h, struct stanza *st)
{
	struct arena *a = core_arena(h->core);
	const struct xml *form = form_find(stanza_tree(st, a), "submit", NS_PUBSUB_SUBSCRIBE_AUTH);
	struct ps_node *n = ps_node_get(h, form_value(a, form, "pubsub#node"));
	struct store_batch *b;
	struct ps_sub *s;
	struct jid j, to;
	bool allow;

	if (!n || ps_affil_of(n, st->from) != AFFIL_OWNER || form_bool(a, form, "pubsub#allow", &allow) ||
		jid_parse(a, form_value(a, form, "pubsub#subscriber_jid"), &j))
		return;
	s = map_get(&n->subs, j.full);
	if (!s || s->state != SUB_PENDING)
		return; /* another owner was first */
	to = jid_copy(a, jid_trust(s->jid));
	b = store_batch_new();
	if (allow) {
		s->state = SUB_SUBSCRIBED;
		ps_sub_save(n, s, b);
	} else {
		ps_sub_remove(n, s, b);
	}
	ps_event_subscription(n, to.full, allow ? SUB_SUBSCRIBED : SUB_NONE);
	if (allow && n->cfg.send_last != LAST_NEVER)
		ps_event_last(n, to, UINT64_MAX);
	ps_commit(h, b);
}

static bool run(struct ps_host *h, struct ps_job *j)
{
	struct decision *d = container_of(j, struct decision, job);
	struct stanza st;

	if (!ps_host_ready(h))
		return false;
	if (!stanza_unpack(blob_view(d->packed), &st)) {
		decide(h, &st);
		stanza_fini(&st);
	}
	return true;
}

static void done(struct ps_job *j)
{
	struct decision *d = container_of(j, struct decision, job);

	blob_unref(d->packed);
	free(d);
}

bool ps_message(struct ps_host *h, struct stanza *st)
{
	const struct xml *tree, *form;
	struct decision *d;

	if (st->type == MSG_ERROR || st->type == MSG_GROUPCHAT)
		return false;
	tree = stanza_tree(st, core_arena(h->core));
	form = tree ? form_find(tree, NULL, NS_PUBSUB_SUBSCRIBE_AUTH) : NULL;
	if (!form || (!str_is(xml_get(form, "type"), "submit") && !str_is(xml_get(form, "type"), "cancel")))
		return false;
	if (str_is(xml_get(form, "type"), "cancel"))
		return true; /* §8.6: it stays pending */
	d = mem_zalloc(sizeof(*d));
	d->job = (struct ps_job){ .run = run, .free = done };
	d->packed = stanza_pack(st);
	ps_host_do(h, &d->job);
	return true;
}

/* ---- the command get-pending (§8.7): one step with the node, or the list of nodes to choose from ---- */

static uint32_t pending_of(struct ps_node *n, bool ask)
{
	struct str key;
	uint32_t pos = 0, count = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		struct ps_sub *s = value;

		if (s->state != SUB_PENDING)
			continue;
		count++;
		if (ask)
			ps_authorize_ask(n, s);
	}
	return count;
}

static void offer_nodes(struct ps_host *h, struct iq *iq, struct xml *command)
{
	struct arena *a = core_arena(h->core);
	struct xml *form = form_new(a, command, "form", NS_PUBSUB_SUBSCRIBE_AUTH), *field;
	struct str key;
	uint32_t pos = 0;
	void *value;

	field = form_field(a, form, "list-single", "pubsub#node", "Node", STR_NONE);
	while (map_next(&h->nodes, &pos, &key, &value)) {
		struct ps_node *n = value;

		if (ps_affil_of(n, iq->st->from) == AFFIL_OWNER && pending_of(n, false))
			xml_add_text(a, xml_add(a, field, "option", NULL), "value", n->name);
	}
}

static bool pending(struct ps_host *h, struct iq *iq)
{
	struct arena *a = core_arena(h->core);
	const struct xml *form = form_find(iq->el, "submit", NULL);
	struct xml *command;
	struct ps_node *n;

	if (!ps_host_ready(h))
		return false;
	command = xml_new(a, "command", NS_COMMANDS);
	xml_set(a, command, "node", STR(NS_PUBSUB_GET_PENDING));
	xml_set(a, command, "sessionid", xml_get(iq->el, "sessionid").n ? xml_get(iq->el, "sessionid") : random_token(a, 12));
	xml_set(a, command, "status", form ? STR("completed") : STR("executing"));
	if (str_is(xml_get(iq->el, "action"), "cancel")) {
		xml_set(a, command, "status", STR("canceled"));
	} else if (!form) {
		offer_nodes(h, iq, command);
	} else {
		n = ps_node_get(h, form_value(a, form, "pubsub#node"));
		if (!n || ps_affil_of(n, iq->st->from) != AFFIL_OWNER) {
			iq_error(iq, n ? ERR_FORBIDDEN : ERR_ITEM_NOT_FOUND, NULL);
			return true;
		}
		pending_of(n, true);
	}
	iq_result(iq, command);
	return true;
}

void ps_get_pending(struct ps_host *h, struct iq *iq)
{
	if (str_is(xml_get(iq->el, "node"), NS_PUBSUB_GET_PENDING))
		ps_iq_do(h, iq, pending);
	else
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
}

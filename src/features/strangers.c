/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages of strangers, where the account refuses them (ad-hoc command "strangers" at one's own address): who is not in the roster, was
 * not written to before, and shares no presence, gets service-unavailable, as if there were no such account. Subscription requests pass.
 * Store: kind "strangers", key "" value "refuse"; key = bare JID of somebody written to since. */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/command.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

#define NS_STRANGERS "urn:anser:strangers:0"

enum { MET_MAX = 2000 };

struct strangers {
	bool refuse;
	struct map met; /* bare JID → itself, own bytes */
};

static struct strangers *of(struct user *u)
{
	if (!u->slot[USER_SLOT_STRANGERS])
		u->slot[USER_SLOT_STRANGERS] = mem_zalloc(sizeof(struct strangers));
	return u->slot[USER_SLOT_STRANGERS];
}

static bool refuses(const struct user *u)
{
	const struct strangers *s = u ? u->slot[USER_SLOT_STRANGERS] : NULL;

	return s && s->refuse;
}

static void remember(struct strangers *s, struct str bare)
{
	struct str key = { str_dup(bare), bare.n };

	map_put(&s->met, key, (void *)key.p);
}

static void on_item(struct user *u, struct str key, struct str value)
{
	struct strangers *s = of(u);

	if (!key.n)
		s->refuse = str_is(value, "refuse");
	else if (!map_get(&s->met, key))
		remember(s, key);
}

static void on_free(struct user *u)
{
	struct strangers *s = u->slot[USER_SLOT_STRANGERS];
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!s)
		return;
	while (map_next(&s->met, &pos, &key, &value))
		free(value);
	map_fini(&s->met);
	free(s);
	u->slot[USER_SLOT_STRANGERS] = NULL;
}

/* SEND_BLOCK: who is written to is no stranger any more. */
static enum verdict meet(struct transit *t)
{
	struct str bare = jid_bare_str(t->st->to);
	struct strangers *s;

	if (!refuses(t->user) || t->st->type == MSG_ERROR || jid_bare_eq(t->st->to, t->user->jid))
		return PASS;
	s = of(t->user);
	if (s->met.n >= MET_MAX || map_get(&s->met, bare) || roster_get(t->user, bare))
		return PASS;
	remember(s, bare);
	store_put(transit_batch(t), t->user->jid.full, STR("strangers"), bare, STR("1"));
	return PASS;
}

static bool is_known(struct user *u, struct jid from)
{
	struct str bare = jid_bare_str(from);
	const struct contact *c = roster_get(u, bare);
	struct session *s;

	if (jid_bare_eq(from, u->jid) || (c && c->listed) || map_get(&of(u)->met, bare))
		return true;
	if (!from.node_n && core_is_local(u->core, jid_domain(from))) /* the server itself */
		return true;
	list_each(s, &u->sessions, in_user)
		if (presence_shared(s, from)) /* a room one is in */
			return true;
	return false;
}

/* DELIVER_BLOCK */
static enum verdict refuse(struct transit *t)
{
	if (!refuses(t->user) || t->st->type == MSG_ERROR || is_known(t->user, t->st->from))
		return PASS;
	router_error(t->core, t->st, ERR_SERVICE_UNAVAILABLE, NULL);
	t->reason = "a stranger";
	return STOP;
}

/* ---- the command ---- */

static void on_stored(struct shard *sh, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);

	(void)sh;
	if (status)
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The server could not store this; try again later.");
	else
		command_done(iq, NULL);
	iq_held_free(h);
}

static void run(struct iq *iq, struct xml *form)
{
	bool on = str_is(form_value(core_arena(iq->core), form, "messages"), "refuse");
	struct store_batch *b = store_batch_new();
	struct iq_held *h;

	of(iq->user)->refuse = on;
	if (on)
		store_put(b, iq->user->jid.full, STR("strangers"), STR_NONE, STR("refuse"));
	else
		store_del(b, iq->user->jid.full, STR("strangers"), STR_NONE);
	h = iq_hold(iq, NULL);
	if (store_commit(iq->core->env->store, iq->core->shard, b, on_stored, h)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

static const struct form_option choices[] = { { "allow", "Deliver them" }, { "refuse", "Refuse them" }, { NULL, NULL } };
static const struct form_rule fields[] = {
	{ "messages", "Messages of people who are not among the contacts", FORM_LIST_SINGLE, .required = true, .options = choices }, { NULL }
};
static const struct command_stage stages[] = { { fields, "Strangers", NULL, NULL }, { 0 } };
static const struct command commands[] = {
	{ .node = NS_STRANGERS, .name = "Messages of strangers", .targets = TO_SELF, .run = run, .stages = stages, .form_type = NS_STRANGERS },
	{ 0 },
};

const struct feature feature_strangers = {
	.name = "strangers",
	.user_kind = "strangers",
	.user_item = on_item,
	.user_free = on_free,
	.send = { [SEND_BLOCK] = meet },
	.deliver = { [DELIVER_BLOCK] = refuse },
	.commands = commands,
};

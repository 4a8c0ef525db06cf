/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0401 0.5.0 invitations as ad-hoc commands, XEP-0379 0.3.3 pre-authenticated subscription requests. */
#include "account/invite.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/command.h"
#include "core/feature.h"
#include "core/roster.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

#define FORM_INVITATION "urn:xmpp:invite#invitation"

static void field(struct arena *a, struct xml *form, const char *var, struct str value)
{
	form_field(a, form, "text-single", var, NULL, value);
}

static void on_created(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct host *host = core_host(iq->core, jid_domain(iq->st->from));
	struct arena *a = &s->arena;
	struct xml *form;
	bool register_only = h->arg != NULL;

	if (status) {
		iq_error(iq, status == -EDQUOT ? ERR_POLICY_VIOLATION : ERR_INTERNAL_SERVER_ERROR,
			status == -EDQUOT ? "Too many of your invitations are still open." : "The invitation could not be stored.");
		iq_held_free(h);
		return;
	}
	form = form_new(a, NULL, "result", FORM_INVITATION);
	if (!register_only)
		field(a, form, "uri", arena_printf(a, "xmpp:%.*s?roster;preauth=%.*s%s", STR_ARG(inv->inviter), STR_ARG(token),
			inv->account ? ";ibr=y" : ""));
	else
		field(a, form, "uri", arena_printf(a, "xmpp:%.*s?register;preauth=%.*s", STR_ARG(host->domain), STR_ARG(token)));
	field(a, form, "landing-url", arena_printf(a, "%.*s/i/%.*s", STR_ARG(host->web_url), STR_ARG(token)));
	field(a, form, "expire", time_format(a, inv->expires_ms));
	command_done(iq, form);
	iq_held_free(h);
}

/* how: NULL for a contact, anything else for an account. Both become contacts of the inviter. */
static void create(struct iq *iq, void *how)
{
	struct core *c = iq->core;
	struct iq_held *h = iq_hold(iq, how);

	if (invite_create(core_host(c, jid_domain(iq->st->from))->accounts, c->shard, iq->session->user->jid.full, true, on_created, h)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

/* A contact, who may make an account here. */
static void invite(struct iq *iq, struct xml *form)
{
	(void)form;
	create(iq, NULL);
}

/* A new account; who opens the link on another account becomes no contact. */
static void create_account(struct iq *iq, struct xml *form)
{
	(void)form;
	create(iq, iq->core);
}

/* ---- XEP-0379 §3.4: a subscription request with a token is approved at once ---- */

struct preauth {
	struct env *env;
	struct jid from, to; /* own bytes */
};

static void on_used(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct preauth *p = arg;

	(void)s;
	(void)token;
	if (!status && str_eq(inv->inviter, p->to.full))
		roster_befriend(p->env, p->from.full, p->to.full);
	free((void *)p->from.full.p);
	free((void *)p->to.full.p);
	free(p);
}

static void on_subscribe(struct session *s, struct stanza *st)
{
	struct core *c = s->core;
	struct host *host = core_host(c, jid_domain(st->to));
	struct xml *el = st->type == PRES_SUBSCRIBE ? xml_child(st->el, "preauth", NS_PARS) : NULL;
	struct preauth *p;

	if (!el || !host || !xml_get(el, "token").n)
		return;
	p = mem_zalloc(sizeof(*p));
	p->env = c->env;
	p->from = jid_dup(s->user->jid);
	p->to = jid_dup(jid_bare(st->to));
	if (invite_use(host->accounts, c->shard, xml_get(el, "token"), on_used, p))
		on_used(c->shard, p, -EBUSY, STR_NONE, NULL);
}

static const struct spec specs[] = { { "XEP-0401", "0.5.0" }, { "XEP-0379", "0.3.3" }, { NULL, NULL } };
static const char *const disco[] = { NS_INVITE, NULL };
static const struct command commands[] = {
	{ "urn:xmpp:invite#invite", "Invite somebody", TO_SELF | TO_SERVER, false, invite },
	{ "urn:xmpp:invite#create-account", "Invite somebody to create an account", TO_SERVER, true, create_account },
	{ 0 },
};

const struct feature feature_invite = {
	.name = "invite",
	.specs = specs,
	.disco_server = disco,
	.commands = commands,
	.on_subscribe = on_subscribe,
};

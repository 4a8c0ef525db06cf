/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0077 2.4 in-band registration: before sign-in when registration.open or with an invitation (XEP-0445 0.2.0);
 * afterwards to change the password or cancel the account. */
#include <errno.h>
#include <stdlib.h>

#include "account/invite.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/roster.h"
#include "core/user.h"
#include "proto/xmpp/ns.h"

enum { TOKEN_MAX = 128 };

/* ---- before sign-in ---- */

/* What a stream without a session asked and waits for. */
struct pending {
	struct core *core;
	struct unauth u;
	char *id;
	char *token; /* the invitation that was shown */
	char *jid;   /* the account to be */
};

static void pending_free(struct pending *p)
{
	free(p->id);
	free(p->token);
	free(p->jid);
	free(p);
}

static struct xml *reply_new(struct arena *a, struct str id, const char *type)
{
	struct xml *iq = xml_new(a, "iq", NS_CLIENT);

	xml_set(a, iq, "type", str_of(type));
	xml_set(a, iq, "id", id);
	return iq;
}

static void reply_error(struct core *c, const struct unauth *u, struct str id, enum stanza_error e, const char *text, bool waited)
{
	struct arena *a = core_arena(c);
	struct xml *r = reply_new(a, id, "error");

	stanza_error_add(a, r, e, text);
	u->reply(u->link, r, waited);
}

static bool open_registration(struct core *c)
{
	return config_bool(core_config(c), "registration.open");
}

static void fields(struct core *c, const struct unauth *u, struct str id)
{
	struct arena *a = core_arena(c);
	struct xml *r = reply_new(a, id, "result"), *q = xml_add(a, r, "query", NS_REGISTER);

	xml_add_text(a, q, "instructions", STR("Choose a user name and a password of at least 8 characters."));
	xml_add(a, q, "username", NULL);
	xml_add(a, q, "password", NULL);
	u->reply(u->link, r, false);
}

static const struct {
	int status;
	enum stanza_error error;
	const char *text;
} failures[] = {
	{ -EEXIST, ERR_CONFLICT, "This name is taken; choose another." },
	{ -EINVAL, ERR_NOT_ACCEPTABLE, "This name or password cannot be used; names are letters, digits and . _ -" },
	{ -EMSGSIZE, ERR_NOT_ACCEPTABLE, "The password is too short; at least 8 characters." },
	{ -E2BIG, ERR_NOT_ACCEPTABLE, "The password is too long." },
	{ -ENOENT, ERR_NOT_ALLOWED, "The invitation is not valid any more." },
	{ -EPERM, ERR_NOT_ALLOWED, "The invitation is not for a new account." },
};

static void failure_of(int status, enum stanza_error *e, const char **text)
{
	*e = ERR_INTERNAL_SERVER_ERROR;
	*text = "The server could not do it; try again later.";
	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].status == status) {
			*e = failures[i].error;
			*text = failures[i].text;
		}
}

static void on_registered(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct pending *p = arg;
	enum stanza_error e;
	const char *text;

	(void)token;
	if (status) {
		failure_of(status, &e, &text);
		reply_error(p->core, &p->u, str_of(p->id), e, text, true);
	} else {
		log_info("account.registered", "in_band=1 invited=%d", inv != NULL);
		if (inv && inv->inviter.n)
			roster_befriend(p->core->env, inv->inviter, str_of(p->jid));
		p->u.reply(p->u.link, reply_new(&s->arena, str_of(p->id), "result"), true);
	}
	pending_free(p);
}

static void create(struct core *c, const struct unauth *u, const struct xml *iq, const struct xml *query, struct str token)
{
	struct arena *a = core_arena(c);
	struct str name = xml_child_text(a, query, "username", NULL), password = xml_child_text(a, query, "password", NULL), node;
	struct pending *p;
	int err;

	if (!name.n || !password.n) {
		reply_error(c, u, xml_get(iq, "id"), ERR_NOT_ACCEPTABLE, "A user name and a password are needed.", false);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	p->core = c;
	p->u = *u;
	p->id = str_dup(xml_get(iq, "id"));
	if (!jid_nodeprep(a, name, &node)) /* whom the inviter gets as a contact */
		p->jid = str_dup(jid_make(a, node, u->host->domain, STR_NONE).full);
	u->wait(u->link);
	err = invite_register(u->host->accounts, c->shard, token, name, password, on_registered, p);
	if (err)
		on_registered(c->shard, p, err, STR_NONE, NULL);
}

/* XEP-0445: the token rides in the query as <preauth xmlns='urn:xmpp:pars:0' token=…/>, or came before in an IQ of its own. */
static struct str token_of(const struct xml *query, const struct unauth *u)
{
	struct xml *p = xml_child(query, "preauth", NS_PARS);
	struct str token = p ? xml_get(p, "token") : STR_NONE;

	return token.n ? token : str_of(u->token);
}

static void on_looked(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct pending *p = arg;

	(void)token;
	if (status || !inv->account) {
		reply_error(p->core, &p->u, str_of(p->id), ERR_ITEM_NOT_FOUND, "The invitation is not valid.", true);
	} else {
		p->u.keep_token(p->u.link, p->token);
		p->u.reply(p->u.link, reply_new(&s->arena, str_of(p->id), "result"), true);
	}
	pending_free(p);
}

/* XEP-0445 §3.2: shows the token first. */
static void show_token(struct core *c, const struct unauth *u, const struct xml *iq, struct str token)
{
	struct pending *p;

	if (!token.n || token.n > TOKEN_MAX) {
		reply_error(c, u, xml_get(iq, "id"), ERR_BAD_REQUEST, NULL, false);
		return;
	}
	p = mem_zalloc(sizeof(*p));
	p->core = c;
	p->u = *u;
	p->id = str_dup(xml_get(iq, "id"));
	p->token = str_dup(token);
	u->wait(u->link);
	if (invite_look(u->host->accounts, c->shard, token, on_looked, p))
		on_looked(c->shard, p, -EBUSY, STR_NONE, NULL);
}

static bool unauth_iq(struct core *c, struct xml *iq, const struct unauth *u)
{
	struct xml *query = xml_child(iq, "query", NS_REGISTER), *preauth = xml_child(iq, "preauth", NS_PARS);
	struct str type = xml_get(iq, "type"), token;

	if ((!query && !preauth) || !xml_get(iq, "id").p)
		return false;
	if (preauth && str_is(type, "set")) {
		show_token(c, u, iq, xml_get(preauth, "token"));
		return true;
	}
	if (!query)
		return false;
	token = token_of(query, u);
	if (!open_registration(c) && !token.n)
		reply_error(c, u, xml_get(iq, "id"), ERR_NOT_ALLOWED, "An account here needs an invitation.", false);
	else if (str_is(type, "get"))
		fields(c, u, xml_get(iq, "id"));
	else if (str_is(type, "set"))
		create(c, u, iq, query, token);
	else
		return false;
	return true;
}

static void stream_features(struct core *c, struct xml *features, struct arena *a)
{
	if (open_registration(c))
		xml_add(a, features, "register", NS_REGISTER_FEATURE);
	xml_add(a, features, "register", NS_INVITE);
	xml_add(a, features, "register", NS_IBR_TOKEN);
}

/* ---- afterwards ---- */

static void registered(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_REGISTER);

	xml_add(a, q, "registered", NULL);
	xml_add_text(a, q, "username", jid_node(iq->session->user->jid));
	xml_add(a, q, "password", NULL);
	iq_result(iq, q);
}

static void on_changed(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	enum stanza_error e;
	const char *text;

	(void)s;
	if (status) {
		failure_of(status, &e, &text);
		iq_error(iq, e, text);
	} else {
		iq_result(iq, NULL);
	}
	iq_held_free(h);
}

static void on_removed(struct shard *s, void *arg, int status)
{
	struct iq_held *h = arg;
	struct iq *iq = iq_wake(h);
	struct jid who = jid_bare(iq->st->from);

	(void)s;
	if (status) {
		if (iq->user)
			iq->user->leaving = false;
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, "The account could not be removed; try again later.");
	} else {
		log_info("account.removed", "account=%.*s by=owner", STR_ARG(who.full));
		iq_result(iq, NULL);
		user_gone(iq->core->env, who.full);
	}
	iq_held_free(h);
}

static void cancel(struct iq *iq)
{
	struct core *c = iq->core;
	struct user *u = iq->session->user;
	struct iq_held *h = iq_hold(iq, NULL);

	u->leaving = true;
	subscription_leave_all(u);
	if (account_delete(core_host(c, jid_domain(u->jid))->accounts, c->shard, jid_node(u->jid), on_removed, h)) {
		u->leaving = false;
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

static void change(struct iq *iq)
{
	struct core *c = iq->core;
	struct arena *a = core_arena(c);
	struct str name = xml_child_text(a, iq->el, "username", NULL), password = xml_child_text(a, iq->el, "password", NULL), node;
	struct iq_held *h;
	int err;

	if (!name.n || !password.n) {
		iq_error(iq, ERR_BAD_REQUEST, "A user name and a new password are needed.");
		return;
	}
	if (jid_nodeprep(a, name, &node) || !str_eq(node, jid_node(iq->session->user->jid))) {
		iq_error(iq, ERR_NOT_ALLOWED, "Only your own password can be changed.");
		return;
	}
	h = iq_hold(iq, NULL);
	err = account_passwd(core_host(c, jid_domain(iq->st->from))->accounts, c->shard, node, password, on_changed, h);
	if (err)
		on_changed(c->shard, h, err);
}

static void verbs(struct iq *iq)
{
	if (!iq->session)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (iq->st->type == IQ_GET)
		registered(iq);
	else if (!session_is_full(iq->session))
		iq_error(iq, ERR_FORBIDDEN, "An application password does not allow that; sign in with the account's password.");
	else if (xml_child(iq->el, "remove", NULL) && xml_next(xml_child_any(iq->el)))
		iq_error(iq, ERR_BAD_REQUEST, "Remove stands alone."); /* XEP-0077 §3.2 */
	else if (xml_child(iq->el, "remove", NULL))
		cancel(iq);
	else
		change(iq);
}

static const struct spec specs[] = { { "XEP-0077", "2.4" }, { "XEP-0445", "0.2.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_REGISTER, NULL };
static const struct iq_route routes[] = { { NS_REGISTER, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_SERVER, verbs }, { 0 } };

const struct feature feature_register = {
	.name = "register",
	.specs = specs,
	.disco_server = disco,
	.iq = routes,
	.stream_features_unauth = stream_features,
	.unauth_iq = unauth_iq,
};

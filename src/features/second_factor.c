/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The second factor (TOTP, RFC 6238) and application passwords as ad-hoc commands (XEP-0050 1.3.0) of one's own account, at its
 * bare JID and at the domain; fields and nodes are in
 * docs/api.md. Each form is checked on its own: nothing is kept between the steps but the secret that waits for its first code.
 * Whoever asks must know the password, and a code where the factor is on: a session that was left open is not enough. */
#include <errno.h>
#include <stdlib.h>

#include "account/apppass.h"
#include "account/factor.h"
#include "account/host.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/command.h"
#include "core/feature.h"
#include "core/throttle.h"
#include "core/user.h"
#include "crypto/random.h"
#include "crypto/totp.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

struct request;
typedef int request_fn(struct request *r, struct shard *s);

struct request {
	struct iq_held *held;
	request_fn *then; /* when password and code are right */
	char *code, *text; /* text: a name, an id */
};

static void request_free(struct request *r)
{
	iq_held_free(r->held);
	free(r->code);
	free(r->text);
	free(r);
}

static const struct {
	int status;
	enum stanza_error error;
	const char *text;
} failures[] = {
	{ -EACCES, ERR_NOT_AUTHORIZED, "The password or the code is wrong, or the code was used before." },
	{ -EEXIST, ERR_CONFLICT, "The second factor is on already." },
	{ -ENOENT, ERR_ITEM_NOT_FOUND, "There is nothing of that kind; perhaps it waited too long." },
	{ -EINVAL, ERR_NOT_ACCEPTABLE, "A name has 1 to 64 bytes, without control characters." },
	{ -EDQUOT, ERR_POLICY_VIOLATION, "There are too many application passwords; revoke one first." },
	{ -EDEADLK, ERR_POLICY_VIOLATION, "Too many failed attempts; wait some minutes and try again." },
};

static void request_failed(struct request *r, int status)
{
	struct iq *iq = iq_wake(r->held);
	enum stanza_error e = ERR_INTERNAL_SERVER_ERROR;
	const char *text = "The server could not do it; try again later.";

	for (size_t i = 0; i < ARRAY_LEN(failures); i++)
		if (failures[i].status == status) {
			e = failures[i].error;
			text = failures[i].text;
		}
	iq_error(iq, e, text);
	request_free(r);
}

static struct str node_of(const struct request *r)
{
	return jid_node(jid_bare(r->held->st.from));
}

static struct str bare_of(const struct request *r)
{
	return jid_bare(r->held->st.from).full;
}

static struct accounts *accounts_of(const struct request *r)
{
	return core_host(r->held->iq.core, jid_domain(r->held->st.from))->accounts;
}

/* ---- forms ---- */

/* Answers with a form to fill in; it is adopted. */
static void ask(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct xml *c = xml_new(a, "command", NS_COMMANDS), *actions;
	struct str session = xml_get(iq->el, "sessionid");

	xml_set(a, c, "node", xml_get(iq->el, "node"));
	xml_set(a, c, "sessionid", session.n ? session : iq->st->id);
	xml_set(a, c, "status", STR("executing"));
	actions = xml_add(a, c, "actions", NULL);
	xml_set(a, actions, "execute", STR("complete"));
	xml_add(a, actions, "complete", NULL);
	xml_append(c, form);
	iq_result(iq, c);
}

static struct xml *form_of(struct iq *iq, const char *type, const char *title, const char *instructions)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_new(a, NULL, type, NS_SECOND_FACTOR);

	xml_add_text(a, form, "title", str_of(title));
	if (instructions)
		xml_add_text(a, form, "instructions", str_of(instructions));
	return form;
}

static void required(struct arena *a, struct xml *field)
{
	xml_add(a, field, "required", NULL);
}

static void ask_proof(struct iq *iq, const char *title, const char *text_var, const char *text_label)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_of(iq, "form", title, NULL);

	if (text_var)
		required(a, form_field(a, form, "text-single", text_var, text_label, STR_NONE));
	required(a, form_field(a, form, "text-private", "password", "Password of the account", STR_NONE));
	form_field(a, form, "text-single", "code", "Code of the second factor, where it is on", STR_NONE);
	ask(iq, form);
}

/* ---- password and code ---- */

static void prove_end(struct request *r, struct shard *s, int status)
{
	iq_wake(r->held);
	if (!status)
		status = r->then(r, s);
	if (status)
		request_failed(r, status);
}

static void on_code(struct shard *s, void *arg, int status)
{
	struct request *r = arg;

	if (!status)
		throttle_forgive(THROTTLE_CODE, bare_of(r));
	prove_end(r, s, status);
}

static void on_password(struct shard *s, void *arg, int status, const struct signin *in, const char *app)
{
	struct request *r = arg;
	struct core *c = r->held->iq.core;
	struct str code = str_of(r->code);
	size_t digits = 0;

	if (!status && *app)
		status = -EACCES;
	if (status == -EACCES)
		throttle_failed(THROTTLE_ACCOUNT, bare_of(r));
	if (status || !in->totp) {
		prove_end(r, s, status);
		return;
	}
	if (!throttle_may_try(c, THROTTLE_CODE, bare_of(r))) {
		prove_end(r, s, -EDEADLK);
		return;
	}
	throttle_failed(THROTTLE_CODE, bare_of(r));
	for (size_t i = 0; i < code.n; i++)
		digits += code.p[i] >= '0' && code.p[i] <= '9';
	if ((digits == TOTP_DIGITS && code.n <= TOTP_DIGITS + 2 ? factor_check : factor_recover)(accounts_of(r), s, node_of(r), code,
		    on_code, r))
		prove_end(r, s, -EBUSY);
}

/* Goes on with then when the form proves who asks. text_var: a field to keep, or NULL. */
static void prove(struct iq *iq, const struct xml *form, const char *text_var, request_fn *then)
{
	struct arena *a = core_arena(iq->core);
	struct str code = form_value(a, form, "code"), text = text_var ? form_value(a, form, text_var) : STR_NONE;
	struct request *r;
	int err;

	if (code.n > FACTOR_CODE_MAX || text.n > STORE_KEY_MAX) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->held = iq_hold(iq, NULL);
	r->then = then;
	r->code = str_dup(str_trim(code));
	r->text = str_dup(text);
	if (!throttle_may_try(iq->core, THROTTLE_ACCOUNT, bare_of(r)))
		err = -EDEADLK;
	else
		err = signin_check(accounts_of(r), iq->core->shard, node_of(r), form_value(a, form, "password"), on_password, r);
	if (err)
		request_failed(r, err);
}

static bool may_ask(struct iq *iq)
{
	if (iq->session && session_is_full(iq->session))
		return true;
	iq_error(iq, ERR_FORBIDDEN, "An application password does not allow that; sign in with the account's password.");
	return false;
}

/* ---- the factor ---- */

static void codes_result(struct request *r, const struct str *codes, size_t n)
{
	struct iq *iq = iq_wake(r->held);
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_of(iq, "result", "Recovery codes",
		"Each of these codes opens the account once when the application is lost. They are shown only now.");
	struct xml *field = form_field(a, form, "text-multi", "recovery-codes", "Recovery codes", STR_NONE);

	for (size_t i = 0; i < n; i++)
		xml_add_text(a, field, "value", codes[i]);
	command_done(iq, form);
	request_free(r);
}

static void on_codes(struct shard *s, void *arg, int status, const struct str *codes, size_t n)
{
	struct request *r = arg;

	(void)s;
	if (status)
		request_failed(r, status);
	else
		codes_result(r, codes, n);
}

static void on_on(struct shard *s, void *arg, int status, const struct str *codes, size_t n)
{
	struct request *r = arg;

	if (!status)
		log_info("account.factor", "account=%.*s state=on by=owner", STR_ARG(bare_of(r)));
	on_codes(s, arg, status, codes, n);
}

static void on_secret(struct shard *s, void *arg, int status, struct str secret, struct str uri)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct arena *a = &s->arena;
	struct xml *form;

	if (status) {
		request_failed(r, status);
		return;
	}
	form = form_of(iq, "form", "Second factor",
		"Give the address or the secret to an authenticator application, then type the code that it shows.");
	form_field(a, form, "text-single", "uri", "Address", uri);
	form_field(a, form, "text-single", "secret", "Secret", secret);
	required(a, form_field(a, form, "text-single", "code", "Code", STR_NONE));
	ask(iq, form);
	request_free(r);
}

static int begin(struct request *r, struct shard *s)
{
	return factor_begin(accounts_of(r), s, node_of(r), on_secret, r);
}

static void turn_on(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct request *r;

	if (!may_ask(iq))
		return;
	if (!form) {
		ask_proof(iq, "Turn the second factor on", NULL, NULL);
		return;
	}
	if (form_value(a, form, "password").n) {
		prove(iq, form, NULL, begin);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->held = iq_hold(iq, NULL);
	if (factor_confirm(accounts_of(r), iq->core->shard, node_of(r), str_trim(form_value(a, form, "code")), on_on, r))
		request_failed(r, -EBUSY);
}

static void on_off(struct shard *s, void *arg, int status)
{
	struct request *r = arg;

	(void)s;
	if (status) {
		request_failed(r, status);
		return;
	}
	log_info("account.factor", "account=%.*s state=off by=owner", STR_ARG(bare_of(r)));
	command_done(iq_wake(r->held), NULL);
	request_free(r);
}

static int off(struct request *r, struct shard *s)
{
	return factor_off(accounts_of(r), s, node_of(r), on_off, r);
}

/* Asks who it is (what: the form's title), then lets go do it. */
static void with_proof(struct iq *iq, struct xml *form, const char *what, int (*go)(struct request *r, struct shard *s))
{
	if (!may_ask(iq))
		return;
	if (form)
		prove(iq, form, NULL, go);
	else
		ask_proof(iq, what, NULL, NULL);
}

static void turn_off(struct iq *iq, struct xml *form)
{
	with_proof(iq, form, "Turn the second factor off", off);
}

static int renew(struct request *r, struct shard *s)
{
	return factor_recovery_new(accounts_of(r), s, node_of(r), on_codes, r);
}

static void new_codes(struct iq *iq, struct xml *form)
{
	with_proof(iq, form, "New recovery codes", renew);
}

/* ---- application passwords ---- */

static void on_made(struct shard *s, void *arg, int status, struct str id, struct str password)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct arena *a = &s->arena;
	struct xml *form;

	if (status) {
		request_failed(r, status);
		return;
	}
	log_info("account.app_password", "account=%.*s id=%.*s made=1", STR_ARG(jid_bare(iq->st->from).full), STR_ARG(id));
	form = form_of(iq, "result", "Application password", "Type it into that application only. It is shown only now.");
	form_field(a, form, "text-single", "name", "Name", str_of(r->text));
	form_field(a, form, "text-single", "id", "Id", id);
	form_field(a, form, "text-single", "app-password", "Application password", password);
	command_done(iq, form);
	request_free(r);
}

static int make(struct request *r, struct shard *s)
{
	return apppass_create(accounts_of(r), s, node_of(r), str_trim(str_of(r->text)), on_made, r);
}

static void app_new(struct iq *iq, struct xml *form)
{
	if (!may_ask(iq))
		return;
	if (form)
		prove(iq, form, "name", make);
	else
		ask_proof(iq, "New application password", "name", "Name of the application or device");
}

static void reported(struct arena *a, struct xml *form)
{
	static const char *const columns[][2] = {
		{ "id", "Id" }, { "name", "Name" }, { "created", "Made" }, { "used", "Last used" },
	};
	struct xml *r = xml_add(a, form, "reported", NULL);

	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		form_field(a, r, "text-single", columns[i][0], columns[i][1], STR_NONE);
}

static void on_listed(struct shard *s, void *arg, int status, const struct apppass *v, size_t n)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct arena *a = &s->arena;
	struct xml *form;

	if (status) {
		request_failed(r, status);
		return;
	}
	form = form_of(iq, "result", "Application passwords", NULL);
	reported(a, form);
	for (size_t i = 0; i < n; i++) {
		struct xml *item = xml_add(a, form, "item", NULL);

		form_field(a, item, NULL, "id", NULL, v[i].id);
		form_field(a, item, NULL, "name", NULL, v[i].name);
		form_field(a, item, NULL, "created", NULL, time_format(a, v[i].created_ms));
		form_field(a, item, NULL, "used", NULL, v[i].used_ms ? time_format(a, v[i].used_ms) : STR(""));
	}
	command_done(iq, form);
	request_free(r);
}

static void app_list(struct iq *iq, struct xml *form)
{
	struct request *r;

	(void)form;
	if (!may_ask(iq))
		return;
	r = mem_zalloc(sizeof(*r));
	r->held = iq_hold(iq, NULL);
	if (apppass_list(accounts_of(r), iq->core->shard, node_of(r), on_listed, r))
		request_failed(r, -EBUSY);
}

static void on_revoked(struct shard *sh, void *arg, int status)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct user *u = user_find(iq->core, bare_of(r));
	struct session *s;

	(void)sh;
	if (status) {
		request_failed(r, status);
		return;
	}
	command_done(iq, NULL);
	if (u)
		list_each(s, &u->sessions, in_user)
			if (s->app[0] && strcmp(s->app, r->text) == 0)
				session_kick(s, "not-authorized", "This application password was revoked.");
	request_free(r);
}

/* Taking access away needs no proof: it harms nobody but the application. */
static void app_revoke(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct request *r;
	int err;

	if (!may_ask(iq))
		return;
	if (!form) {
		struct xml *f = form_of(iq, "form", "Revoke an application password", NULL);

		required(a, form_field(a, f, "text-single", "id", "Id", STR_NONE));
		ask(iq, f);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->held = iq_hold(iq, NULL);
	r->text = str_dup(form_value(a, form, "id"));
	err = apppass_revoke(accounts_of(r), iq->core->shard, node_of(r), str_of(r->text), on_revoked, r);
	if (err)
		request_failed(r, err);
}

static const struct spec specs[] = { { "RFC 6238", "2011-05" }, { "RFC 4226", "2005-12" }, { NULL, NULL } };
static const struct command commands[] = {
	{ NS_SECOND_FACTOR "#on", "Turn the second factor on", TO_SELF | TO_SERVER, false, turn_on },
	{ NS_SECOND_FACTOR "#off", "Turn the second factor off", TO_SELF | TO_SERVER, false, turn_off },
	{ NS_SECOND_FACTOR "#recovery-codes", "New recovery codes", TO_SELF | TO_SERVER, false, new_codes },
	{ NS_SECOND_FACTOR "#app-password-new", "New application password", TO_SELF | TO_SERVER, false, app_new },
	{ NS_SECOND_FACTOR "#app-password-list", "List application passwords", TO_SELF | TO_SERVER, false, app_list },
	{ NS_SECOND_FACTOR "#app-password-revoke", "Revoke an application password", TO_SELF | TO_SERVER, false, app_revoke },
	{ 0 },
};

const struct feature feature_second_factor = {
	.name = "second_factor",
	.specs = specs,
	.commands = commands,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0494 0.1.0 client access management: who has access to an account, and taking it away. An id is a letter and what it stands for:
 *   c HEX   a client that said who it is (account/client.h)
 *   a ID    an application password (account/apppass.h)
 *   g ID    a grant to an application (account/grant.h)
 *   s HEX   a session that did not say who it is */
#include <errno.h>
#include <stdlib.h>

#include "account/apppass.h"
#include "account/client.h"
#include "account/fast.h"
#include "account/grant.h"
#include "account/host.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/feature.h"
#include "core/user.h"
#include "proto/xmpp/ns.h"

/* A request under way: the list so far, or what is to be revoked. */
struct request {
	struct iq_held *held;
	char *list; /* <clients/> as text, between the two reads */
	struct str id; /* own bytes */
};

static void request_free(struct request *r)
{
	iq_held_free(r->held);
	free(r->list);
	free((void *)r->id.p);
	free(r);
}

static void request_failed(struct request *r)
{
	iq_error(iq_wake(r->held), ERR_INTERNAL_SERVER_ERROR, "The server could not do it; try again later.");
	request_free(r);
}

static struct request *request_new(struct iq *iq)
{
	struct request *r = mem_zalloc(sizeof(*r));

	r->held = iq_hold(iq, NULL);
	return r;
}

static bool may_ask(struct iq *iq)
{
	if (iq->session && session_is_full(iq->session))
		return true;
	iq_error(iq, ERR_FORBIDDEN, "An application password does not allow that; sign in with the account's password.");
	return false;
}

static struct str node_of(const struct iq *iq)
{
	return jid_node(jid_bare(iq->st->from));
}

static struct accounts *accounts_of(const struct iq *iq)
{
	return core_host(iq->core, jid_domain(iq->st->from))->accounts;
}

static struct str session_key(struct arena *a, const struct session *s)
{
	return fast_client_key(a, s->client[0] ? str_of(s->client) : jid_resource(s->jid));
}

/* ---- the list ---- */

static struct xml *entry(struct arena *a, struct xml *clients, char letter, struct str key, bool connected)
{
	struct xml *c = xml_add(a, clients, "client", NULL);

	xml_set(a, c, "connected", connected ? STR("true") : STR("false"));
	xml_set(a, c, "id", arena_printf(a, "%c%.*s", letter, STR_ARG(key)));
	return c;
}

static void seen(struct arena *a, struct xml *c, uint64_t first_ms, uint64_t last_ms)
{
	xml_add_text(a, c, "first-seen", time_format(a, first_ms));
	xml_add_text(a, c, "last-seen", time_format(a, last_ms));
}

static void permission(struct arena *a, struct xml *c, const char *status)
{
	xml_set(a, xml_add(a, c, "permission", NULL), "status", str_of(status));
}

static void agent(struct arena *a, struct xml *c, struct str software, struct str device)
{
	struct xml *el;

	if (!software.n && !device.n)
		return;
	el = xml_add(a, c, "user-agent", NULL);
	if (software.n)
		xml_add_text(a, el, "software", software);
	if (device.n)
		xml_add_text(a, el, "device", device);
}

static uint64_t wall_of(const struct session *s, uint64_t mono_ms)
{
	uint64_t now_ms = s->core->shard->loop.now_ms;

	return clock_wall_ms() - (now_ms > mono_ms ? now_ms - mono_ms : 0);
}

/* Was it opened by this application password or grant? */
static bool is_app(const struct session *s, char letter, struct str key)
{
	struct str app = str_of(s->app);

	if (letter == 'g')
		return app.n == key.n + 1 && app.p[0] == 'g' && memcmp(app.p + 1, key.p, key.n) == 0;
	return letter == 'a' && key.n && str_eq(app, key);
}

static bool is_connected(struct user *u, char letter, struct str key)
{
	struct arena *a = core_arena(u->core);
	struct session *s;

	list_each(s, &u->sessions, in_user) {
		if (letter != 'c' ? is_app(s, letter, key) : !s->app[0] && s->client[0] && str_eq(key, session_key(a, s)))
			return true;
	}
	return false;
}

static void add_client(struct user *u, struct xml *clients, const struct client_row *r)
{
	struct arena *a = core_arena(u->core);
	bool connected = is_connected(u, 'c', r->key);
	struct xml *c = entry(a, clients, 'c', r->key, connected), *auth;

	xml_set(a, c, "type", STR("session"));
	seen(a, c, r->first_ms, connected ? clock_wall_ms() : r->last_ms);
	auth = xml_add(a, c, "auth", NULL);
	if (r->password)
		xml_add(a, auth, "password", NULL);
	if (r->fast)
		xml_add(a, auth, "fast", NULL);
	permission(a, c, "unrestricted");
	agent(a, c, r->software, r->device);
}

/* Sessions that no row speaks of. */
static void add_session(struct user *u, struct xml *clients, const struct session *s)
{
	struct arena *a = core_arena(u->core);
	struct str id = arena_printf(a, "%c%.*s", s->client[0] ? 'c' : 's', STR_ARG(session_key(a, s)));
	struct xml *c;

	if (s->app[0])
		return;
	xml_each(known, clients)
		if (str_eq(xml_get(known, "id"), id))
			return;
	c = entry(a, clients, id.p[0], (struct str){ id.p + 1, id.n - 1 }, true);
	xml_set(a, c, "type", STR("session"));
	seen(a, c, wall_of(s, s->since_ms), clock_wall_ms());
	xml_add(a, xml_add(a, c, "auth", NULL), "password", NULL);
	permission(a, c, "unrestricted");
	agent(a, c, STR_NONE, jid_resource(s->jid));
}

/* An application password or a grant. */
static void add_app(struct user *u, struct xml *clients, char letter, const struct grant_row *app)
{
	struct arena *a = core_arena(u->core);
	bool connected = is_connected(u, letter, app->id);
	struct xml *c = entry(a, clients, letter, app->id, connected);

	xml_set(a, c, "type", app->used_ms || connected ? STR("session") : STR("access"));
	seen(a, c, app->created_ms, connected ? clock_wall_ms() : app->used_ms ? app->used_ms : app->created_ms);
	xml_add(a, xml_add(a, c, "auth", NULL), "grant", NULL);
	permission(a, c, "normal");
	agent(a, c, app->name, STR_NONE);
}

/* Keeps the list until the next answer. */
static void keep_list(struct request *r, const struct xml *clients)
{
	struct buf text = { 0 };

	free(r->list);
	xml_write(&text, clients, STR_NONE);
	buf_putc(&text, '\0');
	r->list = text.p;
}

static void on_grants(struct shard *sh, void *arg, int status, const struct grant_row *v, size_t n)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct xml *clients;

	if (status || xml_parse(&sh->arena, str_of(r->list), &clients)) {
		request_failed(r);
		return;
	}
	for (size_t i = 0; i < n && iq->user; i++)
		add_app(iq->user, clients, 'g', &v[i]);
	iq_result(iq, clients);
	request_free(r);
}

static void on_apps(struct shard *sh, void *arg, int status, const struct apppass *v, size_t n)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct xml *clients;
	struct session *s;

	if (status || xml_parse(&sh->arena, str_of(r->list), &clients)) {
		request_failed(r);
		return;
	}
	if (iq->user) {
		list_each(s, &iq->user->sessions, in_user)
			add_session(iq->user, clients, s);
		for (size_t i = 0; i < n; i++)
			add_app(iq->user, clients, 'a', &(struct grant_row){ v[i].id, v[i].name, v[i].created_ms, v[i].used_ms });
	}
	keep_list(r, clients);
	if (grant_list(accounts_of(iq), sh, node_of(iq), on_grants, r))
		request_failed(r);
}

static void on_clients(struct shard *sh, void *arg, int status, const struct client_row *v, size_t n)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct xml *clients = xml_new(&sh->arena, "clients", NS_CAM);

	if (status || !iq->user) {
		request_failed(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		add_client(iq->user, clients, &v[i]);
	keep_list(r, clients);
	if (apppass_list(accounts_of(iq), sh, node_of(iq), on_apps, r))
		request_failed(r);
}

static void list(struct iq *iq)
{
	struct core *c = iq->core;
	struct request *r;

	if (!may_ask(iq))
		return;
	r = request_new(iq);
	if (client_list(accounts_of(iq), c->shard, node_of(iq), (uint64_t)config_int(core_config(c), "access.keep_clients"), on_clients, r))
		request_failed(r);
}

/* ---- taking access away ---- */

static void end_sessions(struct user *u, char letter, struct str key)
{
	struct arena *a = core_arena(u->core);
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (letter == 'a' || letter == 'g'
				? is_app(s, letter, key)
				: !s->app[0] && (letter == 'c') == (s->client[0] != 0) && str_eq(key, session_key(a, s)))
			session_kick(s, "not-authorized", "The owner of this account has ended this client's access.");
}

static void on_revoked(struct shard *sh, void *arg, int status)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);

	(void)sh;
	if (status == -ENOENT) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	} else if (status) {
		request_failed(r);
		return;
	} else {
		iq_result(iq, NULL);
		if (iq->user)
			end_sessions(iq->user, r->id.p[0], (struct str){ r->id.p + 1, r->id.n - 1 });
	}
	request_free(r);
}

/* With a second factor, a client that knows the password needs a code again; without one, the password alone opens the account. */
static void on_factor(struct shard *sh, void *arg, int status, const struct signin *in)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct str key = { r->id.p + 1, r->id.n - 1 };

	if (status) {
		request_failed(r);
	} else if (!in->totp) {
		iq_error_app(iq, ERR_SERVICE_UNAVAILABLE, "This client has shown the password; change the password to keep it out.",
			xml_new(&sh->arena, "password-reset-required", NS_CAM));
		request_free(r);
	} else if (client_forget(accounts_of(iq), sh, node_of(iq), key, on_revoked, r)) {
		request_failed(r);
	}
}

static void need_factor(struct request *r)
{
	struct iq *iq = &r->held->iq;

	if (signin_look(accounts_of(iq), iq->core->shard, node_of(iq), HASH_SHA256, on_factor, r))
		request_failed(r);
}

static void on_found(struct shard *sh, void *arg, int status, const struct client_row *v, size_t n)
{
	struct request *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct str key = { r->id.p + 1, r->id.n - 1 };
	bool connected = iq->user && is_connected(iq->user, 'c', key);

	if (status) {
		request_failed(r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].key, key) && !v[i].password) {
			if (client_forget(accounts_of(iq), sh, node_of(iq), key, on_revoked, r))
				request_failed(r);
			return;
		} else if (str_eq(v[i].key, key)) {
			connected = true;
		}
	if (connected)
		need_factor(r);
	else
		on_revoked(sh, r, -ENOENT);
}

static bool has_session(struct user *u, struct str key)
{
	struct arena *a = core_arena(u->core);
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (!s->app[0] && !s->client[0] && str_eq(key, session_key(a, s)))
			return true;
	return false;
}

static void revoke(struct iq *iq)
{
	struct core *c = iq->core;
	struct str id = xml_get(iq->el, "id"), key = { id.p + 1, id.n ? id.n - 1 : 0 };
	struct request *r;
	int err = 0;

	if (!may_ask(iq))
		return;
	if (!id.n) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	r = request_new(iq);
	r->id = (struct str){ str_dup(id), id.n };
	if (id.p[0] == 'a')
		err = apppass_revoke(accounts_of(iq), c->shard, node_of(iq), key, on_revoked, r);
	else if (id.p[0] == 'g')
		err = grant_revoke(accounts_of(iq), c->shard, node_of(iq), key, on_revoked, r);
	else if (id.p[0] == 'c')
		err = client_list(accounts_of(iq), c->shard, node_of(iq), UINT64_MAX / 2, on_found, r);
	else if (id.p[0] == 's' && iq->user && has_session(iq->user, key))
		need_factor(r);
	else
		err = -ENOENT;
	if (err)
		on_revoked(c->shard, r, err);
}

static const struct spec specs[] = { { "XEP-0494", "0.1.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_CAM, NULL };
static const struct option options[] = {
	{ "access.keep_clients", OPT_TIME, "90d", 0, 315360000000, NULL,
		"How long an account's list of clients (XEP-0494) remembers one that was not seen; 0: nothing is remembered." },
	{ "access.oauth", OPT_BOOL, "true", 0, 0, NULL, "Whether people may let other people's applications in (XEP-0493)." },
	{ 0 },
};
static const struct iq_route routes[] = {
	{ NS_CAM, "list", IQ_ROUTE_GET, TO_SELF, list },
	{ NS_CAM, "revoke", IQ_ROUTE_SET, TO_SELF, revoke },
	{ 0 },
};

const struct feature feature_access = {
	.name = "access",
	.specs = specs,
	.disco_account = disco,
	.options = options,
	.iq = routes,
};

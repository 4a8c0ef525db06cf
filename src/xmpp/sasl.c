/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SASL mechanisms: SCRAM (RFC 5802, RFC 7677) with and without channel binding (RFC 9266, RFC 5929), PLAIN (RFC 4616) inside
 * TLS, the token mechanisms HT-SHA-256-* of XEP-0484, and OAUTHBEARER (RFC 7628) for what an owner granted (XEP-0493). */
#include "xmpp/sasl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/apppass.h"
#include "account/client.h"
#include "account/fast.h"
#include "account/grant.h"
#include "account/state.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "core/throttle.h"

static void scram_first(struct stream *st, struct str message);
static void scram_final(struct stream *st, struct str message);
static void plain_first(struct stream *st, struct str message);
static void fast_first(struct stream *st, struct str message);
static void bearer_first(struct stream *st, struct str message);

const struct mechanism sasl_table[] = {
	{ "SCRAM-SHA-512-PLUS", HASH_SHA512, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-256-PLUS", HASH_SHA256, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-1-PLUS", HASH_SHA1, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-512", HASH_SHA512, false, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-256", HASH_SHA256, false, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-1", HASH_SHA1, false, false, BIND_NONE, scram_first, scram_final },
	{ "PLAIN", HASH_SHA256, false, false, BIND_NONE, plain_first, NULL },
	{ "OAUTHBEARER", HASH_SHA256, false, false, BIND_NONE, bearer_first, NULL, true },
	{ "HT-SHA-256-EXPR", HASH_SHA256, true, true, BIND_EXPORTER, fast_first, NULL },
	{ "HT-SHA-256-ENDP", HASH_SHA256, true, true, BIND_END_POINT, fast_first, NULL },
	{ "HT-SHA-256-NONE", HASH_SHA256, false, true, BIND_NONE, fast_first, NULL },
	{ NULL },
};

/* ---- the exchange ---- */

void sasl_auth_free(struct auth *a)
{
	if (!a)
		return;
	scram_server_fini(&a->scram);
	if (a->in)
		wipe(a->in, sizeof(*a->in));
	free(a->in);
	free(a->name);
	free(a->request);
	free(a->additional);
	free(a);
}

struct str sasl_account(const struct stream *st)
{
	return jid_make(core_arena(st->core), str_of(st->auth->name), st->host->domain, STR_NONE).full;
}

void sasl_fail(struct stream *st, const char *condition, const char *text)
{
	const struct sasl_profile *p = st->auth->profile;

	metric_add(M_LOGINS_FAILED, 1);
	throttle_failed(THROTTLE_ADDRESS, stream_peer(st));
	if (st->auth->name)
		throttle_failed(THROTTLE_ACCOUNT, sasl_account(st));
	log_info("login.failed", "peer=%.*s condition=%s", STR_ARG(stream_peer(st)), condition);
	sasl_auth_free(st->auth);
	st->auth = NULL;
	p->failure(st, condition, text);
	if (++st->tries >= AUTH_TRIES_MAX)
		stream_error(st, "policy-violation", "Too many failed attempts to sign in.");
}

/* Which client opened the account, and when: XEP-0494. */
static void note_client(struct stream *st)
{
	struct core *c = st->core;
	struct arena *a = core_arena(c);
	struct auth *auth = st->auth;
	struct xml *request = NULL, *agent;

	if (auth->shown == SHOWN_APP_PASSWORD)
		apppass_used(st->host->accounts, c->shard, str_of(st->node), str_of(st->app));
	if (!st->client || st->app[0] || !config_int(core_config(c), "access.keep_clients"))
		return;
	if (auth->request && xml_parse(a, str_of(auth->request), &request))
		request = NULL;
	agent = request ? xml_child(request, "user-agent", NULL) : NULL;
	client_seen(st->host->accounts, c->shard,
		&(struct client_seen){ .node = str_of(st->node), .agent = str_of(st->client),
			.software = agent ? xml_child_text(a, agent, "software", NULL) : STR_NONE,
			.device = agent ? xml_child_text(a, agent, "device", NULL) : STR_NONE,
			.password = auth->shown == SHOWN_PASSWORD });
}

static void in_users_shard(struct stream *st)
{
	struct str additional = st->auth->additional ? str_of(st->auth->additional) : STR_NONE;

	note_client(st);
	st->auth->profile->success(st, additional);
}

static void enter(struct stream *st)
{
	st->node = st->auth->name;
	st->auth->name = NULL;
	stream_authenticated(st, in_users_shard);
}

static void on_state(struct shard *s, void *arg, int status)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		sasl_fail(st, "account-disabled", NULL); /* RFC 6120 §6.5.1; told only to who proved the password */
	else if (status)
		sasl_fail(st, status == -ENOENT ? "not-authorized" : "temporary-auth-failure", NULL);
	else
		enter(st);
	stream_proceed(st);
}

void sasl_finish(struct stream *st)
{
	stream_wait(st);
	if (account_may_enter(st->host->accounts, st->core->shard, str_of(st->auth->name), on_state, st)) {
		stream_woken(st);
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

/* RFC 6120's profile knows no tasks: where one is due, only an application password opens the account. */
static const char only_app_password[] = "This account has a second factor, which this application cannot ask for: use an application password.";

/* The mechanism is through. app: whose application's it is (struct session), or "". in NULL: a token. */
static void succeed(struct stream *st, struct str message, const struct signin *in, const char *app)
{
	struct auth *a = st->auth;

	if (in)
		a->shown = *app ? SHOWN_APP_PASSWORD : SHOWN_PASSWORD;
	else
		a->shown = *app ? SHOWN_GRANT : SHOWN_TOKEN;
	a->code_due = a->shown == SHOWN_PASSWORD && in->totp;
	a->upgrades &= a->shown == SHOWN_PASSWORD ? (uint8_t)(SIGNIN_ALGS & ~in->algs) : 0;
	snprintf(st->app, sizeof(st->app), "%s", app);
	if (message.p)
		a->additional = str_dup(base64_encode(core_arena(st->core), message));
	scram_server_fini(&a->scram);
	if (a->profile->tasks)
		sasl_tasks(st);
	else if (a->code_due)
		sasl_fail(st, "not-authorized", only_app_password);
	else
		sasl_finish(st);
}

static const struct mechanism *find(struct stream *st, struct str name, bool fast)
{
	for (const struct mechanism *m = sasl_table; m->name; m++)
		if (str_is(name, m->name) && sasl_offered(st, m, fast))
			return m;
	return NULL;
}

/* RFC 6120 §6.4.2: "=" is an empty message. */
static int decode(struct stream *st, struct str base64, struct str *out)
{
	if (str_is(base64, "=")) {
		*out = STR("");
		return 0;
	}
	if (base64.n > SCRAM_MESSAGE_MAX * 2)
		return -EBADMSG;
	return base64_decode(core_arena(st->core), base64, out);
}

void sasl_start(struct stream *st, const struct sasl_profile *p, struct str mechanism, struct str initial, char *request, bool fast)
{
	const struct mechanism *m = find(st, mechanism, fast);
	struct str message;

	sasl_auth_free(st->auth);
	st->auth = mem_zalloc(sizeof(*st->auth));
	st->auth->profile = p;
	st->auth->mech = m;
	st->auth->request = request;
	if (!m)
		sasl_fail(st, "invalid-mechanism", NULL);
	else if (!throttle_may_try(st->core, THROTTLE_ADDRESS, stream_peer(st)))
		sasl_fail(st, "temporary-auth-failure", "Too many failed attempts from this address; wait a minute and try again.");
	else if (!initial.p)
		p->challenge(st, STR("")); /* RFC 4422 §3.1: the client speaks first in all of ours */
	else if (decode(st, initial, &message))
		sasl_fail(st, "incorrect-encoding", NULL);
	else
		m->first(st, message);
}

void sasl_response(struct stream *st, struct str base64)
{
	struct auth *a = st->auth;
	struct str message;

	if (a->refused)
		sasl_fail(st, "not-authorized", NULL);
	else if (a->shown != SHOWN_NOTHING) /* a task is due, no response */
		sasl_fail(st, "malformed-request", NULL);
	else if (decode(st, base64, &message))
		sasl_fail(st, "incorrect-encoding", NULL);
	else if (!a->name)
		a->mech->first(st, message);
	else if (a->mech->next)
		a->mech->next(st, message);
	else
		sasl_fail(st, "malformed-request", NULL);
}

void sasl_abort(struct stream *st)
{
	sasl_fail(st, "aborted", NULL);
}

/* ---- SCRAM ---- */

/* The name as the account's localpart; an unknown form becomes a name that nobody has. */
static bool take_name(struct stream *st, struct str username, struct str authzid)
{
	struct arena *a = core_arena(st->core);
	struct str node;
	struct jid j;

	if (jid_nodeprep(a, username, &node) || node.n == 0)
		return false;
	if (authzid.n && (jid_parse(a, authzid, &j) || !str_eq(jid_node(j), node) || !str_eq(jid_domain(j), st->host->domain)))
		return false;
	/* XEP-0388 §2.4: the stream's `from`, if any, is who signs in. */
	if (st->sasl2 && st->from && !str_is(jid_make(a, node, st->host->domain, STR_NONE).full, st->from))
		return false;
	st->auth->name = str_dup(node);
	return true;
}

/* Too many wrong passwords for this account lately: answered before the costly work. Tokens (FAST) are not held up. */
static bool throttled(struct stream *st)
{
	if (throttle_may_try(st->core, THROTTLE_ACCOUNT, sasl_account(st)))
		return false;
	sasl_fail(st, "temporary-auth-failure", "Too many failed attempts for this account; wait a minute and try again.");
	return true;
}

/* XEP-0515: the version that the client must see too; behind a proxy's TLS it would not. */
static const char *tls_version(struct stream *st)
{
	static const struct {
		const char *name, *number;
	} versions[] = { { "TLSv1.3", "0304" }, { "TLSv1.2", "0303" }, { "TLSv1.1", "0302" }, { "TLSv1", "0301" } };
	const char *name = st->link->websocket || !st->conn ? NULL : conn_tls_version(st->conn);

	for (size_t i = 0; name && i < ARRAY_LEN(versions); i++)
		if (strcmp(name, versions[i].name) == 0)
			return versions[i].number;
	return NULL;
}

static void on_keys(struct shard *s, void *arg, int status, const struct signin *in)
{
	struct stream *st = arg;
	struct auth *auth = st->auth;
	struct arena *a = &s->arena;
	enum scram_status bad;
	struct str challenge;

	if (!stream_woken(st))
		return;
	if (status) {
		sasl_fail(st, "temporary-auth-failure", "The server could not look the account up; try again.");
		stream_proceed(st);
		return;
	}
	auth->in = mem_alloc(sizeof(*in));
	*auth->in = *in;
	auth->scram.tls_version = tls_version(st);
	auth->scram.others = auth->in->apps;
	auth->scram.others_n = auth->in->apps_n;
	bad = scram_server_challenge(&auth->scram, a, random_token(a, SCRAM_NONCE_BYTES), &in->keys, sasl_advertised(st, a), &challenge);
	if (bad)
		sasl_fail(st, scram_condition(bad), NULL);
	else
		auth->profile->challenge(st, base64_encode(a, challenge));
	stream_proceed(st);
}

static void scram_first(struct stream *st, struct str message)
{
	struct auth *a = st->auth;
	struct core *c = st->core;
	struct str username, authzid;
	enum scram_status bad;

	scram_server_init(&a->scram, a->mech->alg, a->mech->plus, sasl_has_binding(st));
	bad = scram_server_first(&a->scram, core_arena(c), message, &username, &authzid);
	if (bad) {
		sasl_fail(st, scram_condition(bad), NULL);
		return;
	}
	if (!take_name(st, username, authzid)) {
		sasl_fail(st, authzid.n ? "invalid-authzid" : "not-authorized", NULL);
		return;
	}
	if (throttled(st))
		return;
	stream_wait(st);
	if (signin_look(st->host->accounts, c->shard, str_of(a->name), a->mech->alg, on_keys, st)) {
		stream_woken(st);
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

static void scram_final(struct stream *st, struct str message)
{
	struct auth *a = st->auth;
	struct str binding = STR_NONE, out;
	enum scram_status bad;

	if (a->mech->plus && sasl_binding_data(st, a->scram.cb_type, &binding)) {
		sasl_fail(st, scram_condition(SCRAM_BINDING_TYPE), NULL);
		return;
	}
	bad = scram_server_final(&a->scram, core_arena(st->core), message, binding, &out);
	if (bad) {
		sasl_fail(st, scram_condition(bad), NULL);
		return;
	}
	must(a->in); /* there was a challenge */
	succeed(st, out, a->in, a->scram.matched ? a->in->ids[a->scram.matched - 1] : "");
}

/* ---- PLAIN ---- */

static void on_checked(struct shard *s, void *arg, int status, const struct signin *in, const char *app)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		sasl_fail(st, "not-authorized", NULL);
	else if (status)
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	else
		succeed(st, STR_NONE, in, app);
	stream_proceed(st);
}

/* RFC 4616 §2: [authzid] NUL authcid NUL passwd */
static void plain_first(struct stream *st, struct str message)
{
	struct core *c = st->core;
	struct str authzid, authcid, password;

	authzid = str_cut(message, '\0', &password);
	authcid = str_cut(password, '\0', &password);
	if (!password.n || !authcid.n || memchr(password.p, '\0', password.n)) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	if (!take_name(st, authcid, authzid)) {
		sasl_fail(st, authzid.n ? "invalid-authzid" : "not-authorized", NULL);
		return;
	}
	if (throttled(st))
		return;
	stream_wait(st);
	if (signin_check(st->host->accounts, c->shard, str_of(st->auth->name), password, on_checked, st)) {
		stream_woken(st);
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

/* ---- tokens ---- */

static void on_token(struct shard *s, void *arg, int status, struct str responder, bool rotate)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		sasl_fail(st, "credentials-expired", NULL); /* XEP-0484: the client falls back to its password */
	else if (status)
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	else {
		st->auth->fast_rotate = rotate;
		succeed(st, responder, NULL, "");
	}
	stream_proceed(st);
}

/* HT-*: authcid NUL HMAC(token, "Initiator" || cb-data) */
static void fast_first(struct stream *st, struct str message)
{
	static const char *const types[] = { [BIND_EXPORTER] = "tls-exporter", [BIND_END_POINT] = "tls-server-end-point" };
	struct auth *a = st->auth;
	struct core *c = st->core;
	struct str binding = STR(""), mac, authcid = str_cut(message, '\0', &mac);

	if (!authcid.n || mac.n != hash_size(a->mech->alg) || !st->client) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	if (!take_name(st, authcid, STR_NONE) || (a->mech->binding && sasl_binding_data(st, types[a->mech->binding], &binding))) {
		sasl_fail(st, "not-authorized", NULL);
		return;
	}
	stream_wait(st);
	if (fast_verify(st->host->accounts, c->shard,
		    &(struct fast_check){ str_of(a->name), str_of(st->client), str_of(a->mech->name), mac, binding }, on_token, st)) {
		stream_woken(st);
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

/* ---- grants: RFC 7628 ---- */

/* §3.2.2: tells where to get a token. The client answers, then it is over. */
static void bearer_refuse(struct stream *st)
{
	struct arena *a = core_arena(st->core);
	struct str text = arena_printf(a, "{\"status\":\"invalid_token\",\"scope\":\"xmpp:client:normal\",\"openid-configuration\":"
		"\"%.*s/.well-known/oauth-authorization-server\"}", STR_ARG(st->host->web_url));

	st->auth->refused = true;
	st->auth->profile->challenge(st, base64_encode(a, text));
}

static void on_grant(struct shard *s, void *arg, int status, struct str node, struct str id)
{
	struct stream *st = arg;
	struct str authzid = st->auth->name ? str_of(st->auth->name) : STR_NONE;
	char app[sizeof(st->app)];

	(void)s;
	snprintf(app, sizeof(app), "g%.*s", STR_ARG(id));
	if (!stream_woken(st))
		return;
	if (status == -EACCES) {
		free(st->auth->name);
		st->auth->name = NULL;
		bearer_refuse(st);
	} else if (status) {
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	} else if (authzid.n && !str_eq(authzid, node)) {
		sasl_fail(st, "invalid-authzid", NULL);
	} else {
		free(st->auth->name);
		st->auth->name = NULL;
		if (!take_name(st, node, STR_NONE))
			sasl_fail(st, "not-authorized", NULL);
		else
			succeed(st, STR_NONE, NULL, app);
	}
	stream_proceed(st);
}

/* The token in kvpairs; p NULL: they are malformed. Empty: there is none, the client wants to know where to get one. */
static struct str bearer_token(struct str pairs)
{
	struct str token = STR(""), pair, scheme, rest;

	while (pairs.n > 1) {
		pair = str_cut(pairs, '\x01', &pairs);
		if (!pairs.p || !pair.n || !memchr(pair.p, '=', pair.n))
			return STR_NONE;
		if (!str_starts(pair, STR("auth=")))
			continue;
		scheme = str_cut((struct str){ pair.p + 5, pair.n - 5 }, ' ', &rest);
		if (!str_eq_nocase(scheme, STR("Bearer")) && scheme.n)
			return STR_NONE;
		token = rest.p ? str_trim(rest) : STR("");
	}
	return pairs.n == 1 && pairs.p[0] == '\x01' ? token : STR_NONE;
}

/* §3.1: gs2-header kvsep *kvpair kvsep; channel binding is not for this mechanism. */
static void bearer_first(struct stream *st, struct str message)
{
	struct core *c = st->core;
	struct str rest, flag = str_cut(message, ',', &rest), authzid = str_cut(rest, ',', &rest), token;
	struct jid who;
	int err;

	if ((!str_is(flag, "n") && !str_is(flag, "y")) || !rest.n || rest.p[0] != '\x01' || (authzid.n && !str_starts(authzid, STR("a=")))) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	token = bearer_token((struct str){ rest.p + 1, rest.n - 1 });
	if (!token.p) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	if (authzid.n > 2 && (jid_parse(core_arena(c), (struct str){ authzid.p + 2, authzid.n - 2 }, &who) ||
				     !str_eq(jid_domain(who), st->host->domain) || !jid_node(who).n)) {
		sasl_fail(st, "invalid-authzid", NULL);
		return;
	}
	if (authzid.n > 2)
		st->auth->name = str_dup(jid_node(who));
	stream_wait(st);
	err = token.n ? grant_check(st->host->accounts, c->shard, token, on_grant, st) : -EACCES;
	if (err)
		on_grant(c->shard, st, err, STR_NONE, STR_NONE);
}

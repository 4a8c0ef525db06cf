/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SASL mechanisms: SCRAM (RFC 5802, RFC 7677) with and without channel binding (RFC 9266, RFC 5929), PLAIN (RFC 4616) inside
 * TLS, and the token mechanisms HT-SHA-256-* of XEP-0484. */
#include "xmpp/sasl.h"

#include <errno.h>
#include <stdlib.h>

#include "account/fast.h"
#include "account/state.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "xmpp/throttle.h"

enum binding { BIND_NONE, BIND_EXPORTER, BIND_END_POINT };

struct mechanism {
	const char *name;
	enum hash_alg alg;
	bool plus;	       /* SCRAM with channel binding */
	bool fast;	       /* token mechanism */
	enum binding binding; /* of a token mechanism */
	void (*first)(struct stream *st, struct str message);
	void (*next)(struct stream *st, struct str message); /* NULL: one message only */
};

static void scram_first(struct stream *st, struct str message);
static void scram_final(struct stream *st, struct str message);
static void plain_first(struct stream *st, struct str message);
static void fast_first(struct stream *st, struct str message);

static const struct mechanism mechanisms[] = { /* strongest first */
	{ "SCRAM-SHA-512-PLUS", HASH_SHA512, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-256-PLUS", HASH_SHA256, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-1-PLUS", HASH_SHA1, true, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-512", HASH_SHA512, false, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-256", HASH_SHA256, false, false, BIND_NONE, scram_first, scram_final },
	{ "SCRAM-SHA-1", HASH_SHA1, false, false, BIND_NONE, scram_first, scram_final },
	{ "PLAIN", HASH_SHA256, false, false, BIND_NONE, plain_first, NULL },
	{ "HT-SHA-256-EXPR", HASH_SHA256, true, true, BIND_EXPORTER, fast_first, NULL },
	{ "HT-SHA-256-ENDP", HASH_SHA256, true, true, BIND_END_POINT, fast_first, NULL },
	{ "HT-SHA-256-NONE", HASH_SHA256, false, true, BIND_NONE, fast_first, NULL },
};

/* ---- channel binding ---- */

static int binding_data(struct stream *st, const char *type, struct str *out)
{
	struct arena *a = core_arena(st->core);
	char *exporter;

	if (strcmp(type, "tls-exporter") == 0) {
		exporter = arena_alloc(a, 32);
		*out = (struct str){ exporter, 32 };
		return conn_tls_exporter(st->conn, (uint8_t *)exporter);
	}
	if (strcmp(type, "tls-server-end-point") == 0)
		return conn_tls_end_point(st->conn, a, out);
	if (strcmp(type, "tls-unique") == 0) /* never advertised: docs/decisions/0006 */
		return conn_tls_unique(st->conn, a, out);
	return -ENOTSUP;
}

static bool has_binding(struct stream *st)
{
	struct str data;

	/* A browser cannot reach its TLS connection, and a proxy may stand before us: none over WebSocket. */
	return !st->link->websocket && conn_is_tls(st->conn) && !binding_data(st, "tls-server-end-point", &data);
}

void sasl_channel_bindings(struct stream *st, struct arena *a, struct xml *features)
{
	static const char *const types[] = { "tls-exporter", "tls-server-end-point" };
	struct str data;
	struct xml *cb;

	if (!has_binding(st))
		return;
	cb = xml_add(a, features, "sasl-channel-binding", NS_SASL_CB);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!binding_data(st, types[i], &data))
			xml_set(a, xml_add(a, cb, "channel-binding", NULL), "type", str_of(types[i]));
}

static bool offered(struct stream *st, const struct mechanism *m, bool fast)
{
	return m->fast == fast && (!m->plus || has_binding(st));
}

void sasl_mechanisms(struct stream *st, struct arena *a, struct xml *parent, const char *ns, bool fast)
{
	(void)ns;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (offered(st, &mechanisms[i], fast))
			xml_add_text(a, parent, "mechanism", str_of(mechanisms[i].name));
}

bool sasl_fast_known(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (mechanisms[i].fast && str_is(name, mechanisms[i].name))
			return true;
	return false;
}

/* ---- the exchange ---- */

void sasl_auth_free(struct auth *a)
{
	if (!a)
		return;
	scram_server_fini(&a->scram);
	free(a->name);
	free(a->request);
	free(a->additional);
	free(a);
}

static void fail(struct stream *st, const char *condition, const char *text)
{
	const struct sasl_profile *p = st->auth->profile;

	metric_add(M_LOGINS_FAILED, 1);
	throttle_failed(THROTTLE_ADDRESS, conn_peer(st->conn));
	if (st->auth->name)
		throttle_failed(THROTTLE_ACCOUNT, str_of(st->auth->name));
	log_info("login.failed", "peer=%.*s condition=%s", STR_ARG(conn_peer(st->conn)), condition);
	sasl_auth_free(st->auth);
	st->auth = NULL;
	p->failure(st, condition, text);
	if (++st->tries >= AUTH_TRIES_MAX)
		stream_error(st, "policy-violation", "Too many failed attempts to sign in.");
}

static void in_users_shard(struct stream *st)
{
	struct str additional = st->auth->additional ? str_of(st->auth->additional) : STR_NONE;

	st->auth->profile->success(st, additional);
}

static void enter(struct stream *st)
{
	st->node = st->auth->name;
	st->auth->name = NULL;
	scram_server_fini(&st->auth->scram);
	stream_authenticated(st, in_users_shard);
}

static void on_state(struct shard *s, void *arg, int status)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		fail(st, "account-disabled", NULL); /* RFC 6120 §6.5.1; told only to who proved the password */
	else if (status)
		fail(st, status == -ENOENT ? "not-authorized" : "temporary-auth-failure", NULL);
	else
		enter(st);
	stream_proceed(st);
}

static void succeed(struct stream *st, struct str message)
{
	struct auth *a = st->auth;
	struct core *c = st->core;

	if (message.p)
		a->additional = str_dup(base64_encode(core_arena(c), message));
	stream_wait(st);
	if (account_may_enter(c->env->accounts, c->shard, str_of(a->name), on_state, st)) {
		stream_woken(st);
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

static const struct mechanism *find(struct stream *st, struct str name, bool fast)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (str_is(name, mechanisms[i].name) && offered(st, &mechanisms[i], fast))
			return &mechanisms[i];
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
		fail(st, "invalid-mechanism", NULL);
	else if (!throttle_may_try(st->core, THROTTLE_ADDRESS, conn_peer(st->conn)))
		fail(st, "temporary-auth-failure", "Too many failed attempts from this address; wait a minute and try again.");
	else if (!initial.p)
		p->challenge(st, STR("")); /* RFC 4422 §3.1: the client speaks first in all of ours */
	else if (decode(st, initial, &message))
		fail(st, "incorrect-encoding", NULL);
	else
		m->first(st, message);
}

void sasl_response(struct stream *st, struct str base64)
{
	struct auth *a = st->auth;
	struct str message;

	if (decode(st, base64, &message))
		fail(st, "incorrect-encoding", NULL);
	else if (!a->name)
		a->mech->first(st, message);
	else if (a->mech->next)
		a->mech->next(st, message);
	else
		fail(st, "malformed-request", NULL);
}

void sasl_abort(struct stream *st)
{
	fail(st, "aborted", NULL);
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
	if (authzid.n && (jid_parse(a, authzid, &j) || !str_eq(jid_node(j), node) || !str_eq(jid_domain(j), st->core->env->domain)))
		return false;
	/* XEP-0388 §2.4: the stream's `from`, if any, is who signs in. */
	if (st->sasl2 && st->from && !str_is(jid_make(a, node, st->core->env->domain, STR_NONE).full, st->from))
		return false;
	st->auth->name = str_dup(node);
	return true;
}

/* Too many wrong passwords for this account lately: answered before the costly work. Tokens (FAST) are not held up. */
static bool throttled(struct stream *st)
{
	if (throttle_may_try(st->core, THROTTLE_ACCOUNT, str_of(st->auth->name)))
		return false;
	fail(st, "temporary-auth-failure", "Too many failed attempts for this account; wait a minute and try again.");
	return true;
}

static void on_keys(struct shard *s, void *arg, int status, const struct scram_keys *keys)
{
	struct stream *st = arg;
	struct arena *a = &s->arena;
	enum scram_status bad;
	struct str challenge;

	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		fail(st, "account-disabled", NULL);
	else if (status && status != -ENOENT)
		fail(st, "temporary-auth-failure", "The server could not look the account up; try again.");
	else if ((bad = scram_server_challenge(&st->auth->scram, a, random_token(a, SCRAM_NONCE_BYTES), keys, STR_NONE, &challenge)))
		fail(st, scram_condition(bad), NULL);
	else
		st->auth->profile->challenge(st, base64_encode(a, challenge));
	stream_proceed(st);
}

static void scram_first(struct stream *st, struct str message)
{
	struct auth *a = st->auth;
	struct core *c = st->core;
	struct str username, authzid;
	enum scram_status bad;

	scram_server_init(&a->scram, a->mech->alg, a->mech->plus, has_binding(st));
	bad = scram_server_first(&a->scram, core_arena(c), message, &username, &authzid);
	if (bad) {
		fail(st, scram_condition(bad), NULL);
		return;
	}
	if (!take_name(st, username, authzid)) {
		fail(st, authzid.n ? "invalid-authzid" : "not-authorized", NULL);
		return;
	}
	if (throttled(st))
		return;
	stream_wait(st);
	if (account_keys(c->env->accounts, c->shard, str_of(a->name), a->mech->alg, on_keys, st)) {
		stream_woken(st);
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

static void scram_final(struct stream *st, struct str message)
{
	struct auth *a = st->auth;
	struct str binding = STR_NONE, out;
	enum scram_status bad;

	if (a->mech->plus && binding_data(st, a->scram.cb_type, &binding)) {
		fail(st, scram_condition(SCRAM_BINDING_TYPE), NULL);
		return;
	}
	bad = scram_server_final(&a->scram, core_arena(st->core), message, binding, &out);
	if (bad)
		fail(st, scram_condition(bad), NULL);
	else
		succeed(st, out);
}

/* ---- PLAIN ---- */

static void on_checked(struct shard *s, void *arg, int status)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status == -EACCES)
		fail(st, "not-authorized", NULL);
	else if (status)
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
	else
		succeed(st, STR_NONE);
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
		fail(st, "malformed-request", NULL);
		return;
	}
	if (!take_name(st, authcid, authzid)) {
		fail(st, authzid.n ? "invalid-authzid" : "not-authorized", NULL);
		return;
	}
	if (throttled(st))
		return;
	stream_wait(st);
	if (account_check_password(c->env->accounts, c->shard, str_of(st->auth->name), password, on_checked, st)) {
		stream_woken(st);
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
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
		fail(st, "credentials-expired", NULL); /* XEP-0484: the client falls back to its password */
	else if (status)
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
	else {
		st->auth->fast_rotate = rotate;
		succeed(st, responder);
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
		fail(st, "malformed-request", NULL);
		return;
	}
	if (!take_name(st, authcid, STR_NONE) || (a->mech->binding && binding_data(st, types[a->mech->binding], &binding))) {
		fail(st, "not-authorized", NULL);
		return;
	}
	stream_wait(st);
	if (fast_verify(c->env->accounts, c->shard,
		    &(struct fast_check){ str_of(a->name), str_of(st->client), str_of(a->mech->name), mac, binding }, on_token, st)) {
		stream_woken(st);
		fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

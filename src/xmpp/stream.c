/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stream states, features, errors and the move to the user's shard. */
#include "xmpp/stream.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/csi.h"
#include "core/feature.h"
#include "core/user.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "xmpp/bind.h"
#include "xmpp/input.h"
#include "xmpp/sasl.h"

static void on_timer(struct timer *t);

static uint64_t option_ms(const struct core *c, const char *name)
{
	return (uint64_t)config_int(core_config(c), name);
}

static void set_timer(struct stream *st, const char *option)
{
	timer_set(&st->core->shard->loop, &st->timer, option_ms(st->core, option));
}

static void on_shutdown(struct core_link *l)
{
	stream_error(container_of(l, struct stream, in_core), "system-shutdown", NULL);
}

void stream_init(struct stream *st, struct core *c, bool secure)
{
	st->core = c;
	st->host = c->env->hosts->v[0];
	st->state = STREAM_START;
	st->secure = secure;
	st->timer.on_time = on_timer;
	st->in_core.shutdown = on_shutdown;
	list_push(&c->links, &st->in_core.in_core);
	set_timer(st, "limits.auth_timeout");
}

void stream_fini(struct stream *st)
{
	timer_cancel(&st->core->shard->loop, &st->timer);
	list_del(&st->in_core.in_core);
	sasl_auth_free(st->auth);
	st->auth = NULL;
	buf_free(&st->waiting);
	free(st->node);
	free(st->client);
	free(st->token);
	free(st->from);
	st->node = st->client = st->token = st->from = NULL;
}

void stream_write_head(struct stream *st, const char *before, struct str id, struct str to, const char *after)
{
	struct buf b = { 0 };

	buf_puts(&b, before);
	buf_puts(&b, " id='");
	buf_str(&b, id);
	buf_puts(&b, "' from='");
	xml_escape(&b, st->host->domain);
	if (to.n && to.n <= HEAD_TEXT_MAX) {
		buf_puts(&b, "' to='");
		xml_escape(&b, to);
	}
	buf_puts(&b, "' version='1.0' xml:lang='en'");
	buf_puts(&b, after);
	st->link->write(st, buf_view(&b));
	buf_free(&b);
}

struct xml *stream_parse(struct stream *st, struct str text)
{
	struct xml *el;
	int err = !st->authed && text.n > STANZA_BYTES_MAX_UNAUTH ? -EMSGSIZE : xml_parse(core_arena(st->core), text, &el);

	if (!err)
		return el;
	stream_xml_error(st, err);
	return NULL;
}

void stream_write_xml(struct stream *st, const struct xml *el)
{
	struct buf b = { 0 };

	/* A WebSocket frame has no stream around it: every element names its namespace (RFC 7395 §3.3.3). */
	xml_write(&b, el, st->link->websocket ? STR_NONE : STR(NS_CLIENT));
	st->link->write(st, buf_view(&b));
	buf_free(&b);
}

static void ensure_open(struct stream *st)
{
	if (st->opened)
		return;
	st->link->write_open(st, random_token(core_arena(st->core), 16), STR_NONE);
	st->opened = true;
}

void stream_error(struct stream *st, const char *condition, const char *text)
{
	struct buf b = { 0 };

	if (st->state == STREAM_CLOSED)
		return;
	ensure_open(st);
	buf_printf(&b, "<stream:error%s><%s xmlns='" NS_STREAM_ERRORS "'/>",
		st->link->websocket ? " xmlns:stream='" NS_STREAM "'" : "", condition);
	if (text) {
		buf_puts(&b, "<text xmlns='" NS_STREAM_ERRORS "' xml:lang='en'>");
		xml_escape(&b, str_of(text));
		buf_puts(&b, "</text>");
	}
	buf_puts(&b, "</stream:error>");
	st->link->write(st, buf_view(&b));
	buf_free(&b);
	metric_add(M_STREAM_ERRORS, 1);
	log_debug("stream.error", "condition=%s peer=%.*s", condition, STR_ARG(stream_peer(st)));
	st->state = STREAM_CLOSED;
	if (st->session) {
		struct session *s = st->session;

		st->session = NULL;
		session_link_lost(s, false);
	}
	st->link->write_close(st);
	input_end(st);
}

void stream_xml_error(struct stream *st, int error)
{
	static const struct {
		int error;
		const char *condition, *text;
	} table[] = {
		{ -EBADMSG, "not-well-formed", NULL },
		{ -EDOM, "bad-format", "There is text between stanzas." },
		{ -EPERM, "restricted-xml", NULL },
		{ -EMSGSIZE, "policy-violation", "The element is larger or deeper than this server allows." },
		{ -EILSEQ, "unsupported-encoding", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].error == error) {
			stream_error(st, table[i].condition, table[i].text);
			return;
		}
	stream_error(st, "bad-format", NULL);
}

/* ---- waiting ---- */

void stream_wait(struct stream *st)
{
	must(!st->busy);
	st->busy = true;
	if (st->conn)
		conn_pause(st->conn);
}

bool stream_woken(struct stream *st)
{
	st->busy = false;
	if (!st->dead) {
		if (st->conn)
			conn_resume(st->conn);
		return true;
	}
	input_end(st);
	return false;
}

void stream_proceed(struct stream *st)
{
	if (!st->busy && st->state != STREAM_CLOSED)
		input_wake(st);
}

struct str stream_peer(const struct stream *st)
{
	if (st->link->peer)
		return st->link->peer(st);
	return st->conn ? conn_peer(st->conn) : STR("");
}

void stream_moved(struct stream *st, struct shard *s)
{
	st->core = s->core;
	set_timer(st, "limits.auth_timeout");
	list_push(&st->core->links, &st->in_core.in_core);
	st->busy = false;
	if (st->core->closing) {
		on_shutdown(&st->in_core);
		return;
	}
	st->go_on(st);
	stream_proceed(st);
}

static void on_moved(struct shard *s, struct conn *c, void *owner)
{
	(void)c;
	stream_moved(owner, s);
}

void stream_authenticated(struct stream *st, void (*go_on)(struct stream *st))
{
	struct core *c = st->core;
	struct str bare = jid_make(core_arena(c), str_of(st->node), st->host->domain, STR_NONE).full;
	struct shard *home = core_shard_of(c, bare);

	metric_add(M_LOGINS_TOTAL, 1);
	log_info("login", "account=%.*s peer=%.*s mechanism=%s", STR_ARG(bare), STR_ARG(stream_peer(st)),
		st->sasl2 ? "sasl2" : "sasl");
	st->authed = true;
	st->go_on = go_on;
	if (home == c->shard) {
		go_on(st);
		return;
	}
	st->busy = true;
	timer_cancel(&c->shard->loop, &st->timer);
	list_del(&st->in_core.in_core);
	if (st->link->move)
		st->link->move(st, home);
	else
		conn_move(st->conn, home, on_moved);
}

/* ---- features ---- */

static void features_before_auth(struct stream *st, struct arena *a, struct xml *f)
{
	if (!st->secure) {
		xml_add(a, xml_add(a, f, "starttls", NS_TLS), "required", NULL);
		return;
	}
	sasl_features(st, a, f);
	for (const struct feature *const *p = st->core->env->features; *p; p++)
		if ((*p)->stream_features_unauth)
			(*p)->stream_features_unauth(st->core, f, a);
}

static void limits_feature(struct stream *st, struct arena *a, struct xml *f)
{
	struct xml *l = xml_add(a, f, "limits", NS_LIMITS);

	xml_add_text(a, l, "max-bytes", arena_printf(a, "%d", st->authed ? STANZA_BYTES_MAX : STANZA_BYTES_MAX_UNAUTH));
	if (st->authed)
		xml_add_text(a, l, "idle-seconds", arena_printf(a, "%u", (unsigned)(option_ms(st->core, "limits.idle") / 1000)));
}

void stream_features(struct stream *st)
{
	struct arena *a = core_arena(st->core);
	struct xml *f = xml_new(a, "features", NS_CLIENT);
	struct buf b = { 0 };

	if (!st->authed) {
		features_before_auth(st, a, f);
	} else {
		if (!st->session) {
			xml_add(a, f, "bind", NS_BIND);
			xml_add(a, xml_add(a, f, "session", NS_SESSION), "optional", NULL);
		}
		if (!st->session || !st->session->sm)
			xml_add(a, f, "sm", NS_SM);
		for (const struct feature *const *p = st->core->env->features; *p; p++)
			if ((*p)->stream_features)
				(*p)->stream_features(st->core, f, a);
	}
	limits_feature(st, a, f);
	if (!st->authed && st->secure)
		sasl_config_version(st, a, f);
	buf_printf(&b, "<stream:features%s>", st->link->websocket ? " xmlns:stream='" NS_STREAM "'" : "");
	xml_each(child, f)
		xml_write(&b, child, st->link->websocket ? STR_NONE : STR(NS_CLIENT));
	buf_puts(&b, "</stream:features>");
	st->link->write(st, buf_view(&b));
	buf_free(&b);
}

/* ---- from the transport ---- */

/* `to` chooses the host until somebody has signed in (RFC 6120 §4.7.2); without it the stream is for the main one.
 * Returns false when the name is not one of ours, or not the one of the account. */
static bool choose_host(struct stream *st, struct str to)
{
	struct arena *a = core_arena(st->core);
	struct host *host = NULL;
	struct str name;

	if (!to.p)
		return true;
	if (to.n <= HEAD_TEXT_MAX && !jid_nameprep(a, to, &name))
		host = core_host(st->core, name);
	if (host && !st->authed)
		st->host = host;
	return host && host == st->host;
}

/* known: `to` is a host of ours. */
static bool head_ok(struct stream *st, const struct xml *head, bool known)
{
	struct str version = xml_get(head, "version");
	const char *name = st->link->websocket ? "open" : "stream";
	const char *ns = st->link->websocket ? NS_FRAMING : NS_STREAM;

	if (!str_is(head->ns, ns))
		stream_error(st, "invalid-namespace", NULL);
	else if (!str_is(head->name, name))
		stream_error(st, "bad-format", NULL);
	else if (!st->link->websocket && !str_is(xml_get(head, "xmlns"), NS_CLIENT))
		stream_error(st, "invalid-namespace", "The content namespace is jabber:client."); /* RFC 6120 §4.8.3 */
	else if (!known)
		stream_error(st, "host-unknown", "This server does not serve that domain.");
	else if (!str_starts(version, STR("1."))) /* RFC 6120 §4.7.5 */
		stream_error(st, "unsupported-version", NULL);
	else
		return true;
	return false;
}

void stream_opened(struct stream *st, const struct xml *head)
{
	struct arena *a = core_arena(st->core);
	struct jid from;
	bool known;

	if (st->state != STREAM_START && st->state != STREAM_AUTHED) {
		stream_error(st, "bad-format", "A stream head was not expected here.");
		return;
	}
	known = choose_host(st, xml_get(head, "to"));
	st->link->write_open(st, random_token(a, 16), xml_get(head, "from"));
	st->opened = true;
	if (!head_ok(st, head, known))
		return;
	free(st->from);
	st->from = jid_parse(a, xml_get(head, "from"), &from) ? NULL : str_dup(jid_bare_str(from));
	if (st->authed) {
		stream_features(st);
		return;
	}
	if (st->from && !str_eq(jid_domain(from), st->host->domain)) { /* XEP-0388 §2.2 */
		stream_error(st, "invalid-from", "Who signs in here has an address of this domain.");
		return;
	}
	st->state = st->secure ? STREAM_SECURE : STREAM_PLAIN;
	sasl_offer(st);
}

static void starttls(struct stream *st, struct xml *el)
{
	(void)el;
	st->link->write(st, STR("<proceed xmlns='" NS_TLS "'/>"));
	st->state = STREAM_START;
	st->opened = false;
	st->link->starttls(st);
}

static void stanza(struct stream *st, struct xml *el)
{
	int err = session_receive(st->session, el);

	if (err == -EINVAL)
		stream_error(st, "unsupported-stanza-type", NULL);
	else if (err == -EACCES)
		stream_error(st, "invalid-from", NULL);
}

static void unauth_wait(void *link)
{
	stream_wait(link);
}

static bool unauth_reply(void *link, const struct xml *el, bool waited)
{
	struct stream *st = link;

	if (waited && !stream_woken(st))
		return false;
	stream_write_xml(st, el);
	if (waited)
		stream_proceed(st);
	return true;
}

static void unauth_keep_token(void *link, const char *token)
{
	struct stream *st = link;

	free(st->token);
	st->token = mem_strdup(token);
}

/* Registration before sign-in (XEP-0077, XEP-0445): a feature's routes answer without a session. */
static void unauth_iq_element(struct stream *st, struct xml *el)
{
	const struct unauth u = { st, unauth_reply, unauth_wait, unauth_keep_token, st->token, st->host };

	/* XEP-0388 §2.4: nothing else while an exchange or its tasks are under way. */
	for (const struct feature *const *p = st->core->env->features; *p && !st->auth; p++)
		if ((*p)->unauth_iq && (*p)->unauth_iq(st->core, el, &u))
			return;
	stream_error(st, "not-authorized", NULL);
}

/* XEP-0352 §4.2: no answer. */
static void csi(struct stream *st, struct xml *el)
{
	if (str_is(el->name, "active") || str_is(el->name, "inactive"))
		csi_set(st->session, str_is(el->name, "inactive"));
	else
		stream_error(st, "unsupported-stanza-type", NULL);
}

static const struct {
	const char *ns, *name; /* name NULL: any */
	int states;
	void (*handle)(struct stream *st, struct xml *el);
} elements[] = {
	{ NS_CLIENT, NULL, STREAM_BOUND, stanza },
	{ NS_SM, NULL, STREAM_BOUND, bind_sm_element },
	{ NS_CSI, NULL, STREAM_BOUND, csi },
	{ NS_TLS, "starttls", STREAM_PLAIN, starttls },
	{ NS_SASL, NULL, STREAM_SECURE, sasl1_element },
	{ NS_SASL2, NULL, STREAM_SECURE, sasl2_element },
	{ NS_CLIENT, NULL, STREAM_AUTHED, bind_element },
	{ NS_SM, NULL, STREAM_AUTHED, bind_resume_element },
	{ NS_CLIENT, "iq", STREAM_SECURE, unauth_iq_element },
};

void stream_element(struct stream *st, struct xml *el, size_t bytes)
{
	(void)bytes;
	for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
		if (!(elements[i].states & (int)st->state) || !str_is(el->ns, elements[i].ns))
			continue;
		if (elements[i].name && !str_is(el->name, elements[i].name))
			continue;
		elements[i].handle(st, el);
		return;
	}
	if (st->state == STREAM_START || st->state == STREAM_CLOSED)
		stream_error(st, "bad-format", NULL);
	else if (st->state & (STREAM_PLAIN | STREAM_SECURE | STREAM_AUTHED))
		stream_error(st, str_is(el->ns, NS_CLIENT) ? "not-authorized" : "unsupported-stanza-type", NULL);
	else
		stream_error(st, "unsupported-stanza-type", NULL);
}

static void close_now(struct stream *st)
{
	struct session *s = st->session;

	st->session = NULL;
	st->state = STREAM_CLOSED;
	if (s)
		session_link_lost(s, false);
	st->link->write_close(st);
	input_end(st);
}

static void on_drained(struct session *s, void *arg)
{
	struct stream *st = arg;

	if (s && s->ops)
		session_sm_asked(s);
	if (!s && st->session) { /* another connection resumes it */
		s = st->session;
		st->session = NULL;
		session_link_lost(s, true);
	}
	if (stream_woken(st) && st->state != STREAM_CLOSED)
		close_now(st);
}

/* Orderly end: what was received is acknowledged first when the disk has it (XEP-0198 §4). */
void stream_closed(struct stream *st)
{
	if (st->state == STREAM_CLOSED)
		return;
	if (st->session && st->session->sm) {
		stream_wait(st);
		session_sm_when_durable(st->session, on_drained, st);
		return;
	}
	close_now(st);
}

void stream_lost(struct stream *st)
{
	struct session *s = st->session;

	st->session = NULL;
	st->state = STREAM_CLOSED;
	if (s)
		session_link_lost(s, true);
	input_end(st);
}

void stream_alive(struct stream *st)
{
	st->pinged = false;
	if (st->session) /* white space counts too (RFC 6120 §4.6.1) */
		st->session->active_ms = st->core->shard->loop.now_ms;
}

static void ask_for_life(struct stream *st)
{
	struct session *s = st->session;

	st->pinged = true;
	if (s->sm)
		session_nonza(s, STR("<r xmlns='" NS_SM "'/>"));
	else {
		struct arena *a = core_arena(st->core);
		struct stanza ping;

		stanza_new(a, ST_IQ, IQ_GET, &ping);
		ping.id = random_token(a, 9);
		ping.from = jid_trust(st->host->domain);
		xml_add(a, ping.el, "ping", NS_PING);
		session_send(s, &ping, &s->jid);
		stanza_fini(&ping);
	}
	set_timer(st, "limits.idle_grace");
}

static void on_timer(struct timer *t)
{
	struct stream *st = container_of(t, struct stream, timer);
	uint64_t now = st->core->shard->loop.now_ms, idle = option_ms(st->core, "limits.idle"), quiet;

	if (st->state != STREAM_BOUND) {
		stream_error(st, "connection-timeout", "Signing in took too long.");
		return;
	}
	quiet = now - st->session->active_ms;
	if (st->pinged) {
		struct session *s = st->session;

		st->session = NULL;
		session_link_lost(s, true);
		stream_error(st, "connection-timeout", NULL);
	} else if (quiet + idle / 100 < idle) { /* timers that are close are one */
		timer_set(&st->core->shard->loop, t, idle - quiet);
	} else {
		ask_for_life(st);
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streams that other servers open: features, STARTTLS, SASL EXTERNAL (XEP-0178 1.2), XEP-0288 1.0.1. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "xmpp/s2s_priv.h"

static bool normal(struct s2s_stream *st, struct str text, struct str *out)
{
	return text.n && text.n <= S2S_HEAD_MAX && !jid_nameprep(s2s_arena(st->s2s), text, out);
}

static bool is_proved(const struct s2s_stream *st)
{
	return st->remote && tls_peer_proof(st->conn, st->remote, NULL) >= TLS_PROOF_PKIX;
}

static bool takes_dialback(const struct s2s_stream *st)
{
	return s2s_bool(st->s2s, "s2s.dialback") && (st->secure || !s2s_bool(st->s2s, "s2s.require_encryption"));
}

static void features(struct s2s_stream *st)
{
	struct buf b = { 0 };

	buf_puts(&b, "<stream:features>");
	if (!st->secure)
		buf_printf(&b, "<starttls xmlns='" NS_TLS "'>%s</starttls>",
			s2s_bool(st->s2s, "s2s.require_encryption") ? "<required/>" : "");
	if (st->secure && !st->authed && is_proved(st))
		buf_puts(&b, "<mechanisms xmlns='" NS_SASL "'><mechanism>EXTERNAL</mechanism></mechanisms>");
	if (takes_dialback(st))
		buf_puts(&b, "<dialback xmlns='" NS_DIALBACK_FEATURE "'><errors/></dialback>");
	if (s2s_bool(st->s2s, "s2s.bidi") && !st->authed)
		buf_puts(&b, "<bidi xmlns='" NS_BIDI_FEATURE "'/>");
	if (st->secure)
		buf_puts(&b, "<sm xmlns='" NS_SM "'/>");
	buf_printf(&b, "<limits xmlns='" NS_LIMITS "'><max-bytes>%d</max-bytes></limits>", STANZA_BYTES_MAX);
	buf_puts(&b, "</stream:features>");
	s2s_write(st, buf_view(&b));
	buf_free(&b);
}

static bool head_ok(struct s2s_stream *st, const struct xml *head)
{
	struct str to = xml_get(head, "to"), from = xml_get(head, "from"), remote = STR_NONE;

	if (!str_is(head->ns, NS_STREAM) || !str_is(xml_get(head, "xmlns"), NS_SERVER))
		s2s_error(st, "invalid-namespace", NULL);
	else if (!str_is(head->name, "stream"))
		s2s_error(st, "bad-format", NULL);
	else if (from.p && !normal(st, from, &remote))
		s2s_error(st, "improper-addressing", NULL);
	else if (st->authed && !str_is(remote, st->remote))
		s2s_error(st, "invalid-from", NULL);
	else if (remote.n && core_is_local(st->s2s->core, remote))
		s2s_error(st, "invalid-from", "That domain is served here.");
	else if (to.p && !core_is_local(st->s2s->core, str_of(st->local)))
		s2s_error(st, "host-unknown", NULL);
	else if (!str_starts(xml_get(head, "version"), STR("1.")))
		s2s_error(st, "unsupported-version", NULL);
	else if (remote.n && !s2s_allows(st->s2s, remote))
		s2s_error(st, "policy-violation", "This server does not talk to that domain.");
	else
		return true;
	return false;
}

void s2s_in_head(struct s2s_stream *st, const struct xml *head)
{
	struct str local, remote;

	if (!normal(st, xml_get(head, "to"), &local))
		local = st->s2s->core->env->domain;
	free(st->local);
	st->local = str_dup(local);
	if (!st->authed && normal(st, xml_get(head, "from"), &remote)) {
		free(st->remote);
		st->remote = str_dup(remote);
	}
	s2s_write_head(st);
	if (!head_ok(st, head))
		return;
	st->state = S2S_OPEN;
	features(st);
	s2s_attach(st); /* proved by its certificate before this head */
}

/* ---- elements ---- */

static void starttls(struct s2s_stream *st, struct xml *el)
{
	struct tls_ctx *ctx = st->s2s->shared->server_tls();

	(void)el;
	if (st->secure || !ctx) {
		tls_ctx_unref(ctx);
		s2s_write(st, STR("<failure xmlns='" NS_TLS "'/>"));
		s2s_close(st, S2S_END_LOST, "no TLS");
		return;
	}
	s2s_write(st, STR("<proceed xmlns='" NS_TLS "'/>"));
	s2s_start_tls(st, ctx);
}

static void bidi(struct s2s_stream *st, struct xml *el)
{
	(void)el;
	if (!st->authed && !st->verified.n && s2s_bool(st->s2s, "s2s.bidi"))
		st->wants_bidi = true;
}

static void failure(struct s2s_stream *st, const char *condition)
{
	s2s_printf(st, "<failure xmlns='" NS_SASL "'><%s/></failure>", condition);
}

static void on_external(struct s2s_stream *st)
{
	if (!s2s_prove(st, str_of(st->remote), str_of(st->local))) {
		failure(st, "temporary-auth-failure");
		s2s_close(st, S2S_END_LOST, "too many streams");
		return;
	}
	st->authed = true;
	s2s_write(st, STR("<success xmlns='" NS_SASL "'/>"));
	st->opened = false;
	st->state = S2S_OPENING;
	st->restart = true;
	log_info("s2s.in", "remote=%s local=%s by=certificate peer=%.*s", st->remote, st->local, STR_ARG(conn_peer(st->conn)));
}

static void auth(struct s2s_stream *st, struct xml *el)
{
	struct arena *a = s2s_arena(st->s2s);
	struct str text = str_trim(xml_text_of(a, el)), who = STR_NONE;

	if (st->authed || st->verified.n || !st->secure)
		s2s_error(st, "not-authorized", NULL);
	else if (!xml_is(el, "auth", NS_SASL))
		failure(st, "malformed-request");
	else if (!str_is(xml_get(el, "mechanism"), "EXTERNAL"))
		failure(st, "invalid-mechanism");
	else if (text.n && !str_is(text, "=") && base64_decode(a, text, &who))
		failure(st, "incorrect-encoding");
	else if (!is_proved(st))
		failure(st, "not-authorized");
	else if (who.n && !str_eq_nocase(who, str_of(st->remote)))
		failure(st, "invalid-authzid");
	else
		s2s_move(st, on_external);
}

static const struct {
	const char *ns, *name; /* name NULL: any */
	void (*handle)(struct s2s_stream *st, struct xml *el);
} elements[] = {
	{ NS_SERVER, NULL, s2s_receive },
	{ NS_DIALBACK, NULL, s2s_dialback_in },
	{ NS_SM, NULL, s2s_sm_element },
	{ NS_TLS, "starttls", starttls },
	{ NS_BIDI, "bidi", bidi },
	{ NS_SASL, NULL, auth },
};

void s2s_in_element(struct s2s_stream *st, struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(elements) && st->state == S2S_OPEN; i++) {
		if (!str_is(el->ns, elements[i].ns) || (elements[i].name && !str_is(el->name, elements[i].name)))
			continue;
		elements[i].handle(st, el);
		return;
	}
	s2s_error(st, st->state == S2S_OPEN ? "unsupported-stanza-type" : "bad-format", NULL);
}

void s2s_accept(struct shard *s, struct conn *c, bool tls)
{
	struct s2s_stream *st = s2s_stream_new(s2s_of(s->core), c, false);

	st->secure = st->direct = tls;
}

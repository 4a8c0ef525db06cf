/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streams that we open: STARTTLS or direct TLS (XEP-0368), what the other certificate proves, SASL EXTERNAL (XEP-0178 1.2), dialback as
 * the initiating server (XEP-0220 §2.1.1), XEP-0288. */
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "xmpp/s2s_priv.h"

void s2s_out_open(struct s2s_pair *p, int fd, const struct resolver_place *place)
{
	struct s2s *s = p->s2s;
	struct conn *c = conn_new(s->core->shard, fd, NULL, NULL);
	struct s2s_stream *st = s2s_stream_new(s, c, true);
	struct tls_ctx *ctx;
	int rc;

	st->local = mem_strdup(p->local);
	st->remote = mem_strdup(p->remote);
	st->pair = p;
	p->out = st;
	if (!place->direct_tls) {
		s2s_write_head(st);
		return;
	}
	st->direct = true;
	ctx = s->shared->client_tls();
	rc = ctx ? tls_peer_connect(c, ctx, p->local, p->remote, place) : -1;
	tls_ctx_unref(ctx);
	if (rc)
		s2s_close(st, S2S_END_LOST, "TLS cannot begin");
}

void s2s_out_head(struct s2s_stream *st, const struct xml *head)
{
	struct str id = xml_get(head, "id");

	if (!str_is(head->ns, NS_STREAM) || !str_is(xml_get(head, "xmlns"), NS_SERVER)) {
		s2s_error(st, "invalid-namespace", NULL);
	} else if (!str_starts(xml_get(head, "version"), STR("1."))) {
		s2s_error(st, "unsupported-version", NULL);
	} else if (id.n > S2S_ID_MAX) {
		s2s_error(st, "policy-violation", NULL);
	} else {
		free(st->id);
		st->id = str_dup(id);
		st->state = S2S_FEATURES;
	}
}

/* ---- features ---- */

static void refuse(struct s2s_stream *st, const char *why)
{
	log_warning("s2s.refused", "remote=%s local=%s reason=\"%s\"", st->remote, st->local, why);
	s2s_close(st, S2S_END_REFUSED, why);
}

static void plain_features(struct s2s_stream *st, struct xml *el)
{
	if (xml_child(el, "starttls", NS_TLS)) {
		s2s_write(st, STR("<starttls xmlns='" NS_TLS "'/>"));
		st->state = S2S_TLS;
	} else if (s2s_bool(st->s2s, "s2s.require_encryption")) {
		refuse(st, "it offers no TLS");
	} else {
		st->state = S2S_OPEN;
		s2s_pair_open(st->pair);
	}
}

static bool offers_external(struct s2s_stream *st, struct xml *el)
{
	struct xml *m = xml_child(el, "mechanisms", NS_SASL);

	for (struct xml *one = xml_child(m, "mechanism", NULL); one; one = xml_next_same(one))
		if (str_is(str_trim(xml_text_of(s2s_arena(st->s2s), one)), "EXTERNAL"))
			return true;
	return false;
}

static void proved(struct s2s_stream *st)
{
	log_info("s2s.out", "remote=%s local=%s by=%s tls=%s peer=%.*s", st->remote, st->local,
		st->asked_result ? "dialback" : "certificate", st->secure ? conn_tls_version(st->conn) : "none", STR_ARG(conn_peer(st->conn)));
	timer_set(&st->s2s->core->shard->loop, &st->timer, s2s_int(st->s2s, "s2s.keepalive"));
	if (st->has_sm)
		s2s_sm_begin(st);
	else
		s2s_pair_ready(st->pair, st);
}

static void features(struct s2s_stream *st, struct xml *el)
{
	const char *why;
	bool sure;

	st->has_sm = xml_child(el, "sm", NS_SM) != NULL;
	st->has_bidi |= xml_child(el, "bidi", NS_BIDI_FEATURE) != NULL;
	st->has_dialback = true; /* most that take it do not say so (XEP-0220 §2.3.1) */
	if (!st->secure) {
		plain_features(st, el);
		return;
	}
	st->state = S2S_OPEN;
	if (st->authed) {
		proved(st);
		return;
	}
	sure = tls_peer_proof(st->conn, st->remote, &why) >= TLS_PROOF_PKIX;
	if (!sure && s2s_bool(st->s2s, "s2s.require_certificate")) {
		refuse(st, why);
		return;
	}
	st->has_external = offers_external(st, el);
	s2s_pair_open(st->pair);
}

/* ---- who we are ---- */

void s2s_out_authenticate(struct s2s_stream *st)
{
	struct arena *a = s2s_arena(st->s2s);

	if (st->state != S2S_OPEN || st->authed || st->asked_result)
		return;
	if (st->has_bidi && !st->wants_bidi && s2s_bool(st->s2s, "s2s.bidi")) {
		st->wants_bidi = true;
		s2s_write(st, STR("<bidi xmlns='" NS_BIDI "'/>"));
	}
	if (st->has_external) {
		s2s_printf(st, "<auth xmlns='" NS_SASL "' mechanism='EXTERNAL'>%.*s</auth>", STR_ARG(base64_encode(a, str_of(st->local))));
		st->state = S2S_AUTH;
	} else if (!s2s_bool(st->s2s, "s2s.dialback")) {
		refuse(st, "it does not accept this server's certificate");
	} else {
		st->asked_result = true;
		s2s_printf(st, "<db:result from='%.*s' to='%.*s'>%.*s</db:result>", STR_ARG(s2s_quoted(st, str_of(st->local))),
			STR_ARG(s2s_quoted(st, str_of(st->remote))),
			STR_ARG(s2s_key(st->s2s, str_of(st->remote), str_of(st->local), str_of(st->id))));
	}
}

void s2s_out_verify(struct s2s_stream *st, struct s2s_verify *v)
{
	s2s_printf(st, "<db:verify from='%.*s' to='%.*s' id='%.*s'>%.*s</db:verify>", STR_ARG(s2s_quoted(st, str_of(v->local))),
		STR_ARG(s2s_quoted(st, str_of(v->remote))), STR_ARG(s2s_quoted(st, str_of(v->id))), STR_ARG(s2s_quoted(st, str_of(v->key))));
	v->sent = true;
}

static void sasl(struct s2s_stream *st, struct xml *el)
{
	if (st->state != S2S_AUTH) {
		s2s_error(st, "bad-format", NULL);
	} else if (str_is(el->name, "success")) {
		st->authed = true;
		st->opened = false;
		st->state = S2S_OPENING;
		st->restart = true;
		s2s_write_head(st);
	} else {
		st->has_external = false;
		st->state = S2S_OPEN;
		s2s_out_authenticate(st);
	}
}

/* ---- dialback ---- */

/* XEP-0220 §2.4: which errors may pass by themselves. */
static bool is_passing(const struct xml *el)
{
	static const char *const names[] = { "remote-connection-failed", "remote-server-timeout", "remote-server-not-found", "resource-constraint",
		"internal-server-error" };
	struct xml *error = xml_child(el, "error", NS_SERVER);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (xml_child(error, names[i], NS_STANZA_ERRORS))
			return true;
	return false;
}

static void result(struct s2s_stream *st, struct xml *el)
{
	struct str type = xml_get(el, "type");

	if (!st->asked_result || st->authed || !str_is(xml_get(el, "from"), st->remote) || !str_is(xml_get(el, "to"), st->local)) {
		log_warning("s2s.unsolicited", "remote=%s what=result next=\"dropped\"", st->remote);
	} else if (str_is(type, "valid")) {
		st->authed = true;
		proved(st);
	} else if (str_is(type, "invalid")) {
		s2s_close(st, S2S_END_INVALID, "it does not believe that this server has the domain");
	} else if (is_passing(el)) {
		s2s_close(st, S2S_END_LOST, "it cannot verify this server at the moment");
	} else {
		refuse(st, "it refuses this server");
	}
}

static void dialback(struct s2s_stream *st, struct xml *el)
{
	bool typed = xml_get(el, "type").p != NULL;

	if (typed && str_is(el->name, "result"))
		result(st, el);
	else if (typed && str_is(el->name, "verify"))
		s2s_dialback_verified(st, el);
	else
		s2s_dialback_in(st, el);
}

/* ---- elements ---- */

static void proceed(struct s2s_stream *st, struct xml *el)
{
	if (st->state == S2S_TLS && str_is(el->name, "proceed"))
		s2s_start_tls(st, st->s2s->shared->client_tls());
	else
		s2s_close(st, S2S_END_LOST, "it refuses TLS");
}

static void on_features(struct s2s_stream *st, struct xml *el)
{
	if (str_is(el->name, "error")) {
		log_info("s2s.out_error", "remote=%s condition=%.*s", st->remote, STR_ARG(xml_child_any(el) ? xml_child_any(el)->name : STR_NONE));
		s2s_close(st, xml_child(el, "host-unknown", NS_STREAM_ERRORS) ? S2S_END_ABSENT : S2S_END_LOST, "it ended the stream");
	} else if (st->state == S2S_FEATURES && str_is(el->name, "features")) {
		features(st, el);
	} else {
		s2s_error(st, "bad-format", NULL);
	}
}

static void stanza(struct s2s_stream *st, struct xml *el)
{
	if (st->authed && st->wants_bidi)
		s2s_receive(st, el);
	else
		s2s_error(st, "not-authorized", NULL);
}

static const struct {
	const char *ns;
	int states;
	void (*handle)(struct s2s_stream *st, struct xml *el);
} elements[] = {
	{ NS_SERVER, S2S_OPEN, stanza },
	{ NS_SM, S2S_OPEN, s2s_sm_element },
	{ NS_STREAM, S2S_FEATURES | S2S_TLS | S2S_AUTH | S2S_OPEN, on_features },
	{ NS_TLS, S2S_TLS, proceed },
	{ NS_SASL, S2S_AUTH, sasl },
	{ NS_DIALBACK, S2S_OPEN, dialback },
};

void s2s_out_element(struct s2s_stream *st, struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
		if (!(elements[i].states & (int)st->state) || !str_is(el->ns, elements[i].ns))
			continue;
		elements[i].handle(st, el);
		return;
	}
	s2s_error(st, "unsupported-stanza-type", NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Server dialback (XEP-0220 1.1.1, keys of XEP-0185 1.0) on streams that others opened, as receiving and as authoritative server, and
 * the shortcut of XEP-0344 §2.4: a certificate for the domain is proof enough. Answers that nobody asked for are dropped (§4.1). */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "xmpp/s2s_priv.h"

/* ---- domains of a stream ---- */

bool s2s_prove(struct s2s_stream *st, struct str remote, struct str local)
{
	struct s2s_domain *d = map_get(&st->verified, remote);

	if (!d && (st->verified.n >= S2S_VERIFIED_MAX || !s2s_count_in(st->s2s, arena_str(s2s_arena(st->s2s), remote).p)))
		return false;
	if (!d) {
		d = mem_zalloc(sizeof(*d) + remote.n + 1);
		memcpy(d->name, remote.p, remote.n);
		d->local = str_dup(local);
		map_put(&st->verified, str_of(d->name), d);
	}
	timer_set(&st->s2s->core->shard->loop, &st->timer, s2s_int(st->s2s, "s2s.keepalive"));
	return true;
}

void s2s_attach(struct s2s_stream *st)
{
	struct s2s_domain *d = st->remote ? map_get(&st->verified, str_of(st->remote)) : NULL;
	struct core *c = st->s2s->core;
	struct s2s_pair *p;

	if (!d || !st->wants_bidi || st->pair || core_shard_of(c, str_of(st->remote)) != c->shard)
		return;
	p = s2s_pair_get(st->s2s, str_of(d->local), str_of(d->name), true);
	if (p)
		s2s_pair_ready(p, st);
}

static void domain_free(struct s2s_domain *d)
{
	list_del(&d->link);
	free(d->local);
	free(d);
}

void s2s_domains_free(struct s2s_stream *st)
{
	struct s2s_domain *d;
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&st->verified, &pos, &key, &value)) {
		d = value;
		s2s_count_out(st->s2s, d->name);
		domain_free(d);
	}
	map_fini(&st->verified);
	list_each(d, &st->verifying, link)
		domain_free(d);
	st->verifying_n = 0;
}

/* ---- answers ---- */

static void say(struct s2s_stream *st, const char *what, struct str from, struct str to, const char *id, const char *type)
{
	s2s_printf(st, "<db:%s from='%.*s' to='%.*s'%s%s%s type='%s'/>", what, STR_ARG(s2s_quoted(st, from)), STR_ARG(s2s_quoted(st, to)),
		id ? " id='" : "", id ? s2s_quoted(st, str_of(id)).p : "", id ? "'" : "", type);
}

static void say_error(struct s2s_stream *st, const char *what, struct str from, struct str to, const char *id, const char *condition)
{
	s2s_printf(st,
		"<db:%s from='%.*s' to='%.*s'%s%s%s type='error'><error type='cancel'><%s xmlns='" NS_STANZA_ERRORS "'/></error></db:%s>",
		what, STR_ARG(s2s_quoted(st, from)), STR_ARG(s2s_quoted(st, to)), id ? " id='" : "", id ? s2s_quoted(st, str_of(id)).p : "",
		id ? "'" : "", condition, what);
}

/* ---- questions to the authoritative server ---- */

struct question_mail {
	struct mail mail;
	struct s2s_verify *v;
};

void s2s_verify_free(struct s2s_verify *v)
{
	free(v->local);
	free(v->remote);
	free(v->id);
	free(v->key);
	free(v);
}

static void on_discard(struct mail *m)
{
	s2s_verify_free(container_of(m, struct question_mail, mail)->v);
	free(m);
}

static void on_question(struct shard *sh, struct mail *m)
{
	struct s2s_verify *v = container_of(m, struct question_mail, mail)->v;
	struct s2s *s = s2s_of(sh->core);
	struct s2s_pair *p = s ? s2s_pair_get(s, str_of(v->local), str_of(v->remote), true) : NULL;

	free(m);
	if (p)
		s2s_pair_verify(p, v);
	else
		s2s_verify_done(v, "error", "resource-constraint");
}

static const struct mail_kind MAIL_QUESTION = { .name = "s2s.verify", .handle = on_question, .discard = on_discard, .must_arrive = true };

struct answer_mail {
	struct mail mail;
	struct s2s_verify *v;
	const char *outcome, *condition;
};

static void accept_domain(struct s2s_stream *st, struct str remote, struct str local)
{
	if (!s2s_prove(st, remote, local)) {
		say_error(st, "result", local, remote, NULL, "resource-constraint");
		return;
	}
	say(st, "result", local, remote, NULL, "valid");
	s2s_attach(st);
}

static void answered(struct s2s_stream *st, struct s2s_domain *d, const char *outcome, const char *condition)
{
	struct str local = str_of(d->local), remote = str_of(d->name);
	bool valid = strcmp(outcome, "valid") == 0, invalid = strcmp(outcome, "invalid") == 0;

	list_del(&d->link);
	st->verifying_n--;
	log_info("s2s.dialback", "remote=%s local=%s outcome=%s peer=%.*s", d->name, d->local, outcome, STR_ARG(conn_peer(st->conn)));
	if (valid && !st->remote)
		st->remote = str_dup(remote);
	if (valid) {
		accept_domain(st, remote, local);
	} else if (invalid && !st->verified.n) {
		say(st, "result", local, remote, NULL, "invalid");
		s2s_close(st, S2S_END_LOST, "dialback failed");
	} else {
		say_error(st, "result", local, remote, NULL, invalid ? "forbidden" : condition);
	}
	domain_free(d);
}

static void on_answer(struct shard *sh, struct mail *m)
{
	struct answer_mail *a = container_of(m, struct answer_mail, mail);
	struct s2s *s = s2s_of(sh->core);
	struct s2s_stream *st = s ? ids_get(&s->streams, a->v->stream) : NULL;
	struct s2s_domain *d, *found = NULL;

	if (st && str_is(str_of(a->v->id), st->id)) {
		list_each(d, &st->verifying, link)
			if (strcmp(d->name, a->v->remote) == 0 && strcmp(d->local, a->v->local) == 0)
				found = d;
	}
	if (found)
		answered(st, found, a->outcome, a->condition);
	s2s_verify_free(a->v);
	free(a);
}

static void on_answer_discard(struct mail *m)
{
	s2s_verify_free(container_of(m, struct answer_mail, mail)->v);
	free(m);
}

static const struct mail_kind MAIL_ANSWER = { .name = "s2s.verified", .handle = on_answer, .discard = on_answer_discard, .must_arrive = true };

void s2s_verify_done(struct s2s_verify *v, const char *outcome, const char *condition)
{
	struct answer_mail *a = mem_alloc(sizeof(*a));

	*a = (struct answer_mail){ .mail.kind = &MAIL_ANSWER, .v = v, .outcome = outcome, .condition = condition };
	shard_post(v->asker, &a->mail);
}

void s2s_dialback_verified(struct s2s_stream *st, struct xml *el)
{
	struct str id = xml_get(el, "id"), type = xml_get(el, "type");
	struct s2s_pair *p = st->pair;
	struct s2s_verify *v, *found = NULL;

	if (p) {
		list_each(v, &p->verifies, link)
			if (v->sent && str_is(id, v->id) && str_is(xml_get(el, "from"), v->remote) && str_is(xml_get(el, "to"), v->local))
				found = v;
	}
	if (!found) {
		log_warning("s2s.unsolicited", "remote=%s what=verify next=\"dropped\"", st->remote);
		return;
	}
	list_del(&found->link);
	if (str_is(type, "valid"))
		s2s_verify_done(found, "valid", NULL);
	else if (str_is(type, "invalid"))
		s2s_verify_done(found, "invalid", NULL);
	else
		s2s_verify_done(found, "error", "remote-server-not-found"); /* §2.4: error in step 3 */
}

/* ---- requests ---- */

static void ask(struct s2s_stream *st, struct str from, struct str to, struct str key)
{
	struct s2s_domain *d = mem_zalloc(sizeof(*d) + from.n + 1);
	struct s2s_verify *v = mem_zalloc(sizeof(*v));
	struct question_mail *m = mem_alloc(sizeof(*m));

	memcpy(d->name, from.p, from.n);
	d->local = str_dup(to);
	list_push(&st->verifying, &d->link);
	st->verifying_n++;
	v->asker = st->s2s->core->shard;
	v->stream = st->handle;
	v->local = str_dup(to);
	v->remote = str_dup(from);
	v->id = mem_strdup(st->id);
	v->key = str_dup(key);
	*m = (struct question_mail){ .mail.kind = &MAIL_QUESTION, .v = v };
	shard_post(core_shard_of(st->s2s->core, from), &m->mail);
}

static bool is_asked(const struct s2s_stream *st, struct str from, struct str to)
{
	struct s2s_domain *d;

	list_each(d, &st->verifying, link)
		if (str_is(from, d->name) && str_is(to, d->local))
			return true;
	return false;
}

/* Why this request is refused (§2.4), or NULL. */
static const char *refusal(struct s2s_stream *st, struct str from, struct str to)
{
	struct s2s *s = st->s2s;
	bool proved = tls_peer_proof(st->conn, arena_str(s2s_arena(s), from).p, NULL) >= TLS_PROOF_PKIX;

	if (!core_is_local(s->core, to))
		return "item-not-found";
	if (!st->secure && s2s_bool(s, "s2s.require_encryption"))
		return "policy-violation";
	if (core_is_local(s->core, from) || !s2s_allows(s, from))
		return "not-allowed";
	if (!proved && (s2s_bool(s, "s2s.require_certificate") || !s2s_bool(s, "s2s.dialback")))
		return "not-authorized";
	if (st->verified.n >= S2S_VERIFIED_MAX || st->verifying_n >= S2S_VERIFYING_MAX)
		return "resource-constraint";
	return NULL;
}

static void decide(struct s2s_stream *st, struct str from, struct str to, struct str key)
{
	bool proved = tls_peer_proof(st->conn, arena_str(s2s_arena(st->s2s), from).p, NULL) >= TLS_PROOF_PKIX;
	const char *why = refusal(st, from, to);

	if (why) {
		say_error(st, "result", to, from, NULL, why);
	} else if (proved || map_get(&st->verified, from)) {
		accept_domain(st, from, to);
	} else if (!is_asked(st, from, to)) {
		ask(st, from, to, key);
	}
}

static void on_home(struct s2s_stream *st)
{
	decide(st, str_of(st->held_from), str_of(st->held_to), str_of(st->held_key));
}

static void on_result(struct s2s_stream *st, struct str from, struct str to, struct str key)
{
	if (!st->remote)
		st->remote = str_dup(from);
	if (st->moved) {
		decide(st, from, to, key);
		return;
	}
	st->held_from = str_dup(from);
	st->held_to = str_dup(to);
	st->held_key = str_dup(key);
	s2s_move(st, on_home);
}

/* Step 2: is this key ours (§2.2.2)? */
static void on_verify(struct s2s_stream *st, struct xml *el, struct str from, struct str to, struct str key)
{
	struct str id = xml_get(el, "id");
	const char *own = arena_str(s2s_arena(st->s2s), id).p;

	if (!core_is_local(st->s2s->core, to))
		say_error(st, "verify", to, from, own, "item-not-found");
	else
		say(st, "verify", to, from, own, equal_ct(key, s2s_key(st->s2s, from, to, id)) ? "valid" : "invalid");
}

void s2s_dialback_in(struct s2s_stream *st, struct xml *el)
{
	struct arena *a = s2s_arena(st->s2s);
	struct str from, to, key = str_trim(xml_text_of(a, el));

	if (xml_get(el, "type").p) {
		log_warning("s2s.unsolicited", "remote=%s what=answer next=\"dropped\"", st->remote ? st->remote : "-");
		return;
	}
	if (xml_get(el, "from").n > S2S_HEAD_MAX || xml_get(el, "to").n > S2S_HEAD_MAX || key.n > S2S_ID_MAX ||
		xml_get(el, "id").n > S2S_ID_MAX || jid_nameprep(a, xml_get(el, "from"), &from) || jid_nameprep(a, xml_get(el, "to"), &to) ||
		!from.n || !to.n)
		s2s_error(st, "improper-addressing", NULL);
	else if (str_is(el->name, "result") && !st->outgoing)
		on_result(st, from, to, key);
	else if (str_is(el->name, "verify"))
		on_verify(st, el, from, to, key);
	else
		s2s_error(st, "unsupported-stanza-type", NULL);
}

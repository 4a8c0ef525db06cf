/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Resource binding and the XEP-0198 elements of a stream. */
#include "xmpp/bind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/csi.h"
#include "core/mam.h"
#include "core/offline.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"

enum { TAG_MAX = 64 };

/* ---- the session's link ---- */

static void ops_send(struct session *s, struct str head, struct str tail)
{
	struct stream *st = s->link;

	st->link->write_two(st, head, tail);
}

static void ops_close(struct session *s, const char *condition, const char *text)
{
	struct stream *st = s->link;

	st->session = NULL;
	if (condition)
		stream_error(st, condition, text);
	else
		stream_closed(st);
}

static void ops_pause(struct session *s, bool on)
{
	struct stream *st = s->link;

	if ((!st->conn && !st->link->move) || (!on && !st->pauses))
		return; /* the pause was of a link before this one */
	st->pauses = (uint8_t)(on ? st->pauses + 1 : st->pauses - 1);
	if (st->conn && on)
		conn_pause(st->conn);
	else if (st->conn)
		conn_resume(st->conn);
	if (!on && !st->pauses)
		stream_proceed(st);
}

static size_t ops_pending(struct session *s)
{
	struct stream *st = s->link;

	if (st->link->pending)
		return st->link->pending(st);
	return st->conn ? conn_out_pending(st->conn) : 0;
}

static struct str ops_peer(struct session *s)
{
	struct stream *st = s->link;

	return st->conn ? conn_peer(st->conn) : STR_NONE;
}

const struct session_ops stream_session_ops = {
	.send = ops_send, .close = ops_close, .pending = ops_pending, .pause = ops_pause, .peer = ops_peer,
};

static void bound(struct stream *st, struct session *s)
{
	st->session = s;
	st->state = STREAM_BOUND;
	st->pinged = false;
	timer_set(&st->core->shard->loop, &st->timer, (uint64_t)config_int(core_config(st->core), "limits.idle"));
	if (st->client)
		snprintf(s->client, sizeof(s->client), "%s", st->client);
	snprintf(s->app, sizeof(s->app), "%s", st->app); /* also of a session that is resumed */
}

static struct str own_bare(struct stream *st)
{
	return jid_make(core_arena(st->core), str_of(st->node), st->host->domain, STR_NONE).full;
}

/* ---- RFC 6120 §7 ---- */

/* A bind that waits for its user to be loaded. */
struct bind_wait {
	struct stream *st;
	char *id, *resource;
};

static void bind_reply(struct stream *st, struct str id, struct session *s, enum stanza_error e)
{
	struct arena *a = core_arena(st->core);
	struct xml *iq = xml_new(a, "iq", NS_CLIENT);

	xml_set(a, iq, "type", s ? STR("result") : STR("error"));
	xml_set(a, iq, "id", id);
	if (s)
		xml_add_text(a, xml_add(a, iq, "bind", NS_BIND), "jid", s->jid.full);
	else
		stanza_error_add(a, iq, e, NULL);
	stream_write_xml(st, iq);
}

static void on_bind_user(struct user *u, void *arg)
{
	struct bind_wait *w = arg;
	struct stream *st = w->st;
	struct session *s = NULL;

	if (!stream_woken(st))
		goto out;
	if (u && u->state == USER_READY)
		s = session_bind(u, str_of(w->resource), &stream_session_ops, st);
	if (!u || u->state != USER_READY)
		stream_error(st, "internal-server-error", "The account could not be loaded; try again.");
	else
		bind_reply(st, str_of(w->id), s, ERR_RESOURCE_CONSTRAINT);
	if (s)
		bound(st, s);
	stream_proceed(st);
out:
	free(w->id);
	free(w->resource);
	free(w);
}

void bind_element(struct stream *st, struct xml *el)
{
	struct arena *a = core_arena(st->core);
	struct xml *bind = str_is(el->name, "iq") && str_is(xml_get(el, "type"), "set") ? xml_child(el, "bind", NS_BIND) : NULL;
	struct str wanted, resource = STR_NONE, id = xml_get(el, "id");
	struct bind_wait *w;

	if (!bind) { /* RFC 6120 §7.1: nothing else before binding */
		stream_error(st, "not-authorized", "Bind a resource first.");
		return;
	}
	wanted = xml_child_text(a, bind, "resource", NULL);
	if (!id.p || (wanted.n && jid_resourceprep(a, wanted, &resource))) {
		bind_reply(st, id.p ? id : STR(""), NULL, ERR_BAD_REQUEST);
		return;
	}
	w = mem_zalloc(sizeof(*w));
	w->st = st;
	w->id = str_dup(id);
	w->resource = str_dup(resource);
	stream_wait(st);
	user_with(st->core, own_bare(st), on_bind_user, w);
}

/* ---- XEP-0198 ---- */

static void sm_failed(struct stream *st, const char *condition)
{
	struct arena *a = core_arena(st->core);
	struct xml *f = xml_new(a, "failed", NS_SM);

	xml_add(a, f, condition, NS_STANZA_ERRORS);
	stream_write_xml(st, f);
}

static struct xml *sm_enabled(struct arena *a, const struct session *s)
{
	struct xml *e = xml_new(a, "enabled", NS_SM);

	if (s->sm->id[0]) {
		xml_set(a, e, "id", str_of(s->sm->id));
		xml_set(a, e, "resume", STR("true"));
		xml_setf(a, e, "max", "%llu", (unsigned long long)s->sm->max_ms / 1000);
	}
	return e;
}

static int sm_enable(struct session *s, const struct xml *el)
{
	struct str resume = xml_get(el, "resume");
	uint64_t max = 0;

	str_u64(xml_get(el, "max"), 86400, &max);
	return session_sm_enable(s, str_is(resume, "true") || str_is(resume, "1"), max * 1000);
}

static void sm_enable_element(struct stream *st, struct xml *el)
{
	if (sm_enable(st->session, el))
		sm_failed(st, "unexpected-request");
	else
		stream_write_xml(st, sm_enabled(core_arena(st->core), st->session));
}

static void sm_too_high(struct stream *st, uint32_t h, uint32_t sent)
{
	struct buf b = { 0 };

	buf_printf(&b,
		"<stream:error%s><undefined-condition xmlns='" NS_STREAM_ERRORS "'/>"
		"<handled-count-too-high xmlns='" NS_SM "' h='%u' send-count='%u'/></stream:error>",
		st->link->websocket ? " xmlns:stream='" NS_STREAM "'" : "", h, sent);
	st->link->write(st, buf_view(&b));
	buf_free(&b);
	stream_closed(st);
}

static void sm_answer(struct stream *st, struct xml *el)
{
	uint64_t h;

	if (!st->session->sm || str_u64(xml_get(el, "h"), UINT32_MAX, &h))
		stream_error(st, "bad-format", NULL);
	else if (session_sm_acked(st->session, (uint32_t)h))
		sm_too_high(st, (uint32_t)h, st->session->sm->out);
}

static void sm_request(struct stream *st, struct xml *el)
{
	(void)el;
	if (st->session->sm)
		session_sm_asked(st->session);
	else
		stream_error(st, "bad-format", NULL);
}

static void sm_late_resume(struct stream *st, struct xml *el)
{
	(void)el;
	sm_failed(st, "unexpected-request"); /* XEP-0198 §5: only before binding */
}

void bind_sm_element(struct stream *st, struct xml *el)
{
	static const struct {
		const char *name;
		void (*handle)(struct stream *st, struct xml *el);
	} table[] = {
		{ "r", sm_request }, { "a", sm_answer }, { "enable", sm_enable_element }, { "resume", sm_late_resume },
	};

	st->session->active_ms = st->core->shard->loop.now_ms;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_is(el->name, table[i].name)) {
			table[i].handle(st, el);
			return;
		}
	stream_error(st, "unsupported-stanza-type", NULL);
}

struct session *bind_resumable(struct user *u, const struct xml *resume)
{
	return resume ? session_sm_find(u, xml_get(resume, "previd")) : NULL;
}

/* Attaches the stream to the session that <resume/> names. Returns <resumed/> or <failed/>; *out is the session or NULL. */
static struct xml *resume(struct stream *st, struct user *u, const struct xml *el, struct session **out)
{
	struct arena *a = core_arena(st->core);
	struct session *s = bind_resumable(u, el);
	struct xml *r;
	uint64_t h;
	int err = !s ? -ENOENT : str_u64(xml_get(el, "h"), UINT32_MAX, &h) ? -ERANGE : 0;

	*out = NULL;
	if (!err)
		err = session_sm_attach(s, (uint32_t)h, &stream_session_ops, st);
	if (err) {
		r = xml_new(a, "failed", NS_SM);
		xml_add(a, r, err == -ERANGE ? "bad-request" : "item-not-found", NS_STANZA_ERRORS);
		return r;
	}
	r = xml_new(a, "resumed", NS_SM);
	xml_set(a, r, "previd", str_of(s->sm->id));
	xml_setf(a, r, "h", "%u", s->sm->durable);
	*out = s;
	return r;
}

struct resume_wait {
	struct stream *st;
	char *text;
};

static void on_resume_user(struct user *u, void *arg)
{
	struct resume_wait *w = arg;
	struct stream *st = w->st;
	struct session *s;
	struct xml *el, *answer;

	if (stream_woken(st)) {
		if (!u || u->state != USER_READY || xml_parse(core_arena(st->core), str_of(w->text), &el)) {
			sm_failed(st, "item-not-found");
		} else {
			answer = resume(st, u, el, &s);
			stream_write_xml(st, answer);
			if (s) {
				bound(st, s);
				session_sm_replay(s);
			}
		}
		stream_proceed(st);
	}
	free(w->text);
	free(w);
}

static void on_resume_durable(struct session *s, void *arg)
{
	struct resume_wait *w = arg;

	(void)s;
	user_with(w->st->core, own_bare(w->st), on_resume_user, w);
}

void bind_resume_element(struct stream *st, struct xml *el)
{
	struct user *u = user_find(st->core, own_bare(st));
	struct session *old;
	struct resume_wait *w;
	struct buf text = { 0 };

	if (!str_is(el->name, "resume")) {
		sm_failed(st, "unexpected-request");
		return;
	}
	w = mem_zalloc(sizeof(*w));
	w->st = st;
	xml_write(&text, el, STR_NONE);
	buf_putc(&text, '\0');
	w->text = text.p;
	stream_wait(st);
	old = u ? bind_resumable(u, el) : NULL;
	if (old)
		session_sm_when_durable(old, on_resume_durable, w);
	else
		on_resume_durable(NULL, w);
}

/* ---- XEP-0386 ---- */

/* The tag, made safe, and a random part. */
static struct str new_resource(struct stream *st, const struct xml *bind)
{
	struct arena *a = core_arena(st->core);
	struct str tag = xml_child_text(a, bind, "tag", NULL), clean;

	if (tag.n == 0 || tag.n > TAG_MAX || jid_resourceprep(a, tag, &clean))
		return random_token(a, 12);
	return arena_printf(a, "%.*s/%.*s", STR_ARG(clean), STR_ARG(random_token(a, 9)));
}

/* XEP-0386: earlier sessions of the same client end. */
static void end_earlier(struct user *u, struct session *keep)
{
	struct session *s;

	list_each(s, &u->sessions, in_user)
		if (s != keep && keep->client[0] && strcmp(s->client, keep->client) == 0)
			session_kick(s, "conflict", "The same client signed in again.");
}

static struct session *bind2(struct stream *st, struct user *u, const struct xml *bind, struct xml *success,
	const struct archive_page *ends)
{
	struct arena *a = core_arena(st->core);
	struct session *s = session_bind(u, new_resource(st, bind), &stream_session_ops, st);
	struct xml *b, *enable;

	if (!s)
		return NULL;
	bound(st, s);
	end_earlier(u, s);
	s->archive_aware = true;
	b = xml_add(a, success, "bound", NS_BIND2);
	if (xml_child(bind, "enable", NS_CARBONS))
		s->carbons = true;
	csi_set(s, xml_child(bind, "inactive", NS_CSI) != NULL); /* XEP-0386 §4.2 */
	enable = xml_child(bind, "enable", NS_SM);
	if (enable) {
		sm_enable(s, enable);
		xml_append(b, sm_enabled(a, s));
	}
	mam_metadata_add(a, b, ends);
	return s;
}

struct session *bind_inline(struct stream *st, struct user *u, const struct xml *request, struct xml *success,
	const struct archive_page *ends, bool *out_replay)
{
	const struct xml *el = xml_child(request, "resume", NS_SM), *bind = xml_child(request, "bind", NS_BIND2);
	struct session *s = NULL;

	if (el) {
		xml_append(success, resume(st, u, el, &s));
		if (s) {
			bound(st, s);
			*out_replay = true;
			return s;
		}
	}
	return bind ? bind2(st, u, bind, success, ends) : NULL;
}

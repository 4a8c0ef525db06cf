/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages to a room and through it: to all, private ones, the subject (XEP-0045 §7.4, §7.5, §8.1; XEP-0359 0.7; XEP-0421 1.0.1).
 * The payload is written once and shared by all occupants and the archive. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

void room_refuse(struct transit *t, enum stanza_error e, const char *text)
{
	t->reason = stanza_error_name(e);
	router_error(t->core, t->st, e, text);
	transit_finish(t);
}

/* ---- to all ---- */

/* The payload with what the room adds; id 0: not archived. content is what the sender wrote. */
static struct blob *reflected_tail(const struct room *r, const struct occupant *o, struct str content, uint64_t id)
{
	struct buf b = { 0 };
	struct blob *tail;

	buf_str(&b, content);
	if (id) {
		buf_puts(&b, "<stanza-id xmlns='" NS_SID "' by='");
		xml_escape(&b, r->jid.full);
		buf_printf(&b, "' id='%llu'/>", (unsigned long long)id);
	}
	buf_printf(&b, "<occupant-id xmlns='" NS_OCCUPANT_ID "' id='%s'/></message>", o->id);
	tail = blob_new(b.p, b.n);
	buf_free(&b);
	return tail;
}

static void reflect_head(const struct stanza *st, const struct occupant *o, struct stanza *out)
{
	*out = (struct stanza){ .kind = ST_MESSAGE, .type = MSG_GROUPCHAT, .from = o->jid, .id = st->id, .lang = st->lang,
		.flags = st->flags, .origin_id = st->origin_id };
}

static bool is_subject_change(const struct stanza *st)
{
	return (st->flags & SF_SUBJECT) && !(st->flags & (SF_BODY | SF_THREAD));
}

/* §8.1. Returns false after refusing. */
static bool subject_is_allowed(struct room *r, struct transit *t, struct occupant *o)
{
	uint64_t now = r->core->shard->loop.now_ms;
	struct stanza *st = t->st;
	struct xml *tree = stanza_tree(st, core_arena(r->core));
	struct str text = tree ? xml_child_text(core_arena(r->core), tree, "subject", NULL) : STR_NONE;

	if (o->role < (r->cfg.change_subject ? ROLE_PARTICIPANT : ROLE_MODERATOR))
		room_refuse(t, ERR_FORBIDDEN, NULL);
	else if (text.n > MUC_SUBJECT_MAX)
		room_refuse(t, ERR_NOT_ACCEPTABLE, "The subject is too long.");
	else if (o->role < ROLE_MODERATOR && o->titled_ms && now < o->titled_ms + MUC_SUBJECT_AGAIN_MS)
		room_refuse(t, ERR_RESOURCE_CONSTRAINT, "You changed the subject a moment ago.");
	else {
		o->titled_ms = now;
		return true;
	}
	return false;
}

static void keep_subject(struct room *r, struct transit *t, struct stanza *out)
{
	blob_unref(r->subject);
	r->subject = stanza_pack(out);
	r->subject_ms = clock_wall_ms();
	room_save_subject(r, &t->batch);
}


static void on_barrier(struct shard *s, void *arg, int status)
{
	struct receipt *r = arg;

	(void)s;
	(void)status; /* the first copy's own answer tells of failures */
	receipt_done(*r);
	free(r);
}

/* A retry: its sender sees it again; it is acknowledged when what was stored before it is on disk. */
static void repeat(struct room *r, struct transit *t, struct seat *s, struct str content, uint64_t id)
{
	struct receipt *wait = mem_alloc(sizeof(*wait));
	struct stanza out;

	reflect_head(t->st, s->o, &out);
	out.tail = reflected_tail(r, s->o, content, id);
	room_send(r, s, &out);
	stanza_fini(&out);
	*wait = t->receipt;
	t->receipt = (struct receipt){ 0 };
	if (store_barrier(r->core->env->store, r->core->shard, on_barrier, wait))
		on_barrier(r->core->shard, wait, 0);
	transit_finish(t);
}

static void reflect(struct room *r, struct transit *t, struct seat *s, bool subject)
{
	struct stanza *st = t->st, out;
	struct blob *inner;
	uint64_t key, id = 0, now;

	mention_filter(r, st, s->o);
	inner = inner_of(r, st);
	key = seen_key(st->from, st, blob_view(inner));

	if (room_has_seen(r, key, &id)) {
		repeat(r, t, s, blob_view(inner), id);
		blob_unref(inner);
		return;
	}
	if (!talk_may(r, t, s->o)) {
		blob_unref(inner);
		return;
	}
	now = archive_id_new(r->core);
	if (room_keeps(r, st))
		id = now;
	room_remember(r, key, id);
	reflect_head(st, s->o, &out);
	out.tail = reflected_tail(r, s->o, blob_view(inner), id);
	blob_unref(inner);
	if (subject)
		keep_subject(r, t, &out);
	occupant_speaks(s->o);
	room_retracted(r, st);
	talk_count(r, &out, blob_view(out.tail), archive_id_ms(now));
	mention_forward(r, st, &out, now);
	room_archive(r, t, &out, now, key);
	room_broadcast(r, &out);
	stanza_fini(&out);
}

/* XEP-0425 §4: a moderation that its sender wrote himself. */
static bool is_forged(struct stanza *st)
{
	struct blob *tail = stanza_tail(st);

	return memmem(tail->p, tail->n, "<moderated", sizeof("<moderated") - 1) &&
		memmem(tail->p, tail->n, NS_MODERATE, sizeof(NS_MODERATE) - 1);
}

static void groupchat(struct room *r, struct transit *t)
{
	struct seat *s = seat_find(r, t->st->from);
	bool subject = is_subject_change(t->st);

	if (!s)
		room_refuse(t, ERR_NOT_ACCEPTABLE, "You are not in the room.");
	else if (s->o->role < ROLE_PARTICIPANT)
		room_refuse(t, ERR_FORBIDDEN, "You have no voice in this room.");
	else if (is_forged(t->st))
		room_refuse(t, ERR_FORBIDDEN, "Moderation is asked for by IQ.");
	else if (!subject || subject_is_allowed(r, t, s->o))
		reflect(r, t, s, subject);
}

/* ---- private messages (§7.5) ---- */

static bool pm_is_allowed(const struct room *r, const struct occupant *from, const struct occupant *to)
{
	switch ((enum allow_pm)r->cfg.allow_pm) {
	case PM_ANYONE: return true;
	case PM_PARTICIPANTS: return from->role >= ROLE_PARTICIPANT || to->role == ROLE_MODERATOR;
	case PM_MODERATORS: return from->role == ROLE_MODERATOR || to->role == ROLE_MODERATOR;
	case PM_NONE: return false;
	}
	return false;
}

static void deliver_pm(struct room *r, struct transit *t, const struct occupant *from, struct occupant *to)
{
	struct stanza out = { .kind = ST_MESSAGE, .type = t->st->type, .from = from->jid, .id = t->st->id, .lang = t->st->lang,
		.flags = t->st->flags | SF_MUC_USER, .origin_id = t->st->origin_id };
	struct blob *inner = inner_of(r, t->st);
	struct buf b = { 0 };
	struct seat *s;

	buf_str(&b, blob_view(inner));
	buf_printf(&b, "<x xmlns='" NS_MUC_USER "'/><occupant-id xmlns='" NS_OCCUPANT_ID "' id='%s'/></message>", from->id);
	out.tail = blob_new(b.p, b.n);
	buf_free(&b);
	blob_unref(inner);
	/* All sessions of the nick get it (§7.2.8); one goes the way of ordinary messages, to the archive. */
	list_each(s, &to->seats, in_occupant)
		if (s != to->shown)
			room_send(r, s, &out);
	out.to = to->shown->real.jid;
	transit_replace(t, &out);
	stanza_fini(&out);
}

static void private_message(struct room *r, struct transit *t)
{
	struct seat *s = seat_find(r, t->st->from);
	struct occupant *to = occupant_find(r, jid_resource(t->st->to));

	if (!s)
		room_refuse(t, ERR_NOT_ACCEPTABLE, "You are not in the room.");
	else if (t->st->type == MSG_GROUPCHAT)
		room_refuse(t, ERR_BAD_REQUEST, "Messages to all go to the room itself.");
	else if (!to)
		room_refuse(t, ERR_ITEM_NOT_FOUND, NULL);
	else if (!pm_is_allowed(r, s->o, to))
		room_refuse(t, ERR_FORBIDDEN, "Private messages are switched off in this room.");
	else
		deliver_pm(r, t, s->o, to);
}

/* ---- errors ---- */

/* Implementation notes, "Ghost Users": conditions that say that nobody is there. */
static bool means_gone(struct stanza *st, struct arena *a)
{
	static const enum stanza_error GONE[] = { ERR_GONE, ERR_ITEM_NOT_FOUND, ERR_RECIPIENT_UNAVAILABLE, ERR_REDIRECT,
		ERR_REMOTE_SERVER_NOT_FOUND, ERR_REMOTE_SERVER_TIMEOUT, ERR_SERVICE_UNAVAILABLE, ERR_JID_MALFORMED };
	struct xml *tree = stanza_tree(st, a), *error = tree ? xml_child(tree, "error", NULL) : NULL;

	for (size_t i = 0; error && i < ARRAY_LEN(GONE); i++)
		if (xml_child(error, stanza_error_name(GONE[i]), NS_STANZA_ERRORS))
			return true;
	return false;
}

static void error_back(struct room *r, struct transit *t)
{
	struct seat *s = seat_find(r, t->st->from);
	struct occupant *to = occupant_find(r, jid_resource(t->st->to));

	if (!s) {
		if (jid_is_bare(t->st->to))
			room_invite_failed(r, t->st);
		transit_finish(t);
	} else if (means_gone(t->st, core_arena(r->core))) {
		transit_finish(t);
		seat_remove(s, &(struct notice){ .type = PRES_UNAVAILABLE, .codes = { 333 } });
	} else if (to) {
		deliver_pm(r, t, s->o, to); /* the answer to a private message */
	} else {
		transit_finish(t);
	}
}

void room_status(struct room *r, const uint16_t *codes)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;
	struct xml *x;

	stanza_new(a, ST_MESSAGE, MSG_GROUPCHAT, &st);
	st.from = r->jid;
	x = xml_add(a, st.el, "x", NS_MUC_USER);
	for (; *codes; codes++)
		xml_setf(a, xml_add(a, x, "status", NULL), "code", "%u", *codes);
	room_broadcast(r, &st);
	stanza_fini(&st);
}

void room_message(struct room *r, struct transit *t)
{
	struct stanza *st = t->st;

	if (!st->flags && st->el)
		stanza_scan(st);
	if (st->type == MSG_ERROR)
		error_back(r, t);
	else if (r->state == ROOM_ABSENT)
		room_refuse(t, ERR_ITEM_NOT_FOUND, NULL);
	else if (!jid_is_bare(st->to))
		private_message(r, t);
	else if (st->type == MSG_GROUPCHAT)
		groupchat(r, t);
	else
		room_other_message(r, t);
}

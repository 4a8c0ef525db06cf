/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Taking words back: XEP-0425 0.3.0 by moderators, XEP-0424 0.4.2 by who said them. The row in the archive and the line of the history
 * for newcomers become tombstones; the retraction itself is archived as a message. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

/* A row is asked for: what is to become of it. */
struct retracting {
	struct iq_held *held; /* of a moderator; NULL: the author's own message, retraction holds its id */
	struct str author;    /* bare JID who may; with held NULL */
	struct str retraction; /* id of the retraction */
	uint64_t id;
	char *room;
	char bytes[];
};

static struct retracting *retracting_new(const struct room *r, uint64_t id, struct str author, struct str retraction)
{
	struct retracting *w = mem_alloc(sizeof(*w) + author.n + retraction.n);

	*w = (struct retracting){ .id = id, .room = str_dup(r->jid.full) };
	memcpy(w->bytes, author.p ? author.p : "", author.n);
	memcpy(w->bytes + author.n, retraction.p ? retraction.p : "", retraction.n);
	w->author = (struct str){ w->bytes, author.n };
	w->retraction = (struct str){ w->bytes + author.n, retraction.n };
	return w;
}

static void retracting_free(struct retracting *w)
{
	if (w->held)
		iq_held_free(w->held);
	free(w->room);
	free(w);
}

/* ---- tombstones ---- */

/* What remains of a message: who, when, and that it was taken back. mark: <retracted/>. New reference to stanza_pack bytes. */
static struct blob *tombstone(struct room *r, const struct archive_found *row, struct xml *mark)
{
	struct arena *a = core_arena(r->core);
	struct stanza was, st;
	struct blob *packed;
	struct xml *el;
	char id[48];

	if (stanza_unpack(row->stanza, &was))
		return NULL;
	stanza_new(a, ST_MESSAGE, MSG_GROUPCHAT, &st);
	st.from = was.from;
	st.id = was.id;
	el = xml_add(a, st.el, "stanza-id", NS_SID);
	xml_set(a, el, "by", r->jid.full);
	xml_set(a, el, "id", archive_id_str(a, row->id));
	if (row->with_full.p) {
		occupant_id(r, jid_bare(jid_trust(row->with_full)), id);
		xml_set(a, xml_add(a, st.el, "occupant-id", NS_OCCUPANT_ID), "id", arena_str(a, str_of(id)));
	}
	xml_append(st.el, mark);
	st.flags = SF_PAYLOAD;
	packed = stanza_pack(&st);
	stanza_fini(&st);
	stanza_fini(&was);
	return packed;
}

static void bury(struct room *r, const struct archive_found *row, struct xml *mark, struct store_batch *b)
{
	struct blob *packed = tombstone(r, row, mark);

	if (!packed)
		return;
	store_archive_replace(b, r->jid.full, row->id, packed);
	room_history_replace(r, row->id, packed);
	blob_unref(packed);
}

static struct xml *retracted_new(struct arena *a)
{
	struct xml *mark = xml_new(a, "retracted", NS_RETRACT);

	xml_set(a, mark, "stamp", time_format(a, clock_wall_ms()));
	return mark;
}

/* Is the row a message that may be taken back: no tombstone, no retraction? */
static bool is_message(struct room *r, const struct archive_found *row)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;
	struct xml *tree;
	bool yes;

	if (!row->with_full.p || stanza_unpack(row->stanza, &st))
		return false;
	tree = stanza_tree(&st, a);
	yes = tree && !xml_child(tree, "retracted", NS_RETRACT) && !xml_child(tree, "retract", NS_RETRACT);
	stanza_fini(&st);
	return yes;
}

/* ---- moderators ---- */

static struct xml *moderated_new(struct arena *a, const struct room *r, struct jid by, const struct seat *s)
{
	struct xml *el = xml_new(a, "moderated", NS_MODERATE);
	char id[48];

	if (!s) /* an admin from outside: no address of his is told */
		return el;
	occupant_id(r, jid_bare(by), id);
	xml_set(a, el, "by", s->o->jid.full);
	xml_set(a, xml_add(a, el, "occupant-id", NS_OCCUPANT_ID), "id", arena_str(a, str_of(id)));
	return el;
}

/* The room's own message that tells of it, also for the archive. */
static void announce(struct room *r, struct str which, struct xml *moderated, struct str reason, struct store_batch *b)
{
	struct arena *a = core_arena(r->core);
	uint64_t id = archive_id_new(r->core);
	struct blob *packed;
	struct stanza st;
	struct xml *el;

	stanza_new(a, ST_MESSAGE, MSG_GROUPCHAT, &st);
	st.from = r->jid;
	st.id = random_token(a, 16);
	el = xml_add(a, st.el, "retract", NS_RETRACT);
	xml_set(a, el, "id", which);
	xml_append(el, moderated);
	if (reason.n)
		xml_add_text(a, el, "reason", reason);
	el = xml_add(a, st.el, "stanza-id", NS_SID);
	xml_set(a, el, "by", r->jid.full);
	xml_set(a, el, "id", archive_id_str(a, id));
	st.flags = SF_PAYLOAD;
	packed = stanza_pack(&st);
	store_archive(b, &(struct archive_row){ .owner = r->jid.full, .id = id, .with = r->jid.full, .stanza = packed });
	room_broadcast(r, &st);
	blob_unref(packed);
	stanza_fini(&st);
}

static void do_moderate(struct room *r, struct iq *iq, const struct archive_found *row)
{
	struct arena *a = core_arena(r->core);
	struct seat *s = seat_find(r, iq->st->from);
	struct str reason = xml_child_text(a, iq->el, "reason", NULL);
	struct xml *mark = retracted_new(a), *moderated = moderated_new(a, r, iq->st->from, s);
	struct store_batch *b = store_batch_new();

	xml_append(mark, xml_copy(a, moderated));
	if (reason.n)
		xml_add_text(a, mark, "reason", reason);
	bury(r, row, mark, b);
	announce(r, archive_id_str(a, row->id), moderated, reason, b);
	log_info("muc.moderate", "room=%.*s id=%llu", STR_ARG(r->jid.full), (unsigned long long)row->id);
	room_commit(r, b, iq);
}

static bool may_moderate(const struct room *r, struct jid who)
{
	const struct seat *s = seat_find(r, who);

	return (s && s->o->role == ROLE_MODERATOR) || room_affil_of(r, who) >= AFFIL_ADMIN;
}

static void moderate_row(struct room *r, struct iq *iq, const struct archive_found *row)
{
	struct jid by = iq->st->from;

	if (!may_moderate(r, by))
		iq_error(iq, ERR_FORBIDDEN, "Only moderators are allowed to moderate other participants' messages.");
	else if (!row || !is_message(r, row))
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	else if (room_affil_of(r, jid_trust(row->with_full)) > room_affil_of(r, by)) /* as for kicks, §8.2 */
		iq_error(iq, ERR_NOT_ALLOWED, NULL);
	else
		do_moderate(r, iq, row);
}

/* ---- authors ---- */

static void retract_row(struct room *r, const struct retracting *w, const struct archive_found *row)
{
	struct arena *a = core_arena(r->core);
	struct store_batch *b;
	struct xml *mark;

	if (!row || !is_message(r, row) || !str_eq(jid_bare_str(jid_trust(row->with_full)), w->author))
		return;
	mark = retracted_new(a);
	if (w->retraction.n)
		xml_set(a, mark, "id", arena_str(a, w->retraction));
	b = store_batch_new();
	bury(r, row, mark, b);
	room_commit(r, b, NULL);
}

/* ---- both ---- */

/* The row was read, or is not there. */
struct reading {
	struct retracting *w;
	struct iq *iq;
	const struct archive_found *row;
};

static void with_row(struct room *r, void *arg)
{
	struct reading *x = arg;

	if (x->iq)
		moderate_row(r, x->iq, x->row);
	else
		retract_row(r, x->w, x->row);
}

static void on_row(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct retracting *w = arg;
	struct muc *m = s->core->slot[SLOT_MUC];
	struct room *r = m ? map_get(&m->rooms, str_of(w->room)) : NULL;
	struct reading x = { .w = w, .iq = w->held ? iq_wake(w->held) : NULL, .row = !status && page->n ? &page->v[0] : NULL };

	if (r && r->state == ROOM_OPEN)
		room_do(r, with_row, &x);
	else if (x.iq)
		iq_error(x.iq, ERR_ITEM_NOT_FOUND, NULL);
	retracting_free(w);
}

static void ask(struct room *r, struct retracting *w)
{
	struct archive_query q = { .owner = r->jid.full, .end_id = UINT64_MAX, .before_id = UINT64_MAX, .ids = &w->id, .ids_n = 1,
		.limit = 1 };

	if (!store_query(r->core->env->store, r->core->shard, &q, on_row, w))
		return;
	if (w->held)
		iq_error(iq_wake(w->held), ERR_RESOURCE_CONSTRAINT, NULL);
	retracting_free(w);
}

void room_moderate(struct room *r, struct iq *iq)
{
	struct retracting *w;
	uint64_t id;

	if (!may_moderate(r, iq->st->from))
		iq_error(iq, ERR_FORBIDDEN, "Only moderators are allowed to moderate other participants' messages.");
	else if (!xml_is(iq->el, "moderate", NS_MODERATE) || !xml_child(iq->el, "retract", NS_RETRACT))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (xml_child_text(core_arena(r->core), iq->el, "reason", NULL).n > MUC_REASON_MAX)
		iq_error(iq, ERR_NOT_ACCEPTABLE, "The reason is too long.");
	else if (archive_id_parse(xml_get(iq->el, "id"), &id))
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	else {
		w = retracting_new(r, id, STR_NONE, STR_NONE);
		w->held = iq_hold(iq, NULL);
		ask(r, w);
	}
}

void room_retracted(struct room *r, struct stanza *st)
{
	struct blob *tail = stanza_tail(st);
	struct xml *tree, *el;
	uint64_t id;

	if (!memmem(tail->p, tail->n, NS_RETRACT, sizeof(NS_RETRACT) - 1))
		return;
	tree = stanza_tree(st, core_arena(r->core));
	el = tree ? xml_child(tree, "retract", NS_RETRACT) : NULL;
	if (el && !archive_id_parse(xml_get(el, "id"), &id))
		ask(r, retracting_new(r, id, jid_bare_str(st->from), st->id));
}

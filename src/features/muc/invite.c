/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages to a room that are for somebody else: invitations and what is answered to them (XEP-0045 §7.8.2). Requests
 * for voice are in voice.c, approvals of registrations in register.c. */
#include <stdlib.h>

#include "base/mem.h"
#include "core/ephemeral.h"
#include "core/retract.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"


void transit_replace(struct transit *t, struct stanza *st)
{
	struct transit next = { .core = t->core, .st = st, .receipt = t->receipt, .batch = t->batch };

	if (t->sent_id) { /* what transit_finish would have written, but with the recipient's row in one batch */
		struct blob *packed = stanza_pack(t->st);

		store_archive(transit_batch(&next), &(struct archive_row){ .owner = jid_bare_str(t->st->from), .id = t->sent_id,
			.with = jid_bare_str(t->st->to), .with_full = jid_is_bare(t->st->to) ? STR_NONE : t->st->to.full,
			.origin = t->st->origin_id, .outgoing = 1, .stanza = packed });
		ephemeral_note(t->core, next.batch, jid_bare_str(t->st->from), t->sent_id, t->st);
		retract_begin(&(struct transit){ .core = t->core, .st = t->st, .sent_id = t->sent_id });
		blob_unref(packed);
	}
	t->batch = NULL;
	t->sent_id = 0;
	t->receipt = (struct receipt){ 0 };
	router_route_transit(&next);
}

/* ---- invitations ---- */

static void copy_children(struct arena *a, struct xml *to, const struct xml *from)
{
	static const char *const NAMES[] = { "reason", "continue" };

	for (size_t i = 0; from && i < ARRAY_LEN(NAMES); i++) {
		struct xml *el = xml_child(from, NAMES[i], NULL);

		if (el && xml_text_of(a, el).n <= MUC_REASON_MAX)
			xml_append(to, xml_copy(a, el));
	}
}

/* The room's message to the invitee; t NULL: not in place of another message. */
void room_invite(struct room *r, struct str from, struct jid to, const struct xml *invite, struct transit *t)
{
	struct str id = t ? t->st->id : STR_NONE;
	struct arena *a = core_arena(r->core);
	struct stanza out;
	struct xml *x, *el;

	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &out);
	out.from = r->jid;
	out.to = to;
	if (id.p)
		out.id = id;
	x = xml_add(a, out.el, "x", NS_MUC_USER);
	el = xml_add(a, x, "invite", NULL);
	xml_set(a, el, "from", from);
	copy_children(a, el, invite);
	if (r->cfg.password_protected)
		xml_add_text(a, x, "password", str_of(r->cfg.secret));
	stanza_scan(&out);
	if (t)
		transit_replace(t, &out);
	else
		router_route(r->core, &out);
	stanza_fini(&out);
}

/* ---- invitations that found nobody ---- */

struct invited {
	struct jid by, to; /* full; bare */
	struct str id;
	char bytes[];
};

void invited_free(struct room *r)
{
	for (int i = 0; i < MUC_INVITED_MAX; i++) {
		free(r->invited[i]);
		r->invited[i] = NULL;
	}
}

static void remember(struct room *r, const struct stanza *st, struct jid to)
{
	struct invited **slot = &r->invited[r->invited_at++ % MUC_INVITED_MAX], *v;
	struct str bare = jid_bare_str(to);

	free(*slot);
	v = *slot = mem_alloc(sizeof(*v) + st->from.full.n + bare.n + st->id.n);
	*v = (struct invited){ .by = st->from, .to = jid_bare(to), .id = st->id };
	v->by.full.p = memcpy(v->bytes, st->from.full.p, st->from.full.n);
	v->to.full.p = memcpy(v->bytes + st->from.full.n, bare.p, bare.n);
	if (st->id.n)
		v->id.p = memcpy(v->bytes + st->from.full.n + bare.n, st->id.p, st->id.n);
}

/* §7.8.2: the inviter hears that there is no such address. */
void room_invite_failed(struct room *r, const struct stanza *error)
{
	for (int i = 0; i < MUC_INVITED_MAX; i++) {
		struct invited *v = r->invited[i];
		struct stanza out;

		if (!v || !str_eq(v->to.full, jid_bare_str(error->from)) || !str_eq(v->id, error->id))
			continue;
		stanza_new(core_arena(r->core), ST_MESSAGE, MSG_ERROR, &out);
		out.from = r->jid;
		out.to = v->by;
		out.id = v->id;
		stanza_error_add(core_arena(r->core), out.el, ERR_ITEM_NOT_FOUND, NULL);
		r->invited[i] = NULL;
		if (seat_find(r, v->by))
			router_route(r->core, &out);
		stanza_fini(&out);
		free(v);
		return;
	}
}

/* §9.5: members of a members-only room may bring people only if the room says so; who is brought becomes a member. */
static bool may_invite(const struct room *r, const struct occupant *o)
{
	return o->affil >= AFFIL_ADMIN || (r->cfg.allow_invites && (!r->cfg.members_only || o->affil >= AFFIL_MEMBER));
}

static void admit(struct room *r, struct jid invitee)
{
	struct store_batch *b = NULL;
	struct str bare = jid_bare_str(invitee);

	if (!r->cfg.members_only || room_affil_of(r, invitee) != AFFIL_NONE)
		return;
	if (!room_affil_do(r, &(struct affil_deed){ .bare = bare, .to = AFFIL_MEMBER }, &b))
		room_commit(r, b, NULL);
}

static void invite_all(struct room *r, struct transit *t, const struct occupant *o, const struct xml *x)
{
	struct arena *a = core_arena(r->core);
	/* In a semi-anonymous room the inviter's address is its owner's to tell. */
	struct str from = o->real.full;
	int n = 0;

	for (struct xml *el = xml_child(x, "invite", NULL); el; el = xml_next_same(el)) {
		struct jid to;

		if (n++ == MUC_INVITES_MAX || jid_parse(a, xml_get(el, "to"), &to)) {
			room_refuse(t, n > MUC_INVITES_MAX ? ERR_POLICY_VIOLATION : ERR_JID_MALFORMED, NULL);
			return;
		}
	}
	for (struct xml *el = xml_child(x, "invite", NULL); el; el = xml_next_same(el)) {
		struct jid to;

		if (jid_parse(a, xml_get(el, "to"), &to))
			continue;
		admit(r, to);
		remember(r, t->st, to);
		room_invite(r, from, to, el, xml_next_same(el) ? NULL : t);
	}
}

static void invite(struct room *r, struct transit *t, const struct xml *x)
{
	struct seat *s = seat_find(r, t->st->from);

	if (!s)
		room_refuse(t, ERR_NOT_ACCEPTABLE, "You are not in the room.");
	else if (!may_invite(r, s->o))
		room_refuse(t, ERR_FORBIDDEN, NULL);
	else
		invite_all(r, t, s->o, x);
}

/* Somebody whom the room knows: else it would carry anybody's words to anybody. */
static bool is_known(const struct room *r, struct jid who)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (room_affil_of(r, who) >= AFFIL_MEMBER)
		return true;
	while (map_next(&r->nicks, &pos, &key, &value))
		if (jid_bare_eq(((struct occupant *)value)->real, who))
			return true;
	return false;
}

static void decline(struct room *r, struct transit *t, const struct xml *x)
{
	struct arena *a = core_arena(r->core);
	const struct xml *given = xml_child(x, "decline", NULL);
	struct stanza out;
	struct xml *el;
	struct jid to;

	if (jid_parse(a, xml_get(given, "to"), &to)) {
		room_refuse(t, ERR_JID_MALFORMED, NULL);
		return;
	}
	if (jid_bare_eq(to, r->jid)) { /* by occupant JID */
		struct occupant *o = occupant_find(r, jid_resource(to));

		if (!o) {
			room_refuse(t, ERR_ITEM_NOT_FOUND, NULL);
			return;
		}
		to = o->shown->real.jid;
	} else if (!is_known(r, to)) {
		room_refuse(t, ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &out);
	out.from = r->jid;
	out.to = to;
	out.id = t->st->id;
	el = xml_add(a, xml_add(a, out.el, "x", NS_MUC_USER), "decline", NULL);
	xml_set(a, el, "from", jid_bare_str(t->st->from));
	copy_children(a, el, given);
	stanza_scan(&out);
	transit_replace(t, &out);
	stanza_fini(&out);
}

void room_other_message(struct room *r, struct transit *t)
{
	struct xml *tree = stanza_tree(t->st, core_arena(r->core));
	struct xml *x = tree ? xml_child(tree, "x", NS_MUC_USER) : NULL;
	struct xml *form = tree ? form_find(tree, "submit", NS_MUC_REQUEST) : NULL;

	if (x && xml_child(x, "invite", NULL))
		invite(r, t, x);
	else if (x && xml_child(x, "decline", NULL))
		decline(r, t, x);
	else if (form)
		room_voice(r, t, form);
	else if (tree && (form = form_find(tree, "submit", NS_MUC_REGISTER)))
		room_approve(r, t, form);
	else
		room_refuse(t, ERR_BAD_REQUEST, "Messages to all are of type groupchat.");
}

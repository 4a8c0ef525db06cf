/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §7.10: becoming a member with a nickname of one's own, §9.9: approval by admins, and §7.12: finding the nick again.
 * Who waits for approval is a row: owner = room, kind "apply", key bare JID, value the nick. */
#include <stdlib.h>

#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/look.h"
#include "proto/xmpp/ns.h"

struct applicant {
	char *nick, *look;
	struct str bare;
	char bytes[];
};

/* What an applicant may tell of himself, for the admins to read. */
static const struct {
	const char *var, *label, *type;
} ABOUT[] = {
	{ "muc#register_first", "Given name", "text-single" },
	{ "muc#register_last", "Family name", "text-single" },
	{ "muc#register_url", "Web page", "text-single" },
	{ "muc#register_email", "Email address", "text-single" },
	{ "muc#register_faqentry", "About you", "text-multi" },
};

/* ---- those who wait ---- */

static void applicant_free(struct applicant *p)
{
	free(p->nick);
	free(p->look);
	free(p);
}

void applicants_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->applicants, &pos, &key, &value))
		applicant_free(value);
	map_fini(&r->applicants);
}

void applicant_load(struct room *r, struct str bare, struct str nick)
{
	struct applicant *p = map_get(&r->applicants, bare);

	if (!p) {
		p = mem_zalloc(sizeof(*p) + bare.n);
		memcpy(p->bytes, bare.p, bare.n);
		p->bare = (struct str){ p->bytes, bare.n };
		map_put(&r->applicants, p->bare, p);
	}
	free(p->nick);
	free(p->look);
	p->nick = str_dup(nick);
	p->look = str_dup(nick_look(core_arena(r->core), nick));
}

void applicants_save(struct room *r, struct store_batch *b)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->applicants, &pos, &key, &value))
		store_put(b, r->jid.full, STR("apply"), key, str_of(((struct applicant *)value)->nick));
}

static void applicant_del(struct room *r, struct str bare, struct store_batch **b)
{
	struct applicant *p = map_del(&r->applicants, bare);

	if (!p)
		return;
	if (r->saved)
		store_del(room_batch(b), r->jid.full, STR("apply"), bare);
	applicant_free(p);
}

static struct applicant *applicant_by_nick(const struct room *r, struct str nick)
{
	struct str look = nick_look(core_arena(r->core), nick), key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&r->applicants, &pos, &key, &value))
		if (str_is(look, ((struct applicant *)value)->look))
			return value;
	return NULL;
}

/* ---- who may ---- */

static bool is_member(const struct affil_entry *e)
{
	return e && e->affil >= AFFIL_MEMBER;
}

static bool may_register(const struct room *r, const struct affil_entry *e, struct jid who)
{
	return is_member(e) || (r->cfg.apply != APPLY_CLOSED && room_affil_of(r, who) != AFFIL_OUTCAST);
}

/* This door does not open a closed room by itself. */
static bool needs_approval(const struct room *r)
{
	return r->cfg.apply == APPLY_APPROVE || r->cfg.members_only || r->cfg.password_protected;
}

/* ---- the form ---- */

static void get(struct room *r, struct iq *iq, const struct affil_entry *e)
{
	struct arena *a = core_arena(r->core);
	struct xml *query = xml_new(a, "query", NS_REGISTER), *form, *field;

	if (is_member(e)) {
		xml_add(a, query, "registered", NULL);
		if (e->nick)
			xml_add_text(a, query, "username", str_of(e->nick));
	}
	form = form_new(a, query, "form", NS_MUC_REGISTER);
	xml_add_text(a, form, "title", arena_printf(a, "Registration with %.*s", STR_ARG(room_title(r))));
	field = form_field(a, form, "text-single", "muc#register_roomnick", "Desired nickname",
		e && e->nick ? str_of(e->nick) : STR_NONE);
	xml_add(a, field, "required", NULL);
	for (size_t i = 0; !is_member(e) && needs_approval(r) && i < ARRAY_LEN(ABOUT); i++)
		form_field(a, form, ABOUT[i].type, ABOUT[i].var, ABOUT[i].label, STR_NONE);
	iq_result(iq, query);
}

/* ---- at once ---- */

static void change(struct room *r, struct iq *iq, enum affil to, struct str nick)
{
	struct affil_deed d = { .bare = jid_bare_str(iq->st->from), .to = to, .nick = nick };
	struct seat *s = seat_find(r, iq->st->from);
	struct store_batch *b = NULL;

	applicant_del(r, d.bare, &b);
	if (room_affil_do(r, &d, &b)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		return;
	}
	room_commit(r, b, iq);
	if (r->cfg.lock_nicks && nick.n && s && !str_eq(nick, jid_resource(s->o->jid)) && !occupant_find(r, nick))
		room_nick(s->o, nick, NULL, true); /* §7.10: status 210 */
}

/* ---- by approval ---- */

static void ask_form(struct room *r, const struct applicant *p, const struct xml *given, struct xml *parent)
{
	struct arena *a = core_arena(r->core);
	struct xml *form = form_new(a, parent, "form", NS_MUC_REGISTER);

	xml_add_text(a, form, "title", STR("Registration request"));
	xml_add_text(a, form, "instructions",
		STR("To approve this request, select \"Allow this person to register with the room?\" and submit the form."));
	form_field(a, form, "jid-single", "muc#jid", "User ID", p->bare);
	form_field(a, form, "text-single", "muc#register_roomnick", "Desired nickname", str_of(p->nick));
	for (size_t i = 0; i < ARRAY_LEN(ABOUT); i++) {
		struct str v = form_value(a, given, ABOUT[i].var);

		if (v.n && v.n <= MUC_REASON_MAX)
			form_field(a, form, ABOUT[i].type, ABOUT[i].var, ABOUT[i].label, v);
	}
	form_field(a, form, "boolean", "muc#register_allow", "Allow this person to register with the room?", STR("0"));
}

/* To the admins inside; when none is, to the accounts of all. */
static void ask_admins(struct room *r, struct stanza *st)
{
	uint32_t pos = 0, asked = 0, mailed = 0;
	struct str key;
	void *value;

	for (uint32_t i = 0; i < r->seats_n; i++) {
		if (r->seats[i]->o->affil < AFFIL_ADMIN)
			continue;
		room_send(r, r->seats[i], st);
		asked++;
	}
	while (!asked && map_next(&r->affils, &pos, &key, &value) && mailed < MUC_ADMINS_ASKED_MAX) {
		if (((struct affil_entry *)value)->affil < AFFIL_ADMIN)
			continue;
		st->to = jid_trust(key);
		router_route(r->core, st);
		mailed++;
	}
}

static void apply(struct room *r, struct iq *iq, struct str nick, const struct xml *given)
{
	struct str bare = jid_bare_str(iq->st->from);
	struct applicant *p = map_get(&r->applicants, bare);
	bool news = !p || !str_is(nick, p->nick);
	struct store_batch *b = NULL;
	struct stanza st;

	if (!p && r->applicants.n >= MUC_APPLICANTS_MAX) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "Too many requests wait for the room's admins.");
		return;
	}
	if (news) {
		applicant_load(r, bare, nick);
		p = map_get(&r->applicants, bare);
		if (r->saved)
			store_put(room_batch(&b), r->jid.full, STR("apply"), p->bare, nick);
		stanza_new(core_arena(r->core), ST_MESSAGE, MSG_NORMAL, &st);
		st.from = r->jid;
		ask_form(r, p, given, st.el);
		ask_admins(r, &st);
		stanza_fini(&st);
	}
	room_commit(r, b, iq);
}

void room_approve(struct room *r, struct transit *t, const struct xml *form)
{
	struct arena *a = core_arena(r->core);
	struct seat *s = seat_find(r, t->st->from);
	struct str jid = str_trim(form_value(a, form, "muc#jid"));
	struct applicant *p = jid.n ? map_get(&r->applicants, jid)
				    : applicant_by_nick(r, form_value(a, form, "muc#register_roomnick"));
	struct affil_deed d = { .to = AFFIL_MEMBER, .by = jid_bare_str(t->st->from) };
	struct store_batch *b = NULL;
	bool allow = false;

	if (room_affil_of(r, t->st->from) < AFFIL_ADMIN) {
		room_refuse(t, ERR_FORBIDDEN, NULL);
		return;
	}
	if (!p) {
		room_refuse(t, ERR_ITEM_NOT_FOUND, "This request was dealt with already.");
		return;
	}
	form_bool(a, form, "muc#register_allow", &allow);
	d.bare = arena_str(a, p->bare);
	d.nick = nick_is_taken(r, str_of(p->nick), p->bare) ? STR_NONE : arena_str(a, str_of(p->nick));
	d.actor = s ? arena_str(a, jid_resource(s->o->jid)) : STR_NONE;
	applicant_del(r, d.bare, &b);
	if (allow && room_affil_of(r, jid_trust(d.bare)) == AFFIL_NONE)
		room_affil_do(r, &d, &b);
	room_commit(r, b, NULL);
	transit_finish(t);
}

/* ---- requests ---- */

static void leave(struct room *r, struct iq *iq, const struct affil_entry *e)
{
	struct store_batch *b = NULL;

	applicant_del(r, jid_bare_str(iq->st->from), &b);
	if (is_member(e)) {
		room_commit(r, b, NULL);
		change(r, iq, e->affil > AFFIL_MEMBER ? e->affil : AFFIL_NONE, STR(""));
	} else {
		room_commit(r, b, iq);
	}
}

static void set(struct room *r, struct iq *iq, const struct affil_entry *e)
{
	struct arena *a = core_arena(r->core);
	struct xml *form = form_find(iq->el, "submit", NS_MUC_REGISTER);
	struct str nick = form ? form_value(a, form, "muc#register_roomnick") : STR_NONE, bare = jid_bare_str(iq->st->from);
	const struct applicant *other;

	if (xml_child(iq->el, "remove", NULL)) {
		leave(r, iq, e);
		return;
	}
	if (!nick.p || str_trim(nick).n == 0) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	if (jid_resourceprep(a, nick, &nick) || nick.n > MUC_NICK_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, NULL);
		return;
	}
	other = applicant_by_nick(r, nick);
	if (nick_is_taken(r, nick, bare) || (other && !str_eq(other->bare, bare)))
		iq_error(iq, ERR_CONFLICT, NULL);
	else if (is_member(e) || !needs_approval(r))
		change(r, iq, is_member(e) ? e->affil : AFFIL_MEMBER, nick);
	else
		apply(r, iq, nick, form);
}

void room_register(struct room *r, struct iq *iq)
{
	struct affil_entry *e = room_affil(r, jid_bare_str(iq->st->from));

	if (!may_register(r, e, iq->st->from))
		iq_error(iq, ERR_NOT_ALLOWED, NULL);
	else if (iq->st->type == IQ_GET)
		get(r, iq, e);
	else
		set(r, iq, e);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §7.10: becoming a member with a nickname of one's own, and §7.12: finding it again. */
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"


static bool is_member(const struct affil_entry *e)
{
	return e && e->affil >= AFFIL_MEMBER;
}

/* Into a members-only room its admins bring people; this door would make it open. */
static bool may_register(const struct room *r, const struct affil_entry *e, struct jid who)
{
	return is_member(e) || (!r->cfg.members_only && !r->cfg.password_protected && room_affil_of(r, who) == AFFIL_NONE);
}

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
	field = form_field(a, form, "text-single", "muc#register_roomnick", "Desired nickname",
		e && e->nick ? str_of(e->nick) : STR_NONE);
	xml_add(a, field, "required", NULL);
	iq_result(iq, query);
}

static void change(struct room *r, struct iq *iq, enum affil to, struct str nick)
{
	struct affil_deed d = { .bare = jid_bare_str(iq->st->from), .to = to, .nick = nick };
	struct store_batch *b = NULL;

	if (room_affil_do(r, &d, &b))
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
	else
		room_commit(r, b, iq);
}

static void set(struct room *r, struct iq *iq, const struct affil_entry *e)
{
	struct arena *a = core_arena(r->core);
	struct xml *form = form_find(iq->el, "submit", NS_MUC_REGISTER);
	struct str nick;

	if (xml_child(iq->el, "remove", NULL)) {
		change(r, iq, e && e->affil > AFFIL_MEMBER ? e->affil : AFFIL_NONE, STR(""));
		return;
	}
	nick = form ? form_value(a, form, "muc#register_roomnick") : STR_NONE;
	if (!nick.p || str_trim(nick).n == 0) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	if (jid_resourceprep(a, nick, &nick) || nick.n > MUC_NICK_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, NULL);
		return;
	}
	if (nick_is_taken(r, nick, jid_bare_str(iq->st->from)))
		iq_error(iq, ERR_CONFLICT, NULL);
	else
		change(r, iq, is_member(e) ? e->affil : AFFIL_MEMBER, nick);
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

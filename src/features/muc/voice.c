/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Voice: asking for it and giving it (XEP-0045 §7.13, §8.6), and who had it in a moderated room (§5.1: SHOULD outlast a visit).
 * Rows: owner = room, kind "voice", key bare JID, value the digit of the role. */
#include <stdlib.h>

#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* ---- what is remembered ---- */

struct voice {
	enum role role;
	struct str bare;
	char bytes[];
};

void voice_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->voices, &pos, &key, &value))
		free(value);
	map_fini(&r->voices);
}

void voice_load(struct room *r, struct str bare, enum role role)
{
	struct voice *v = map_get(&r->voices, bare);

	if (role != ROLE_VISITOR && role != ROLE_PARTICIPANT)
		return;
	if (!v && r->voices.n >= MUC_VOICES_MAX)
		return;
	if (!v) {
		v = mem_zalloc(sizeof(*v) + bare.n);
		memcpy(v->bytes, bare.p, bare.n);
		v->bare = (struct str){ v->bytes, bare.n };
		map_put(&r->voices, v->bare, v);
	}
	v->role = role;
}

static void put(struct room *r, struct store_batch *b, const struct voice *v)
{
	char digit = (char)('0' + v->role);

	store_put(b, r->jid.full, STR("voice"), v->bare, (struct str){ &digit, 1 });
}

void voices_save(struct room *r, struct store_batch *b)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->voices, &pos, &key, &value))
		put(r, b, value);
}

void voice_changed(struct occupant *o)
{
	struct room *r = o->room;
	struct store_batch *b = NULL;
	struct voice *v;

	if (!r->cfg.moderated || o->affil >= AFFIL_ADMIN || o->role == ROLE_NONE || o->role == ROLE_MODERATOR)
		return;
	voice_load(r, o->real.full, o->role);
	v = map_get(&r->voices, o->real.full);
	if (!v || !r->saved)
		return;
	put(r, room_batch(&b), v);
	room_commit(r, b, NULL);
}

void voice_forget(struct room *r, struct str bare, struct store_batch **b)
{
	struct voice *v = map_del(&r->voices, bare);

	if (v && r->saved)
		store_del(room_batch(b), r->jid.full, STR("voice"), bare);
	free(v);
}

enum role voice_role(const struct room *r, struct str bare, enum affil affil)
{
	enum role role = role_initial(r->cfg.moderated, affil);
	const struct voice *v = r->cfg.moderated && affil < AFFIL_ADMIN && role != ROLE_NONE ? map_get(&r->voices, bare) : NULL;

	return v ? v->role : role;
}

/* ---- asking and giving ---- */

static void ask_moderators(struct room *r, const struct seat *s)
{
	struct arena *a = core_arena(r->core);
	struct stanza out;
	struct xml *x, *field;

	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &out);
	out.from = r->jid;
	x = form_new(a, out.el, "form", NS_MUC_REQUEST);
	xml_add_text(a, x, "title", STR("Voice request"));
	xml_add_text(a, x, "instructions", STR("To let this person speak, choose \"Grant voice\" and submit the form."));
	field = form_field(a, x, "list-single", "muc#role", "Requested role", STR("participant"));
	form_option(a, field, "Participant", "participant");
	form_field(a, x, "jid-single", "muc#jid", "User ID", s->real.jid.full);
	form_field(a, x, "text-single", "muc#roomnick", "Room nickname", jid_resource(s->o->jid));
	form_field(a, x, "boolean", "muc#request_allow", "Grant voice to this person?", STR("false"));
	for (uint32_t i = 0; i < r->seats_n; i++)
		if (r->seats[i]->o->role == ROLE_MODERATOR)
			room_send(r, r->seats[i], &out);
	stanza_fini(&out);
}

static void grant(struct room *r, struct transit *t, const struct seat *by, const struct xml *form)
{
	struct arena *a = core_arena(r->core);
	struct occupant *o = occupant_find(r, form_value(a, form, "muc#roomnick"));
	struct jid real;
	struct seat *of;
	bool allow = false;

	if (by->o->role != ROLE_MODERATOR) {
		room_refuse(t, ERR_FORBIDDEN, NULL);
		return;
	}
	form_bool(a, form, "muc#request_allow", &allow);
	/* The nick may be another's by now: the address says whom they meant. */
	if (!jid_parse(a, str_trim(form_value(a, form, "muc#jid")), &real)) {
		of = seat_find(r, real);
		o = of ? of->o : NULL;
	}
	if (allow && o && o->role == ROLE_VISITOR)
		room_role(o, ROLE_PARTICIPANT, STR_NONE, STR_NONE);
	transit_finish(t);
}

void room_voice(struct room *r, struct transit *t, const struct xml *form)
{
	struct seat *s = seat_find(r, t->st->from);
	uint64_t now = r->core->shard->loop.now_ms;

	if (!s) {
		room_refuse(t, ERR_NOT_ACCEPTABLE, "You are not in the room.");
	} else if (form_has(form, "muc#request_allow")) {
		grant(r, t, s, form);
	} else if (s->o->role != ROLE_VISITOR) {
		transit_finish(t);
	} else if (s->o->asked_ms && now < s->o->asked_ms + MUC_VOICE_AGAIN_MS) {
		room_refuse(t, ERR_RESOURCE_CONSTRAINT, "The moderators were asked already; wait a moment.");
	} else {
		s->o->asked_ms = now;
		ask_moderators(r, s);
		transit_finish(t);
	}
}

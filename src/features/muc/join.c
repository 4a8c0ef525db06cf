/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Presence sent to a room: entering, leaving, nicks, availability (XEP-0045 §7.1 to §7.7, §7.14). */
#include "base/log.h"
#include "features/muc/muc.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"

static bool is_blank(struct str nick)
{
	return str_trim(nick).n == 0;
}

static bool room_is_full(const struct room *r, enum affil affil)
{
	uint32_t max = r->cfg.max_users < MUC_OCCUPANTS_MAX ? r->cfg.max_users : MUC_OCCUPANTS_MAX;

	return r->nicks.n >= max + (affil >= AFFIL_ADMIN ? MUC_OVER_MAX : 0u);
}

static bool password_is_right(struct arena *a, const struct room *r, const struct xml *x)
{
	struct str given = xml_child_text(a, x, "password", NULL);

	return !r->cfg.password_protected || (given.p && equal_ct(given, str_of(r->cfg.secret)));
}

static bool seats_are_taken(const struct room *r, struct str nick)
{
	const struct occupant *o = occupant_find(r, nick);

	return o && o->seats_n >= MUC_SEATS_PER_NICK_MAX;
}

/* §7.2.5 to §7.2.10. Returns ERR_COUNT when nothing is in the way. */
static enum stanza_error entry_error(struct room *r, struct stanza *st, struct str nick, const struct xml *x)
{
	struct arena *a = core_arena(r->core);
	enum affil affil = room_affil_of(r, st->from);

	if (r->state == ROOM_LOCKED && affil != AFFIL_OWNER)
		return ERR_ITEM_NOT_FOUND;
	if (affil == AFFIL_OUTCAST)
		return ERR_FORBIDDEN;
	if (r->cfg.members_only && affil < AFFIL_MEMBER)
		return ERR_REGISTRATION_REQUIRED;
	if (!password_is_right(a, r, x))
		return ERR_NOT_AUTHORIZED;
	if (nick_is_taken(r, nick, jid_bare_str(st->from)))
		return ERR_CONFLICT;
	if (!occupant_find(r, nick) && room_is_full(r, affil))
		return ERR_SERVICE_UNAVAILABLE;
	return seats_are_taken(r, nick) ? ERR_RESOURCE_CONSTRAINT : ERR_COUNT;
}

static void send_subject(struct room *r, struct seat *to)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;

	if (!r->subject || stanza_unpack(blob_view(r->subject), &st)) {
		stanza_new(a, ST_MESSAGE, MSG_GROUPCHAT, &st);
		st.from = r->jid;
		xml_add(a, st.el, "subject", NULL);
	} else {
		st.tail = tail_delayed(r, &st, r->subject_ms); /* §7.2.15: by whom and when it was set last */
	}
	room_send(r, to, &st);
	stanza_fini(&st);
}

/* What a newcomer is sent, in the order of §7.1. */
static void welcome(struct room *r, struct seat *s, struct stanza *st, const struct xml *x, bool created)
{
	struct notice n = { .type = PRES_AVAILABLE, .id = st->id };
	uint16_t *own = n.own;
	struct occupant *other;
	uint32_t shown = (uint32_t)config_int(core_config(r->core), "muc.crowd_shown");
	uint32_t skip; /* of a crowd: who was silent longest */

	versions_send(r, s, x);
	occupants_regroup(r);
	skip = r->nicks.n > occupants_crowd(r) && r->front_n > shown ? r->front_n - shown : 0;
	list_each(other, &r->front, front) {
		bool old = skip > 0;

		skip -= old;
		if (other != s->o && (!old || other->role == ROLE_MODERATOR))
			occupant_show(other, NULL, s);
	}
	n.extra = versions_until(r);
	if (r->cfg.whois == WHOIS_ANYONE)
		*own++ = 100;
	if (r->cfg.logging)
		*own++ = 170;
	if (created)
		*own++ = 201;
	if (!str_eq(jid_resource(st->to), jid_resource(s->o->jid)))
		*own++ = 210;
	occupant_show(s->o, &n, s);
	avatar_show(r, s);
	room_history_send(r, s, xml_child(x, "history", NULL));
	send_subject(r, s);
}

/* §10.1.1. The room of this name was destroyed and has moved (§10.9): its last owner may take the name again. */
static bool may_create(struct room *r, struct stanza *st)
{
	const char *who = config_str(core_config(r->core), "muc.create");
	bool local = core_is_local(r->core, jid_domain(st->from));

	if (strcmp(who, "nobody") == 0 || (strcmp(who, "local") == 0 && !local)) {
		router_error(r->core, st, ERR_NOT_ALLOWED, "Rooms are not made by everybody here.");
		return false;
	}
	return !grave_refuses(r, st);
}

/* The nick that somebody gets: a member's own where nicks are locked (§7.2.3). */
static struct str given_nick(const struct room *r, struct stanza *st)
{
	const struct affil_entry *e = r->cfg.lock_nicks ? room_affil(r, jid_bare_str(st->from)) : NULL;

	return e && e->nick ? str_of(e->nick) : jid_resource(st->to);
}

static void enter(struct room *r, struct stanza *st, const struct xml *x)
{
	bool created = r->state == ROOM_ABSENT;
	struct str nick;
	enum stanza_error e;
	struct seat *s;

	if (created && !may_create(r, st))
		return;
	if (created)
		room_create(r, jid_bare(st->from));
	nick = given_nick(r, st);
	e = entry_error(r, st, nick, x);
	if (e != ERR_COUNT) {
		router_error(r->core, st, e, NULL);
		return;
	}
	s = seat_add(r, nick, st->from);
	seat_inner(s, st);
	s->o->shown = s;
	occupant_touched(s->o);
	occupant_tell(s->o, &(struct notice){ .type = PRES_AVAILABLE }, s);
	welcome(r, s, st, x, created);
	log_debug("muc.join", "room=%.*s occupants=%u", STR_ARG(r->jid.full), r->nicks.n);
}

/* §7.2.1: a client that lost its state joins again. */
static void enter_again(struct room *r, struct seat *s, struct stanza *st, const struct xml *x)
{
	seat_inner(s, st);
	s->o->shown = s;
	occupant_touched(s->o);
	occupant_tell(s->o, &(struct notice){ .type = PRES_AVAILABLE }, s);
	welcome(r, s, st, x, false);
}

static bool is_locked(const struct room *r, struct jid who)
{
	const struct affil_entry *e = r->cfg.lock_nicks ? room_affil(r, jid_bare_str(who)) : NULL;

	return e && e->nick;
}

void room_nick(struct occupant *o, struct str nick, struct stanza *st, bool by_room)
{
	struct notice now = { .type = PRES_AVAILABLE, .id = st ? st->id : STR_NONE };

	if (by_room)
		now.codes[0] = 210;
	occupant_tell(o, &(struct notice){ .type = PRES_UNAVAILABLE, .codes = { 303 }, .nick = nick }, NULL);
	occupant_rename(o, nick);
	occupant_touched(o);
	occupant_tell(o, &now, NULL);
}

/* §7.6. */
static void change_nick(struct room *r, struct seat *s, struct stanza *st)
{
	struct str nick = jid_resource(st->to);
	struct occupant *o = s->o;

	/* A nick of one's own other session: two occupants are not made one. */
	if (nick_is_taken(r, nick, jid_bare_str(st->from)) || occupant_find(r, nick)) {
		router_error(r->core, st, ERR_CONFLICT, NULL);
		return;
	}
	if (is_locked(r, st->from)) {
		router_error(r->core, st, ERR_NOT_ACCEPTABLE, "Members keep their registered nickname here.");
		return;
	}
	seat_inner(s, st);
	o->shown = s;
	room_nick(o, nick, st, false);
}

/* §7.7. */
static void update(struct seat *s, struct stanza *st)
{
	seat_inner(s, st);
	s->o->shown = s;
	occupant_touched(s->o);
	if (list_linked(&s->o->front))
		occupant_tell(s->o, &(struct notice){ .type = PRES_AVAILABLE, .id = st->id }, NULL);
	else
		occupant_show(s->o, &(struct notice){ .type = PRES_AVAILABLE, .id = st->id }, s);
}

/* §7.2.1, groupchat 1.0 protocol: presence of somebody who believes to be inside. */
static void not_inside(struct room *r, struct stanza *st)
{
	struct arena *a = core_arena(r->core);
	static const char *const CODES[] = { "110", "307", "333" };
	struct stanza out;
	struct xml *x, *item;

	stanza_new(a, ST_PRESENCE, PRES_UNAVAILABLE, &out);
	out.from = st->to;
	out.to = st->from;
	out.id = st->id;
	x = xml_add(a, out.el, "x", NS_MUC_USER);
	item = xml_add(a, x, "item", NULL);
	xml_set(a, item, "affiliation", STR("none"));
	xml_set(a, item, "role", STR("none"));
	xml_add_text(a, item, "reason", STR("You are not in the room."));
	for (size_t i = 0; i < ARRAY_LEN(CODES); i++)
		xml_set(a, xml_add(a, x, "status", NULL), "code", str_of(CODES[i]));
	router_route(r->core, &out);
	stanza_fini(&out);
}

static void available(struct room *r, struct stanza *st)
{
	struct str nick = jid_resource(st->to);
	struct seat *s = seat_find(r, st->from);
	struct xml *tree = stanza_tree(st, core_arena(r->core));
	struct xml *x = tree ? xml_child(tree, "x", NS_MUC) : NULL;

	if (nick.n == 0 || is_blank(nick))
		router_error(r->core, st, ERR_JID_MALFORMED, "Enter a room as ROOM/NICKNAME.");
	else if (nick.n > MUC_NICK_MAX)
		router_error(r->core, st, ERR_NOT_ACCEPTABLE, "The nickname is too long.");
	else if (!s && !x)
		not_inside(r, st);
	else if (!s)
		enter(r, st, x);
	else if (!str_eq(nick, jid_resource(s->o->jid)))
		change_nick(r, s, st);
	else if (x)
		enter_again(r, s, st, x);
	else
		update(s, st);
}

/* §7.14. */
static void leave(struct room *r, struct seat *s, struct stanza *st)
{
	struct notice n = { .type = PRES_UNAVAILABLE, .inner = inner_of(r, st), .id = st->id };

	if (r->state == ROOM_LOCKED) /* §10.1.3: the owner went before the room was configured */
		n.extra = STR("<destroy/>");
	seat_remove(s, &n);
	blob_unref(n.inner);
}

void room_presence(struct room *r, struct transit *t)
{
	struct stanza *st = t->st;
	struct seat *s = seat_find(r, st->from);

	if (st->type == PRES_AVAILABLE)
		available(r, st);
	else if (st->type == PRES_UNAVAILABLE && s)
		leave(r, s, st);
	else if (st->type == PRES_ERROR && s) /* a ghost (implementation notes) */
		seat_remove(s, &(struct notice){ .type = PRES_UNAVAILABLE, .codes = { 333 } });
}

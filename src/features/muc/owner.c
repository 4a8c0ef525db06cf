/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §10 (muc#owner): configuring and destroying a room. */
#include <errno.h>

#include "base/log.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* ---- configuration ---- */

/* §10.2.1: what occupants must be told. */
static void tell_changes(struct room *r, const struct room_config *was)
{
	struct room_config rest;
	uint16_t codes[4] = { 0 }, *c = codes;

	if (was->logging != r->cfg.logging)
		*c++ = r->cfg.logging ? 170 : 171;
	if (was->whois != r->cfg.whois)
		*c++ = r->cfg.whois == WHOIS_ANYONE ? 172 : 173;
	rest = *was;
	rest.logging = r->cfg.logging;
	rest.whois = r->cfg.whois;
	if (!room_config_eq(&rest, &r->cfg))
		*c++ = 104;
	if (codes[0])
		room_status(r, codes);
}

/* Other roles are shown now: those of them who are new to the others come forward. */
static void place_again(struct occupant *o)
{
	bool told = o->told;

	occupant_place(o);
	if (!told && o->told)
		occupant_tell(o, &(struct notice){ .type = PRES_AVAILABLE }, NULL);
}

/* A room that became members-only loses the others (§10.2); in one that is no longer moderated everybody may speak. */
static void apply_to_occupants(struct room *r, const struct room_config *was)
{
	struct occupant **v;
	size_t n = room_everybody(r, &v);

	for (size_t i = 0; i < n; i++) {
		struct occupant *o = v[i];

		if (r->cfg.members_only && !was->members_only && o->affil < AFFIL_MEMBER)
			occupant_remove(o, &(struct notice){ .type = PRES_UNAVAILABLE, .codes = { 322 } });
		else if (r->cfg.presence != was->presence)
			place_again(o);
		else if (was->moderated && !r->cfg.moderated && o->role == ROLE_VISITOR)
			room_role(o, ROLE_PARTICIPANT, STR_NONE, STR_NONE);
	}
}

/* ---- lists of owners and admins in the form ---- */

struct roll {
	struct str *v; /* bare JIDs */
	size_t n;
	bool given; /* an empty list is none: the form's example shows it empty for "additional" people */
};

/* Deeds that make the lists true. */
struct lists {
	struct room *r;
	struct str actor, by;
	struct roll owners, admins;
	struct affil_deed *v;
	size_t n, owners_left;
};

static int read_roll(struct arena *a, const struct xml *form, const char *var, struct roll *out)
{
	size_t max = 0;

	for (struct xml *v = form_values(form, var); v; v = xml_next_same(v))
		max++;
	if (max > MUC_ITEMS_MAX)
		return -E2BIG;
	out->v = arena_alloc(a, (max + 1) * sizeof(*out->v));
	for (struct xml *v = form_values(form, var); v; v = xml_next_same(v)) {
		struct str text = str_trim(xml_text_of(a, v));
		struct jid j;

		if (!text.n)
			continue;
		if (jid_parse(a, text, &j))
			return -EINVAL;
		out->v[out->n++] = jid_bare_str(j);
	}
	out->given = out->n > 0;
	return 0;
}

static bool roll_has(const struct roll *roll, struct str bare)
{
	for (size_t i = 0; i < roll->n; i++)
		if (str_eq(roll->v[i], bare))
			return true;
	return false;
}

static enum affil wanted(const struct lists *l, struct str bare, enum affil now)
{
	if (roll_has(&l->owners, bare) || (now == AFFIL_OWNER && !l->owners.given))
		return AFFIL_OWNER;
	if (roll_has(&l->admins, bare))
		return AFFIL_ADMIN;
	if (now == AFFIL_OWNER) /* §10.2: who loses it is an admin then */
		return l->admins.given ? AFFIL_NONE : AFFIL_ADMIN;
	return now == AFFIL_ADMIN && l->admins.given ? AFFIL_NONE : now;
}

static void want(struct lists *l, struct str bare, enum affil now)
{
	enum affil to = wanted(l, bare, now);

	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].bare, bare)) /* named twice */
			return;
	l->owners_left += (to == AFFIL_OWNER) - (now == AFFIL_OWNER);
	if (to != now)
		l->v[l->n++] = (struct affil_deed){ .bare = bare, .to = to, .actor = l->actor, .by = l->by };
}

static void want_all(struct lists *l, const struct roll *roll)
{
	for (size_t i = 0; i < roll->n; i++)
		if (!room_affil(l->r, roll->v[i]) || room_affil(l->r, roll->v[i])->affil < AFFIL_ADMIN)
			want(l, roll->v[i], AFFIL_NONE);
}

/* Returns 0; -EINVAL no addresses; -E2BIG; -EBUSY no owner would be left. */
static int read_lists(struct room *r, const struct xml *form, struct lists *l)
{
	struct arena *a = core_arena(r->core);
	uint32_t pos = 0;
	struct str key;
	void *value;
	int err = read_roll(a, form, "muc#roomconfig_roomowners", &l->owners);

	if (!err)
		err = read_roll(a, form, "muc#roomconfig_roomadmins", &l->admins);
	if (err || (!l->owners.given && !l->admins.given))
		return err;
	l->v = arena_alloc(a, (r->affils.n + l->owners.n + l->admins.n) * sizeof(*l->v));
	while (map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;

		if (e->affil < AFFIL_ADMIN)
			continue;
		l->owners_left += e->affil == AFFIL_OWNER;
		want(l, arena_str(a, e->jid), e->affil); /* outlives the entry */
	}
	want_all(l, &l->owners);
	want_all(l, &l->admins);
	if (r->affils.n + l->n > MUC_AFFILS_MAX)
		return -E2BIG;
	return l->owners_left ? 0 : -EBUSY;
}

static void add_roll(struct room *r, struct xml *form, const char *var, const char *label, enum affil which)
{
	struct arena *a = core_arena(r->core);
	struct xml *field = form_field(a, form, "jid-multi", var, label, STR_NONE);
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->affils, &pos, &key, &value))
		if (((struct affil_entry *)value)->affil == which)
			xml_add_text(a, field, "value", key);
}

static void send_form(struct room *r, struct iq *iq)
{
	struct arena *a = core_arena(r->core);
	struct xml *query = xml_new(a, "query", NS_MUC_OWNER), *form = form_new(a, query, "form", NS_MUC_ROOMCONFIG);

	xml_add_text(a, form, "title", arena_printf(a, "Configuration of %.*s", STR_ARG(room_title(r))));
	room_config_write(a, form, &r->cfg, true);
	add_roll(r, form, "muc#roomconfig_roomadmins", "Room admins", AFFIL_ADMIN);
	add_roll(r, form, "muc#roomconfig_roomowners", "Room owners", AFFIL_OWNER);
	iq_result(iq, query);
}

/* ---- submitting ---- */

static void accept(struct room *r, struct iq *iq, struct room_config *next, const struct lists *l)
{
	struct room_config was = r->cfg;
	struct store_batch *b = NULL;
	bool opened = r->state == ROOM_LOCKED;

	r->cfg = *next;
	if (!opened && was.whois != WHOIS_ANYONE && r->cfg.whois == WHOIS_ANYONE)
		r->open_from = archive_id_new(r->core);
	if (opened)
		room_unlock(r);
	room_save(r, &b);
	for (size_t i = 0; i < l->n; i++)
		room_affil_do(r, &l->v[i], &b); /* their number was checked before */
	room_commit(r, b, iq);
	if (!opened)
		tell_changes(r, &was);
	apply_to_occupants(r, &was);
	room_config_free(&was);
}

static void submit(struct room *r, struct iq *iq, const struct xml *form)
{
	struct arena *a = core_arena(r->core);
	struct seat *s = seat_find(r, iq->st->from);
	struct lists l = { .r = r, .by = jid_bare_str(iq->st->from), .actor = s ? arena_str(a, jid_resource(s->o->jid)) : STR_NONE };
	struct room_config next;
	int err;

	/* §10.1.2: an empty form takes what is there. */
	if (xml_child(form, "field", NULL) && !form_find(iq->el, "submit", NS_MUC_ROOMCONFIG)) {
		iq_error(iq, ERR_BAD_REQUEST, "This is not a form of " NS_MUC_ROOMCONFIG ".");
		return;
	}
	room_config_copy(&next, &r->cfg);
	err = room_config_read(a, form, &next);
	if (!err)
		err = read_lists(r, form, &l);
	if (!err) {
		accept(r, iq, &next, &l);
		return;
	}
	room_config_free(&next);
	iq_error(iq, err == -EBADMSG ? ERR_BAD_REQUEST : err == -EBUSY ? ERR_CONFLICT : ERR_NOT_ACCEPTABLE,
		err == -EBUSY ? "A room has at least one owner." : NULL);
}

static void set(struct room *r, struct iq *iq)
{
	struct xml *end = xml_child(iq->el, "destroy", NULL), *form = xml_child(iq->el, "x", NS_DATA);
	struct str type = form ? xml_get(form, "type") : STR_NONE;

	if (end)
		room_destroy(r, iq, end);
	else if (form && str_is(type, "submit"))
		submit(r, iq, form);
	else if (form && str_is(type, "cancel") && r->state == ROOM_LOCKED) /* §10.1.3 */
		room_destroy(r, iq, NULL);
	else if (form && str_is(type, "cancel"))
		iq_result(iq, NULL);
	else
		iq_error(iq, ERR_BAD_REQUEST, NULL);
}

void room_owner(struct room *r, struct iq *iq)
{
	if (room_affil_of(r, iq->st->from) != AFFIL_OWNER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (!str_is(iq->el->name, "query"))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (iq->st->type == IQ_GET)
		send_form(r, iq);
	else
		set(r, iq);
}

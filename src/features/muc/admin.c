/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §8 and §9 (muc#admin): lists of roles and affiliations, and their changes. All items of a request hold or none does. */
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

/* ---- what follows from a change ---- */

void room_role(struct occupant *o, enum role to, struct str actor, struct str reason)
{
	struct notice n = { .actor = actor, .reason = reason };

	if (to == ROLE_NONE) {
		n.type = PRES_UNAVAILABLE;
		n.codes[0] = 307;
		occupant_remove(o, &n);
	} else {
		n.type = PRES_AVAILABLE;
		o->role = to;
		voice_changed(o);
		occupant_place(o);
		occupant_touched(o);
		occupant_tell(o, &n, NULL);
	}
}

size_t room_everybody(const struct room *r, struct occupant ***out)
{
	struct occupant **v = arena_alloc(core_arena(r->core), (r->nicks.n + 1) * sizeof(*v));
	uint32_t pos = 0;
	size_t n = 0;
	struct str key;
	void *value;

	while (map_next(&r->nicks, &pos, &key, &value))
		v[n++] = value;
	*out = v;
	return n;
}

static void follow(struct occupant *o, struct notice *say, bool named)
{
	struct room *r = o->room;
	enum affil was = o->affil, now = room_affil_of(r, o->real);

	if (was == now && !named)
		return;
	o->affil = now;
	o->role = role_after(r->cfg.moderated, was, now, o->role);
	say->type = PRES_UNAVAILABLE;
	if (now == AFFIL_OUTCAST) {
		say->codes[0] = 301;
		occupant_remove(o, say);
	} else if (r->cfg.members_only && now < AFFIL_MEMBER) {
		say->codes[0] = 321; /* §9.4: only this, no de-affiliation before */
		occupant_remove(o, say);
	} else {
		say->type = PRES_AVAILABLE;
		say->codes[0] = 0;
		occupant_place(o);
		occupant_touched(o);
		occupant_tell(o, say, NULL);
	}
}

/* The affiliation of a bare JID or domain changed: those inside follow. Returns whether who bears the name was inside; told: and known. */
static bool affil_changed(struct room *r, const struct affil_deed *d, struct str mav, bool *told)
{
	struct arena_mark mark = arena_mark(core_arena(r->core));
	bool domain = !memchr(d->bare.p, '@', d->bare.n);
	struct occupant **v;
	size_t n = room_everybody(r, &v);
	bool inside = false;

	*told = false;
	for (size_t i = 0; i < n; i++) {
		bool named = str_eq(v[i]->real.full, d->bare);
		struct notice say = { .actor = d->actor, .reason = d->reason, .extra = mav };

		if (!named && !(domain && str_eq(jid_domain(v[i]->real), d->bare)))
			continue;
		inside = inside || named;
		*told = *told || (named && v[i]->told);
		versions_flush(r);
		follow(v[i], &say, named);
	}
	arena_release(core_arena(r->core), mark);
	return inside;
}

/* Status 101: who is not inside hears of it. Of bans nobody is told. */
static void tell_absent(struct room *r, struct str bare, enum affil was, enum affil now)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;
	struct xml *x, *item;

	if (now == AFFIL_OUTCAST || (was < AFFIL_MEMBER && now < AFFIL_MEMBER) || !memchr(bare.p, '@', bare.n))
		return;
	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &st);
	st.from = r->jid;
	st.to = jid_trust(bare);
	x = xml_add(a, st.el, "x", NS_MUC_USER);
	item = xml_add(a, x, "item", NULL);
	xml_set(a, item, "affiliation", str_of(affil_name(now)));
	xml_set(a, item, "jid", bare);
	xml_set(a, item, "role", STR("none"));
	xml_set(a, xml_add(a, x, "status", NULL), "code", STR("101"));
	stanza_scan(&st);
	router_route(r->core, &st);
	stanza_fini(&st);
}

int room_affil_do(struct room *r, const struct affil_deed *d, struct store_batch **b)
{
	struct affil_entry *e = room_affil(r, d->bare);
	enum affil was = e ? e->affil : AFFIL_NONE;
	struct str mav = STR_NONE;
	bool inside, told;
	uint64_t since = r->affil_ver;
	int err = room_set_affil(r, d->bare, d->to, d->nick, d->to == AFFIL_OUTCAST ? d->reason : STR_NONE);

	if (err)
		return err;
	if (was != d->to) {
		mav = versions_change(r, d->bare, b);
		voice_forget(r, d->bare, b);
	}
	room_save_affil(r, b, d->bare);
	inside = affil_changed(r, d, mav, &told);
	if (!told && was != d->to)
		versions_tell(r, d->bare, was, d->to, since);
	if (d->by.n && r->cfg.members_only && was == AFFIL_NONE && d->to >= AFFIL_MEMBER &&
		memchr(d->bare.p, '@', d->bare.n)) /* §9.5 */
		room_invite(r, d->by, jid_trust(d->bare), NULL, NULL);
	else if (d->by.n && was != d->to && !inside)
		tell_absent(r, d->bare, was, d->to);
	return 0;
}

/* ---- get ---- */

static void add_reason(struct arena *a, struct xml *item, const char *reason)
{
	if (reason)
		xml_add_text(a, item, "reason", str_of(reason));
}

bool room_may_list(const struct room *r, struct jid who, const struct seat *s, enum affil list)
{
	/* muc#roomconfig_getmemberlist: bit by role; the lowest role that is inside is the visitor. */
	bool inside = s && (r->cfg.member_list & 1 << (s->o->role - ROLE_VISITOR));

	return affil_may_list(s ? s->o->affil : room_affil_of(r, who), inside, r->cfg.whois == WHOIS_ANYONE, list);
}

static void list_affils(struct room *r, struct iq *iq, enum affil which)
{
	struct arena *a = core_arena(r->core);
	struct seat *s = seat_find(r, iq->st->from);
	struct xml *query;
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!room_may_list(r, iq->st->from, s, which)) {
		iq_error(iq, which == AFFIL_NONE ? ERR_BAD_REQUEST : ERR_FORBIDDEN, NULL);
		return;
	}
	query = xml_new(a, "query", NS_MUC_ADMIN);
	while (map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;
		struct xml *item;

		if (e->affil != which)
			continue;
		item = xml_add(a, query, "item", NULL);
		xml_set(a, item, "affiliation", str_of(affil_name(which)));
		xml_set(a, item, "jid", e->jid);
		if (e->nick)
			xml_set(a, item, "nick", str_of(e->nick));
		add_reason(a, item, e->reason);
	}
	iq_result(iq, query);
}

static void list_roles(struct room *r, struct iq *iq, enum role which)
{
	struct arena *a = core_arena(r->core);
	struct seat *s = seat_find(r, iq->st->from);
	enum affil affil = room_affil_of(r, iq->st->from);
	bool may = affil >= AFFIL_ADMIN || (s && s->o->role == ROLE_MODERATOR && which != ROLE_MODERATOR);
	struct xml *query = xml_new(a, "query", NS_MUC_ADMIN);
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!may || which == ROLE_NONE) {
		iq_error(iq, may ? ERR_BAD_REQUEST : ERR_FORBIDDEN, NULL);
		return;
	}
	while (map_next(&r->nicks, &pos, &key, &value)) {
		struct occupant *o = value;
		struct xml *item;

		if (o->role != which)
			continue;
		item = xml_add(a, query, "item", NULL);
		xml_set(a, item, "affiliation", str_of(affil_name(o->affil)));
		xml_set(a, item, "jid", o->shown->real.jid.full);
		xml_set(a, item, "nick", jid_resource(o->jid));
		xml_set(a, item, "role", str_of(role_name(which)));
	}
	iq_result(iq, query);
}

static void get(struct room *r, struct iq *iq)
{
	struct xml *item = xml_child(iq->el, "item", NULL);
	struct str affil = item ? xml_get(item, "affiliation") : STR_NONE, role = item ? xml_get(item, "role") : STR_NONE;
	enum affil which_affil;
	enum role which_role;

	if (!item || xml_next_same(item) || !affil.p == !role.p)
		iq_error(iq, ERR_BAD_REQUEST, "Ask for one role or one affiliation.");
	else if (affil.p && !affil_parse(affil, &which_affil))
		list_affils(r, iq, which_affil);
	else if (role.p && !role_parse(role, &which_role))
		list_roles(r, iq, which_role);
	else
		iq_error(iq, ERR_BAD_REQUEST, NULL);
}

/* ---- set ---- */

/* One item as read and allowed. */
struct change {
	bool is_role;
	enum role role;
	struct occupant *o; /* of a role */
	struct str nick;
	enum affil affil, was;
	struct str bare; /* of an affiliation */
	struct str new_nick, reason;
};

struct changes {
	struct room *r;
	struct iq *iq;
	struct jid by;
	struct str actor; /* nick, p NULL: not inside */
	enum affil by_affil;
	enum role by_role;
	struct change *v;
	size_t n;
	enum stanza_error why;
};

static bool refuse(struct changes *c, enum stanza_error e)
{
	c->why = e;
	return false;
}

static bool read_role(struct changes *c, const struct xml *item, struct change *out)
{
	struct str nick = xml_get(item, "nick");
	struct role_change rule;

	if (!nick.p || role_parse(xml_get(item, "role"), &out->role))
		return refuse(c, ERR_BAD_REQUEST);
	out->is_role = true;
	out->o = occupant_find(c->r, nick);
	out->nick = nick;
	rule = (struct role_change){ c->by_affil, c->by_role, out->o ? out->o->affil : AFFIL_NONE,
		out->o ? out->o->role : ROLE_PARTICIPANT, out->role };
	if (!role_may_change(&rule, &c->why))
		return false;
	return out->o || refuse(c, ERR_ITEM_NOT_FOUND);
}

/* The JID of an affiliation: as given, or of the occupant with the nick (§9.1 is by JID, old clients ban by nick). */
static bool read_jid(struct changes *c, const struct xml *item, struct str *out)
{
	struct str text = xml_get(item, "jid"), nick = xml_get(item, "nick");
	struct occupant *o = occupant_find(c->r, nick);
	struct jid j;

	if (text.p && jid_parse(core_arena(c->r->core), text, &j))
		return refuse(c, ERR_JID_MALFORMED);
	if (text.p)
		*out = jid_bare_str(j);
	else if (!nick.n)
		return refuse(c, ERR_BAD_REQUEST);
	else if (o)
		*out = arena_str(core_arena(c->r->core), o->real.full); /* outlives its removal */
	else
		return refuse(c, ERR_ITEM_NOT_FOUND);
	return true;
}

static bool read_affil(struct changes *c, const struct xml *item, struct change *out)
{
	struct str nick = xml_get(item, "nick");
	struct affil_entry *e;
	struct affil_change rule;

	if (affil_parse(xml_get(item, "affiliation"), &out->affil))
		return refuse(c, ERR_BAD_REQUEST);
	if (!read_jid(c, item, &out->bare))
		return false;
	e = room_affil(c->r, out->bare);
	out->was = e ? e->affil : AFFIL_NONE;
	rule = (struct affil_change){ c->by_affil, out->was, out->affil, str_eq(out->bare, jid_bare_str(c->by)) };
	if (!affil_may_change(&rule, &c->why))
		return false;
	if (!xml_get(item, "jid").p || !nick.p || out->affil < AFFIL_MEMBER)
		return true;
	if (nick.n && (jid_resourceprep(core_arena(c->r->core), nick, &nick) || nick.n > MUC_NICK_MAX))
		return refuse(c, ERR_NOT_ACCEPTABLE);
	if (nick.n && nick_is_taken(c->r, nick, out->bare))
		return refuse(c, ERR_CONFLICT);
	out->new_nick = nick;
	return true;
}

static bool read_item(struct changes *c, const struct xml *item, struct change *out)
{
	bool role = xml_get(item, "role").p, affil = xml_get(item, "affiliation").p;

	out->reason = xml_child_text(core_arena(c->r->core), item, "reason", NULL);
	if (out->reason.n > MUC_REASON_MAX)
		return refuse(c, ERR_NOT_ACCEPTABLE);
	if (role == affil)
		return refuse(c, ERR_BAD_REQUEST);
	return role ? read_role(c, item, out) : read_affil(c, item, out);
}

/* The room keeps an owner when all is done (§10.4). */
static bool owner_is_left(const struct changes *c)
{
	uint32_t pos = 0;
	struct str key;
	void *value;
	int owners = 0;

	while (map_next(&c->r->affils, &pos, &key, &value))
		owners += ((struct affil_entry *)value)->affil == AFFIL_OWNER;
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].is_role)
			owners += (c->v[i].affil == AFFIL_OWNER) - (c->v[i].was == AFFIL_OWNER);
	return owners > 0;
}

static bool read_all(struct changes *c)
{
	size_t max = 0;

	for (struct xml *i = xml_child(c->iq->el, "item", NULL); i; i = xml_next_same(i))
		max++;
	if (max == 0)
		return refuse(c, ERR_BAD_REQUEST);
	if (max > MUC_ITEMS_MAX)
		return refuse(c, ERR_POLICY_VIOLATION);
	c->v = arena_zalloc(core_arena(c->r->core), max * sizeof(*c->v));
	for (struct xml *i = xml_child(c->iq->el, "item", NULL); i; i = xml_next_same(i))
		if (!read_item(c, i, &c->v[c->n++]))
			return false;
	return owner_is_left(c) || refuse(c, ERR_CONFLICT);
}

static void apply_affil(struct changes *c, struct change *ch, struct store_batch **b)
{
	struct affil_deed d = { .bare = ch->bare, .to = ch->affil, .nick = ch->new_nick, .reason = ch->reason, .actor = c->actor,
		.by = jid_bare_str(c->by) };

	room_affil_do(c->r, &d, b); /* their number was checked before */
}

static void apply(struct changes *c)
{
	struct store_batch *b = NULL;
	bool stored = false;

	for (size_t i = 0; i < c->n; i++)
		stored = stored || !c->v[i].is_role;
	if (!stored)
		iq_result(c->iq, NULL); /* §8.2: before the others hear of it */
	for (size_t i = 0; i < c->n; i++) {
		struct change *ch = &c->v[i];

		if (!ch->is_role) {
			apply_affil(c, ch, &b);
		} else {
			ch->o = occupant_find(c->r, ch->nick); /* an earlier item may have removed it */
			if (ch->o)
				room_role(ch->o, ch->role, c->actor, ch->reason);
		}
	}
	if (stored)
		room_commit(c->r, b, c->iq);
}

static void set(struct room *r, struct iq *iq)
{
	struct seat *s = seat_find(r, iq->st->from);
	struct changes c = { .r = r, .iq = iq, .by = iq->st->from, .by_affil = room_affil_of(r, iq->st->from) };

	if (s) {
		c.actor = arena_str(core_arena(r->core), jid_resource(s->o->jid)); /* outlives its removal */
		c.by_role = s->o->role;
	}
	if (!read_all(&c))
		iq_error(iq, c.why, NULL);
	else if (r->affils.n + c.n > MUC_AFFILS_MAX)
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The room's lists are full.");
	else
		apply(&c);
}

void room_admin(struct room *r, struct iq *iq)
{
	if (!str_is(iq->el->name, "query"))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (iq->st->type == IQ_GET)
		get(r, iq);
	else
		set(r, iq);
}

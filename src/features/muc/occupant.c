/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who is inside a room, and the presence that tells the others (XEP-0045 §7.2.2, XEP-0421 1.0.1). A presence is written once for those
 * who may see the real JID, once for those who may not, once for its own occupant, however many they are. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "crypto/hash.h"
#include "features/muc/muc.h"
#include "proto/xmpp/look.h"
#include "proto/xmpp/ns.h"

/* ---- what may pass a room ---- */

static bool is_ours(const struct room *r, const struct xml *el)
{
	static const char *const OURS[] = { NS_MUC, NS_MUC_USER, NS_OCCUPANT_ID, NS_HATS, NS_MODERATE, NS_MENTION_FORWARD };

	for (size_t i = 0; i < ARRAY_LEN(OURS); i++)
		if (str_is(el->ns, OURS[i]))
			return true;
	if (str_is(el->ns, NS_RETRACT)) /* XEP-0425 §4: only the room says that it was moderated */
		return str_is(el->name, "retracted") || xml_child(el, NULL, NS_MODERATE);
	if (xml_is(el, "stanza-id", NS_SID))
		return str_eq(xml_get(el, "by"), r->jid.full);
	return xml_is(el, "delay", NS_DELAY) && str_eq(xml_get(el, "from"), r->jid.full);
}

/* Our own writer wrote these bytes: a namespace stands there as it is, or it is not there. */
static bool may_hold_ours(struct str tail)
{
	static const struct str NEEDLES[] = { { "protocol/muc", 12 }, { "occupant-id", 11 }, { "stanza-id", 9 },
		{ "urn:xmpp:delay", 14 }, { "xmpp:hats", 9 }, { "message-retract", 15 }, { "message-moderate", 16 },
		{ NS_MENTION_FORWARD, sizeof(NS_MENTION_FORWARD) - 1 } };

	for (size_t i = 0; i < ARRAY_LEN(NEEDLES); i++)
		if (memmem(tail.p, tail.n, NEEDLES[i].p, NEEDLES[i].n))
			return true;
	return false;
}

struct blob *inner_of(const struct room *r, struct stanza *st)
{
	struct arena *a = core_arena(r->core);
	const struct blob *bytes = stanza_tail(st);
	struct str tail = { bytes->p, bytes->n };
	size_t end_n = st->kind == ST_MESSAGE ? sizeof("</message>") - 1 : sizeof("</presence>") - 1;
	struct buf out = { 0 };
	struct blob *b;

	if (!may_hold_ours(tail) || !stanza_tree(st, a))
		return blob_new(tail.p, tail.n - end_n);
	xml_each(el, st->el)
		if (!is_ours(r, el))
			xml_write(&out, el, STR(NS_CLIENT));
	b = blob_new(out.p ? out.p : "", out.n);
	buf_free(&out);
	return b;
}

void seat_inner(struct seat *s, struct stanza *presence)
{
	blob_unref(s->inner);
	s->inner = inner_of(s->o->room, presence);
}

/* ---- bytes of a presence ---- */

enum view { VIEW_PLAIN, VIEW_REAL, VIEW_OWN };

static const struct notice AVAILABLE = { .type = PRES_AVAILABLE };

static void put_attr(struct buf *b, const char *name, struct str v)
{
	buf_printf(b, " %s='", name);
	xml_escape(b, v);
	buf_putc(b, '\'');
}

static void put_item(struct buf *b, const struct occupant *o, const struct notice *n, enum view view)
{
	bool gone = n->type == PRES_UNAVAILABLE && !n->nick.n;

	buf_puts(b, "<item affiliation='");
	buf_puts(b, affil_name(n->no_affil ? AFFIL_NONE : o->affil));
	buf_puts(b, "' role='");
	buf_puts(b, role_name(gone ? ROLE_NONE : o->role));
	buf_putc(b, '\'');
	if (view != VIEW_PLAIN)
		put_attr(b, "jid", o->shown->real.jid.full);
	if (n->nick.n)
		put_attr(b, "nick", n->nick);
	if (!n->actor.n && !n->reason.n) {
		buf_puts(b, "/>");
		return;
	}
	buf_putc(b, '>');
	if (n->actor.n) {
		buf_puts(b, "<actor");
		put_attr(b, "nick", n->actor);
		buf_puts(b, "/>");
	}
	if (n->reason.n) {
		buf_puts(b, "<reason>");
		xml_escape(b, n->reason);
		buf_puts(b, "</reason>");
	}
	buf_puts(b, "</item>");
}

static void put_codes(struct buf *b, const uint16_t *codes)
{
	for (; *codes; codes++)
		buf_printf(b, "<status code='%u'/>", *codes);
}

static struct blob *write_tail(const struct occupant *o, const struct notice *n, enum view view)
{
	struct blob *inner = n->type == PRES_AVAILABLE ? o->shown->inner : n->inner, *tail;
	struct buf b = { 0 };

	buf_str(&b, blob_view(inner));
	buf_puts(&b, "<x xmlns='" NS_MUC_USER "'>");
	put_item(&b, o, n, view);
	buf_str(&b, n->extra);
	put_codes(&b, n->codes);
	if (view == VIEW_OWN) {
		buf_puts(&b, "<status code='110'/>");
		put_codes(&b, n->own);
	}
	buf_puts(&b, "</x><occupant-id xmlns='" NS_OCCUPANT_ID "' id='");
	buf_puts(&b, o->id);
	buf_puts(&b, "'/>");
	if (n->type == PRES_AVAILABLE)
		hats_write(o->room, o->real.full, &b);
	buf_puts(&b, "</presence>");
	tail = blob_new(b.p, b.n);
	buf_free(&b);
	return tail;
}

static bool is_plain(const struct notice *n)
{
	return n->type == PRES_AVAILABLE && !n->codes[0] && !n->actor.n && !n->reason.n && !n->extra.n;
}

/* New reference. */
static struct blob *tail_for(struct occupant *o, const struct notice *n, enum view view)
{
	if (view == VIEW_OWN || !is_plain(n))
		return write_tail(o, n, view);
	if (!o->tail[view])
		o->tail[view] = write_tail(o, n, view);
	return blob_ref(o->tail[view]);
}

void occupant_touched(struct occupant *o)
{
	for (int i = 0; i < 2; i++) {
		blob_unref(o->tail[i]);
		o->tail[i] = NULL;
	}
}

/* ---- telling ---- */

static enum view view_of(const struct seat *to, const struct occupant *o)
{
	if (to->o == o)
		return VIEW_OWN;
	return o->room->cfg.whois == WHOIS_ANYONE || to->o->role == ROLE_MODERATOR ? VIEW_REAL : VIEW_PLAIN;
}

static void tell_group(struct occupant *o, const struct notice *n, enum view view, struct fanout_to **v, size_t count)
{
	struct stanza st = { .kind = ST_PRESENCE, .type = n->type, .from = o->jid };

	if (!count)
		return;
	if (view == VIEW_OWN)
		st.id = n->id;
	st.tail = tail_for(o, n, view);
	router_fanout(o->room->core, &st, v, count);
	stanza_fini(&st);
}

static void tell_self(struct occupant *o, const struct notice *n, const struct seat *skip)
{
	struct fanout_to **v = arena_alloc(core_arena(o->room->core), o->seats_n * sizeof(*v));
	size_t count = 0;
	struct seat *s;

	list_each(s, &o->seats, in_occupant)
		if (s != skip)
			v[count++] = &s->real;
	tell_group(o, n, VIEW_OWN, v, count);
}

void occupant_tell(struct occupant *o, const struct notice *n, const struct seat *skip)
{
	struct room *r = o->room;
	struct fanout_to **v[3];
	size_t count[3] = { 0 };

	if (!o->told) {
		tell_self(o, n, skip);
		return;
	}
	for (int i = 0; i < 3; i++)
		v[i] = arena_alloc(core_arena(r->core), (i == VIEW_OWN ? o->seats_n + 1u : r->seats_n) * sizeof(**v));
	for (uint32_t i = 0; i < r->seats_n; i++) {
		enum view view = view_of(r->seats[i], o);

		if (r->seats[i] != skip)
			v[view][count[view]++] = &r->seats[i]->real;
	}
	for (int i = 0; i < 3; i++)
		tell_group(o, n, (enum view)i, v[i], count[i]);
}

void occupant_show(struct occupant *o, const struct notice *n, struct seat *to)
{
	struct fanout_to *one = &to->real;

	tell_group(o, n ? n : &AVAILABLE, view_of(to, o), &one, 1);
}

void room_send(struct room *r, struct seat *to, struct stanza *st)
{
	struct fanout_to *one = &to->real;

	router_fanout(r->core, st, &one, 1);
}

void room_broadcast(struct room *r, struct stanza *st)
{
	struct fanout_to **v = arena_alloc(core_arena(r->core), (r->seats_n + 1) * sizeof(*v));

	for (uint32_t i = 0; i < r->seats_n; i++)
		v[i] = &r->seats[i]->real;
	router_fanout(r->core, st, v, r->seats_n);
}

/* ---- who is shown (docs/decisions/0009) ---- */

uint32_t occupants_crowd(const struct room *r)
{
	return (uint32_t)config_int(core_config(r->core), "muc.crowd");
}

static bool role_is_shown(const struct occupant *o)
{
	return o->room->cfg.presence & 1 << (o->role - ROLE_VISITOR);
}

static void front_del(struct occupant *o)
{
	if (!list_linked(&o->front))
		return;
	list_del(&o->front);
	o->room->front_n--;
}

static void front_push(struct occupant *o)
{
	struct room *r = o->room;
	struct occupant *old;

	list_push(&r->front, &o->front);
	r->front_n++;
	o->told = true;
	if (r->front_n <= occupants_crowd(r))
		return;
	list_each(old, &r->front, front) { /* who was silent longest; moderators stay */
		if (old->role != ROLE_MODERATOR) {
			front_del(old);
			return;
		}
	}
}

void occupant_place(struct occupant *o)
{
	if (!role_is_shown(o))
		front_del(o);
	else if (!list_linked(&o->front) && (o->role == ROLE_MODERATOR || o->room->nicks.n <= occupants_crowd(o->room)))
		front_push(o);
}

void occupants_regroup(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (r->front_n == r->nicks.n || r->nicks.n > occupants_crowd(r))
		return;
	while (map_next(&r->nicks, &pos, &key, &value))
		occupant_place(value);
}

void occupant_speaks(struct occupant *o)
{
	if (list_linked(&o->front)) {
		list_del(&o->front);
		list_push(&o->room->front, &o->front);
	} else if (role_is_shown(o)) {
		front_push(o);
		occupant_tell(o, &AVAILABLE, NULL);
	}
}

/* ---- coming and going ---- */

struct occupant *occupant_find(const struct room *r, struct str nick)
{
	return map_get(&r->nicks, nick);
}

bool nick_is_taken(const struct room *r, struct str nick, struct str bare)
{
	struct str look = nick_look(core_arena(r->core), nick);
	const struct occupant *o = map_get(&r->looks, look);
	const struct affil_entry *e = map_get(&r->reserved, look);

	return (o && !str_eq(o->real.full, bare)) || (e && !str_eq(e->jid, bare));
}

/* A user's own nicks may look alike: the first one stands for them. */
static void put_nick(struct occupant *o)
{
	struct room *r = o->room;

	o->look = str_dup(nick_look(core_arena(r->core), jid_resource(o->jid)));
	map_put(&r->nicks, jid_resource(o->jid), o);
	if (!map_get(&r->looks, str_of(o->look)))
		map_put(&r->looks, str_of(o->look), o);
}

static void del_nick(struct occupant *o)
{
	struct room *r = o->room;

	map_del(&r->nicks, jid_resource(o->jid));
	if (map_get(&r->looks, str_of(o->look)) == o)
		map_del(&r->looks, str_of(o->look));
	free(o->look);
	free((void *)o->jid.full.p);
}

struct seat *seat_find(const struct room *r, struct jid real)
{
	return map_get(&r->reals, real.full);
}

void occupant_id(const struct room *r, struct jid bare, char *out)
{
	struct arena *a = core_arena(r->core);
	const struct accounts *ac = r->core->env->accounts;
	uint8_t mac[HASH_MAX];
	struct buf in = { 0 };
	struct str text;

	buf_str(&in, r->jid.full);
	buf_putc(&in, '\0');
	buf_str(&in, bare.full);
	hmac(HASH_SHA256, (struct str){ (const char *)ac->secret, sizeof(ac->secret) }, buf_view(&in), mac);
	buf_free(&in);
	text = base64url_encode(a, (struct str){ (const char *)mac, hash_size(HASH_SHA256) });
	memcpy(out, text.p, text.n);
	out[text.n] = '\0';
}

static struct occupant *occupant_add(struct room *r, struct str nick, struct jid real)
{
	struct occupant *o = mem_zalloc(sizeof(*o));

	o->room = r;
	o->jid = jid_dup(jid_make(core_arena(r->core), jid_node(r->jid), jid_domain(r->jid), nick));
	o->real = jid_dup(jid_bare(real));
	list_init(&o->seats);
	o->affil = room_affil_of(r, o->real);
	o->role = voice_role(r, o->real.full, o->affil);
	occupant_id(r, o->real, o->id);
	put_nick(o);
	occupant_place(o);
	metric_add(M_ROOM_OCCUPANTS, 1);
	return o;
}

struct seat *seat_add(struct room *r, struct str nick, struct jid real)
{
	struct occupant *o = occupant_find(r, nick);
	struct seat *s = mem_zalloc(sizeof(*s));

	if (!o)
		o = occupant_add(r, nick, real);
	s->o = o;
	s->real.jid = jid_dup(real);
	s->real.home = router_home(r->core, real);
	list_push(&o->seats, &s->in_occupant);
	o->seats_n++;
	if (r->seats_n == r->seats_cap) {
		r->seats_cap = r->seats_cap ? r->seats_cap * 2 : 8;
		r->seats = mem_realloc(r->seats, r->seats_cap * sizeof(struct seat *));
	}
	s->at = r->seats_n;
	r->seats[r->seats_n++] = s;
	map_put(&r->reals, s->real.jid.full, s);
	return s;
}

static void seat_free(struct seat *s)
{
	struct room *r = s->o->room;

	map_del(&r->reals, s->real.jid.full);
	r->seats[s->at] = r->seats[--r->seats_n];
	r->seats[s->at]->at = s->at;
	list_del(&s->in_occupant);
	s->o->seats_n--;
	blob_unref(s->inner);
	free((void *)s->real.jid.full.p);
	free(s);
}

static void occupant_free(struct occupant *o)
{
	struct seat *s;

	list_each(s, &o->seats, in_occupant)
		seat_free(s);
	front_del(o);
	del_nick(o);
	occupant_touched(o);
	free((void *)o->real.full.p);
	free(o);
	metric_add(M_ROOM_OCCUPANTS, -1);
}

void occupant_remove(struct occupant *o, const struct notice *n)
{
	occupant_tell(o, n, NULL);
	occupant_free(o);
}

void seat_remove(struct seat *s, const struct notice *n)
{
	struct occupant *o = s->o;
	bool was_shown = o->shown == s;

	if (o->seats_n == 1) {
		occupant_remove(o, n);
		return;
	}
	/* The user stays with another session (§7.2.8): only this one hears that it has left. */
	occupant_show(o, n, s);
	seat_free(s);
	if (!was_shown)
		return;
	o->shown = list_entry(o->seats.prev, struct seat, in_occupant);
	occupant_touched(o);
	occupant_tell(o, &AVAILABLE, NULL);
}

void occupant_rename(struct occupant *o, struct str nick)
{
	struct room *r = o->room;
	struct jid to = jid_dup(jid_make(core_arena(r->core), jid_node(r->jid), jid_domain(r->jid), nick));

	del_nick(o);
	o->jid = to;
	put_nick(o);
	occupant_touched(o);
}

void occupants_free(struct room *r)
{
	while (r->seats_n)
		occupant_free(r->seats[0]->o);
	map_fini(&r->nicks);
	map_fini(&r->looks);
	map_fini(&r->reals);
	free(r->seats);
	r->seats = NULL;
	r->seats_cap = 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0463 0.2.0 versions of a room's affiliations. A version is an archive id: unique over all lives of the room, rising with each
 * change. An entry keeps that of its last change; who lost the affiliation is remembered for MUC_GONE_MAX changes. */
#include <stdlib.h>

#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

enum { MAV_ITEMS_MAX = 500 }; /* of one message */

/* ---- what is kept ---- */

/* Somebody who has no affiliation any more. */
struct gone {
	uint64_t ver;
	struct str jid;
	char bytes[];
};

static void gone_put(struct room *r, struct str bare, uint64_t ver)
{
	struct gone *g = map_get(&r->gone, bare);

	if (!g) {
		g = mem_alloc(sizeof(*g) + bare.n + 1);
		memcpy(g->bytes, bare.p, bare.n);
		g->jid = (struct str){ g->bytes, bare.n };
		map_put(&r->gone, g->jid, g);
	}
	g->ver = ver;
}

static void gone_del(struct room *r, struct str bare)
{
	free(map_del(&r->gone, bare));
}

uint64_t versions_gone(const struct room *r, struct str bare)
{
	const struct gone *g = map_get(&r->gone, bare);

	return g ? g->ver : 0;
}

void versions_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->gone, &pos, &key, &value))
		free(value);
	map_fini(&r->gone);
	r->affil_ver = r->affil_floor = 0;
}

void versions_load(struct room *r, struct str bare, enum affil affil, uint64_t ver)
{
	struct affil_entry *e = room_affil(r, bare);

	if (affil == AFFIL_NONE)
		gone_put(r, bare, ver);
	else if (e)
		e->ver = ver;
	if (ver > r->affil_ver)
		r->affil_ver = ver;
}

void versions_loaded(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	/* Rows of before, or of a room just made: what a client may have seen of them is not known. */
	while (map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;

		if (!e->ver)
			e->ver = r->affil_ver = r->affil_floor = archive_id_new(r->core);
	}
	if (!r->affil_ver)
		r->affil_ver = archive_id_new(r->core);
	if (!r->affil_floor)
		r->affil_floor = r->affil_ver;
}

void versions_save(struct room *r, struct store_batch *b)
{
	store_put(b, r->jid.full, STR("room"), STR("affilfloor"),
		arena_printf(core_arena(r->core), "%llu", (unsigned long long)r->affil_floor));
}

static void forget_oldest(struct room *r, struct store_batch **b)
{
	struct gone *oldest = NULL;
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->gone, &pos, &key, &value))
		if (!oldest || ((struct gone *)value)->ver < oldest->ver)
			oldest = value;
	if (!oldest)
		return;
	r->affil_floor = oldest->ver;
	if (r->saved) {
		versions_save(r, room_batch(b));
		store_del(*b, r->jid.full, STR("affil"), oldest->jid);
	}
	gone_del(r, oldest->jid);
}

/* ---- changes ---- */

static struct str mav(struct room *r, uint64_t since, uint64_t until)
{
	struct arena *a = core_arena(r->core);
	struct str from = since ? arena_printf(a, " since='%llu'", (unsigned long long)since) : STR("");

	return arena_printf(a, "<mav xmlns='" NS_MUC_AFFILIATIONS "'%.*s until='%llu'/>", STR_ARG(from), (unsigned long long)until);
}

struct str versions_until(struct room *r)
{
	return mav(r, 0, r->affil_ver);
}

struct str versions_change(struct room *r, struct str bare, struct store_batch **b)
{
	struct affil_entry *e = room_affil(r, bare);
	uint64_t since = r->affil_ver;

	r->affil_ver = archive_id_new(r->core);
	if (e) {
		e->ver = r->affil_ver;
		gone_del(r, bare);
	} else {
		gone_put(r, bare, r->affil_ver);
		if (r->gone.n > MUC_GONE_MAX)
			forget_oldest(r, b);
	}
	return mav(r, since, r->affil_ver);
}

static void put_item(struct arena *a, struct xml *x, struct str jid, enum affil affil, const char *nick)
{
	struct xml *item = xml_add(a, x, "item", NULL);

	xml_set(a, item, "affiliation", str_of(affil_name(affil)));
	xml_set(a, item, "jid", jid);
	if (nick)
		xml_set(a, item, "nick", str_of(nick));
	xml_set(a, item, "role", STR("none"));
}

static struct xml *message_new(struct room *r, struct stanza *st)
{
	stanza_new(core_arena(r->core), ST_MESSAGE, MSG_NORMAL, st);
	st->from = r->jid;
	return xml_add(core_arena(r->core), st->el, "x", NS_MUC_USER);
}

/* ---- telling of those who are not inside ---- */

enum { LISTS = AFFIL_OWNER + 1, MASKS = 1 << LISTS };

/* A change that waits to be told, in the turn's arena. */
struct told {
	struct told *next;
	struct str bare;
	enum affil was, now;
};

void versions_tell(struct room *r, struct str bare, enum affil was, enum affil now, uint64_t since)
{
	struct arena *a = core_arena(r->core);
	struct told *t = arena_zalloc(a, sizeof(*t));

	*t = (struct told){ .bare = arena_str(a, bare), .was = was, .now = now };
	if (!r->told_first)
		r->told_since = since;
	*(r->told_first ? &r->told_last->next : &r->told_first) = t;
	r->told_last = t;
	r->told_until = r->affil_ver;
}

/* Which lists may this one see? */
static unsigned mask_of(const struct room *r, const struct seat *s)
{
	unsigned mask = 0;

	for (int i = 0; i < LISTS; i++)
		mask |= (unsigned)room_may_list(r, s->real.jid, s, (enum affil)i) << i;
	return mask;
}

/* To all who see the same lists: what they may know of the changes. */
static void tell_group(struct room *r, unsigned mask, struct fanout_to **v, size_t n)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;
	struct xml *x = message_new(r, &st), *el;
	size_t items = 0;

	if (!xml_parse(a, mav(r, r->told_since, r->told_until), &el))
		xml_append(x, el);
	for (const struct told *t = r->told_first; t; t = t->next) {
		if (!(mask & (1u << t->was | 1u << t->now)))
			continue;
		put_item(a, x, t->bare, mask & 1u << t->now ? t->now : AFFIL_NONE, NULL); /* what became of it may not be theirs */
		items++;
	}
	if (items)
		router_fanout(r->core, &st, v, n);
	stanza_fini(&st);
}

void versions_flush(struct room *r)
{
	struct arena *a = core_arena(r->core);
	struct fanout_to **v;
	uint8_t *masks;
	bool used[MASKS] = { false };

	if (!r->told_first)
		return;
	v = arena_alloc(a, (r->seats_n + 1) * sizeof(*v));
	masks = arena_alloc(a, r->seats_n + 1);
	for (uint32_t i = 0; i < r->seats_n; i++) {
		masks[i] = (uint8_t)mask_of(r, r->seats[i]);
		used[masks[i]] = true;
	}
	for (unsigned mask = 1; mask < MASKS; mask++) {
		size_t n = 0;

		for (uint32_t i = 0; used[mask] && i < r->seats_n; i++)
			if (masks[i] == mask)
				v[n++] = &r->seats[i]->real;
		if (n)
			tell_group(r, mask, v, n);
	}
	r->told_first = r->told_last = NULL;
}

/* ---- on joining ---- */

struct line {
	uint64_t ver;
	struct str jid;
	enum affil affil;
	const char *nick;
};

static int by_ver(const void *a, const void *b)
{
	uint64_t x = ((const struct line *)a)->ver, y = ((const struct line *)b)->ver;

	return (x > y) - (x < y);
}

/* since 0: all there is. Returns their number. */
static size_t collect(struct room *r, const struct seat *s, uint64_t since, struct line *v)
{
	bool may[AFFIL_OWNER + 1];
	uint32_t pos = 0;
	size_t n = 0;
	struct str key;
	void *value;

	for (int i = 0; i <= AFFIL_OWNER; i++)
		may[i] = room_may_list(r, s->real.jid, s, (enum affil)i);
	while (map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;

		if (e->ver > since && may[e->affil])
			v[n++] = (struct line){ e->ver, e->jid, e->affil, e->nick };
		else if (e->ver > since && since)
			v[n++] = (struct line){ e->ver, e->jid, AFFIL_NONE, NULL };
	}
	for (pos = 0; since && map_next(&r->gone, &pos, &key, &value);) {
		struct gone *g = value;

		if (g->ver > since)
			v[n++] = (struct line){ g->ver, g->jid, AFFIL_NONE, NULL };
	}
	qsort(v, n, sizeof(*v), by_ver);
	return n;
}

static void send_lines(struct room *r, struct seat *to, uint64_t since, const struct line *v, size_t n)
{
	struct arena *a = core_arena(r->core);
	size_t i = 0;

	do {
		size_t end = n - i > MAV_ITEMS_MAX ? i + MAV_ITEMS_MAX : n;
		uint64_t until = end == n ? r->affil_ver : v[end - 1].ver;
		struct stanza st;
		struct xml *x = message_new(r, &st), *el;

		if (!xml_parse(a, mav(r, since, until), &el))
			xml_append(x, el);
		for (; i < end; i++)
			put_item(a, x, v[i].jid, v[i].affil, v[i].nick);
		room_send(r, to, &st);
		stanza_fini(&st);
		since = until;
	} while (i < n);
}

static void refuse(struct room *r, struct seat *to)
{
	struct stanza st;

	stanza_new(core_arena(r->core), ST_MESSAGE, MSG_ERROR, &st);
	st.from = r->jid;
	stanza_error_add(core_arena(r->core), st.el, ERR_FORBIDDEN, NULL);
	room_send(r, to, &st);
	stanza_fini(&st);
}

void versions_send(struct room *r, struct seat *to, const struct xml *join)
{
	const struct xml *asked = xml_child(join, "mav", NS_MUC_AFFILIATIONS);
	uint64_t since = 0;
	struct line *v;
	size_t n;

	if (!asked)
		return;
	if (!room_may_list(r, to->real.jid, to, AFFIL_MEMBER)) {
		refuse(r, to);
		return;
	}
	if (str_u64(xml_get(asked, "since"), UINT64_MAX, &since) || since < r->affil_floor || since > r->affil_ver)
		since = 0;
	if (since == r->affil_ver)
		return;
	v = arena_alloc(core_arena(r->core), (r->affils.n + r->gone.n + 1) * sizeof(*v));
	n = collect(r, to, since, v);
	if (n || !since)
		send_lines(r, to, since, v, n);
}

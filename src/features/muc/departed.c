/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An account of this server is gone: so are its affiliations, hats and nicks in all rooms, lest the next owner of the name has them. A walk
 * over the rooms of all hosts finds where it is known; each room forgets it in its own shard. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "features/muc/muc.h"

enum { PAGE = 500 };

/* ---- in the room ---- */

void departed_free(struct room *r)
{
	while (r->departed) {
		struct departed *d = r->departed;

		r->departed = d->next;
		free(d);
	}
}

/* Who follows the last owner: an admin, else a member; the longest-standing one. */
static struct affil_entry *heir(const struct room *r)
{
	struct affil_entry *best = NULL;
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;

		if (e->affil < AFFIL_MEMBER || !memchr(e->jid.p, '@', e->jid.n))
			continue;
		if (!best || e->affil > best->affil || (e->affil == best->affil && e->ver < best->ver))
			best = e;
	}
	return best;
}

static void forget(struct room *r, struct str bare, struct store_batch **b)
{
	struct affil_entry *e = room_affil(r, bare);
	bool owned = e && e->affil == AFFIL_OWNER;

	hats_forget(r, bare, b);
	voice_forget(r, bare, b);
	if (!e)
		return;
	room_affil_do(r, &(struct affil_deed){ .bare = bare, .to = AFFIL_NONE, .nick = STR("") }, b);
	if (!owned)
		return;
	e = heir(r);
	if (e && e->affil == AFFIL_OWNER)
		return;
	if (e) {
		log_info("muc.heir", "room=%.*s", STR_ARG(r->jid.full));
		room_affil_do(r, &(struct affil_deed){ .bare = arena_str(core_arena(r->core), e->jid), .to = AFFIL_OWNER }, b);
	} else if (r->cfg.persistent) { /* nobody's room ends when the last one leaves */
		r->cfg.persistent = false;
		room_save(r, b);
	}
}

void room_departed(struct room *r)
{
	struct store_batch *b = NULL;
	struct departed *d;

	while ((d = r->departed)) {
		r->departed = d->next;
		if (r->state == ROOM_OPEN || r->state == ROOM_LOCKED)
			forget(r, d->bare, &b);
		free(d);
	}
	versions_flush(r);
	if (b)
		room_commit(r, b, NULL);
}

/* ---- to the room's shard ---- */

struct departed_mail {
	struct mail mail;
	struct departed *departed;
	uint16_t room_n;
	char room[];
};

static void on_mail(struct shard *s, struct mail *mail)
{
	struct departed_mail *m = container_of(mail, struct departed_mail, mail);
	struct muc *muc = s->core->slot[SLOT_MUC];

	if (muc)
		muc_departed(muc, jid_trust((struct str){ m->room, m->room_n }), m->departed);
	else
		free(m->departed);
	free(m);
}

static void on_lost(struct mail *mail)
{
	struct departed_mail *m = container_of(mail, struct departed_mail, mail);

	free(m->departed);
	free(m);
}

static const struct mail_kind MAIL_DEPARTED = { .name = "muc.departed", .handle = on_mail, .discard = on_lost, .must_arrive = true };

static void tell_room(struct core *c, struct str room, struct str bare)
{
	struct departed_mail *m = mem_alloc(sizeof(*m) + room.n);

	m->mail = (struct mail){ .kind = &MAIL_DEPARTED };
	m->room_n = (uint16_t)room.n;
	memcpy(m->room, room.p, room.n);
	m->departed = mem_alloc(sizeof(*m->departed) + bare.n);
	memcpy(m->departed->bytes, bare.p, bare.n);
	m->departed->bare = (struct str){ m->departed->bytes, bare.n };
	m->departed->next = NULL;
	if (shard_post(core_shard_of(c, room), &m->mail))
		on_lost(&m->mail);
}

/* ---- the walk over all rooms ---- */

struct search {
	struct core *core;
	struct str bare, host; /* own bytes */
	struct store_item *v;  /* rooms of this page: keys and values, own bytes */
	size_t n, at;
	bool last;
};

static void next_room(struct search *w);
static void next_page(struct search *w, struct str after);

static void page_free(struct search *w)
{
	for (size_t i = 0; i < w->n; i++)
		free((void *)w->v[i].key.p);
	free(w->v);
	w->v = NULL;
	w->n = w->at = 0;
}

static void search_free(struct search *w)
{
	page_free(w);
	free((void *)w->bare.p);
	free((void *)w->host.p);
	free(w);
}

static struct str room_of(struct search *w)
{
	return jid_make(core_arena(w->core), w->v[w->at].key, w->host, STR_NONE).full;
}

static void on_affil(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct search *w = arg;

	(void)s;
	(void)v;
	if (!status && n)
		tell_room(w->core, room_of(w), w->bare);
	w->at++;
	next_room(w);
}

static void next_room(struct search *w)
{
	struct str room, after;

	if (w->at < w->n) {
		room = room_of(w);
		if (store_get(w->core->env->store, w->core->shard, room, STR("affil"), w->bare, on_affil, w))
			search_free(w);
		return;
	}
	if (w->last || !w->n) {
		search_free(w);
		return;
	}
	after = arena_str(core_arena(w->core), w->v[w->n - 1].key);
	page_free(w);
	next_page(w, after);
}

static void on_rooms(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct search *w = arg;

	(void)s;
	w->last = status || n < PAGE;
	w->v = mem_zalloc((n + 1) * sizeof(*w->v));
	for (size_t i = 0; i < n; i++) {
		if (v[i].value.n && v[i].value.p[0] == 'T') { /* a temporary room: only its memory knows */
			struct jid j = jid_make(core_arena(w->core), v[i].key, w->host, STR_NONE);

			tell_room(w->core, j.full, w->bare);
		}
		w->v[w->n++].key = (struct str){ str_dup(v[i].key), v[i].key.n };
	}
	next_room(w);
}

static void next_page(struct search *w, struct str after)
{
	struct store_range range = { .owner = w->host, .kind = STR("room"), .after = after, .limit = PAGE };

	if (store_list(w->core->env->store, w->core->shard, &range, on_rooms, w))
		search_free(w);
}

void muc_account_gone(struct core *c, struct str bare)
{
	for (int i = 0; c->env->store && i < c->env->hosts->n; i++) {
		struct str host = arena_printf(core_arena(c), "conference.%.*s", STR_ARG(c->env->hosts->v[i]->domain));
		struct search *w = mem_zalloc(sizeof(*w));

		w->core = c;
		w->bare = (struct str){ str_dup(bare), bare.n };
		w->host = (struct str){ str_dup(host), host.n };
		next_page(w, STR_NONE);
	}
}

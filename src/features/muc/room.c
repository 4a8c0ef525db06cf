/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A room's life: loaded when somebody addresses it, kept while somebody is inside. What of it is stored: room_store.c. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/parcel.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

/* ---- beginning and end ---- */

static void on_lock_time(struct timer *t)
{
	struct room *r = container_of(t, struct room, lock);
	struct store_batch *b = NULL;

	/* §10.1.1: the owner is taken to accept the default configuration. */
	room_unlock(r);
	room_save(r, &b);
	room_commit(r, b, NULL);
}

void room_create(struct room *r, struct jid owner)
{
	struct store_batch *b = NULL;

	r->state = ROOM_LOCKED;
	r->created_ms = clock_wall_ms();
	room_set_affil(r, owner.full, AFFIL_OWNER, STR_NONE, STR_NONE);
	versions_loaded(r);
	r->lock.on_time = on_lock_time;
	timer_set(&r->core->shard->loop, &r->lock, MUC_LOCK_MS);
	/* A crash may have left words of a temporary room of this name. */
	store_archive_trim(room_batch(&b), r->jid.full, UINT64_MAX);
	store_del_all(b, r->jid.full, STR_NONE, STR_NONE); /* ... or a grave is there */
	free(r->grave);
	r->grave = NULL;
	store_put(b, jid_domain(r->jid), STR("room"), jid_node(r->jid),
		arena_printf(core_arena(r->core), "T%llu", (unsigned long long)r->created_ms));
	room_commit(r, b, NULL);
	log_info("muc.create", "room=%.*s", STR_ARG(r->jid.full));
}

void room_unlock(struct room *r)
{
	timer_cancel(&r->core->shard->loop, &r->lock);
	r->state = ROOM_OPEN;
}

/* Back to a room that nobody made yet. */
static void room_clear(struct room *r)
{
	timer_cancel(&r->core->shard->loop, &r->lock);
	room_affils_free(r);
	versions_free(r);
	hats_free(r);
	applicants_free(r);
	voice_free(r);
	invited_free(r);
	departed_free(r);
	talk_free(r);
	avatar_free(r);
	room_config_free(&r->cfg);
	room_config_default(&r->cfg);
	room_history_free(r);
	room_iq_free(r);
	blob_unref(r->subject);
	r->subject = NULL;
	free(r->grave);
	r->grave = NULL;
	r->saved = false;
	r->open_from = 0;
	r->keeps_own = false;
	r->state = ROOM_ABSENT;
}

void room_forget(struct room *r)
{
	struct store_batch *b = store_batch_new();
	struct str host = jid_domain(r->jid), node = jid_node(r->jid);

	must(r->seats_n == 0);
	store_del(b, host, STR("room"), node);
	store_del(b, host, STR("public"), node);
	store_del_all(b, r->jid.full, STR_NONE, STR_NONE);
	store_archive_trim(b, r->jid.full, UINT64_MAX);
	room_commit(r, b, NULL);
	room_clear(r);
}

static void room_free(struct room *r)
{
	map_del(&r->muc->rooms, r->jid.full);
	list_del(&r->idle);
	occupants_free(r);
	room_clear(r);
	room_config_free(&r->cfg);
	while (r->first_waiting) {
		struct parcel *p = r->first_waiting;

		r->first_waiting = p->mail.next ? container_of(p->mail.next, struct parcel, mail) : NULL;
		parcel_discard(&p->mail);
	}
	free((void *)r->jid.full.p);
	free(r);
	metric_add(M_ROOMS_LIVE, -1);
}

void rooms_free(struct muc *m)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	timer_cancel(&m->core->shard->loop, &m->tick);
	while (map_next(&m->rooms, &pos, &key, &value))
		room_free(value);
	map_fini(&m->rooms);
}

static void on_tick(struct timer *t)
{
	struct muc *m = container_of(t, struct muc, tick);
	uint64_t now = m->core->shard->loop.now_ms;

	while (!list_empty(&m->idle)) {
		struct room *r = list_first(&m->idle, struct room, idle);

		if (now - r->idle_since_ms < MUC_IDLE_MS)
			break;
		room_free(r);
	}
	if (!list_empty(&m->idle))
		timer_set(&m->core->shard->loop, t, MUC_IDLE_MS / 4);
}

static void make_idle(struct room *r)
{
	struct muc *m = r->muc;

	r->idle_since_ms = m->core->shard->loop.now_ms;
	list_del(&r->idle);
	list_push(&m->idle, &r->idle);
	if (!timer_is_set(&m->tick)) {
		m->tick.on_time = on_tick;
		timer_set(&m->core->shard->loop, &m->tick, MUC_IDLE_MS / 4);
	}
}

/* A room that nobody keeps ends with its last occupant (§7.14). */
static void end_if_empty(struct room *r)
{
	if (r->seats_n == 0 && (r->state == ROOM_LOCKED || (r->state == ROOM_OPEN && !r->cfg.persistent)))
		room_forget(r);
}

static void settle(struct room *r)
{
	if (r->state == ROOM_ABSENT)
		room_free(r);
	else if (r->seats_n == 0)
		make_idle(r);
	else
		list_del(&r->idle);
}

/* ---- stanzas, in order ---- */

static void take(struct room *r, struct transit *t)
{
	if (t->st->kind == ST_PRESENCE)
		room_presence(r, t);
	else if (t->st->kind == ST_MESSAGE)
		room_message(r, t);
	else
		room_iq(r, t);
	versions_flush(r);
	transit_finish(t); /* nothing is left where the handler dealt with it */
	end_if_empty(r);
}

static struct parcel *next_waiting(struct room *r)
{
	struct parcel *p = r->first_waiting;

	if (!p)
		return NULL;
	r->first_waiting = p->mail.next ? container_of(p->mail.next, struct parcel, mail) : NULL;
	if (!r->first_waiting)
		r->last_waiting = NULL;
	r->waiting_n--;
	return p;
}

/* What is done may send something back to the same room within the call: that waits its turn. */
static void run(struct room *r, struct transit *t)
{
	struct parcel *p;

	r->busy = true;
	if (r->departed)
		room_departed(r);
	if (t)
		take(r, t);
	while ((p = next_waiting(r))) {
		take(r, &p->t);
		parcel_free(p);
	}
	end_if_empty(r);
	r->busy = false;
	settle(r);
}

void room_do(struct room *r, room_fn *fn, void *arg)
{
	must(!r->busy);
	r->busy = true;
	fn(r, arg);
	run(r, NULL);
}

static void wait(struct room *r, struct transit *t)
{
	struct parcel *p;

	if (r->waiting_n >= MUC_WAITING_MAX) {
		room_refuse(t, ERR_RESOURCE_CONSTRAINT, "The room is busy; try again in a moment.");
		return;
	}
	p = parcel_new(t);
	t->batch = NULL;
	t->receipt = (struct receipt){ 0 };
	p->mail.next = NULL;
	if (r->last_waiting)
		r->last_waiting->mail.next = &p->mail;
	else
		r->first_waiting = p;
	r->last_waiting = p;
	r->waiting_n++;
}

/* ---- loading ---- */

static struct room *loading_room(struct shard *s, char *name)
{
	struct muc *m = s->core->slot[SLOT_MUC];
	struct room *r = m ? map_get(&m->rooms, str_of(name)) : NULL;

	free(name);
	return r && r->state == ROOM_LOADING ? r : NULL;
}

static void load_failed(struct room *r)
{
	struct parcel *p;

	while ((p = next_waiting(r))) {
		room_refuse(&p->t, ERR_INTERNAL_SERVER_ERROR, "The room could not be read; try again in a moment.");
		parcel_free(p);
	}
	room_clear(r);
	settle(r);
}

static void ask_rows(struct room *r, uint64_t before_id);

static void on_rows(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct room *r = loading_room(s, arg);
	bool first = r && r->pages++ == 0;

	if (!r)
		return;
	if (status) {
		load_failed(r);
		return;
	}
	for (size_t i = 0; first && i < page->n; i++)
		room_history_load(r, &page->v[i]);
	for (size_t i = page->n; !first && i-- > 0;)
		room_seen_load(r, &page->v[i]);
	if (!page->complete && page->n && r->pages < MUC_SEEN_PAGES) {
		ask_rows(r, page->v[0].id);
		return;
	}
	r->state = ROOM_OPEN;
	run(r, NULL);
}

static void ask_rows(struct room *r, uint64_t before_id)
{
	struct archive_query q = { .owner = r->jid.full, .end_id = UINT64_MAX, .before_id = before_id, .backward = true,
		.limit = STORE_PAGE_MAX };
	char *name = str_dup(r->jid.full);

	if (store_query(r->core->env->store, r->core->shard, &q, on_rows, name)) {
		free(name);
		load_failed(r);
	}
}

static void on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct room *r = loading_room(s, arg);
	char *grave;

	if (!r)
		return;
	for (size_t i = 0; i < n; i++)
		room_load_item(r, &v[i]);
	if (status) {
		load_failed(r);
	} else if (!r->saved) {
		grave = r->grave;
		r->grave = NULL;
		room_clear(r);
		r->grave = grave;
		run(r, NULL);
	} else {
		versions_loaded(r);
		r->pages = 0;
		ask_rows(r, UINT64_MAX);
	}
}

static struct room *room_new(struct muc *m, struct jid jid)
{
	struct room *r = mem_zalloc(sizeof(*r));

	r->muc = m;
	r->core = m->core;
	r->jid = jid_dup(jid_bare(jid));
	list_init(&r->front);
	room_config_default(&r->cfg);
	map_put(&m->rooms, r->jid.full, r);
	metric_add(M_ROOMS_LIVE, 1);
	return r;
}

static struct room *load(struct muc *m, struct jid jid)
{
	struct store_range range = { .limit = MUC_ROWS_MAX };
	struct room *r;
	char *name;

	if (m->rooms.n >= MUC_ROOMS_MAX && !list_empty(&m->idle))
		room_free(list_first(&m->idle, struct room, idle));
	if (m->rooms.n >= MUC_ROOMS_MAX)
		return NULL;
	r = room_new(m, jid);
	range.owner = r->jid.full;
	name = str_dup(r->jid.full);
	if (!store_list(m->core->env->store, m->core->shard, &range, on_items, name))
		return r;
	free(name);
	room_free(r);
	return NULL;
}

void muc_stanza(struct muc *m, struct transit *t)
{
	struct room *r = map_get(&m->rooms, jid_bare_str(t->st->to));

	if (!r && t->st->kind == ST_PRESENCE && t->st->type != PRES_AVAILABLE) {
		transit_finish(t); /* nobody is inside: nobody leaves */
		return;
	}
	if (!r)
		r = load(m, t->st->to);
	if (!r)
		room_refuse(t, ERR_RESOURCE_CONSTRAINT, "Too many rooms; try again in a moment.");
	else if (r->state == ROOM_LOADING || r->busy)
		wait(r, t);
	else
		run(r, t);
}

void muc_departed(struct muc *m, struct jid room, struct departed *d)
{
	struct room *r = map_get(&m->rooms, room.full);

	if (!r)
		r = load(m, room);
	if (!r) { /* too many rooms in memory */
		free(d);
		return;
	}
	d->next = r->departed;
	r->departed = d;
	if (r->state != ROOM_LOADING && !r->busy)
		run(r, NULL);
}

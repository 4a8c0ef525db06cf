/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A room's life: loaded when somebody addresses it, kept while somebody is inside, and what of it is stored.
 *   owner room   kind "room"   key "config"   form of muc#roomconfig       key "subject"  8 bytes ms (little endian), stanza_pack
 *                              key "affilfloor" oldest version of XEP-0463 that is known (versions.c)
 *                              key "vcard"  XEP-0486, XML
 *                kinds "hat", "hatted": hats.c; "apply": register.c; "voice": voice.c
 *                kind "affil"  key bare JID   digit of the affiliation, reserved nick, line feed, reason, U+0001, version
 *   owner host   kind "room"   key node       "P", or for a temporary room "T" and the ms of its creation
 *                kind "public" key node       for rooms that are listed: directory.h */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/parcel.h"
#include "features/muc/directory.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/look.h"
#include "proto/xmpp/ns.h"


/* ---- affiliations ---- */

struct affil_entry *room_affil(const struct room *r, struct str bare)
{
	return map_get(&r->affils, bare);
}

enum affil room_affil_of(const struct room *r, struct jid j)
{
	struct affil_entry *e = map_get(&r->affils, jid_bare_str(j));

	if (!e)
		e = map_get(&r->affils, jid_domain(j)); /* §9.2: a whole domain */
	return e ? e->affil : AFFIL_NONE;
}

static void affil_nick(struct room *r, struct affil_entry *e, struct str nick)
{
	if (e->look && map_get(&r->reserved, str_of(e->look)) == e)
		map_del(&r->reserved, str_of(e->look));
	free(e->nick);
	free(e->look);
	e->nick = nick.n ? str_dup(nick) : NULL;
	e->look = nick.n ? str_dup(nick_look(core_arena(r->core), nick)) : NULL;
	if (e->look && !map_get(&r->reserved, str_of(e->look)))
		map_put(&r->reserved, str_of(e->look), e);
}

static void affil_free(struct room *r, struct affil_entry *e)
{
	affil_nick(r, e, STR_NONE);
	map_del(&r->affils, e->jid);
	free(e->reason);
	free(e->id);
	free(e);
}

int room_set_affil(struct room *r, struct str bare, enum affil to, struct str nick, struct str reason)
{
	struct affil_entry *e = map_get(&r->affils, bare);

	if (to == AFFIL_NONE) {
		if (e)
			affil_free(r, e);
		return 0;
	}
	if (!e) {
		if (r->affils.n >= MUC_AFFILS_MAX)
			return -ENOSPC;
		e = mem_zalloc(sizeof(*e) + bare.n + 1);
		memcpy(e->bytes, bare.p, bare.n);
		e->jid = (struct str){ e->bytes, bare.n };
		map_put(&r->affils, e->jid, e);
	}
	e->affil = to;
	if (nick.p || to == AFFIL_OUTCAST) /* §9.1: who is banned keeps no nick */
		affil_nick(r, e, to == AFFIL_OUTCAST ? STR_NONE : nick);
	free(e->reason);
	e->reason = reason.n ? str_dup(reason) : NULL;
	return 0;
}

static void load_affil(struct room *r, struct str key, struct str value)
{
	struct str nick, reason, version;
	uint64_t ver;

	if (value.n < 1 || value.p[0] < '0' + AFFIL_OUTCAST || value.p[0] > '0' + AFFIL_OWNER)
		return;
	value = str_cut(value, '\x01', &version); /* no such character is in XML */
	nick = str_cut((struct str){ value.p + 1, value.n - 1 }, '\n', &reason);
	room_set_affil(r, key, (enum affil)(value.p[0] - '0'), nick, reason);
	if (version.n && !str_u64(version, UINT64_MAX, &ver))
		versions_load(r, key, (enum affil)(value.p[0] - '0'), ver);
}

/* ---- storing ---- */

struct store_batch *room_batch(struct store_batch **b)
{
	if (!*b)
		*b = store_batch_new();
	return *b;
}

static void put_affil(struct room *r, struct store_batch *b, const struct affil_entry *e)
{
	struct str value = arena_printf(core_arena(r->core), "%d%s\n%s\x01%llu", (int)e->affil, e->nick ? e->nick : "",
		e->reason ? e->reason : "", (unsigned long long)e->ver);

	store_put(b, r->jid.full, STR("affil"), e->jid, value);
}

void room_save_affil(struct room *r, struct store_batch **b, struct str bare)
{
	struct affil_entry *e = map_get(&r->affils, bare);
	uint64_t ver = versions_gone(r, bare);

	if (!r->saved)
		return;
	if (e)
		put_affil(r, room_batch(b), e);
	else if (ver)
		store_put(room_batch(b), r->jid.full, STR("affil"), bare,
			arena_printf(core_arena(r->core), "%d\n\x01%llu", (int)AFFIL_NONE, (unsigned long long)ver));
	else
		store_del(room_batch(b), r->jid.full, STR("affil"), bare);
}

void room_save_subject(struct room *r, struct store_batch **b)
{
	struct buf v = { 0 };

	if (!r->saved || !r->subject)
		return;
	for (int i = 0; i < 8; i++)
		buf_putc(&v, (char)(r->subject_ms >> 8 * i));
	buf_str(&v, blob_view(r->subject));
	store_put(room_batch(b), r->jid.full, STR("room"), STR("subject"), buf_view(&v));
	buf_free(&v);
}

static void load_subject(struct room *r, struct str value)
{
	if (value.n <= 8)
		return;
	blob_unref(r->subject);
	r->subject_ms = 0;
	for (int i = 0; i < 8; i++)
		r->subject_ms |= (uint64_t)(unsigned char)value.p[i] << 8 * i;
	r->subject = blob_new(value.p + 8, value.n - 8);
}

static void put_config(struct room *r, struct store_batch *b)
{
	struct arena *a = core_arena(r->core);
	struct xml *holder = xml_new(a, "room", NS_MUC_ROOMCONFIG), *form = form_new(a, holder, "submit", NS_MUC_ROOMCONFIG);
	struct buf v = { 0 };

	room_config_write(a, form, &r->cfg, false);
	xml_write(&v, form, STR_NONE);
	store_put(b, r->jid.full, STR("room"), STR("config"), buf_view(&v));
	buf_free(&v);
}

static void load_config(struct room *r, struct str value)
{
	struct arena *a = core_arena(r->core);
	struct xml *form;

	if (xml_parse(a, value, &form) || room_config_read(a, form, &r->cfg))
		log_error("muc.config", "room=%.*s next=\"unreadable settings have their defaults\"", STR_ARG(r->jid.full));
	r->saved = true;
}

struct str room_title(const struct room *r)
{
	return r->cfg.name[0] ? str_of(r->cfg.name) : jid_node(r->jid);
}

static void list_room(struct room *r, struct store_batch *b)
{
	struct str host = jid_domain(r->jid), node = jid_node(r->jid);

	store_put(b, host, STR("room"), node,
		r->cfg.persistent ? STR("P")
				  : arena_printf(core_arena(r->core), "T%llu", (unsigned long long)r->created_ms));
	if (r->cfg.public)
		store_put(b, host, STR("public"), node, directory_row(r));
	else
		store_del(b, host, STR("public"), node);
}

void room_save(struct room *r, struct store_batch **out)
{
	struct store_batch *b = room_batch(out);
	bool was = r->saved;
	uint32_t pos = 0;
	struct str key;
	void *value;

	list_room(r, b);
	r->saved = r->cfg.persistent;
	if (was && !r->saved)
		store_del_all(b, r->jid.full, STR_NONE, STR_NONE);
	avatar_saved(r, b, was);
	if (!r->saved)
		return;
	put_config(r, b);
	if (was)
		return;
	versions_save(r, b);
	hats_save(r, b);
	applicants_save(r, b);
	voices_save(r, b);
	while (map_next(&r->affils, &pos, &key, &value))
		put_affil(r, b, value);
	room_save_subject(r, out);
}

static void on_committed(struct shard *s, void *arg, int status)
{
	struct iq_held *held = arg;
	struct xml *child;

	if (status)
		log_error("muc.not_stored", "error=%d next=\"who asked gets an error\"", -status);
	if (!held)
		return;
	if (status)
		iq_error(iq_wake(held), ERR_RESOURCE_CONSTRAINT, "The change could not be stored.");
	else if (!held->arg || xml_parse(shard_arena(s), str_of(held->arg), &child))
		iq_result(iq_wake(held), NULL);
	else
		iq_result(iq_wake(held), child);
	free(held->arg);
	iq_held_free(held);
}

void room_commit(struct room *r, struct store_batch *b, struct iq *iq)
{
	room_commit_with(r, b, iq, NULL);
}

static char *text_of(const struct xml *el)
{
	struct buf b = { 0 };
	char *text;

	if (!el)
		return NULL;
	xml_write(&b, el, STR_NONE);
	text = str_dup(buf_view(&b));
	buf_free(&b);
	return text;
}

void room_commit_with(struct room *r, struct store_batch *b, struct iq *iq, struct xml *child)
{
	struct iq_held *held = NULL;

	if (!b) {
		if (iq)
			iq_result(iq, child);
		return;
	}
	if (iq)
		held = iq_hold(iq, text_of(child));
	if (store_commit(r->core->env->store, r->core->shard, b, on_committed, held))
		on_committed(r->core->shard, held, -ENOBUFS);
}

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
	uint32_t pos = 0;
	struct str key;
	void *value;

	timer_cancel(&r->core->shard->loop, &r->lock);
	while (map_next(&r->affils, &pos, &key, &value))
		affil_free(r, value);
	map_fini(&r->affils);
	map_fini(&r->reserved);
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

static void load_item(struct room *r, const struct store_item *item)
{
	if (str_is(item->kind, "affil"))
		load_affil(r, item->key, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "config"))
		load_config(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "subject"))
		load_subject(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "affilfloor"))
		str_u64(item->value, UINT64_MAX, &r->affil_floor);
	else if (str_is(item->kind, "room") && str_is(item->key, "vcard"))
		avatar_load(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "grave"))
		grave_load(r, item->value);
	else if (str_is(item->kind, "apply"))
		applicant_load(r, item->key, item->value);
	else if (str_is(item->kind, "voice") && item->value.n == 1)
		voice_load(r, item->key, (enum role)(item->value.p[0] - '0'));
	else if (str_is(item->kind, "hat") || str_is(item->kind, "hatted"))
		hats_load(r, item);
}

static void on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct room *r = loading_room(s, arg);
	char *grave;

	if (!r)
		return;
	for (size_t i = 0; i < n; i++)
		load_item(r, &v[i]);
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

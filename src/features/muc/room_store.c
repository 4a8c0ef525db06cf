/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a room keeps and how it is stored.
 *   owner room   kind "room"   key "config"   form of muc#roomconfig       key "subject"  8 bytes ms (little endian), stanza_pack
 *                              key "affilfloor" oldest version of XEP-0463 that is known (versions.c)
 *                              key "open"   archive id since which it is non-anonymous
 *                              key "vcard"  XEP-0486, XML
 *                kinds "hat", "hatted": hats.c; "apply": register.c; "voice": voice.c
 *                kind "affil"  key bare JID   digit of the affiliation, reserved nick, line feed, reason, U+0001, version
 *   owner host   kind "room"   key node       "P", or for a temporary room "T" and the ms of its creation
 *                kind "public" key node       for rooms that are listed: directory.h */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "features/muc/directory.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/look.h"

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

void room_affils_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->affils, &pos, &key, &value))
		affil_free(r, value);
	map_fini(&r->affils);
	map_fini(&r->reserved);
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
	store_put(b, r->jid.full, STR("room"), STR("open"),
		arena_printf(core_arena(r->core), "%llu", (unsigned long long)r->open_from));
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

/* ---- loading ---- */

void room_load_item(struct room *r, const struct store_item *item)
{
	if (str_is(item->kind, "affil"))
		load_affil(r, item->key, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "config"))
		load_config(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "subject"))
		load_subject(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "affilfloor"))
		str_u64(item->value, UINT64_MAX, &r->affil_floor);
	else if (str_is(item->kind, "room") && str_is(item->key, "open"))
		str_u64(item->value, UINT64_MAX, &r->open_from);
	else if (str_is(item->kind, "room") && str_is(item->key, "vcard"))
		avatar_load(r, item->value);
	else if (str_is(item->kind, "room") && str_is(item->key, "grave"))
		grave_load(r, item->value);
	else if (str_is(item->kind, "apply"))
		applicant_load(r, item->key, item->value);
	else if (str_is(item->kind, "voice") && item->value.n == 1)
		voice_load(r, item->key, (enum role)(item->value.p[0] - '0'));
	else if (str_is(item->kind, "keep"))
		r->keeps_own = !str_u64(item->value, UINT32_MAX, &r->keep_days);
	else if (str_is(item->kind, "hat") || str_is(item->kind, "hatted"))
		hats_load(r, item);
}

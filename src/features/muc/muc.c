/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 1.35.5 multi-user chat: the service conference.DOMAIN. With XEP-0249 (direct invitations pass as any message), XEP-0410 1.1.0,
 * XEP-0421 1.0.1, XEP-0307 0.1 and the archives of XEP-0313. Left out: GC 1.0 entry (refused as §7.2.16 says). */
#include "features/muc/muc.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/xmpp/ns.h"

enum { SWEEP_PAGE = 500 };

/* ---- temporary rooms of a process that ended without saying goodbye ---- */

struct sweep {
	uint64_t before_ms;
	struct str host;  /* own bytes */
	struct str after; /* own bytes; p NULL: from the first */
};

static void sweep_next(struct core *c, struct sweep *w);

static void sweep_one(struct core *c, const struct sweep *w, const struct store_item *item)
{
	struct arena *a = core_arena(c);
	struct store_batch *b;
	struct str room;
	uint64_t ms;

	if (item->value.n < 2 || item->value.p[0] != 'T' ||
		str_u64((struct str){ item->value.p + 1, item->value.n - 1 }, UINT64_MAX, &ms) || ms >= w->before_ms)
		return;
	room = arena_printf(a, "%.*s@%.*s", STR_ARG(item->key), STR_ARG(w->host));
	b = store_batch_new();
	store_expect(b, w->host, STR("room"), item->key, item->value); /* not if somebody made it anew meanwhile */
	store_del(b, w->host, STR("room"), item->key);
	store_del(b, w->host, STR("public"), item->key);
	store_del_all(b, room, STR_NONE, STR_NONE);
	store_archive_trim(b, room, UINT64_MAX);
	store_commit(c->env->store, c->shard, b, NULL, NULL);
}

static void sweep_free(struct sweep *w)
{
	free((void *)w->host.p);
	free((void *)w->after.p);
	free(w);
}

static void on_swept(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct sweep *w = arg;

	for (size_t i = 0; i < n; i++)
		sweep_one(s->core, w, &v[i]);
	if (status || n < SWEEP_PAGE) {
		sweep_free(w);
		return;
	}
	free((void *)w->after.p);
	w->after = (struct str){ str_dup(v[n - 1].key), v[n - 1].key.n };
	sweep_next(s->core, w);
}

static void sweep_next(struct core *c, struct sweep *w)
{
	struct store_range range = { .owner = w->host, .kind = STR("room"), .after = w->after, .limit = SWEEP_PAGE };

	if (store_list(c->env->store, c->shard, &range, on_swept, w))
		sweep_free(w);
}

static void sweep(struct core *c)
{
	struct arena *a = core_arena(c);

	if (c->shard->index != 0 || !c->env->store)
		return;
	for (int i = 0; i < c->env->hosts->n; i++) {
		struct str host = arena_printf(a, "conference.%.*s", STR_ARG(c->env->hosts->v[i]->domain));
		struct sweep *w = mem_zalloc(sizeof(*w));

		w->before_ms = clock_wall_ms();
		w->host = (struct str){ str_dup(host), host.n };
		sweep_next(c, w);
	}
}

/* ---- the service ---- */

static void on_start(struct core *c)
{
	struct muc *m = mem_zalloc(sizeof(*m));

	m->core = c;
	list_init(&m->idle);
	c->slot[SLOT_MUC] = m;
	sweep(c);
}

static void to_service(struct muc *m, struct transit *t)
{
	struct stanza *st = t->st;
	struct iq iq = { .core = t->core, .st = st };
	struct xml *tree;

	if (st->kind == ST_IQ && (st->type == IQ_GET || st->type == IQ_SET)) {
		tree = stanza_tree(st, core_arena(t->core));
		iq.el = tree ? xml_child_any(tree) : NULL;
		if (iq.el)
			muc_service_iq(m, &iq);
		else
			iq_error(&iq, ERR_BAD_REQUEST, NULL);
	} else if (st->kind == ST_MESSAGE || (st->kind == ST_PRESENCE && st->type == PRES_AVAILABLE)) {
		router_error(t->core, st, ERR_SERVICE_UNAVAILABLE, "This is the address of all rooms, not of one.");
	}
	transit_finish(t);
}

static void stanza(struct core *c, struct transit *t)
{
	struct muc *m = c->slot[SLOT_MUC];

	if (!m) /* the shard ends */
		transit_finish(t);
	else if (t->st->to.node_n == 0)
		to_service(m, t);
	else
		muc_stanza(m, t);
}

/* §11.2: status 332, to each of itself only. */
static void say_goodbye(struct room *r, void *arg)
{
	struct notice n = { .type = PRES_UNAVAILABLE, .codes = { 332 }, .no_affil = true };

	(void)arg;
	for (uint32_t i = 0; i < r->seats_n; i++)
		occupant_show(r->seats[i]->o, &n, r->seats[i]);
}

static void goodbye(struct core *c)
{
	struct muc *m = c->slot[SLOT_MUC];
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (m && map_next(&m->rooms, &pos, &key, &value))
		if (((struct room *)value)->seats_n)
			room_do(value, say_goodbye, NULL);
}

static void shutdown(struct core *c)
{
	struct muc *m = c->slot[SLOT_MUC];

	if (!m)
		return;
	c->slot[SLOT_MUC] = NULL;
	rooms_free(m);
	free(m);
}

static const struct service service = {
	.label = "conference",
	.category = "conference",
	.type = "text",
	.name = "Rooms",
	.stanza = stanza,
	.goodbye = goodbye,
	.shutdown = shutdown,
};

static const struct spec specs[] = { { "XEP-0045", "1.35.5" }, { "XEP-0249", "1.2" }, { "XEP-0410", "1.1.0" },
	{ "XEP-0421", "1.0.1" }, { "XEP-0307", "0.1" }, { "XEP-0317", "0.3.1" }, { "XEP-0424", "0.4.2" }, { "XEP-0425", "0.3.0" },
	{ "XEP-0433", "0.1.0" }, { "XEP-0452", "0.2.2" }, { "XEP-0463", "0.2.0" }, { "XEP-0486", "0.1.0" }, { "XEP-0500", "0.1.1" },
	{ "XEP-0502", "0.1.0" }, { "XEP-0513", "0.1.0" }, { NULL, NULL } };

static const struct option options[] = {
	{ "muc.create", OPT_ENUM, "everybody", 0, 0, "everybody local nobody", "Who may make rooms; local: accounts of this server." },
	{ "muc.crowd", OPT_INT, "1000", 1, 20000, NULL,
		"People in a room beyond which moderators and recent speakers only are shown to others." },
	{ "muc.crowd_shown", OPT_INT, "100", 1, 20000, NULL, "How many recent speakers a newcomer to such a room is shown." },
	{ NULL, 0, NULL, 0, 0, NULL, NULL },
};

const struct feature feature_muc = {
	.name = "muc",
	.specs = specs,
	.options = options,
	.service = &service,
	.on_start = on_start,
	.account_gone = muc_account_gone,
};

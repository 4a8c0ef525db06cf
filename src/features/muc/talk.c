/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How much is said in a room: XEP-0500 0.1.1 slow mode, XEP-0502 0.1.0 activity indicator. The activity is counted by the hour and made
 * again from the archive when a room is loaded, as far as that is read then. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

enum {
	HOUR_MS = 3600000,
	SPOKEN_MAX = 1000, /* people remembered before those who may speak again are forgotten */
};

/* ---- slow mode ---- */

struct spoken {
	uint64_t ms; /* monotonic */
	struct str bare;
	char bytes[];
};

void talk_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->spoken, &pos, &key, &value))
		free(value);
	map_fini(&r->spoken);
	memset(r->said, 0, sizeof(r->said));
	r->said_hour = 0;
}

static void forget_old(struct room *r, uint64_t before_ms)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->spoken, &pos, &key, &value)) {
		if (((struct spoken *)value)->ms >= before_ms)
			continue;
		map_del(&r->spoken, key);
		free(value);
	}
}

/* By account: sessions and nicks do not matter (XEP-0500 §8). */
static struct spoken *spoken_of(struct room *r, struct str bare, uint64_t now, uint64_t wait_ms)
{
	struct spoken *v = map_get(&r->spoken, bare);

	if (v)
		return v;
	if (r->spoken.n >= SPOKEN_MAX && now > wait_ms)
		forget_old(r, now - wait_ms);
	v = mem_zalloc(sizeof(*v) + bare.n);
	memcpy(v->bytes, bare.p, bare.n);
	v->bare = (struct str){ v->bytes, bare.n };
	map_put(&r->spoken, v->bare, v);
	return v;
}

static void refuse(struct room *r, struct transit *t)
{
	struct arena *a = core_arena(r->core);
	struct str text = arena_printf(a, "This room is in slow mode: wait %u seconds between two messages.", r->cfg.slow_s);
	struct stanza err;

	t->reason = "slow mode";
	if (stanza_error_reply(a, t->st, ERR_POLICY_VIOLATION, text.p, &err)) {
		xml_set(a, xml_child(err.el, "error", NULL), "type", STR("wait"));
		stanza_touched(&err);
		router_route(r->core, &err);
		stanza_fini(&err);
	}
	transit_finish(t);
}

bool talk_may(struct room *r, struct transit *t, const struct occupant *o)
{
	uint64_t now = r->core->shard->loop.now_ms, wait_ms = (uint64_t)r->cfg.slow_s * 1000;
	struct spoken *v;

	if (!wait_ms || !(t->st->flags & SF_BODY) || o->affil >= AFFIL_ADMIN)
		return true;
	v = spoken_of(r, o->real.full, now, wait_ms);
	if (v->ms && now < v->ms + wait_ms) {
		refuse(r, t);
		return false;
	}
	v->ms = now;
	return true;
}

/* ---- activity ---- */

void talk_count(struct room *r, const struct stanza *st, struct str tail, uint64_t ms)
{
	uint64_t hour = ms / HOUR_MS;

	if (!(st->flags & SF_BODY) || memmem(tail.p, tail.n, NS_CORRECT, sizeof(NS_CORRECT) - 1))
		return;
	for (; r->said_hour < hour; r->said_hour++) { /* hours that begin */
		if (hour - r->said_hour > MUC_HOURS)
			r->said_hour = hour - MUC_HOURS;
		r->said[(r->said_hour + 1) % MUC_HOURS] = 0;
	}
	if (hour + MUC_HOURS > r->said_hour)
		r->said[hour % MUC_HOURS]++;
}

struct str talk_activity(struct room *r)
{
	uint64_t hour = clock_wall_ms() / HOUR_MS, sum = 0;

	/* XEP-0502 §8: only of rooms that everybody may know and enter. */
	if (!r->cfg.persistent || !r->cfg.public || r->cfg.members_only || r->cfg.password_protected)
		return STR_NONE;
	for (uint64_t h = hour + 1 - MUC_HOURS; h <= hour; h++)
		if (h <= r->said_hour && h + MUC_HOURS > r->said_hour)
			sum += r->said[h % MUC_HOURS];
	return arena_printf(core_arena(r->core), "%llu.%02llu", (unsigned long long)(sum / MUC_HOURS),
		(unsigned long long)(sum * 100 / MUC_HOURS % 100));
}

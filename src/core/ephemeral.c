/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Ephemeral messages: the list of what must go, worked off in order of time. */
#include "core/ephemeral.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/xmpp/ns.h"

enum { DIGITS = 16, KIND_MAX = 24 };

/* core->slot[SLOT_EPHEMERAL] */
struct ephemeral {
	struct core *core;
	struct timer timer;
	uint64_t next_ms; /* wall clock of the earliest that is known, UINT64_MAX: none */
	int list;	  /* being worked off: lists of shards that were there before the start, too */
	bool busy;
	bool settled, others; /* the lists of shards that are no more are empty; something was found there this time */
};

uint64_t ephemeral_until(struct stanza *st, struct arena *a, uint64_t id)
{
	struct xml *el, *mark;
	uint64_t seconds;

	/* What only agrees on a timer for messages to come (§4.4) has nothing to hide. */
	if (!(st->flags & SF_EPHEMERAL) || !(st->flags & (SF_BODY | SF_PAYLOAD)))
		return 0;
	el = stanza_tree(st, a);
	mark = el ? xml_child(el, "ephemeral", NS_EPHEMERAL) : NULL;
	if (!mark || str_u64(xml_get(mark, "timer"), UINT32_MAX, &seconds))
		return 0;
	return archive_id_ms(id) + seconds * 1000;
}

static struct str kind_of(char kind[KIND_MAX], int shard)
{
	return (struct str){ kind, (size_t)snprintf(kind, KIND_MAX, "ephemeral %d", shard) };
}

static void set_timer(struct ephemeral *e)
{
	uint64_t now = clock_wall_ms(), wait;

	if (e->busy || e->next_ms == UINT64_MAX)
		return;
	wait = e->next_ms > now ? e->next_ms - now : 0;
	timer_set(&e->core->shard->loop, &e->timer, wait < EPHEMERAL_LOOK_MS ? wait : EPHEMERAL_LOOK_MS);
}

void ephemeral_note(struct core *c, struct store_batch *b, struct str owner, uint64_t id, struct stanza *st)
{
	struct ephemeral *e = c->slot[SLOT_EPHEMERAL];
	uint64_t until = ephemeral_until(st, core_arena(c), id);
	char kind[KIND_MAX];

	if (!until || owner.n + 2 * DIGITS > STORE_KEY_MAX)
		return;
	store_put(b, STR(""), kind_of(kind, c->shard->index), arena_printf(core_arena(c), "%016llx%016llx%.*s",
		(unsigned long long)until, (unsigned long long)id, STR_ARG(owner)), STR_NONE);
	if (e && until < e->next_ms) {
		e->next_ms = until;
		set_timer(e);
	}
}

/* ---- working off ---- */

static void look(struct ephemeral *e);

static void retry(struct ephemeral *e, int err)
{
	log_warning("ephemeral.expire", "error=%d next=\"trying again in %d s; not shown meanwhile\"", -err, EPHEMERAL_RETRY_MS / 1000);
	e->busy = false;
	timer_set(&e->core->shard->loop, &e->timer, EPHEMERAL_RETRY_MS);
}

static void on_gone(struct shard *s, void *arg, int status)
{
	struct ephemeral *e = arg;

	(void)s;
	if (status)
		retry(e, status);
	else
		look(e);
}

static bool read_hex(struct str s, uint64_t *out)
{
	char digits[DIGITS + 1], *end;

	if (s.n < DIGITS)
		return false;
	memcpy(digits, s.p, DIGITS);
	digits[DIGITS] = '\0';
	*out = strtoull(digits, &end, 16);
	return !*end;
}

/* This list is done: the next one of shards that are no more, or the timer. */
static void list_done(struct ephemeral *e, uint64_t next_ms)
{
	int shards = e->core->env->shards->n;

	if (next_ms < e->next_ms)
		e->next_ms = next_ms;
	if (next_ms != UINT64_MAX && e->list != e->core->shard->index)
		e->others = true;
	if (!e->settled && e->list + shards < SHARDS_MAX) {
		e->list += shards;
		look(e);
		return;
	}
	e->settled = !e->others;
	e->list = e->core->shard->index;
	e->busy = false;
	set_timer(e);
}

static void on_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ephemeral *e = arg;
	uint64_t now = clock_wall_ms(), until = 0, id;
	struct store_batch *b;
	struct blob *nothing;
	char kind[KIND_MAX];
	size_t i;

	if (status) {
		retry(e, status);
		return;
	}
	b = store_batch_new();
	nothing = blob_new("", 0);
	for (i = 0; i < n; i++) {
		struct str key = v[i].key;

		if (!read_hex(key, &until) || key.n < 2 * DIGITS || !read_hex((struct str){ key.p + DIGITS, DIGITS }, &id))
			id = until = 0; /* rubbish: only out of the list */
		else if (until > now)
			break;
		else
			store_archive_replace(b, (struct str){ key.p + 2 * DIGITS, key.n - 2 * DIGITS }, id, nothing);
		store_del(b, STR(""), kind_of(kind, e->list), key);
	}
	blob_unref(nothing);
	if (i) {
		status = store_commit(s->core->env->store, s, b, on_gone, e);
		if (status)
			retry(e, status);
		return;
	}
	store_batch_free(b);
	list_done(e, n ? until : UINT64_MAX);
}

static void look(struct ephemeral *e)
{
	char kind[KIND_MAX];
	struct store_range range = { .owner = STR(""), .kind = kind_of(kind, e->list), .limit = EPHEMERAL_PAGE };
	int err = store_list(e->core->env->store, e->core->shard, &range, on_list, e);

	if (err)
		retry(e, err);
}

static void begin(struct ephemeral *e)
{
	e->busy = true;
	e->others = false;
	e->next_ms = UINT64_MAX;
	look(e);
}

static void on_time(struct timer *t)
{
	struct ephemeral *e = container_of(t, struct ephemeral, timer);

	if (e->next_ms > clock_wall_ms() && e->next_ms != UINT64_MAX)
		set_timer(e); /* a long wait goes in pieces */
	else
		begin(e);
}

void ephemeral_start(struct core *c)
{
	struct ephemeral *e = mem_zalloc(sizeof(*e));

	e->core = c;
	e->timer.on_time = on_time;
	e->list = c->shard->index;
	c->slot[SLOT_EPHEMERAL] = e;
	begin(e);
}

void ephemeral_free(struct core *c)
{
	struct ephemeral *e = c->slot[SLOT_EPHEMERAL];

	if (!e)
		return;
	timer_cancel(&c->shard->loop, &e->timer);
	free(e);
	c->slot[SLOT_EPHEMERAL] = NULL;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Removes old messages, archive by archive. */
#include "core/retention.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/xmpp/jid.h"

enum { DAY_MS = 86400000 };

/* core->slot[SLOT_RETENTION] of the first shard: where the look is. */
struct retention {
	struct core *core;
	struct timer timer;
	struct buf owners; /* struct owner[] of this page */
	size_t at;	   /* the one being looked at */
	char *after;	   /* cursor of the page, NULL: the first */
	uint64_t before_id; /* of the owner's rows that go */
	uint64_t rows;	   /* removed in this look */
	bool busy, more;
};

struct owner {
	char *name;
	uint64_t oldest;
};

static struct owner *owner_at(struct retention *r)
{
	return &((struct owner *)(void *)r->owners.p)[r->at];
}

static void drop_owners(struct retention *r)
{
	struct owner *v = (struct owner *)(void *)r->owners.p;

	for (size_t i = 0; i < r->owners.n / sizeof(*v); i++)
		free(v[i].name);
	r->owners.n = 0;
	r->at = 0;
}

static void done(struct retention *r, int err)
{
	if (err)
		log_warning("archive.keep", "error=%d next=\"trying again in an hour\"", -err);
	else if (r->rows)
		log_info("archive.keep", "removed=%llu", (unsigned long long)r->rows);
	drop_owners(r);
	free(r->after);
	r->after = NULL;
	r->rows = 0;
	r->busy = false;
	timer_set(&r->core->shard->loop, &r->timer, RETENTION_EVERY_MS);
}

static void next_owner(struct retention *r);

/* ---- one archive ---- */

static void ask_rows(struct retention *r);

static void on_trimmed(struct shard *s, void *arg, int status)
{
	struct retention *r = arg;

	(void)s;
	if (status) {
		done(r, status);
	} else if (r->more) {
		ask_rows(r);
	} else {
		r->at++;
		next_owner(r);
	}
}

/* Goes up to the last row of this step, or up to the bound. */
static void on_rows(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct retention *r = arg;
	struct store_batch *b;

	if (status) {
		done(r, status);
		return;
	}
	r->more = !page->complete && page->n;
	r->rows += page->n;
	b = store_batch_new();
	store_archive_trim(b, str_of(owner_at(r)->name), r->more ? page->v[page->n - 1].id + 1 : r->before_id);
	status = store_commit(s->core->env->store, s, b, on_trimmed, r);
	if (status)
		done(r, status);
}

static void ask_rows(struct retention *r)
{
	struct archive_query q = { .owner = str_of(owner_at(r)->name), .end_id = r->before_id - 1, .before_id = UINT64_MAX,
		.limit = RETENTION_STEP };
	int err = store_query(r->core->env->store, r->core->shard, &q, on_rows, r);

	if (err)
		done(r, err);
}

static uint64_t default_days(const struct retention *r, struct str owner)
{
	bool room = core_service(r->core, jid_domain(jid_trust(owner))) != NULL;

	return (uint64_t)config_int(core_config(r->core), room ? "archive.room_keep_days" : "archive.keep_days");
}

static void on_override(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct retention *r = arg;
	uint64_t days = default_days(r, str_of(owner_at(r)->name)), now = clock_wall_ms(), set;

	(void)s;
	if (status) {
		done(r, status);
		return;
	}
	if (n && !str_u64(v->value, RETENTION_DAYS_MAX, &set))
		days = set;
	r->before_id = days && days * DAY_MS < now ? archive_id_from_ms(now - days * DAY_MS) : 0;
	if (owner_at(r)->oldest < r->before_id) {
		ask_rows(r);
	} else {
		r->at++;
		next_owner(r);
	}
}

/* ---- all archives ---- */

static void on_owners(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct retention *r = arg;

	(void)s;
	if (status || !n) {
		done(r, status);
		return;
	}
	drop_owners(r);
	for (size_t i = 0; i < n; i++) {
		struct owner o = { .name = str_dup(v[i].owner) };

		str_u64(v[i].value, UINT64_MAX, &o.oldest);
		buf_put(&r->owners, &o, sizeof(o));
	}
	free(r->after);
	r->after = str_dup(v[n - 1].key);
	next_owner(r);
}

static void next_page(struct retention *r)
{
	int err = store_owners(r->core->env->store, r->core->shard, str_of(r->after), RETENTION_OWNERS, on_owners, r);

	if (err)
		done(r, err);
}

static void next_owner(struct retention *r)
{
	int err;

	if (r->at == r->owners.n / sizeof(struct owner)) {
		next_page(r);
		return;
	}
	err = store_get(r->core->env->store, r->core->shard, str_of(owner_at(r)->name), STR("keep"), STR_NONE, on_override, r);
	if (err)
		done(r, err);
}

/* Whether any archive has a time of its own. */
static void on_any(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct retention *r = arg;
	const struct config *cfg = core_config(s->core);

	(void)v;
	if (status || (!n && !config_int(cfg, "archive.keep_days") && !config_int(cfg, "archive.room_keep_days")))
		done(r, status); /* all is kept for ever */
	else
		next_page(r);
}

bool retention_look(struct core *c)
{
	struct retention *r = c->slot[SLOT_RETENTION];
	int err;

	if (!r || r->busy)
		return false;
	r->busy = true;
	timer_cancel(&c->shard->loop, &r->timer);
	err = store_get(c->env->store, c->shard, STR(""), STR("keep"), STR_NONE, on_any, r);
	if (err)
		done(r, err);
	return true;
}

static void on_time(struct timer *t)
{
	retention_look(container_of(t, struct retention, timer)->core);
}

void retention_start(struct core *c)
{
	struct retention *r;

	if (c->shard->index)
		return;
	r = mem_zalloc(sizeof(*r));
	r->core = c;
	r->timer.on_time = on_time;
	c->slot[SLOT_RETENTION] = r;
	retention_look(c);
}

void retention_free(struct core *c)
{
	struct retention *r = c->slot[SLOT_RETENTION];

	if (!r)
		return;
	timer_cancel(&c->shard->loop, &r->timer);
	drop_owners(r);
	buf_free(&r->owners);
	free(r->after);
	free(r);
	c->slot[SLOT_RETENTION] = NULL;
}

void retention_set(struct store_batch *b, struct str owner, uint32_t days)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", days);
	if (days == UINT32_MAX)
		store_del(b, owner, STR("keep"), STR_NONE);
	else
		store_put(b, owner, STR("keep"), STR_NONE, str_of(text));
	store_put(b, STR(""), STR("keep"), STR_NONE, STR("1"));
}

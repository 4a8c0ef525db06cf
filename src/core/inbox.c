/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The inbox of an account: what is kept, and what the archive adds to it. */
#include "core/inbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/inbox_priv.h"
#include "proto/xmpp/ns.h"

enum step { STEP_IDLE, STEP_LOAD, STEP_LOAD_READ, STEP_REPLAY };

#define KIND_READ "inbox-read"

/* Somebody who asked. */
struct waiter {
	struct waiter *next;
	inbox_fn *fn;
	void *arg;
};

/* user->slot[USER_SLOT_INBOX] */
struct inbox {
	enum step step;
	bool loaded;
	uint64_t generation;  /* answers of the store for an inbox that was here before are not for this one */
	struct map convs;     /* JID → struct conv */
	uint64_t upto;	      /* kept: archive rows up to this id */
	uint64_t at, settled; /* being read: rows behind at; those up to settled are there to stay */
	uint32_t pages;
	char *after; /* while loading */
	struct waiter *first, **tail;
	uint32_t waiting;
};

/* A question to the store. */
struct asked {
	struct core *core;
	uint64_t generation;
	char jid[];
};

static struct asked *asked_new(struct user *u, const struct inbox *box)
{
	struct asked *q = mem_alloc(sizeof(*q) + u->jid.full.n + 1);

	q->core = u->core;
	q->generation = box->generation;
	memcpy(q->jid, u->jid.full.p, u->jid.full.n);
	q->jid[u->jid.full.n] = '\0';
	return q;
}

/* The user whose inbox still waits for this; NULL: gone. Frees q. */
static struct user *asked_user(struct asked *q)
{
	struct user *u = user_find(q->core, str_of(q->jid));
	struct inbox *box = u ? u->slot[USER_SLOT_INBOX] : NULL;

	u = box && box->generation == q->generation ? u : NULL;
	free(q);
	return u;
}

static struct inbox *box_of(struct user *u)
{
	static _Atomic uint64_t generations;
	struct inbox *box = u->slot[USER_SLOT_INBOX];

	if (box)
		return box;
	box = mem_zalloc(sizeof(*box));
	box->generation = ++generations;
	box->tail = &box->first;
	u->slot[USER_SLOT_INBOX] = box;
	return box;
}

/* ---- conversations ---- */

static struct conv *conv_new(struct str jid)
{
	struct conv *c = mem_zalloc(sizeof(*c) + jid.n + 1);

	memcpy(c->bytes, jid.p, jid.n);
	c->jid = (struct str){ c->bytes, jid.n };
	return c;
}

static void conv_free(struct conv *c)
{
	conv_fini(&c->kept);
	conv_fini(&c->now);
	free(c);
}

static void forget_oldest(struct inbox *box, struct store_batch *b, struct str owner)
{
	struct conv *oldest = NULL;
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&box->convs, &pos, &key, &value)) {
		struct conv *c = value;

		if (!oldest || c->kept.last_id < oldest->kept.last_id)
			oldest = c;
	}
	if (!oldest)
		return;
	store_del(b, owner, STR("inbox"), oldest->jid);
	map_del(&box->convs, oldest->jid);
	conv_free(oldest);
}

static struct conv *conv_of(struct inbox *box, struct str jid)
{
	struct conv *c = map_get(&box->convs, jid);

	if (!c) {
		c = conv_new(jid);
		map_put(&box->convs, c->jid, c);
	}
	return c;
}

/* ---- keeping ---- */

static void save(struct user *u, struct inbox *box)
{
	struct store_batch *b = store_batch_new();
	uint32_t pos = 0;
	struct str key;
	struct buf packed = { 0 };
	char upto[24];
	void *value;

	while (map_next(&box->convs, &pos, &key, &value)) {
		struct conv *c = value;

		if (!c->changed)
			continue;
		packed.n = 0;
		conv_pack(&c->kept, &packed);
		store_put(b, u->jid.full, STR("inbox"), c->jid, buf_view(&packed));
		c->changed = false;
	}
	while (box->convs.n > INBOX_CONVERSATIONS_MAX)
		forget_oldest(box, b, u->jid.full);
	buf_free(&packed);
	snprintf(upto, sizeof(upto), "%llu", (unsigned long long)box->upto);
	store_put(b, u->jid.full, STR("inbox"), STR_NONE, str_of(upto));
	/* If this does not reach the disk, the archive tells the same again. */
	store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
}

/* ---- those who wait ---- */

static int newest_first(const void *x, const void *y)
{
	const struct conversation *a = x, *b = y;

	return a->last_id > b->last_id ? -1 : a->last_id < b->last_id;
}

static struct conversation *list_of(const struct inbox *box, struct arena *a, size_t *out_n)
{
	struct conversation *v = arena_alloc(a, (box->convs.n + 1) * sizeof(*v));
	uint32_t pos = 0;
	struct str key;
	void *value;
	size_t n = 0;

	while (map_next(&box->convs, &pos, &key, &value)) {
		const struct conv *c = value;
		const struct conv_state *s = c->has_now ? &c->now : &c->kept;

		if (s->last_id)
			v[n++] = (struct conversation){ c->jid, s->last_id, s->msg_id, s->unread };
	}
	qsort(v, n, sizeof(*v), newest_first);
	*out_n = n;
	return v;
}

static void answer(struct core *core, struct inbox *box, int status)
{
	struct waiter *w = box->first;
	struct conversation *v = NULL;
	size_t n = 0;

	box->first = NULL;
	box->tail = &box->first;
	box->waiting = 0;
	while (w) {
		struct waiter *next = w->next;

		if (!v && !status)
			v = list_of(box, core_arena(core), &n);
		w->fn(core, w->arg, status, v, n);
		free(w);
		w = next;
	}
}

static void finish(struct user *u, struct inbox *box, int status)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	box->step = STEP_IDLE;
	free(box->after);
	box->after = NULL;
	if (!status && box->upto < box->settled) {
		box->upto = box->settled;
		save(u, box);
	}
	answer(u->core, box, status);
	while (map_next(&box->convs, &pos, &key, &value)) { /* what is not settled is read again next time */
		conv_fini(&((struct conv *)value)->now);
		((struct conv *)value)->has_now = false;
	}
}

/* ---- the archive ---- */

static void ask_rows(struct user *u, struct inbox *box);

static void apply_row(struct inbox *box, struct arena *a, const struct archive_found *row)
{
	bool settled = row->id <= box->settled;
	struct conv_event e;
	struct conv *c;

	if (!conv_event_read(a, row, &e))
		return;
	c = conv_of(box, e.jid);
	if (settled) {
		conv_apply(&c->kept, &e);
		c->changed = true;
		return;
	}
	if (!c->has_now)
		conv_copy(&c->now, &c->kept);
	c->has_now = true;
	conv_apply(&c->now, &e);
}

static void on_rows(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct user *u = asked_user(arg);
	struct inbox *box = u ? u->slot[USER_SLOT_INBOX] : NULL;

	if (!u)
		return;
	if (status) {
		finish(u, box, status);
		return;
	}
	for (size_t i = 0; i < page->n; i++)
		apply_row(box, core_arena(s->core), &page->v[i]);
	if (page->n)
		box->at = page->v[page->n - 1].id;
	if (page->complete) {
		finish(u, box, 0);
		return;
	}
	if (box->at <= box->settled && ++box->pages % INBOX_SAVE_PAGES == 0) { /* a long archive, read for the first time */
		box->upto = box->at;
		save(u, box);
	}
	ask_rows(u, box);
}

static void ask_rows(struct user *u, struct inbox *box)
{
	struct archive_query q = { .owner = u->jid.full, .after_id = box->at, .end_id = UINT64_MAX, .before_id = UINT64_MAX,
		.limit = STORE_PAGE_MAX };
	struct asked *asked = asked_new(u, box);
	int err = store_query(u->core->env->store, u->core->shard, &q, on_rows, asked);

	if (!err)
		return;
	free(asked);
	finish(u, box, err);
}

static void replay(struct user *u, struct inbox *box)
{
	uint64_t now = clock_wall_ms(), settled = archive_id_from_ms(now > INBOX_SETTLE_MS ? now - INBOX_SETTLE_MS : 0);

	box->step = STEP_REPLAY;
	box->settled = settled > box->upto ? settled : box->upto;
	box->at = box->upto;
	box->pages = 0;
	ask_rows(u, box);
}

/* ---- loading ---- */

static void load_page(struct user *u, struct inbox *box);

static void load_item(struct inbox *box, const struct store_item *item)
{
	uint64_t id;

	if (box->step == STEP_LOAD && !item->key.n)
		str_u64(item->value, UINT64_MAX, &box->upto);
	else if (box->step == STEP_LOAD)
		conv_load(&conv_of(box, item->key)->kept, item->value);
	else if (!str_u64(item->value, UINT64_MAX, &id))
		conv_read(&conv_of(box, item->key)->kept, id);
}

static void on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct user *u = asked_user(arg);
	struct inbox *box = u ? u->slot[USER_SLOT_INBOX] : NULL;

	(void)s;
	if (!u)
		return;
	if (status) {
		finish(u, box, status);
		return;
	}
	for (size_t i = 0; i < n; i++)
		load_item(box, &v[i]);
	free(box->after);
	box->after = n == STORE_PAGE_MAX ? str_dup(v[n - 1].key) : NULL;
	if (!box->after)
		box->step++; /* the next kind */
	if (box->step <= STEP_LOAD_READ) {
		load_page(u, box);
		return;
	}
	box->loaded = true;
	replay(u, box);
}

static void load_page(struct user *u, struct inbox *box)
{
	struct store_range range = { .owner = u->jid.full, .kind = box->step == STEP_LOAD ? STR("inbox") : STR(KIND_READ),
		.after = str_of(box->after), .limit = STORE_PAGE_MAX };
	struct asked *asked = asked_new(u, box);
	int err;

	err = store_list(u->core->env->store, u->core->shard, &range, on_items, asked);
	if (!err)
		return;
	free(asked);
	finish(u, box, err);
}

/* ---- asking ---- */

int inbox_with(struct user *u, inbox_fn *fn, void *arg)
{
	struct inbox *box = box_of(u);
	struct waiter *w;

	if (box->waiting >= INBOX_WAITING_MAX)
		return -EBUSY;
	w = mem_zalloc(sizeof(*w));
	w->fn = fn;
	w->arg = arg;
	*box->tail = w;
	box->tail = &w->next;
	box->waiting++;
	if (box->step != STEP_IDLE)
		return 0; /* comes with the others' answer, which is as new: rows are read until the end */
	if (box->loaded) {
		replay(u, box);
	} else {
		box->step = STEP_LOAD;
		load_page(u, box);
	}
	return 0;
}

void inbox_displayed(struct user *u, struct str peer, struct str stanza_id)
{
	struct inbox *box = u->slot[USER_SLOT_INBOX];
	struct store_batch *b;
	struct conv *c;
	uint64_t id;

	if (archive_id_parse(stanza_id, &id) || !peer.n || peer.n > STORE_KEY_MAX)
		return;
	b = store_batch_new();
	store_put(b, u->jid.full, STR(KIND_READ), peer, stanza_id);
	store_commit(u->core->env->store, u->core->shard, b, NULL, NULL);
	if (!box || !box->loaded)
		return;
	c = conv_of(box, peer);
	conv_read(&c->kept, id);
	c->changed = true;
	if (c->has_now)
		conv_read(&c->now, id);
}

void inbox_free(struct user *u)
{
	struct inbox *box = u->slot[USER_SLOT_INBOX];
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!box)
		return;
	u->slot[USER_SLOT_INBOX] = NULL;
	answer(u->core, box, -ECANCELED);
	while (map_next(&box->convs, &pos, &key, &value))
		conv_free(value);
	map_fini(&box->convs);
	free(box->after);
	free(box);
}

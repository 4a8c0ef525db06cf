/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The queue to other servers on disk. */
#include "core/outbox.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/offline.h"

enum { KEY_N = 32, HALF = 16 };

#define OWNER STR("@s2s")
#define KIND STR("s2s")

static struct str key_text(char buf[KEY_N + 1], struct outbox_key k)
{
	snprintf(buf, KEY_N + 1, "%016llx%016llx", (unsigned long long)k.run, (unsigned long long)k.id);
	return (struct str){ buf, KEY_N };
}

static bool key_read(struct str text, struct outbox_key *out)
{
	char half[HALF + 1] = { 0 };

	if (text.n != KEY_N)
		return false;
	memcpy(half, text.p, HALF);
	out->run = strtoull(half, NULL, 16);
	memcpy(half, text.p + HALF, HALF);
	out->id = strtoull(half, NULL, 16);
	return true;
}

bool outbox_worthy(const struct stanza *st)
{
	if (st->kind == ST_PRESENCE)
		return st->type >= PRES_SUBSCRIBE && st->type <= PRES_UNSUBSCRIBED;
	return st->kind == ST_MESSAGE && offline_worthy(st);
}

struct outbox_key outbox_put(struct transit *t)
{
	struct outbox_key k = { t->core->env->run, archive_id_new(t->core) };
	struct blob *packed = stanza_pack(t->st);
	char text[KEY_N + 1];

	store_put(transit_batch(t), OWNER, KIND, key_text(text, k), blob_view(packed));
	blob_unref(packed);
	return k;
}

void outbox_del(struct core *c, const struct outbox_key *keys, size_t n)
{
	struct store_batch *b = NULL;
	char text[KEY_N + 1];

	for (size_t i = 0; i < n; i++) {
		if (!keys[i].id)
			continue;
		if (!b)
			b = store_batch_new();
		store_del(b, OWNER, KIND, key_text(text, keys[i]));
	}
	if (b && store_commit(c->env->store, c->shard, b, NULL, NULL))
		log_warning("s2s.outbox", "next=\"some acknowledged messages may be sent again after a restart\"");
}

struct load {
	struct core *core;
	outbox_fn *fn;
	char last[KEY_N + 1];
};

static void next_page(struct load *l);

static void on_page(struct shard *sh, void *arg, int status, const struct store_item *v, size_t n)
{
	struct load *l = arg;

	if (status)
		log_error("s2s.outbox", "error=%d next=\"messages to other servers of the last run wait for the next start\"", -status);
	for (size_t i = 0; i < n; i++) {
		struct outbox_key k;
		struct stanza st;

		if (!key_read(v[i].key, &k) || k.run == sh->core->env->run || stanza_unpack(v[i].value, &st))
			continue;
		if (core_shard_of(sh->core, jid_domain(st.to)) == sh)
			l->fn(sh->core, k, &st);
		stanza_fini(&st);
	}
	if (status || n < OUTBOX_PAGE || v[n - 1].key.n != KEY_N) {
		free(l);
		return;
	}
	memcpy(l->last, v[n - 1].key.p, KEY_N);
	next_page(l);
}

static void next_page(struct load *l)
{
	struct store_range r = { .owner = OWNER, .kind = KIND, .limit = OUTBOX_PAGE };

	if (l->last[0])
		r.after = (struct str){ l->last, KEY_N };
	if (store_list(l->core->env->store, l->core->shard, &r, on_page, l))
		free(l);
}

void outbox_load(struct core *c, outbox_fn *fn)
{
	struct load *l = mem_zalloc(sizeof(*l));

	l->core = c;
	l->fn = fn;
	next_page(l);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Removes files whose account is gone. An account's deletion takes its own records (owner JID, kind "file"); what stays is the
 * record that the URL finds (owner "", kind "file") and the contents, which other records may share. So once a day:
 *   every record ← does its owner still have it? no: delete it · yes: remember the hash → remove contents without a record
 * A failure anywhere ends the round; the next one starts over. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/upload_priv.h"

enum {
	SWEEP_FIRST_MS = 10 * 60 * 1000,
	SWEEP_AGAIN_MS = 24 * 60 * 60 * 1000,
	SWEEP_PAGE = 200,
};

struct row {
	char id[FILES_ID_BYTES + 1];
	char *owner;
	uint64_t head; /* of the hash */
};

/* One round. */
struct round {
	struct job job;
	struct http *http;
	struct files *files;
	struct row rows[SWEEP_PAGE];
	size_t n, at;
	bool last; /* no page follows */
	struct store_batch *deletes;
	uint64_t *keep;
	size_t keep_n, keep_cap, removed;
};

struct sweep {
	struct timer timer;
	struct http *http;
};

static void rows_free(struct round *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->rows[i].owner);
	r->n = r->at = 0;
}

static void round_free(struct round *r)
{
	http_drop(r->http);
	rows_free(r);
	if (r->deletes)
		store_batch_free(r->deletes);
	free(r->keep);
	free(r);
}

/* ---- contents ---- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void run(struct job *j)
{
	struct round *r = container_of(j, struct round, job);

	if (r->keep_n)
		qsort(r->keep, r->keep_n, sizeof(*r->keep), compare);
	r->removed = files_sweep(r->files, r->keep, r->keep_n);
}

static void done(struct shard *s, struct job *j)
{
	struct round *r = container_of(j, struct round, job);

	if (r->removed)
		log_info("files.swept", "removed=%zu kept=%zu", r->removed, r->keep_n);
	round_free(r);
}

static void discard(struct job *j)
{
	round_free(container_of(j, struct round, job));
}

static void sweep_contents(struct round *r)
{
	struct http *h = r->http;

	r->job = (struct job){ .home = h->shard, .run = run, .done = done, .discard = discard };
	if (pool_submit(h->cfg->pool, &r->job))
		round_free(r);
}

/* ---- records ---- */

static void next_page(struct round *r);

static void keep(struct round *r, uint64_t head)
{
	if (r->keep_n == r->keep_cap) {
		r->keep_cap = r->keep_cap ? r->keep_cap * 2 : 256;
		r->keep = mem_realloc(r->keep, r->keep_cap * sizeof(*r->keep));
	}
	r->keep[r->keep_n++] = head;
}

static void check_next(struct round *r);

static void on_checked(
	struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct round *r = arg;
	const struct row *row = &r->rows[r->at++];

	if (status) {
		round_free(r);
		return;
	}
	if (n) {
		keep(r, row->head);
	} else {
		if (!r->deletes)
			r->deletes = store_batch_new();
		store_del(r->deletes, STR_NONE, STR("file"), str_of(row->id));
	}
	check_next(r);
}

static void check_next(struct round *r)
{
	const struct http_config *cfg = r->http->cfg;
	const struct row *row = &r->rows[r->at];
	struct store_batch *deletes = r->deletes;

	if (r->at < r->n) {
		if (store_get(cfg->store, r->http->shard, str_of(row->owner), STR("file"),
			    str_of(row->id), on_checked, r))
			round_free(r);
		return;
	}
	r->deletes = NULL;
	if (deletes && store_commit(cfg->store, r->http->shard, deletes, NULL, NULL))
		r->last = true; /* the store is busy: what is left is for the next round, and no contents go */
	else if (r->last) {
		sweep_contents(r);
		return;
	}
	if (r->last)
		round_free(r);
	else
		next_page(r);
}

static void on_page(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct round *r = arg;
	struct file_meta meta;
	const char *owner;

	if (status) {
		round_free(r);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct row *row = &r->rows[r->n];

		if (!files_id_ok(v[i].key) || file_meta_read(v[i].value, &meta)) {
			round_free(r); /* not ours to judge: nothing is removed */
			log_warning("files.bad_record", "next=\"no files are removed\"");
			return;
		}
		owner = json_string_value(json_object_get(meta.json, "owner"));
		row->owner = str_dup(file_owner(shard_arena(s), r->http->cfg, str_of(owner ? owner : "")));
		row->head = files_hash_head(meta.hash);
		memcpy(row->id, v[i].key.p, FILES_ID_BYTES);
		r->n++;
		json_decref(meta.json);
	}
	r->last = n < SWEEP_PAGE;
	check_next(r);
}

static void next_page(struct round *r)
{
	struct store_range range = { .kind = STR("file"), .limit = SWEEP_PAGE };
	char after[FILES_ID_BYTES + 1];

	if (r->n) {
		memcpy(after, r->rows[r->n - 1].id, sizeof(after));
		range.after = str_of(after);
	}
	rows_free(r);
	if (store_list(r->http->cfg->store, r->http->shard, &range, on_page, r))
		round_free(r);
}

static void on_time(struct timer *t)
{
	struct sweep *w = container_of(t, struct sweep, timer);
	struct round *r = mem_zalloc(sizeof(*r));

	r->http = w->http;
	r->files = w->http->cfg->files;
	http_hold(r->http);
	next_page(r);
	timer_set(&w->http->shard->loop, t, SWEEP_AGAIN_MS);
}

struct sweep *sweep_start(struct http *h)
{
	struct sweep *w = mem_zalloc(sizeof(*w));

	w->http = h;
	w->timer.on_time = on_time;
	timer_set(&h->shard->loop, &w->timer, SWEEP_FIRST_MS);
	return w;
}

void sweep_stop(struct sweep *w)
{
	if (!w)
		return;
	timer_cancel(&w->http->shard->loop, &w->timer);
	free(w);
}

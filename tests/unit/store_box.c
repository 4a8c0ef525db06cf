/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Helpers of the store's tests. */
#include "store_box.h"

#include <stdio.h>

void box_on_done(struct shard *s, void *arg, int status)
{
	struct answer *a = arg;

	a->calls++;
	a->status = status;
}

static void append(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void append(struct answer *a, const char *fmt, ...)
{
	size_t at = strlen(a->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->text + at, sizeof(a->text) - at, fmt, args);
	va_end(args);
}

void box_on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct answer *a = arg;

	a->calls++;
	a->status = status;
	a->n = n;
	a->text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		append(a, "%.*s/%.*s=%.*s ", STR_ARG(v[i].kind), STR_ARG(v[i].key), STR_ARG(v[i].value));
}

void box_on_owners(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct answer *a = arg;

	a->calls++;
	a->status = status;
	a->n = n;
	a->text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		append(a, "%.*s=%.*s ", STR_ARG(v[i].owner), STR_ARG(v[i].value));
	if (n)
		snprintf(a->ids, sizeof(a->ids), "%.*s", STR_ARG(v[n - 1].key));
}

void box_on_page(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct answer *a = arg;

	a->calls++;
	a->status = status;
	a->n = page->n;
	a->complete = page->complete;
	a->total = page->total;
	a->first = page->first_id_all;
	a->last = page->last_id_all;
	a->text[0] = a->ids[0] = '\0';
	for (size_t i = 0; i < page->n; i++) {
		const struct archive_found *f = &page->v[i];
		size_t at = strlen(a->ids);

		snprintf(a->ids + at, sizeof(a->ids) - at, "%llu ", (unsigned long long)f->id);
		append(a, "%llu:%.*s:%.*s ", (unsigned long long)f->id, STR_ARG(f->with), STR_ARG(f->stanza));
	}
}

/* In these tests a stanza is its own text, and "#id" at its beginning its id. */
static void text_of(struct str stanza, struct buf *text, struct str ids[2])
{
	struct str rest = stanza;

	if (stanza.n && stanza.p[0] == '#') {
		ids[0] = str_cut(stanza, ' ', &rest);
		ids[0] = (struct str){ ids[0].p + 1, ids[0].n - 1 };
	}
	buf_str(text, rest);
}

void box_open(struct box *b, const char *backend, const char *dir)
{
	struct store_config cfg = { .backend = backend, .text = text_of };
	char err[256] = "";

	b->backend = backend;
	b->dir = dir ? dir : unit_tmpdir();
	cfg.dir = b->dir;
	assert_int_equal(shards_init(&b->shards, 1), 0);
	b->shard = b->shards.v[0];
	if (store_open(&cfg, &b->store, err, sizeof(err)))
		fail_msg("store_open: %s", err);
}

void box_close(struct box *b)
{
	store_close(b->store);
	shards_stop(&b->shards);
	shards_fini(&b->shards);
}

void box_reopen(struct box *b)
{
	box_close(b);
	box_open(b, b->backend, b->dir);
}

void box_wait(struct box *b, const struct answer *a, int calls)
{
	while (a->calls < calls)
		assert_int_equal(loop_turn(&b->shard->loop, -1), 0);
}

int box_commit(struct box *b, struct store_batch *batch)
{
	struct answer a = { 0 };

	assert_int_equal(store_commit(b->store, b->shard, batch, box_on_done, &a), 0);
	box_wait(b, &a, 1);
	return a.status;
}

int box_put(struct box *b, const char *owner, const char *kind, const char *key, const char *value)
{
	struct store_batch *batch = store_batch_new();

	store_put(batch, str_of(owner), str_of(kind), str_of(key), str_of(value));
	return box_commit(b, batch);
}

static void on_value(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct answer *a = arg;

	a->calls++;
	a->status = status;
	a->n = n;
	if (n)
		snprintf(a->text, sizeof(a->text), "%.*s", STR_ARG(v[0].value));
}

const char *box_get(struct box *b, const char *owner, const char *kind, const char *key)
{
	static struct answer a;

	a = (struct answer){ 0 };
	assert_int_equal(store_get(b->store, b->shard, str_of(owner), str_of(kind), str_of(key), on_value, &a), 0);
	box_wait(b, &a, 1);
	assert_int_equal(a.status, 0);
	return a.n ? a.text : NULL;
}

struct answer box_list(struct box *b, const struct store_range *range)
{
	struct answer a = { 0 };

	assert_int_equal(store_list(b->store, b->shard, range, box_on_items, &a), 0);
	box_wait(b, &a, 1);
	return a;
}

struct answer box_query(struct box *b, const struct archive_query *q)
{
	struct answer a = { 0 };

	assert_int_equal(store_query(b->store, b->shard, q, box_on_page, &a), 0);
	box_wait(b, &a, 1);
	return a;
}

void box_row(struct store_batch *batch, const char *owner, uint64_t id, const char *with, const char *full, const char *text)
{
	struct archive_row row = { .owner = str_of(owner), .id = id, .with = str_of(with), .with_full = str_of(full),
				   .stanza = blob_new(text, strlen(text)) };

	store_archive(batch, &row);
	blob_unref(row.stanza);
}

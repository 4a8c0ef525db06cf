/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store's readers: reads wait until the writes that they must see are finished, run in a reader thread and go back
 * as mail. Backups run in a thread of their own, so that no read waits for them. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/must.h"
#include "store/store_priv.h"

enum {
	READS_MAX = 100000, /* reads that wait; beyond it -ENOBUFS */
	ARGS_MAX = 4 * STORE_KEY_MAX + STORE_PAGE_MAX * 8,
};

enum read_kind { READ_GET, READ_LIST, READ_QUERY, READ_OWNERS };

/* A read on its way there and back; embedded mail first. The copied arguments follow it in memory. */
struct read {
	struct mail mail;
	struct read *next;
	enum read_kind kind;
	uint64_t seq; /* the write that it must see */
	struct shard *from;
	int status;
	struct str key;
	struct store_range range;
	struct archive_query query;
	struct store_items items;
	struct store_page page;
	store_items_fn *on_items;
	archive_fn *on_page;
	void *arg;
	char bytes[];
};

/* Reads whose writes are finished become ready. Called with the lock. */
void store_release_reads(struct store *s)
{
	struct read **at = &s->waiting.first;
	bool any = s->backup_waits;

	while (*at) {
		struct read *r = *at;

		if (r->seq > s->finished) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = NULL;
		*s->ready.tail = r;
		s->ready.tail = &r->next;
		any = true;
	}
	s->waiting.tail = at;
	if (any)
		pthread_cond_broadcast(&s->to_readers);
}

static void read_free(struct read *r)
{
	store_items_free(&r->items);
	store_page_free(&r->page);
	free(r);
}

static void read_handle(struct shard *s, struct mail *m)
{
	struct read *r = (struct read *)m;

	if (r->kind == READ_QUERY) {
		if (r->status)
			r->page.page.n = 0;
		store_page_seal(&r->page);
		r->on_page(s, r->arg, r->status, &r->page.page);
	} else {
		if (r->status)
			r->items.n = 0;
		store_items_seal(&r->items);
		r->on_items(s, r->arg, r->status, store_items_at(&r->items), r->items.n);
	}
	read_free(r);
}

static void read_discard(struct mail *m)
{
	read_free((struct read *)m);
}

static const struct mail_kind read_mail_kind = { "store.read", read_handle, read_discard, true };

static int run_query(const struct store *s, struct store_reader *h, struct read *r)
{
	struct archive_filter f;
	int rc;

	archive_filter_init(&f, &r->query, s->text);
	r->page.page.total = -1;
	rc = s->backend->query(h, &r->query, &f, &r->page);
	archive_filter_fini(&f);
	return rc;
}

static void read_run(const struct store *s, struct store_reader *h, struct read *r)
{
	const struct store_backend *be = s->backend;

	switch (r->kind) {
	case READ_GET:
		r->status = be->get(h, r->range.owner, r->range.kind, r->key, &r->items);
		break;
	case READ_LIST:
		r->status = be->list(h, &r->range, &r->items);
		break;
	case READ_OWNERS:
		r->status = be->owners(h, r->range.after, r->range.limit, &r->items);
		break;
	case READ_QUERY:
		r->status = run_query(s, h, r);
		break;
	}
	if (r->status && r->status != -ENOENT)
		metric_add(M_STORE_ERRORS, 1);
}

void *store_reader_main(void *arg)
{
	struct reader_thread *t = arg;
	struct store *s = t->store;
	struct read *r;

	log_thread("reader");
	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->ready.first && !s->stop_readers)
			pthread_cond_wait(&s->to_readers, &s->lock);
		r = s->ready.first;
		if (!r)
			break;
		s->ready.first = r->next;
		if (!s->ready.first)
			s->ready.tail = &s->ready.first;
		s->reads_n--;
		s->reads_run++;
		pthread_mutex_unlock(&s->lock);
		read_run(s, t->handle, r);
		store_post(r->from, &r->mail);
		pthread_mutex_lock(&s->lock);
		s->reads_run--;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Copies a string behind the read. */
static struct str keep(struct read *r, size_t *used, struct str s)
{
	struct str out = { r->bytes + *used, s.n };

	if (!s.p)
		return STR_NONE;
	memcpy(r->bytes + *used, s.p, s.n);
	r->bytes[*used + s.n] = '\0';
	*used += s.n + 1;
	return out;
}

/* Links the read; it waits for the writes to its owner that were queued before. */
static int submit(struct store *s, struct read *r)
{
	struct read_queue *q;

	r->mail.kind = &read_mail_kind;
	pthread_mutex_lock(&s->lock);
	if (s->reads_n >= READS_MAX) {
		pthread_mutex_unlock(&s->lock);
		metric_add(M_STORE_ERRORS, 1);
		read_free(r);
		return -ENOBUFS;
	}
	if (r->kind != READ_OWNERS)
		r->seq = s->touched[store_bucket(r->kind == READ_QUERY ? r->query.owner : r->range.owner)];
	q = r->seq > s->finished ? &s->waiting : &s->ready;
	*q->tail = r;
	q->tail = &r->next;
	s->reads_n++;
	pthread_mutex_unlock(&s->lock);
	if (q == &s->ready)
		pthread_cond_signal(&s->to_readers);
	return 0;
}

static struct read *read_new(enum read_kind kind, struct shard *from, void *arg, size_t bytes)
{
	struct read *r;

	must(bytes <= ARGS_MAX);
	r = mem_zalloc(sizeof(*r) + bytes);
	r->kind = kind;
	r->from = from;
	r->arg = arg;
	return r;
}

/* an item has a name of three parts: NOLINTNEXTLINE(readability-function-size) */
int store_get(struct store *s, struct shard *from, struct str owner, struct str kind, struct str key, store_items_fn *done, void *arg)
{
	struct read *r = read_new(READ_GET, from, arg, owner.n + kind.n + key.n + 3);
	size_t used = 0;

	r->range.owner = keep(r, &used, owner);
	r->range.kind = keep(r, &used, kind);
	r->key = keep(r, &used, key);
	r->on_items = done;
	return submit(s, r);
}

int store_list(struct store *s, struct shard *from, const struct store_range *range, store_items_fn *done, void *arg)
{
	struct read *r = read_new(READ_LIST, from, arg,
				  range->owner.n + range->kind.n + range->prefix.n + range->after.n + 4);
	size_t used = 0;

	r->range.owner = keep(r, &used, range->owner);
	r->range.kind = keep(r, &used, range->kind);
	r->range.prefix = keep(r, &used, range->prefix);
	r->range.after = keep(r, &used, range->after);
	r->range.limit = range->limit;
	r->on_items = done;
	return submit(s, r);
}

int store_owners(struct store *s, struct shard *from, struct str cursor, uint32_t limit, store_items_fn *done, void *arg)
{
	struct read *r = read_new(READ_OWNERS, from, arg, cursor.n + 1);
	size_t used = 0;

	r->range.after = keep(r, &used, cursor);
	r->range.limit = limit;
	r->on_items = done;
	return submit(s, r);
}

int store_query(struct store *s, struct shard *from, const struct archive_query *q, archive_fn *done, void *arg)
{
	size_t ids_bytes = (size_t)q->ids_n * sizeof(uint64_t), used = ids_bytes;
	struct read *r;

	must(q->limit <= STORE_PAGE_MAX && q->ids_n <= STORE_PAGE_MAX);
	r = read_new(READ_QUERY, from, arg, ids_bytes + q->owner.n + q->with.n + q->text.n + q->message_id.n + 4);
	r->query = *q;
	if (q->ids_n) /* first, where it is aligned */
		r->query.ids = memcpy(r->bytes, q->ids, ids_bytes);
	r->query.owner = keep(r, &used, q->owner);
	r->query.with = keep(r, &used, q->with);
	r->query.text = keep(r, &used, q->text);
	r->query.message_id = keep(r, &used, q->message_id);
	r->on_page = done;
	return submit(s, r);
}

/* ---- backup ---- */

/* A backup takes long: it has a thread of its own. */
struct backup {
	struct mail mail;
	struct store *store;
	struct shard *from;
	uint64_t seq;
	int status;
	store_done_fn *done;
	void *arg;
	char dir[];
};

static void backup_handle(struct shard *s, struct mail *m)
{
	struct backup *b = (struct backup *)m;

	if (b->done)
		b->done(s, b->arg, b->status);
	free(b);
}

static const struct mail_kind backup_mail_kind = { "store.backup", backup_handle, NULL, true };

static void *backup_main(void *arg)
{
	struct backup *b = arg;
	struct store *s = b->store;
	struct store_reader *h = NULL;

	log_thread("backup");
	pthread_mutex_lock(&s->lock);
	while (s->finished < b->seq)
		pthread_cond_wait(&s->to_readers, &s->lock);
	s->backup_waits = false;
	pthread_mutex_unlock(&s->lock);
	b->status = s->backend->reader_open(s->db, &h);
	if (!b->status) {
		b->status = s->backend->backup(h, b->dir);
		s->backend->reader_close(h);
	}
	pthread_mutex_lock(&s->lock);
	s->backup_runs = false;
	pthread_mutex_unlock(&s->lock);
	store_post(b->from, &b->mail);
	return NULL;
}

void store_join_backup(struct store *s)
{
	if (s->backup_started)
		pthread_join(s->backup, NULL);
	s->backup_started = false;
}

/* Called with the lock. */
static int start_backup(struct store *s, struct backup *b)
{
	int rc;

	if (s->backup_runs)
		return -EBUSY;
	store_join_backup(s); /* the one before has left the lock for good */
	b->seq = s->submitted;
	rc = -pthread_create(&s->backup, NULL, backup_main, b);
	s->backup_started = s->backup_runs = s->backup_waits = !rc;
	return rc;
}

int store_backup(struct store *s, struct shard *from, const char *dir, store_done_fn *done, void *arg)
{
	size_t n = strlen(dir) + 1;
	struct backup *b;
	int rc;

	if (!s->backend->backup)
		return -ENOTSUP;
	b = mem_zalloc(sizeof(*b) + n);
	*b = (struct backup){ .mail.kind = &backup_mail_kind, .store = s, .from = from, .done = done, .arg = arg };
	memcpy(b->dir, dir, n);
	pthread_mutex_lock(&s->lock);
	rc = start_backup(s, b);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		free(b);
	return rc;
}

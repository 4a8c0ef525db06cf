/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store's queues and threads: one writer that turns everything queued into one transaction and one fsync, readers
 * beside it. Shards only take the lock for as long as it takes to link a request; answers go back as mail. */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/must.h"
#include "store/backend.h"
#include "store/lock.h"

enum {
	READERS_MAX = 16,
	READS_MAX = 100000,		/* reads that wait; beyond it -ENOBUFS */
	QUEUE_BYTES_MAX = 256 << 20,	/* bytes of batches that wait; beyond it -ENOBUFS */
	COMMIT_BATCHES_MAX = 8192,	/* batches of one transaction: bounds the wait for the first answer */
	COMMIT_BYTES_MAX = 16 << 20,
	COMMIT_GAP_US = 2000,		/* from one commit's begin to the next while batches keep coming */
	COMMIT_EAGER = 1000,		/* batches that end the gap */
	COMMIT_GAPS_SKIPPED = 16,	/* after a gap in which nothing came */
	ARGS_MAX = 4 * STORE_KEY_MAX + STORE_PAGE_MAX * 8,
};

enum read_kind { READ_GET, READ_LIST, READ_QUERY, READ_BACKUP };

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
	store_done_fn *on_done;
	void *arg;
	char bytes[];
};

struct read_queue {
	struct read *first, **tail;
};

struct store {
	const struct store_backend *backend;
	struct store_db *db;
	int lock_fd;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t to_writer, to_readers;
	struct store_batch *first, **tail;
	size_t queued_n, queued_bytes;
	uint64_t submitted, finished;	 /* sequence numbers of batches */
	uint64_t touched[STORE_BUCKETS]; /* the last batch that wrote to an owner of the bucket */
	struct read_queue ready, waiting;
	size_t reads_n;
	size_t wake_at; /* length of the queue that wakes the writer */
	bool stop_writer, stop_readers;

	/* the writer's own */
	bool failing; /* the last commit failed */
	uint64_t begun_us; /* the last commit */
	int gaps_skipped;  /* to skip before the next gap is tried */

	pthread_t writer;
	struct reader_thread {
		struct store *store;
		struct store_reader *handle;
		pthread_t thread;
	} readers[READERS_MAX];
	int readers_n;
};

/* ---- answers ---- */

/* Batches of one commit that go back to one shard. */
struct done_mail {
	struct mail mail;
	struct store_batch *first, **tail;
};

static void free_batches(struct store_batch *b)
{
	while (b) {
		struct store_batch *next = b->next;

		store_batch_free(b);
		b = next;
	}
}

static void done_handle(struct shard *s, struct mail *m)
{
	struct done_mail *dm = (struct done_mail *)m;

	for (struct store_batch *b = dm->first; b; b = b->next)
		b->done(s, b->arg, b->status);
	free_batches(dm->first);
	free(dm);
}

static void done_discard(struct mail *m)
{
	struct done_mail *dm = (struct done_mail *)m;

	free_batches(dm->first);
	free(dm);
}

static const struct mail_kind done_kind = { "store.done", done_handle, done_discard, true };

static void post(struct shard *to, struct mail *m)
{
	if (shard_post(to, m))
		m->kind->discard(m);
}

/* Hands a committed (or failed) list back: one mail per shard, whatever the number of batches. */
static void post_batches(struct store_batch *b)
{
	struct { struct shard *to; struct done_mail *mail; } out[SHARDS_MAX];
	int n = 0, i;

	while (b) {
		struct store_batch *next = b->next;

		b->next = NULL;
		if (!b->done) {
			store_batch_free(b);
			b = next;
			continue;
		}
		for (i = 0; i < n && out[i].to != b->from; i++)
			;
		if (i == n) {
			must(n < SHARDS_MAX);
			out[n].to = b->from;
			out[n].mail = mem_zalloc(sizeof(struct done_mail));
			out[n].mail->mail.kind = &done_kind;
			out[n].mail->tail = &out[n].mail->first;
			n++;
		}
		*out[i].mail->tail = b;
		out[i].mail->tail = &b->next;
		b = next;
	}
	for (i = 0; i < n; i++)
		post(out[i].to, &out[i].mail->mail);
}

/* ---- writer ---- */

/* Takes what is queued, up to the limits of one transaction. Called with the lock. */
static struct store_batch *take_batches(struct store *s, size_t *out_n)
{
	struct store_batch *first = s->first, *last = NULL;
	size_t n = 0, bytes = 0;

	for (struct store_batch *b = first; b; b = b->next) {
		if (n && (n == COMMIT_BATCHES_MAX || bytes + b->bytes > COMMIT_BYTES_MAX))
			break;
		n++;
		bytes += b->bytes;
		last = b;
	}
	s->first = last ? last->next : NULL;
	if (!s->first)
		s->tail = &s->first;
	if (last)
		last->next = NULL;
	s->queued_n -= n;
	s->queued_bytes -= bytes;
	*out_n = n;
	return first;
}

/* Writes the list in one transaction and sets each batch's status. Returns the status of the transaction. */
static int write_batches(struct store *s, struct store_batch *first)
{
	const struct store_backend *be = s->backend;
	uint32_t ops = 0, rows = 0;
	int err;

	for (struct store_batch *b = first; b; b = b->next)
		ops += b->ops_n;
	if (!ops)
		return 0; /* barriers alone: all before them is finished */
	err = be->begin(s->db);
	for (struct store_batch *b = first; b && !err; b = b->next) {
		b->status = b->ops_n ? be->apply(s->db, b) : 0;
		if (b->status && b->status != -EEXIST && b->status != -EAGAIN)
			err = b->status;
		rows += b->status ? 0 : b->rows_n;
	}
	if (!err)
		err = be->commit(s->db);
	if (!err) {
		metric_add(M_STORE_COMMITS, 1);
		metric_add(M_MESSAGES_ARCHIVED, rows);
		return 0;
	}
	be->rollback(s->db);
	for (struct store_batch *b = first; b; b = b->next)
		b->status = err;
	return err;
}

static void note_failure(struct store *s, int err, size_t n)
{
	if (err) {
		metric_add(M_STORE_ERRORS, (int64_t)n);
		if (!s->failing)
			log_error("store.failed", "errno=%d text=\"%s\" batches=%zu next=\"refusing until a commit works\"",
				  -err, strerror(-err), n);
	} else {
		metric_add(M_STORE_BATCHES, (int64_t)n);
		if (s->failing)
			log_info("store.recovered", "batches=%zu", n);
	}
	s->failing = err != 0;
}

/* Reads whose writes are finished become ready. Called with the lock. */
static void release_reads(struct store *s)
{
	struct read **at = &s->waiting.first;
	bool any = false;

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

/* A commit costs as much as 20 rows, so that under load it pays to let batches gather for a moment: answers come at most
 * COMMIT_GAP_US later. Who writes alone and waits for each answer gains nothing; then the gaps are skipped. With the lock. */
static void gather(struct store *s)
{
	uint64_t until_us = s->begun_us + COMMIT_GAP_US;
	struct timespec until = { (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
	size_t before = s->queued_n;

	if (clock_mono_us() >= until_us || s->waiting.first)
		return;
	if (s->gaps_skipped) {
		s->gaps_skipped--;
		return;
	}
	s->wake_at = COMMIT_EAGER;
	while (s->queued_n < COMMIT_EAGER && !s->stop_writer)
		if (pthread_cond_timedwait(&s->to_writer, &s->lock, &until))
			break;
	if (s->queued_n == before)
		s->gaps_skipped = COMMIT_GAPS_SKIPPED;
}

/* Waits for work. Called with the lock; false: the store closes and all is written. */
static bool wait_for_batches(struct store *s)
{
	s->wake_at = 1;
	while (!s->first && !s->stop_writer)
		pthread_cond_wait(&s->to_writer, &s->lock);
	if (s->first)
		gather(s);
	s->wake_at = SIZE_MAX;
	return s->first;
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct store_batch *first;
	uint64_t last_seq;
	size_t n;
	int err;

	log_thread("store");
	pthread_mutex_lock(&s->lock);
	while (wait_for_batches(s)) {
		first = take_batches(s, &n);
		pthread_mutex_unlock(&s->lock);

		s->begun_us = clock_mono_us();
		metric_add(M_STORE_QUEUE, -(int64_t)n);
		err = write_batches(s, first);
		note_failure(s, err, n);
		last_seq = first->seq + n - 1;
		post_batches(first);

		pthread_mutex_lock(&s->lock);
		s->finished = last_seq;
		release_reads(s);
		pthread_mutex_unlock(&s->lock);
		if (s->backend->tidy)
			s->backend->tidy(s->db);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int store_commit(struct store *s, struct shard *from, struct store_batch *b, store_done_fn *done, void *arg)
{
	struct store_op op;
	size_t pos = 0;
	bool wake;

	must(from || !done);
	b->from = from;
	b->done = done;
	b->arg = arg;
	pthread_mutex_lock(&s->lock);
	if (s->queued_n >= STORE_QUEUE_MAX || s->queued_bytes + b->bytes > QUEUE_BYTES_MAX) {
		pthread_mutex_unlock(&s->lock);
		metric_add(M_STORE_ERRORS, 1);
		store_batch_free(b);
		return -ENOBUFS;
	}
	b->seq = ++s->submitted;
	while (store_batch_next(b, &pos, &op))
		s->touched[op.bucket] = b->seq;
	*s->tail = b;
	s->tail = &b->next;
	s->queued_n++;
	s->queued_bytes += b->bytes;
	wake = s->queued_n >= s->wake_at;
	if (wake)
		s->wake_at = SIZE_MAX; /* one signal is enough */
	pthread_mutex_unlock(&s->lock);
	metric_add(M_STORE_QUEUE, 1);
	if (wake)
		pthread_cond_signal(&s->to_writer);
	return 0;
}

int store_barrier(struct store *s, struct shard *from, store_done_fn *done, void *arg)
{
	return store_commit(s, from, store_batch_new(), done, arg);
}

/* ---- readers ---- */

static void read_free(struct read *r)
{
	store_items_free(&r->items);
	store_page_free(&r->page);
	free(r);
}

static void read_handle(struct shard *s, struct mail *m)
{
	struct read *r = (struct read *)m;

	if (r->kind == READ_BACKUP) {
		if (r->on_done)
			r->on_done(s, r->arg, r->status);
	} else if (r->kind == READ_QUERY) {
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

static void read_run(const struct store_backend *be, struct store_reader *h, struct read *r)
{
	switch (r->kind) {
	case READ_GET:
		r->status = be->get(h, r->range.owner, r->range.kind, r->key, &r->items);
		break;
	case READ_LIST:
		r->status = be->list(h, &r->range, &r->items);
		break;
	case READ_QUERY:
		r->page.page.total = -1;
		r->status = be->query(h, &r->query, &r->page);
		break;
	case READ_BACKUP:
		r->status = be->backup ? be->backup(h, r->key.p) : -ENOTSUP;
		break;
	}
	if (r->status && r->status != -ENOENT)
		metric_add(M_STORE_ERRORS, 1);
}

static void *reader_main(void *arg)
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
		pthread_mutex_unlock(&s->lock);
		read_run(s->backend, t->handle, r);
		post(r->from, &r->mail);
		pthread_mutex_lock(&s->lock);
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

/* Links the read; seq is known only under the lock. after: NULL waits for everything queued. */
static int submit(struct store *s, struct read *r, const struct str *owner)
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
	r->seq = owner ? s->touched[store_bucket(*owner)] : s->submitted;
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

int store_get(struct store *s, struct shard *from, struct str owner, struct str kind, struct str key, store_items_fn *done, void *arg)
{
	struct read *r = read_new(READ_GET, from, arg, owner.n + kind.n + key.n + 3);
	size_t used = 0;

	r->range.owner = keep(r, &used, owner);
	r->range.kind = keep(r, &used, kind);
	r->key = keep(r, &used, key);
	r->on_items = done;
	return submit(s, r, &owner);
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
	return submit(s, r, &range->owner);
}

int store_query(struct store *s, struct shard *from, const struct archive_query *q, archive_fn *done, void *arg)
{
	size_t ids_bytes = (size_t)q->ids_n * sizeof(uint64_t), used = ids_bytes;
	struct read *r;

	must(q->limit <= STORE_PAGE_MAX && q->ids_n <= STORE_PAGE_MAX);
	r = read_new(READ_QUERY, from, arg, ids_bytes + q->owner.n + q->with.n + 2);
	r->query = *q;
	if (q->ids_n) /* first, where it is aligned */
		r->query.ids = memcpy(r->bytes, q->ids, ids_bytes);
	r->query.owner = keep(r, &used, q->owner);
	r->query.with = keep(r, &used, q->with);
	r->on_page = done;
	return submit(s, r, &q->owner);
}

int store_backup(struct store *s, struct shard *from, const char *dir, store_done_fn *done, void *arg)
{
	struct str path = str_of(dir);
	struct read *r = read_new(READ_BACKUP, from, arg, path.n + 1);
	size_t used = 0;

	r->key = keep(r, &used, path);
	r->on_done = done;
	return submit(s, r, NULL);
}

/* ---- open and close ---- */

static const struct store_backend *const backends[] = { &store_sqlite, &store_memory };

static const struct store_backend *backend_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(backends); i++)
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	return NULL;
}

static void stop_threads(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop_writer = true;
	pthread_cond_broadcast(&s->to_writer);
	pthread_mutex_unlock(&s->lock);
	if (s->writer)
		pthread_join(s->writer, NULL);
	pthread_mutex_lock(&s->lock);
	s->stop_readers = true;
	pthread_cond_broadcast(&s->to_readers);
	pthread_mutex_unlock(&s->lock);
	for (int i = 0; i < s->readers_n; i++)
		pthread_join(s->readers[i].thread, NULL);
}

static int start_readers(struct store *s, int n)
{
	for (int i = 0; i < n; i++) {
		struct reader_thread *t = &s->readers[i];
		int err;

		t->store = s;
		err = s->backend->reader_open(s->db, &t->handle);
		if (err)
			return err;
		err = -pthread_create(&t->thread, NULL, reader_main, t);
		if (err) {
			s->backend->reader_close(t->handle);
			return err;
		}
		s->readers_n++;
	}
	return 0;
}

static struct store *store_alloc(const struct store_backend *be)
{
	struct store *s = mem_zalloc(sizeof(*s));
	pthread_condattr_t monotonic;

	s->backend = be;
	s->lock_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->to_writer, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&s->to_readers, NULL);
	s->tail = &s->first;
	s->ready.tail = &s->ready.first;
	s->waiting.tail = &s->waiting.first;
	return s;
}

int store_open(const struct store_config *cfg, struct store **out, char *err, size_t err_n)
{
	const struct store_backend *be = backend_find(cfg->backend ? cfg->backend : "sqlite");
	int readers = cfg->readers > 0 ? cfg->readers : 1, rc = 0;
	struct store *s;

	if (!be) {
		snprintf(err, err_n, "Unknown store back end \"%s\"; use \"sqlite\" or \"memory\".", cfg->backend);
		return -EINVAL;
	}
	s = store_alloc(be);
	if (be->on_disk)
		rc = store_lock(cfg->dir, &s->lock_fd, err, err_n);
	if (!rc)
		rc = be->open(cfg->dir, &s->db, err, err_n);
	if (rc) {
		store_close(s);
		return rc;
	}
	rc = -pthread_create(&s->writer, NULL, writer_main, s);
	if (!rc)
		rc = start_readers(s, readers < READERS_MAX ? readers : READERS_MAX);
	if (rc) {
		snprintf(err, err_n, "Cannot start the store's threads: %s.", strerror(-rc));
		store_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	stop_threads(s);
	for (int i = 0; i < s->readers_n; i++)
		s->backend->reader_close(s->readers[i].handle);
	if (s->db)
		s->backend->close(s->db);
	store_unlock(s->lock_fd);
	pthread_cond_destroy(&s->to_readers);
	pthread_cond_destroy(&s->to_writer);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

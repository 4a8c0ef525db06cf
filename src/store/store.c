/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The store's queues and threads: one writer that turns everything queued into one transaction and one fsync, readers
 * beside it. Shards only take the lock for as long as it takes to link a request; answers go back as mail. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/must.h"
#include "store/lock.h"
#include "store/store_priv.h"

enum {
	QUEUE_BYTES_MAX = 256 << 20,	/* bytes of batches that wait; beyond it -ENOBUFS */
	COMMIT_BATCHES_MAX = 8192,	/* batches of one transaction: bounds the wait for the first answer */
	COMMIT_BYTES_MAX = 16 << 20,
	COMMIT_GAP_US = 2000,		/* from one commit's begin to the next while batches keep coming */
	COMMIT_EAGER = 1000,		/* batches that end the gap */
	COMMIT_GAPS_SKIPPED = 16,	/* after a gap in which nothing came */
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

void store_post(struct shard *to, struct mail *m)
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
		store_post(out[i].to, &out[i].mail->mail);
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
		store_release_reads(s);
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
	store_join_backup(s);
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
		err = -pthread_create(&t->thread, NULL, store_reader_main, t);
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
	s->text = cfg->text;
	if (be->on_disk)
		rc = store_lock(cfg->dir, &s->lock_fd, err, err_n);
	if (!rc)
		rc = be->open(cfg->dir, cfg->text, &s->db, err, err_n);
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

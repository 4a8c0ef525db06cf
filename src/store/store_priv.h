/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Inside the store: its queues, shared by the writer's half (store.c) and the readers' half (store_read.c). */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include <pthread.h>

#include "store/backend.h"

enum { READERS_MAX = 16 };

struct read;
struct read_queue {
	struct read *first, **tail;
};

struct store {
	const struct store_backend *backend;
	struct store_db *db;
	int lock_fd;
	archive_text_fn *text;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t to_writer, to_readers;
	struct store_batch *first, **tail;
	size_t queued_n, queued_bytes;
	uint64_t submitted, finished;	 /* sequence numbers of batches */
	uint64_t touched[STORE_BUCKETS]; /* the last batch that wrote to an owner of the bucket */
	struct read_queue ready, waiting;
	size_t reads_n;
	size_t reads_run; /* taken by a reader, the answer not yet posted */
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
	pthread_t backup;
	bool backup_runs, backup_waits, backup_started; /* waits: for writes; started: to be joined */
};

/* Posts mail that must arrive. */
void store_post(struct shard *to, struct mail *m);

/* ---- store_read.c ---- */

void *store_reader_main(void *reader_thread);
/* Reads whose writes are finished become ready. Called with the lock. */
void store_release_reads(struct store *s);
/* Waits for a running backup. */
void store_join_backup(struct store *s);

#endif

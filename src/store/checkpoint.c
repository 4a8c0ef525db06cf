/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Checkpoints of the SQLite write-ahead log. */
#include "store/checkpoint.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum state { IDLE, WANTED, RUNNING, FINISHED };

struct checkpointer {
	struct sql sql;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	enum state state; /* IDLE -> WANTED (writer) -> RUNNING -> FINISHED (thread) -> IDLE (writer) */
	bool stop, started, failing;
	int next_pages; /* length of the log at which to try again; the writer's own */
	pthread_t thread;
};

static void copy(struct checkpointer *c, sqlite3 *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	bool failed = rc != SQLITE_OK && rc != SQLITE_BUSY, changed;

	pthread_mutex_lock(&c->lock);
	changed = failed != c->failing;
	c->failing = failed;
	pthread_mutex_unlock(&c->lock);
	if (changed && failed)
		log_warning("store.checkpoint", "code=%d next=\"trying again after later commits\"", rc);
}

static void *thread_main(void *arg)
{
	struct checkpointer *c = arg;

	log_thread("checkpoint");
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (c->state != WANTED) {
			pthread_cond_wait(&c->wake, &c->lock);
			continue;
		}
		c->state = RUNNING;
		pthread_mutex_unlock(&c->lock);
		copy(c, c->sql.db);
		pthread_mutex_lock(&c->lock);
		c->state = FINISHED;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int checkpointer_new(const char *path, struct checkpointer **out)
{
	struct checkpointer *c = mem_zalloc(sizeof(*c));
	int rc;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	rc = sql_open(&c->sql, path, true);
	if (!rc)
		rc = -pthread_create(&c->thread, NULL, thread_main, c);
	c->started = !rc;
	if (rc) {
		checkpointer_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void checkpointer_free(struct checkpointer *c)
{
	if (!c)
		return;
	if (c->started) {
		pthread_mutex_lock(&c->lock);
		c->stop = true;
		pthread_cond_signal(&c->wake);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
	}
	sql_close(&c->sql);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void checkpointer_tidy(struct checkpointer *c, sqlite3 *writer, int wal_pages)
{
	enum state state;

	if (wal_pages < WAL_SOFT_PAGES)
		c->next_pages = WAL_SOFT_PAGES; /* the log has started over */
	if (wal_pages < c->next_pages)
		return;
	pthread_mutex_lock(&c->lock);
	state = c->state;
	if (state == IDLE) {
		c->state = WANTED;
		pthread_cond_signal(&c->wake);
	} else if (state == FINISHED) {
		c->state = IDLE;
	}
	pthread_mutex_unlock(&c->lock);
	if (state != FINISHED && (wal_pages < WAL_HARD_PAGES || state != IDLE))
		return;
	/* Once all is copied and no reader needs the log, the next commit starts it over from its beginning. While a long
	 * read (a backup) holds it, there is nothing to gain for a while. */
	copy(c, writer);
	c->next_pages = wal_pages + WAL_SOFT_PAGES;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a database engine offers to the store: one writer handle, several reader handles, plain blocking calls.
 * Errors of the environment are -ENOSPC, -EIO, ...; a failed transaction is rolled back by the caller. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/batch.h"
#include "store/result.h"
#include "store/words.h"

struct store_db;     /* an open database with its writer handle */
struct store_reader; /* a reader handle, used by one thread at a time */

/* What a query asks of a row beyond its owner, id and peer. Used by one thread at a time. */
struct archive_filter {
	archive_text_fn *text_of; /* NULL: nothing matches a text or a message's id */
	struct words query, found; /* folded; found: scratch */
	struct buf text;	   /* scratch */
};

struct store_backend {
	const char *name;
	bool on_disk; /* lives in a data directory, which is locked */
	/* Opens, checks, migrates. Returns 0; -errno with a sentence in err. */
	int (*open)(const char *dir, archive_text_fn *text, struct store_db **out, char *err, size_t err_n);
	void (*close)(struct store_db *db);

	/* The writer's thread. */
	int (*begin)(struct store_db *db);
	/* Applies one batch. Returns 0; -EEXIST, -EAGAIN: the batch alone is undone; other: the transaction is lost. */
	int (*apply)(struct store_db *db, const struct store_batch *b);
	int (*commit)(struct store_db *db); /* durable when it returns 0 */
	void (*rollback)(struct store_db *db);
	/* Housekeeping after the answers of a commit went out (checkpoints); may be NULL. */
	void (*tidy)(struct store_db *db);

	/* A reader's thread. Reads see all that was committed before they began. */
	int (*reader_open)(struct store_db *db, struct store_reader **out);
	void (*reader_close)(struct store_reader *r);
	int (*get)(struct store_reader *r, struct str owner, struct str kind, struct str key, struct store_items *out);
	int (*list)(struct store_reader *r, const struct store_range *range, struct store_items *out);
	int (*query)(struct store_reader *r, const struct archive_query *q, struct archive_filter *f, struct store_page *out);
	int (*owners)(struct store_reader *r, struct str cursor, uint32_t limit, struct store_items *out);
	int (*backup)(struct store_reader *r, const char *dir); /* NULL: -ENOTSUP */
};

extern const struct store_backend store_sqlite, store_memory;

/* The inclusive range of ids that a query asks for; false when it is empty. */
bool archive_query_range(const struct archive_query *q, uint64_t *out_lo, uint64_t *out_hi);
/* Whether a row's peer is the one asked for: the bare JID is `with`, a full one with or with_full. */
bool archive_query_matches(const struct archive_query *q, struct str with, struct str with_full);
void archive_filter_init(struct archive_filter *f, const struct archive_query *q, archive_text_fn *text_of);
void archive_filter_fini(struct archive_filter *f);
/* Whether rows must be looked into one by one. */
bool archive_filter_is_set(const struct archive_query *q);
/* Whether a row's stanza is what the query asks for. */
bool archive_filter_matches(struct archive_filter *f, const struct archive_query *q, struct str stanza);
/* The bare part of a JID. */
struct str archive_bare(struct str jid);

#endif

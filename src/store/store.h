/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The database: requests in, messages out, never a wait. Back ends: SQLite, memory (tests); the same tests run on all.
 *
 * Two shapes of data:
 *   items    small values under (owner, kind, key): accounts, roster items, room configuration, tokens ...
 *   archive  one row per message and owner, by time-ordered id, findable by peer
 * Writes are batches: atomic, durable when `done` runs. One writer thread takes the whole queue into one transaction and one fsync
 * (group commit). Reads run in reader threads and see every batch whose `done` was posted, and all batches that wrote
 * to the same owner and were submitted before.
 * All callbacks run in the shard that asked. Any shard may ask. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/blob.h"
#include "base/buf.h"
#include "loop/shard.h"

enum {
	STORE_VALUE_MAX = 1 << 20,   /* bytes of one item value or stanza */
	STORE_KEY_MAX = 3100,	      /* bytes of owner or key */
	STORE_QUEUE_MAX = 100000,    /* batches that wait; beyond it store_commit answers -ENOBUFS */
	STORE_PAGE_MAX = 250,	      /* rows of one archive page */
};

struct store;

/* Reads out of an archived stanza what it can be found by: its text, added to the buffer, and up to two ids by which others
 * name it (p NULL: none; borrowed). The store knows nothing of stanzas. Any thread, several at once. */
typedef void archive_text_fn(struct str stanza, struct buf *text, struct str ids[2]);

struct store_config {
	const char *backend;	/* "sqlite" or "memory" */
	const char *dir;	/* data directory: DIR/anser.db */
	int readers;		/* reader threads, default 1 */
	archive_text_fn *text;	/* NULL: queries by text or message_id find nothing */
};

/* Opens, checks and migrates. Returns 0; -errno with a sentence for people in err (newer database, not writable, corrupt, disk full). */
int store_open(const struct store_config *cfg, struct store **out, char *err, size_t err_n);
/* Writes all that is queued, then closes. */
void store_close(struct store *s);

/* ---- writing ---- */

struct store_batch;
/* status: 0 durable; -ENOSPC, -EIO ... nothing of the batch was written; -EEXIST an insert met an existing key;
 * -EAGAIN a compare failed. */
typedef void store_done_fn(struct shard *s, void *arg, int status);

struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b); /* only a batch that was not committed */
/* All strings are copied. Values are opaque bytes. */
void store_put(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value);
/* As put, but the whole batch fails with -EEXIST when the key exists. */
void store_insert(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value);
/* The whole batch fails with -EAGAIN unless the item holds exactly this value (p NULL: is absent). */
void store_expect(struct store_batch *b, struct str owner, struct str kind, struct str key, struct str value);
void store_del(struct store_batch *b, struct str owner, struct str kind, struct str key);
/* key prefix; empty deletes all of the kind; kind empty deletes all items of the owner. */
void store_del_all(struct store_batch *b, struct str owner, struct str kind, struct str prefix);

struct archive_row {
	struct str owner;     /* bare JID of a user or a room */
	uint64_t id;	      /* below 2^63, unique per owner, time-ordered: top 42 bits are ms since 2020 */
	struct str with;      /* bare JID of the peer; for rooms the sender's occupant JID */
	struct str with_full; /* full JID of the peer or p NULL */
	struct str origin;    /* origin-id for deduplication, p NULL: none */
	uint8_t outgoing;     /* 1: sent by the owner */
	struct blob *stanza;  /* stanza_pack bytes; a reference is taken */
};
void store_archive(struct store_batch *b, const struct archive_row *row);
/* Deletes the owner's rows with id < before_id (UINT64_MAX: all): retention and account removal. About 10 µs a row, during
 * which no other batch is committed: many rows are better removed in steps. */
void store_archive_trim(struct store_batch *b, struct str owner, uint64_t before_id);
/* Puts another stanza (stanza_pack bytes; a reference is taken) in the place of a row's own, such as a tombstone; the row keeps its
 * id, peer and origin-id. An empty one: the row is still known by its id, but found by no query any more (XEP-0313 §"Message
 * archives": what was removed from the middle). No such row: nothing happens. */
void store_archive_replace(struct store_batch *b, struct str owner, uint64_t id, struct blob *stanza);
/* Deletes one row. No such row: nothing happens. */
void store_archive_remove(struct store_batch *b, struct str owner, uint64_t id);

/* Queues the batch; takes it. done may be NULL. Order: batches of one shard are committed in order.
 * from is the shard where done runs. Returns 0; -ENOBUFS (batch freed, done not called). */
int store_commit(struct store *s, struct shard *from, struct store_batch *b, store_done_fn *done, void *arg);
/* done runs once everything queued before is durable. */
int store_barrier(struct store *s, struct shard *from, store_done_fn *done, void *arg);

/* ---- reading ---- */

struct store_item {
	struct str owner, kind, key, value;
};
/* Items are valid during the call. status 0 or -EIO. */
typedef void store_items_fn(struct shard *s, void *arg, int status, const struct store_item *v, size_t n);

/* One item (n is 0 or 1). */
int store_get(struct store *s, struct shard *from, struct str owner, struct str kind, struct str key, store_items_fn *done, void *arg);
/* All items of an owner, of one kind or (kind empty) of all, in order of kind and key; at most limit, keys > after
 * (p NULL: from the start). */
struct store_range {
	struct str owner, kind, prefix, after;
	uint32_t limit;
};
int store_list(struct store *s, struct shard *from, const struct store_range *range, store_items_fn *done, void *arg);

struct archive_query {
	struct str owner;
	struct str with;	   /* bare or full JID, empty: all */
	struct str text;	   /* only rows that have all these words (store/words.h); empty: all */
	struct str message_id;	   /* only rows whose stanza has this id; empty: all */
	uint64_t start_id, end_id; /* inclusive bounds as ids made from times; 0 and UINT64_MAX: open */
	uint64_t after_id, before_id; /* exclusive bounds from RSM or the extended form; 0 / UINT64_MAX: none */
	const uint64_t *ids;	   /* when ids_n: exactly these rows */
	uint32_t ids_n;
	bool backward;		   /* the last `limit` rows of the range instead of the first; still answered oldest first */
	bool want_count; /* fill total (costs a count) */
	bool want_ends;	/* fill first_id_all and last_id_all (cheap; want_count does it too) */
	bool check_bounds;	   /* -ENOENT when after_id or before_id or one of ids is not a row of the owner */
	uint32_t limit;		   /* <= STORE_PAGE_MAX */
};
struct archive_found {
	uint64_t id;
	struct str with, with_full, origin, stanza;
	uint8_t outgoing;
};
struct archive_page {
	const struct archive_found *v;
	size_t n;
	bool complete;	/* no more rows in this direction */
	int64_t total;	/* rows that match; -1 when not asked, or not known: too many to look at each */
	uint64_t first_id_all, last_id_all; /* oldest and newest id of the owner (metadata), 0 when empty; only when want_count or want_ends */
};
typedef void archive_fn(struct shard *s, void *arg, int status, const struct archive_page *page);
int store_query(struct store *s, struct shard *from, const struct archive_query *q, archive_fn *done, void *arg);

/* The owners of archives, in an order of the store's own: at most limit of them behind the cursor (p NULL: from the first). Each is an
 * item: owner, key = cursor behind it, value = id of the oldest row, decimal. Sees what is durable. */
int store_owners(struct store *s, struct shard *from, struct str cursor, uint32_t limit, store_items_fn *done, void *arg);

/* ---- the whole ---- */

/* Online copy of the database into dir (must be empty or absent) with a manifest of checksums, by a thread of its own.
 * Returns 0; -EBUSY while another backup runs; -ENOTSUP. status: 0; -ENOTEMPTY, -ENOSPC, -errno: nothing is left in dir. */
int store_backup(struct store *s, struct shard *from, const char *dir, store_done_fn *done, void *arg);
/* Checks a backup's manifest and database and puts it in place of an empty data directory. No server may run. */
int store_restore(const char *backup_dir, const char *data_dir, char *err, size_t err_n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A store with a shard that the test itself turns: ask, then wait for the answer. */
#ifndef STORE_BOX_H
#define STORE_BOX_H

#include "unit.h"

#include "loop/shard.h"
#include "store/store.h"

struct box {
	struct shards shards;
	struct shard *shard;
	struct store *store;
	const char *backend;
	const char *dir;
};

/* The last answer, copied out of the callbacks. */
struct answer {
	int calls, status;
	char ids[2048]; /* pages: "id " each */
	char text[4096]; /* items: "kind/key=value " each; pages: "id:with:stanza " each */
	size_t n;
	bool complete;
	int64_t total;
	uint64_t first, last;
};

void box_open(struct box *b, const char *backend, const char *dir); /* dir NULL: a fresh one */
void box_close(struct box *b);
void box_reopen(struct box *b);
/* Turns the shard until a->calls reaches calls. */
void box_wait(struct box *b, const struct answer *a, int calls);

int box_commit(struct box *b, struct store_batch *batch); /* the status */
int box_put(struct box *b, const char *owner, const char *kind, const char *key, const char *value);
/* The value in a static buffer, NULL when the item is absent. */
const char *box_get(struct box *b, const char *owner, const char *kind, const char *key);
struct answer box_list(struct box *b, const struct store_range *range);
struct answer box_query(struct box *b, const struct archive_query *q);
/* Adds an archive row; strings may be NULL. */
void box_row(struct store_batch *batch, const char *owner, uint64_t id, const char *with, const char *full, const char *text);

void box_on_done(struct shard *s, void *arg, int status); /* arg: struct answer */
void box_on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n);
/* text: "owner=oldest " each; ids: the last cursor */
void box_on_owners(struct shard *s, void *arg, int status, const struct store_item *v, size_t n);
void box_on_page(struct shard *s, void *arg, int status, const struct archive_page *page);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The full-text index of the SQLite back end (decision 10). It is made of parts, each of which covers a stretch of the archive's log:
 * table text_part says which, text_block holds their blocks (text_block.h). A thread of its own brings rows into new parts,
 * TEXT_PART_ROWS at a time, joins TEXT_JOIN parts of one level to one of the next, and takes away what is left of old ones;
 * it writes in short transactions of its own between the writer's. Rows beyond the last part are looked at one by one. */
#ifndef STORE_TEXT_INDEX_H
#define STORE_TEXT_INDEX_H

#include "store/sqlite.h"

enum {
	TEXT_PART_ROWS = 4096,
	TEXT_CATCH_UP = 4, /* so many times as many at once while the log is far ahead */
	TEXT_JOIN = 8,
	TEXT_LEVEL_MAX = 2, /* up to 262,144 rows: the parts of old messages go when these do */
	TEXT_STEP_BYTES = 192 << 10, /* blocks of one transaction */
	TEXT_META = -1,	    /* key of an owner's struct text_meta */
	TEXT_BUILDING = -1, TEXT_DEAD = -2, /* levels that no reader sees */
};

struct text_index;
/* Starts the thread. text_of NULL: there is no index, *out is NULL. Returns 0; -errno. */
int text_index_new(struct store_db *db, archive_text_fn *text_of, struct text_index **out);
void text_index_free(struct text_index *t); /* takes NULL */
/* The writer, after a commit: the log ends here. */
void text_index_wake(struct text_index *t, int64_t last_seq);
/* The writer, in its transaction: a row gets another stanza, or goes (after p NULL). Returns 0; -errno. */
int text_index_change(struct store_db *db, const struct recent_row *row, struct str with, struct str before, struct str after);
/* The same for all rows of an owner with lower ids. Entries of a part that has younger rows too stay until these go; they lead
 * nowhere. */
int text_index_trim(struct store_db *db, int64_t owner, uint64_t before_id);
#endif

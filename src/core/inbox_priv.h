/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One conversation of an inbox and what a row of the archive does to it. Private to core/inbox. */
#ifndef CORE_INBOX_PRIV_H
#define CORE_INBOX_PRIV_H

#include "core/inbox.h"

/* An unread message: its archive id and a hash of the id that its sender gave it, by which markers name it. */
struct unread {
	uint64_t id, name;
};

struct conv_state {
	uint64_t last_id, msg_id, read_id;
	uint32_t unread, listed;
	uint32_t cap;
	struct unread *list; /* the newest `listed` ones, oldest first */
};

struct conv {
	struct str jid;
	bool changed;
	bool has_now;
	struct conv_state kept;
	struct conv_state now; /* with the rows of the last seconds */
	char bytes[];
};

/* What a row says. */
struct conv_event {
	struct str jid; /* of the conversation */
	uint64_t id, name, origin;
	bool message;	  /* an instant message */
	bool outgoing, correction;
	struct str seen;  /* outgoing marker: the message that it names, p NULL: none */
	struct str taken_back; /* incoming retraction: the same */
};

/* Reads a row; strings borrow from it and the arena. False: it is none of a conversation. */
bool conv_event_read(struct arena *a, const struct archive_found *row, struct conv_event *out);
void conv_apply(struct conv_state *s, const struct conv_event *e);
/* Everything up to this archive id is read. */
void conv_read(struct conv_state *s, uint64_t id);
void conv_copy(struct conv_state *to, const struct conv_state *s);
void conv_fini(struct conv_state *s);
/* As bytes for the store. */
void conv_pack(const struct conv_state *s, struct buf *out);
/* Reads these bytes; what is damaged leaves an empty state. */
void conv_load(struct conv_state *s, struct str bytes);

#endif

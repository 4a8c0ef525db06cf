/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0424 0.4.2: what an author takes back becomes a tombstone in the archives of both sides. Rooms do their own. */
#ifndef CORE_RETRACT_H
#define CORE_RETRACT_H

#include "core/pipeline.h"

enum { RETRACT_LOOK = 8, /* messages with the same id that are looked at, newest first */ RETRACT_ID_MAX = 1024 };

/* A message with <retract/> is about to be stored: looks for what it retracts and puts tombstones in the place. Takes over the receipt,
 * which is done when these are durable: the message's own rows do not wait for the search. Does nothing when there is nothing to
 * retract. */
void retract_begin(struct transit *t);
/* The id that a message retracts, p NULL: none. In the arena. */
struct str retract_id(struct stanza *st, struct arena *a);
/* The tombstone that stands for a stored message (stanza_pack bytes) from now on: its head and <retracted/>. by is the id of the
 * retracting message. New reference; NULL: there is nothing to retract, or it is a tombstone already. */
struct blob *retract_tombstone(struct arena *a, struct str packed, struct str by, uint64_t wall_ms);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The mark at the start of each message body: when it was sent, by whom, and which one it is. */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#include "stanza.h"

#include <stdint.h>

struct mark {
	int64_t sent_ns;
	uint32_t who; /* sender's index */
	uint32_t seq;
};

#define MARK_LEN 36

/* Writes a body of exactly `size` bytes (at least MARK_LEN + 1, at most 60 kB) to out, terminated. */
void mark_body(char *out, struct mark m, size_t size);

/* Reads the mark of a message. Returns whether it has one. */
bool mark_read(const struct stanza *st, struct mark *out);

#endif

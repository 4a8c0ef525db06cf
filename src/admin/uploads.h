/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Uploaded files in a backup: DIR/files/blob/ab/cdef..., named by the SHA-256 of their contents (as http/files.h lays them out).
 * Unfinished uploads stay behind. Blocks: in the pool, or in a command. */
#ifndef ADMIN_UPLOADS_H
#define ADMIN_UPLOADS_H

#include <stdint.h>

#include "base/str.h"

struct uploads_count {
	uint64_t copied;
	uint64_t damaged; /* contents that are not those of the name: left out, logged */
};

/* Copies all files from one directory's store into another's; those that are there already stay. check: hash each one.
 * What was copied is durable on return. Returns 0, also when there are none; -errno. */
int uploads_copy(const char *from_dir, const char *to_dir, bool check, struct uploads_count *out);

#endif

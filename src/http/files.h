/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Uploaded files on disk, named by the SHA-256 of their contents, so that equal files lie there once:
 *   DIR/files/part/ID        an upload that is not whole yet
 *   DIR/files/blob/ab/cdef…  a whole file
 * Nothing of what a peer sends becomes part of a path but an ID that files_id_ok has seen. What is said to be there has been
 * synced to the disk. All functions but files_id_ok block: call them in the pool. Any thread. */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include "base/str.h"

enum {
	FILES_ID_BYTES = 32,	   /* base64url characters */
	FILES_HASH_BYTES = 64,	   /* lower-case hexadecimal */
	FILES_ORPHAN_MINUTES = 60, /* a whole file without a record is kept so long: the record may be on its way */
	FILES_PART_HOURS = 24,	   /* an unfinished upload is forgotten after this */
};

struct files;

/* Opens or makes dir/files, and removes unfinished uploads that are too old. Returns 0; -errno with a sentence for people. */
int files_open(const char *dir, struct files **out, char *err, size_t err_n);
void files_close(struct files *f);
bool files_id_ok(struct str id);

/* Opens the unfinished upload, empty when fresh, else at its end. The descriptor holds a lock.
 * Returns 0; -EBUSY somebody else is writing it; -ENOENT not fresh and not there; -errno. */
int files_part_open(const struct files *f, struct str id, bool fresh, int *out_fd, uint64_t *out_size);
/* The size so far, synced. Returns 0; -ENOENT. */
int files_part_size(const struct files *f, struct str id, uint64_t *out_size);
/* Makes the part a file: hashes, syncs, renames. fd stays the caller's. Returns 0 and the hash; -errno. */
int files_part_finish(const struct files *f, struct str id, int fd, char out_hash[FILES_HASH_BYTES + 1]);
/* Opens a whole file for reading. Returns 0; -ENOENT, -errno. */
int files_blob_open(const struct files *f, const char *hash, int *out_fd, uint64_t *out_size);

/* What files_sweep keeps of a file's hash: its first 64 bits. */
uint64_t files_hash_head(const char *hash);
/* Removes whole files that are older than FILES_ORPHAN_MINUTES and whose hash is not among keep (n heads, sorted).
 * Returns how many. */
size_t files_sweep(const struct files *f, const uint64_t *keep, size_t n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The data directory's lock: DIR/anser.lock, held by flock, so that server and CLI never open one database together. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stddef.h>

/* Makes the directory if it is absent (0700) and locks it. Returns 0 with the descriptor in out_fd; -EBUSY held by
 * another process, which err names; -errno with a sentence in err. */
int store_lock(const char *dir, int *out_fd, char *err, size_t err_n);
void store_unlock(int fd);
/* Unlocks, and takes away the lock's file and, if it is empty then, the directory: nothing was put there. */
void store_lock_undo(const char *dir, int fd); /* takes -1 too */
/* fsync of a directory: names in it are durable. Returns 0; -errno. */
int store_sync_dir(const char *dir);
/* Makes the file if it is absent, for its owner alone: SQLite gives the same mode to the files beside it. Returns 0; -errno. */
int store_touch(const char *path);
/* "DIR/name" into out. Returns 0; -ENAMETOOLONG. */
int store_path(const char *dir, const char *name, char *out, size_t out_n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The data directory: its lock and its durability. */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char lock_name[] = "anser.lock";

int store_path(const char *dir, const char *name, char *out, size_t out_n)
{
	int n = snprintf(out, out_n, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= out_n ? -ENAMETOOLONG : 0;
}

int store_sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int store_touch(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int refuse_held(const char *dir, int fd, char *err, size_t err_n)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	long pid = n > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		snprintf(err, err_n, "The data directory %s is in use by process %ld.", dir, pid);
	else
		snprintf(err, err_n, "The data directory %s is in use by another process.", dir);
	return -EBUSY;
}

static int refuse(const char *dir, int error, char *err, size_t err_n)
{
	snprintf(err, err_n, "Cannot write to the data directory %s: %s.", dir, strerror(error));
	return -error;
}

int store_lock(const char *dir, int *out_fd, char *err, size_t err_n)
{
	char path[PATH_MAX], text[32];
	int fd, n, error;

	if (!dir || !*dir || store_path(dir, lock_name, path, sizeof(path)))
		return refuse(dir ? dir : "", ENAMETOOLONG, err, err_n);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return refuse(dir, errno, err, err_n);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(dir, errno, err, err_n);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		error = error == EWOULDBLOCK ? refuse_held(dir, fd, err, err_n) : refuse(dir, error, err, err_n);
		close(fd);
		return error;
	}
	/* The number only helps people; a disk too full to hold it is no reason to stop here. */
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (!ftruncate(fd, 0) && pwrite(fd, text, (size_t)n, 0) == n)
		fdatasync(fd);
	*out_fd = fd;
	return 0;
}

void store_lock_undo(const char *dir, int fd)
{
	char path[PATH_MAX];

	if (!store_path(dir, lock_name, path, sizeof(path)))
		unlink(path);
	rmdir(dir); /* only if nothing else is in it */
	store_unlock(fd);
}

void store_unlock(int fd)
{
	if (fd < 0)
		return;
	close(fd);
}

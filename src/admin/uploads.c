/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Uploaded files in a backup. A copy gets its name when it is whole and synced. */
#include "admin/uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "crypto/hash.h"

enum { CHUNK = 256 << 10, SHELF = 2, BLOB = 62 /* characters of a folder's and a file's name */ };

struct copy {
	bool check;
	struct uploads_count count;
	char *chunk;
};

static const char part_name[] = "part.new";

/* Returns a descriptor of the directory, made when absent; -errno. */
static int open_dir(int at, const char *name, bool make)
{
	int fd;

	if (make && mkdirat(at, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* dir/files/blob. */
static int open_blobs(const char *dir, bool make)
{
	int top = open_dir(AT_FDCWD, dir, make), files = top < 0 ? top : open_dir(top, "files", make);
	int blobs = files < 0 ? files : open_dir(files, "blob", make);

	if (top >= 0)
		close(top);
	if (files >= 0)
		close(files);
	return blobs;
}

static bool is_hex(const char *name, size_t n)
{
	return strlen(name) == n && strspn(name, "0123456789abcdef") == n;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* Copies the bytes; digest gets their SHA-256 when they are to be checked. */
static int copy_bytes(struct copy *c, int in, int out, uint8_t *digest)
{
	struct hash_stream *h = c->check ? hash_stream_new(HASH_SHA256) : NULL;
	int err = 0;

	for (;;) {
		ssize_t n = read(in, c->chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		if (h)
			hash_stream_put(h, (struct str){ c->chunk, (size_t)n });
		err = write_all(out, c->chunk, (size_t)n);
		if (err)
			break;
	}
	if (h)
		hash_stream_end(h, digest);
	return err ? err : fsync(out) ? -errno : 0;
}

static bool is_named_right(const uint8_t *digest, const char *shelf, const char *name)
{
	char text[2 * HASH_MAX + 1];

	for (size_t i = 0; i < hash_size(HASH_SHA256); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return memcmp(text, shelf, SHELF) == 0 && strcmp(text + SHELF, name) == 0;
}

static int copy_file(struct copy *c, int from, int to, const char *shelf, const char *name)
{
	uint8_t digest[HASH_MAX];
	int in, out, err;

	if (faccessat(to, name, F_OK, 0) == 0)
		return 0;
	in = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0)
		return errno == ENOENT ? 0 : -errno; /* deleted meanwhile */
	out = openat(to, part_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	err = out < 0 ? -errno : copy_bytes(c, in, out, digest);
	if (!err && c->check && !is_named_right(digest, shelf, name)) {
		log_error("uploads.damaged", "file=%s%s next=\"it is left out\"", shelf, name);
		c->count.damaged++;
		unlinkat(to, part_name, 0);
	} else if (!err) {
		err = renameat(to, part_name, to, name) ? -errno : 0;
		c->count.copied += !err;
	}
	if (out >= 0)
		close(out);
	close(in);
	return err;
}

typedef int entry_fn(struct copy *c, int from, int to, const char *shelf, const char *name);

/* Calls fn for each entry with a name of n hexadecimal digits, then syncs `to`. Takes from. */
static int each(struct copy *c, int from, int to, const char *shelf, entry_fn *fn)
{
	size_t n = shelf ? BLOB : SHELF;
	DIR *d = fdopendir(from);
	struct dirent *e;
	int err = 0;

	if (!d) {
		err = -errno;
		close(from);
		return err;
	}
	while (!err && (e = readdir(d)))
		if (is_hex(e->d_name, n))
			err = fn(c, from, to, shelf, e->d_name);
	closedir(d);
	return err ? err : fsync(to) ? -errno : 0;
}

static int copy_shelf(struct copy *c, int from, int to, const char *shelf, const char *name)
{
	int in = open_dir(from, name, false), out = in < 0 ? in : open_dir(to, name, true);
	int err = out < 0 ? out : each(c, in, out, name, copy_file);

	(void)shelf;
	if (in >= 0 && out < 0)
		close(in);
	if (out >= 0)
		close(out);
	return err;
}

int uploads_copy(const char *from_dir, const char *to_dir, bool check, struct uploads_count *out)
{
	struct copy c = { .check = check };
	int from = open_blobs(from_dir, false), to, err;

	*out = c.count;
	if (from == -ENOENT)
		return 0;
	if (from < 0)
		return from;
	to = open_blobs(to_dir, true);
	if (to < 0) {
		close(from);
		return to;
	}
	c.chunk = mem_alloc(CHUNK);
	err = each(&c, from, to, NULL, copy_shelf);
	free(c.chunk);
	close(to);
	*out = c.count;
	return err;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Content-addressed files: written as a part, synced, then renamed to their hash. */
#include "http/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "crypto/hash.h"

enum { CHUNK = 256 << 10, SHELF = 2 /* hexadecimal characters that name the folder of a blob */ };

struct files {
	int parts, blobs; /* directories */
};

/* Opens a directory, made when absent. Returns the descriptor; -errno. */
static int open_dir(int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0700) == 0)
		fsync(at);
	else if (errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void sweep_parts(int parts)
{
	time_t oldest = time(NULL) - FILES_PART_HOURS * 3600;
	int fd = dup(parts);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d)
		return;
	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' &&
			fstatat(parts, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			st.st_mtime < oldest)
			unlinkat(parts, e->d_name, 0);
	closedir(d);
}

int files_open(const char *dir, struct files **out, char *err, size_t err_n)
{
	struct files *f = mem_zalloc(sizeof(*f));
	int top = open_dir(AT_FDCWD, dir), files = top < 0 ? top : open_dir(top, "files");

	f->parts = files < 0 ? files : open_dir(files, "part");
	f->blobs = f->parts < 0 ? f->parts : open_dir(files, "blob");
	if (top >= 0)
		close(top);
	if (files >= 0)
		close(files);
	if (f->blobs < 0) {
		int rc = f->blobs;

		snprintf(err, err_n, "cannot keep files in %s/files: %s", dir, strerror(-rc));
		files_close(f);
		return rc;
	}
	sweep_parts(f->parts);
	*out = f;
	return 0;
}

void files_close(struct files *f)
{
	if (!f)
		return;
	if (f->parts >= 0)
		close(f->parts);
	if (f->blobs >= 0)
		close(f->blobs);
	free(f);
}

bool files_id_ok(struct str id)
{
	if (id.n != FILES_ID_BYTES)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_'))
			return false;
	}
	return true;
}

struct part_name {
	char s[FILES_ID_BYTES + 1];
};

static struct part_name part_name(struct str id)
{
	struct part_name n = { 0 };

	must(files_id_ok(id));
	memcpy(n.s, id.p, id.n);
	return n;
}

/* The name may have been renamed away between open and lock: then the lock is on a file that is no part any more. */
static bool is_current(const struct files *f, const char *name, const struct stat *mine)
{
	struct stat st;

	return fstatat(f->parts, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == mine->st_ino;
}

int files_part_open(
	const struct files *f, struct str id, bool fresh, int *out_fd, uint64_t *out_size)
{
	struct part_name name = part_name(id);
	int fd = openat(f->parts, name.s, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_CREAT : 0),
		    0600),
	    rc = 0;
	struct stat st = { 0 };

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if ((fresh && ftruncate(fd, 0) < 0) || fstat(fd, &st) < 0)
		rc = -errno;
	else if (!is_current(f, name.s, &st))
		rc = -EBUSY;
	if (rc) {
		close(fd);
		return rc;
	}
	*out_fd = fd;
	*out_size = (uint64_t)st.st_size;
	return 0;
}

int files_part_size(const struct files *f, struct str id, uint64_t *out_size)
{
	struct part_name name = part_name(id);
	int fd = openat(f->parts, name.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 || fstat(fd, &st) < 0)
		rc = -errno;
	else
		*out_size = (uint64_t)st.st_size;
	close(fd);
	return rc;
}

static int hash_file(int fd, char out[FILES_HASH_BYTES + 1])
{
	struct hash_stream *h = hash_stream_new(HASH_SHA256);
	char *chunk = mem_alloc(CHUNK);
	uint8_t digest[HASH_MAX];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, chunk, CHUNK, at)) > 0) {
		hash_stream_put(h, (struct str){ chunk, (size_t)n });
		at += n;
	}
	free(chunk);
	if (n < 0) {
		int rc = -errno;

		hash_stream_free(h);
		return rc;
	}
	hash_stream_end(h, digest);
	for (int i = 0; i < FILES_HASH_BYTES / 2; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int files_part_finish(
	const struct files *f, struct str id, int fd, char out_hash[FILES_HASH_BYTES + 1])
{
	struct part_name name = part_name(id);
	char hash[FILES_HASH_BYTES + 1], shelf_name[SHELF + 1];
	int rc = hash_file(fd, hash), shelf;

	if (rc)
		return rc;
	if (fsync(fd) < 0)
		return -errno;
	memcpy(shelf_name, hash, SHELF);
	shelf_name[SHELF] = 0;
	shelf = open_dir(f->blobs, shelf_name);
	if (shelf < 0)
		return shelf;
	/* The same contents may lie there already: the rename puts the same bytes in their place. */
	if (renameat(f->parts, name.s, shelf, hash + SHELF) < 0 || fsync(shelf) < 0)
		rc = -errno;
	close(shelf);
	if (!rc)
		memcpy(out_hash, hash, sizeof(hash));
	return rc;
}

int files_blob_open(const struct files *f, const char *hash, int *out_fd, uint64_t *out_size)
{
	char path[FILES_HASH_BYTES + 2];
	struct stat st;
	int fd;

	must(strlen(hash) == FILES_HASH_BYTES &&
		strspn(hash, "0123456789abcdef") == FILES_HASH_BYTES);
	snprintf(path, sizeof(path), "%.*s/%s", SHELF, hash, hash + SHELF);
	fd = openat(f->blobs, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*out_fd = fd;
	*out_size = (uint64_t)st.st_size;
	return 0;
}

uint64_t files_hash_head(const char *hash)
{
	uint64_t head = 0;

	for (int i = 0; i < 16; i++) {
		char c = hash[i];

		head = head << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return head;
}

static bool is_kept(const uint64_t *keep, size_t n, uint64_t head)
{
	size_t low = 0;

	while (low < n) {
		size_t mid = low + (n - low) / 2;

		if (keep[mid] == head)
			return true;
		if (keep[mid] < head)
			low = mid + 1;
		else
			n = mid;
	}
	return false;
}

static bool is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static size_t sweep_shelf(int blobs, const char *shelf_name, const uint64_t *keep, size_t n)
{
	time_t oldest = time(NULL) - FILES_ORPHAN_MINUTES * 60;
	int fd = openat(blobs, shelf_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char hash[FILES_HASH_BYTES + 1];
	size_t removed = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (!is_hex(e->d_name, FILES_HASH_BYTES - SHELF))
			continue;
		snprintf(hash, sizeof(hash), "%s%s", shelf_name, e->d_name);
		if (is_kept(keep, n, files_hash_head(hash)))
			continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < oldest)
			removed += unlinkat(fd, e->d_name, 0) == 0;
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return removed;
}

size_t files_sweep(const struct files *f, const uint64_t *keep, size_t n)
{
	int fd = openat(f->blobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t removed = 0;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_hex(e->d_name, SHELF))
			removed += sweep_shelf(f->blobs, e->d_name, keep, n);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return removed;
}

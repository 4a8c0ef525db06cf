/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The output of a connection: collected in one buffer that exists only while it holds something, sent at the end of the
 * turn in one TLS record and one system call as long as it fits; files are read in as the socket takes them. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/conn_priv.h"

enum { CONN_FILE_CHUNK = 4 * CONN_RECORD };

/* Where new bytes go: behind the last queued file. */
static struct buf *tail(struct conn *c)
{
	struct conn_file *f = c->files;

	if (!f)
		return &c->out;
	while (f->next)
		f = f->next;
	return &f->after;
}

bool conn_has_out(const struct conn *c)
{
	return c->out.n > c->out_sent || c->files;
}

size_t conn_out_pending(const struct conn *c)
{
	size_t n = c->out.n - c->out_sent;

	for (const struct conn_file *f = c->files; f; f = f->next)
		n += f->after.n;
	return n;
}

static void file_free(struct conn_file *f)
{
	close(f->fd);
	buf_free(&f->after);
	free(f);
}

void conn_out_free(struct conn *c)
{
	for (struct conn_file *f = c->files, *next; f; f = next) {
		next = f->next;
		file_free(f);
	}
	c->files = NULL;
	buf_free(&c->out);
	c->out_sent = 0;
}

struct buf *conn_out(struct conn *c)
{
	return tail(c);
}

void conn_dirty(struct conn *c)
{
	size_t n;

	if (c->dead || c->state != CONN_OPEN || c->err) {
		if (c->dead || c->err)
			conn_out_free(c);
		return;
	}
	n = conn_out_pending(c);
	if (n > CONN_OUT_MAX) {
		/* The owner is told at the end of the turn, not inside its own call. */
		c->err = -ENOBUFS;
		conn_out_free(c);
	}
	if (n > CONN_OUT_HIGH)
		c->over_high = true;
	if (!c->out_blocked || c->err)
		conn_work(c);
}

void conn_write(struct conn *c, struct str bytes)
{
	if (c->dead || c->state != CONN_OPEN || c->err)
		return;
	buf_str(tail(c), bytes);
	conn_dirty(c);
}

void conn_write_file(struct conn *c, int fd, uint64_t offset, uint64_t n)
{
	struct conn_file *f, **last = &c->files;

	if (c->dead || c->state != CONN_OPEN || c->err || !n) {
		close(fd);
		return;
	}
	f = mem_zalloc(sizeof(*f));
	f->fd = fd;
	f->offset = offset;
	f->left = n;
	while (*last)
		last = &(*last)->next;
	*last = f;
	c->over_high = true;
	conn_dirty(c);
}

/* Moves the next chunk of the first file into the empty buffer; after its end, what was written behind it. */
static int refill(struct conn *c)
{
	struct conn_file *f = c->files;
	size_t want = f->left < CONN_FILE_CHUNK ? (size_t)f->left : CONN_FILE_CHUNK;
	ssize_t n = 0;

	if (want) {
		n = pread(f->fd, buf_room(&c->out, want), want, (off_t)f->offset);
		if (n <= 0)
			return n < 0 ? -errno : -EIO; /* shorter than was promised to the peer */
		c->out.n += (size_t)n;
		f->offset += (uint64_t)n;
		f->left -= (uint64_t)n;
	}
	if (f->left)
		return 0;
	if (!c->out.n) {
		buf_free(&c->out);
		c->out = f->after;
	} else {
		buf_put(&c->out, f->after.p, f->after.n);
		buf_free(&f->after);
	}
	f->after = (struct buf){ 0 };
	c->files = f->next;
	file_free(f);
	return 0;
}

static ssize_t send_some(struct conn *c, const char *p, size_t n)
{
	ssize_t rc;

	if (c->ssl)
		return conn_tls_write(c, p, n < CONN_RECORD ? n : CONN_RECORD);
	rc = send(c->watch.fd, p, n, MSG_NOSIGNAL);
	return rc < 0 ? -errno : rc;
}

static int send_out(struct conn *c)
{
	while (c->out_sent < c->out.n) {
		ssize_t rc = send_some(c, c->out.p + c->out_sent, c->out.n - c->out_sent);

		if (rc == -EAGAIN) {
			/* What was sent is dropped when it pays, so that the buffer does not grow for ever. */
			if (c->out_sent >= c->out.n / 2) {
				buf_consume(&c->out, c->out_sent);
				c->out_sent = 0;
			}
			c->out_blocked = true;
			return -EAGAIN;
		}
		if (rc < 0)
			return (int)rc;
		c->out_sent += (size_t)rc;
		if (c->pauses || c->files)
			c->last_in_ms =
				c->shard->loop
					.now_ms; /* a peer that takes a long file is not idle */
	}
	buf_free(&c->out);
	c->out_sent = 0;
	return 0;
}

int conn_flush(struct conn *c)
{
	if (c->handshaking)
		return 0;
	for (int chunks = 0;; chunks++) {
		int rc = send_out(c);

		if (rc)
			return rc == -EAGAIN ? 0 : rc;
		if (!c->files)
			return 0;
		if (chunks == CONN_FILE_PER_TURN) {
			c->out_blocked = true; /* the next event goes on with it */
			return 0;
		}
		rc = refill(c);
		if (rc)
			return rc;
	}
}

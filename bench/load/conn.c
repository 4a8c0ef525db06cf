/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Sockets and TLS of the generator's clients. */
#include "conn.h"

#include "sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STANZA_MAX 65536

static void grow(char **buf, size_t *cap, size_t need)
{
	if (need <= *cap)
		return;
	*cap = need < 1024 ? 1024 : need * 2;
	*buf = realloc(*buf, *cap);
	if (!*buf)
		abort();
}

static bool is_logging_in(enum client_state s)
{
	return s > CLIENT_IDLE && s < CLIENT_READY;
}

void conn_end(struct client *c, enum client_state state, const char *why)
{
	struct fleet *f = c->fleet;

	if (c->fd < 0)
		return;
	f->logging_in -= is_logging_in(c->state);
	f->ready -= c->state == CLIENT_READY;
	f->failed += state == CLIENT_FAILED;
	f->closed += state == CLIENT_CLOSED;
	if (state == CLIENT_FAILED && !f->why) {
		char text[400];

		snprintf(text, sizeof(text), "%s%lld in state %d: %s", f->o->prefix,
			 (long long)c->number, (int)c->state, why);
		f->why = strdup(text);
	}
	c->state = state;
	SSL_free(c->ssl);
	close(c->fd);
	c->ssl = NULL;
	c->fd = -1;
	c->in_len = c->out_len = 0;
	c->want_write = false;
	if (f->scene->on_closed)
		f->scene->on_closed(c);
}

void client_drop(struct client *c)
{
	conn_end(c, CLIENT_CLOSED, "");
}

static void watch(struct client *c, int op, bool write)
{
	struct epoll_event ev = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c };

	epoll_ctl(c->fleet->epoll_fd, op, c->fd, &ev);
	c->want_write = write;
}

static void bind_source(int fd, const struct client *c)
{
	int one = 1;
	struct sockaddr_in from = { .sin_family = AF_INET };

	if (c->fleet->o->sources < 2)
		return;
	from.sin_addr.s_addr = htonl(0x7f000101u + (uint32_t)(c->number % c->fleet->o->sources));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		perror("bind");
}

void client_start(struct client *c)
{
	const struct opts *o = c->fleet->o;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(c->far ? o->far_port : o->port)) };
	int one = 1;

	inet_pton(AF_INET, o->host, &to.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		perror("socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bind_source(c->fd, c);
	c->state = CLIENT_CONNECTING;
	c->started_ns = now_ns();
	c->sm_in = c->sm_out = c->sm_acked = 0;
	c->sm_on = false;
	c->fleet->logging_in++;
	watch(c, EPOLL_CTL_ADD, true);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		conn_end(c, CLIENT_FAILED, strerror(errno));
}

static void keep(struct client *c, const char *text, size_t len)
{
	grow(&c->out, &c->out_cap, c->out_len + len);
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	if (!c->want_write)
		watch(c, EPOLL_CTL_MOD, true);
}

/* Bytes taken, 0 when the socket is full, -1 when the connection is gone. */
static ssize_t push(struct client *c, const char *text, size_t len)
{
	if (!c->ssl) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);

		return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
	}
	int n = SSL_write(c->ssl, text, (int)len);

	if (n > 0)
		return n;
	int e = SSL_get_error(c->ssl, n);

	ERR_clear_error();
	return e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ ? 0 : -1;
}

void conn_write(struct client *c, const char *text, size_t len)
{
	size_t done = 0;

	if (c->fd < 0)
		return;
	while (c->out_len == 0 && done < len) {
		ssize_t n = push(c, text + done, len - done);

		if (n < 0)
			return; /* the read side will report the end */
		if (n == 0)
			break;
		done += (size_t)n;
	}
	if (done < len)
		keep(c, text + done, len - done);
}

static void flush(struct client *c)
{
	while (c->out_len > 0) {
		ssize_t n = push(c, c->out, c->out_len);

		if (n <= 0)
			return;
		c->out_len -= (size_t)n;
		memmove(c->out, c->out + n, c->out_len);
	}
	if (c->want_write)
		watch(c, EPOLL_CTL_MOD, false);
}

static void handshake(struct client *c)
{
	int r = SSL_do_handshake(c->ssl);

	if (r == 1) {
		watch(c, EPOLL_CTL_MOD, false);
		login_transport_up(c, true);
		return;
	}
	int e = SSL_get_error(c->ssl, r);

	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		bool write = e == SSL_ERROR_WANT_WRITE;

		if (write != c->want_write)
			watch(c, EPOLL_CTL_MOD, write);
		return;
	}
	ERR_clear_error();
	conn_end(c, CLIENT_FAILED, "TLS handshake");
}

void conn_start_tls(struct client *c)
{
	c->state = CLIENT_TLS;
	c->ssl = SSL_new(c->fleet->tls);
	if (!c->ssl)
		abort();
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	SSL_set_tlsext_host_name(c->ssl, client_domain(c));
	handshake(c);
}

static void connected(struct client *c)
{
	int err = 0;
	socklen_t len = sizeof(err);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		conn_end(c, CLIENT_FAILED, strerror(err));
		return;
	}
	watch(c, EPOLL_CTL_MOD, false);
	if (c->fleet->o->tls_mode == TLS_DIRECT)
		conn_start_tls(c);
	else
		login_transport_up(c, false);
}

/* Splits what is in buf; returns how many bytes are used up. */
static size_t split(struct client *c, const char *buf, size_t len)
{
	size_t pos = 0;
	struct stanza st;
	bool secure = c->ssl != NULL;

	while (c->fd >= 0 && stanza_next(buf, len, &pos, &st) == 1) {
		login_stanza(c, &st);
		if (secure != (c->ssl != NULL))
			return len; /* TLS has begun: what was read before it is over */
	}
	return pos;
}

static void take(struct client *c, char *buf, size_t len)
{
	if (c->in_len > 0) {
		grow(&c->in, &c->in_cap, c->in_len + len);
		memcpy(c->in + c->in_len, buf, len);
		len += c->in_len;
		buf = c->in;
	}
	size_t used = split(c, buf, len);

	if (c->fd < 0)
		return;
	if (used < len) {
		grow(&c->in, &c->in_cap, len - used);
		memmove(c->in, buf + used, len - used);
	}
	c->in_len = len - used;
}

static void readable(struct client *c)
{
	struct fleet *f = c->fleet;

	do {
		ssize_t n;

		if (c->ssl) {
			n = SSL_read(c->ssl, f->scratch, FLEET_SCRATCH);
			if (n <= 0) {
				int e = SSL_get_error(c->ssl, (int)n);

				ERR_clear_error();
				if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
					return;
			}
		} else {
			n = recv(c->fd, f->scratch, FLEET_SCRATCH, 0);
			if (n < 0 && errno == EAGAIN)
				return;
		}
		if (n <= 0) {
			conn_end(c, c->state == CLIENT_CLOSING ? CLIENT_CLOSED : CLIENT_FAILED,
				 "the server closed the connection");
			return;
		}
		take(c, f->scratch, (size_t)n);
	} while (c->fd >= 0 && c->ssl && SSL_has_pending(c->ssl) && c->state != CLIENT_TLS);
}

void conn_event(struct client *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (c->state == CLIENT_CONNECTING) {
		connected(c);
		return;
	}
	if (c->state == CLIENT_TLS) {
		handshake(c);
		return;
	}
	if (events & EPOLLOUT)
		flush(c);
	if (c->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		readable(c);
}

void client_send(struct client *c, const char *text, size_t len)
{
	conn_write(c, text, len);
}

void client_stanza(struct client *c, const char *format, ...)
{
	static char text[STANZA_MAX];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		abort();
	c->sm_out++;
	conn_write(c, text, (size_t)n);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Listening sockets: one socket that all shards watch with EPOLLEXCLUSIVE; each accepts a few connections per event. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/conn_priv.h"

enum {
	ACCEPTS_PER_EVENT = 16, /* then other work of the shard has its turn */
	ACCEPT_PAUSE_MS = 100, /* out of descriptors even for refusing */
	ACCEPT_LOG_MS = 1000,
	ADDRESS_MAX = 280,
};

/* The listener in one shard. */
struct acceptor {
	struct watch watch;
	struct timer pause;
	struct listener *listener;
	struct shard *shard;
	accept_fn *on_accept;
	void *arg;
	int reserve_fd; /* given up for a moment to refuse a peer when descriptors have run out */
	uint64_t said_ms;
};

struct listener {
	int fd;
	int port;
	uint32_t per_address_max;
	struct counts *counts;
	struct acceptor *acceptors[SHARDS_MAX];
};

/* Splits "HOST:PORT", "[V6]:PORT", "*:PORT". Returns 0; -EINVAL. */
static int split(const char *address, char *host, size_t host_n, const char **out_port)
{
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	uint64_t port;

	if (!n || n >= host_n || str_u64(str_of(colon + 1), 65535, &port) || !colon[1])
		return -EINVAL;
	if (address[0] == '[') {
		if (n < 3 || address[n - 1] != ']')
			return -EINVAL;
		address++;
		n -= 2;
	} else if (memchr(address, ':', n)) {
		return -EINVAL; /* IPv6 without brackets */
	}
	memcpy(host, address, n);
	host[n] = 0;
	*out_port = colon + 1;
	return 0;
}

static int say(char *err, size_t err_n, const char *address, int rc)
{
	switch (rc) {
	case EADDRINUSE:
		snprintf(err, err_n, "cannot listen on %s: another program uses this port already",
			address);
		break;
	case EACCES:
		snprintf(err, err_n,
			"cannot listen on %s: ports under 1024 need a permission "
			"(CAP_NET_BIND_SERVICE)",
			address);
		break;
	case EADDRNOTAVAIL:
		snprintf(err, err_n, "cannot listen on %s: this machine has no such address",
			address);
		break;
	default: snprintf(err, err_n, "cannot listen on %s: %s", address, strerror(rc));
	}
	return -rc;
}

/* Binds and listens. Returns the descriptor; -errno. */
static int open_socket(const struct addrinfo *ai, bool both_families)
{
	int on = 1, off = 0, rc;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? &off : &on, sizeof(on));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at = { .any.sa_family = AF_UNSPEC };
	socklen_t n = sizeof(at);

	if (getsockname(fd, &at.any, &n) < 0)
		return 0;
	return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

static int open_address(const char *host, const char *port, int *out_fd)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	bool any = strcmp(host, "*") == 0;
	struct addrinfo *ai;
	int fd;

	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (getaddrinfo(any ? "::" : host, port, &hints, &ai))
		return -EINVAL;
	fd = open_socket(ai, any || strcmp(host, "::") == 0);
	freeaddrinfo(ai);
	if (any && fd == -EAFNOSUPPORT && getaddrinfo("0.0.0.0", port, &hints, &ai) == 0) {
		fd = open_socket(ai, false); /* a machine without IPv6 */
		freeaddrinfo(ai);
	}
	if (fd < 0)
		return fd;
	*out_fd = fd;
	return 0;
}

int listener_open(const char *address, struct listener **out, char *err, size_t err_n)
{
	char host[ADDRESS_MAX];
	const char *port;
	struct listener *l;
	int fd, rc = split(address, host, sizeof(host), &port);

	if (!rc)
		rc = open_address(host, port, &fd);
	if (rc == -EINVAL) {
		snprintf(err, err_n, "%s is not an ADDRESS:PORT, [IPV6]:PORT or *:PORT", address);
		return rc;
	}
	if (rc)
		return say(err, err_n, address, -rc);
	l = mem_zalloc(sizeof(*l));
	l->fd = fd;
	l->port = bound_port(fd);
	l->per_address_max = LISTEN_PER_ADDRESS_MAX;
	l->counts = counts_new();
	*out = l;
	return 0;
}

void listener_per_address(struct listener *l, uint32_t max)
{
	l->per_address_max = max;
}

int listener_port(const struct listener *l)
{
	return l->port;
}

/* Says at most once a second what would fill the log. */
static bool may_say(struct acceptor *a)
{
	uint64_t now_ms = a->shard->loop.now_ms;

	if (a->said_ms && now_ms - a->said_ms < ACCEPT_LOG_MS)
		return false;
	a->said_ms = now_ms;
	return true;
}

/* No descriptor is left: the peer is refused at once instead of waiting in the backlog and waking us for ever. */
static void refuse_one(struct acceptor *a, int err)
{
	struct loop *l = &a->shard->loop;
	int fd;

	if (may_say(a))
		log_warning("listener.full",
			"port=%d error=%d action=\"new connections are refused until some close\"",
			a->listener->port, err);
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	fd = accept4(a->watch.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != EAGAIN) {
		loop_unwatch(l, &a->watch);
		timer_set(l, &a->pause, ACCEPT_PAUSE_MS);
	}
}

static void welcome(struct acceptor *a, int fd, const struct sockaddr_storage *from)
{
	struct listener *l = a->listener;
	int cell = counts_enter(l->counts, from, l->per_address_max);
	struct conn *c;

	if (cell < 0) {
		metric_add(M_RATE_LIMITED, 1);
		if (may_say(a))
			log_warning("listener.address_full",
				"port=%d max=%u action=\"more of this address are refused\"",
				l->port, l->per_address_max);
		close(fd);
		return;
	}
	c = conn_new(a->shard, fd, NULL, NULL);
	c->counts = l->counts;
	c->cell = cell;
	a->on_accept(a->shard, c, a->arg);
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct acceptor *a = container_of(w, struct acceptor, watch);

	(void)events;
	a->shard->loop.doing = "listener";
	for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
		struct sockaddr_storage from = { 0 };
		socklen_t n = sizeof(from);
		int fd = accept4(w->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			welcome(a, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			refuse_one(a, errno);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static int watch_again(struct acceptor *a)
{
	return loop_watch(&a->shard->loop, &a->watch, EPOLLIN | EPOLLEXCLUSIVE);
}

static void on_pause_over(struct timer *t)
{
	struct acceptor *a = container_of(t, struct acceptor, pause);

	if (watch_again(a))
		timer_set(&a->shard->loop, t, ACCEPT_PAUSE_MS);
}

int listener_serve(struct listener *l, struct shard *s, accept_fn *on_accept, void *arg)
{
	struct acceptor *a;
	int rc;

	must(!l->acceptors[s->index]);
	a = mem_zalloc(sizeof(*a));
	a->watch = (struct watch){ .fd = l->fd, .on_ready = on_ready };
	a->pause.on_time = on_pause_over;
	a->listener = l;
	a->shard = s;
	a->on_accept = on_accept;
	a->arg = arg;
	a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	rc = watch_again(a);
	if (rc) {
		if (a->reserve_fd >= 0)
			close(a->reserve_fd);
		free(a);
		return rc;
	}
	l->acceptors[s->index] = a;
	return 0;
}

void listener_stop(struct listener *l, struct shard *s)
{
	struct acceptor *a = l ? l->acceptors[s->index] : NULL;

	if (!a)
		return;
	l->acceptors[s->index] = NULL;
	loop_unwatch(&s->loop, &a->watch);
	timer_cancel(&s->loop, &a->pause);
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	free(a);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	for (int i = 0; i < SHARDS_MAX; i++)
		must(!l->acceptors[i]); /* listener_stop comes first, in each shard */
	close(l->fd);
	counts_unref(l->counts);
	free(l);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A connection's life: input, timers, closing, moving to another shard. Output is in conn_out.c, TLS in conn_tls.c. */
#include "net/conn_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

static void peer_name(struct conn *c)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);
	const struct sockaddr_in6 *v6 = (const void *)&ss;
	const struct sockaddr_in *v4 = (const void *)&ss;
	const char *text = NULL;

	if (getpeername(c->watch.fd, (struct sockaddr *)&ss, &n) < 0)
		ss.ss_family = AF_UNSPEC;
	if (ss.ss_family == AF_INET)
		text = inet_ntop(AF_INET, &v4->sin_addr, c->peer, sizeof(c->peer));
	else if (ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		text = inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], c->peer, sizeof(c->peer));
	else if (ss.ss_family == AF_INET6)
		text = inet_ntop(AF_INET6, &v6->sin6_addr, c->peer, sizeof(c->peer));
	if (!text)
		strcpy(c->peer, "local");
	c->peer_n = (uint8_t)strlen(c->peer);
}

/* The descriptor and everything in the loop go now; the memory when nobody of ours is inside. */
static void kill_conn(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_unwatch(&c->shard->loop, &c->watch);
	timer_cancel(&c->shard->loop, &c->timer);
	loop_undefer(&c->work);
	conn_tls_free(c);
	close(c->watch.fd);
	conn_out_free(c);
	free(c->move);
	c->move = NULL;
	if (c->counts)
		counts_leave(c->counts, c->cell);
	metric_add(M_CONNECTIONS_OPEN, -1);
	if (!c->calls)
		free(c);
}

void conn_enter(struct conn *c)
{
	c->calls++;
}

bool conn_leave(struct conn *c)
{
	bool alive = !c->dead;

	if (--c->calls == 0 && !alive)
		free(c);
	return alive;
}

void conn_fail(struct conn *c, int err)
{
	bool tell = c->state == CONN_OPEN && c->h && c->h->on_close;

	if (c->dead)
		return;
	conn_enter(c);
	kill_conn(c);
	if (tell)
		c->h->on_close(c, err);
	conn_leave(c);
}

static bool wants_input(const struct conn *c)
{
	if (c->dead || c->move || c->tls_wanted)
		return false;
	if (c->state == CONN_OPEN)
		return c->handshaking || !c->pauses;
	return c->state == CONN_LINGERING;
}

void conn_rewatch(struct conn *c)
{
	uint32_t events = 0;
	int rc;

	if (c->dead)
		return;
	if (wants_input(c) && !c->in_blocked)
		events |= EPOLLIN;
	if ((c->out_blocked || c->in_blocked) && !c->move)
		events |= EPOLLOUT;
	if (c->hears_hangup && c->pauses && c->state == CONN_OPEN && !c->move)
		events |= EPOLLRDHUP;
	rc = loop_watch(&c->shard->loop, &c->watch, events);
	if (rc && !c->err)
		c->err = rc;
	if (rc)
		conn_work(c);
}

void conn_work(struct conn *c)
{
	if (!c->dead)
		loop_defer(&c->shard->loop, &c->work);
}

void conn_arm(struct conn *c)
{
	struct loop *l = &c->shard->loop;

	if (c->dead || c->move)
		timer_cancel(l, &c->timer);
	else if (c->state != CONN_OPEN)
		timer_set(l, &c->timer, CONN_CLOSE_MS);
	else if (c->handshaking || c->tls_wanted)
		timer_set(l, &c->timer, CONN_HANDSHAKE_MS);
	else if (c->idle_ms)
		timer_set(l, &c->timer, c->idle_ms);
	else
		timer_cancel(l, &c->timer);
}

static void on_time(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	uint64_t idle_ms = c->shard->loop.now_ms - c->last_in_ms;

	c->shard->loop.doing = "conn.timer";
	if (c->state != CONN_OPEN) {
		kill_conn(c);
	} else if (c->handshaking || c->tls_wanted) {
		metric_add(M_TLS_HANDSHAKES_FAILED, 1);
		conn_fail(c, -ETIMEDOUT);
	} else if (c->pauses && !conn_has_out(c)) {
		conn_arm(c); /* it is we who do not read */
	} else if (idle_ms >= c->idle_ms) {
		conn_fail(c, -ETIMEDOUT);
	} else {
		timer_set(&c->shard->loop, t, c->idle_ms - idle_ms);
	}
}

bool conn_deliver(struct conn *c, struct str bytes)
{
	must(c->h && c->h->on_data);
	c->last_in_ms = c->shard->loop.now_ms;
	conn_enter(c);
	c->h->on_data(c, bytes);
	return conn_leave(c) && wants_input(c) && !c->handshaking && c->state == CONN_OPEN;
}

/* Fills the shard's buffer. Returns the number of bytes; *out_rc says how it ended: 1 more may be there, 0 end of input,
 * -EAGAIN, -errno. */
static size_t fill(struct conn *c, char *p, size_t cap, ssize_t *out_rc)
{
	size_t n = 0;
	ssize_t rc;

	if (!c->ssl) {
		rc = recv(c->watch.fd, p, cap, 0);
		*out_rc = rc > 0 ? ((size_t)rc == cap ? 1 : -EAGAIN) : rc < 0 ? -errno : 0;
		return rc > 0 ? (size_t)rc : 0;
	}
	do {
		rc = conn_tls_read(c, p + n, cap - n);
		n += rc > 0 ? (size_t)rc : 0;
	} while (rc > 0 && n < cap && conn_tls_has_more(c));
	*out_rc = rc <= 0 ? rc : n == cap ? 1 : -EAGAIN;
	return n;
}

static void on_end(struct conn *c, int err)
{
	c->eof = true;
	if (!err && !c->out_blocked && conn_has_out(c))
		conn_flush(c); /* a peer that shut only its own side still gets its answer */
	conn_fail(c, err);
}

static void read_input(struct conn *c)
{
	ssize_t rc = 1;

	c->read_more = false;
	c->shard->loop.doing = "conn.read";
	for (int i = 0; i < CONN_READS_PER_EVENT && rc > 0; i++) {
		size_t n = fill(c, c->shard->io_buf, SHARD_IO_BYTES, &rc);

		if (n && !conn_deliver(c, (struct str){ c->shard->io_buf, n })) {
			/* How the input ended is seen again when it is read on. */
			if (!c->dead)
				conn_rewatch(c);
			return;
		}
	}
	if (rc == 0 || (rc < 0 && rc != -EAGAIN)) {
		on_end(c, (int)rc);
		return;
	}
	if (rc > 0) {
		c->read_more = true;
		conn_work(c);
	}
	conn_rewatch(c);
}

static void throw_input_away(struct conn *c)
{
	ssize_t n = recv(c->watch.fd, c->shard->io_buf, SHARD_IO_BYTES, 0);

	if (n > 0)
		c->lingered += (uint32_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN) || c->lingered > CONN_LINGER_BYTES)
		kill_conn(c);
}

static void handshake(struct conn *c)
{
	int rc;

	c->shard->loop.doing = "conn.handshake";
	rc = conn_tls_handshake(c);
	if (rc == -EAGAIN) {
		conn_rewatch(c);
		return;
	}
	if (rc) {
		metric_add(M_TLS_HANDSHAKES_FAILED, 1);
		conn_fail(c, rc);
		return;
	}
	c->handshaking = false;
	c->last_in_ms = c->shard->loop.now_ms;
	conn_arm(c);
	if (c->h && c->h->on_tls)
		c->h->on_tls(c);
	if (c->dead)
		return;
	if (conn_tls_has_more(c))
		c->read_more = true;
	if (c->read_more || conn_has_out(c))
		conn_work(c);
	conn_rewatch(c);
}

/* The last output has left: tell the peer, then wait for its side so that a reset does not eat what we sent. */
static void shut(struct conn *c)
{
	if (c->handshaking || c->tls_wanted || c->eof) {
		kill_conn(c);
		return;
	}
	if (c->ssl)
		conn_tls_shutdown(c);
	if (shutdown(c->watch.fd, SHUT_WR) < 0) {
		kill_conn(c);
		return;
	}
	c->state = CONN_LINGERING;
	if (c->shard->ending)
		timer_set(&c->shard->loop, &c->timer, CONN_LAST_LINGER_MS);
	conn_rewatch(c);
}

/* Sends and does what waited for the output to leave. */
static void write_output(struct conn *c)
{
	int rc;

	c->shard->loop.doing = "conn.flush";
	rc = conn_flush(c);
	if (rc) {
		conn_fail(c, rc);
		return;
	}
	if (c->over_high && conn_out_pending(c) < CONN_OUT_HIGH && !c->files) {
		c->over_high = false;
		if (c->h && c->h->on_drain)
			c->h->on_drain(c);
	}
	if (c->dead)
		return;
	if (c->tls_wanted && !conn_has_out(c)) {
		c->tls_wanted = false;
		c->handshaking = true;
		rc = conn_tls_begin(c);
		if (rc) {
			conn_fail(c, rc);
			return;
		}
	}
	if (c->state == CONN_DRAINING && (!conn_has_out(c) || c->handshaking)) {
		shut(c);
		return;
	}
	conn_rewatch(c);
}

static void on_ready(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, watch);
	bool in = events & (EPOLLIN | EPOLLHUP | EPOLLERR);

	conn_enter(c);
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		in |= c->in_blocked;
		c->in_blocked = false;
		if (c->out_blocked) {
			c->out_blocked = false;
			write_output(c);
		}
	}
	if (!c->dead && c->hears_hangup && c->pauses && c->state == CONN_OPEN && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		conn_fail(c, -ECONNRESET);
	if (!c->dead && in && wants_input(c)) {
		if (c->state == CONN_LINGERING)
			throw_input_away(c);
		else if (c->handshaking)
			handshake(c);
		else
			read_input(c);
	}
	conn_leave(c);
}

static void depart(struct conn *c);

static void on_work(struct deferred *d)
{
	struct conn *c = container_of(d, struct conn, work);

	if (c->move) {
		depart(c); /* c is the other shard's now */
		return;
	}
	conn_enter(c);
	if (c->err)
		conn_fail(c, c->err);
	if (!c->dead && c->read_more && wants_input(c) && c->state == CONN_OPEN && !c->handshaking)
		read_input(c);
	if (!c->dead && !c->out_blocked)
		write_output(c);
	conn_leave(c);
}

/* ---- moving ---- */

static void on_arrive(struct shard *s, struct mail *mail)
{
	struct conn_move_mail *m = container_of(mail, struct conn_move_mail, mail);
	struct conn *c = m->conn;

	c->shard = s;
	c->move = NULL;
	conn_enter(c);
	m->on_moved(s, c, c->owner);
	free(m);
	if (!c->dead && c->state == CONN_OPEN) {
		c->last_in_ms = s->loop.now_ms;
		conn_arm(c);
	}
	if (!c->dead) {
		/* The socket's bytes are found by the loop, those inside OpenSSL only by us. */
		c->read_more = c->ssl && conn_tls_has_more(c);
		if (c->read_more || c->err || conn_has_out(c) || c->state != CONN_OPEN)
			conn_work(c);
		conn_rewatch(c);
	}
	conn_leave(c);
}

/* The other shard has stopped: nobody is left to be told. */
static void on_lost(struct mail *mail)
{
	struct conn_move_mail *m = container_of(mail, struct conn_move_mail, mail);

	m->conn->move = NULL;
	kill_conn(m->conn);
	free(m);
}

static const struct mail_kind mail_move = {
	.name = "conn.move",
	.handle = on_arrive,
	.discard = on_lost,
	.must_arrive = true,
};

void conn_move(struct conn *c, struct shard *to,
	void (*on_moved)(struct shard *s, struct conn *c, void *owner))
{
	must(!c->move && !c->handshaking && !c->tls_wanted);
	if (c->dead || c->state != CONN_OPEN)
		return;
	c->move = mem_zalloc(sizeof(*c->move));
	*c->move = (struct conn_move_mail){
		.mail.kind = &mail_move, .conn = c, .to = to, .on_moved = on_moved
	};
	loop_unwatch(&c->shard->loop, &c->watch);
	conn_arm(c);
	/* It leaves at the end of the turn: frames of its owner that are still open may touch it until then. */
	conn_work(c);
}

static void depart(struct conn *c)
{
	must(!c->calls && !c->watch.events && !timer_is_set(&c->timer));
	must(shard_post(c->move->to, &c->move->mail) == 0); /* c may be gone by now */
}

/* ---- public ---- */

struct conn *conn_new(struct shard *s, int fd, const struct conn_handler *h, void *owner)
{
	struct conn *c = mem_zalloc(sizeof(*c));
	int flags = fcntl(fd, F_GETFL), one = 1;

	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		sizeof(one)); /* fails on a local socket: no Nagle there */
	c->watch = (struct watch){ .fd = fd, .on_ready = on_ready };
	c->timer.on_time = on_time;
	c->work.run = on_work;
	c->shard = s;
	c->h = h;
	c->owner = owner;
	c->id = (uint64_t)(s->index + 1) << 40 | ++s->conn_seq;
	c->last_in_ms = s->loop.now_ms;
	peer_name(c);
	metric_add(M_CONNECTIONS_TOTAL, 1);
	metric_add(M_CONNECTIONS_OPEN, 1);
	conn_rewatch(c);
	return c;
}

void conn_handler_set(struct conn *c, const struct conn_handler *h, void *owner)
{
	c->h = h;
	c->owner = owner;
}

void *conn_owner(const struct conn *c)
{
	return c->owner;
}

struct shard *conn_shard(const struct conn *c)
{
	return c->shard;
}

struct str conn_peer(const struct conn *c)
{
	return (struct str){ c->peer, c->peer_n };
}

void conn_pause(struct conn *c)
{
	must(c->pauses < UINT8_MAX);
	if (c->pauses++ == 0 && !c->calls)
		conn_rewatch(c);
}

void conn_hear_hangup(struct conn *c, bool on)
{
	c->hears_hangup = on;
	if (!c->calls)
		conn_rewatch(c);
}

void conn_resume(struct conn *c)
{
	must(c->pauses > 0);
	if (--c->pauses > 0 || c->dead || c->move)
		return;
	c->last_in_ms = c->shard->loop.now_ms;
	if (c->ssl && !c->handshaking && conn_tls_has_more(c)) {
		c->read_more = true;
		conn_work(c);
	}
	conn_rewatch(c);
}

void conn_close(struct conn *c)
{
	if (c->dead || c->state != CONN_OPEN)
		return;
	free(c->move);
	c->move = NULL;
	c->state = CONN_DRAINING;
	c->h = NULL;
	c->owner = NULL;
	conn_arm(c);
	conn_work(c);
	conn_rewatch(c);
}

void conn_abort(struct conn *c)
{
	c->h = NULL;
	kill_conn(c);
}

void conn_idle(struct conn *c, uint64_t in_ms)
{
	must(in_ms <= UINT32_MAX);
	c->idle_ms = (uint32_t)in_ms;
	c->last_in_ms = c->shard->loop.now_ms;
	if (c->state == CONN_OPEN)
		conn_arm(c);
}

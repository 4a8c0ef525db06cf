/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A connection that moves between shards loses and reorders nothing: what lies in the socket, inside OpenSSL, in the
 * output and in the owner all comes along. */
#include "net_fixture.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* Echoes; moves to the other shard after each `hop` bytes of input. */
struct hopper {
	struct conn *conn;
	struct net *net;
	size_t got, hop, next_hop, hops;
	bool pause; /* also pauses before the move */
	int closed;
};

static void hop(struct hopper *h);

static void on_moved(struct shard *s, struct conn *c, void *owner)
{
	struct hopper *h = owner;

	assert_ptr_equal(conn_shard(c), s);
	h->hops++;
	conn_write(c, STR("|"));
	if (h->pause)
		conn_resume(c);
}

static void hop(struct hopper *h)
{
	struct shard *here = conn_shard(h->conn);

	h->next_hop += h->hop;
	if (h->pause)
		conn_pause(h->conn);
	conn_move(h->conn, h->net->all.v[(here->index + 1) % h->net->all.n], on_moved);
}

static void on_data(struct conn *c, struct str bytes)
{
	struct hopper *h = conn_owner(c);

	h->got += bytes.n;
	conn_write(c, bytes);
	if (h->got >= h->next_hop)
		hop(h);
}

static void on_close(struct conn *c, int err)
{
	struct hopper *h = conn_owner(c);

	h->closed++;
	h->conn = NULL;
}

static const struct conn_handler handler = { .on_data = on_data, .on_close = on_close };

static struct str pattern(struct buf *b, size_t n)
{
	for (size_t i = 0; b->n < n; i++)
		buf_printf(b, "%zu,", i);
	b->n = n;
	return buf_view(b);
}

/* The echo with the marks of the moves taken out. */
static struct str without_marks(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] != '|')
			b->p[n++] = b->p[i];
	b->n = n;
	return buf_view(b);
}

static void pipelined(size_t total, size_t every, size_t chunk, bool pause)
{
	struct net net;
	struct peer p;
	struct hopper h = { .hop = every, .next_hop = every, .net = &net, .pause = pause };
	struct buf text = { 0 };
	struct str want = pattern(&text, total);
	int fd;

	net_init(&net, 3);
	peer_init(&p, &fd);
	h.conn = conn_new(net.all.v[0], fd, &handler, &h);
	assert_int_equal(conn_start_tls(h.conn, net.tls), 0);
	peer_tls(&net, &p, "xmpp-client", NULL);
	assert_true(peer_handshake(&net, &p));
	for (size_t at = 0; at < total; at += chunk)
		peer_send(&net, &p,
			(struct str){ want.p + at, total - at < chunk ? total - at : chunk });
	for (int i = 0; i < 20000 && h.got < total; i++) {
		net_turn(&net);
		peer_read(&p);
	}
	peer_want(&net, &p, total + h.hops);
	for (int i = 0; i < 4; i++)
		net_turn(&net);
	assert_int_equal(h.closed, 0);
	assert_true(h.hops >= 1);
	peer_want(&net, &p, total + h.hops);
	assert_int_equal(p.in.n, total + h.hops);
	assert_true(str_eq(without_marks(&p.in), want));
	conn_abort(h.conn);
	peer_fini(&p);
	buf_free(&text);
	net_fini(&net);
}

TEST(small_records_pipelined_around_moves_arrive_in_order)
{
	pipelined(200000, 1, 37, false);
}

TEST(bytes_that_openssl_read_ahead_come_along)
{
	/* 100 kB are in the socket at once: the server's first read leaves a part of them inside OpenSSL. */
	pipelined(100000, 1, 100000, false);
	pipelined(1000000, 50000, 200000, false);
}

TEST(a_paused_connection_moves_with_its_unread_bytes)
{
	pipelined(300000, 1, 100000, true);
}

TEST(unsent_output_comes_along_and_leaves_first)
{
	struct net net;
	struct peer p;
	struct hopper h = { .net = &net };
	struct buf text = { 0 };
	struct str want = pattern(&text, 2000000);
	int fd;

	net_init(&net, 2);
	peer_init(&p, &fd);
	h.conn = conn_new(net.all.v[0], fd, &handler, &h);
	assert_int_equal(conn_start_tls(h.conn, net.tls), 0);
	peer_tls(&net, &p, NULL, NULL);
	assert_true(peer_handshake(&net, &p));
	conn_write(h.conn, want);
	net_turn(&net); /* the socket is full, a record half written */
	assert_true(conn_out_pending(h.conn) > 0);
	hop(&h);
	conn_write(h.conn, STR("after"));
	net_turn(&net);
	net_turn(&net);
	assert_int_equal(h.hops, 1);
	assert_ptr_equal(conn_shard(h.conn), net.all.v[1]);
	peer_want(&net, &p, want.n + 6);
	assert_int_equal(p.in.n, want.n + 6);
	assert_memory_equal(p.in.p, want.p, want.n);
	assert_memory_equal(p.in.p + want.n, "after|", 6);
	conn_abort(h.conn);
	peer_fini(&p);
	buf_free(&text);
	net_fini(&net);
}

TEST(moves_to_its_own_shard_by_mail)
{
	struct net net;
	struct peer p;
	struct hopper h = { .net = &net, .hop = 1, .next_hop = 1 };
	int fd;

	net_init(&net, 1);
	peer_init(&p, &fd);
	h.conn = conn_new(net.all.v[0], fd, &handler, &h);
	peer_send(&net, &p, STR("a"));
	peer_want(&net, &p, 2);
	assert_str(buf_view(&p.in), "a|");
	conn_abort(h.conn);
	peer_fini(&p);
	net_fini(&net);
}

TEST(a_close_after_the_move_was_asked_for_wins)
{
	struct net net;
	struct peer p;
	struct hopper h = { .net = &net };
	int fd;

	net_init(&net, 2);
	peer_init(&p, &fd);
	h.conn = conn_new(net.all.v[0], fd, &handler, &h);
	hop(&h);
	conn_close(h.conn);
	peer_want_end(&net, &p);
	assert_int_equal(p.end, 1);
	assert_int_equal(h.hops, 0);
	net_turn(&net);
	peer_fini(&p);
	net_skip(&net, 5000);
	net_fini(&net);
}

/* ---- the same with running threads, for the thread sanitizer ---- */

enum { CLIENTS = 8, CLIENT_BYTES = 200000 };

struct client {
	struct net *net;
	struct hopper hopper;
	int fd, server_fd;
	bool ok;
};

struct start_mail {
	struct mail mail;
	struct client *client;
};

static void on_start(struct shard *s, struct mail *m)
{
	struct client *c = container_of(m, struct start_mail, mail)->client;

	free(m);
	c->hopper.conn = conn_new(s, c->server_fd, &handler, &c->hopper);
	must(conn_start_tls(c->hopper.conn, c->net->tls) == 0);
}

static const struct mail_kind mail_start = { .name = "test.start", .handle = on_start };

static bool read_echo(SSL *ssl, struct str want)
{
	char chunk[4096];
	size_t at = 0;

	while (at < want.n) {
		int n = SSL_read(ssl, chunk, sizeof(chunk));

		if (n <= 0)
			return false;
		for (int i = 0; i < n; i++)
			if (chunk[i] != '|' && (at >= want.n || chunk[i] != want.p[at++]))
				return false;
	}
	return true;
}

static void *client_run(void *arg)
{
	struct client *c = arg;
	struct buf text = { 0 };
	struct str want = pattern(&text, CLIENT_BYTES);
	SSL *ssl = SSL_new(c->net->client_tls);
	size_t sent = 0;

	SSL_set_fd(ssl, c->fd);
	c->ok = SSL_connect(ssl) == 1;
	while (c->ok && sent < want.n) {
		size_t n = want.n - sent < 5000 ? want.n - sent : 5000;
		int rc = 0;

		for (size_t at = 0; at < n; at += (size_t)rc) {
			rc = SSL_write(ssl, want.p + sent + at, (int)(n - at < 777 ? n - at : 777));
			must(rc > 0);
		}
		c->ok = read_echo(ssl, (struct str){ want.p + sent, n });
		sent += n;
	}
	SSL_free(ssl);
	buf_free(&text);
	return NULL;
}

TEST(threads_pass_connections_around_under_load)
{
	struct net net;
	static struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];

	net_init(&net, 3);
	assert_int_equal(shards_start(&net.all, NULL), 0);
	for (int i = 0; i < CLIENTS; i++) {
		struct start_mail *m = mem_zalloc(sizeof(*m));
		int fds[2];

		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		clients[i] = (struct client){ .net = &net, .fd = fds[0], .server_fd = fds[1] };
		clients[i].hopper = (struct hopper){ .net = &net, .hop = 3000, .next_hop = 3000 };
		m->mail.kind = &mail_start;
		m->client = &clients[i];
		assert_int_equal(shard_post(net.all.v[i % 3], &m->mail), 0);
		must(pthread_create(&threads[i], NULL, client_run, &clients[i]) == 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	shards_stop(&net.all);
	for (int i = 0; i < CLIENTS; i++) {
		assert_true(clients[i].ok);
		assert_true(clients[i].hopper.hops > 10);
		if (clients[i].hopper.conn)
			conn_abort(clients[i].hopper.conn);
		close(clients[i].fd);
	}
	net_fini(&net);
}

UNIT_MAIN(cmocka_unit_test(small_records_pipelined_around_moves_arrive_in_order),
	cmocka_unit_test(bytes_that_openssl_read_ahead_come_along),
	cmocka_unit_test(a_paused_connection_moves_with_its_unread_bytes),
	cmocka_unit_test(unsent_output_comes_along_and_leaves_first),
	cmocka_unit_test(moves_to_its_own_shard_by_mail),
	cmocka_unit_test(a_close_after_the_move_was_asked_for_wins),
	cmocka_unit_test(threads_pass_connections_around_under_load));

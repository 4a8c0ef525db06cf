/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Listening sockets: addresses, messages for people, several shards, running out of descriptors. */
#include "net_fixture.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"

enum { CLIENTS = 40 };

static struct conn *accepted[CLIENTS];
static int accepted_n, per_shard[2];

static void on_data(struct conn *c, struct str bytes)
{
	conn_write(c, bytes);
}

static void on_close(struct conn *c, int err)
{
	for (int i = 0; i < accepted_n; i++)
		if (accepted[i] == c)
			accepted[i] = NULL;
}

static const struct conn_handler handler = { .on_data = on_data, .on_close = on_close };

static void on_accept(struct shard *s, struct conn *c, void *arg)
{
	must(accepted_n < CLIENTS);
	per_shard[s->index]++;
	accepted[accepted_n++] = c;
	conn_handler_set(c, &handler, arg);
}

static int dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void drop_all(void)
{
	for (int i = 0; i < accepted_n; i++)
		if (accepted[i])
			conn_abort(accepted[i]);
	accepted_n = 0;
	per_shard[0] = per_shard[1] = 0;
}

TEST(accepts_and_names_the_peer)
{
	struct net net;
	struct listener *l;
	char err[200], got[6] = "";
	int fd;

	net_init(&net, 2);
	assert_int_equal(listener_open("127.0.0.1:0", &l, err, sizeof(err)), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(listener_serve(l, net.all.v[i], on_accept, NULL), 0);
	fd = dial(listener_port(l));
	assert_true(fd >= 0);
	net_turn(&net);
	assert_int_equal(accepted_n, 1);
	assert_str(conn_peer(accepted[0]), "127.0.0.1");
	assert_int_equal(write(fd, "hello", 5), 5);
	for (int i = 0; i < 3; i++)
		net_turn(&net);
	assert_int_equal(read(fd, got, 5), 5);
	assert_string_equal(got, "hello");
	close(fd);
	drop_all();
	for (int i = 0; i < 2; i++)
		listener_stop(l, net.all.v[i]);
	listener_free(l);
	net_fini(&net);
}

TEST(says_in_words_why_it_cannot_listen)
{
	struct listener *l, *second;
	char err[200], address[32];

	assert_int_equal(listener_open("127.0.0.1:0", &l, err, sizeof(err)), 0);
	snprintf(address, sizeof(address), "127.0.0.1:%d", listener_port(l));
	assert_int_equal(listener_open(address, &second, err, sizeof(err)), -EADDRINUSE);
	assert_non_null(strstr(err, "another program uses this port"));
	assert_non_null(strstr(err, address));
	listener_free(l);
	/* The port is free again at once. */
	assert_int_equal(listener_open(address, &l, err, sizeof(err)), 0);
	listener_free(l);
}

TEST(refuses_addresses_that_are_none)
{
	static const char *const bad[] = { "", "5222", ":5222", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "::1:5222", "[::1:5222", "[]:5222",
		"chat.example.org:5222" };
	struct listener *l;
	char err[400];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(listener_open(bad[i], &l, err, sizeof(err)), -EINVAL);
}

TEST(refuses_peers_when_descriptors_run_out_and_recovers)
{
	struct net net;
	struct listener *l;
	struct rlimit old, low;
	char err[200], byte;
	int fds[6], probe;

	net_init(&net, 1);
	assert_int_equal(listener_open("127.0.0.1:0", &l, err, sizeof(err)), 0);
	assert_int_equal(listener_serve(l, net.all.v[0], on_accept, NULL), 0);
	for (int i = 0; i < 6; i++)
		assert_true((fds[i] = dial(listener_port(l))) >= 0);
	probe = dup(fds[0]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)probe; /* no number under it is free */
	close(probe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 10; i++)
		net_turn(&net);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(accepted_n, 0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(read(fds[i], &byte, 1), 0); /* refused, not left to wait */
		close(fds[i]);
	}
	fds[0] = dial(listener_port(l));
	net_turn(&net);
	assert_int_equal(accepted_n, 1);
	close(fds[0]);
	drop_all();
	listener_stop(l, net.all.v[0]);
	listener_free(l);
	net_fini(&net);
}

TEST(one_address_may_have_only_so_many)
{
	struct net net;
	struct listener *l;
	char err[200], byte;
	int fds[4];

	net_init(&net, 1);
	assert_int_equal(listener_open("127.0.0.1:0", &l, err, sizeof(err)), 0);
	listener_per_address(l, 3);
	assert_int_equal(listener_serve(l, net.all.v[0], on_accept, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_true((fds[i] = dial(listener_port(l))) >= 0);
	net_turn(&net);
	assert_int_equal(accepted_n, 3);
	assert_int_equal(read(fds[3], &byte, 1), 0);
	close(fds[0]); /* one goes, another may come */
	close(fds[3]);
	net_turn(&net);
	fds[3] = dial(listener_port(l));
	net_turn(&net);
	assert_int_equal(accepted_n, 4);
	listener_stop(l, net.all.v[0]);
	listener_free(l); /* connections outlive it */
	drop_all();
	for (int i = 1; i < 4; i++)
		close(fds[i]);
	net_fini(&net);
}

UNIT_MAIN(cmocka_unit_test(accepts_and_names_the_peer),
	cmocka_unit_test(says_in_words_why_it_cannot_listen),
	cmocka_unit_test(one_address_may_have_only_so_many),
	cmocka_unit_test(refuses_addresses_that_are_none),
	cmocka_unit_test(refuses_peers_when_descriptors_run_out_and_recovers));

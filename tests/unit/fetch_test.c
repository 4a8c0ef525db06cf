/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The HTTP client's guard: which addresses and URLs may be asked. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "net/fetch.h"
#include "net_fixture.h"

static bool is_public(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return fetch_is_public((struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return fetch_is_public((struct sockaddr *)&v6);
}

TEST(only_addresses_of_the_public_internet_are_reached)
{
	static const char *const good[] = { "1.1.1.1", "9.255.255.255", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
		"192.169.0.1", "223.255.255.255", "2606:4700::1111", "2a00::1", "64:ff9b::101:101", "::ffff:1.1.1.1" };
	static const char *const bad[] = { "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1",
		"fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1" };
	struct sockaddr local = { .sa_family = AF_UNIX };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!is_public(good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (is_public(bad[i]))
			fail_msg("%s may be reached", bad[i]);
	assert_false(fetch_is_public(&local));
}

TEST(only_https_without_tricks_may_be_asked_for)
{
	static const struct {
		const char *url, *origin;
		int err;
	} rows[] = {
		{ "https://push.example.net/x?y=1", "https://push.example.net", 0 },
		{ "https://Push.Example.NET:443/", "https://push.example.net", 0 },
		{ "https://push.example.net:8443/x", "https://push.example.net:8443", 0 },
		{ "https://[2606:4700::1111]/x", "https://[2606:4700::1111]", 0 },
		{ "http://push.example.net/", NULL, -EINVAL },
		{ "ftp://push.example.net/", NULL, -EINVAL },
		{ "file:///etc/passwd", NULL, -EINVAL },
		{ "gopher://push.example.net/", NULL, -EINVAL },
		{ "push.example.net/", NULL, -EINVAL },
		{ "", NULL, -EINVAL },
		{ "https://", NULL, -EINVAL },
		{ "https://user@push.example.net/", NULL, -EINVAL },
		{ "https://user:word@push.example.net/", NULL, -EINVAL },
		{ "https://push.example.net/a b", NULL, -EINVAL },
		{ "https://push.example.net/\r\nX: y", NULL, -EINVAL },
		{ "https://127.0.0.1/x", NULL, -EPERM },
		{ "https://2130706433/x", NULL, -EPERM },
		{ "https://0x7f.1/x", NULL, -EPERM },
		{ "https://[::1]/x", NULL, -EPERM },
		{ "https://[::ffff:10.0.0.1]/x", NULL, -EPERM },
		{ "https://169.254.169.254/latest/meta-data", NULL, -EPERM },
	};
	struct fetcher *guarded = fetcher_new(&(struct fetch_config){ .ca_file = "" }), *open = fetcher_new(&(struct fetch_config){ .allow_private = true });
	struct arena a;
	struct str origin;

	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int err = fetch_origin(guarded, &a, str_of(rows[i].url), &origin);

		if (err != rows[i].err || (!err && !str_is(origin, rows[i].origin)))
			fail_msg("%s: %d", rows[i].url, err);
	}
	assert_int_equal(fetch_origin(open, &a, STR("https://127.0.0.1:8443/x"), &origin), 0);
	assert_str(origin, "https://127.0.0.1:8443");
	fetcher_free(guarded);
	fetcher_free(open);
	arena_fini(&a);
}

static struct fetch_answer last;
static int told, dropped;

static void on_done(struct shard *s, void *arg, const struct fetch_answer *a)
{
	assert_ptr_equal(arg, &last);
	last = *a;
	told++;
}

static void on_drop(void *arg)
{
	dropped++;
}

static int ask(struct fetcher *f, struct shard *home, const char *url)
{
	struct fetch_request r = { .method = "POST", .url = str_of(url), .body = STR("x"), .done = on_done, .drop = on_drop, .arg = &last };

	return fetch(f, home, &r);
}

/* "localhost" passes the look at the URL; what it resolves to does not pass. Nothing listens on the port of the other. */
TEST(the_guard_sees_what_a_name_resolves_to)
{
	struct net n;
	struct fetcher *f = fetcher_new(&(struct fetch_config){ .ca_file = "" }), *open = fetcher_new(&(struct fetch_config){ .allow_private = true });

	net_init(&n, 1);
	told = 0;
	assert_int_equal(ask(f, n.all.v[0], "https://localhost:1/x"), 0);
	while (!told)
		loop_turn(&n.all.v[0]->loop, 1000);
	assert_int_equal(last.error, -EPERM);
	assert_int_equal(last.status, 0);
	assert_int_equal(ask(open, n.all.v[0], "https://localhost:1/x"), 0);
	while (told < 2)
		loop_turn(&n.all.v[0]->loop, 1000);
	assert_int_equal(last.error, -EHOSTUNREACH);
	fetcher_free(f);
	fetcher_free(open);
	net_fini(&n);
}

/* A port of this machine that takes connections and never says a word. */
static int silent_port(int *out_fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	*out_fd = fd;
	return ntohs(at.sin_port);
}

TEST(who_waits_at_the_end_is_let_go)
{
	struct net n;
	char url[64];
	int fd, port = silent_port(&fd);
	struct fetcher *f = fetcher_new(&(struct fetch_config){ .allow_private = true });

	net_init(&n, 1);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/x", port);
	dropped = told = 0;
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask(f, n.all.v[0], url), 0);
	shards_stop(&n.all);
	fetcher_free(f);
	assert_int_equal(dropped + told, 20);
	close(fd);
	net_fini(&n);
}

UNIT_MAIN(cmocka_unit_test(only_addresses_of_the_public_internet_are_reached), cmocka_unit_test(only_https_without_tricks_may_be_asked_for),
	cmocka_unit_test(the_guard_sees_what_a_name_resolves_to), cmocka_unit_test(who_waits_at_the_end_is_let_go));

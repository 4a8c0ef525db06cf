/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Connections: echo, limits, backpressure, timeouts, files, STARTTLS, ALPN, channel binding. */
#include "net_fixture.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* A server that keeps what it got. */
struct sink {
	struct conn *conn;
	struct buf in;
	int calls, drained, tls_up;
	int closed; /* 1: on_close was called */
	int err;
	bool echo;
	struct tls_ctx *upgrade; /* STARTTLS on the line "starttls" */
	size_t pause_at; /* pauses once when that many bytes have come */
};

static void on_data(struct conn *c, struct str bytes)
{
	struct sink *s = conn_owner(c);

	s->calls++;
	buf_str(&s->in, bytes);
	if (s->echo)
		conn_write(c, bytes);
	if (s->upgrade && str_starts(buf_view(&s->in), STR("starttls\n"))) {
		if (s->in.n >
			9) { /* something was pipelined behind it: never taken over into TLS */
			s->conn = NULL;
			conn_close(c);
			return;
		}
		s->in.n = 0;
		conn_write(c, STR("proceed\n"));
		assert_int_equal(conn_start_tls(c, s->upgrade), 0);
	}
	if (s->pause_at && s->in.n >= s->pause_at) {
		s->pause_at = 0;
		conn_pause(c);
	}
}

static void on_tls(struct conn *c)
{
	((struct sink *)conn_owner(c))->tls_up++;
}

static void on_drain(struct conn *c)
{
	((struct sink *)conn_owner(c))->drained++;
}

static void on_close(struct conn *c, int err)
{
	struct sink *s = conn_owner(c);

	s->closed++;
	s->err = err;
	s->conn = NULL;
}

static const struct conn_handler handler = { on_data, on_tls, on_drain, on_close };

struct world {
	struct net net;
	struct peer peer;
	struct sink sink;
};

static void begin(struct world *w, bool tls)
{
	int fd;

	*w = (struct world){ 0 };
	net_init(&w->net, 1);
	peer_init(&w->peer, &fd);
	w->sink.conn = conn_new(w->net.all.v[0], fd, &handler, &w->sink);
	if (tls) {
		assert_int_equal(conn_start_tls(w->sink.conn, w->net.tls), 0);
		peer_tls(&w->net, &w->peer, "xmpp-client", "example.org");
		assert_true(peer_handshake(&w->net, &w->peer));
		net_turn(&w->net);
		assert_int_equal(w->sink.tls_up, 1);
	}
}

static void end(struct world *w)
{
	if (w->sink.conn)
		conn_abort(w->sink.conn);
	peer_fini(&w->peer);
	buf_free(&w->sink.in);
	net_fini(&w->net);
}

static void echo(bool tls)
{
	struct world w;

	begin(&w, tls);
	w.sink.echo = true;
	peer_send(&w.net, &w.peer, STR("hello"));
	peer_want(&w.net, &w.peer, 5);
	assert_str(buf_view(&w.peer.in), "hello");
	assert_int_equal(conn_out_pending(w.sink.conn), 0);
	end(&w);
}

TEST(echoes_over_a_plain_connection)
{
	echo(false);
}

TEST(echoes_over_tls)
{
	echo(true);
}

static struct str pattern(struct buf *b, size_t n)
{
	for (size_t i = 0; b->n < n; i++)
		buf_printf(b, "%zu,", i);
	b->n = n;
	return buf_view(b);
}

static void bulk(bool tls)
{
	struct world w;
	struct buf big = { 0 };
	struct str want = pattern(&big, 3000000);

	begin(&w, tls);
	w.sink.echo = true;
	peer_send(&w.net, &w.peer, want);
	peer_want(&w.net, &w.peer, want.n);
	assert_int_equal(w.peer.in.n, want.n);
	assert_true(str_eq(buf_view(&w.peer.in), want));
	assert_true(str_eq(buf_view(&w.sink.in), want));
	buf_free(&big);
	end(&w);
}

TEST(carries_megabytes_both_ways_in_order)
{
	bulk(false);
}

TEST(carries_megabytes_over_tls_in_order)
{
	bulk(true);
}

TEST(reads_many_records_in_few_calls)
{
	struct world w;

	begin(&w, true);
	for (int i = 0; i < 50; i++)
		assert_int_equal(SSL_write(w.peer.ssl, "0123456789", 10), 10);
	net_turn(&w.net);
	assert_int_equal(w.sink.in.n, 500);
	assert_int_equal(w.sink.calls, 1);
	end(&w);
}

TEST(writes_once_per_turn)
{
	struct world w;
	char raw[4096];

	begin(&w, true);
	peer_read(&w.peer);
	for (int i = 0; i < 50; i++)
		conn_write(w.sink.conn, STR("0123456789"));
	net_turn(&w.net);
	/* One TLS 1.3 record: 5 bytes of head, the text, 1 of type, 16 of tag. */
	assert_int_equal(read(w.peer.fd, raw, sizeof(raw)), 5 + 500 + 1 + 16);
	end(&w);
}

TEST(bytes_inside_tls_wait_while_paused_and_come_after_resume)
{
	struct world w;
	struct buf big = { 0 };
	struct str want = pattern(&big, 300000);

	begin(&w, true);
	w.sink.pause_at = 1;
	/* More than one read of the server takes, so that some of it stays inside OpenSSL and some in the socket. */
	peer_send(&w.net, &w.peer, (struct str){ want.p, 100000 });
	for (int i = 0; i < 20; i++)
		net_turn(&w.net);
	assert_true(w.sink.in.n < 100000);
	assert_int_equal(w.sink.calls, 1);
	conn_resume(w.sink.conn);
	for (int i = 0; i < 20; i++)
		net_turn(&w.net);
	assert_int_equal(w.sink.in.n, 100000);
	assert_true(str_eq(buf_view(&w.sink.in), (struct str){ want.p, 100000 }));
	buf_free(&big);
	end(&w);
}

static void never_reads(bool tls)
{
	struct world w;
	static char chunk[65536];

	begin(&w, tls);
	for (int i = 0; i < 200 && w.sink.conn; i++) {
		conn_write(w.sink.conn, (struct str){ chunk, sizeof(chunk) });
		if (w.sink.conn)
			assert_true(conn_out_pending(w.sink.conn) <= CONN_OUT_MAX);
		net_turn(&w.net);
	}
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, -ENOBUFS);
	end(&w);
}

TEST(drops_a_peer_that_never_reads)
{
	never_reads(false);
	never_reads(true);
}

TEST(tells_when_a_slow_peer_has_caught_up)
{
	struct world w;
	static char chunk[1 << 20];

	begin(&w, true);
	conn_write(w.sink.conn, (struct str){ chunk, sizeof(chunk) });
	net_turn(&w.net);
	assert_int_equal(w.sink.drained, 0);
	peer_want(&w.net, &w.peer, sizeof(chunk));
	assert_int_equal(w.peer.in.n, sizeof(chunk));
	assert_int_equal(w.sink.drained, 1);
	end(&w);
}

TEST(gives_up_on_a_slow_handshake)
{
	struct world w;

	begin(&w, false);
	assert_int_equal(conn_start_tls(w.sink.conn, w.net.tls), 0);
	peer_send(&w.net, &w.peer, STR("\x16\x03\x01"));
	net_skip(&w.net, CONN_HANDSHAKE_MS - 1000);
	assert_int_equal(w.sink.closed, 0);
	net_skip(&w.net, 1000);
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, -ETIMEDOUT);
	end(&w);
}

TEST(idle_time_counts_from_the_last_input)
{
	struct world w;

	begin(&w, false);
	conn_idle(w.sink.conn, 10000);
	net_skip(&w.net, 9000);
	peer_send(&w.net, &w.peer, STR("x"));
	net_turn(&w.net);
	net_skip(&w.net, 9000);
	assert_int_equal(w.sink.closed, 0);
	net_skip(&w.net, 1000);
	assert_int_equal(w.sink.err, -ETIMEDOUT);
	end(&w);
}

TEST(garbage_in_place_of_tls_is_an_error)
{
	struct world w;

	begin(&w, false);
	assert_int_equal(conn_start_tls(w.sink.conn, w.net.tls), 0);
	peer_send(&w.net, &w.peer, STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	net_turn(&w.net);
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, -EPROTO);
	end(&w);
}

TEST(upgrades_after_the_plain_answer_has_left)
{
	struct world w;

	begin(&w, false);
	w.sink.upgrade = w.net.tls;
	peer_send(&w.net, &w.peer, STR("starttls\n"));
	peer_want(&w.net, &w.peer, 8);
	assert_str(buf_view(&w.peer.in), "proceed\n");
	w.peer.in.n = 0;
	peer_tls(&w.net, &w.peer, NULL, NULL);
	assert_true(peer_handshake(&w.net, &w.peer));
	w.sink.echo = true;
	peer_send(&w.net, &w.peer, STR("inside"));
	peer_want(&w.net, &w.peer, 6);
	assert_str(buf_view(&w.peer.in), "inside");
	assert_true(conn_is_tls(w.sink.conn));
	assert_int_equal(conn_tls_alpn(w.sink.conn), ALPN_NONE);
	assert_null(conn_tls_sni(w.sink.conn));
	end(&w);
}

TEST(bytes_pipelined_behind_starttls_are_seen_before_it)
{
	struct world w;

	begin(&w, false);
	w.sink.upgrade = w.net.tls;
	peer_send(&w.net, &w.peer, STR("starttls\n<iq injected='true'/>"));
	peer_want_end(&w.net, &w.peer);
	assert_int_equal(w.peer.end, 1);
	assert_int_equal(w.peer.in.n, 0);
	end(&w);
}

TEST(chooses_the_protocol_by_alpn_and_keeps_the_server_name)
{
	static const struct {
		const char *name;
		enum conn_alpn want;
	} rows[] = { { "xmpp-client", ALPN_XMPP_CLIENT }, { "http/1.1", ALPN_HTTP11 },
		{ NULL, ALPN_NONE } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;

		begin(&w, false);
		assert_int_equal(conn_start_tls(w.sink.conn, w.net.tls), 0);
		peer_tls(&w.net, &w.peer, rows[i].name, "chat.example.org");
		assert_true(peer_handshake(&w.net, &w.peer));
		assert_int_equal(conn_tls_alpn(w.sink.conn), rows[i].want);
		assert_string_equal(conn_tls_sni(w.sink.conn), "chat.example.org");
		assert_string_equal(conn_tls_version(w.sink.conn), "TLSv1.3");
		end(&w);
	}
}

TEST(refuses_unknown_protocols)
{
	struct world w;

	begin(&w, false);
	assert_int_equal(conn_start_tls(w.sink.conn, w.net.tls), 0);
	peer_tls(&w.net, &w.peer, "h2", NULL);
	assert_false(peer_handshake(&w.net, &w.peer));
	assert_int_equal(w.sink.closed, 1);
	end(&w);
}

static void binding(int version)
{
	struct world w;
	uint8_t mine[32], theirs[32], hash[32];
	unsigned int n;
	struct str end_point, unique;
	char finished[64];
	static const char label[] = "EXPORTER-Channel-Binding";
	X509 *cert;

	begin(&w, false);
	SSL_CTX_set_max_proto_version(w.net.client_tls, version);
	assert_int_equal(conn_tls_exporter(w.sink.conn, mine), -ENOTSUP);
	assert_int_equal(conn_start_tls(w.sink.conn, w.net.tls), 0);
	peer_tls(&w.net, &w.peer, NULL, NULL);
	assert_true(peer_handshake(&w.net, &w.peer));
	assert_int_equal(conn_tls_exporter(w.sink.conn, mine), 0);
	assert_int_equal(SSL_export_keying_material(
				 w.peer.ssl, theirs, 32, label, sizeof(label) - 1, NULL, 0, 1),
		1);
	assert_memory_equal(mine, theirs, 32);
	assert_int_equal(
		conn_tls_end_point(w.sink.conn, shard_arena(w.net.all.v[0]), &end_point), 0);
	cert = SSL_get1_peer_certificate(w.peer.ssl);
	assert_int_equal(X509_digest(cert, EVP_sha256(), hash, &n), 1);
	X509_free(cert);
	assert_int_equal(end_point.n, 32);
	assert_memory_equal(end_point.p, hash, 32);
	assert_int_equal(conn_tls_unique(w.sink.conn, shard_arena(w.net.all.v[0]), &unique), 0);
	assert_int_equal(unique.n, SSL_get_finished(w.peer.ssl, finished, sizeof(finished)));
	assert_memory_equal(unique.p, finished, unique.n);
	end(&w);
}

TEST(both_ends_derive_the_same_channel_binding)
{
	binding(TLS1_3_VERSION);
	binding(TLS1_2_VERSION);
}

TEST(answers_a_key_update_and_goes_on)
{
	struct world w;

	begin(&w, true);
	w.sink.echo = true;
	assert_int_equal(SSL_key_update(w.peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	peer_send(&w.net, &w.peer, STR("new keys"));
	peer_want(&w.net, &w.peer, 8);
	assert_str(buf_view(&w.peer.in), "new keys");
	assert_int_equal(w.sink.closed, 0);
	end(&w);
}

TEST(sends_files_between_the_bytes_before_and_after)
{
	struct world w;
	struct buf want = { 0 }, file = { 0 };
	char path[160];
	int fd;

	begin(&w, true);
	snprintf(path, sizeof(path), "%s/file", unit_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	pattern(&file, 700000);
	assert_int_equal(write(fd, file.p, file.n), file.n);
	conn_write(w.sink.conn, STR("before "));
	conn_write_file(w.sink.conn, dup(fd), 100, 600000);
	conn_write(w.sink.conn, STR(" between "));
	conn_write_file(w.sink.conn, fd, 0, 10);
	conn_write(w.sink.conn, STR(" after"));
	conn_close(w.sink.conn);
	w.sink.conn = NULL;
	buf_puts(&want, "before ");
	buf_put(&want, file.p + 100, 600000);
	buf_puts(&want, " between ");
	buf_put(&want, file.p, 10);
	buf_puts(&want, " after");
	peer_want_end(&w.net, &w.peer);
	assert_int_equal(w.peer.end, 1);
	assert_true(str_eq(buf_view(&w.peer.in), buf_view(&want)));
	buf_free(&want);
	buf_free(&file);
	end(&w);
}

TEST(a_file_that_shrank_ends_the_connection)
{
	struct world w;
	char path[160];
	int fd;

	begin(&w, true);
	snprintf(path, sizeof(path), "%s/file", unit_tmpdir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, "short", 5), 5);
	conn_write_file(w.sink.conn, fd, 0, 100);
	net_turn(&w.net);
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, -EIO);
	end(&w);
}

TEST(close_flushes_first_and_waits_for_the_peer)
{
	struct world w;

	begin(&w, true);
	conn_write(w.sink.conn, STR("bye"));
	conn_close(w.sink.conn);
	w.sink.conn = NULL;
	peer_want_end(&w.net, &w.peer);
	assert_int_equal(w.peer.end, 1);
	assert_str(buf_view(&w.peer.in), "bye");
	assert_int_equal(w.sink.closed, 0);
	net_skip(&w.net, 5000);
	end(&w);
}

TEST(a_peer_that_goes_is_reported_once)
{
	struct world w;

	begin(&w, true);
	SSL_shutdown(w.peer.ssl);
	net_turn(&w.net);
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, 0);
	end(&w);
	begin(&w, true);
	shutdown(w.peer.fd, SHUT_RDWR);
	net_turn(&w.net);
	assert_int_equal(w.sink.closed, 1);
	assert_int_equal(w.sink.err, -ECONNRESET);
	end(&w);
}

TEST(says_in_words_what_is_wrong_with_a_certificate)
{
	struct net net, other;
	struct tls_ctx *ctx;
	char err[300], junk[200];
	FILE *f;

	net_init(&net, 1);
	net_init(&other, 1);
	assert_int_equal(
		tls_ctx_new("/nowhere/cert.pem", net.key, &ctx, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nowhere/cert.pem: No such file"));
	assert_true(tls_ctx_new(net.cert, other.key, &ctx, err, sizeof(err)) < 0);
	assert_non_null(strstr(err, "key"));
	snprintf(junk, sizeof(junk), "%s/junk", unit_tmpdir());
	assert_non_null(f = fopen(junk, "w"));
	fputs("not a certificate\n", f);
	fclose(f);
	assert_int_equal(tls_ctx_new(junk, net.key, &ctx, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "cannot use the certificate"));
	net_fini(&net);
	net_fini(&other);
}

UNIT_MAIN(cmocka_unit_test(echoes_over_a_plain_connection), cmocka_unit_test(echoes_over_tls),
	cmocka_unit_test(carries_megabytes_both_ways_in_order),
	cmocka_unit_test(carries_megabytes_over_tls_in_order),
	cmocka_unit_test(reads_many_records_in_few_calls), cmocka_unit_test(writes_once_per_turn),
	cmocka_unit_test(bytes_inside_tls_wait_while_paused_and_come_after_resume),
	cmocka_unit_test(drops_a_peer_that_never_reads),
	cmocka_unit_test(tells_when_a_slow_peer_has_caught_up),
	cmocka_unit_test(gives_up_on_a_slow_handshake),
	cmocka_unit_test(idle_time_counts_from_the_last_input),
	cmocka_unit_test(garbage_in_place_of_tls_is_an_error),
	cmocka_unit_test(upgrades_after_the_plain_answer_has_left),
	cmocka_unit_test(bytes_pipelined_behind_starttls_are_seen_before_it),
	cmocka_unit_test(chooses_the_protocol_by_alpn_and_keeps_the_server_name),
	cmocka_unit_test(refuses_unknown_protocols),
	cmocka_unit_test(both_ends_derive_the_same_channel_binding),
	cmocka_unit_test(says_in_words_what_is_wrong_with_a_certificate),
	cmocka_unit_test(answers_a_key_update_and_goes_on),
	cmocka_unit_test(sends_files_between_the_bytes_before_and_after),
	cmocka_unit_test(a_file_that_shrank_ends_the_connection),
	cmocka_unit_test(close_flushes_first_and_waits_for_the_peer),
	cmocka_unit_test(a_peer_that_goes_is_reported_once));

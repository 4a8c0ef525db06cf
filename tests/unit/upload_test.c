/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Uploads and downloads (XEP-0363), whole, resumed, abused. */
#include "http_fixture.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/slot.h"

#define HOST "Host: example.org\r\n"

struct place {
	char path[300], token[600], type[64];
	char id[FILES_ID_BYTES + 1];
};

static struct place slot(struct web *w, const char *name, const char *type, uint64_t size)
{
	struct slot s = {
		.name = str_of(name), .owner = STR("alice"), .type = str_of(type), .size = size
	};
	struct place p;
	struct str token;

	slot_make(&w->accounts, shard_arena(w->shard), &s, &token);
	snprintf(p.id, sizeof(p.id), "%.*s", STR_ARG(s.id));
	snprintf(p.path, sizeof(p.path), "/upload/%s/%s", p.id, name);
	snprintf(p.token, sizeof(p.token), "%.*s", STR_ARG(token));
	snprintf(p.type, sizeof(p.type), "%s", type);
	return p;
}

static char *pattern(size_t n)
{
	char *p = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i * 7 % 26);
	p[n] = 0;
	return p;
}

static struct reply put(struct web *w, const struct place *at, const char *bytes)
{
	return web_ask(w,
		"PUT %s HTTP/1.1\r\n" HOST
		"Authorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
		at->path, at->token, at->type, strlen(bytes), bytes);
}

TEST(what_was_put_can_be_got)
{
	struct web w;
	struct place at;
	struct reply r;
	char *bytes = pattern(300000), tag[100];

	web_init(&w);
	at = slot(&w, "photo.png", "image/png", 300000);
	assert_int_equal(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path).status, 404);
	assert_int_equal(put(&w, &at, bytes).status, 201);
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body.n, 300000);
	assert_memory_equal(r.body.p, bytes, 300000);
	assert_field(&r, "content-type", "image/png");
	assert_field(&r, "content-disposition", "inline; filename*=UTF-8''photo.png");
	assert_field(&r, "x-content-type-options", "nosniff");
	assert_field(&r, "access-control-allow-origin", "*");
	assert_true(
		str_starts(reply_field(&r, "content-security-policy"), STR("default-src 'none'")));
	snprintf(tag, sizeof(tag), "%.*s", STR_ARG(reply_field(&r, "etag")));
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n\r\n", at.path, tag);
	assert_int_equal(r.status, 304);
	r = web_ask(&w, "HEAD %s HTTP/1.1\r\n" HOST "\r\n", at.path);
	assert_int_equal(r.status, 200);
	assert_field(&r, "content-length", "300000");
	free(bytes);
	web_fini(&w);
}

TEST(ranges_are_served)
{
	struct web w;
	struct place at;
	struct reply r;
	char *bytes = pattern(100000);

	web_init(&w);
	at = slot(&w, "film.mp4", "video/mp4", 100000);
	assert_int_equal(put(&w, &at, bytes).status, 201);
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "Range: bytes=99990-\r\n\r\n", at.path);
	assert_int_equal(r.status, 206);
	assert_field(&r, "content-range", "bytes 99990-99999/100000");
	assert_int_equal(r.body.n, 10);
	assert_memory_equal(r.body.p, bytes + 99990, 10);
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "Range: bytes=100000-\r\n\r\n", at.path);
	assert_int_equal(r.status, 416);
	assert_field(&r, "content-range", "bytes */100000");
	r = web_ask(&w,
		"GET %s HTTP/1.1\r\n" HOST "Range: bytes=0-9\r\nIf-Range: \"other\"\r\n\r\n",
		at.path);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body.n, 100000);
	free(bytes);
	web_fini(&w);
}

TEST(active_contents_are_never_shown_by_the_browser)
{
	static const char *const rows[][2] = { { "x.html", "text/html" },
		{ "x.svg", "image/svg+xml" }, { "x.js", "text/javascript" },
		{ "x.xml", "application/xml" }, { "x", "" }, { "x.html", "" },
		{ "x.png", "text/html; charset=x" } };
	struct web w;

	web_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct place at = slot(&w, rows[i][0], rows[i][1], 8);
		struct reply r;

		assert_int_equal(put(&w, &at, "<script>").status, 201);
		r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path);
		assert_int_equal(r.status, 200);
		assert_field(&r, "content-type", "application/octet-stream");
		assert_true(str_starts(reply_field(&r, "content-disposition"), STR("attachment;")));
	}
	web_fini(&w);
}

TEST(an_interrupted_upload_goes_on_where_it_stopped)
{
	struct web w;
	struct place at;
	struct peer p;
	struct reply r;
	char *bytes = pattern(200000);

	web_init(&w);
	at = slot(&w, "long.bin", "", 200000);
	web_connect(&w, &p);
	web_send(&w, &p,
		"PUT %s?token=%s HTTP/1.1\r\n" HOST
		"Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n",
		at.path, at.token);
	assert_int_equal(web_reply(&w, &p, true).status, 100);
	peer_send(&w.net, &p, (struct str){ bytes, 150000 });
	/* The line goes dead when some of it has reached the disk. */
	do {
		r = web_ask(&w, "HEAD %s?token=%s HTTP/1.1\r\n" HOST "\r\n", at.path, at.token);
		assert_int_equal(r.status, 200);
	} while (!str_is(reply_field(&r, "upload-offset"), "150000"));
	/* While the first one is alive, nobody else may write. */
	r = web_ask(&w,
		"PATCH %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nUpload-Offset: 150000\r\n"
		"Content-Type: application/partial-upload\r\nContent-Length: 0\r\n\r\n",
		at.path, at.token);
	assert_int_equal(r.status, 409);
	peer_fini(&p);
	for (int i = 0; i < 10; i++)
		web_turn(&w);
	assert_int_equal(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path).status, 404);
	r = web_ask(&w,
		"PATCH %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nUpload-Offset: 1000\r\n"
		"Content-Type: application/partial-upload\r\nContent-Length: 3\r\n\r\nabc",
		at.path, at.token);
	assert_int_equal(r.status, 409);
	assert_field(&r, "upload-offset", "150000");
	r = web_ask(&w,
		"PATCH %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nUpload-Offset: 150000\r\n"
		"Content-Type: application/partial-upload\r\nContent-Length: 20000\r\n\r\n%.20000s",
		at.path, at.token, bytes + 150000);
	assert_int_equal(r.status, 204);
	assert_field(&r, "upload-offset", "170000");
	r = web_ask(&w,
		"PATCH %s HTTP/1.1\r\n" HOST "Authorization: Bearer %s\r\nUpload-Offset: 170000\r\n"
		"Content-Type: application/partial-upload\r\nContent-Length: 30000\r\n\r\n%s",
		at.path, at.token, bytes + 170000);
	assert_int_equal(r.status, 201);
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path);
	assert_int_equal(r.body.n, 200000);
	assert_memory_equal(r.body.p, bytes, 200000);
	r = web_ask(&w, "HEAD %s?token=%s HTTP/1.1\r\n" HOST "\r\n", at.path, at.token);
	assert_field(&r, "upload-offset", "200000");
	free(bytes);
	web_fini(&w);
}

TEST(equal_files_lie_on_the_disk_once)
{
	struct web w;
	struct place a, b;
	char path[300];
	struct stat st;

	web_init(&w);
	a = slot(&w, "a.txt", "text/plain", 3);
	b = slot(&w, "b.txt", "text/plain", 3);
	assert_int_equal(put(&w, &a, "abc").status, 201);
	assert_int_equal(put(&w, &b, "abc").status, 201);
	/* FIPS 180-2 appendix B.1: the hash of "abc". */
	snprintf(path, sizeof(path),
		"%s/files/blob/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		w.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3);
	snprintf(path, sizeof(path), "%s/files/part/%s", w.dir, b.id);
	assert_int_equal(stat(path, &st), -1);
	assert_str(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", b.path).body, "abc");
	web_fini(&w);
}

TEST(only_the_slot_opens_its_own_place)
{
	struct web w;
	struct place a, b;

	web_init(&w);
	a = slot(&w, "a.txt", "text/plain", 3);
	b = slot(&w, "b.txt", "text/plain", 3);
	assert_int_equal(
		web_ask(&w, "PUT %s HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", a.path)
			.status,
		403);
	snprintf(b.path, sizeof(b.path), "%s", a.path);
	assert_int_equal(put(&w, &b, "abc").status, 403);
	a.token[5] ^= 1;
	assert_int_equal(put(&w, &a, "abc").status, 403);
	a.token[5] ^= 1;
	assert_int_equal(put(&w, &a, "abcd").status, 413);
	assert_int_equal(put(&w, &a, "ab").status, 400);
	assert_int_equal(web_ask(&w,
				 "PUT %s HTTP/1.1\r\n" HOST
				 "Authorization: Bearer %s\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "3\r\nabc\r\n0\r\n\r\n",
				 a.path, a.token)
				 .status,
		411);
	assert_int_equal(put(&w, &a, "abc").status, 201);
	assert_int_equal(put(&w, &a, "xyz").status, 409);
	assert_str(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", a.path).body, "abc");
	a.path[strlen(a.path) - 1] = 'x';
	assert_int_equal(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", a.path).status, 404);
	web_fini(&w);
}

TEST(paths_cannot_leave_the_place_of_files)
{
	static const char *const paths[] = { "/upload/../../../etc/passwd",
		"/upload/..%2f..%2fetc/passwd", "/upload/x/y", "/upload/",
		"/upload/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"/upload/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
		"/upload/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/a/b",
		"/upload/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa./a",
		"/upload/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/..%2fx" };
	struct web w;

	web_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		int status = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", paths[i]).status;

		assert_true(status == 404 || status == 400);
	}
	web_fini(&w);
}

TEST(the_quota_counts_all_files_of_an_account)
{
	struct web w;
	struct place a, b;

	web_init(&w);
	w.cfg.upload_quota_bytes = 10;
	http_configure(w.shard, &w.cfg);
	a = slot(&w, "a", "", 6);
	b = slot(&w, "b", "", 6);
	assert_int_equal(put(&w, &a, "123456").status, 201);
	assert_int_equal(put(&w, &b, "abcdef").status, 413);
	a = slot(&w, "c", "", 4);
	assert_int_equal(put(&w, &a, "1234").status, 201);
	w.cfg.upload_max_bytes = 5;
	w.cfg.upload_quota_bytes = 1000;
	http_configure(w.shard, &w.cfg);
	assert_int_equal(put(&w, &b, "abcdef").status, 413);
	web_fini(&w);
}

TEST(an_empty_file_is_a_file)
{
	struct web w;
	struct place at;
	struct reply r;

	web_init(&w);
	at = slot(&w, "%E9%B8%BF%E9%9B%81.txt", "text/plain", 0);
	/* The slot's name is what the path decodes to. */
	struct slot s = {
		.name = STR("鸿雁.txt"), .owner = STR("alice"), .type = STR("text/plain"), .size = 0
	};
	struct str token;

	slot_make(&w.accounts, shard_arena(w.shard), &s, &token);
	snprintf(at.path, sizeof(at.path), "/upload/%.*s/%%E9%%B8%%BF%%E9%%9B%%81.txt",
		STR_ARG(s.id));
	snprintf(at.token, sizeof(at.token), "%.*s", STR_ARG(token));
	assert_int_equal(put(&w, &at, "").status, 201);
	r = web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body.n, 0);
	assert_field(&r, "content-length", "0");
	assert_field(
		&r, "content-disposition", "attachment; filename*=UTF-8''%E9%B8%BF%E9%9B%81.txt");
	web_fini(&w);
}

TEST(a_long_download_waits_for_a_slow_reader_and_gives_up_on_a_dead_one)
{
	struct web w;
	struct place at;
	struct peer p;
	char *bytes = pattern(5000000);

	web_init(&w);
	at = slot(&w, "big.bin", "", 5000000);
	assert_int_equal(put(&w, &at, bytes).status, 201);
	web_connect(&w, &p);
	web_send(&w, &p, "GET %s HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n",
		at.path);
	for (int i = 0; i < 20; i++)
		web_turn(&w);
	for (int i = 0; i < 10; i++) { /* slow, but it moves */
		static char some[400000]; /* all that the socket holds */

		net_skip(&w.net, HTTP_TRANSFER_IDLE_MS / 2);
		assert_true(read(p.fd, some, sizeof(some)) > 0);
		net_turn(&w.net);
	}
	net_skip(&w.net, HTTP_TRANSFER_IDLE_MS);
	net_skip(&w.net, HTTP_TRANSFER_IDLE_MS);
	peer_want_end(&w.net, &p);
	assert_int_equal(p.end, 1);
	assert_true(p.in.n < 4500000);
	peer_fini(&p);
	web_connect(&w, &p);
	web_send(&w, &p, "GET %s HTTP/1.1\r\n" HOST "\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n",
		at.path);
	assert_int_equal(web_reply(&w, &p, false).body.n, 5000000);
	assert_str(web_reply(&w, &p, false).body, "ok\n");
	free(bytes);
	peer_fini(&p);
	web_fini(&w);
}

static void on_deleted(struct shard *s, void *arg, int status)
{
	*(int *)arg = 1;
}

static bool lies_there(struct web *w, const char *name)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "%s/files/blob/%s", w->dir, name);
	return stat(path, &st) == 0;
}

static void make_old(struct web *w, const char *name)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	char path[300];

	snprintf(path, sizeof(path), "%s/files/blob/%s", w->dir, name);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

TEST(files_of_a_deleted_account_go_but_shared_contents_stay)
{
	/* Hashes of "abc" (FIPS 180-2 B.1) and of "hello". */
	static const char abc[] =
		"ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char hello[] =
		"2c/f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	struct web w;
	struct place mine, shared, own;
	struct slot theirs = { .name = STR("x"), .owner = STR("bob"), .size = 3 };
	struct str token;
	struct store_batch *b = store_batch_new();
	int gone = 0;

	web_init(&w);
	mine = slot(&w, "a.txt", "text/plain", 3);
	own = slot(&w, "b.txt", "text/plain", 5);
	assert_int_equal(put(&w, &mine, "abc").status, 201);
	assert_int_equal(put(&w, &own, "hello").status, 201);
	slot_make(&w.accounts, shard_arena(w.shard), &theirs, &token);
	snprintf(shared.path, sizeof(shared.path), "/upload/%.*s/x", STR_ARG(theirs.id));
	snprintf(shared.token, sizeof(shared.token), "%.*s", STR_ARG(token));
	assert_int_equal(put(&w, &shared, "abc").status, 201);
	assert_true(lies_there(&w, abc) && lies_there(&w, hello));
	make_old(&w, abc);
	make_old(&w, hello);
	/* What the deletion of an account does with its items. */
	store_del_all(b, STR("alice@example.org"), STR_NONE, STR_NONE);
	assert_int_equal(store_commit(w.cfg.store, w.shard, b, on_deleted, &gone), 0);
	while (!gone)
		web_turn(&w);
	net_skip(&w.net, 24 * 60 * 60 * 1000);
	for (int i = 0; i < 1000 && lies_there(&w, hello); i++)
		web_turn(&w);
	assert_false(lies_there(&w, hello));
	assert_true(lies_there(&w, abc));
	assert_int_equal(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", mine.path).status, 404);
	assert_int_equal(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", own.path).status, 404);
	assert_str(web_ask(&w, "GET %s HTTP/1.1\r\n" HOST "\r\n", shared.path).body, "abc");
	web_fini(&w);
}

TEST(the_server_may_stop_while_files_are_on_their_way)
{
	struct web w;
	struct place at;
	struct peer p[3];
	char *bytes = pattern(1000000);

	web_init(&w);
	at = slot(&w, "a.bin", "", 1000000);
	assert_int_equal(put(&w, &at, bytes).status, 201);
	for (int i = 0; i < 3; i++) {
		struct place more = slot(&w, "b.bin", "", 1000000);

		web_connect(&w, &p[i]);
		if (i == 0)
			web_send(&w, &p[i], "GET %s HTTP/1.1\r\n" HOST "\r\n", at.path);
		else
			web_send(&w, &p[i], "PUT %s?token=%s HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n%.5000s",
				more.path, more.token, bytes);
		for (int turns = 0; turns < i; turns++)
			net_turn(&w.net);
	}
	web_fini(&w);
	for (int i = 0; i < 3; i++)
		peer_fini(&p[i]);
	free(bytes);
}

UNIT_MAIN(cmocka_unit_test(what_was_put_can_be_got), cmocka_unit_test(ranges_are_served),
	cmocka_unit_test(active_contents_are_never_shown_by_the_browser),
	cmocka_unit_test(an_interrupted_upload_goes_on_where_it_stopped),
	cmocka_unit_test(equal_files_lie_on_the_disk_once),
	cmocka_unit_test(only_the_slot_opens_its_own_place),
	cmocka_unit_test(paths_cannot_leave_the_place_of_files),
	cmocka_unit_test(files_of_a_deleted_account_go_but_shared_contents_stay),
	cmocka_unit_test(the_server_may_stop_while_files_are_on_their_way),
	cmocka_unit_test(the_quota_counts_all_files_of_an_account),
	cmocka_unit_test(an_empty_file_is_a_file),
	cmocka_unit_test(a_long_download_waits_for_a_slow_reader_and_gives_up_on_a_dead_one));

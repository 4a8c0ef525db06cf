/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Commands of the operator: over the socket of a running server, and on a data directory at rest. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "account_kit.h"
#include "admin/local.h"
#include "admin/socket.h"
#include "admin/uploads.h"

struct desk {
	struct kit kit;
	struct admin admin;
	struct admin_socket *socket;
	char kicked[64], created[64];
	const char *dir;
};

static void on_kick(void *arg, struct str node)
{
	snprintf(((struct desk *)arg)->kicked, 64, "%.*s", STR_ARG(node));
}

static void on_created(void *arg, struct str node)
{
	snprintf(((struct desk *)arg)->created, 64, "%.*s", STR_ARG(node));
}

static void desk_open(struct desk *d)
{
	char err[300];

	*d = (struct desk){ .dir = unit_tmpdir() };
	assert_int_equal(kit_open(&d->kit, "sqlite", d->dir, "example.org", true), 0);
	d->admin = (struct admin){ .accounts = &d->kit.accounts, .data_dir = d->dir, .web_url = "https://example.org:8443", .serving = true,
		.hooks = { d, on_kick, on_created } };
	assert_int_equal(admin_socket_open(d->dir, &d->socket, err, sizeof(err)), 0);
	admin_socket_serve(d->socket, &d->admin, d->kit.shards.v[0]);
}

static void desk_close(struct desk *d)
{
	shards_stop(&d->kit.shards);
	admin_socket_free(d->socket);
	kit_close(&d->kit);
}

static json_t *ask(struct desk *d, json_t *request)
{
	json_t *answer = NULL;

	assert_non_null(request);
	assert_int_equal(admin_socket_ask(d->dir, request, &answer), 0);
	json_decref(request);
	return answer;
}

static void assert_answer(json_t *answer, const char *key, const char *want)
{
	assert_string_equal(json_string_value(json_object_get(answer, key)), want);
	json_decref(answer);
}

static json_t *user(const char *verb, const char *name)
{
	return json_pack("{s:s, s:s, s:s}", "command", verb, "name", name, "password", "pw");
}

TEST(adds_lists_and_deletes_over_the_socket)
{
	struct desk d;
	json_t *list;

	desk_open(&d);
	assert_answer(ask(&d, user("user add", "Bob")), "jid", "bob@example.org");
	assert_string_equal(d.created, "bob@example.org");
	assert_answer(ask(&d, user("user add", "bob@example.org")), "error", "exists");
	assert_answer(ask(&d, user("user add", "b b")), "error", "bad-name");
	assert_answer(ask(&d, user("user add", "bob@other.org")), "error", "bad-name");
	assert_int_equal(kit_check(&d.kit, "bob", "pw"), 0);
	list = ask(&d, json_pack("{s:s}", "command", "user list"));
	assert_int_equal(json_array_size(json_object_get(list, "users")), 1);
	assert_string_equal(d.kicked, "");
	json_decref(list);
	json_decref(ask(&d, user("user delete", "bob")));
	assert_string_equal(d.kicked, "bob@example.org");
	assert_answer(ask(&d, user("user delete", "bob")), "error", "not-found");
	assert_answer(ask(&d, user("user passwd", "bob")), "error", "not-found");
	desk_close(&d);
}

TEST(makes_invitations_that_name_the_web_address)
{
	struct desk d;
	json_t *answer;

	desk_open(&d);
	answer = ask(&d, json_pack("{s:s}", "command", "invite"));
	assert_int_equal(strncmp(json_string_value(json_object_get(answer, "link")), "https://example.org:8443/i/", 27), 0);
	assert_int_equal(strncmp(json_string_value(json_object_get(answer, "uri")), "xmpp:example.org?register;preauth=", 34), 0);
	json_decref(answer);
	assert_answer(ask(&d, json_pack("{s:s}", "command", "status")), "domain", "example.org");
	desk_close(&d);
}

TEST(answers_requests_that_make_no_sense)
{
	struct desk d;

	desk_open(&d);
	assert_answer(ask(&d, json_pack("{s:s}", "command", "dance")), "error", "unknown-command");
	assert_answer(ask(&d, json_object()), "error", "unknown-command");
	assert_answer(ask(&d, json_array()), "error", "bad-request");
	assert_answer(ask(&d, json_pack("{s:i}", "command", 7)), "error", "unknown-command");
	assert_answer(ask(&d, json_pack("{s:s, s:s, s:i}", "command", "user add many", "prefix", "u", "count", -1)), "error", "bad-count");
	assert_answer(ask(&d, json_pack("{s:s, s:s}", "command", "backup", "dir", "relative")), "error", "bad-directory");
	desk_close(&d);
}

static int raw_connect(const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" ADMIN_SOCKET_NAME, dir) < (int)sizeof(addr.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

TEST(bounds_a_request_and_takes_it_in_pieces)
{
	static char junk[ADMIN_REQUEST_MAX + 8192];
	const char *pieces[] = { "{\"command\":", "\"status\"", "}\n" };
	char reply[600] = "";
	struct desk d;
	int fd;

	desk_open(&d);
	fd = raw_connect(d.dir);
	memset(junk, ' ', sizeof(junk));
	for (size_t at = 0; at < sizeof(junk);) {
		ssize_t n = send(fd, junk + at, sizeof(junk) - at, MSG_NOSIGNAL);

		if (n < 0)
			break; /* it has heard enough */
		at += (size_t)n;
	}
	close(fd);
	fd = raw_connect(d.dir);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(send(fd, pieces[i], strlen(pieces[i]), 0), strlen(pieces[i]));
	for (size_t n = 0; !strchr(reply, '\n');) {
		ssize_t got = recv(fd, reply + n, sizeof(reply) - 1 - n, 0);

		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_non_null(strstr(reply, "\"domain\":\"example.org\""));
	close(fd);
	desk_close(&d);
}

TEST(is_for_the_owner_alone_and_goes_away)
{
	char path[400];
	struct stat st;
	struct desk d;
	json_t *answer = NULL, *request = json_object();

	desk_open(&d);
	snprintf(path, sizeof(path), "%s/%s", d.dir, ADMIN_SOCKET_NAME);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	desk_close(&d);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(admin_socket_ask(d.dir, request, &answer), -ENOENT);
	assert_int_equal(admin_socket_ask("/nonexistent", request, &answer), -ENOENT);
	json_decref(request);
}

TEST(runs_the_same_commands_on_a_directory_at_rest)
{
	const char *dir = unit_tmpdir();
	struct admin_local *l, *second;
	char err[600];
	json_t *request = user("user add", "bob");
	struct kit k;

	assert_int_equal(admin_local_open(dir, STR("example.org"), NULL, &l, err, sizeof(err)), 0);
	assert_int_equal(admin_local_open(dir, STR_NONE, NULL, &second, err, sizeof(err)), -EBUSY);
	assert_answer(admin_local_ask(l, request), "jid", "bob@example.org");
	assert_answer(admin_local_ask(l, request), "error", "exists");
	json_decref(request);
	admin_local_close(l);
	assert_int_equal(kit_open(&k, "sqlite", dir, NULL, true), 0);
	assert_str(k.accounts.domain, "example.org");
	assert_int_equal(kit_check(&k, "bob", "pw"), 0);
	kit_close(&k);
}

/* SHA-256 of "hello" and of "damage" under the name of another. */
#define HELLO_SHELF "2c"
#define HELLO "f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void put_file(const char *dir, const char *shelf, const char *name, const char *text)
{
	const char *const parts[] = { "files", "blob", shelf };
	char path[600];
	size_t n = (size_t)snprintf(path, sizeof(path), "%s", dir);
	FILE *f;

	for (size_t i = 0; i < 3; i++) {
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/%s", parts[i]);
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	snprintf(path + n, sizeof(path) - n, "/%s", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static bool has_file(const char *dir, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

TEST(backs_up_the_database_and_the_uploaded_files)
{
	char to[400], err[600];
	const char *empty = unit_tmpdir(), *back = unit_tmpdir();
	struct uploads_count count;
	struct desk d;
	struct kit k;
	json_t *answer;

	desk_open(&d);
	json_decref(ask(&d, user("user add", "bob")));
	put_file(d.dir, HELLO_SHELF, HELLO, "hello");
	put_file(d.dir, "00", HELLO, "damage");
	put_file(d.dir, "zz", "not-a-blob", "x");
	snprintf(to, sizeof(to), "%s/copy", empty);
	answer = ask(&d, json_pack("{s:s, s:s}", "command", "backup", "dir", to));
	assert_int_equal(json_integer_value(json_object_get(answer, "files")), 2);
	json_decref(answer);
	assert_answer(ask(&d, json_pack("{s:s, s:s}", "command", "backup", "dir", to)), "error", "not-empty");
	desk_close(&d);

	snprintf(err, sizeof(err), "%s/data", back);
	back = strdup(err);
	assert_int_equal(store_restore(to, back, err, sizeof(err)), 0);
	assert_int_equal(uploads_copy(to, back, true, &count), 0);
	assert_int_equal(count.copied, 1);
	assert_int_equal(count.damaged, 1);
	assert_true(has_file(back, "files/blob/" HELLO_SHELF "/" HELLO));
	assert_false(has_file(back, "files/blob/00/" HELLO));
	assert_false(has_file(back, "files/blob/zz"));
	assert_int_equal(uploads_copy(unit_tmpdir(), back, true, &count), 0); /* nothing was ever uploaded */
	assert_int_equal(kit_open(&k, "sqlite", back, NULL, true), 0);
	assert_int_equal(kit_check(&k, "bob", "pw"), 0);
	kit_close(&k);
	free((void *)(uintptr_t)back);
}

UNIT_MAIN(cmocka_unit_test(backs_up_the_database_and_the_uploaded_files), cmocka_unit_test(adds_lists_and_deletes_over_the_socket),
	cmocka_unit_test(makes_invitations_that_name_the_web_address), cmocka_unit_test(answers_requests_that_make_no_sense),
	cmocka_unit_test(bounds_a_request_and_takes_it_in_pieces), cmocka_unit_test(is_for_the_owner_alone_and_goes_away),
	cmocka_unit_test(runs_the_same_commands_on_a_directory_at_rest));

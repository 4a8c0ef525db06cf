/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Verbs that ask something of a server or of its data directory: over the command socket when a server runs, else directly. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "account/account.h"
#include "admin/cli.h"
#include "admin/office.h"
#include "admin/uploads.h"
#include "crypto/random.h"

enum { PASSWORD_LINE_MAX = PASSWORD_MAX + 2, SENTENCE_MAX = 512 };

/* ---- passwords ---- */

static int read_line(char *out)
{
	size_t n;

	if (!fgets(out, PASSWORD_LINE_MAX + 1, stdin)) {
		cli_error("no password was given");
		return CLI_FAILED;
	}
	n = strcspn(out, "\r\n");
	if (!out[n] && n >= PASSWORD_LINE_MAX) {
		cli_error("the password is over %d bytes", PASSWORD_MAX);
		return CLI_FAILED;
	}
	out[n] = 0;
	return CLI_OK;
}

static int prompt(const char *text, char *out)
{
	struct termios old, quiet;
	int code;

	if (tcgetattr(STDIN_FILENO, &old)) {
		cli_error("cannot ask for a password here; use --password-stdin");
		return CLI_FAILED;
	}
	fprintf(stderr, "%s: ", text);
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	code = read_line(out);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	return code;
}

static int ask_password(const struct cli *c, char *out)
{
	char again[PASSWORD_LINE_MAX + 1];
	int code;

	if (c->password_stdin)
		return read_line(out);
	if (!isatty(STDIN_FILENO)) {
		cli_error("give the password on standard input with --password-stdin");
		return CLI_USAGE;
	}
	code = prompt("Password", out);
	if (!code)
		code = prompt("Once more", again);
	if (!code && strcmp(out, again) != 0) {
		cli_error("the two are not the same; nothing was changed");
		code = CLI_FAILED;
	}
	wipe(again, sizeof(again));
	return code;
}

/* ---- users ---- */

/* Puts the password into the request and asks. */
static int ask_with_password(const struct cli *c, json_t *request, json_t **out)
{
	char password[PASSWORD_LINE_MAX + 1];
	int code = request ? ask_password(c, password) : CLI_USAGE;

	if (!request)
		cli_error("names and passwords are UTF-8 text");
	if (!code && json_object_set_new(request, "password", json_string(password))) {
		cli_error("the password is not UTF-8 text");
		code = CLI_FAILED;
	}
	wipe(password, sizeof(password));
	if (code)
		json_decref(request);
	else
		code = office_once(c, request, true, out);
	return code;
}

static int add_many(const struct cli *c)
{
	char *end;
	long count = strtol(c->words[1], &end, 10);
	json_t *answer;
	int code;

	if (*end || end == c->words[1]) {
		cli_error("COUNT is a number, not %s", c->words[1]);
		return CLI_USAGE;
	}
	code = ask_with_password(c,
		json_pack("{s:s, s:s, s:I}", "command", "user add many", "prefix", c->words[0], "count", (json_int_t)count), &answer);
	if (code)
		return code;
	printf("created %s0 to %s%ld\n", c->words[0], c->words[0], count - 1);
	json_decref(answer);
	return CLI_OK;
}

int verb_user_add(const struct cli *c)
{
	json_t *answer;
	int code;

	if (c->many != (c->words_n == 2) || (c->many && c->admin)) {
		cli_error("usage: anser user add NAME [--admin], or anser user add --many PREFIX COUNT");
		return CLI_USAGE;
	}
	if (c->many)
		return add_many(c);
	code = ask_with_password(c,
		json_pack("{s:s, s:s, s:b}", "command", "user add", "name", c->words[0], "admin", (int)c->admin), &answer);
	if (code)
		return code;
	printf("created %s\n", office_text(answer, "jid"));
	json_decref(answer);
	return CLI_OK;
}

int verb_user_passwd(const struct cli *c)
{
	json_t *answer;
	int code = ask_with_password(c, json_pack("{s:s, s:s}", "command", "user passwd", "name", c->words[0]), &answer);

	if (!code)
		json_decref(answer);
	return code;
}

int verb_user_totp(const struct cli *c)
{
	json_t *answer;
	int code;

	if (strcmp(c->words[0], "off") != 0) {
		cli_error("usage: anser user totp off NAME; its owner turns the second factor on");
		return CLI_USAGE;
	}
	code = office_once(c, json_pack("{s:s, s:s}", "command", "user totp off", "name", c->words[1]), false, &answer);
	if (!code)
		json_decref(answer);
	return code;
}

/* The optional word HOST. */
static const char *host_word(const struct cli *c)
{
	return c->words_n ? c->words[0] : "";
}

int verb_user_list(const struct cli *c)
{
	struct office o = { .cli = c };
	char *after = strdup("");
	bool more = true;
	int code = CLI_OK;

	while (more && !code && after) {
		json_t *answer, *users, *user;
		size_t i;

		code = office_ask(&o, json_pack("{s:s, s:s, s:s}", "command", "user list", "host", host_word(c), "after", after), false, &answer);
		if (code)
			break;
		users = json_object_get(answer, "users");
		json_array_foreach(users, i, user) {
			if (c->json)
				json_dumpf(user, stdout, JSON_COMPACT);
			else
				printf("%s\t%.10s%s", office_text(user, "jid"), office_text(user, "created"),
					json_is_true(json_object_get(user, "admin")) ? "\tadministrator" : "");
			putchar('\n');
			free(after);
			after = strdup(office_text(user, "name"));
		}
		more = json_is_true(json_object_get(answer, "more")) && json_array_size(users);
		json_decref(answer);
	}
	free(after);
	office_close(&o);
	return code;
}

static int confirm(const struct cli *c, const char *what)
{
	char line[16];

	if (c->yes || !isatty(STDIN_FILENO))
		return CLI_OK;
	fprintf(stderr, "%s Type yes: ", what);
	if (fgets(line, sizeof(line), stdin) && strcmp(line, "yes\n") == 0)
		return CLI_OK;
	cli_error("nothing was changed");
	return CLI_FAILED;
}

int verb_user_delete(const struct cli *c)
{
	json_t *answer;
	int code = confirm(c, "The account and its whole archive will be gone.");

	if (!code)
		code = office_once(c, json_pack("{s:s, s:s}", "command", "user delete", "name", c->words[0]), false, &answer);
	if (!code)
		json_decref(answer);
	return code;
}

/* ---- reports ---- */

static void print_report(const json_t *r)
{
	json_t *m;
	size_t i;

	printf("%s  %s  %s reports %s: %s\n", office_text(r, "id"), office_text(r, "stamp"), office_text(r, "reporter"), office_text(r, "jid"),
		office_text(r, "reason"));
	if (*office_text(r, "text"))
		printf("\t%s\n", office_text(r, "text"));
	json_array_foreach(json_object_get(r, "messages"), i, m)
		printf("\t%s %s: %s\n", office_text(m, "stamp"), office_text(m, "from"), office_text(m, "body"));
}

int verb_reports(const struct cli *c)
{
	struct office o = { .cli = c };
	char *after = strdup("");
	bool more = true;
	int code = CLI_OK;

	while (more && !code && after) {
		json_t *answer, *list, *r;
		size_t i;

		code = office_ask(&o, json_pack("{s:s, s:s, s:s}", "command", "reports", "host", host_word(c), "after", after), false, &answer);
		if (code)
			break;
		list = json_object_get(answer, "reports");
		json_array_foreach(list, i, r) {
			if (c->json) {
				json_dumpf(r, stdout, JSON_COMPACT);
				putchar('\n');
			} else {
				print_report(r);
			}
			free(after);
			after = strdup(office_text(r, "id"));
		}
		more = json_is_true(json_object_get(answer, "more")) && json_array_size(list);
		json_decref(answer);
	}
	free(after);
	office_close(&o);
	return code;
}

int verb_report_close(const struct cli *c)
{
	json_t *answer;
	int code = office_once(c, json_pack("{s:s, s:s, s:s}", "command", "report close", "id", c->words[0], "host", c->words_n > 1 ? c->words[1] : ""), false, &answer);

	if (!code)
		json_decref(answer);
	return code;
}

/* ---- the rest ---- */

int verb_invite(const struct cli *c)
{
	json_t *answer;
	int code = office_once(c, json_pack("{s:s, s:s}", "command", "invite", "host", host_word(c)), true, &answer);

	if (code)
		return code;
	printf("%s\n%s\nvalid until %s, for one account\n", office_text(answer, "link"), office_text(answer, "uri"),
		office_text(answer, "expires"));
	json_decref(answer);
	return CLI_OK;
}

static void print_list(const char *key, const json_t *list)
{
	printf("%s:", key);
	for (size_t i = 0; i < json_array_size(list); i++)
		printf("%s %s", i ? "," : "", json_string_value(json_array_get(list, i)));
	putchar('\n');
}

int verb_status(const struct cli *c)
{
	const char *key;
	json_t *answer, *value;
	int code = office_once(c, json_pack("{s:s}", "command", "status"), false, &answer);

	if (code)
		return code;
	if (c->json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_object_foreach(answer, key, value) {
			if (json_is_string(value))
				printf("%s: %s\n", key, json_string_value(value));
			else if (json_is_integer(value))
				printf("%s: %lld\n", key, (long long)json_integer_value(value));
			else if (json_is_array(value))
				print_list(key, value);
		}
		printf("server: %s\n", json_is_true(json_object_get(answer, "serving")) ? "running" : "stopped");
	}
	json_decref(answer);
	return CLI_OK;
}

/* The server may stand in another directory: it gets an absolute path. */
static int absolute(const char *path, char *out)
{
	char cwd[PATH_MAX];
	int n;

	if (path[0] == '/')
		n = snprintf(out, PATH_MAX, "%s", path);
	else
		n = snprintf(out, PATH_MAX, "%s/%s", getcwd(cwd, sizeof(cwd)) ? cwd : "", path);
	if (n < 0 || n >= PATH_MAX || out[0] != '/') {
		cli_error("the path %s is too long", path);
		return CLI_FAILED;
	}
	return CLI_OK;
}

int verb_backup(const struct cli *c)
{
	char dir[PATH_MAX];
	json_t *answer;
	int code = absolute(c->words[0], dir);

	if (!code)
		code = office_once(c, json_pack("{s:s, s:s}", "command", "backup", "dir", dir), false, &answer);
	if (code)
		return code;
	printf("backed up to %s with %lld uploaded files\n", dir, (long long)json_integer_value(json_object_get(answer, "files")));
	json_decref(answer);
	return CLI_OK;
}

int verb_restore(const struct cli *c)
{
	struct uploads_count files;
	char err[SENTENCE_MAX];
	int status;

	if (store_restore(c->words[0], c->data, err, sizeof(err))) {
		cli_error("%s", err);
		return CLI_FAILED;
	}
	status = uploads_copy(c->words[0], c->data, true, &files);
	if (status) {
		cli_error("the database is restored, but not all uploaded files: %s; make room and copy %s/files", strerror(-status),
			c->words[0]);
		return CLI_FAILED;
	}
	printf("restored %s into %s with %llu uploaded files\n", c->words[0], c->data, (unsigned long long)files.copied);
	if (files.damaged)
		cli_error("%llu uploaded files were damaged and are left out", (unsigned long long)files.damaged);
	return files.damaged ? CLI_FAILED : CLI_OK;
}

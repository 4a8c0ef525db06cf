/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verb `export`: all accounts, or one, as an XEP-0227 1.1 file (0600), piece by piece (admin/port_export.c). A name that ends with
 * a slash becomes a directory with a file per account (XEP-0227 §5.1). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/office.h"
#include "admin/port.h"
#include "base/mem.h"
#include "proto/xmpp/ns.h"

#define DECLARATION "<?xml version='1.0' encoding='UTF-8'?>\n"

struct exporter {
	const struct cli *cli;
	struct office office;
	const char *to;
	const char *domain; /* of the host whose accounts are written now */
	json_t *hosts;
	bool split; /* a file per account */
	FILE *out, *host; /* where users go; the host's file, which names those of the users */
	uint64_t users;
};

/* A new file, for the owner only. */
static FILE *create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		cli_error("cannot write %s: %s", path, strerror(errno));
	return f;
}

static FILE *create_in(const struct exporter *ex, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s", ex->to, name) < (int)sizeof(path))
		return create(path);
	cli_error("the path is too long");
	return NULL;
}

/* Text between quotes. */
static void put_escaped(FILE *f, const char *s)
{
	struct buf b = { 0 };

	xml_escape(&b, str_of(s));
	fwrite(b.p, 1, b.n, f);
	buf_free(&b);
}

static int pieces(struct exporter *ex, const char *name)
{
	char *after = mem_strdup("");
	json_int_t part = 0;
	int code = CLI_OK;

	while (part >= 0 && !code) {
		json_t *answer, *xml, *next;

		code = office_ask(&ex->office,
			json_pack("{s:s, s:s, s:s, s:I, s:s}", "command", "export user", "host", ex->domain, "name", name, "part", part, "after", after), false, &answer);
		if (code)
			break;
		xml = json_object_get(answer, "xml");
		fwrite(json_string_value(xml), 1, json_string_length(xml), ex->out);
		next = json_object_get(answer, "part");
		part = next ? json_integer_value(next) : -1;
		free(after);
		after = mem_strdup(office_text(answer, "after"));
		json_decref(answer);
	}
	free(after);
	return code;
}

static int finish(FILE *f, const char *path)
{
	int bad = ferror(f) || fflush(f) || fsync(fileno(f));

	if (fclose(f) || bad) {
		cli_error("cannot write %s: %s", path, strerror(errno));
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int user(struct exporter *ex, const char *name)
{
	char file[NAME_MAX + 300];
	int code;

	if (!ex->split) {
		code = pieces(ex, name);
		ex->users += !code;
		return code;
	}
	snprintf(file, sizeof(file), "%s/%s.xml", ex->domain, name);
	fputs("  <xi:include href='", ex->host);
	put_escaped(ex->host, file);
	fputs("'/>\n", ex->host);
	ex->out = create_in(ex, file);
	if (!ex->out)
		return CLI_FAILED;
	fputs(DECLARATION, ex->out);
	code = pieces(ex, name);
	if (finish(ex->out, file))
		code = CLI_FAILED;
	ex->users += !code;
	return code;
}

static int users(struct exporter *ex)
{
	char *after = mem_strdup("");
	bool more = true;
	int code = CLI_OK;

	while (more && !code) {
		json_t *answer, *list, *u;
		size_t i;

		code = office_ask(&ex->office, json_pack("{s:s, s:s, s:s}", "command", "user list", "host", ex->domain, "after", after), false, &answer);
		if (code)
			break;
		list = json_object_get(answer, "users");
		json_array_foreach(list, i, u) {
			free(after);
			after = mem_strdup(office_text(u, "name"));
			if (!code)
				code = user(ex, after);
		}
		more = json_is_true(json_object_get(answer, "more")) && json_array_size(list);
		json_decref(answer);
	}
	free(after);
	return code;
}

/* Accounts of the current host: all, or the one that was named, if it is of this host. */
static int all_or_one(struct exporter *ex)
{
	const char *word = ex->cli->words_n > 1 ? ex->cli->words[1] : NULL, *at = word ? strchr(word, '@') : NULL;
	char name[NAME_MAX];

	if (!word)
		return users(ex);
	if (at ? strcmp(at + 1, ex->domain) != 0 : ex->domain != json_string_value(json_array_get(ex->hosts, 0)))
		return CLI_OK;
	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - word) : (int)strlen(word), word);
	return user(ex, name);
}

static int one_file(struct exporter *ex)
{
	json_t *host;
	size_t i;
	int code = CLI_OK;

	ex->out = create(ex->to);
	if (!ex->out)
		return CLI_FAILED;
	fputs(DECLARATION "<server-data xmlns='" NS_PIE "'>\n", ex->out);
	json_array_foreach(ex->hosts, i, host) {
		ex->domain = json_string_value(host);
		fputs("<host jid='", ex->out);
		put_escaped(ex->out, ex->domain);
		fputs("'>\n", ex->out);
		if (!code)
			code = all_or_one(ex);
		fputs("</host>\n", ex->out);
	}
	fputs("</server-data>\n", ex->out);
	if (finish(ex->out, ex->to) && !code)
		code = CLI_FAILED;
	return code;
}

/* The host's file and those of its accounts. */
static int host_files(struct exporter *ex, FILE *main_file)
{
	char path[PATH_MAX], name[300];
	int code;

	if (snprintf(path, sizeof(path), "%s%s", ex->to, ex->domain) >= (int)sizeof(path) || cli_make_dir(path)) {
		cli_error("cannot make %s%s", ex->to, ex->domain);
		return CLI_FAILED;
	}
	snprintf(name, sizeof(name), "%s.xml", ex->domain);
	ex->host = create_in(ex, name);
	if (!ex->host)
		return CLI_FAILED;
	fputs("  <xi:include href='", main_file);
	put_escaped(main_file, name);
	fputs("'/>\n", main_file);
	fputs(DECLARATION "<host xmlns='" NS_PIE "' xmlns:xi='" NS_XINCLUDE "' jid='", ex->host);
	put_escaped(ex->host, ex->domain);
	fputs("'>\n", ex->host);
	code = all_or_one(ex);
	fputs("</host>\n", ex->host);
	return finish(ex->host, name) ? CLI_FAILED : code;
}

static int many_files(struct exporter *ex)
{
	FILE *main_file;
	json_t *host;
	size_t i;
	int code = CLI_OK;

	if (cli_make_dir(ex->to)) {
		cli_error("cannot make %s", ex->to);
		return CLI_FAILED;
	}
	main_file = create_in(ex, "server-data.xml");
	if (!main_file)
		return CLI_FAILED;
	fputs(DECLARATION "<server-data xmlns='" NS_PIE "' xmlns:xi='" NS_XINCLUDE "'>\n", main_file);
	json_array_foreach(ex->hosts, i, host) {
		ex->domain = json_string_value(host);
		if (!code)
			code = host_files(ex, main_file);
	}
	fputs("</server-data>\n", main_file);
	return finish(main_file, "server-data.xml") ? CLI_FAILED : code;
}

int verb_export(const struct cli *c)
{
	struct exporter ex = { .cli = c, .to = c->words[0], .office = { .cli = c } };
	size_t n = strlen(ex.to);
	json_t *answer;
	int code = office_ask(&ex.office, json_pack("{s:s}", "command", "status"), false, &answer);

	if (code)
		return code;
	ex.hosts = json_object_get(answer, "hosts");
	ex.split = n && ex.to[n - 1] == '/';
	code = ex.split ? many_files(&ex) : one_file(&ex);
	json_decref(answer);
	office_close(&ex.office);
	if (!code)
		printf("exported %" PRIu64 " accounts to %s; the file opens them: keep it safe\n", ex.users, ex.to);
	return code;
}

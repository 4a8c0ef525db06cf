/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Asking a running server, or the data directory itself when none runs. */
#include "admin/office.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/local.h"
#include "admin/socket.h"
#include "base/log.h"
#include "proto/xmpp/jid.h"

enum { SENTENCE_MAX = 512 };

/* The directory must be there, or be made. Root becomes its owner, so that the server can still read what a command wrote. */
static int enter_directory(const char *path, bool make)
{
	struct stat st;
	int err = make ? cli_make_dir(path) : 0;

	if (err) {
		cli_error("cannot make the data directory %s: %s", path, strerror(-err));
		return CLI_FAILED;
	}
	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		cli_error("there is no data directory %s; name it with --data", path);
		return CLI_FAILED;
	}
	if (geteuid() == 0 && st.st_uid != 0 && (setgroups(0, NULL) || setgid(st.st_gid) || setuid(st.st_uid))) {
		cli_error("cannot become the owner of %s", path);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int open_local(struct office *o, bool make)
{
	char err[SENTENCE_MAX];
	struct arena a = { 0 };
	struct str domain = STR_NONE;
	int status = enter_directory(o->cli->data, make);

	if (status)
		return status;
	log_setup(LOG_WARNING, LOG_TEXT);
	arena_init(&a);
	if (o->cli->domain && jid_nameprep(&a, str_of(o->cli->domain), &domain)) {
		cli_error("--domain %s is not a domain name", o->cli->domain);
		status = CLI_USAGE;
	} else if (admin_local_open(o->cli->data, domain, o->cli->url, &o->local, err, sizeof(err))) {
		cli_error("%s", err);
		status = CLI_FAILED;
	}
	arena_fini(&a);
	return status;
}

int office_try(struct office *o, json_t *request, bool make, json_t **out)
{
	json_t *answer = NULL;
	int err = o->local ? -ENOENT : admin_socket_ask(o->cli->data, request, &answer), code = CLI_OK;

	if (err == -ENOENT || err == -ECONNREFUSED || err == -ENOTDIR) { /* nobody serves: do it here */
		if (!o->local)
			code = open_local(o, make);
		if (!code)
			answer = admin_local_ask(o->local, request);
	} else if (err) {
		cli_error("the server at %s did not answer: %s", o->cli->data, strerror(-err));
		code = CLI_FAILED;
	}
	json_decref(request);
	if (!code)
		*out = answer;
	return code;
}

int office_ask(struct office *o, json_t *request, bool make, json_t **out)
{
	json_t *answer = NULL;
	int code = office_try(o, request, make, &answer);

	if (!code && !json_is_true(json_object_get(answer, "ok"))) {
		const char *message = json_string_value(json_object_get(answer, "message"));

		cli_error("%s", message ? message : "the server's answer makes no sense");
		code = CLI_FAILED;
	}
	if (code)
		json_decref(answer);
	else
		*out = answer;
	return code;
}

const char *office_text(const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	return text ? text : "";
}

int office_once(const struct cli *c, json_t *request, bool make, json_t **out)
{
	struct office o = { .cli = c };
	int code = office_ask(&o, request, make, out);

	office_close(&o);
	return code;
}

void office_close(struct office *o)
{
	admin_local_close(o->local);
	o->local = NULL;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Commands of the operator: the table and its rows. */
#include "admin/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/factor.h"
#include "account/invite.h"
#include "admin/command_priv.h"
#include "admin/uploads.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct failure {
	int status;
	const char *word, *message;
};

static const struct failure failures[] = {
	{ -ENOENT, "not-found", "There is no such account." },
	{ -EEXIST, "exists", "There is an account of that name already." },
	{ -EINVAL, "bad-name",
		"A name has 1 to 64 letters, digits, dots, dashes or underscores and begins with a letter or digit; a password has no "
		"control characters." },
	{ -EMSGSIZE, "weak-password", "The password is empty." },
	{ -E2BIG, "long-password", "The password is over 1024 bytes." },
	{ -EBUSY, "busy", "The server is busy; try again in a moment." },
	{ -ENOSPC, "disk-full", "The disk is full; nothing was changed." },
	{ -EDQUOT, "too-many", "Too many invitations are open; they run out after 7 days." },
	{ -EROFS, "read-only", "The data directory is not writable; nothing was changed." },
	{ -EACCES, "not-writable", "That directory is not writable for the server." },
	{ -ENOTEMPTY, "not-empty", "That directory exists and is not empty." },
};

void admin_fail(struct admin_call *call, const char *word, const char *message)
{
	call->answer(call, json_pack("{s:s, s:s}", "error", word, "message", message));
}

void admin_fail_status(struct admin_call *call, int status)
{
	char text[160];

	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		if (failures[i].status == status) {
			admin_fail(call, failures[i].word, failures[i].message);
			return;
		}
	}
	snprintf(text, sizeof(text), "The database could not do it: %s.", strerror(-status));
	admin_fail(call, "failed", text);
}

void admin_succeed(struct admin_call *call, json_t *answer)
{
	must(answer);
	json_object_set_new(answer, "ok", json_true());
	call->answer(call, answer);
}

/* An argument of the request; NONE when it is absent or no text. */
struct str admin_text_of(const struct admin_call *call, const char *name)
{
	const json_t *j = json_object_get(call->request, name);

	return (struct str){ json_string_value(j), json_string_length(j) };
}

static bool flag_of(const struct admin_call *call, const char *name)
{
	return json_is_true(json_object_get(call->request, name));
}

static struct host *host_named(const struct admin_call *call, struct str domain)
{
	return call->admin->hosts ? hosts_find_nocase(call->admin->hosts, domain) : NULL;
}

struct accounts *admin_accounts_named(const struct admin_call *call, struct str domain)
{
	struct host *host = host_named(call, domain);

	if (!domain.n || str_eq_nocase(domain, call->admin->accounts->domain))
		return call->admin->accounts;
	return host ? host->accounts : NULL;
}

/* The accounts that the request is about: those of the host in "host" or behind the @ of "name" or "prefix", else the main ones. */
static struct accounts *accounts_of(const struct admin_call *call)
{
	static const char *const arguments[] = { "name", "prefix" };
	struct host *host = host_named(call, admin_text_of(call, "host"));
	struct str domain;

	for (size_t i = 0; !host && i < ARRAY_LEN(arguments); i++) {
		str_cut(admin_text_of(call, arguments[i]), '@', &domain);
		host = host_named(call, domain);
	}
	return host ? host->accounts : call->admin->accounts;
}

static struct str jid_of(const struct admin_call *call, struct str node)
{
	return arena_printf(shard_arena(call->shard), "%.*s@%.*s", STR_ARG(node), STR_ARG(accounts_of(call)->domain));
}

static json_t *jid_answer(const struct admin_call *call, struct str node)
{
	struct str jid = jid_of(call, node);

	return json_pack("{s:s%}", "jid", jid.p, jid.n);
}

/* The argument without the domain of its host; whole, and so refused as a name, when that is none of ours. */
static struct str local_of(const struct admin_call *call, const char *argument)
{
	struct str name = admin_text_of(call, argument), domain, node = str_cut(name, '@', &domain);

	return str_eq_nocase(domain, accounts_of(call)->domain) ? node : name;
}

static struct str name_of(const struct admin_call *call)
{
	return local_of(call, "name");
}

/* Is the argument "host" absent or known? Answers when it is not. */
static bool host_ok(struct admin_call *call)
{
	struct str domain = admin_text_of(call, "host");

	if (!domain.n || host_named(call, domain) || str_eq_nocase(domain, call->admin->accounts->domain))
		return true;
	admin_fail(call, "unknown-host", "This server has no such domain; `hosts` in its configuration lists them.");
	return false;
}

/* Its normalised node; answers and returns NONE when it is none. */
static struct str node_of(struct admin_call *call)
{
	struct str node;

	if (account_name_check(shard_arena(call->shard), name_of(call), &node)) {
		admin_fail_status(call, -EINVAL);
		return STR_NONE;
	}
	return node;
}

/* ---- user add ---- */

static void on_added(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;
	struct admin_hooks *hooks = &call->admin->hooks;
	struct str node = STR_NONE;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	must(account_name_check(shard_arena(s), name_of(call), &node) == 0);
	if (hooks->created)
		hooks->created(hooks->arg, jid_of(call, node));
	log_info("account.created", "node=\"%.*s\" by=operator admin=%d", STR_ARG(node), flag_of(call, "admin"));
	admin_succeed(call, jid_answer(call, node));
}

static void user_add(struct admin_call *call)
{
	struct account_new n = { .node = name_of(call), .password = admin_text_of(call, "password"),
		.admin = flag_of(call, "admin"), .weak_ok = true };
	int err = account_create(accounts_of(call), call->shard, &n, on_added, call);

	if (err)
		admin_fail_status(call, err);
}

static void on_added_many(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;

	if (status)
		admin_fail_status(call, status);
	else
		admin_succeed(call, json_pack("{s:O}", "count", json_object_get(call->request, "count")));
}

static void user_add_many(struct admin_call *call)
{
	struct account_new n = { .node = local_of(call, "prefix"), .password = admin_text_of(call, "password"), .weak_ok = true };
	json_int_t count = json_integer_value(json_object_get(call->request, "count"));
	int err;

	if (count < 1 || count > ACCOUNT_MANY_MAX) {
		admin_fail(call, "bad-count", "COUNT is a number from 1 to 1000000.");
		return;
	}
	err = account_create_many(accounts_of(call), call->shard, &n, (uint32_t)count, on_added_many, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- user passwd ---- */

static void on_passwd(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;

	if (status)
		admin_fail_status(call, status);
	else
		admin_succeed(call, json_object());
}

static void user_passwd(struct admin_call *call)
{
	struct str node = node_of(call);
	int err;

	if (!node.n)
		return;
	err = account_passwd_weak(accounts_of(call), call->shard, node, admin_text_of(call, "password"), on_passwd, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- user totp off ---- */

static void on_totp_off(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;

	(void)s;
	if (status == -ENOENT) {
		admin_fail(call, "not-found", "There is no such account, or its second factor is off.");
	} else if (status) {
		admin_fail_status(call, status);
	} else {
		log_info("account.factor", "node=\"%.*s\" state=off by=operator", STR_ARG(name_of(call)));
		admin_succeed(call, json_object());
	}
}

static void user_totp_off(struct admin_call *call)
{
	struct str node = node_of(call);
	int err;

	if (!node.n)
		return;
	err = factor_off(accounts_of(call), call->shard, node, on_totp_off, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- user delete, list ---- */

static void on_deleted(struct shard *s, void *arg, int status)
{
	struct admin_call *call = arg;
	struct admin_hooks *hooks = &call->admin->hooks;
	struct str node = STR_NONE;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	must(account_name_check(shard_arena(s), name_of(call), &node) == 0);
	if (hooks->kick)
		hooks->kick(hooks->arg, jid_of(call, node));
	log_info("account.deleted", "node=\"%.*s\" by=operator", STR_ARG(node));
	admin_succeed(call, json_object());
}

static void user_delete(struct admin_call *call)
{
	struct str node = node_of(call);
	int err;

	if (!node.n)
		return;
	err = account_delete(accounts_of(call), call->shard, node, on_deleted, call);
	if (err)
		admin_fail_status(call, err);
}

static void on_listed(struct shard *s, void *arg, int status, const struct account_row *v, size_t n)
{
	struct admin_call *call = arg;
	json_t *users;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	users = json_array();
	for (size_t i = 0; i < n; i++) {
		struct str created = time_format(shard_arena(s), v[i].created_ms);
		json_t *row = jid_answer(call, v[i].node);

		json_object_set_new(row, "name", json_stringn(v[i].node.p, v[i].node.n));
		json_object_set_new(row, "created", json_stringn(created.p, created.n));
		json_object_set_new(row, "admin", json_boolean(v[i].admin));
		json_array_append_new(users, row);
	}
	admin_succeed(call, json_pack("{s:o, s:b}", "users", users, "more", (int)(n == ADMIN_LIST_PAGE)));
}

static void user_list(struct admin_call *call)
{
	int err;

	if (!host_ok(call))
		return;
	err = account_list(accounts_of(call), call->shard, admin_text_of(call, "after"), ADMIN_LIST_PAGE, on_listed, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- invite ---- */

static void on_invited(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct admin_call *call = arg;
	struct arena *a = shard_arena(s);
	struct str domain = accounts_of(call)->domain, link, uri, expires;

	if (status) {
		admin_fail_status(call, status);
		return;
	}
	struct host *host = host_named(call, domain);

	link = arena_printf(a, "%.*s/i/%.*s", STR_ARG(host ? host->web_url : str_of(call->admin->web_url)), STR_ARG(token));
	/* XEP-0445 §3: register with a pre-authentication token at the domain. */
	uri = arena_printf(a, "xmpp:%.*s?register;preauth=%.*s", STR_ARG(domain), STR_ARG(token));
	expires = time_format(a, inv->expires_ms);
	admin_succeed(call, json_pack("{s:s%, s:s%, s:s%}", "link", link.p, link.n, "uri", uri.p, uri.n, "expires", expires.p,
			      expires.n));
}

static void invite(struct admin_call *call)
{
	int err;

	if (!host_ok(call))
		return;
	err = invite_create(accounts_of(call), call->shard, STR_NONE, true, on_invited, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- status, backup ---- */

static void status(struct admin_call *call)
{
	const struct admin *ad = call->admin;
	struct str domain = ad->accounts->domain;
	json_t *j = json_pack("{s:s, s:s%, s:b}", "version", ANSER_VERSION, "domain", domain.p, domain.n, "serving",
		(int)ad->serving), *hosts = json_array();

	for (int i = 0; ad->hosts && i < atomic_load(&ad->hosts->n); i++)
		json_array_append_new(hosts, json_stringn(ad->hosts->v[i]->domain.p, ad->hosts->v[i]->domain.n));
	json_object_set_new(j, "hosts", hosts);
	if (ad->serving) {
		json_object_set_new(j, "web", json_string(ad->web_url));
		json_object_set_new(j, "uptime_seconds", json_integer((json_int_t)((clock_mono_ms() - ad->started_ms) / 1000)));
		json_object_set_new(j, "connections", json_integer(metric_get(M_CONNECTIONS_OPEN)));
		json_object_set_new(j, "sessions", json_integer(metric_get(M_SESSIONS_ONLINE)));
		json_object_set_new(j, "rooms", json_integer(metric_get(M_ROOMS_LIVE)));
		json_object_set_new(j, "store_queue", json_integer(metric_get(M_STORE_QUEUE)));
		json_object_set_new(j, "store_errors", json_integer(metric_get(M_STORE_ERRORS)));
	}
	admin_succeed(call, j);
}

/* The database first, then the files: one that is uploaded meanwhile is more than the copy needs, never less. */
struct copy_job {
	struct job job;
	struct admin_call *call;
	struct uploads_count count;
	int status;
};

/* A copy without all files must not look like a backup: its manifest goes. */
static void spoil(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/manifest", dir) < (int)sizeof(path))
		unlink(path);
}

static void copy_run(struct job *j)
{
	struct copy_job *c = container_of(j, struct copy_job, job);
	const char *to = json_string_value(json_object_get(c->call->request, "dir"));

	c->status = uploads_copy(c->call->admin->data_dir, to, false, &c->count);
	if (c->status)
		spoil(to);
}

static void copy_done(struct shard *s, struct job *j)
{
	struct copy_job *c = container_of(j, struct copy_job, job);
	struct admin_call *call = c->call;

	log_info("store.backup", "status=%d files=%llu", c->status, (unsigned long long)c->count.copied);
	if (c->status)
		admin_fail_status(call, c->status);
	else
		admin_succeed(call, json_pack("{s:I}", "files", (json_int_t)c->count.copied));
	free(c);
}

static void on_backup(struct shard *s, void *arg, int result)
{
	struct admin_call *call = arg;
	struct copy_job *c;

	if (result) {
		log_warning("store.backup", "status=%d", result);
		admin_fail_status(call, result);
		return;
	}
	c = mem_zalloc(sizeof(*c));
	c->job = (struct job){ .home = s, .run = copy_run, .done = copy_done };
	c->call = call;
	if (pool_submit(call->admin->accounts->pool, &c->job)) {
		free(c);
		admin_fail_status(call, -EBUSY);
	}
}

static void backup(struct admin_call *call)
{
	struct str dir = admin_text_of(call, "dir");
	int err;

	if (dir.n == 0 || dir.p[0] != '/') {
		admin_fail(call, "bad-directory", "The directory of a backup is an absolute path.");
		return;
	}
	err = store_backup(call->admin->accounts->store, call->shard, dir.p, on_backup, call);
	if (err)
		admin_fail_status(call, err);
}

/* ---- the table ---- */

const struct admin_command admin_commands[] = {
	{ "user add", "name, password, admin", "Create an account.", user_add },
	{ "user add many", "prefix, count, password", "Create PREFIX0, PREFIX1 ... with one password.", user_add_many },
	{ "user passwd", "name, password", "Set a password; remembered sign-ins end.", user_passwd },
	{ "user totp off", "name", "Turn an account's second factor off; remembered sign-ins end.", user_totp_off },
	{ "user list", "host, after", "Accounts in order of their names, a page at a time.", user_list },
	{ "user delete", "name", "Delete an account with its archive; its sessions end.", user_delete },
	{ "invite", "host", "Make a link that creates one account.", invite },
	{ "reports", "host, after", "Open reports of abuse, the oldest first, a page at a time.", admin_reports },
	{ "report close", "host, id", "Take a report out of the queue.", admin_report_close },
	{ "import user", "host, name, first, merge, dry, password, last, xml", "Write a piece of an account (XEP-0227).", admin_import_user },
	{ "export user", "host, name, part, after", "Read a piece of an account (XEP-0227).", admin_export_user },
	{ "status", "", "Version, domain and, of a running server, its counts.", status },
	{ "backup", "dir", "Copy the database and uploaded files into a new directory.", backup },
	{ NULL },
};

void admin_run(struct admin_call *call)
{
	const char *name = json_string_value(json_object_get(call->request, "command"));

	for (const struct admin_command *c = admin_commands; name && c->name; c++) {
		if (strcmp(c->name, name) == 0) {
			c->run(call);
			return;
		}
	}
	admin_fail(call, "unknown-command", "This server does not know the command; is the program older than the server?");
}

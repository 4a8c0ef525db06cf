/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verb `serve`: opens everything in order, hands over to wiring, waits for signals, closes in reverse. Main thread. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "account/start.h"
#include "admin/socket.h"
#include "app/federation.h"
#include "app/hosting.h"
#include "app/notify.h"
#include "app/options.h"
#include "app/settings.h"
#include "app/tick.h"
#include "app/wiring.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/component.h"
#include "proto/xmpp/jid.h"
#include "features/features.h"
#include "core/archive_text.h"

enum { SENTENCE_MAX = 600, STOP_MS = 8000 /* for sessions to end */, STOP_SECONDS_MAX = 10 /* for everything */, READERS = 2 };

struct server {
	struct app app;
	const struct cli *cli;
	struct config *first_config;
	struct config **newer; /* one per reload: any thread may still read an older one, so all live to the end */
	size_t newer_n;
	struct accounts_start start;
	struct admin_socket *socket;
	struct tick tick;
	sigset_t signals;
	char err[SENTENCE_MAX];
};

/* ---- opening ---- */

static void raise_file_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) || lim.rlim_cur == lim.rlim_max)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int open_config(struct server *sv)
{
	sv->first_config = settings_load(sv->cli, sv->err, sizeof(sv->err));
	if (!sv->first_config)
		return -EINVAL;
	sv->app.config = sv->first_config;
	settings_log(sv->first_config);
	return 0;
}

static int open_store(struct server *sv)
{
	struct app *app = &sv->app;
	struct store_config cfg = { .backend = config_str(app->config, "store.backend"), .dir = app->data_dir, .readers = READERS,
		.text = archive_text };
	int status;

	if (snprintf(app->data_dir, sizeof(app->data_dir), "%s", sv->cli->data) >= (int)sizeof(app->data_dir)) {
		snprintf(sv->err, sizeof(sv->err), "the path of the data directory is too long");
		return -ENAMETOOLONG;
	}
	status = cli_make_dir(app->data_dir);
	if (status) {
		snprintf(sv->err, sizeof(sv->err), "cannot make the data directory %.300s: %s", app->data_dir, strerror(-status));
		return status;
	}
	return store_open(&cfg, &app->store, sv->err, sizeof(sv->err));
}

/* The default domain is not a wish: a directory that belongs to another one keeps it. */
static int open_accounts(struct server *sv)
{
	struct app *app = &sv->app;
	const char *domain = config_str(app->config, "server.domain");
	bool wished = sv->cli->domain || strcmp(domain, "localhost") != 0;
	int status;

	app->pool = pool_new(POOL_THREADS);
	sv->start = (struct accounts_start){ .store = app->store, .pool = app->pool, .serving = true,
		.domain = wished ? str_of(domain) : STR_NONE };
	status = accounts_start(&app->accounts, &sv->start, sv->err, sizeof(sv->err));
	if (!status)
		status = config_set(sv->first_config, "server.domain", sv->start.domain_out, sv->err, sizeof(sv->err));
	return status;
}

static int open_tls(struct server *sv)
{
	struct app *app = &sv->app;

	return hosting_certificates(app->config, app->data_dir, &app->tls, sv->err, sizeof(sv->err));
}

static int open_listener(struct server *sv, const char *option, struct listener **out)
{
	const char *address = config_str(sv->app.config, option);
	char why[SENTENCE_MAX / 2];
	int status = address[0] ? listener_open(address, out, why, sizeof(why)) : 0;

	if (status)
		snprintf(sv->err, sizeof(sv->err), "%s: %s", option, why);
	return status;
}

static int open_listeners(struct server *sv)
{
	struct app *app = &sv->app;
	int status = open_listener(sv, "listen.c2s", &app->c2s);

	if (!status)
		status = open_listener(sv, "listen.c2s_tls", &app->c2s_tls);
	if (!status)
		status = open_listener(sv, "listen.https", &app->https);
	if (!status)
		status = open_listener(sv, "listen.component", &app->component);
	if (!status)
		status = federation_open(app, sv->err, sizeof(sv->err));
	return status;
}

static void web_url(struct app *app)
{
	const char *given = config_str(app->config, "web.public_url");
	struct str name = app->accounts.domain;
	int port = app->https ? listener_port(app->https) : 443;
	struct arena a;

	arena_init(&a);
	jid_domain_to_ascii(&a, name, &name);
	if (given[0])
		snprintf(app->web_url, sizeof(app->web_url), "%.500s", given);
	else if (port == 443)
		snprintf(app->web_url, sizeof(app->web_url), "https://%.*s", STR_ARG(name));
	else
		snprintf(app->web_url, sizeof(app->web_url), "https://%.*s:%d", STR_ARG(name), port);
	arena_fini(&a);
}

static int open_shards(struct server *sv)
{
	struct app *app = &sv->app;
	int64_t n = config_int(app->config, "shards");
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int status;

	if (n == 0)
		n = cores < 1 ? 1 : cores > SHARDS_MAX ? SHARDS_MAX : cores;
	status = shards_init(&app->shards, (int)n);
	if (status)
		snprintf(sv->err, sizeof(sv->err), "cannot make %d shards: %s", (int)n, strerror(-status));
	return status;
}

static int open_socket(struct server *sv)
{
	struct app *app = &sv->app;

	web_url(app);
	hosts_init(&app->hosts, &app->accounts, str_of(app->web_url));
	hosting_add(&app->hosts, app->config);
	app->admin = (struct admin){ .accounts = &app->accounts, .hosts = &app->hosts, .data_dir = app->data_dir, .web_url = app->web_url, .serving = true,
		.started_ms = clock_mono_ms() };
	return admin_socket_open(app->data_dir, &sv->socket, sv->err, sizeof(sv->err));
}

static int open_components(struct server *sv)
{
	struct app *app = &sv->app;
	int status = components_new(app->config, &app->components, sv->err, sizeof(sv->err));

	return status ? status : components_place(app->components, &app->hosts, &app->shards, features, sv->err, sizeof(sv->err));
}

static int start(struct server *sv)
{
	int status = wiring_start(&sv->app);

	if (status)
		snprintf(sv->err, sizeof(sv->err), "the server did not start: %s; the log says more", strerror(-status));
	else
		admin_socket_serve(sv->socket, &sv->app.admin, sv->app.shards.v[0]);
	return status;
}

static int (*const steps[])(struct server *sv) = {
	open_config, open_store, open_accounts, open_tls, open_listeners, open_shards, open_socket, open_components, start,
};

/* What start opened, in reverse; takes a half-opened server. */
static void close_all(struct server *sv)
{
	struct app *app = &sv->app;

	admin_socket_free(sv->socket);
	listener_free(app->c2s);
	listener_free(app->c2s_tls);
	listener_free(app->https);
	listener_free(app->component);
	federation_free(app);
	pool_free(app->pool);
	store_close(app->store); /* its last answers go to the shards, which throw them away */
	shards_fini(&app->shards);
	accounts_start_fini(&sv->start);
	tls_ctx_unref(app->tls);
	for (size_t i = 0; i < sv->newer_n; i++)
		config_free(sv->newer[i]);
	free(sv->newer);
	hosts_fini(&app->hosts);
	components_free(app->components);
	config_free(sv->first_config);
	free(sv);
}

/* ---- the greeting ---- */

static void greet_address(struct buf *out, const struct config *c, const char *option, const struct listener *l)
{
	const char *address = config_str(c, option), *colon = strrchr(address, ':');

	if (l && colon)
		buf_printf(out, " %s=%.*s:%d", option + strlen("listen."), (int)(colon - address), address, listener_port(l));
}

/* One write, `ready` last: who waits for that line has the others too. */
static void greet(struct server *sv)
{
	struct app *app = &sv->app;
	struct buf out = { 0 };

	if (app->https)
		buf_printf(&out, "web %s/\n", app->web_url);
	if (app->https && sv->start.code[0])
		buf_printf(&out, "setup %s/setup#%s (open it once to create the first administrator)\n", app->web_url, sv->start.code);
	else if (sv->start.code[0])
		buf_printf(&out, "setup: create the first administrator with `anser user add NAME --admin`\n");
	buf_puts(&out, "ready");
	greet_address(&out, app->config, "listen.c2s", app->c2s);
	greet_address(&out, app->config, "listen.c2s_tls", app->c2s_tls);
	greet_address(&out, app->config, "listen.https", app->https);
	greet_address(&out, app->config, "listen.component", app->component);
	greet_address(&out, app->config, "listen.s2s", federation_listener(app, false));
	greet_address(&out, app->config, "listen.s2s_tls", federation_listener(app, true));
	buf_putc(&out, '\n');
	fwrite(out.p, 1, out.n, stdout);
	fflush(stdout);
	buf_free(&out);
	memset(sv->start.code, 0, sizeof(sv->start.code));
	log_info("server.ready", "version=%s domain=%.*s shards=%d", ANSER_VERSION, STR_ARG(app->accounts.domain), app->shards.n);
	notify("READY=1");
}

/* ---- running ---- */

static void warn_unchanged(const struct config *old, const struct config *new)
{
	static const char *const fixed[] = { "listen.c2s", "listen.c2s_tls", "listen.https", "listen.component", "listen.s2s", "listen.s2s_tls",
		"s2s.nameserver", "s2s.dnssec", "s2s.connections_per_address", "store.backend", "web.public_url",
		"components.secrets", "components.privileges", "components.delegations", "shards" };

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (!config_same(old, new, fixed[i]))
			log_warning("config.reload", "option=%s next=\"changes at the next start\"", fixed[i]);
}

static void reload(struct server *sv)
{
	struct app *app = &sv->app;
	struct config *c = settings_load(sv->cli, sv->err, sizeof(sv->err));
	struct tls_ctx *tls = NULL;
	int status = c ? 0 : -EINVAL;

	if (!status)
		status = config_set(c, "server.domain", sv->start.domain_out, sv->err, sizeof(sv->err));
	if (!status)
		status = hosting_certificates(c, app->data_dir, &tls, sv->err, sizeof(sv->err));
	if (!status)
		status = federation_reload(app, c, tls, sv->err, sizeof(sv->err));
	if (status) {
		log_error("config.reload", "error=\"%s\" next=\"the old configuration stays\"", sv->err);
		tls_ctx_unref(tls);
		config_free(c);
		return;
	}
	warn_unchanged(app->config, c);
	settings_log(c);
	wiring_reload(app, c, tls);
	app->config = c;
	sv->newer = mem_realloc(sv->newer, (sv->newer_n + 1) * sizeof(struct config *));
	sv->newer[sv->newer_n++] = c;
	tls_ctx_unref(app->tls);
	app->tls = tls;
	log_info("config.reload", "status=done");
}

static void run(struct server *sv)
{
	const struct timespec second = { .tv_sec = 1 };

	for (;;) {
		int sig = sigtimedwait(&sv->signals, NULL, &second);

		tick(&sv->tick);
		if (sig == SIGHUP)
			reload(sv);
		if (sig == SIGTERM || sig == SIGINT) {
			log_info("server.stop", "signal=%s", sig == SIGTERM ? "TERM" : "INT");
			return;
		}
	}
}

static void on_late(int sig)
{
	static const char text[] = "anser: the end took too long; what was acknowledged is on disk\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)sig;
	(void)n;
	_exit(CLI_FAILED);
}

/* A second signal ends at once, and so does the alarm. */
static void stop(struct server *sv)
{
	notify("STOPPING=1");
	signal(SIGALRM, on_late);
	alarm(STOP_SECONDS_MAX);
	signal(SIGTERM, on_late);
	signal(SIGINT, on_late);
	pthread_sigmask(SIG_UNBLOCK, &sv->signals, NULL);
	wiring_stop(&sv->app, STOP_MS);
}

int verb_serve(const struct cli *cli)
{
	struct server *sv = mem_zalloc(sizeof(*sv));

	sv->cli = cli;
	sigemptyset(&sv->signals);
	sigaddset(&sv->signals, SIGTERM);
	sigaddset(&sv->signals, SIGINT);
	sigaddset(&sv->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &sv->signals, NULL); /* before the first thread: they all inherit it */
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i](sv)) {
			cli_error("%s", sv->err);
			close_all(sv);
			return CLI_FAILED;
		}
	}
	tick_init(&sv->tick, sv->app.data_dir, clock_wall_ms(), clock_mono_ms());
	greet(sv);
	run(sv);
	stop(sv);
	close_all(sv);
	log_info("server.stopped", "status=clean");
	return CLI_OK;
}

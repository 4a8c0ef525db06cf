/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Glues the layers together: core in every shard, streams and HTTP on the listeners. Alone in knowing everybody. */
#include "app/wiring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "app/federation.h"
#include "app/hosting.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/core.h"
#include "core/user.h"
#include "core/roster.h"
#include "features/features.h"
#include "http/http_server.h"
#include "net/fetch.h"
#include "xmpp/bosh.h"
#include "xmpp/c2s.h"
#include "xmpp/component.h"
#include "xmpp/websocket.h"

enum { STOP_POLL_MS = 5 };

struct wiring {
	struct env env;
	_Atomic(struct tls_ctx *) tls; /* replaced at reload */
	struct old_tls *old; /* those before, until the end: a shard may just be taking a reference */
	struct files *files;
	struct http_config http;	/* of the start or the last reload; shards keep copies */
	atomic_int unflushed; /* shards that wait for the store at the end */
};

struct old_tls {
	struct old_tls *next;
	struct tls_ctx *ctx;
};

static struct app *app_of(struct shard *s)
{
	return container_of(s->all, struct app, shards);
}

/* The certificate in force for the calling shard; a reference. */
static struct tls_ctx *current_tls(void)
{
	struct tls_ctx *ctx = atomic_load(&app_of(shard_self())->wiring->tls);

	return ctx ? tls_ctx_ref(ctx) : NULL;
}

/* ---- accepting ---- */

static void on_plain(struct shard *s, struct conn *c, void *arg)
{
	(void)arg;
	c2s_accept(s, c, false, current_tls);
}

static void on_component(struct shard *s, struct conn *c, void *arg)
{
	(void)arg;
	component_accept(s, c);
}

/* One TLS port serves both protocols: ALPN decides (XEP-0368), and without ALPN the port does. */
static void on_front_tls(struct conn *c)
{
	bool https_port = conn_owner(c) != NULL;
	enum conn_alpn alpn = conn_tls_alpn(c);

	if (alpn == ALPN_XMPP_SERVER)
		conn_abort(c); /* other servers have a port of their own, where they show certificates */
	else if (alpn == ALPN_HTTP11 || (alpn == ALPN_NONE && https_port))
		http_serve(conn_shard(c), c);
	else
		c2s_accept(conn_shard(c), c, true, current_tls);
}

static void on_front_data(struct conn *c, struct str bytes)
{
	(void)c;
	(void)bytes; /* none before on_tls, which sets another handler */
}

static void on_front_close(struct conn *c, int err)
{
	(void)c;
	(void)err; /* the handshake failed; counted by net */
}

static const struct conn_handler front = { .on_data = on_front_data, .on_tls = on_front_tls, .on_close = on_front_close };

static void on_direct_tls(struct shard *s, struct conn *c, void *arg)
{
	struct tls_ctx *ctx = current_tls();

	(void)s;
	conn_handler_set(c, &front, arg);
	if (!ctx || conn_start_tls(c, ctx))
		conn_abort(c);
	tls_ctx_unref(ctx);
}

static void serve(struct listener *l, struct shard *s, accept_fn *fn, void *arg)
{
	int err = l ? listener_serve(l, s, fn, arg) : 0;

	if (err)
		log_error("listener.failed", "shard=%d error=%d next=\"this shard accepts nothing there\"", s->index, -err);
}

/* ---- start and end ---- */

static void on_shard_start(struct shard *s)
{
	struct app *app = app_of(s);

	core_start(s, &app->wiring->env);
	http_start(s, &app->wiring->http);
	if (s->index == 0)
		hosting_keep(&app->hosts, app->store, s);
	serve(app->c2s, s, on_plain, NULL);
	serve(app->c2s_tls, s, on_direct_tls, NULL);
	serve(app->https, s, on_direct_tls, app);
	serve(app->component, s, on_component, NULL);
	federation_serve(app, s);
}

static void on_kick(void *arg, struct str bare)
{
	user_gone(arg, bare);
}

static void on_created(void *arg, struct str bare)
{
	user_forget(arg, bare);
}

/* The new account's roster names its inviter already; the other side follows here. */
static void on_registered(struct shard *s, struct str inviter, struct str jid)
{
	roster_befriend(s->core->env, inviter, jid);
}

static char *on_bosh(struct shard *s, id_t64 exchange, struct str peer, struct str body)
{
	return bosh_request(s, exchange, peer, body, http_bosh_answer);
}

static void http_fill(struct app *app, const struct config *c)
{
	struct wiring *w = app->wiring;

	w->http = (struct http_config){
		.accounts = &app->accounts,
		.hosts = &app->hosts,
		.store = app->store,
		.pool = app->pool,
		.files = w->files,
		.domain = w->env.domain,
		.name = str_of(config_str(c, "server.name")),
		.web_url = w->env.web_url,
		.registration_open = config_bool(c, "registration.open"),
		.limits = config_bool(c, "limits.enabled"),
		.metrics_public = config_bool(c, "metrics.public"),
		.hsts = config_str(c, "tls.certificate")[0] != '\0',
		.upload_max_bytes = (uint64_t)config_int(c, "upload.max_bytes"),
		.upload_quota_bytes = (uint64_t)config_int(c, "upload.quota_bytes"),
		.on_websocket = websocket_accept,
		.on_bosh = config_bool(c, "bosh.enabled") ? on_bosh : NULL,
		.addresses = str_of(config_str(c, "web.addresses")),
		.c2s_tls_port = app->c2s_tls ? listener_port(app->c2s_tls) : 0,
		.on_bosh_gone = bosh_hung_up,
		.s2s_tls_port = federation_listener(app, true) ? listener_port(federation_listener(app, true)) : 0,
		.bosh_origins = str_of(config_str(c, "bosh.origins")),
		.on_registered = on_registered,
	};
}

int wiring_start(struct app *app)
{
	struct wiring *w = mem_zalloc(sizeof(*w));
	struct env *env = &w->env;
	char err[256];
	int failed = files_open(app->data_dir, &w->files, err, sizeof(err));

	if (failed) {
		log_error("files.failed", "reason=\"%s\"", err);
		free(w);
		return failed;
	}
	app->wiring = w;
	env->shards = &app->shards;
	env->store = app->store;
	env->pool = app->pool;
	env->accounts = &app->accounts;
	env->hosts = &app->hosts;
	env->components = app->components;
	env->config = app->config;
	env->domain = app->accounts.domain;
	env->web_url = str_of(app->web_url);
	env->features = features;
	env->fetcher = fetcher_new(&(struct fetch_config){ .allow_private = config_bool(app->config, "fetch.allow_private"),
		.ca_file = config_str(app->config, "fetch.ca") });
	env->run = clock_wall_ms();
	federation_prepare(app, env);
	http_fill(app, app->config);
	atomic_store(&w->tls, app->tls ? tls_ctx_ref(app->tls) : NULL);
	app->admin.hooks = (struct admin_hooks){ .arg = env, .kick = on_kick, .created = on_created };
	return shards_start(&app->shards, on_shard_start);
}

static void on_reload(struct shard *s, struct mail *m)
{
	free(m);
	http_configure(s, &app_of(s)->wiring->http);
	if (s->index == 0)
		hosting_keep(&app_of(s)->hosts, app_of(s)->store, s);
}

static const struct mail_kind MAIL_RELOAD = { .name = "reload", .handle = on_reload, .must_arrive = true };

static void post_all(struct app *app, const struct mail_kind *kind)
{
	for (int i = 0; i < app->shards.n; i++) {
		struct mail *m = mem_zalloc(sizeof(*m));

		m->kind = kind;
		shard_post(app->shards.v[i], m);
	}
}

static void replace_tls(struct wiring *w, struct tls_ctx *tls)
{
	struct old_tls *old = mem_alloc(sizeof(*old));

	*old = (struct old_tls){ w->old, atomic_exchange(&w->tls, tls_ctx_ref(tls)) };
	w->old = old;
}

void wiring_reload(struct app *app, const struct config *config, struct tls_ctx *tls)
{
	app->config = config;
	atomic_store(&app->wiring->env.config, config);
	if (tls)
		replace_tls(app->wiring, tls);
	hosting_add(&app->hosts, config);
	http_fill(app, config);
	post_all(app, &MAIL_RELOAD);
}

/* What streams said last has left for the requests of BOSH that carry it, in whatever shard they are. */
static void on_stopped(struct shard *s, struct mail *m)
{
	free(m);
	atomic_fetch_sub(&app_of(s)->wiring->unflushed, 1);
}

static const struct mail_kind MAIL_STOPPED = { .name = "stopped", .handle = on_stopped, .must_arrive = true };

static void on_stop_web(struct shard *s, struct mail *m)
{
	free(m);
	bosh_stop(s);
	http_stop(s);
}

static const struct mail_kind MAIL_STOP_WEB = { .name = "stop.web", .handle = on_stop_web, .must_arrive = true };

static void post_self(struct shard *s, const struct mail_kind *kind)
{
	struct mail *m = mem_zalloc(sizeof(*m));

	m->kind = kind;
	shard_post(s, m);
}

static void on_stop(struct shard *s, struct mail *m)
{
	struct app *app = app_of(s);

	free(m);
	s->ending = true;
	listener_stop(app->c2s, s);
	listener_stop(app->c2s_tls, s);
	listener_stop(app->https, s);
	listener_stop(app->component, s);
	federation_stop(app, s);
	core_shutdown(s->core);
	post_self(s, &MAIL_STOPPED);
}

static const struct mail_kind MAIL_STOP = { .name = "stop", .handle = on_stop, .must_arrive = true };

/* Everything that was asked of the store is answered before the shards stop: first the writes, then the reads. */
static void on_flushed(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	atomic_int *left = arg;

	(void)s;
	(void)status;
	(void)v;
	(void)n;
	atomic_fetch_sub(left, 1);
}

static void on_written(struct shard *s, void *arg, int status)
{
	(void)status;
	if (store_get(app_of(s)->store, s, STR_NONE, STR("server"), STR("admin"), on_flushed, arg))
		on_flushed(s, arg, 0, NULL, 0);
}

static void on_flush(struct shard *s, struct mail *m)
{
	struct app *app = app_of(s);

	free(m);
	if (store_barrier(app->store, s, on_written, &app->wiring->unflushed))
		on_flushed(s, &app->wiring->unflushed, 0, NULL, 0);
}

static const struct mail_kind MAIL_FLUSH = { .name = "flush", .handle = on_flush, .must_arrive = true };

/* Rooms take leave of those in other shards while all of them still listen. */
static void on_goodbye(struct shard *s, struct mail *m)
{
	free(m);
	core_goodbye(s->core);
	atomic_fetch_sub(&app_of(s)->wiring->unflushed, 1);
}

static const struct mail_kind MAIL_GOODBYE = { .name = "goodbye", .handle = on_goodbye, .must_arrive = true };

void wiring_stop(struct app *app, int max_ms)
{
	const struct timespec pause = { .tv_nsec = STOP_POLL_MS * 1000000l };

	atomic_store(&app->wiring->unflushed, app->shards.n);
	post_all(app, &MAIL_GOODBYE);
	for (int waited = 0; waited < max_ms && atomic_load(&app->wiring->unflushed) > 0; waited += STOP_POLL_MS)
		nanosleep(&pause, NULL);
	atomic_store(&app->wiring->unflushed, app->shards.n);
	post_all(app, &MAIL_STOP);
	for (int waited = 0; waited < max_ms && atomic_load(&app->wiring->unflushed) > 0; waited += STOP_POLL_MS)
		nanosleep(&pause, NULL);
	post_all(app, &MAIL_STOP_WEB);
	/* Streams are closing: their last bytes leave, then the descriptors go. */
	for (int waited = 0; waited < max_ms && (metric_get(M_CONNECTIONS_OPEN) > 0 || !pool_is_idle(app->pool)); waited += STOP_POLL_MS)
		nanosleep(&pause, NULL);
	atomic_store(&app->wiring->unflushed, app->shards.n);
	post_all(app, &MAIL_FLUSH);
	for (int waited = 0; waited < max_ms && atomic_load(&app->wiring->unflushed) > 0; waited += STOP_POLL_MS)
		nanosleep(&pause, NULL);
	shards_stop(&app->shards);
	fetcher_free(app->wiring->env.fetcher);
	for (int i = 0; i < app->shards.n; i++) {
		bosh_fini(app->shards.v[i]);
		federation_end(app->shards.v[i]->core);
		core_free(app->shards.v[i]->core);
		app->shards.v[i]->core = NULL;
	}
	files_close(app->wiring->files);
	tls_ctx_unref(atomic_load(&app->wiring->tls));
	while (app->wiring->old) {
		struct old_tls *old = app->wiring->old;

		app->wiring->old = old->next;
		tls_ctx_unref(old->ctx);
		free(old);
	}
	free(app->wiring);
	app->wiring = NULL;
}

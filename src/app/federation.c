/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Other servers at this process. Contexts that a reload replaces live until the end: a shard may just be taking a reference. */
#include "app/federation.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "xmpp/s2s.h"

struct pair {
	struct pair *older;
	struct tls_ctx *server, *client;
};

struct federation {
	struct listener *plain, *direct;
	_Atomic(struct pair *) tls;
	struct s2s_shared shared;
};

static struct app *app_of(struct shard *s)
{
	return container_of(s->all, struct app, shards);
}

static struct tls_ctx *current_server(void)
{
	struct pair *p = atomic_load(&app_of(shard_self())->federation->tls);

	return tls_ctx_ref(p->server);
}

static struct tls_ctx *current_client(void)
{
	struct pair *p = atomic_load(&app_of(shard_self())->federation->tls);

	return tls_ctx_ref(p->client);
}

static void pair_free(struct pair *p)
{
	tls_ctx_unref(p->server);
	tls_ctx_unref(p->client);
	free(p);
}

int federation_reload(struct app *app, const struct config *c, struct tls_ctx *tls, char *err, size_t err_n)
{
	const char *ca = config_str(c, "s2s.ca_file");
	struct federation *f = app->federation;
	struct pair *p;
	int rc;

	if (!f)
		return 0;
	p = mem_zalloc(sizeof(*p));
	rc = tls_peer_ctx_new(tls, ca, false, &p->server, err, err_n);
	if (!rc)
		rc = tls_peer_ctx_new(tls, ca, true, &p->client, err, err_n);
	if (rc) {
		pair_free(p);
		return rc;
	}
	p->older = atomic_load(&f->tls);
	atomic_store(&f->tls, p);
	return 0;
}

static int open_one(struct app *app, const char *option, struct listener **out, char *err, size_t err_n)
{
	const char *address = config_str(app->config, option);
	char why[300];
	int rc = address[0] ? listener_open(address, out, why, sizeof(why)) : 0;

	if (rc)
		snprintf(err, err_n, "%s: %s", option, why);
	else if (*out && config_bool(app->config, "limits.enabled"))
		listener_per_address(*out, (uint32_t)config_int(app->config, "s2s.connections_per_address"));
	return rc;
}

int federation_open(struct app *app, char *err, size_t err_n)
{
	int rc;

	if (!config_str(app->config, "listen.s2s")[0] && !config_str(app->config, "listen.s2s_tls")[0])
		return 0;
	app->federation = mem_zalloc(sizeof(*app->federation));
	rc = federation_reload(app, app->config, app->tls, err, err_n);
	if (!rc)
		rc = open_one(app, "listen.s2s", &app->federation->plain, err, err_n);
	if (!rc)
		rc = open_one(app, "listen.s2s_tls", &app->federation->direct, err, err_n);
	return rc;
}

void federation_free(struct app *app)
{
	struct federation *f = app->federation;

	if (!f)
		return;
	listener_free(f->plain);
	listener_free(f->direct);
	for (struct pair *p = atomic_load(&f->tls), *older; p; p = older) {
		older = p->older;
		pair_free(p);
	}
	free(f);
	app->federation = NULL;
}

struct listener *federation_listener(const struct app *app, bool direct_tls)
{
	if (!app->federation)
		return NULL;
	return direct_tls ? app->federation->direct : app->federation->plain;
}

/* ---- accepting ---- */

static void on_plain(struct shard *s, struct conn *c, void *arg)
{
	(void)arg;
	s2s_accept(s, c, false);
}

static void on_front_tls(struct conn *c)
{
	enum conn_alpn alpn = conn_tls_alpn(c);

	if (alpn == ALPN_NONE || alpn == ALPN_XMPP_SERVER)
		s2s_accept(conn_shard(c), c, true);
	else
		conn_abort(c);
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

static void on_direct(struct shard *s, struct conn *c, void *arg)
{
	struct tls_ctx *ctx = current_server();

	(void)s;
	conn_handler_set(c, &front, arg);
	if (conn_start_tls(c, ctx))
		conn_abort(c);
	tls_ctx_unref(ctx);
}

/* ---- shards ---- */

void federation_prepare(struct app *app, struct env *env)
{
	struct federation *f = app->federation;

	if (!f)
		return;
	env->remote = s2s_route;
	f->shared.server_tls = current_server;
	f->shared.client_tls = current_client;
	s2s_secret(&f->shared);
}

static void serve(struct listener *l, struct shard *s, accept_fn *fn)
{
	int err = l ? listener_serve(l, s, fn, NULL) : 0;

	if (err)
		log_error("listener.failed", "shard=%d error=%d next=\"this shard accepts nothing there\"", s->index, -err);
}

void federation_serve(struct app *app, struct shard *s)
{
	struct federation *f = app->federation;

	if (!f)
		return;
	if (s2s_start(s->core, &f->shared)) {
		log_error("s2s.nameserver", "value=\"%s\" next=\"no other server is reached\"", config_str(app->config, "s2s.nameserver"));
		return;
	}
	serve(f->plain, s, on_plain);
	serve(f->direct, s, on_direct);
}

void federation_stop(struct app *app, struct shard *s)
{
	if (!app->federation)
		return;
	listener_stop(app->federation->plain, s);
	listener_stop(app->federation->direct, s);
}

void federation_end(struct core *c)
{
	s2s_free(c);
}

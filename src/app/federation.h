/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Streams with other servers, glued to the process: listeners, certificates, what the shards share. Off without listen.s2s. */
#ifndef APP_FEDERATION_H
#define APP_FEDERATION_H

#include "app/app.h"
#include "core/core.h"

/* Binds the listeners and makes the contexts from app->tls, into app->federation; NULL when it is off. Returns 0; -errno with a
 * sentence in err. */
int federation_open(struct app *app, char *err, size_t err_n);
/* Before the shards start. */
void federation_prepare(struct app *app, struct env *env);
/* In each shard: at its start, and at its end. */
void federation_serve(struct app *app, struct shard *s);
void federation_stop(struct app *app, struct shard *s);
/* When its thread has ended, before core_free. */
void federation_end(struct core *c);
/* The contexts for a new certificate. Returns 0; -errno with a sentence in err: the old ones stay. */
int federation_reload(struct app *app, const struct config *c, struct tls_ctx *tls, char *err, size_t err_n);
void federation_free(struct app *app);
/* For the greeting; NULL: off. */
struct listener *federation_listener(const struct app *app, bool direct_tls);

#endif

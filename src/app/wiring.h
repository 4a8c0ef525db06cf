/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Glues the layers together: core in every shard, streams and HTTP on the listeners, the command socket. Main thread only. */
#ifndef APP_WIRING_H
#define APP_WIRING_H

#include "app/app.h"

/* Starts the shards and lets the listeners accept. Returns 0; -errno, the reason is in the log; nothing runs then. */
int wiring_start(struct app *app);
/* A new configuration and certificate for new connections and decisions. config lives until after wiring_stop;
 * a reference on tls is the callee's to take. */
void wiring_reload(struct app *app, const struct config *config, struct tls_ctx *tls);
/* Stops accepting, ends all sessions with system-shutdown, waits until their output is gone (at most max_ms), stops the shards. */
void wiring_stop(struct app *app, int max_ms);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server process: what `anser serve` opens, in the order of the fields, and gives to wiring_start. */
#ifndef APP_APP_H
#define APP_APP_H

#include "account/host.h"
#include "admin/command.h"
#include "base/config.h"
#include "net/listener.h"
#include "net/tls.h"

enum { APP_PATH_MAX = 4096, APP_URL_MAX = 512 };

struct federation;
struct wiring; /* what wiring.c keeps for itself */

struct app {
	/* In a shard's thread: container_of(s->all, struct app, shards). wiring_start starts them. */
	struct shards shards;
	const struct config *config; /* of the start; wiring hands newer ones to the shards */
	char data_dir[APP_PATH_MAX];
	char web_url[APP_URL_MAX]; /* "https://host:8443", no / at the end */
	struct store *store;
	struct pool *pool;
	struct accounts accounts; /* of the main host */
	struct hosts hosts;
	struct tls_ctx *tls;
	struct components *components;
	struct federation *federation; /* NULL: other servers are not reached */
	struct listener *c2s, *c2s_tls, *https, *component; /* bound, not yet accepting; NULL: off */
	struct admin admin;			/* wiring fills admin.hooks */
	struct wiring *wiring;
};

#endif

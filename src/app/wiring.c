/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Glues the layers together: for now the shards, so that the command socket answers. */
#include "app/wiring.h"

int wiring_start(struct app *app)
{
	return shards_start(&app->shards, NULL);
}

void wiring_reload(struct app *app, const struct config *config, struct tls_ctx *tls)
{
	(void)tls; /* no listener accepts yet */
}

void wiring_stop(struct app *app, int max_ms)
{
	shards_stop(&app->shards);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0199 2.0.1 XMPP Ping: the server and each account answer. */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static void ping(struct iq *iq)
{
	iq_result(iq, NULL);
}

static const struct spec specs[] = { { "XEP-0199", "2.0.1" }, { NULL, NULL } };
static const char *const disco[] = { NS_PING, NULL };
static const struct iq_route routes[] = { { NS_PING, "ping", IQ_ROUTE_GET, TO_SELF | TO_SERVER, ping }, { 0 } };

const struct feature feature_ping = {
	.name = "ping",
	.specs = specs,
	.disco_server = disco,
	.disco_account = disco,
	.iq = routes,
};

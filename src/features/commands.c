/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0050 1.3 ad-hoc commands: the route; the commands are rows of other features. */
#include "core/command.h"
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static const struct spec specs[] = { { "XEP-0050", "1.3.0" }, { "XEP-0004", "2.13.1" }, { NULL, NULL } };
static const char *const disco[] = { NS_COMMANDS, NS_DATA, NULL };
static const struct iq_route routes[] = { { NS_COMMANDS, "command", IQ_ROUTE_SET, TO_SELF | TO_SERVER, command_run }, { 0 } };

const struct feature feature_commands = {
	.name = "commands",
	.specs = specs,
	.disco_server = disco,
	.disco_account = disco,
	.iq = routes,
};

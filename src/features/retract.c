/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0424 0.4.2 Message Retraction: says that tombstones are made (core/retract). */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static const struct spec specs[] = { { "XEP-0424", "0.4.2" }, { NULL, NULL } };
static const char *const disco[] = { NS_RETRACT, NS_RETRACT "#tombstone", NULL };

const struct feature feature_retract = {
	.name = "retract",
	.specs = specs,
	.disco_server = disco,
	.disco_account = disco,
};

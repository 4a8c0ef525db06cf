/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0466 0.1.0 Ephemeral Messages: the archives keep to the timers (core/ephemeral). The namespace as a feature is for clients,
 * who promise to delete; a server only passes the messages on. */
#include "core/ephemeral.h"
#include "core/feature.h"

static const struct spec specs[] = { { "XEP-0466", "0.1.0" }, { NULL, NULL } };

const struct feature feature_ephemeral = {
	.name = "ephemeral",
	.specs = specs,
	.on_start = ephemeral_start,
};

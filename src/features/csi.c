/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0352 1.0.0 Client State Indication: the announcement and its options. What is held back is decided in core/weight and kept in
 * core/csi; the client's word comes in through xmpp/stream. */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static void stream_features(struct core *c, struct xml *features, struct arena *a)
{
	xml_add(a, features, "csi", NS_CSI);
}

static const struct option options[] = {
	{ "csi.hold", OPT_TIME, "10m", 1000, 3600000, NULL,
		"The longest time that presence and other light things are held back for an inactive client." },
	{ "csi.hold_rooms", OPT_BOOL, "false", 0, 0, NULL,
		"Hold back, too, messages of rooms that do not name the user." },
	{ NULL },
};
static const struct spec specs[] = { { "XEP-0352", "1.0.0" }, { NULL, NULL } };

const struct feature feature_csi = {
	.name = "csi",
	.specs = specs,
	.options = options,
	.stream_features = stream_features,
};

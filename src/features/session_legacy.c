/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 3921 §3 session establishment: nothing to do any more, but old clients ask. */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static void session(struct iq *iq)
{
	iq_result(iq, NULL);
}

static const struct option options[] = {
	{ "sm.resume", OPT_TIME, "5m", 1000, 86400000, NULL, "How long a lost session waits to be resumed (XEP-0198)." },
	{ NULL },
};
static const struct spec specs[] = { { "XEP-0198", "1.6.3" }, { NULL, NULL } };
static const struct iq_route routes[] = { { NS_SESSION, "session", IQ_ROUTE_SET, TO_SELF | TO_SERVER, session }, { 0 } };

const struct feature feature_session_legacy = { .name = "session", .specs = specs, .options = options, .iq = routes };

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* RFC 3921 §3 session establishment: nothing to do any more, but old clients ask. */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

static void session(struct iq *iq)
{
	iq_result(iq, NULL);
}

static const struct iq_route routes[] = { { NS_SESSION, "session", IQ_ROUTE_SET, TO_SELF | TO_SERVER, session }, { 0 } };

const struct feature feature_session_legacy = { .name = "session", .iq = routes };

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Other servers: the row. XEP-0220 Server Dialback, XEP-0185 its keys, XEP-0344 where TLS makes it needless, XEP-0178 SASL EXTERNAL,
 * XEP-0288 both ways on one stream, RFC 7673 DANE, RFC 4985 SRVName. What they do is xmpp/s2s*.c, net/resolver and net/tls_peer. */
#include "core/feature.h"

static const struct spec specs[] = { { "XEP-0220", "1.1.1" }, { "XEP-0185", "1.0" }, { "XEP-0344", "0.4" }, { "XEP-0178", "1.2" },
	{ "XEP-0288", "1.0.1" }, { "RFC 7673", "2015-10" }, { NULL, NULL } };

const struct feature feature_federation = {
	.name = "federation",
	.specs = specs,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where the WebSocket endpoint is: XEP-0156 1.4 (RFC 6415 host-meta as XRD and as JRD). Any origin may ask. */
#include "http/exchange.h"

static const char rel[] = "urn:xmpp:alt-connections:websocket";

/* "https://host:8443" → "wss://host:8443/xmpp-websocket". */
static struct str endpoint(struct exchange *x)
{
	struct str url = x->host->web_url, scheme = STR("https://");

	if (str_starts(url, scheme))
		url = (struct str){ url.p + scheme.n, url.n - scheme.n };
	return arena_printf(shard_arena(x->http->shard), "wss://%.*s/xmpp-websocket", STR_ARG(url));
}

void host_meta_xml(struct exchange *x)
{
	struct str at = endpoint(x);
	struct str body = arena_printf(shard_arena(x->http->shard),
		"<?xml version='1.0' encoding='utf-8'?>\n"
		"<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n"
		"  <Link rel='%s' href='%.*s'/>\n"
		"</XRD>\n",
		rel, STR_ARG(at));

	exchange_reply(x, 200, NULL, "application/xrd+xml; charset=utf-8", body);
}

void host_meta_json(struct exchange *x)
{
	struct str at = endpoint(x);

	exchange_json(x, 200, json_pack("{s[{ss ss%}]}", "links", "rel", rel, "href", at.p, at.n));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Which handler serves which path: one table. Exact rows come before prefixes; the last row is the web client's. */
#include "http/exchange.h"

enum { READ = HTTP_M_GET | HTTP_M_HEAD };

static const struct route routes[] = {
	{ "/.well-known/host-meta", false, READ, BODY_NONE, true, host_meta_xml },
	{ "/.well-known/host-meta.json", false, READ, BODY_NONE, true, host_meta_json },
	{ "/xmpp-websocket", false, HTTP_M_GET, BODY_NONE, false, websocket_upgrade },
	{ "/http-bind", false, READ | HTTP_M_POST | HTTP_M_OPTIONS, BODY_STREAM, false, bosh_serve },
	{ "/http-bind/", false, READ | HTTP_M_POST | HTTP_M_OPTIONS, BODY_STREAM, false, bosh_serve },
	{ "/api/v1/server", false, READ, BODY_NONE, false, api_server },
	{ "/api/v1/setup", false, HTTP_M_POST, BODY_JSON, false, api_setup },
	{ "/api/v1/register", false, HTTP_M_POST, BODY_JSON, false, api_register },
	{ "/api/v1/invite/", true, READ, BODY_NONE, false, api_invite },
	{ "/.well-known/oauth-authorization-server", false, READ, BODY_NONE, true, oauth_metadata },
	{ "/oauth/register", false, HTTP_M_POST, BODY_JSON, true, oauth_register },
	{ "/oauth/authorize", false, READ | HTTP_M_POST, BODY_STREAM, false, oauth_authorize },
	{ "/oauth/token", false, HTTP_M_POST, BODY_STREAM, true, oauth_token },
	{ "/upload/", true, READ | HTTP_M_PUT | HTTP_M_PATCH, BODY_STREAM, true, upload_serve },
	{ "/healthz", false, READ, BODY_NONE, false, health_live },
	{ "/readyz", false, READ, BODY_NONE, false, health_ready },
	{ "/metrics", false, READ, BODY_NONE, false, health_metrics },
	{ "/api/", true, READ | HTTP_M_POST, BODY_NONE, false, api_unknown },
	{ "/", true, READ, BODY_NONE, false, static_serve },
};

const struct route *route_find(struct str path, struct str *out_rest)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct str at = str_of(routes[i].path);

		if (routes[i].prefix ? !str_starts(path, at) : !str_eq(path, at))
			continue;
		*out_rest = (struct str){ path.p + at.n, path.n - at.n };
		return &routes[i];
	}
	return NULL; /* "*" */
}

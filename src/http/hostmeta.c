/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where WebSocket and BOSH are: XEP-0156 1.4 (RFC 6415 host-meta as XRD and as JRD), and in the JRD, when the operator has named the
 * server's addresses, everything that XEP-0487 0.1.0 tells. Any origin may ask. Left out of XEP-0487: pins, ECH, QUIC. */
#include "http/exchange.h"

enum { TTL_S = 3600, PRIORITY_TLS = 10, PRIORITY_WEB = 15, PRIORITY_BOSH = 20, WEIGHT = 50 };

/* "https://host:8443" and "wss" → "wss://host:8443PATH". */
static struct str endpoint(struct exchange *x, const char *scheme, const char *path)
{
	struct str url = x->host->web_url, https = STR("https://");

	if (str_starts(url, https))
		url = (struct str){ url.p + https.n, url.n - https.n };
	return arena_printf(shard_arena(x->http->shard), "%s://%.*s%s", scheme, STR_ARG(url), path);
}

static const struct {
	const char *rel, *scheme, *path;
	int priority;
} web[] = {
	{ "urn:xmpp:alt-connections:websocket", "wss", "/xmpp-websocket", PRIORITY_WEB },
	{ "urn:xmpp:alt-connections:xbosh", "https", "/http-bind", PRIORITY_BOSH },
};

static size_t web_n(const struct exchange *x)
{
	return x->http->cfg->on_bosh ? ARRAY_LEN(web) : 1;
}

void host_meta_xml(struct exchange *x)
{
	struct buf b = { 0 };

	buf_puts(&b, "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n");
	for (size_t i = 0; i < web_n(x); i++)
		buf_printf(&b, "  <Link rel='%s' href='%.*s'/>\n", web[i].rel, STR_ARG(endpoint(x, web[i].scheme, web[i].path)));
	buf_puts(&b, "</XRD>\n");
	exchange_reply(x, 200, NULL, "application/xrd+xml; charset=utf-8", buf_view(&b));
	buf_free(&b);
}

/* ---- XEP-0487 §3.1 ---- */

static json_t *addresses(const struct exchange *x)
{
	struct str rest = x->http->cfg->addresses;
	json_t *v = json_array();

	while (rest.n) {
		struct str one = str_cut(rest, ' ', &rest);

		if (one.n)
			json_array_append_new(v, json_stringn(one.p, one.n));
	}
	return v;
}

static void add_way(const struct exchange *x, json_t *link, int priority, struct str sni)
{
	json_object_set_new(link, "priority", json_integer(priority));
	json_object_set_new(link, "weight", json_integer(WEIGHT));
	json_object_set_new(link, "sni", json_stringn(sni.p, sni.n));
	json_object_set_new(link, "ips", addresses(x));
}

/* Direct TLS (XEP-0368); port 0: there is none. */
static void add_port(const struct exchange *x, json_t *links, const char *rel, int port)
{
	json_t *link;

	if (!port)
		return;
	link = json_pack("{ss si}", "rel", rel, "port", port);
	add_way(x, link, PRIORITY_TLS, x->host->domain);
	json_array_append_new(links, link);
}

/* The host of "https://host:8443". */
static struct str web_name(const struct exchange *x)
{
	struct str url = x->host->web_url, rest, https = STR("https://");

	if (str_starts(url, https))
		url = (struct str){ url.p + https.n, url.n - https.n };
	return str_cut(url, ':', &rest);
}

void host_meta_json(struct exchange *x)
{
	const struct http_config *cfg = x->http->cfg;
	json_t *root = json_object(), *links = json_array(), *link;

	for (size_t i = 0; i < web_n(x); i++) {
		struct str at = endpoint(x, web[i].scheme, web[i].path);

		link = json_pack("{ss ss%}", "rel", web[i].rel, "href", at.p, at.n);
		if (cfg->addresses.n)
			add_way(x, link, web[i].priority, web_name(x));
		json_array_append_new(links, link);
	}
	if (cfg->addresses.n) {
		json_object_set_new(root, "xmpp", json_pack("{si}", "ttl", TTL_S));
		add_port(x, links, "urn:xmpp:alt-connections:tls", cfg->c2s_tls_port);
		add_port(x, links, "urn:xmpp:alt-connections:s2s-tls", cfg->s2s_tls_port);
	}
	json_object_set_new(root, "links", links);
	exchange_json(x, 200, root);
}

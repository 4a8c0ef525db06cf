/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0363 1.1.0 HTTP File Upload, the XMPP side: slots at upload.DOMAIN. The files themselves are http/upload. */
#include <stdlib.h>

#include "account/slot.h"
#include "base/base64.h"
#include "base/clock.h"
#include "core/feature.h"
#include "core/router.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { TYPE_MAX = 128 };

/* A name that can stand as one segment of a URL path: no separators, no controls, no dot at the start. */
static bool refused_in_name(unsigned char c, bool first)
{
	return c < 0x20 || c == 0x7f || strchr("/\\:*?\"<>|", c) || (first && c == '.');
}

static struct str clean_name(struct arena *a, struct str name)
{
	char *p = arena_alloc(a, SLOT_NAME_MAX + 1);
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < SLOT_NAME_MAX; i++) {
		unsigned char c = (unsigned char)name.p[i];

		p[n] = refused_in_name(c, n == 0) ? '_' : (char)c;
		n++;
	}
	while (n && ((unsigned char)p[n - 1] & 0xc0) == 0x80 && name.n > n) /* do not cut a UTF-8 sequence */
		n--;
	if (name.n > n && n && (unsigned char)p[n - 1] >= 0xc0)
		n--;
	if (n == 0)
		return STR("file");
	return (struct str){ p, n };
}

static struct str percent(struct arena *a, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	char *p = arena_alloc(a, s.n * 3 + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c))) {
			p[n++] = (char)c;
			continue;
		}
		p[n++] = '%';
		p[n++] = hex[c >> 4];
		p[n++] = hex[c & 15];
	}
	return (struct str){ p, n };
}

static uint64_t max_bytes(struct core *c)
{
	return (uint64_t)config_int(core_config(c), "upload.max_bytes");
}

static void too_large(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *app = xml_new(a, "file-too-large", NS_UPLOAD);

	xml_add_text(a, app, "max-file-size", arena_printf(a, "%llu", (unsigned long long)max_bytes(iq->core)));
	iq_error_app(iq, ERR_NOT_ACCEPTABLE, "The file is larger than this server takes.", app);
}

static void request(struct iq *iq)
{
	struct core *c = iq->core;
	struct arena *a = core_arena(c);
	struct host *host = core_host_of(c, jid_domain(iq->st->to));
	struct str name = xml_get(iq->el, "filename"), type = xml_get(iq->el, "content-type"), token, url;
	struct slot slot = { 0 };
	struct xml *r, *put;

	if (!str_eq(jid_domain(iq->st->from), host->domain) || !iq->st->from.node_n) {
		iq_error(iq, ERR_FORBIDDEN, NULL);
		return;
	}
	if (!name.n || str_u64(xml_get(iq->el, "size"), INT64_MAX, &slot.size) || slot.size == 0 || type.n > TYPE_MAX) {
		iq_error(iq, ERR_BAD_REQUEST, "A slot needs a filename and a size.");
		return;
	}
	if (slot.size > max_bytes(c)) {
		too_large(iq);
		return;
	}
	slot.name = clean_name(a, name);
	slot.owner = host->accounts->scope.n ? jid_bare_str(iq->st->from) : jid_node(iq->st->from);
	slot.type = type;
	slot.expires_ms = clock_wall_ms() + SLOT_MINUTES * 60000ull;
	slot_make(c->env->accounts, a, &slot, &token);
	url = arena_printf(a, "%.*s/upload/%.*s/%.*s", STR_ARG(host->web_url), STR_ARG(slot.id), STR_ARG(percent(a, slot.name)));
	r = xml_new(a, "slot", NS_UPLOAD);
	put = xml_add(a, r, "put", NULL);
	xml_set(a, put, "url", url);
	xml_set(a, xml_add_text(a, put, "header", arena_printf(a, "Bearer %.*s", STR_ARG(token))), "name", STR("Authorization"));
	xml_set(a, xml_add(a, r, "get", NULL), "url", url);
	iq_result(iq, r);
}

static void info(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO), *id = xml_add(a, q, "identity", NULL), *form;

	xml_set(a, id, "category", STR("store"));
	xml_set(a, id, "type", STR("file"));
	xml_set(a, id, "name", STR("Files"));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_DISCO_INFO));
	xml_set(a, xml_add(a, q, "feature", NULL), "var", STR(NS_UPLOAD));
	form = form_new(a, q, "result", NS_UPLOAD);
	form_field(a, form, NULL, "max-file-size", NULL, arena_printf(a, "%llu", (unsigned long long)max_bytes(iq->core)));
	iq_result(iq, q);
}

static void items(struct iq *iq)
{
	iq_result(iq, xml_new(core_arena(iq->core), "query", NS_DISCO_ITEMS));
}

static void pong(struct iq *iq)
{
	iq_result(iq, NULL);
}

static const struct iq_route at_service[] = {
	{ NS_UPLOAD, "request", IQ_ROUTE_GET, TO_SERVER, request },
	{ NS_DISCO_INFO, "query", IQ_ROUTE_GET, TO_SERVER, info },
	{ NS_DISCO_ITEMS, "query", IQ_ROUTE_GET, TO_SERVER, items },
	{ NS_PING, "ping", IQ_ROUTE_GET, TO_SERVER, pong },
	{ 0 },
};

static void stanza(struct core *c, struct transit *t)
{
	iq_only(c, t, at_service);
}

static const struct service service = { .label = "upload", .category = "store", .type = "file", .name = "Files", .stanza = stanza };
static const struct spec specs[] = { { "XEP-0363", "1.1.0" }, { NULL, NULL } };

const struct feature feature_upload = { .name = "upload", .specs = specs, .service = &service };

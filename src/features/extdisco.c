/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0215 1.0.0 external services: STUN and TURN servers of the configuration, with credentials that run out (the shared secret of
 * coturn's use-auth-secret: user "EXPIRY:TAG", password base64(HMAC-SHA-1(secret, user))). Accounts of this server only.
 * Left out: pushes; a client asks again when its credentials end. */
#include <errno.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/config.h"
#include "core/feature.h"
#include "crypto/hash.h"
#include "proto/xmpp/ns.h"

enum { SERVICES_MAX = 32, TAG_BYTES = 8 };

/* One word of services.external: TYPE:[USER:PASSWORD@]HOST[:PORT][/TRANSPORT], a host with colons in brackets. */
struct external {
	struct str type, user, password, host, port, transport;
};

static const struct option options[] = {
	{ "services.external", OPT_STRING, "", 0, 0, NULL,
		"Servers for calls, separated by spaces: TYPE:[USER:PASSWORD@]HOST[:PORT][/TRANSPORT], TYPE stun, stuns, turn or turns." },
	{ "services.secret", OPT_STRING, "", 0, 0, NULL,
		"The secret that the TURN servers share with this one (coturn: static-auth-secret); empty: no credentials are made." },
	{ "services.credentials_ttl", OPT_TIME, "12h", 60000, 7 * 86400000ll, NULL, "How long such credentials can be used." },
	{ NULL },
};

/* Cuts at the last sep. */
static struct str cut_last(struct str s, char sep, struct str *before)
{
	for (size_t i = s.n; i-- > 0;) {
		if (s.p[i] != sep)
			continue;
		*before = (struct str){ s.p, i };
		return (struct str){ s.p + i + 1, s.n - i - 1 };
	}
	*before = s;
	return STR_NONE;
}

static int parse(struct str word, struct external *out)
{
	struct external e = { 0 };
	struct str rest, cred;
	uint64_t port;

	e.type = str_cut(word, ':', &rest);
	e.transport = cut_last(rest, '/', &rest);
	e.host = cut_last(rest, '@', &cred);
	if (e.host.p)
		e.user = str_cut(cred, ':', &e.password);
	else
		e.host = rest;
	if (e.host.n && e.host.p[0] == '[') {
		e.host = str_cut((struct str){ e.host.p + 1, e.host.n - 1 }, ']', &rest);
		e.port = rest.n && rest.p[0] == ':' ? (struct str){ rest.p + 1, rest.n - 1 } : STR_NONE;
	} else {
		e.host = str_cut(e.host, ':', &e.port);
	}
	if (!e.type.n || !e.host.n || (e.port.n && (str_u64(e.port, 65535, &port) || !port)))
		return -EBADMSG;
	*out = e;
	return 0;
}

/* Those of the configuration that make sense. Returns their number. */
static size_t services(struct core *c, struct external *v)
{
	struct str words = str_of(config_str(core_config(c), "services.external"));
	size_t n = 0;

	while (words.n && n < SERVICES_MAX) {
		struct str word = str_cut(words, ' ', &words);

		if (word.n && !parse(word, &v[n]))
			n++;
	}
	return n;
}

static bool is_relay(const struct external *e)
{
	return str_is(e->type, "turn") || str_is(e->type, "turns");
}

/* The tag lets the relay count per account without telling it who that is. */
static struct str tag_of(struct iq *iq)
{
	const struct accounts *ac = iq->core->env->accounts;
	struct arena *a = core_arena(iq->core);
	struct str text = arena_printf(a, "turn %.*s", STR_ARG(jid_bare_str(iq->st->from)));
	uint8_t mac[HASH_MAX];

	hmac(HASH_SHA256, (struct str){ (const char *)ac->secret, sizeof(ac->secret) }, text, mac);
	return hex_encode(a, (struct str){ (char *)mac, TAG_BYTES });
}

/* Credentials of the configuration, or made from the secret. Returns false when there are none. */
static bool add_credentials(struct iq *iq, struct xml *el, const struct external *e)
{
	struct arena *a = core_arena(iq->core);
	const struct config *cfg = core_config(iq->core);
	struct str secret = str_of(config_str(cfg, "services.secret")), user;
	uint64_t expires_ms = clock_wall_ms() + (uint64_t)config_int(cfg, "services.credentials_ttl");
	uint8_t mac[HASH_MAX];

	if (e->user.n) {
		xml_set(a, el, "username", e->user);
		xml_set(a, el, "password", e->password);
		return true;
	}
	if (!secret.n || !is_relay(e))
		return false;
	user = arena_printf(a, "%llu:%.*s", (unsigned long long)(expires_ms / 1000), STR_ARG(tag_of(iq)));
	hmac(HASH_SHA1, secret, user, mac);
	xml_set(a, el, "username", user);
	xml_set(a, el, "password", base64_encode(a, (struct str){ (char *)mac, hash_size(HASH_SHA1) }));
	xml_set(a, el, "expires", time_format(a, expires_ms / 1000 * 1000));
	return true;
}

static struct xml *add_service(struct iq *iq, struct xml *parent, const struct external *e)
{
	struct arena *a = core_arena(iq->core);
	struct xml *el = xml_add(a, parent, "service", NULL);

	xml_set(a, el, "type", e->type);
	xml_set(a, el, "host", e->host);
	if (e->port.n)
		xml_set(a, el, "port", e->port);
	if (e->transport.n)
		xml_set(a, el, "transport", e->transport);
	return el;
}

static bool may_ask(struct iq *iq)
{
	if (iq->session)
		return true;
	iq_error(iq, ERR_FORBIDDEN, NULL);
	return false;
}

static void list(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct external v[SERVICES_MAX];
	struct str type = xml_get(iq->el, "type");
	struct xml *out = xml_new(a, "services", NS_EXTDISCO);
	size_t n;

	if (!may_ask(iq))
		return;
	if (type.p)
		xml_set(a, out, "type", type);
	n = services(iq->core, v);
	for (size_t i = 0; i < n; i++) {
		struct xml *el;

		if (type.p && !str_eq(type, v[i].type))
			continue;
		el = add_service(iq, out, &v[i]);
		if (!add_credentials(iq, el, &v[i]) && is_relay(&v[i]))
			xml_set(a, el, "restricted", STR("true"));
	}
	iq_result(iq, out);
}

static void credentials(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *wanted = xml_child(iq->el, "service", NULL), *out = xml_new(a, "credentials", NS_EXTDISCO);
	struct str host = xml_get(wanted ? wanted : iq->el, "host"), type = xml_get(wanted ? wanted : iq->el, "type");
	struct str port = wanted ? xml_get(wanted, "port") : STR_NONE;
	struct external v[SERVICES_MAX];
	size_t n;

	if (!may_ask(iq))
		return;
	if (!wanted || xml_next_same(wanted) || !host.n || !type.n) {
		iq_error(iq, ERR_BAD_REQUEST, "One service with a host and a type is asked for.");
		return;
	}
	n = services(iq->core, v);
	for (size_t i = 0; i < n; i++) {
		struct xml *el;

		if (!str_eq(type, v[i].type) || !str_eq_nocase(host, v[i].host) || (port.n && !str_eq(port, v[i].port)))
			continue;
		el = add_service(iq, out, &v[i]);
		if (!add_credentials(iq, el, &v[i]))
			xml_detach(el);
	}
	if (out->first)
		iq_result(iq, out);
	else
		iq_error(iq, ERR_ITEM_NOT_FOUND, "There are no credentials for this service.");
}

static const struct spec specs[] = { { "XEP-0215", "1.0.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_EXTDISCO, NULL };
static const struct iq_route routes[] = {
	{ NS_EXTDISCO, "services", IQ_ROUTE_GET, TO_SERVER, list },
	{ NS_EXTDISCO, "credentials", IQ_ROUTE_GET, TO_SERVER, credentials },
	{ 0 },
};

const struct feature feature_extdisco = {
	.name = "extdisco",
	.specs = specs,
	.disco_server = disco,
	.options = options,
	.iq = routes,
};

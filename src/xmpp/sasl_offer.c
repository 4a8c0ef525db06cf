/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a stream offers before authentication: mechanisms of RFC 6120 §6 and XEP-0388, channel bindings (XEP-0440 1.0.0), the string of
 * XEP-0474 0.5.0, the version of it all (XEP-0509 0.2.0). */
#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "core/feature.h"
#include "proto/xmpp/ns.h"
#include "xmpp/sasl.h"

enum { MECHANISMS_MAX = 16 };

static const char *const binding_types[] = { "tls-exporter", "tls-server-end-point" };

/* ---- channel binding ---- */

int sasl_binding_data(struct stream *st, const char *type, struct str *out)
{
	struct arena *a = core_arena(st->core);
	char *exporter;

	if (!st->conn) /* BOSH */
		return -ENOTSUP;
	if (strcmp(type, "tls-exporter") == 0) {
		exporter = arena_alloc(a, 32);
		*out = (struct str){ exporter, 32 };
		return conn_tls_exporter(st->conn, (uint8_t *)exporter);
	}
	if (strcmp(type, "tls-server-end-point") == 0)
		return conn_tls_end_point(st->conn, a, out);
	if (strcmp(type, "tls-unique") == 0) /* never advertised: docs/decisions/0006 */
		return conn_tls_unique(st->conn, a, out);
	return -ENOTSUP;
}

bool sasl_has_binding(struct stream *st)
{
	struct str data;

	/* A browser cannot reach its TLS connection, and a proxy may stand before us: none over WebSocket. */
	return !st->link->websocket && conn_is_tls(st->conn) && !sasl_binding_data(st, "tls-server-end-point", &data);
}

/* The types of this stream, ends with NULL. */
static const char **bindings(struct stream *st, struct arena *a)
{
	const char **v = arena_alloc(a, (ARRAY_LEN(binding_types) + 1) * sizeof(*v));
	struct str data;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(binding_types); i++)
		if (!sasl_binding_data(st, binding_types[i], &data))
			v[n++] = binding_types[i];
	v[n] = NULL;
	return v;
}

/* ---- mechanisms ---- */

bool sasl_offered(struct stream *st, const struct mechanism *m, bool fast)
{
	bool scram = m->next != NULL;

	if (m->fast != fast || (m->plus && !sasl_has_binding(st)))
		return false;
	if (m->grants && !config_bool(core_config(st->core), "access.oauth"))
		return false;
	return !scram || st->algs_lacking == 0 || !(st->algs_lacking & 1 << m->alg); /* XEP-0388 §2.2: what this account can do */
}

static void mechanisms(struct stream *st, struct arena *a, struct xml *parent, bool fast)
{
	for (const struct mechanism *m = sasl_table; m->name; m++)
		if (sasl_offered(st, m, fast))
			xml_add_text(a, parent, "mechanism", str_of(m->name));
}

bool sasl_fast_known(struct str name)
{
	for (const struct mechanism *m = sasl_table; m->name; m++)
		if (m->fast && str_is(name, m->name))
			return true;
	return false;
}

struct str sasl_advertised(struct stream *st, struct arena *a)
{
	const char *names[MECHANISMS_MAX + 1];
	size_t n = 0;

	for (const struct mechanism *m = sasl_table; m->name; m++)
		if (sasl_offered(st, m, false)) {
			must(n < MECHANISMS_MAX);
			names[n++] = m->name;
		}
	names[n] = NULL;
	return scram_advertised(a, names, sasl_has_binding(st) ? bindings(st, a) : NULL);
}

/* ---- features ---- */

static void channel_bindings(struct stream *st, struct arena *a, struct xml *features)
{
	struct xml *cb;

	if (!sasl_has_binding(st))
		return;
	cb = xml_add(a, features, "sasl-channel-binding", NS_SASL_CB);
	for (const char **type = bindings(st, a); *type; type++)
		xml_set(a, xml_add(a, cb, "channel-binding", NULL), "type", str_of(*type));
}

void sasl_features(struct stream *st, struct arena *a, struct xml *f)
{
	struct xml *m, *inl, *el;

	mechanisms(st, a, xml_add(a, f, "mechanisms", NS_SASL), false);
	m = xml_add(a, f, "authentication", NS_SASL2);
	mechanisms(st, a, m, false);
	inl = xml_add(a, m, "inline", NULL);
	mechanisms(st, a, xml_add(a, inl, "fast", NS_FAST), true);
	xml_add(a, inl, "sm", NS_SM);
	el = xml_add(a, inl, "bind", NS_BIND2);
	el = xml_add(a, el, "inline", NULL);
	xml_set(a, xml_add(a, el, "feature", NULL), "var", STR(NS_CARBONS));
	xml_set(a, xml_add(a, el, "feature", NULL), "var", STR(NS_SM));
	xml_set(a, xml_add(a, el, "feature", NULL), "var", STR(NS_CSI));
	sasl_upgrades(st, a, m);
	channel_bindings(st, a, f);
}

void sasl_config_version(struct stream *st, struct arena *a, struct xml *features)
{
	uint8_t digest[HASH_MAX];
	struct buf text = { 0 };
	struct xml *el;

	xml_write(&text, features, STR_NONE);
	hash(HASH_SHA256, buf_view(&text), digest);
	buf_free(&text);
	snprintf(st->config, sizeof(st->config), "%s", base64url_encode(a, (struct str){ (const char *)digest, 15 }).p);
	el = xml_add(a, features, "config-version", NS_IAP);
	xml_set(a, el, "scheme", STR("opaque"));
	xml_set(a, el, "value", str_of(st->config));
}

static void on_looked(struct shard *s, void *arg, int status, const struct signin *in)
{
	struct stream *st = arg;

	(void)s;
	if (!stream_woken(st))
		return;
	if (!status) /* else all are offered: the sign-in tells what is wrong */
		st->algs_lacking = (uint8_t)(SIGNIN_ALGS & ~in->algs);
	stream_features(st);
	stream_proceed(st);
}

void sasl_offer(struct stream *st)
{
	struct core *c = st->core;
	struct jid from;

	st->algs_lacking = signin_lacking(st->host->accounts);
	st->named = st->from && !jid_parse(core_arena(c), str_of(st->from), &from) && jid_node(from).n &&
		str_eq(jid_domain(from), st->host->domain);
	if (st->named && st->secure) {
		stream_wait(st);
		if (!signin_look(st->host->accounts, c->shard, jid_node(from), HASH_SHA256, on_looked, st))
			return;
		stream_woken(st);
	}
	stream_features(st);
}

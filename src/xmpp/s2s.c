/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Other servers: options, policy, and what a shard has of them. */
#include "xmpp/s2s.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/router.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "xmpp/s2s_priv.h"

const struct option s2s_options[] = {
	{ "s2s.nameserver", OPT_STRING, "", 0, 0, NULL, "ADDRESS:PORT of the DNS server, several with commas; empty: the system's." },
	{ "s2s.dnssec", OPT_BOOL, "false", 0, 0, NULL,
		"s2s.nameserver validates DNSSEC and the way to it is safe: its word counts, and TLSA records are followed (DANE)." },
	{ "s2s.ca_file", OPT_STRING, "", 0, 0, NULL, "PEM file with the roots that other servers' certificates must come from; empty: the system's." },
	{ "s2s.require_encryption", OPT_BOOL, "true", 0, 0, NULL, "Nothing is exchanged with another server without TLS." },
	{ "s2s.require_certificate", OPT_BOOL, "false", 0, 0, NULL,
		"Another server must show a certificate for its domain (PKIX or DANE); else dialback is enough." },
	{ "s2s.dialback", OPT_BOOL, "true", 0, 0, NULL, "Server dialback (XEP-0220) where certificates prove nothing." },
	{ "s2s.bidi", OPT_BOOL, "true", 0, 0, NULL, "One stream carries both directions where the other server agrees (XEP-0288)." },
	{ "s2s.allow", OPT_STRING, "", 0, 0, NULL, "Domains that are talked to, with spaces, *.DOMAIN for all below it; empty: all." },
	{ "s2s.deny", OPT_STRING, "", 0, 0, NULL, "Domains that are not talked to; goes before s2s.allow." },
	{ "s2s.connect_timeout", OPT_TIME, "30s", 100, 600000, NULL, "How long reaching another server and proving oneself may take." },
	{ "s2s.queue_time", OPT_TIME, "10m", 100, 7 * 86400000LL, NULL,
		"How long messages wait for a server that cannot be reached; then the sender gets them back." },
	{ "s2s.queue_stanzas", OPT_INT, "5000", 1, 1000000, NULL, "Stanzas that wait for one domain; more are given back to the sender." },
	{ "s2s.queue_bytes", OPT_SIZE, "16M", 1 << 10, 1 << 30, NULL, "Bytes that wait for one domain; more are given back to the sender." },
	{ "s2s.idle", OPT_TIME, "10m", 100, 86400000, NULL, "A stream without stanzas for so long is closed." },
	{ "s2s.keepalive", OPT_TIME, "3m", 100, 86400000, NULL, "A silent stream is asked for a sign of life after so long." },
	{ "s2s.rate", OPT_INT, "1000", 1, 1000000, NULL, "Stanzas per second taken from one stream; a faster one is read more slowly." },
	{ "s2s.connections_per_address", OPT_INT, "500", 1, 20000, NULL, "Connections of other servers from one address." },
	{ "s2s.streams_per_domain", OPT_INT, "20", 1, 10000, NULL, "Streams on which one domain sends." },
	{ NULL },
};

bool s2s_bool(const struct s2s *s, const char *option)
{
	return config_bool(core_config(s->core), option);
}

uint64_t s2s_int(const struct s2s *s, const char *option)
{
	return (uint64_t)config_int(core_config(s->core), option);
}

static bool matches(struct str pattern, struct str domain)
{
	if (!str_starts(pattern, STR("*.")))
		return str_eq_nocase(pattern, domain);
	pattern = (struct str){ pattern.p + 1, pattern.n - 1 };
	return domain.n > pattern.n && str_eq_nocase((struct str){ domain.p + domain.n - pattern.n, pattern.n }, pattern);
}

static bool is_listed(const char *list, struct str domain)
{
	struct str rest = str_of(list);

	while (rest.n) {
		struct str one = str_cut(rest, ' ', &rest);

		if (one.n && matches(one, domain))
			return true;
	}
	return false;
}

bool s2s_allows(const struct s2s *s, struct str domain)
{
	const char *allow = config_str(core_config(s->core), "s2s.allow");

	if (is_listed(config_str(core_config(s->core), "s2s.deny"), domain))
		return false;
	return !allow[0] || is_listed(allow, domain);
}

/* ---- dialback keys ---- */

void s2s_secret(struct s2s_shared *shared)
{
	uint8_t raw[32], digest[HASH_MAX];
	struct arena a;

	arena_init(&a);
	random_bytes(raw, sizeof(raw));
	hash(HASH_SHA256, (struct str){ (const char *)raw, sizeof(raw) }, digest);
	memcpy(shared->secret, hex_encode(&a, (struct str){ (const char *)digest, 32 }).p, 65);
	arena_fini(&a);
}

struct str s2s_key(struct s2s *s, struct str receiving, struct str originating, struct str id)
{
	struct arena *a = s2s_arena(s);
	uint8_t digest[HASH_MAX];

	hmac(HASH_SHA256, str_of(s->shared->secret),
		arena_printf(a, "%.*s %.*s %.*s", STR_ARG(receiving), STR_ARG(originating), STR_ARG(id)), digest);
	return hex_encode(a, (struct str){ (const char *)digest, 32 });
}

/* ---- streams per domain ---- */

bool s2s_count_in(struct s2s *s, const char *remote)
{
	struct s2s_count *c = map_get(&s->inbound, str_of(remote));
	size_t n = strlen(remote) + 1;

	if (c && c->n >= s2s_int(s, "s2s.streams_per_domain") && s2s_bool(s, "limits.enabled"))
		return false;
	if (!c) {
		c = mem_zalloc(sizeof(*c) + n);
		memcpy(c->name, remote, n);
		map_put(&s->inbound, str_of(c->name), c);
	}
	c->n++;
	return true;
}

void s2s_count_out(struct s2s *s, const char *remote)
{
	struct s2s_count *c = map_get(&s->inbound, str_of(remote));

	if (!c || --c->n)
		return;
	map_del(&s->inbound, str_of(c->name));
	free(c);
}

/* ---- start and end ---- */

static void on_left_behind(struct core *c, struct outbox_key key, struct stanza *st);

int s2s_start(struct core *c, const struct s2s_shared *shared)
{
	const char *servers = config_str(core_config(c), "s2s.nameserver");
	struct s2s *s = mem_zalloc(sizeof(*s));
	int rc;

	s->core = c;
	s->shared = shared;
	list_init(&s->resumable);
	rc = resolver_new(c->shard, servers, servers[0] && config_bool(core_config(c), "s2s.dnssec"), &s->resolver);
	if (rc) {
		free(s);
		return rc;
	}
	c->slot[SLOT_S2S] = s;
	outbox_load(c, on_left_behind);
	return 0;
}

void s2s_free(struct core *c)
{
	struct s2s *s = s2s_of(c);
	uint32_t pos = 0;
	struct str key;
	void *value;

	if (!s)
		return;
	s2s_sm_free_all(s);
	while (map_next(&s->pairs, &pos, &key, &value))
		s2s_pair_free(value);
	map_fini(&s->pairs);
	pos = 0;
	while (map_next(&s->inbound, &pos, &key, &value))
		free(value);
	map_fini(&s->inbound);
	ids_fini(&s->streams);
	ids_fini(&s->sms);
	resolver_free(s->resolver);
	free(s);
	c->slot[SLOT_S2S] = NULL;
}

/* ---- stanzas to other servers ---- */

static void push(struct s2s_pair *p, struct stanza *st, struct outbox_key key)
{
	struct s2s_item *i = mem_zalloc(sizeof(*i));

	i->packed = stanza_pack(st);
	i->key = key;
	i->since_ms = p->s2s->core->shard->loop.now_ms;
	s2s_pair_push(p, i);
}

static void on_left_behind(struct core *c, struct outbox_key key, struct stanza *st)
{
	struct s2s_pair *p = s2s_pair_get(s2s_of(c), jid_domain(st->from), jid_domain(st->to), true);

	if (p)
		push(p, st, key);
}

static void give_back(struct transit *t, enum stanza_error e, const char *text)
{
	router_error(t->core, t->st, e, text);
	transit_finish(t);
}

void s2s_route(struct core *c, struct transit *t)
{
	struct s2s *s = s2s_of(c);
	struct str local = jid_domain(t->st->from), remote = jid_domain(t->st->to);
	struct s2s_pair *p;
	struct outbox_key key = { 0 };

	if (!s || !local.n || !core_is_local(c, local)) {
		give_back(t, ERR_REMOTE_SERVER_NOT_FOUND, NULL);
		return;
	}
	if (!s2s_allows(s, remote)) {
		give_back(t, ERR_NOT_ALLOWED, "This server does not talk to that domain.");
		return;
	}
	if (c->closing) { /* what is worth it is sent after the next start */
		if (outbox_worthy(t->st))
			outbox_put(t);
		transit_finish(t);
		return;
	}
	p = s2s_pair_get(s, local, remote, true);
	if (!p || s2s_pair_is_full(p)) {
		give_back(t, ERR_RESOURCE_CONSTRAINT, "Too much waits for that server already.");
		return;
	}
	if (outbox_worthy(t->st)) {
		key = outbox_put(t);
	} else if (s2s_pair_is_down(p)) {
		give_back(t, ERR_REMOTE_SERVER_TIMEOUT, "That server cannot be reached at the moment.");
		return;
	}
	push(p, t->st, key);
	transit_finish(t);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The table of components, from three options of entries between semicolons: NAME and then words.
 *   components.secrets      irc.example.org SECRET; ...
 *   components.privileges   pubsub.example.org roster=both push=false message=outgoing presence=roster iq=NAMESPACE:set; ...
 *   components.delegations  pubsub.example.org NAMESPACE NAMESPACE{attribute,attribute}; ... */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/component.h"
#include "core/feature.h"
#include "core/privilege.h"
#include "proto/xmpp/ns.h"

const struct option component_options[] = {
	{ "components.secrets", OPT_STRING, "", 0, 0, NULL,
		"Domains that programs of their own serve (XEP-0114), each with the secret of its handshake: `NAME SECRET; NAME SECRET`." },
	{ "components.privileges", OPT_STRING, "", 0, 0, NULL,
		"What each may do with accounts (XEP-0356): `NAME roster=both push=false message=outgoing presence=roster "
		"iq=NAMESPACE:set; ...`; roster and iq are get, set or both, presence is managed_entity or roster." },
	{ "components.delegations", OPT_STRING, "", 0, 0, NULL,
		"Namespaces whose requests each answers (XEP-0355): `NAME NAMESPACE NAMESPACE{attribute,...}; ...`." },
	{ NULL },
};

/* Where a mistake is told. */
struct reading {
	struct components *cs;
	char *err;
	size_t err_n;
};

static int refuse(struct reading *r, struct str name, const char *why)
{
	snprintf(r->err, r->err_n, "components: \"%.*s\" %s", (int)(name.n < 100 ? name.n : 100), name.p ? name.p : "", why);
	return -EINVAL;
}

/* The next word, without the white space around it; empty at the end. */
static struct str word(struct str *rest)
{
	struct str s = str_trim(*rest), w = str_cut(s, ' ', rest);

	return w;
}

static struct component *named(const struct components *cs, struct str name)
{
	for (int i = 0; i < cs->n; i++)
		if (str_eq(cs->v[i]->name, name))
			return cs->v[i];
	return NULL;
}

static bool grant_types(struct str s, uint8_t *out)
{
	static const struct {
		const char *word;
		uint8_t types;
	} table[] = { { "none", 0 }, { "get", GRANT_GET }, { "set", GRANT_SET }, { "both", GRANT_GET | GRANT_SET } };

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (str_is(s, table[i].word)) {
			*out = table[i].types;
			return true;
		}
	}
	return false;
}

/* ---- secrets ---- */

static int read_secret(struct reading *r, struct str name, struct str rest)
{
	struct arena a;
	struct str normal, secret = word(&rest);
	struct component *cp;
	int status = 0;

	arena_init(&a);
	if (jid_nameprep(&a, name, &normal) || !str_eq(normal, name) || memchr(name.p, '@', name.n) || memchr(name.p, '/', name.n))
		status = refuse(r, name, "is not a domain name in lower case");
	else if (named(r->cs, name))
		status = refuse(r, name, "is there twice");
	else if (r->cs->n == COMPONENTS_MAX)
		status = refuse(r, name, "is one component too many");
	else if (secret.n < COMPONENT_SECRET_MIN || str_trim(rest).n)
		status = refuse(r, name, "needs a secret of 8 characters or more, without spaces");
	arena_fini(&a);
	if (status)
		return status;
	cp = mem_zalloc(sizeof(*cp));
	cp->name = name;
	cp->secret = secret;
	cp->index = r->cs->n;
	r->cs->v[r->cs->n++] = cp;
	return 0;
}

/* ---- privileges ---- */

static bool set_roster(struct component *cp, struct str value)
{
	if (!grant_types(value, &cp->roster))
		return false;
	cp->roster_push = cp->roster & GRANT_GET;
	return true;
}

static bool set_push(struct component *cp, struct str value)
{
	if (str_is(value, "false"))
		cp->roster_push = false;
	return str_is(value, "false") || (str_is(value, "true") && cp->roster_push);
}

static bool set_message(struct component *cp, struct str value)
{
	cp->message = str_is(value, "outgoing");
	return cp->message || str_is(value, "none");
}

static bool set_presence(struct component *cp, struct str value)
{
	cp->presence = str_is(value, "roster") ? PRESENCE_ROSTER : str_is(value, "managed_entity") ? PRESENCE_MANAGED : PRESENCE_NONE;
	return cp->presence || str_is(value, "none");
}

/* NAMESPACE:get, where the namespace has colons of its own. */
static bool set_iq(struct component *cp, struct str value)
{
	const char *colon = value.n ? memrchr(value.p, ':', value.n) : NULL;
	struct grant *g = &cp->iq[cp->iq_n];

	if (!colon || colon == value.p || cp->iq_n == COMPONENT_GRANTS_MAX)
		return false;
	g->ns = (struct str){ value.p, (size_t)(colon - value.p) };
	cp->iq_n++;
	return grant_types((struct str){ colon + 1, value.n - g->ns.n - 1 }, &g->types);
}

static int read_privileges(struct reading *r, struct str name, struct str rest)
{
	static const struct {
		const char *key;
		bool (*set)(struct component *cp, struct str value);
	} table[] = {
		{ "roster", set_roster }, { "push", set_push }, { "message", set_message }, { "presence", set_presence }, { "iq", set_iq },
	};
	struct component *cp = named(r->cs, name);
	struct str w, value, key;

	if (!cp)
		return refuse(r, name, "has privileges but no secret");
	while ((w = word(&rest)).n) {
		bool good = false;

		key = str_cut(w, '=', &value);
		for (size_t i = 0; i < ARRAY_LEN(table); i++)
			if (str_is(key, table[i].key))
				good = table[i].set(cp, value);
		if (!good)
			return refuse(r, w, "is not a privilege; push=true needs roster=get or roster=both before it");
	}
	if (cp->presence == PRESENCE_ROSTER && !(cp->roster & GRANT_GET)) /* XEP-0356 "Roster Presence" */
		return refuse(r, name, "may have presence=roster only with roster=get or roster=both");
	return 0;
}

/* ---- delegations ---- */

/* NAMESPACE or NAMESPACE{attribute,attribute}. */
static bool read_delegated(struct str w, struct grant *out)
{
	struct str list, ns = str_cut(w, '{', &list);

	out->ns = ns;
	if (!list.p)
		return ns.n > 0;
	if (!ns.n || list.n < 2 || list.p[list.n - 1] != '}')
		return false;
	list.n--;
	while (list.n) {
		struct str attr = str_cut(list, ',', &list);

		if (!attr.n || out->attrs_n == COMPONENT_ATTRS_MAX)
			return false;
		out->attrs[out->attrs_n++] = attr;
	}
	return true;
}

static int read_delegations(struct reading *r, struct str name, struct str rest)
{
	struct component *cp = named(r->cs, name);
	struct str w;

	if (!cp)
		return refuse(r, name, "has delegations but no secret");
	while ((w = word(&rest)).n) {
		if (cp->delegated_n == COMPONENT_GRANTS_MAX || !read_delegated(w, &cp->delegated[cp->delegated_n]))
			return refuse(r, w, "is not a namespace, or one too many; write NAMESPACE or NAMESPACE{attribute,attribute}");
		if (str_is(cp->delegated[cp->delegated_n].ns, NS_DELEGATION)) /* XEP-0355 business rule 5 */
			return refuse(r, w, "cannot be delegated");
		cp->delegated_n++;
		r->cs->delegating = true;
	}
	return 0;
}

/* ---- all ---- */

static int read_entries(struct reading *r, struct str text, int (*read)(struct reading *r, struct str name, struct str rest))
{
	while (text.n) {
		struct str entry = str_trim(str_cut(text, ';', &text)), name = word(&entry);
		int status = name.n ? read(r, name, entry) : 0;

		if (status)
			return status;
	}
	return 0;
}

int components_new(const struct config *config, struct components **out, char *err, size_t err_n)
{
	static const struct {
		const char *option;
		int (*read)(struct reading *r, struct str name, struct str rest);
	} table[] = {
		{ "components.secrets", read_secret },
		{ "components.privileges", read_privileges },
		{ "components.delegations", read_delegations },
	};
	struct components *cs = mem_zalloc(sizeof(*cs));
	struct reading r = { cs, err, err_n };
	size_t n = 0, at = 0;
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		n += strlen(config_str(config, table[i].option)) + 1;
	cs->text = mem_alloc(n);
	for (size_t i = 0; i < ARRAY_LEN(table) && !status; i++) {
		struct str own = { cs->text + at, strlen(config_str(config, table[i].option)) };

		memcpy(cs->text + at, config_str(config, table[i].option), own.n + 1);
		at += own.n + 1;
		status = read_entries(&r, own, table[i].read);
	}
	if (status)
		components_free(cs);
	else
		*out = cs;
	return status;
}

static bool is_taken(struct str name, const struct hosts *hosts, const struct feature *const *features)
{
	struct str rest, label = str_cut(name, '.', &rest);

	if (hosts_find(hosts, name))
		return true;
	for (const struct feature *const *f = features; hosts_find(hosts, rest) && *f; f++)
		if ((*f)->service && str_is(label, (*f)->service->label))
			return true;
	return false;
}

/* The host that the name is below, else the main one. */
static struct host *host_of(struct str name, const struct hosts *hosts)
{
	struct str rest = name;

	while (rest.n) {
		struct host *host = hosts_find(hosts, rest);

		if (host)
			return host;
		str_cut(rest, '.', &rest);
	}
	return hosts->v[0];
}

int components_place(struct components *cs, const struct hosts *hosts, struct shards *shards, const struct feature *const *features,
	char *err, size_t err_n)
{
	struct reading r = { cs, err, err_n };

	for (int i = 0; i < cs->n; i++) {
		struct component *cp = cs->v[i];

		if (is_taken(cp->name, hosts, features))
			return refuse(&r, cp->name, "is a domain that this server serves itself");
		cp->host = host_of(cp->name, hosts);
		cp->home = shard_of(shards, cp->name);
	}
	return 0;
}

static void component_free(struct component *cp)
{
	privilege_detached(cp);
	map_fini(&cp->seen);
	free(cp);
}

void components_free(struct components *cs)
{
	if (!cs)
		return;
	for (int i = 0; i < cs->n; i++)
		component_free(cs->v[i]);
	free(cs->text);
	free(cs);
}

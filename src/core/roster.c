/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Contacts: data, storage, pushes (RFC 6121 §2). */
#include "core/roster.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/privilege.h"
#include "proto/xmpp/ns.h"

static const char *const SUB_NAMES[] = { "none", "to", "from", "both" };

struct contact *roster_get(const struct user *u, struct str bare)
{
	return map_get(&u->roster, bare);
}

struct contact *roster_need(struct user *u, struct jid bare)
{
	struct contact *c = roster_get(u, bare.full);

	if (c || u->roster.n >= ROSTER_MAX)
		return c;
	c = mem_zalloc(sizeof(*c));
	c->jid = jid_dup(bare);
	map_put(&u->roster, c->jid.full, c);
	return c;
}

bool roster_sees_us(const struct contact *c)
{
	return c && (c->sub & SUB_FROM);
}

bool roster_we_see(const struct contact *c)
{
	return c && (c->sub & SUB_TO);
}

static void contact_free(struct contact *c)
{
	for (uint8_t i = 0; i < c->groups_n; i++)
		free(c->groups[i]);
	free(c->groups);
	free(c->name);
	blob_unref(c->request);
	free((void *)c->jid.full.p);
	free(c);
}

struct xml *roster_item(struct arena *a, struct xml *parent, const struct contact *c)
{
	struct xml *item = parent ? xml_add(a, parent, "item", NS_ROSTER) : xml_new(a, "item", NS_ROSTER);

	xml_set(a, item, "jid", c->jid.full);
	if (c->name)
		xml_set(a, item, "name", str_of(c->name));
	xml_set(a, item, "subscription", str_of(SUB_NAMES[c->sub & 3]));
	if (c->ask)
		xml_set(a, item, "ask", STR("subscribe"));
	if (c->approved)
		xml_set(a, item, "approved", STR("true"));
	for (uint8_t i = 0; i < c->groups_n; i++)
		xml_add_text(a, item, "group", str_of(c->groups[i]));
	return item;
}

struct str roster_ver(struct arena *a, const struct user *u)
{
	return arena_printf(a, "%llu", (unsigned long long)u->roster_ver);
}

static void push(struct user *u, struct xml *item)
{
	struct arena *a = core_arena(u->core);
	struct session *s;
	struct stanza st;

	stanza_new(a, ST_IQ, IQ_SET, &st);
	st.id = arena_printf(a, "push%llu", (unsigned long long)u->roster_ver);
	struct xml *query = xml_add(a, st.el, "query", NS_ROSTER);

	xml_set(a, query, "ver", roster_ver(a, u));
	xml_append(query, item);
	st.to = u->jid; /* fixed per session below; `from` is left out: RFC 6121 §2.1.6 */
	list_each(s, &u->sessions, in_user)
		if (s->roster_interested)
			session_send(s, &st, &s->jid);
	privilege_roster_push(u, &st);
	stanza_fini(&st);
}

/* The stored form: the item, and for requests that wait the packed stanza. */
static void save(struct user *u, struct contact *c, struct store_batch *b)
{
	struct arena *a = core_arena(u->core);
	struct xml *item = roster_item(a, NULL, c);
	struct buf text = { 0 };

	if (!c->listed)
		xml_set(a, item, "listed", STR("false"));
	if (c->pending_in)
		xml_set(a, item, "in", c->request ? base64_encode(a, blob_view(c->request)) : STR(""));
	xml_write(&text, item, STR_NONE);
	store_put(b, u->jid.full, STR("roster"), c->jid.full, buf_view(&text));
	buf_free(&text);
}

static void on_saved(struct shard *s, void *arg, int status)
{
	(void)s;
	(void)arg;
	if (status)
		log_error("roster.not_saved", "error=%d next=\"kept in memory until the account is loaded again\"", -status);
}

static void next_version(struct user *u, struct store_batch *b)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)++u->roster_ver);

	store_put(b, u->jid.full, STR("roster"), STR_NONE, (struct str){ text, (size_t)n });
	store_commit(u->core->env->store, u->core->shard, b, on_saved, NULL);
}

static bool holds_nothing(const struct contact *c)
{
	return !c->listed && !c->pending_in && !c->sub && !c->ask && !c->approved;
}

static void run_hooks(struct user *u, struct jid bare)
{
	for (const struct feature *const *f = u->core->env->features; *f; f++)
		if ((*f)->on_roster)
			(*f)->on_roster(u, bare);
}

void roster_save(struct user *u, struct contact *c, bool with_push)
{
	struct jid bare = jid_copy(core_arena(u->core), c->jid);
	struct store_batch *b = store_batch_new();
	bool gone = holds_nothing(c);

	if (!c->pending_in) {
		blob_unref(c->request);
		c->request = NULL;
	}
	if (gone)
		store_del(b, u->jid.full, STR("roster"), c->jid.full);
	else
		save(u, c, b);
	next_version(u, b);
	if (with_push && c->listed)
		push(u, roster_item(core_arena(u->core), NULL, c));
	if (gone) {
		map_del(&u->roster, c->jid.full);
		contact_free(c);
	}
	run_hooks(u, bare);
}

void roster_remove(struct user *u, struct contact *c)
{
	struct arena *a = core_arena(u->core);
	struct store_batch *b = store_batch_new();
	struct xml *item = xml_new(a, "item", NS_ROSTER);
	struct jid bare = jid_copy(a, c->jid);

	store_del(b, u->jid.full, STR("roster"), c->jid.full);
	next_version(u, b);
	xml_set(a, item, "jid", bare.full);
	xml_set(a, item, "subscription", STR("remove"));
	map_del(&u->roster, c->jid.full);
	contact_free(c);
	push(u, item);
	run_hooks(u, bare);
}

static void load_groups(struct contact *c, struct arena *a, struct xml *item)
{
	c->groups = mem_zalloc(ROSTER_GROUPS_MAX * sizeof(*c->groups));
	xml_each(g, item)
		if (str_is(g->name, "group") && c->groups_n < ROSTER_GROUPS_MAX)
			c->groups[c->groups_n++] = str_dup(xml_text_of(a, g));
}

static void load_request(struct contact *c, struct arena *a, struct xml *item)
{
	struct str in = xml_get(item, "in"), packed;

	c->pending_in = in.p != NULL;
	if (in.n && !base64_decode(a, in, &packed))
		c->request = blob_new(packed.p, packed.n);
}

void roster_load_item(struct user *u, struct str key, struct str value)
{
	struct arena *a = core_arena(u->core);
	struct contact *c;
	struct xml *item;

	if (str_empty(key)) {
		str_u64(value, UINT64_MAX, &u->roster_ver);
		return;
	}
	if (xml_parse(a, value, &item) || !(c = roster_need(u, jid_trust(key)))) {
		log_error("roster.bad_item", "next=\"the entry is left out\"");
		return;
	}
	c->listed = !str_is(xml_get(item, "listed"), "false");
	c->ask = xml_get(item, "ask").p != NULL;
	c->approved = xml_get(item, "approved").p != NULL;
	c->name = xml_get(item, "name").p ? str_dup(xml_get(item, "name")) : NULL;
	for (uint8_t i = 0; i < 4; i++)
		if (str_is(xml_get(item, "subscription"), SUB_NAMES[i]))
			c->sub = i;
	if (xml_child_any(item))
		load_groups(c, a, item);
	load_request(c, a, item);
}

void roster_free(struct user *u)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&u->roster, &pos, &key, &value)) {
		map_del(&u->roster, key);
		contact_free(value);
	}
	map_fini(&u->roster);
}

void roster_befriend_one(struct user *u, struct jid other)
{
	struct contact *c = roster_need(u, other);
	struct stanza st;
	struct session *s;

	if (!c || c->sub == (SUB_TO | SUB_FROM))
		return;
	if (c->ask) { /* the request that waited is answered */
		stanza_new(core_arena(u->core), ST_PRESENCE, PRES_SUBSCRIBED, &st);
		st.from = other;
		st.to = u->jid;
		list_each(s, &u->sessions, in_user)
			if (s->roster_interested)
				session_send(s, &st, NULL);
		stanza_fini(&st);
	}
	c->sub = SUB_TO | SUB_FROM;
	c->ask = c->pending_in = c->approved = false;
	c->listed = true;
	roster_save(u, c, true);
	presence_show_to(u, other);
}

struct befriend_mail {
	struct mail mail;
	struct str who, other;
	char bytes[];
};

static void on_befriended(struct user *u, void *arg)
{
	struct befriend_mail *m = arg;

	if (u && u->state == USER_READY)
		roster_befriend_one(u, jid_trust(m->other));
	free(m);
}

static void on_befriend(struct shard *s, struct mail *m)
{
	struct befriend_mail *b = container_of(m, struct befriend_mail, mail);

	user_with(s->core, b->who, on_befriended, b);
}

static const struct mail_kind MAIL_BEFRIEND = { .name = "roster.befriend", .handle = on_befriend, .must_arrive = true };

static void post_befriend(struct env *env, struct str who, struct str other)
{
	struct befriend_mail *m = mem_alloc(sizeof(*m) + who.n + other.n);

	m->mail.kind = &MAIL_BEFRIEND;
	memcpy(m->bytes, who.p, who.n);
	memcpy(m->bytes + who.n, other.p, other.n);
	m->who = (struct str){ m->bytes, who.n };
	m->other = (struct str){ m->bytes + who.n, other.n };
	shard_post(shard_of(env->shards, who), &m->mail);
}

void roster_befriend(struct env *env, struct str bare_a, struct str bare_b)
{
	post_befriend(env, bare_a, bare_b);
	post_befriend(env, bare_b, bare_a);
}

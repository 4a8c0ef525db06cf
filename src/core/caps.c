/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Capabilities of clients, XEP-0115 1.6.0: the cache and who waits for it. The hash is in core/caps_hash.c. */
#include "core/caps.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/ask.h"
#include "proto/xmpp/ns.h"

/* What one verification string stands for, or what one client said without a valid one. */
struct caps {
	struct list in_cache; /* oldest first; not linked: of one session, or dropped */
	uint32_t refs;
	struct blob *notify; /* NULL: no node */
	struct str key;	     /* "hash ver" */
	char bytes[];
};

/* A session, or somebody elsewhere, that waits for the answer of the one that was asked for the same key, or its own. */
struct caps_wait {
	struct list link; /* in cache->waits */
	id_t64 session;	  /* 0: somebody elsewhere */
	struct jid asker, who; /* of somebody elsewhere; own bytes */
	caps_found_fn *found;
	void *arg;
	bool asked;
	bool stale; /* the session has told another key since, or is gone */
	caps_fn *changed;
	struct str node, key; /* node: "node#ver" */
	char bytes[];
};

struct caps_cache {
	struct map known; /* key → struct caps */
	struct list order;
	struct list waits;
	uint32_t waits_n;
};

static struct caps_cache *cache_of(struct core *c)
{
	struct caps_cache *k = c->slot[SLOT_CAPS];

	if (!k) {
		k = mem_zalloc(sizeof(*k));
		list_init(&k->order);
		list_init(&k->waits);
		c->slot[SLOT_CAPS] = k;
	}
	return k;
}

static void unref(struct caps *p)
{
	if (!p || --p->refs)
		return;
	blob_unref(p->notify);
	free(p);
}

static void forget(struct caps_cache *k, struct caps *p)
{
	map_del(&k->known, p->key);
	list_del(&p->in_cache);
	unref(p);
}

static struct caps *caps_new(struct str key, struct blob *notify)
{
	struct caps *p = mem_zalloc(sizeof(*p) + key.n);

	memcpy(p->bytes, key.p, key.n);
	p->key = (struct str){ p->bytes, key.n };
	p->notify = notify;
	p->refs = 1;
	return p;
}

static void remember(struct caps_cache *k, struct caps *p)
{
	if (map_get(&k->known, p->key))
		return;
	if (k->known.n >= CAPS_CACHE_MAX)
		forget(k, list_first(&k->order, struct caps, in_cache));
	map_put(&k->known, p->key, p);
	list_push(&k->order, &p->in_cache);
	p->refs++;
}

/* ---- lists of names ---- */

bool caps_list_has(const struct blob *list, struct str node)
{
	const char *p = list ? list->p : NULL, *end = list ? list->p + list->n : NULL;

	while (p < end) {
		size_t n = strlen(p);

		if (n == node.n && memcmp(p, node.p, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

struct blob *caps_list_minus(const struct blob *a, const struct blob *b)
{
	struct buf out = { 0 };
	struct blob *r = NULL;

	for (const char *p = a ? a->p : NULL; p && p < a->p + a->n; p += strlen(p) + 1)
		if (!caps_list_has(b, str_of(p)))
			buf_put(&out, p, strlen(p) + 1);
	if (out.n)
		r = blob_new(out.p, out.n);
	buf_free(&out);
	return r;
}

/* The nodes of all features "NODE+notify". New reference, NULL: none. */
static struct blob *notify_of(const struct xml *query)
{
	struct buf out = { 0 };
	struct blob *r = NULL;
	int n = 0;

	for (const struct xml *f = xml_child(query, "feature", NULL); f && n < CAPS_NOTIFY_MAX; f = xml_next_same(f)) {
		struct str var = xml_get(f, "var");

		if (!str_ends(var, STR("+notify")) || var.n == 7 || out.n + var.n > CAPS_NOTIFY_BYTES)
			continue;
		buf_put(&out, var.p, var.n - 7);
		buf_putc(&out, '\0');
		n++;
	}
	if (out.n)
		r = blob_new(out.p, out.n);
	buf_free(&out);
	return r;
}

/* ---- a session's capabilities ---- */

/* Takes the reference of p. */
static void settle(struct session *s, struct caps *p, caps_fn *changed)
{
	struct caps *old = s->caps;
	struct blob *fresh = caps_list_minus(p ? p->notify : NULL, old ? old->notify : NULL);

	s->caps = p;
	unref(old);
	changed(s, fresh);
	blob_unref(fresh);
}

static void wait_free(struct core *c, struct caps_wait *w)
{
	struct caps_cache *k = c->slot[SLOT_CAPS];

	k->waits_n--;
	list_del(&w->link);
	free((void *)w->asker.full.p);
	free((void *)w->who.full.p);
	free(w);
}

/* Takes the reference of p (NULL: no answer) for the one who waits, who waits no longer. */
static void wait_end(struct core *c, struct caps_wait *w, struct caps *p)
{
	struct session *s = w->session ? session_get(c, w->session) : NULL;

	if (w->found)
		w->found(c, w->arg, p ? p->notify : NULL);
	if (s && p && !w->stale)
		settle(s, p, w->changed);
	else
		unref(p);
	wait_free(c, w);
}

static void on_reply(struct core *c, struct stanza *reply, void *arg);

/* Frees w and returns false when its session cannot be asked. */
static bool ask(struct core *c, struct caps_wait *w)
{
	struct session *s = w->session ? session_get(c, w->session) : NULL;
	struct arena *a = core_arena(c);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);
	struct question ask = { w->asker, w->who, IQ_GET, q, on_reply, w };

	xml_set(a, q, "node", arena_str(a, w->node));
	w->asked = true;
	if (s) {
		ask.from = s->user->jid;
		ask.to = s->jid;
	}
	if (!c->closing && ask.to.full.n && !iq_ask(c, &ask))
		return true;
	wait_end(c, w, NULL);
	return false;
}

/* The next one who waits for this key is asked in place of one whose answer was no use. */
static void ask_next(struct core *c, struct caps_cache *k, struct str key)
{
	struct caps_wait *w;

	list_each(w, &k->waits, link)
		if (w->asked && !w->stale && str_eq(w->key, key))
			return;
	list_each(w, &k->waits, link)
		if (!w->asked && str_eq(w->key, key) && ask(c, w))
			return;
}

/* All who waited for a key that is now known. */
static void serve(struct core *c, struct caps_cache *k, struct caps *p)
{
	struct caps_wait *w;

	list_each(w, &k->waits, link) {
		if (w->asked || !str_eq(w->key, p->key))
			continue;
		p->refs++;
		wait_end(c, w, p);
	}
}

static bool is_valid(struct arena *a, const struct xml *query, struct str key)
{
	struct str ver, made, name = str_cut(key, ' ', &ver);

	return !caps_verify(a, query, name, &made) && str_eq(made, ver);
}

static void on_reply(struct core *c, struct stanza *reply, void *arg)
{
	struct arena *a = core_arena(c);
	struct caps_cache *k = c->slot[SLOT_CAPS];
	struct caps_wait *w = arg;
	struct xml *tree = reply && reply->type == IQ_RESULT ? stanza_tree(reply, a) : NULL;
	struct xml *query = tree ? xml_child(tree, "query", NS_DISCO_INFO) : NULL;
	struct str key = arena_str(a, w->key);

	if (query) {
		struct caps *p = caps_new(key, notify_of(query));

		if (k && is_valid(a, query, key))
			remember(k, p);
		p->refs++;
		wait_end(c, w, p);
		if (k && list_linked(&p->in_cache))
			serve(c, k, p);
		unref(p);
	} else {
		wait_end(c, w, NULL);
	}
	if (k)
		ask_next(c, k, key);
}

static struct caps_wait *wait_new(struct str node, struct str key)
{
	struct caps_wait *w = mem_zalloc(sizeof(*w) + node.n + key.n);

	memcpy(w->bytes, node.p, node.n);
	memcpy(w->bytes + node.n, key.p, key.n);
	w->node = (struct str){ w->bytes, node.n };
	w->key = (struct str){ w->bytes + node.n, key.n };
	return w;
}

static void wait_for(struct core *c, struct caps_wait *w, struct str key)
{
	struct caps_cache *k = cache_of(c);

	list_push(&k->waits, &w->link);
	if (++k->waits_n > CAPS_WAITS_MAX)
		wait_end(c, w, NULL);
	else
		ask_next(c, k, key);
}

/* A session waits for one key at a time: the last one that it told. Who leaves too many questions unanswered is asked no more. */
static bool waits_already(struct session *s, struct str key)
{
	struct caps_cache *k = cache_of(s->core);
	struct caps_wait *w;
	int asked = 0;

	list_each(w, &k->waits, link) {
		if (w->session != s->id)
			continue;
		if (!w->stale && str_eq(w->key, key))
			return true;
		asked += w->asked;
		w->stale = true;
		if (!w->asked)
			wait_free(s->core, w);
	}
	return asked >= CAPS_ASKED_MAX;
}

static bool asked_enough(struct caps_cache *k, struct jid who)
{
	struct caps_wait *w;
	int asked = 0;

	list_each(w, &k->waits, link)
		asked += !w->session && jid_eq(w->who, who);
	return asked >= CAPS_ASKED_MAX;
}

/* Returns false for what says nothing that can be checked. */
static bool read(struct arena *a, const struct xml *el, struct str *key, struct str *node)
{
	struct str hash = xml_get(el, "hash"), ver = xml_get(el, "ver"), n = xml_get(el, "node");

	if (!hash.n || !ver.n || hash.n + ver.n >= CAPS_KEY_MAX || n.n > CAPS_KEY_MAX)
		return false;
	*key = arena_printf(a, "%.*s %.*s", STR_ARG(hash), STR_ARG(ver));
	*node = arena_printf(a, "%.*s#%.*s", STR_ARG(n), STR_ARG(ver));
	return true;
}

void caps_heard(struct session *s, struct stanza *st, caps_fn *changed)
{
	const struct xml *el = st->el ? xml_child(st->el, "c", NS_CAPS) : NULL;
	struct str node, key;
	struct caps_wait *w;
	struct caps *p;

	/* §8.4: not every presence says it again. */
	if (!el || !read(core_arena(s->core), el, &key, &node))
		return;
	if (waits_already(s, key) || (s->caps && str_eq(s->caps->key, key)))
		return;
	p = map_get(&cache_of(s->core)->known, key);
	if (p) {
		p->refs++;
		settle(s, p, changed);
	} else {
		w = wait_new(node, key);
		w->session = s->id;
		w->changed = changed;
		wait_for(s->core, w, key);
	}
}

void caps_heard_of(struct core *c, struct jid asker, struct jid who, const struct xml *el, caps_found_fn *found, void *arg)
{
	struct str node, key;
	struct caps_wait *w;
	struct caps *p;

	if (!read(core_arena(c), el, &key, &node)) {
		found(c, arg, NULL);
		return;
	}
	p = map_get(&cache_of(c)->known, key);
	if (p || asked_enough(cache_of(c), who)) {
		found(c, arg, p ? p->notify : NULL);
		return;
	}
	w = wait_new(node, key);
	w->asker = jid_dup(asker);
	w->who = jid_dup(who);
	w->found = found;
	w->arg = arg;
	wait_for(c, w, key);
}

/* Whoever waits for the same answer is asked in its place. */
static void pass_on(struct session *s, struct caps_cache *k)
{
	struct core *c = s->core;
	struct caps_wait *w;
	struct str key = STR_NONE;

	list_each(w, &k->waits, link) {
		if (w->session != s->id || w->stale)
			continue;
		w->stale = true;
		if (w->asked)
			key = arena_str(core_arena(c), w->key);
		else
			wait_free(c, w);
	}
	if (key.n)
		ask_next(c, k, key);
}

void caps_gone(struct session *s)
{
	struct caps_cache *k = s->core->slot[SLOT_CAPS];

	if (k)
		pass_on(s, k);
	unref(s->caps);
	s->caps = NULL;
}

struct blob *caps_notify(const struct session *s)
{
	return s->caps ? s->caps->notify : NULL;
}

bool caps_wants(const struct session *s, struct str node)
{
	return s->caps && caps_list_has(s->caps->notify, node);
}

void caps_free(struct core *c)
{
	struct caps_cache *k = c->slot[SLOT_CAPS];

	if (!k)
		return;
	while (!list_empty(&k->waits))
		wait_end(c, list_first(&k->waits, struct caps_wait, link), NULL);
	while (!list_empty(&k->order))
		forget(k, list_first(&k->order, struct caps, in_cache));
	map_fini(&k->known);
	free(k);
	c->slot[SLOT_CAPS] = NULL;
}

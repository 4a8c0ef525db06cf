/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An account's registrations and Web Push endpoints, in memory and in the store. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "features/push/push.h"
#include "proto/xmpp/ns.h"

static struct pushes *pushes_make(struct user *u)
{
	struct pushes *p = pushes_of(u);

	if (p)
		return p;
	p = mem_zalloc(sizeof(*p));
	list_init(&p->regs);
	list_init(&p->webs);
	u->slot[USER_SLOT_PUSH] = p;
	return p;
}

struct str push_host(const struct user *u)
{
	return arena_printf(core_arena(u->core), "push.%.*s", STR_ARG(jid_domain(u->jid)));
}

static char *dup_or_null(struct str s)
{
	return s.n ? str_dup(s) : NULL;
}

/* ---- registrations ---- */

static struct str reg_key(struct arena *a, struct str jid, struct str node)
{
	return arena_printf(a, "p%.*s\n%.*s", STR_ARG(jid), STR_ARG(node));
}

static void reg_free(struct push_reg *r)
{
	push_reg_stop(r);
	pushes_of(r->user)->regs_n--;
	list_del(&r->link);
	free(r->jid);
	free(r->node);
	free(r->form);
	free(r->client);
	free(r->resource);
	free(r);
}

static void reg_drop(struct push_reg *r, struct store_batch *b)
{
	struct user *u = r->user;

	store_del(b, u->jid.full, STR("push"), reg_key(core_arena(u->core), str_of(r->jid), str_of(r->node)));
	reg_free(r);
}

struct push_reg *push_reg_find(struct user *u, struct str jid, struct str node)
{
	struct push_reg *r;

	if (!pushes_of(u))
		return NULL;
	list_each(r, &pushes_of(u)->regs, link)
		if (str_is(jid, r->jid) && str_is(node, r->node))
			return r;
	return NULL;
}

static struct push_reg *reg_new(struct user *u, struct str jid, struct str node)
{
	struct pushes *p = pushes_make(u);
	struct push_reg *r = mem_zalloc(sizeof(*r));

	r->user = u;
	r->jid = str_dup(jid);
	r->node = str_dup(node);
	list_push(&p->regs, &r->link);
	p->regs_n++;
	return r;
}

void push_reg_save(struct push_reg *r, struct store_batch *b)
{
	struct arena *a = core_arena(r->user->core);
	struct xml *el = xml_new(a, "registration", NS_PUSH), *form;
	struct buf text = { 0 };

	if (r->client)
		xml_set(a, el, "client", str_of(r->client));
	if (r->resource)
		xml_set(a, el, "resource", str_of(r->resource));
	xml_setf(a, el, "at", "%llu", (unsigned long long)r->at_ms);
	xml_setf(a, el, "failures", "%u", r->failures);
	if (r->form && !xml_parse(a, str_of(r->form), &form))
		xml_append(el, form);
	xml_write(&text, el, STR_NONE);
	store_put(b, r->user->jid.full, STR("push"), reg_key(a, str_of(r->jid), str_of(r->node)), buf_view(&text));
	buf_free(&text);
}

static void keep_newest_regs(struct user *u, struct store_batch *b)
{
	struct pushes *p = pushes_of(u);
	struct push_reg *r, *oldest;

	while (p->regs_n > PUSH_PER_USER_MAX) {
		oldest = list_first(&p->regs, struct push_reg, link);
		list_each(r, &p->regs, link)
			if (r->at_ms < oldest->at_ms)
				oldest = r;
		reg_drop(oldest, b);
	}
}

struct push_reg *push_reg_put(struct user *u, struct store_batch *b, struct str jid, struct str node, struct str form)
{
	struct push_reg *r = push_reg_find(u, jid, node);

	if (r) { /* behind the others: the newest is never the one that has to go */
		list_del(&r->link);
		list_push(&pushes_of(u)->regs, &r->link);
	} else {
		r = reg_new(u, jid, node);
	}
	free(r->form);
	r->form = dup_or_null(form);
	r->at_ms = clock_wall_ms();
	r->failures = 0;
	keep_newest_regs(u, b);
	return r;
}

int push_reg_del(struct user *u, struct store_batch *b, struct str jid, struct str node)
{
	struct push_reg *r;
	int n = 0;

	if (!pushes_of(u))
		return 0;
	list_each(r, &pushes_of(u)->regs, link) {
		if (!str_is(jid, r->jid) || (node.p && !str_is(node, r->node)))
			continue;
		reg_drop(r, b);
		n++;
	}
	return n;
}

static void load_reg(struct user *u, struct str key, const struct xml *el)
{
	struct str node, jid = str_cut(key, '\n', &node), client = xml_get(el, "client"), resource = xml_get(el, "resource");
	struct push_reg *r = reg_new(u, jid, node);
	struct xml *form = xml_child(el, "x", NS_DATA);
	struct buf text = { 0 };
	uint64_t n;

	r->client = dup_or_null(client);
	r->resource = dup_or_null(resource);
	str_u64(xml_get(el, "at"), INT64_MAX, &r->at_ms);
	if (!str_u64(xml_get(el, "failures"), UINT32_MAX, &n))
		r->failures = (uint32_t)n;
	if (!form)
		return;
	xml_write(&text, form, STR_NONE);
	r->form = str_dup(buf_view(&text));
	buf_free(&text);
}

/* ---- Web Push endpoints ---- */

static void web_free(struct user *u, struct push_web *w)
{
	pushes_of(u)->webs_n--;
	list_del(&w->link);
	free(w->node);
	free(w->endpoint);
	free(w);
}

struct push_web *push_web_find(struct user *u, struct str node)
{
	struct push_web *w;

	if (!pushes_of(u))
		return NULL;
	list_each(w, &pushes_of(u)->webs, link)
		if (str_is(node, w->node))
			return w;
	return NULL;
}

static struct push_web *web_new(struct user *u, struct str node)
{
	struct pushes *p = pushes_make(u);
	struct push_web *w = mem_zalloc(sizeof(*w));

	w->node = str_dup(node);
	list_push(&p->webs, &w->link);
	p->webs_n++;
	return w;
}

static struct str bytes64(struct arena *a, const uint8_t *p, size_t n)
{
	return base64url_encode(a, (struct str){ (const char *)p, n });
}

static void web_save(struct user *u, struct store_batch *b, const struct push_web *w)
{
	struct arena *a = core_arena(u->core);
	struct xml *el = xml_new(a, "endpoint", NS_WEBPUSH);
	struct buf text = { 0 };

	xml_set(a, el, "url", str_of(w->endpoint));
	xml_setf(a, el, "at", "%llu", (unsigned long long)w->at_ms);
	if (w->encrypted) {
		xml_set(a, el, "p256dh", bytes64(a, w->reader.public, P256_PUBLIC));
		xml_set(a, el, "auth", bytes64(a, w->reader.auth, WEBPUSH_AUTH));
	}
	xml_write(&text, el, STR_NONE);
	store_put(b, u->jid.full, STR("push"), arena_printf(a, "w%s", w->node), buf_view(&text));
	buf_free(&text);
}

void push_web_del(struct user *u, struct store_batch *b, struct push_web *w)
{
	push_reg_del(u, b, push_host(u), str_of(w->node));
	store_del(b, u->jid.full, STR("push"), arena_printf(core_arena(u->core), "w%s", w->node));
	web_free(u, w);
}

struct push_web *push_web_put(struct user *u, struct store_batch *b, struct str endpoint, const struct webpush_reader *reader)
{
	struct pushes *p = pushes_make(u);
	struct push_web *w, *found = NULL;

	list_each(w, &p->webs, link)
		if (str_is(endpoint, w->endpoint))
			found = w;
	if (!found) {
		while (p->webs_n >= PUSH_PER_USER_MAX)
			push_web_del(u, b, list_first(&p->webs, struct push_web, link));
		found = web_new(u, random_token(core_arena(u->core), 16));
		found->endpoint = str_dup(endpoint);
	}
	found->encrypted = reader != NULL;
	if (reader)
		found->reader = *reader;
	found->at_ms = clock_wall_ms();
	found->failures = 0;
	web_save(u, b, found);
	return found;
}

static bool read64(struct arena *a, struct str text, uint8_t *out, size_t n)
{
	struct str raw;

	if (base64url_decode(a, text, &raw) || raw.n != n)
		return false;
	memcpy(out, raw.p, n);
	return true;
}

static void load_web(struct user *u, struct str node, const struct xml *el)
{
	struct arena *a = core_arena(u->core);
	struct push_web *w = web_new(u, node);

	w->endpoint = str_dup(xml_get(el, "url"));
	str_u64(xml_get(el, "at"), INT64_MAX, &w->at_ms);
	w->encrypted = read64(a, xml_get(el, "p256dh"), w->reader.public, P256_PUBLIC) &&
		read64(a, xml_get(el, "auth"), w->reader.auth, WEBPUSH_AUTH);
}

/* ---- both ---- */

void push_item(struct user *u, struct str key, struct str value)
{
	struct str rest = { key.p + 1, key.n ? key.n - 1 : 0 };
	struct xml *el;

	if (!rest.n || xml_parse(core_arena(u->core), arena_str(core_arena(u->core), value), &el))
		return;
	if (key.p[0] == 'p')
		load_reg(u, rest, el);
	else if (key.p[0] == 'w')
		load_web(u, rest, el);
}

void push_free(struct user *u)
{
	struct pushes *p = pushes_of(u);
	struct push_reg *r;
	struct push_web *w;

	if (!p)
		return;
	list_each(r, &p->regs, link)
		reg_free(r);
	list_each(w, &p->webs, link)
		web_free(u, w);
	free(p);
	u->slot[USER_SLOT_PUSH] = NULL;
}

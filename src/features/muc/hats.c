/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0317 0.3.1 hats: what a room has of them and who wears which. Rows: owner = room, kind "hat", key = URI, value title, U+0001, hue;
 * kind "hatted", key = bare JID, value URIs, one per line. The commands are in hat_commands.c. */
#include "features/muc/hats.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

struct hatted {
	struct hat *v[HATS_WORN_MAX];
	uint8_t n;
	struct str bare;
	char bytes[];
};

/* ---- what there is ---- */

struct hat *hat_find(const struct room *r, struct str uri)
{
	return map_get(&r->hats, uri);
}

static void hat_free(struct hat *h)
{
	free(h->uri);
	free(h->title);
	free(h->hue);
	free(h);
}

static struct hat *hat_put(struct room *r, struct str uri, struct str title, struct str hue)
{
	struct hat *h = hat_find(r, uri);

	if (!h) {
		h = mem_zalloc(sizeof(*h));
		h->uri = str_dup(uri);
		map_put(&r->hats, str_of(h->uri), h);
	}
	free(h->title);
	free(h->hue);
	h->title = str_dup(title);
	h->hue = str_dup(hue);
	return h;
}

void hats_free(struct room *r)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->hatted, &pos, &key, &value))
		free(value);
	for (pos = 0; map_next(&r->hats, &pos, &key, &value);)
		hat_free(value);
	map_fini(&r->hatted);
	map_fini(&r->hats);
}

/* ---- who wears it ---- */

static bool wears(const struct hatted *w, const struct hat *h)
{
	for (int i = 0; w && i < w->n; i++)
		if (w->v[i] == h)
			return true;
	return false;
}

static struct hatted *hatted_new(struct room *r, struct str bare)
{
	struct hatted *w = mem_zalloc(sizeof(*w) + bare.n);

	memcpy(w->bytes, bare.p, bare.n);
	w->bare = (struct str){ w->bytes, bare.n };
	map_put(&r->hatted, w->bare, w);
	return w;
}

static void take_off(struct room *r, struct hatted *w, const struct hat *h)
{
	for (int i = 0; i < w->n; i++) {
		if (w->v[i] != h)
			continue;
		memmove(&w->v[i], &w->v[i + 1], (size_t)(w->n - i - 1) * sizeof(w->v[0]));
		w->n--;
		break;
	}
	if (w->n)
		return;
	map_del(&r->hatted, w->bare);
	free(w);
}

/* ---- storing ---- */

static void save_hat(struct room *r, struct store_batch *b, const struct hat *h)
{
	store_put(b, r->jid.full, STR("hat"), str_of(h->uri),
		arena_printf(core_arena(r->core), "%s\x01%s", h->title, h->hue));
}

static void save_hatted(struct room *r, struct store_batch *b, struct str bare)
{
	const struct hatted *w = map_get(&r->hatted, bare);
	struct buf v = { 0 };

	if (!w) {
		store_del(b, r->jid.full, STR("hatted"), bare);
		return;
	}
	for (int i = 0; i < w->n; i++)
		buf_printf(&v, "%s%s", i ? "\n" : "", w->v[i]->uri);
	store_put(b, r->jid.full, STR("hatted"), bare, buf_view(&v));
	buf_free(&v);
}

void hats_save(struct room *r, struct store_batch *b)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->hats, &pos, &key, &value))
		save_hat(r, b, value);
	for (pos = 0; map_next(&r->hatted, &pos, &key, &value);)
		save_hatted(r, b, key);
}

void hats_load(struct room *r, const struct store_item *item)
{
	struct str rest = item->value, part;
	struct hatted *w;

	if (str_is(item->kind, "hat")) {
		part = str_cut(rest, '\x01', &rest);
		hat_put(r, item->key, part, rest);
		return;
	}
	w = hatted_new(r, item->key); /* kinds come in order: all hats are there */
	while (rest.n && w->n < HATS_WORN_MAX) {
		part = str_cut(rest, '\n', &rest);
		w->v[w->n] = hat_find(r, part);
		w->n += w->v[w->n] != NULL;
	}
	if (!w->n)
		take_off(r, w, NULL);
}

/* ---- changes ---- */

static void show_again(struct room *r, struct str bare)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->nicks, &pos, &key, &value)) {
		struct occupant *o = value;

		if (!str_eq(o->real.full, bare))
			continue;
		occupant_touched(o);
		occupant_tell(o, &(struct notice){ .type = PRES_AVAILABLE }, NULL);
	}
}

/* All who wear the hat; copies, for they change while they are walked. */
static size_t wearers(const struct room *r, const struct hat *h, struct str **out)
{
	struct arena *a = core_arena(r->core);
	struct str *v = arena_alloc(a, (r->hatted.n + 1) * sizeof(*v)), key;
	uint32_t pos = 0;
	size_t n = 0;
	void *value;

	while (map_next(&r->hatted, &pos, &key, &value))
		if (wears(value, h))
			v[n++] = arena_str(a, key);
	*out = v;
	return n;
}

int hat_create(struct room *r, struct str uri, struct str title, struct str hue, struct store_batch **b)
{
	struct hat *h;
	struct str *v;
	size_t n;

	if (!hat_find(r, uri) && r->hats.n >= HATS_MAX)
		return -ENOSPC;
	h = hat_put(r, uri, title, hue);
	if (r->saved)
		save_hat(r, room_batch(b), h);
	n = wearers(r, h, &v);
	for (size_t i = 0; i < n; i++)
		show_again(r, v[i]);
	return 0;
}

void hat_destroy(struct room *r, struct hat *h, struct store_batch **b)
{
	struct str *v;
	size_t n = wearers(r, h, &v);

	for (size_t i = 0; i < n; i++) {
		take_off(r, map_get(&r->hatted, v[i]), h);
		if (r->saved)
			save_hatted(r, room_batch(b), v[i]);
	}
	if (r->saved)
		store_del(room_batch(b), r->jid.full, STR("hat"), str_of(h->uri));
	map_del(&r->hats, str_of(h->uri));
	hat_free(h);
	for (size_t i = 0; i < n; i++)
		show_again(r, v[i]);
}

int hat_assign(struct room *r, struct hat *h, struct str bare, struct store_batch **b)
{
	struct hatted *w = map_get(&r->hatted, bare);

	if (wears(w, h))
		return 0;
	if ((!w && r->hatted.n >= HATS_WEARERS_MAX) || (w && w->n >= HATS_WORN_MAX))
		return -ENOSPC;
	if (!w)
		w = hatted_new(r, bare);
	w->v[w->n++] = h;
	if (r->saved)
		save_hatted(r, room_batch(b), bare);
	show_again(r, bare);
	return 0;
}

int hat_unassign(struct room *r, struct hat *h, struct str bare, struct store_batch **b)
{
	struct hatted *w = map_get(&r->hatted, bare);

	if (!wears(w, h))
		return -ENOENT;
	take_off(r, w, h);
	if (r->saved)
		save_hatted(r, room_batch(b), bare);
	show_again(r, bare);
	return 0;
}

void hats_forget(struct room *r, struct str bare, struct store_batch **b)
{
	struct hatted *w = map_del(&r->hatted, bare);

	if (w && r->saved)
		save_hatted(r, room_batch(b), bare);
	free(w);
}

/* ---- showing ---- */

void hats_write(const struct room *r, struct str bare, struct buf *out)
{
	const struct hatted *w = r->hatted.n ? map_get(&r->hatted, bare) : NULL;

	if (!w)
		return;
	buf_puts(out, "<hats xmlns='" NS_HATS "'>");
	for (int i = 0; i < w->n; i++) {
		buf_puts(out, "<hat title='");
		xml_escape(out, str_of(w->v[i]->title));
		buf_puts(out, "' uri='");
		xml_escape(out, str_of(w->v[i]->uri));
		if (w->v[i]->hue[0]) {
			buf_puts(out, "' hue='");
			xml_escape(out, str_of(w->v[i]->hue));
		}
		buf_puts(out, "'/>");
	}
	buf_puts(out, "</hats>");
}

static int by_uri(const void *a, const void *b)
{
	return strcmp((*(struct hat *const *)a)->uri, (*(struct hat *const *)b)->uri);
}

size_t hats_sorted(const struct room *r, struct hat ***out)
{
	struct hat **v = arena_alloc(core_arena(r->core), (r->hats.n + 1) * sizeof(struct hat *));
	uint32_t pos = 0;
	size_t n = 0;
	struct str key;
	void *value;

	while (map_next(&r->hats, &pos, &key, &value))
		v[n++] = value;
	qsort(v, n, sizeof(struct hat *), by_uri);
	*out = v;
	return n;
}

void hats_each_wearer(const struct room *r, hat_wearer_fn *fn, void *arg)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&r->hatted, &pos, &key, &value)) {
		const struct hatted *w = value;

		for (int i = 0; i < w->n; i++)
			fn(arg, key, w->v[i]);
	}
}

void hats_info(const struct room *r, struct xml *form)
{
	struct arena *a = core_arena(r->core);
	uint8_t digest[HASH_MAX];
	struct buf b = { 0 };
	struct hat **v;
	size_t n = hats_sorted(r, &v);

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s\n%s\n%s\n", v[i]->uri, v[i]->title, v[i]->hue);
	hash(HASH_SHA1, buf_view(&b), digest);
	buf_free(&b);
	form_field(a, form, "text-single", "hats#hash", "Hats hash",
		hex_encode(a, (struct str){ (const char *)digest, hash_size(HASH_SHA1) }));
}

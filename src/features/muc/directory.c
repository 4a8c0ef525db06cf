/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §6.3 with XEP-0059 1.0.1: the public rooms of a service, and walking through them. */
#include "features/muc/directory.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"

/* ---- rows ---- */

struct str directory_row(const struct room *r)
{
	struct str desc = str_of(r->cfg.desc);

	if (desc.n > DIRECTORY_DESC_MAX) {
		desc.n = DIRECTORY_DESC_MAX;
		while (desc.n && ((unsigned char)desc.p[desc.n] & 0xc0) == 0x80) /* not within a character */
			desc.n--;
	}
	return arena_printf(core_arena(r->core), "%.*s\x01%.*s\x01%s\x01%s%s", STR_ARG(room_title(r)), STR_ARG(desc), r->cfg.lang,
		r->cfg.members_only || r->cfg.password_protected ? "" : "o", r->cfg.whois == WHOIS_ANYONE ? "n" : "");
}

static void listed_read(struct listed *l, const struct store_item *item)
{
	struct str rest;
	char *value;

	l->row = mem_alloc(item->key.n + item->value.n + 1);
	value = mempcpy(l->row, item->key.p, item->key.n);
	memcpy(value, item->value.p, item->value.n);
	l->node = (struct str){ l->row, item->key.n };
	l->name = str_cut((struct str){ value, item->value.n }, '\x01', &rest);
	l->desc = str_cut(rest, '\x01', &rest);
	l->lang = str_cut(rest, '\x01', &rest);
	l->open = rest.n && memchr(rest.p, 'o', rest.n);
	l->non_anonymous = rest.n && memchr(rest.p, 'n', rest.n);
}

/* ---- walking ---- */

struct listing *listing_new(struct iq *iq, struct str host)
{
	struct muc *m = iq->core->slot[SLOT_MUC];
	struct listing *w;

	if (!m || m->readers >= DIRECTORY_READERS_MAX)
		return NULL;
	m->readers++;
	w = mem_zalloc(sizeof(*w));
	w->held = iq_hold(iq, NULL);
	w->core = iq->core;
	w->host = (struct str){ str_dup(host), host.n };
	w->enough = DIRECTORY_ROWS_MAX;
	return w;
}

void listing_free(struct listing *w)
{
	struct muc *m = w->core->slot[SLOT_MUC];

	if (m)
		m->readers--;
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i].row);
	free(w->v);
	free((void *)w->host.p);
	free((void *)w->after.p);
	free(w->arg);
	iq_held_free(w->held);
	free(w);
}

static void set_after(struct listing *w, struct str after)
{
	char *own = after.p ? str_dup(after) : NULL;

	free((void *)w->after.p);
	w->after = (struct str){ own, after.n };
}

static void keep(struct listing *w, const struct store_item *item)
{
	struct listed l = { 0 };

	listed_read(&l, item);
	if (w->wants && !w->wants(w, &l)) {
		free(l.row);
		return;
	}
	if (w->n == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 64;
		w->v = mem_realloc(w->v, w->cap * sizeof(*w->v));
	}
	w->v[w->n++] = l;
}

static void on_rows(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct listing *w = arg;
	size_t i = 0;

	(void)s;
	for (; i < n && w->n < w->enough; i++)
		keep(w, &v[i]);
	w->complete = i == n && n < DIRECTORY_PAGE;
	if (status || w->complete || w->n >= w->enough)
		w->done(w, status);
	else
		listing_start(w, v[n - 1].key);
}

void listing_start(struct listing *w, struct str after)
{
	struct store_range range = { .owner = w->host, .kind = STR("public"), .limit = DIRECTORY_PAGE };

	set_after(w, after);
	range.after = w->after;
	if (store_list(w->core->env->store, w->core->shard, &range, on_rows, w))
		w->done(w, -ENOBUFS);
}

/* ---- counting: a letter that goes round all shards ---- */

struct count_mail {
	struct mail mail;
	struct listing *walk;
};

static void count_here(struct core *c, struct listing *w)
{
	struct muc *m = c->slot[SLOT_MUC];

	for (size_t i = 0; m && i < w->n; i++) {
		struct jid j = jid_make(core_arena(c), w->v[i].node, w->host, STR_NONE);
		struct room *r = map_get(&m->rooms, j.full);

		if (r)
			w->v[i].users = r->nicks.n;
	}
}

static void send_on(struct listing *w);

static void on_count(struct shard *s, struct mail *mail)
{
	struct count_mail *m = container_of(mail, struct count_mail, mail);
	struct listing *w = m->walk;

	free(m);
	if (w->counted) {
		w->done(w, 0);
		return;
	}
	count_here(s->core, w);
	w->shard++;
	send_on(w);
}

static void on_count_lost(struct mail *mail)
{
	struct count_mail *m = container_of(mail, struct count_mail, mail);

	listing_free(m->walk);
	free(m);
}

static const struct mail_kind MAIL_COUNT = { .name = "muc.count", .handle = on_count, .discard = on_count_lost, .must_arrive = true };

static void send_on(struct listing *w)
{
	struct count_mail *m = mem_alloc(sizeof(*m));
	struct shards *all = w->core->env->shards;

	*m = (struct count_mail){ .mail = { .kind = &MAIL_COUNT }, .walk = w };
	w->counted = w->shard >= all->n;
	if (shard_post(w->counted ? w->core->shard : all->v[w->shard], &m->mail))
		on_count_lost(&m->mail);
}

void listing_count(struct listing *w)
{
	w->shard = 0;
	send_on(w);
}

/* ---- items of the service (§6.3) ---- */

static void add_item(struct arena *a, struct xml *q, const struct listing *w, const struct listed *l)
{
	struct xml *item = xml_add(a, q, "item", NULL);

	xml_set(a, item, "jid", arena_printf(a, "%.*s@%.*s", STR_ARG(l->node), STR_ARG(w->host)));
	xml_set(a, item, "name", arena_str(a, l->name));
}

/* Which of the walked rooms make the page. first and last bound it; returns false for a room that is not there. */
static bool page_of(const struct listing *w, const struct rsm *rsm, size_t max, size_t *first, size_t *last)
{
	size_t end = w->n;

	*first = 0;
	if (rsm->has_index)
		*first = rsm->index < w->n ? rsm->index : w->n;
	if (rsm->has_before && rsm->before.n) {
		for (end = 0; end < w->n && !str_eq(w->v[end].node, rsm->before);)
			end++;
		if (end == w->n)
			return false;
	}
	if (rsm->has_before)
		*first = end > max ? end - max : 0;
	*last = end - *first > max ? *first + max : end;
	return true;
}

static void on_items(struct listing *w, int status)
{
	struct iq *iq = iq_wake(w->held);
	struct arena *a = core_arena(w->core);
	struct xml *q = xml_new(a, "query", NS_DISCO_ITEMS);
	size_t first, last, max;
	struct rsm rsm;

	must(rsm_parse(a, iq->el, &rsm) == 0); /* it was read before */
	max = rsm.max < MUC_LIST_MAX ? rsm.max : MUC_LIST_MAX;
	if (status) {
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	} else if (!page_of(w, &rsm, max, &first, &last)) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	} else {
		for (size_t i = first; i < last; i++)
			add_item(a, q, w, &w->v[i]);
		if (rsm.present || last < w->n)
			rsm_add(a, q, first < last ? w->v[first].node : STR_NONE, first < last ? w->v[last - 1].node : STR_NONE,
				w->complete && !rsm.has_after && first < last ? (int64_t)first : -1,
				w->complete && !rsm.has_after ? (int64_t)w->n : -1);
		iq_result(iq, q);
	}
	listing_free(w);
}

/* Pages forward read what they show; to go backward, by index or to count, all are read. */
void directory_items(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct listing *w;
	struct rsm rsm;

	if (rsm_parse(a, iq->el, &rsm)) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	w = listing_new(iq, iq->st->to.full);
	if (!w) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "Too many read the list of rooms; try again in a moment.");
		return;
	}
	w->done = on_items;
	if (rsm.has_after && !rsm.has_before && !rsm.has_index)
		w->enough = (rsm.max < MUC_LIST_MAX ? rsm.max : MUC_LIST_MAX) + 1;
	listing_start(w, rsm.has_after ? rsm.after : STR_NONE);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The clients that signed in to an account. */
#include "account/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/fast.h"
#include "account/record.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { VALUE_MAX = 2048, LIST_MAX = 4 * CLIENTS_MAX };

static struct str text_of(struct arena *a, const json_t *j, const char *name)
{
	const char *text = json_string_value(json_object_get(j, name));

	return text ? arena_str(a, str_of(text)) : STR("");
}

static struct client_row row_read(struct arena *a, struct str key, struct str value)
{
	json_t *j = json_loadb(value.p ? value.p : "", value.n, JSON_REJECT_DUPLICATES, NULL);
	struct client_row r = { .key = key, .agent = text_of(a, j, "agent"), .software = text_of(a, j, "software"),
		.device = text_of(a, j, "device"), .first_ms = (uint64_t)json_integer_value(json_object_get(j, "first")),
		.last_ms = (uint64_t)json_integer_value(json_object_get(j, "last")),
		.password = json_is_true(json_object_get(j, "password")) };

	json_decref(j);
	return r;
}

static struct str row_write(struct arena *a, const struct client_row *r)
{
	json_t *j = json_pack("{s:s%, s:s%, s:s%, s:I, s:I, s:b}", "agent", r->agent.p, r->agent.n, "software", r->software.p,
		r->software.n, "device", r->device.p, r->device.n, "first", (json_int_t)r->first_ms, "last", (json_int_t)r->last_ms,
		"password", (int)r->password);
	char text[VALUE_MAX];
	size_t n = j ? json_dumpb(j, text, sizeof(text), JSON_COMPACT) : 0;

	json_decref(j);
	return n && n <= sizeof(text) ? arena_str(a, (struct str){ text, n }) : STR_NONE;
}

/* ---- seen ---- */

struct seen {
	struct accounts *ac;
	struct client_seen c; /* own bytes */
	char *owner;
};

static void seen_end(struct shard *s, void *arg, int status)
{
	struct seen *w = arg;

	(void)s;
	(void)status; /* a list that lacks a date is no reason to refuse anybody */
	free((void *)w->c.agent.p);
	free((void *)w->c.software.p);
	free((void *)w->c.device.p);
	free(w->owner);
	free(w);
}

/* What a client says of itself, cut at a whole character. */
static struct str cut(struct str text)
{
	size_t pos = 0, fits = 0;

	while (pos < text.n && utf8_next(text, &pos) >= 0 && pos <= CLIENT_TEXT_MAX)
		fits = pos;
	return (struct str){ str_dup((struct str){ text.p, fits }), fits };
}

/* The one that was away longest goes when there are too many. */
static void make_room(struct store_batch *b, const struct seen *w, const struct store_item *v, size_t n, struct arena *a)
{
	uint64_t oldest_ms = UINT64_MAX;
	size_t oldest = 0;

	for (size_t i = 0; i < n; i++) {
		struct client_row r = row_read(a, v[i].key, v[i].value);

		if (r.last_ms < oldest_ms) {
			oldest_ms = r.last_ms;
			oldest = i;
		}
	}
	if (n >= CLIENTS_MAX)
		store_del(b, str_of(w->owner), STR("client"), v[oldest].key);
}

static void on_seen_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct seen *w = arg;
	struct arena *a = shard_arena(s);
	struct str key = fast_client_key(a, w->c.agent), value;
	uint64_t now_ms = clock_wall_ms();
	struct client_row was = { 0 }, r;
	struct store_batch *b;
	bool known = false;

	for (size_t i = 0; !status && i < n; i++)
		if (str_eq(v[i].key, key)) {
			was = row_read(a, v[i].key, v[i].value);
			known = true;
		}
	r = (struct client_row){ .key = key, .agent = w->c.agent, .software = w->c.software.n || !known ? w->c.software : was.software,
		.device = w->c.device.n || !known ? w->c.device : was.device, .first_ms = known && was.first_ms ? was.first_ms : now_ms,
		.last_ms = now_ms, .password = was.password || w->c.password };
	value = row_write(a, &r);
	if (status || !value.n || (known && was.last_ms + CLIENT_SEEN_EVERY_MS > now_ms && was.password == r.password &&
				       str_eq(was.software, r.software) && str_eq(was.device, r.device))) {
		seen_end(s, w, status);
		return;
	}
	b = store_batch_new();
	if (!known)
		make_room(b, w, v, n, a);
	store_put(b, str_of(w->owner), STR("client"), key, value);
	if (store_commit(w->ac->store, s, b, seen_end, w))
		seen_end(s, w, -EBUSY);
}

void client_seen(struct accounts *ac, struct shard *s, const struct client_seen *c)
{
	struct store_range range = { .owner = record_owner(shard_arena(s), ac, c->node), .kind = STR("client"), .limit = LIST_MAX };
	struct seen *w;

	if (!c->agent.n || c->agent.n > FAST_CLIENT_MAX)
		return;
	w = mem_zalloc(sizeof(*w));
	w->ac = ac;
	w->owner = str_dup(range.owner);
	w->c = *c;
	w->c.agent = (struct str){ str_dup(c->agent), c->agent.n };
	w->c.software = cut(c->software);
	w->c.device = cut(c->device);
	if (store_list(ac->store, s, &range, on_seen_list, w))
		seen_end(s, w, -EBUSY);
}

/* ---- the list ---- */

struct list_ask {
	struct accounts *ac;
	client_list_fn *done;
	void *arg;
	char *owner;
	uint64_t keep_ms;
	struct client_row *rows; /* own bytes */
	size_t n;
};

static void list_end(struct shard *s, struct list_ask *q, int status)
{
	struct client_row *shown = arena_alloc(shard_arena(s), (q->n + 1) * sizeof(*shown));
	uint64_t now_ms = clock_wall_ms();
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++)
		if (q->rows[i].fast || q->rows[i].last_ms + q->keep_ms >= now_ms)
			shown[n++] = q->rows[i];
	q->done(s, q->arg, status, shown, status ? 0 : n);
	for (size_t i = 0; i < q->n; i++) {
		free((void *)q->rows[i].key.p);
		free((void *)q->rows[i].agent.p);
		free((void *)q->rows[i].software.p);
		free((void *)q->rows[i].device.p);
	}
	free(q->rows);
	free(q->owner);
	free(q);
}

static struct str own(struct str s)
{
	return (struct str){ str_dup(s), s.n };
}

static struct client_row *row_of(struct list_ask *q, struct str key)
{
	for (size_t i = 0; i < q->n; i++)
		if (str_eq(q->rows[i].key, key))
			return &q->rows[i];
	q->rows = mem_realloc(q->rows, (q->n + 1) * sizeof(*q->rows));
	q->rows[q->n] = (struct client_row){ .key = own(key), .agent = own(STR("")), .software = own(STR("")), .device = own(STR("")) };
	return &q->rows[q->n++];
}

/* A client that has a token is listed however little is known of it. */
static void on_tokens(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct list_ask *q = arg;
	struct arena *a = shard_arena(s);
	uint64_t now_ms = clock_wall_ms();

	for (size_t i = 0; !status && i < n; i++) {
		uint64_t expires_ms = fast_item_expires_ms(a, v[i].value);
		struct client_row *r;

		if (expires_ms <= now_ms)
			continue;
		r = row_of(q, v[i].key);
		r->fast = true;
		if (!r->last_ms)
			r->first_ms = r->last_ms = expires_ms - FAST_TOKEN_DAYS * 86400000ull;
	}
	list_end(s, q, status);
}

static void on_rows(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct list_ask *q = arg;
	struct arena *a = shard_arena(s);
	struct store_range range = { .owner = str_of(q->owner), .kind = STR("fast"), .limit = FAST_TOKENS_MAX + 1 };

	if (status) {
		list_end(s, q, status);
		return;
	}
	q->rows = mem_zalloc((n + 1) * sizeof(*q->rows));
	for (size_t i = 0; i < n; i++) {
		struct client_row r = row_read(a, v[i].key, v[i].value);

		r.key = own(r.key);
		r.agent = own(r.agent);
		r.software = own(r.software);
		r.device = own(r.device);
		q->rows[q->n++] = r;
	}
	if (store_list(q->ac->store, s, &range, on_tokens, q))
		list_end(s, q, -EBUSY);
}

int client_list(struct accounts *ac, struct shard *s, struct str node, uint64_t keep_ms, client_list_fn *done, void *arg)
{
	struct store_range range = { .owner = record_owner(shard_arena(s), ac, node), .kind = STR("client"), .limit = LIST_MAX };
	struct list_ask *q = mem_zalloc(sizeof(*q));

	*q = (struct list_ask){ .ac = ac, .done = done, .arg = arg, .owner = str_dup(range.owner), .keep_ms = keep_ms };
	if (!store_list(ac->store, s, &range, on_rows, q))
		return 0;
	free(q->owner);
	free(q);
	return -EBUSY;
}

int client_forget(struct accounts *ac, struct shard *s, struct str node, struct str key, account_done_fn *done, void *arg)
{
	struct str owner = record_owner(shard_arena(s), ac, node);
	struct store_batch *b = store_batch_new();

	store_del(b, owner, STR("client"), key);
	store_del(b, owner, STR("fast"), key);
	return store_commit(ac->store, s, b, done, arg) ? -EBUSY : 0;
}

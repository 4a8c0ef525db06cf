/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0484 0.2.0 FAST tokens. A client's two slots are one item, so that using the new token and forgetting the old one is one
 * write; it expects the value that was read, so that a token revoked meanwhile stays revoked. */
#include "account/fast.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"

#define DAY_MS 86400000ull

enum { TOKEN_BYTES = 32, CB_DATA_MAX = 256, SHA256_BYTES = 32 };

struct token {
	struct str text, mechanism; /* text empty: the slot is empty */
	uint64_t expires_ms;
};

struct tokens {
	struct token fresh, current; /* the slots "new" and "current" */
};

static bool is_mechanism(struct str m)
{
	return str_is(m, "HT-SHA-256-NONE") || str_is(m, "HT-SHA-256-ENDP") || str_is(m, "HT-SHA-256-EXPR");
}

struct str fast_client_key(struct arena *a, struct str client)
{
	uint8_t digest[SHA256_BYTES];

	hash(HASH_SHA256, client, digest);
	return hex_encode(a, (struct str){ (const char *)digest, sizeof(digest) });
}

/* ---- the item ---- */

static struct token slot_read(struct arena *a, const json_t *item, const char *name)
{
	const json_t *slot = json_object_get(item, name);
	const char *text = json_string_value(json_object_get(slot, "token"));
	const char *mechanism = json_string_value(json_object_get(slot, "mechanism"));
	json_int_t expires = json_integer_value(json_object_get(slot, "expires"));

	if (!text || !mechanism || expires <= 0)
		return (struct token){ 0 };
	return (struct token){ arena_str(a, str_of(text)), arena_str(a, str_of(mechanism)), (uint64_t)expires };
}

/* What cannot be read holds no token: the client signs in with its password again. */
static struct tokens tokens_read(struct arena *a, struct str value)
{
	json_t *item = json_loadb(value.p ? value.p : "", value.n, 0, NULL);
	struct tokens t = { slot_read(a, item, "new"), slot_read(a, item, "current") };

	json_decref(item);
	return t;
}

static struct str slot_write(struct arena *a, const char *name, const struct token *t)
{
	if (!t->text.n)
		return STR("");
	/* All three are of our own making: base64url, a mechanism's name, a number. */
	return arena_printf(a, "\"%s\":{\"token\":\"%.*s\",\"mechanism\":\"%.*s\",\"expires\":%llu}", name,
		STR_ARG(t->text), STR_ARG(t->mechanism), (unsigned long long)t->expires_ms);
}

static struct str tokens_write(struct arena *a, const struct tokens *t)
{
	struct str fresh = slot_write(a, "new", &t->fresh), current = slot_write(a, "current", &t->current);

	return arena_printf(a, "{%.*s%s%.*s}", STR_ARG(fresh), fresh.n && current.n ? "," : "", STR_ARG(current));
}

static uint64_t tokens_last(const struct tokens *t)
{
	return t->fresh.expires_ms > t->current.expires_ms ? t->fresh.expires_ms : t->current.expires_ms;
}

uint64_t fast_item_expires_ms(struct arena *a, struct str value)
{
	struct tokens t = tokens_read(a, value);

	return tokens_last(&t);
}

/* ---- issue ---- */

struct issue {
	struct accounts *ac;
	fast_token_fn *done;
	void *arg;
	char *owner, *key, *mechanism;
	char token[64];
	uint64_t expires_ms;
};

static void issue_end(struct shard *s, struct issue *i, int status)
{
	i->done(s, i->arg, status, status ? STR_NONE : str_of(i->token), status ? 0 : i->expires_ms);
	wipe(i->token, sizeof(i->token));
	free(i->owner);
	free(i->key);
	free(i->mechanism);
	free(i);
}

static void on_issued(struct shard *s, void *arg, int status)
{
	issue_end(s, arg, status);
}

/* Deletes expired clients, and the one that expires first when there are too many. */
static void make_room(struct store_batch *b, struct issue *i, const struct store_item *v, size_t n, struct arena *a)
{
	size_t live = 0, oldest = n;
	uint64_t oldest_ms = UINT64_MAX, now_ms = clock_wall_ms();

	for (size_t k = 0; k < n; k++) {
		struct tokens t = tokens_read(a, v[k].value);
		uint64_t last_ms = tokens_last(&t);

		if (str_is(v[k].key, i->key))
			continue;
		if (last_ms <= now_ms) {
			store_del(b, str_of(i->owner), STR("fast"), v[k].key);
			continue;
		}
		live++;
		if (last_ms < oldest_ms) {
			oldest_ms = last_ms;
			oldest = k;
		}
	}
	if (live >= FAST_TOKENS_MAX)
		store_del(b, str_of(i->owner), STR("fast"), v[oldest].key);
}

static void on_issue_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct issue *i = arg;
	struct arena *a = shard_arena(s);
	struct tokens t = { 0 };
	struct store_batch *b;

	if (status) {
		issue_end(s, i, status);
		return;
	}
	for (size_t k = 0; k < n; k++)
		if (str_is(v[k].key, i->key))
			t = tokens_read(a, v[k].value);
	t.fresh = (struct token){ str_of(i->token), str_of(i->mechanism), i->expires_ms };
	b = store_batch_new();
	make_room(b, i, v, n, a);
	store_put(b, str_of(i->owner), STR("fast"), str_of(i->key), tokens_write(a, &t));
	if (store_commit(i->ac->store, s, b, on_issued, i))
		issue_end(s, i, -EBUSY);
}

/* One parameter over the limit: a struct for one call would hide what it takes. NOLINTNEXTLINE(readability-function-size) */
int fast_issue(struct accounts *ac, struct shard *s, struct str node, struct str client, struct str mechanism, fast_token_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct store_range range = { .owner = record_owner(a, ac, node), .kind = STR("fast"), .limit = FAST_TOKENS_MAX + 1 };
	struct str token;
	struct issue *i;
	int err;

	if (client.n == 0 || client.n > FAST_CLIENT_MAX || !is_mechanism(mechanism))
		return -EINVAL;
	token = random_token(a, TOKEN_BYTES);
	i = mem_zalloc(sizeof(*i));
	*i = (struct issue){ .ac = ac, .done = done, .arg = arg, .owner = str_dup(range.owner),
		.key = str_dup(fast_client_key(a, client)), .mechanism = str_dup(mechanism),
		.expires_ms = clock_wall_ms() + FAST_TOKEN_DAYS * DAY_MS };
	must(token.n < sizeof(i->token));
	memcpy(i->token, token.p, token.n);
	err = store_list(ac->store, s, &range, on_issue_list, i);
	if (err) {
		free(i->owner);
		free(i->key);
		free(i->mechanism);
		free(i);
	}
	return err ? -EBUSY : 0;
}

/* ---- verify ---- */

struct verify {
	struct accounts *ac;
	fast_checked_fn *done;
	void *arg;
	char *owner, *key, *mechanism;
	uint8_t responder[SHA256_BYTES];
	bool rotate;
	uint8_t initiator[SHA256_BYTES];
	size_t cb_n;
	char cb[CB_DATA_MAX];
};

static void verify_free(struct verify *v)
{
	free(v->owner);
	free(v->key);
	free(v->mechanism);
	wipe(v, sizeof(*v));
	free(v);
}

static void verify_end(struct shard *s, struct verify *v, int status)
{
	struct str responder = { (const char *)v->responder, sizeof(v->responder) };

	v->done(s, v->arg, status, status ? STR_NONE : responder, !status && v->rotate);
	verify_free(v);
}

/* HMAC(token, word || cb-data). */
static void ht(const struct verify *v, struct str token, struct str word, uint8_t out[SHA256_BYTES])
{
	char text[16 + CB_DATA_MAX];

	memcpy(text, word.p, word.n);
	memcpy(text + word.n, v->cb, v->cb_n);
	hmac(HASH_SHA256, token, (struct str){ text, word.n + v->cb_n }, out);
}

static bool token_opens(struct verify *v, const struct token *t)
{
	uint8_t want[SHA256_BYTES];
	uint64_t now_ms = clock_wall_ms();

	if (!t->text.n || t->expires_ms <= now_ms || !str_is(t->mechanism, v->mechanism))
		return false;
	ht(v, t->text, STR("Initiator"), want);
	if (!equal_ct((struct str){ (const char *)want, sizeof(want) },
		    (struct str){ (const char *)v->initiator, sizeof(v->initiator) }))
		return false;
	ht(v, t->text, STR("Responder"), v->responder);
	v->rotate = t->expires_ms - now_ms < (FAST_TOKEN_DAYS - FAST_ROTATE_DAYS) * DAY_MS;
	return true;
}

static void on_promoted(struct shard *s, void *arg, int status)
{
	/* -EAGAIN: it was revoked, or used a second time, while we looked. */
	verify_end(s, arg, status == -EAGAIN ? -EACCES : status);
}

static void on_verify_found(struct shard *s, void *arg, int status, const struct store_item *items, size_t n)
{
	struct verify *v = arg;
	struct arena *a = shard_arena(s);
	struct tokens t = { 0 };
	struct store_batch *b;

	if (!status && n)
		t = tokens_read(a, items[0].value);
	if (status || !token_opens(v, &t.fresh)) {
		if (!status && !token_opens(v, &t.current))
			status = -EACCES;
		verify_end(s, v, status);
		return;
	}
	t.current = t.fresh;
	t.fresh = (struct token){ 0 };
	b = store_batch_new();
	store_expect(b, str_of(v->owner), STR("fast"), str_of(v->key), items[0].value);
	store_put(b, str_of(v->owner), STR("fast"), str_of(v->key), tokens_write(a, &t));
	if (store_commit(v->ac->store, s, b, on_promoted, v))
		verify_end(s, v, -EBUSY);
}

int fast_verify(struct accounts *ac, struct shard *s, const struct fast_check *c, fast_checked_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct verify *v;
	int err;

	if (c->client.n == 0 || c->client.n > FAST_CLIENT_MAX || !is_mechanism(c->mechanism) ||
		c->cb_data.n > CB_DATA_MAX || c->initiator_hash.n != SHA256_BYTES)
		return -EACCES;
	v = mem_zalloc(sizeof(*v));
	v->ac = ac;
	v->done = done;
	v->arg = arg;
	v->owner = str_dup(record_owner(a, ac, c->node));
	v->key = str_dup(fast_client_key(a, c->client));
	v->mechanism = str_dup(c->mechanism);
	memcpy(v->initiator, c->initiator_hash.p, SHA256_BYTES);
	v->cb_n = c->cb_data.n;
	memcpy(v->cb, c->cb_data.p ? c->cb_data.p : "", c->cb_data.n);
	err = store_get(ac->store, s, str_of(v->owner), STR("fast"), str_of(v->key), on_verify_found, v);
	if (err)
		verify_free(v);
	return err ? -EBUSY : 0;
}

/* ---- revoke ---- */

int fast_revoke(struct accounts *ac, struct shard *s, struct str node, struct str client, account_done_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct store_batch *b = store_batch_new();

	if (client.p)
		store_del(b, record_owner(a, ac, node), STR("fast"), fast_client_key(a, client));
	else
		store_del_all(b, record_owner(a, ac, node), STR("fast"), STR_NONE);
	return store_commit(ac->store, s, b, done, arg) ? -EBUSY : 0;
}

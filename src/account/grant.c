/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Access granted to applications: codes and tokens. Registration is in grant_client.c. */
#include "account/grant.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"

enum { ID_BYTES = 9, SECRET_BYTES = 32, SHA256_BYTES = 32, HANDLE_BYTES = ID_BYTES + SECRET_BYTES };

/* ---- codes and tokens ---- */

static struct str hash_hex(struct arena *a, struct str in)
{
	uint8_t digest[SHA256_BYTES];

	hash(HASH_SHA256, in, digest);
	return hex_encode(a, (struct str){ (const char *)digest, sizeof(digest) });
}

/* A fresh code or token of this grant. */
static struct str handle_new(struct arena *a, struct str id, struct str node)
{
	struct str raw_id;
	char *raw = arena_alloc(a, HANDLE_BYTES + node.n);

	must(base64url_decode(a, id, &raw_id) == 0 && raw_id.n == ID_BYTES);
	memcpy(raw, raw_id.p, ID_BYTES);
	random_bytes(raw + ID_BYTES, SECRET_BYTES);
	memcpy(raw + HANDLE_BYTES, node.p, node.n);
	return base64url_encode(a, (struct str){ raw, HANDLE_BYTES + node.n });
}

/* Whose is it? Returns 0; -EACCES. */
static int handle_read(struct arena *a, struct str text, struct str *out_id, struct str *out_node)
{
	struct str raw, node;

	if (text.n > GRANT_TOKEN_MAX || base64url_decode(a, text, &raw) || raw.n <= HANDLE_BYTES)
		return -EACCES;
	node = (struct str){ raw.p + HANDLE_BYTES, raw.n - HANDLE_BYTES };
	if (account_name_check(a, node, out_node) || !str_eq(node, *out_node))
		return -EACCES;
	*out_id = base64url_encode(a, (struct str){ raw.p, ID_BYTES });
	return 0;
}

static json_t *item_load(const struct store_item *item)
{
	return json_loadb(item->value.p ? item->value.p : "", item->value.n, JSON_REJECT_DUPLICATES, NULL);
}

static struct str text_of(const json_t *j, const char *name)
{
	const json_t *v = json_object_get(j, name);

	return json_is_string(v) ? (struct str){ json_string_value(v), json_string_length(v) } : STR("");
}

static uint64_t number_of(const json_t *j, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(j, name));
}

static void put_item(struct store_batch *b, struct str owner, struct str id, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);

	must(text);
	store_put(b, owner, STR("grant"), id, str_of(text));
	free(text);
}

/* ---- a new grant ---- */

struct op {
	struct accounts *ac;
	grant_text_fn *text_done;
	grant_checked_fn *checked_done;
	account_done_fn *done;
	void *arg;
	char *owner, *node, *id;
	char *answer; /* the code or token */
	char *shown;  /* the hash of what was shown */
	char *client, *redirect, *verifier;
	json_t *item; /* to be stored */
};

static void op_free(struct op *op)
{
	if (op->answer)
		wipe(op->answer, strlen(op->answer));
	json_decref(op->item);
	free(op->owner);
	free(op->node);
	free(op->id);
	free(op->answer);
	free(op->shown);
	free(op->client);
	free(op->redirect);
	free(op->verifier);
	free(op);
}

static void op_end(struct shard *s, void *arg, int status)
{
	struct op *op = arg;

	if (op->text_done)
		op->text_done(s, op->arg, status, status ? STR_NONE : str_of(op->answer));
	else if (op->checked_done)
		op->checked_done(s, op->arg, status, status ? STR_NONE : str_of(op->node), status ? STR_NONE : str_of(op->id));
	else
		op->done(s, op->arg, status);
	op_free(op);
}

static struct op *op_new(struct accounts *ac, struct shard *s, struct str node, struct str id, void *arg)
{
	struct op *op = mem_zalloc(sizeof(*op));

	op->ac = ac;
	op->arg = arg;
	op->node = str_dup(node);
	op->id = str_dup(id);
	op->owner = str_dup(record_owner(shard_arena(s), ac, node));
	return op;
}

static void on_create_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	uint64_t now_ms = clock_wall_ms();
	struct store_batch *b;
	size_t live = 0;

	if (status) {
		op_end(s, op, status);
		return;
	}
	b = store_batch_new();
	for (size_t i = 0; i < n; i++) {
		json_t *j = item_load(&v[i]);

		if (text_of(j, "token").n || number_of(j, "until") > now_ms)
			live++;
		else /* a code that nobody came for */
			store_del(b, str_of(op->owner), STR("grant"), v[i].key);
		json_decref(j);
	}
	put_item(b, str_of(op->owner), str_of(op->id), op->item);
	if (live < GRANTS_MAX && !store_commit(op->ac->store, s, b, op_end, op))
		return;
	if (live >= GRANTS_MAX)
		store_batch_free(b);
	op_end(s, op, live >= GRANTS_MAX ? -EDQUOT : -EBUSY);
}

int grant_create(struct accounts *ac, struct shard *s, const struct grant_new *g, grant_text_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct op *op = op_new(ac, s, g->node, random_token(a, ID_BYTES), arg);
	struct store_range range = { .owner = str_of(op->owner), .kind = STR("grant"), .limit = 4 * GRANTS_MAX };
	struct str code = handle_new(a, str_of(op->id), g->node), hashed = hash_hex(a, code), client = hash_hex(a, g->client_id);
	uint64_t now_ms = clock_wall_ms(), until_ms = now_ms + GRANT_CODE_MS;

	op->text_done = done;
	op->answer = str_dup(code);
	op->item = json_pack("{s:s%, s:s, s:I, s:i, s:s, s:I, s:s%, s:s%, s:s}", "name", g->name.p, g->name.n, "client", client.p, "created",
		(json_int_t)now_ms, "used", 0, "code", hashed.p, "until", (json_int_t)until_ms, "challenge", g->challenge.p,
		g->challenge.n, "redirect", g->redirect.p, g->redirect.n, "token", "");
	if (op->item && !store_list(ac->store, s, &range, on_create_list, op))
		return 0;
	op_free(op);
	return -EBUSY;
}

/* ---- the token for a code ---- */

/* RFC 7636 §4.6: BASE64URL(SHA256(verifier)) is the challenge. */
static bool verifier_fits(struct arena *a, struct str verifier, struct str challenge)
{
	uint8_t digest[SHA256_BYTES];

	if (verifier.n < 43 || verifier.n > 128)
		return false;
	hash(HASH_SHA256, verifier, digest);
	return equal_ct(base64url_encode(a, (struct str){ (const char *)digest, sizeof(digest) }), challenge);
}

static bool code_fits(struct arena *a, const struct op *op, const json_t *j)
{
	return equal_ct(text_of(j, "code"), str_of(op->shown)) && !text_of(j, "token").n && number_of(j, "until") > clock_wall_ms() &&
		str_eq(text_of(j, "client"), str_of(op->client)) && str_eq(text_of(j, "redirect"), str_of(op->redirect)) &&
		verifier_fits(a, str_of(op->verifier), text_of(j, "challenge"));
}

static void on_spent(struct shard *s, void *arg, int status)
{
	(void)status;
	op_end(s, arg, -EACCES);
}

static void on_redeemed(struct shard *s, void *arg, int status)
{
	op_end(s, arg, status == -EAGAIN ? -EACCES : status);
}

static void on_redeem_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct arena *a = shard_arena(s);
	json_t *j = !status && n ? item_load(&v[0]) : NULL;
	bool fits = j && code_fits(a, op, j);
	/* RFC 6749 §4.1.2: a code that comes twice was stolen from somebody; nobody keeps what it gave. */
	bool again = j && !fits && text_of(j, "token").n && equal_ct(text_of(j, "code"), str_of(op->shown));
	struct store_batch *b = store_batch_new();
	struct str token;

	if (n && (fits || again))
		store_expect(b, str_of(op->owner), STR("grant"), v[0].key, v[0].value);
	if (fits) {
		token = handle_new(a, v[0].key, str_of(op->node));
		op->answer = str_dup(token);
		json_object_set_new(j, "token", json_string(hash_hex(a, token).p));
		put_item(b, str_of(op->owner), v[0].key, j);
	} else if (again) {
		store_del(b, str_of(op->owner), STR("grant"), v[0].key);
	}
	json_decref(j);
	if (!fits && !again) {
		store_batch_free(b);
		op_end(s, op, status ? status : -EACCES);
	} else if (store_commit(op->ac->store, s, b, fits ? on_redeemed : on_spent, op)) {
		op_end(s, op, -EBUSY);
	}
}

int grant_redeem(struct accounts *ac, struct shard *s, const struct grant_code *c, grant_text_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str id, node;
	struct op *op;

	if (handle_read(a, c->code, &id, &node))
		return -EACCES;
	op = op_new(ac, s, node, id, arg);
	op->text_done = done;
	op->shown = str_dup(hash_hex(a, c->code));
	op->client = str_dup(hash_hex(a, c->client_id));
	op->redirect = str_dup(c->redirect);
	op->verifier = str_dup(c->verifier);
	if (!store_get(ac->store, s, str_of(op->owner), STR("grant"), id, on_redeem_found, op))
		return 0;
	op_free(op);
	return -EBUSY;
}

/* ---- tokens ---- */

static void on_noted(struct shard *s, void *arg, int status)
{
	(void)s;
	(void)arg;
	(void)status; /* a list that lacks a date is no reason to refuse anybody */
}

static void on_check_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	json_t *j = !status && n ? item_load(&v[0]) : NULL;
	struct str token = text_of(j, "token");
	uint64_t now_ms = clock_wall_ms();
	struct store_batch *b;

	if (!status && (!token.n || !equal_ct(token, str_of(op->shown))))
		status = -EACCES;
	if (!status && number_of(j, "used") + GRANT_USED_EVERY_MS <= now_ms) {
		b = store_batch_new();
		json_object_set_new(j, "used", json_integer((json_int_t)now_ms));
		store_expect(b, str_of(op->owner), STR("grant"), v[0].key, v[0].value);
		put_item(b, str_of(op->owner), v[0].key, j);
		store_commit(op->ac->store, s, b, on_noted, NULL);
	}
	json_decref(j);
	op_end(s, op, status);
}

int grant_check(struct accounts *ac, struct shard *s, struct str token, grant_checked_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str id, node;
	struct op *op;

	if (handle_read(a, token, &id, &node))
		return -EACCES;
	op = op_new(ac, s, node, id, arg);
	op->checked_done = done;
	op->shown = str_dup(hash_hex(a, token));
	if (!store_get(ac->store, s, str_of(op->owner), STR("grant"), id, on_check_found, op))
		return 0;
	op_free(op);
	return -EBUSY;
}

/* ---- the list ---- */

struct list_ask {
	grant_list_fn *done;
	void *arg;
};

static void on_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct list_ask *q = arg;
	struct arena *a = shard_arena(s);
	struct grant_row *rows = arena_alloc(a, (n + 1) * sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; !status && i < n; i++) {
		json_t *j = item_load(&v[i]);

		if (text_of(j, "token").n)
			rows[count++] = (struct grant_row){ v[i].key, arena_str(a, text_of(j, "name")), number_of(j, "created"),
				number_of(j, "used") };
		json_decref(j);
	}
	q->done(s, q->arg, status, rows, count);
	free(q);
}

int grant_list(struct accounts *ac, struct shard *s, struct str node, grant_list_fn *done, void *arg)
{
	struct store_range range = { .owner = record_owner(shard_arena(s), ac, node), .kind = STR("grant"), .limit = 4 * GRANTS_MAX };
	struct list_ask *q = mem_zalloc(sizeof(*q));

	*q = (struct list_ask){ done, arg };
	if (!store_list(ac->store, s, &range, on_list, q))
		return 0;
	free(q);
	return -EBUSY;
}

static void on_revoked(struct shard *s, void *arg, int status)
{
	op_end(s, arg, status == -EAGAIN ? -ENOENT : status);
}

static void on_revoke_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct store_batch *b;

	if (status || !n) {
		op_end(s, op, status ? status : -ENOENT);
		return;
	}
	b = store_batch_new();
	store_del(b, str_of(op->owner), STR("grant"), v[0].key);
	if (store_commit(op->ac->store, s, b, on_revoked, op))
		op_end(s, op, -EBUSY);
}

int grant_revoke(struct accounts *ac, struct shard *s, struct str node, struct str id, account_done_fn *done, void *arg)
{
	struct op *op;

	if (!id.n || id.n > GRANT_TOKEN_MAX)
		return -ENOENT;
	op = op_new(ac, s, node, id, arg);
	op->done = done;
	if (!store_get(ac->store, s, str_of(op->owner), STR("grant"), id, on_revoke_found, op))
		return 0;
	op_free(op);
	return -EBUSY;
}

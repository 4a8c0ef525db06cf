/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Invitations (XEP-0401 0.5, XEP-0445, XEP-0379). Each verb but create begins with the same two reads: the invitation, then the
 * inviter's own note of it, which is gone when the inviter's account is. Using one up expects the value that was read, so that
 * two people with one link cannot both win. */
#include "account/invite.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"

#define DAY_MS 86400000ull

enum { TOKEN_BYTES = 16 };

struct op {
	struct accounts *ac;
	invite_fn *done;
	void *arg;
	void (*found)(struct shard *s, struct op *op); /* what to do with a good invitation */
	char *key;   /* of the item; NULL without an invitation */
	char *value; /* as it was read */
	char *inviter;
	struct invite inv;
	char token[INVITE_TOKEN_MAX]; /* create */
	char *node, *password;	      /* register; password is prepared */
};

static struct op *op_new(struct accounts *ac, invite_fn *done, void *arg)
{
	struct op *op = mem_zalloc(sizeof(*op));

	op->ac = ac;
	op->done = done;
	op->arg = arg;
	return op;
}

static void op_free(struct op *op)
{
	if (op->password)
		wipe(op->password, strlen(op->password));
	wipe(op->token, sizeof(op->token));
	free(op->key);
	free(op->value);
	free(op->inviter);
	free(op->node);
	free(op->password);
	free(op);
}

static void op_end(struct shard *s, struct op *op, int status)
{
	op->done(s, op->arg, status, status ? STR_NONE : str_of(op->token), status || !op->key ? NULL : &op->inv);
	op_free(op);
}

static int op_begun(struct op *op, int err)
{
	if (err)
		op_free(op);
	return err ? -EBUSY : 0;
}

static void on_committed(struct shard *s, void *arg, int status)
{
	op_end(s, arg, status == -EAGAIN ? -ENOENT : status);
}

static void op_commit(struct shard *s, struct op *op, struct store_batch *b)
{
	if (store_commit(op->ac->store, s, b, on_committed, op))
		op_end(s, op, -EBUSY);
}

static struct str token_key(struct arena *a, struct str token)
{
	uint8_t digest[HASH_MAX];

	hash(HASH_SHA256, token, digest);
	return hex_encode(a, (struct str){ (const char *)digest, hash_size(HASH_SHA256) });
}

/* ---- the item ---- */

static struct str encode(struct arena *a, const struct invite *inv)
{
	json_t *j = json_pack("{s:s%, s:b, s:I}", "inviter", inv->inviter.p ? inv->inviter.p : "", inv->inviter.n, "account",
		(int)inv->account, "expires", (json_int_t)inv->expires_ms);
	char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	struct str out;

	must(text);
	out = arena_str(a, str_of(text));
	free(text);
	json_decref(j);
	return out;
}

/* Keeps the item in op. Returns 0; -ENOENT unreadable or expired. */
static int keep(struct op *op, struct str value)
{
	json_t *j = json_loadb(value.p ? value.p : "", value.n, 0, NULL);
	const char *inviter = json_string_value(json_object_get(j, "inviter"));
	uint64_t expires_ms = (uint64_t)json_integer_value(json_object_get(j, "expires"));
	int err = inviter && expires_ms > clock_wall_ms() ? 0 : -ENOENT;

	if (!err) {
		op->value = str_dup(value);
		op->inviter = mem_strdup(inviter);
		op->inv = (struct invite){ str_of(op->inviter), json_is_true(json_object_get(j, "account")), expires_ms };
	}
	json_decref(j);
	return err;
}

static void put_used(struct store_batch *b, const struct op *op)
{
	store_expect(b, op->ac->scope, STR("invite"), str_of(op->key), str_of(op->value));
	store_del(b, op->ac->scope, STR("invite"), str_of(op->key));
	store_del(b, str_of(op->inviter), STR("invited"), str_of(op->key));
}

/* ---- create ---- */

/* Notes of invitations that ran out go away, and the invitations with them. Returns how many are open. */
static size_t purge(struct store_batch *b, const struct op *op, const struct store_item *v, size_t n)
{
	uint64_t now_ms = clock_wall_ms(), expires_ms;
	size_t open = 0;

	for (size_t i = 0; i < n; i++) {
		if (str_u64(v[i].value, UINT64_MAX, &expires_ms) == 0 && expires_ms > now_ms) {
			open++;
			continue;
		}
		store_del(b, op->ac->scope, STR("invite"), v[i].key);
		store_del(b, str_of(op->inviter), STR("invited"), v[i].key);
	}
	return open;
}

static void on_create_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct arena *a = shard_arena(s);
	struct store_batch *b;

	if (status) {
		op_end(s, op, status);
		return;
	}
	b = store_batch_new();
	if (purge(b, op, v, n) >= INVITES_MAX) {
		store_batch_free(b);
		op_end(s, op, -EDQUOT);
		return;
	}
	store_put(b, op->ac->scope, STR("invite"), str_of(op->key), encode(a, &op->inv));
	store_put(b, str_of(op->inviter), STR("invited"), str_of(op->key),
		arena_printf(a, "%llu", (unsigned long long)op->inv.expires_ms));
	op_commit(s, op, b);
}

int invite_create(struct accounts *ac, struct shard *s, struct str inviter, bool account, invite_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct store_range open = { .owner = inviter, .kind = STR("invited"), .limit = 2 * INVITES_MAX };
	struct str token = random_token(a, TOKEN_BYTES);
	struct op *op = op_new(ac, done, arg);

	must(token.n < sizeof(op->token));
	memcpy(op->token, token.p, token.n);
	op->key = str_dup(token_key(a, token));
	op->inviter = str_dup(inviter);
	op->inv = (struct invite){ str_of(op->inviter), account, clock_wall_ms() + INVITE_DAYS * DAY_MS };
	return op_begun(op, store_list(ac->store, s, &open, on_create_list, op));
}

/* ---- look ---- */

static void on_note(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;

	if (!status && n == 0)
		status = -ENOENT;
	if (status)
		op_end(s, op, status);
	else
		op->found(s, op);
}

static void on_item(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;

	if (!status)
		status = n ? keep(op, v[0].value) : -ENOENT;
	if (!status && store_get(op->ac->store, s, str_of(op->inviter), STR("invited"), str_of(op->key), on_note, op))
		status = -EBUSY;
	if (status)
		op_end(s, op, status);
}

/* Reads the invitation; op->found runs when it is good. Takes op. */
static int look(struct shard *s, struct op *op, struct str token)
{
	if (token.n == 0 || token.n > INVITE_TOKEN_MAX) {
		op_free(op);
		return -ENOENT;
	}
	op->key = str_dup(token_key(shard_arena(s), token));
	return op_begun(op, store_get(op->ac->store, s, op->ac->scope, STR("invite"), str_of(op->key), on_item, op));
}

static void found_end(struct shard *s, struct op *op)
{
	op_end(s, op, 0);
}

int invite_look(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg)
{
	struct op *op = op_new(ac, done, arg);

	op->found = found_end;
	return look(s, op, token);
}

/* ---- use ---- */

static void found_use(struct shard *s, struct op *op)
{
	struct store_batch *b = store_batch_new();

	put_used(b, op);
	op_commit(s, op, b);
}

int invite_use(struct accounts *ac, struct shard *s, struct str token, invite_fn *done, void *arg)
{
	struct op *op = op_new(ac, done, arg);

	op->found = found_use;
	return look(s, op, token);
}

/* ---- register ---- */

/* A JID is XML text: nodeprep keeps & ' < and others out of it (RFC 7622 §3.3.1), the domain is a host name. */
static void put_contact(struct store_batch *b, struct arena *a, struct str owner, struct str contact)
{
	struct str item = arena_printf(a, "<item xmlns='jabber:iq:roster' jid='%.*s' subscription='both'/>", STR_ARG(contact));

	store_put(b, owner, STR("roster"), contact, item);
}

static void on_register_derived(struct shard *s, void *arg, const struct account_keyset *keys)
{
	struct op *op = arg;
	struct arena *a;
	struct store_batch *b;
	struct account_new new = { .node = str_of(op->node) };

	if (!s) {
		op_free(op);
		return;
	}
	a = shard_arena(s);
	b = store_batch_new();
	record_put_new(b, a, op->ac, &new, keys);
	if (op->key)
		put_used(b, op);
	if (op->inv.inviter.n)
		put_contact(b, a, record_owner(a, op->ac, new.node), op->inv.inviter);
	op_commit(s, op, b);
}

static void found_register(struct shard *s, struct op *op)
{
	int err = op->inv.account ? record_derive(op->ac, s, str_of(op->password), on_register_derived, op) : -EPERM;

	if (err)
		op_end(s, op, err);
}

/* One parameter over the limit: a struct for one call would hide what it takes. NOLINTNEXTLINE(readability-function-size) */
int invite_register(struct accounts *ac, struct shard *s, struct str token, struct str node, struct str password, invite_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str normal, prepared;
	struct op *op;
	int err = account_name_check(a, node, &normal);

	if (!err)
		err = account_password_check(a, password, &prepared);
	if (err)
		return err;
	op = op_new(ac, done, arg);
	op->node = str_dup(normal);
	op->password = str_dup(prepared);
	if (token.n == 0)
		return op_begun(op, record_derive(ac, s, prepared, on_register_derived, op));
	op->found = found_register;
	return look(s, op, token);
}

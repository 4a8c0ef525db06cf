/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The second factor. Every verb reads one item, decides, and writes on condition that the item is still what was read. */
#include "account/factor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "crypto/totp.h"

enum { SHA256_BYTES = 32, SECRET_CHARS = 32 };

/* A verb under way. */
struct op {
	struct accounts *ac;
	factor_secret_fn *secret_done;
	factor_codes_fn *codes_done;
	account_done_fn *done;
	void *arg;
	char *node, *owner;
	uint8_t secret[TOTP_SECRET_BYTES];
	size_t code_n;
	char code[FACTOR_CODE_MAX];
	struct str codes[FACTOR_RECOVERY_CODES]; /* own bytes */
};

static struct op *op_new(struct accounts *ac, struct shard *s, struct str node, struct str code, void *arg)
{
	struct op *op = mem_zalloc(sizeof(*op));

	op->ac = ac;
	op->arg = arg;
	op->node = str_dup(node);
	op->owner = str_dup(record_owner(shard_arena(s), ac, node));
	op->code_n = code.n <= FACTOR_CODE_MAX ? code.n : 0;
	memcpy(op->code, code.p ? code.p : "", op->code_n);
	return op;
}

static void op_free(struct op *op)
{
	for (size_t i = 0; i < FACTOR_RECOVERY_CODES; i++) {
		if (op->codes[i].p)
			wipe((void *)op->codes[i].p, op->codes[i].n);
		free((void *)op->codes[i].p);
	}
	free(op->node);
	free(op->owner);
	wipe(op, sizeof(*op));
	free(op);
}

static int op_begin(struct shard *s, struct op *op, const char *kind, const char *key, store_items_fn *fn)
{
	if (!store_get(op->ac->store, s, str_of(op->owner), str_of(kind), str_of(key), fn, op))
		return 0;
	op_free(op);
	return -EBUSY;
}

static void op_end(struct shard *s, void *arg, int status)
{
	struct op *op = arg;
	struct arena *a = shard_arena(s);
	struct str secret = { (const char *)op->secret, sizeof(op->secret) };

	if (op->secret_done && !status)
		op->secret_done(s, op->arg, 0, base32_encode(a, secret),
			totp_uri(a, secret, op->ac->domain, str_of(op->owner)));
	else if (op->secret_done)
		op->secret_done(s, op->arg, status, STR_NONE, STR_NONE);
	else if (op->codes_done)
		op->codes_done(s, op->arg, status, op->codes, status ? 0 : FACTOR_RECOVERY_CODES);
	else
		op->done(s, op->arg, status);
	op_free(op);
}

/* Ends an operation that found what it cannot go on with. */
static bool op_failed(struct shard *s, struct op *op, int status)
{
	if (status)
		op_end(s, op, status);
	return status != 0;
}

static void on_written(struct shard *s, void *arg, int status)
{
	/* -EAGAIN: somebody else used the code, or changed the factor, while we looked. */
	op_end(s, arg, status == -EAGAIN ? -EACCES : status);
}

static void op_commit(struct shard *s, struct op *op, struct store_batch *b)
{
	if (store_commit(op->ac->store, s, b, on_written, op))
		op_end(s, op, -EBUSY);
}

/* ---- items ---- */

static int value_of(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* base32 of exactly the secret's length. */
static int secret_from(const char *text, uint8_t out[TOTP_SECRET_BYTES])
{
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	if (!text || strlen(text) != SECRET_CHARS)
		return -EBADMSG;
	for (; *text; text++) {
		int v = value_of(*text);

		if (v < 0)
			return -EBADMSG;
		bits = bits << 5 | (uint32_t)v;
		have += 5;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	return 0;
}

struct factor {
	uint8_t secret[TOTP_SECRET_BYTES];
	uint64_t step, created_ms;
};

static int factor_read(struct str value, struct factor *out)
{
	json_t *j = json_loadb(value.p ? value.p : "", value.n, JSON_REJECT_DUPLICATES, NULL);
	int err = secret_from(json_string_value(json_object_get(j, "secret")), out->secret);

	out->step = (uint64_t)json_integer_value(json_object_get(j, "step"));
	out->created_ms = (uint64_t)json_integer_value(json_object_get(j, "created"));
	json_decref(j);
	return err;
}

static struct str factor_write(struct arena *a, const struct factor *f)
{
	struct str secret = base32_encode(a, (struct str){ (const char *)f->secret, sizeof(f->secret) });

	return arena_printf(a, "{\"secret\":\"%s\",\"step\":%llu,\"created\":%llu}", secret.p, (unsigned long long)f->step,
		(unsigned long long)f->created_ms);
}

/* Letters and digits of a recovery code as typed, without what stands between them. */
static struct str bare_code(struct arena *a, struct str code)
{
	char *p = arena_alloc(a, code.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] != '-' && code.p[i] != ' ')
			p[n++] = (char)(code.p[i] >= 'A' && code.p[i] <= 'Z' ? code.p[i] | 32 : code.p[i]);
	return (struct str){ p, n };
}

static struct str recovery_key(struct arena *a, const struct op *op, struct str code)
{
	struct str secret = { (const char *)op->ac->secret, sizeof(op->ac->secret) }, bare = bare_code(a, code);
	uint8_t mac[SHA256_BYTES];
	struct buf text = { 0 };

	buf_put(&text, "recovery", 9);
	buf_put(&text, op->node, strlen(op->node) + 1);
	buf_str(&text, bare);
	hmac(HASH_SHA256, secret, buf_view(&text), mac);
	wipe(text.p, text.n);
	buf_free(&text);
	return hex_encode(a, (struct str){ (const char *)mac, sizeof(mac) });
}

/* Puts fresh recovery codes into op and the batch, in place of any before. */
static void put_recovery(struct arena *a, struct op *op, struct store_batch *b)
{
	store_del_all(b, str_of(op->owner), STR("recovery"), STR_NONE);
	for (size_t i = 0; i < FACTOR_RECOVERY_CODES; i++) {
		uint8_t bytes[FACTOR_RECOVERY_CHARS * 5 / 8];
		struct str text;
		char code[FACTOR_RECOVERY_CHARS + 4];
		size_t n = 0;

		random_bytes(bytes, sizeof(bytes));
		text = base32_encode(a, (struct str){ (const char *)bytes, sizeof(bytes) });
		for (size_t k = 0; k < FACTOR_RECOVERY_CHARS; k++) {
			if (k && k % 4 == 0)
				code[n++] = '-';
			code[n++] = (char)(text.p[k] >= 'A' ? text.p[k] | 32 : text.p[k]);
		}
		op->codes[i] = (struct str){ str_dup((struct str){ code, n }), n };
		store_put(b, str_of(op->owner), STR("recovery"), recovery_key(a, op, op->codes[i]), STR("1"));
		wipe(code, sizeof(code));
	}
}

/* ---- on ---- */

static void on_begin_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct arena *a = shard_arena(s);
	struct factor f = { .created_ms = clock_wall_ms() };
	struct store_batch *b;

	(void)v;
	if (!status && n)
		status = -EEXIST;
	if (op_failed(s, op, status))
		return;
	random_bytes(op->secret, sizeof(op->secret));
	memcpy(f.secret, op->secret, sizeof(f.secret));
	b = store_batch_new();
	store_put(b, str_of(op->owner), STR("factor"), STR("pending"), factor_write(a, &f));
	wipe(&f, sizeof(f));
	op_commit(s, op, b);
}

int factor_begin(struct accounts *ac, struct shard *s, struct str node, factor_secret_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, STR_NONE, arg);

	op->secret_done = done;
	return op_begin(s, op, "scram", "totp", on_begin_found);
}

static void on_pending(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct arena *a = shard_arena(s);
	uint64_t now_ms = clock_wall_ms();
	struct factor f;
	struct store_batch *b;

	if (!status && (!n || factor_read(v[0].value, &f) || f.created_ms + FACTOR_PENDING_MS < now_ms))
		status = -ENOENT;
	if (!status) {
		f.step = totp_check((struct str){ (const char *)f.secret, sizeof(f.secret) },
			(struct str){ op->code, op->code_n }, now_ms / 1000, 0);
		if (!f.step)
			status = -EACCES;
	}
	if (status)
		wipe(&f, sizeof(f));
	if (op_failed(s, op, status))
		return;
	f.created_ms = now_ms;
	b = store_batch_new();
	store_expect(b, str_of(op->owner), STR("factor"), STR("pending"), v[0].value);
	store_del(b, str_of(op->owner), STR("factor"), STR("pending"));
	store_expect(b, str_of(op->owner), STR("scram"), STR("totp"), STR_NONE);
	store_put(b, str_of(op->owner), STR("scram"), STR("totp"), factor_write(a, &f));
	store_del_all(b, str_of(op->owner), STR("fast"), STR_NONE);
	put_recovery(a, op, b);
	wipe(&f, sizeof(f));
	op_commit(s, op, b);
}

int factor_confirm(struct accounts *ac, struct shard *s, struct str node, struct str code, factor_codes_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, code, arg);

	op->codes_done = done;
	return op_begin(s, op, "factor", "pending", on_pending);
}

static void on_renew_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct store_batch *b;

	if (!status && !n)
		status = -ENOENT;
	if (op_failed(s, op, status))
		return;
	b = store_batch_new();
	store_expect(b, str_of(op->owner), STR("scram"), STR("totp"), v[0].value);
	put_recovery(shard_arena(s), op, b);
	op_commit(s, op, b);
}

int factor_recovery_new(struct accounts *ac, struct shard *s, struct str node, factor_codes_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, STR_NONE, arg);

	op->codes_done = done;
	return op_begin(s, op, "scram", "totp", on_renew_found);
}

/* ---- codes ---- */

static void on_check_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct factor f;
	uint64_t step;
	struct store_batch *b;

	if (!status && (!n || factor_read(v[0].value, &f)))
		status = -EACCES;
	if (!status) {
		step = totp_check((struct str){ (const char *)f.secret, sizeof(f.secret) },
			(struct str){ op->code, op->code_n }, clock_wall_ms() / 1000, f.step);
		f.step = step;
		if (!step)
			status = -EACCES;
	}
	if (status)
		wipe(&f, sizeof(f));
	if (op_failed(s, op, status))
		return;
	b = store_batch_new();
	store_expect(b, str_of(op->owner), STR("scram"), STR("totp"), v[0].value);
	store_put(b, str_of(op->owner), STR("scram"), STR("totp"), factor_write(shard_arena(s), &f));
	wipe(&f, sizeof(f));
	op_commit(s, op, b);
}

int factor_check(struct accounts *ac, struct shard *s, struct str node, struct str code, account_done_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, code, arg);

	op->done = done;
	return op_begin(s, op, "scram", "totp", on_check_found);
}

static void on_recover_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct store_batch *b;

	if (!status && !n)
		status = -EACCES;
	if (op_failed(s, op, status))
		return;
	b = store_batch_new();
	store_expect(b, str_of(op->owner), STR("recovery"), v[0].key, v[0].value);
	store_del(b, str_of(op->owner), STR("recovery"), v[0].key);
	op_commit(s, op, b);
}

int factor_recover(struct accounts *ac, struct shard *s, struct str node, struct str code, account_done_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, code, arg);

	op->done = done;
	return op_begin(s, op, "recovery", recovery_key(shard_arena(s), op, (struct str){ op->code, op->code_n }).p, on_recover_found);
}

/* ---- off ---- */

static void on_off_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct str owner = str_of(op->owner);
	struct store_batch *b;

	(void)v;
	if (!status && !n)
		status = -ENOENT;
	if (op_failed(s, op, status))
		return;
	b = store_batch_new();
	store_del(b, owner, STR("scram"), STR("totp"));
	store_del_all(b, owner, STR("factor"), STR_NONE);
	store_del_all(b, owner, STR("recovery"), STR_NONE);
	store_del_all(b, owner, STR("fast"), STR_NONE);
	op_commit(s, op, b);
}

int factor_off(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg)
{
	struct op *op = op_new(ac, s, node, STR_NONE, arg);

	op->done = done;
	return op_begin(s, op, "scram", "totp", on_off_found);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stored form of an account, and the making of its SCRAM keys in the pool. */
#include "account/record.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/random.h"

enum { SCRAM_FORM = 1, SCRAM_FORM_SALT = 2 };

struct str record_owner(struct arena *a, const struct accounts *ac, struct str node)
{
	return arena_printf(a, "%.*s@%.*s", STR_ARG(node), STR_ARG(ac->domain));
}

struct str record_alg(enum hash_alg alg)
{
	static const char *const names[RECORD_ALGS] = {
		[HASH_SHA1] = "SHA-1", [HASH_SHA256] = "SHA-256", [HASH_SHA512] = "SHA-512",
	};

	must((int)alg < RECORD_ALGS);
	return str_of(names[alg]);
}

struct str record_keys_encode(struct arena *a, const struct scram_keys *k)
{
	size_t n = hash_size(k->alg);
	struct str salt = scram_salt(k);
	char *start = arena_alloc(a, RECORD_SCRAM_MAX), *p = start;
	bool usual = salt.n == SCRAM_SALT_BYTES;

	*p++ = usual ? SCRAM_FORM : SCRAM_FORM_SALT;
	for (int shift = 24; shift >= 0; shift -= 8)
		*p++ = (char)(k->iterations >> shift);
	if (!usual)
		*p++ = (char)salt.n;
	memcpy(p, salt.p, salt.n);
	p += salt.n;
	memcpy(p, k->stored_key, n);
	memcpy(p + n, k->server_key, n);
	return (struct str){ start, (size_t)(p + 2 * n - start) };
}

int record_keys_decode(struct str value, enum hash_alg alg, struct scram_keys *out)
{
	const unsigned char *p = (const unsigned char *)value.p;
	size_t n = hash_size(alg), salt_n = SCRAM_SALT_BYTES, head = 5;
	struct scram_keys k = { .alg = alg };

	if (value.n < 6 || (p[0] != SCRAM_FORM && p[0] != SCRAM_FORM_SALT))
		return -EBADMSG;
	if (p[0] == SCRAM_FORM_SALT) {
		salt_n = k.salt_n = p[5];
		head = 6;
	}
	if (salt_n == 0 || salt_n > SCRAM_SALT_MAX || value.n != head + salt_n + 2 * n)
		return -EBADMSG;
	k.iterations = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	memcpy(k.salt, p + head, salt_n);
	memcpy(k.stored_key, p + head + salt_n, n);
	memcpy(k.server_key, p + head + salt_n + n, n);
	*out = k;
	return 0;
}

struct str record_info_encode(struct arena *a, bool admin, uint64_t created_ms)
{
	return arena_printf(a, "{\"created\":%llu,\"admin\":%s}", (unsigned long long)created_ms, admin ? "true" : "false");
}

int record_info_decode(struct str value, bool *out_admin, uint64_t *out_created_ms)
{
	json_t *j = json_loadb(value.p ? value.p : "", value.n, JSON_REJECT_DUPLICATES, NULL);
	json_t *created = json_object_get(j, "created"), *admin = json_object_get(j, "admin");
	int err = json_is_integer(created) && json_is_boolean(admin) ? 0 : -EBADMSG;

	if (!err) {
		*out_admin = json_is_true(admin);
		*out_created_ms = (uint64_t)json_integer_value(created);
	}
	json_decref(j);
	return err;
}

void record_put_keys(struct store_batch *b, struct arena *a, struct str owner, const struct account_keyset *keys)
{
	for (int alg = 0; alg < RECORD_ALGS; alg++)
		store_put(b, owner, STR("scram"), record_alg((enum hash_alg)alg), record_keys_encode(a, &keys->v[alg]));
	store_del_all(b, owner, STR("scram"), STR("app:"));
	store_del_all(b, owner, STR("fast"), STR_NONE);
	store_del_all(b, owner, STR("client"), STR_NONE);
	store_del_all(b, owner, STR("grant"), STR_NONE);
}

void record_put_new(struct store_batch *b, struct arena *a, const struct accounts *ac, const struct account_new *n,
	const struct account_keyset *keys)
{
	struct str owner = record_owner(a, ac, n->node);
	struct str info = record_info_encode(a, n->admin, clock_wall_ms());

	store_insert(b, owner, STR("account"), STR_NONE, info);
	store_put(b, ac->scope, STR("user"), n->node, info);
	if (n->only_first)
		store_expect(b, ac->scope, STR("server"), STR("admin"), STR_NONE);
	if (n->admin) {
		store_put(b, ac->scope, STR("server"), STR("admin"), n->node);
		store_del(b, ac->scope, STR("server"), STR("setup"));
	}
	record_put_keys(b, a, owner, keys);
}

/* ---- keys in the pool ---- */

struct derive {
	struct job job;
	record_derived_fn *done;
	void *arg;
	struct account_keyset keys;
	size_t password_n;
	char password[];
};

static void derive_free(struct derive *d)
{
	wipe(d, sizeof(*d) + d->password_n);
	free(d);
}

static void derive_discard(struct job *j)
{
	struct derive *d = container_of(j, struct derive, job);

	d->done(NULL, d->arg, NULL);
	derive_free(d);
}

static void derive_run(struct job *j)
{
	struct derive *d = container_of(j, struct derive, job);
	struct str password = { d->password, d->password_n };

	for (int alg = 0; alg < RECORD_ALGS; alg++)
		scram_keys_derive((enum hash_alg)alg, SCRAM_ITERATIONS, password, &d->keys.v[alg]);
}

static void derive_done(struct shard *s, struct job *j)
{
	struct derive *d = container_of(j, struct derive, job);

	d->done(s, d->arg, &d->keys);
	derive_free(d);
}

int record_derive(struct accounts *ac, struct shard *s, struct str prepared, record_derived_fn *done, void *arg)
{
	struct derive *d = mem_zalloc(sizeof(*d) + prepared.n);
	int err;

	d->job = (struct job){ .home = s, .run = derive_run, .done = derive_done, .discard = derive_discard };
	d->done = done;
	d->arg = arg;
	d->password_n = prepared.n;
	memcpy(d->password, prepared.p, prepared.n);
	err = pool_submit(ac->pool, &d->job);
	if (err)
		derive_free(d);
	return err;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an account can sign in with: reading it, checking a plain password, keys for one more hash (XEP-0480 0.2.0). */
#include "account/signin.h"

#include <errno.h>
#include <stdlib.h>

#include "account/apppass.h"
#include "account/record.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/random.h"
#include "crypto/saslprep.h"

enum { ITEMS_MAX = RECORD_ALGS + APP_PASSWORDS_MAX + 8 };

int signin_items(struct accounts *ac, struct shard *s, struct str node, store_items_fn *done, void *arg)
{
	struct store_range range = { .owner = record_owner(shard_arena(s), ac, node), .kind = STR("scram"), .limit = ITEMS_MAX };

	return store_list(ac->store, s, &range, done, arg) ? -EBUSY : 0;
}

static int read_keys(const struct store_item *item, enum hash_alg alg, struct signin *in)
{
	for (int k = 0; k < RECORD_ALGS; k++) {
		if (!str_eq(item->key, record_alg((enum hash_alg)k)))
			continue;
		in->algs |= (uint8_t)(1 << k);
		if (k != (int)alg)
			continue;
		if (record_keys_decode(item->value, alg, &in->keys)) {
			log_error("account.keys_unreadable", "alg=%s next=\"sign-in is refused until the password is set anew\"",
				record_alg(alg).p);
			return -EIO;
		}
		in->known = true;
	}
	return 0;
}

void signin_salt(const struct accounts *ac, struct str node, enum hash_alg alg, struct scram_keys *out)
{
	scram_keys_fake(alg, SCRAM_ITERATIONS, (struct str){ (const char *)ac->secret, sizeof(ac->secret) }, node, out);
}

int signin_read(const struct accounts *ac, struct str node, enum hash_alg alg, const struct store_item *v, size_t n, struct signin *out)
{
	*out = (struct signin){ 0 };
	signin_salt(ac, node, alg, &out->keys);
	for (size_t i = 0; i < n; i++) {
		if (read_keys(&v[i], alg, out))
			return -EIO;
		if (str_is(v[i].key, "totp"))
			out->totp = true;
		else if (out->apps_n < APP_PASSWORDS_MAX &&
			 !apppass_read(&v[i], alg, out->ids[out->apps_n], &out->apps[out->apps_n]))
			out->apps_n++;
	}
	if (!out->algs) /* nobody can tell an unknown name from one that has everything */
		out->algs = SIGNIN_ALGS;
	return 0;
}

uint8_t signin_lacking(const struct accounts *ac)
{
	uint8_t lacking = ac->algs_lacking;

	return lacking == SIGNIN_ALGS ? 0 : lacking;
}

/* ---- a look ---- */

struct look {
	struct accounts *ac;
	signin_fn *done;
	void *arg;
	enum hash_alg alg;
	size_t node_n;
	char node[];
};

static void on_look(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct look *l = arg;
	struct signin in;

	if (!status)
		status = signin_read(l->ac, (struct str){ l->node, l->node_n }, l->alg, v, n, &in);
	if (!status && in.algs != SIGNIN_ALGS)
		l->ac->algs_lacking |= (uint8_t)(SIGNIN_ALGS & ~in.algs);
	l->done(s, l->arg, status, status ? NULL : &in);
	wipe(&in, sizeof(in));
	free(l);
}

int signin_look(struct accounts *ac, struct shard *s, struct str node, enum hash_alg alg, signin_fn *done, void *arg)
{
	struct look *l = mem_alloc(sizeof(*l) + node.n);
	int err;

	*l = (struct look){ .ac = ac, .done = done, .arg = arg, .alg = alg, .node_n = node.n };
	memcpy(l->node, node.p ? node.p : "", node.n);
	err = signin_items(ac, s, node, on_look, l);
	if (err)
		free(l);
	return err;
}

/* ---- plain passwords ---- */

struct check {
	struct job job;
	struct accounts *ac;
	signin_checked_fn *done;
	void *arg;
	struct signin in;
	struct account_keyset more; /* keys of hashes that were missing */
	uint8_t more_algs;
	bool right;
	size_t app; /* 1 + index, 0: the password itself */
	char *node;
	size_t password_n;
	char password[];
};

static void check_free(struct check *c)
{
	free(c->node);
	wipe(c, sizeof(*c) + c->password_n);
	free(c);
}

static void check_discard(struct job *j)
{
	check_free(container_of(j, struct check, job));
}

static bool same_key(const uint8_t *a, const uint8_t *b)
{
	return equal_ct((struct str){ (const char *)a, HASH_MAX }, (struct str){ (const char *)b, HASH_MAX });
}

/* All passwords share the salt: one derivation, however many there are. */
static void check_run(struct job *j)
{
	struct check *c = container_of(j, struct check, job);
	struct str password = { c->password, c->password_n };
	const struct scram_keys *k = &c->in.keys;
	struct scram_keys tried;

	scram_keys_derive_like(k, password, &tried);
	c->right = same_key(tried.stored_key, k->stored_key) && c->in.known && c->password_n;
	for (size_t i = 0; i < c->in.apps_n; i++)
		if (same_key(tried.stored_key, c->in.apps[i].stored_key) && !c->right) {
			c->right = true;
			c->app = i + 1;
		}
	wipe(&tried, sizeof(tried));
	for (int alg = 0; c->right && !c->app && alg < RECORD_ALGS; alg++) {
		struct scram_keys salt;

		if (c->in.algs & 1 << alg)
			continue;
		signin_salt(c->ac, str_of(c->node), (enum hash_alg)alg, &salt);
		scram_keys_derive_with(salt.alg, salt.iterations, password, salt.salt, &c->more.v[alg]);
		c->more_algs |= (uint8_t)(1 << alg);
	}
}

static void check_end(struct shard *s, struct check *c)
{
	c->done(s, c->arg, c->right ? 0 : -EACCES, &c->in, c->right && c->app ? c->in.ids[c->app - 1] : "");
	check_free(c);
}

static void on_more_stored(struct shard *s, void *arg, int status)
{
	if (status && status != -EAGAIN)
		log_warning("account.keys_not_added", "error=%d next=\"tried again at the next sign-in with PLAIN\"", -status);
	check_end(s, arg);
}

static void check_done(struct shard *s, struct job *j)
{
	struct check *c = container_of(j, struct check, job);
	struct arena *a = shard_arena(s);
	struct str owner = record_owner(a, c->ac, str_of(c->node));
	struct store_batch *b;

	if (!c->more_algs) {
		check_end(s, c);
		return;
	}
	b = store_batch_new();
	store_expect(b, owner, STR("scram"), record_alg(c->in.keys.alg), record_keys_encode(a, &c->in.keys));
	for (int alg = 0; alg < RECORD_ALGS; alg++) {
		if (!(c->more_algs & 1 << alg))
			continue;
		store_expect(b, owner, STR("scram"), record_alg((enum hash_alg)alg), STR_NONE);
		store_put(b, owner, STR("scram"), record_alg((enum hash_alg)alg), record_keys_encode(a, &c->more.v[alg]));
	}
	if (store_commit(c->ac->store, s, b, on_more_stored, c))
		check_end(s, c);
}

static void on_check_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	static const enum hash_alg order[] = { HASH_SHA256, HASH_SHA512, HASH_SHA1 };
	struct check *c = arg;

	/* An unknown name takes the same time as one with SHA-256 keys. */
	for (size_t i = 0; !status && i < ARRAY_LEN(order) && !c->in.known; i++)
		status = signin_read(c->ac, str_of(c->node), order[i], v, n, &c->in);
	if (!status && !c->in.known)
		status = signin_read(c->ac, str_of(c->node), HASH_SHA256, v, n, &c->in);
	if (!status) {
		struct pool *pool = c->ac->pool;

		c->job = (struct job){ .home = s, .run = check_run, .done = check_done, .discard = check_discard };
		status = pool_submit(pool, &c->job);
	}
	if (status) {
		c->done(s, c->arg, status, NULL, "");
		check_free(c);
	}
}

int signin_check(struct accounts *ac, struct shard *s, struct str node, struct str password, signin_checked_fn *done, void *arg)
{
	struct str prepared = STR_NONE;
	struct check *c;
	int err;

	if (password.n > PASSWORD_MAX || saslprep(shard_arena(s), password, SASLPREP_QUERY, &prepared))
		prepared = STR_NONE; /* no password opens with that: the answer is the same, and comes as late */
	c = mem_zalloc(sizeof(*c) + prepared.n);
	c->ac = ac;
	c->done = done;
	c->arg = arg;
	c->node = str_dup(node);
	c->password_n = prepared.n;
	memcpy(c->password, prepared.p ? prepared.p : "", prepared.n);
	err = signin_items(ac, s, node, on_check_items, c);
	if (err)
		check_free(c);
	return err;
}

/* ---- one more hash ---- */

struct upgrade {
	struct accounts *ac;
	account_done_fn *done;
	void *arg;
	struct scram_keys keys;
	char *node;
};

static void upgrade_end(struct shard *s, void *arg, int status)
{
	struct upgrade *u = arg;

	u->done(s, u->arg, status);
	free(u->node);
	wipe(u, sizeof(*u));
	free(u);
}

/* Adds them if the password is still the one that was proved a moment ago: its keys are expected as they are. */
static void on_upgrade_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct upgrade *u = arg;
	struct arena *a = shard_arena(s);
	struct str owner = record_owner(a, u->ac, str_of(u->node)), alg = record_alg(u->keys.alg);
	struct store_batch *b;
	bool password = false;

	if (status) {
		upgrade_end(s, u, status);
		return;
	}
	b = store_batch_new();
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < RECORD_ALGS; k++)
			if (str_eq(v[i].key, record_alg((enum hash_alg)k))) {
				store_expect(b, owner, STR("scram"), v[i].key, v[i].value);
				password = true;
			}
	store_expect(b, owner, STR("scram"), alg, STR_NONE);
	store_put(b, owner, STR("scram"), alg, record_keys_encode(a, &u->keys));
	if (password && !store_commit(u->ac->store, s, b, upgrade_end, u))
		return;
	if (!password)
		store_batch_free(b);
	upgrade_end(s, u, password ? -EBUSY : -EAGAIN);
}

int signin_upgrade(struct accounts *ac, struct shard *s, struct str node, const struct scram_keys *keys, account_done_fn *done, void *arg)
{
	struct upgrade *u = mem_zalloc(sizeof(*u));
	int err;

	*u = (struct upgrade){ .ac = ac, .done = done, .arg = arg, .keys = *keys, .node = str_dup(node) };
	err = signin_items(ac, s, node, on_upgrade_items, u);
	if (err) {
		free(u->node);
		free(u);
	}
	return err;
}

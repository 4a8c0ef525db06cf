/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The one-time code that makes the first administrator from the web page. */
#include "account/setup.h"

#include <errno.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/mem.h"
#include "crypto/random.h"

static struct str code_hash(struct arena *a, struct str code)
{
	uint8_t digest[HASH_MAX];

	hash(HASH_SHA256, code, digest);
	return hex_encode(a, (struct str){ (const char *)digest, hash_size(HASH_SHA256) });
}

/* ---- a new code ---- */

struct fresh {
	struct accounts *ac;
	setup_code_fn *done;
	void *arg;
	char code[SETUP_CODE_MAX];
};

static void fresh_end(struct shard *s, struct fresh *f, int status)
{
	f->done(s, f->arg, status, status == 1 ? f->code : NULL);
	wipe(f, sizeof(*f));
	free(f);
}

static void on_code_kept(struct shard *s, void *arg, int status)
{
	fresh_end(s, arg, status ? status : 1);
}

static void on_needed(struct shard *s, void *arg, int status)
{
	struct fresh *f = arg;
	struct arena *a = shard_arena(s);
	struct store_batch *b;

	if (status != 1) {
		fresh_end(s, f, status);
		return;
	}
	b = store_batch_new();
	store_put(b, f->ac->scope, STR("server"), STR("setup"), code_hash(a, str_of(f->code)));
	if (store_commit(f->ac->store, s, b, on_code_kept, f))
		fresh_end(s, f, -EBUSY);
}

int setup_code_new(struct accounts *ac, struct shard *s, setup_code_fn *done, void *arg)
{
	struct str code = random_token(shard_arena(s), SETUP_CODE_BYTES);
	struct fresh *f = mem_zalloc(sizeof(*f));
	int err;

	must(code.n < sizeof(f->code));
	f->ac = ac;
	f->done = done;
	f->arg = arg;
	memcpy(f->code, code.p, code.n);
	err = account_setup_needed(ac, s, on_needed, f);
	if (err)
		free(f);
	return err;
}

/* ---- the first administrator ---- */

struct finish {
	struct accounts *ac;
	account_done_fn *done;
	void *arg;
	char *code, *name, *password;
};

static void finish_free(struct finish *f)
{
	wipe(f->password, strlen(f->password));
	free(f->code);
	free(f->name);
	free(f->password);
	free(f);
}

static void on_setup_code(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct finish *f = arg;
	struct account_new new = { .node = str_of(f->name), .password = str_of(f->password), .admin = true, .only_first = true };

	if (!status && n == 0)
		status = -EACCES;
	else if (!status && !equal_ct(v[0].value, code_hash(shard_arena(s), str_of(f->code))))
		status = -EPERM;
	if (!status)
		status = account_create(f->ac, s, &new, f->done, f->arg);
	if (status)
		f->done(s, f->arg, status);
	finish_free(f);
}

int setup_finish(struct accounts *ac, struct shard *s, const struct setup *in, account_done_fn *done, void *arg)
{
	struct str unused;
	struct finish *f;
	int err = account_password_check(shard_arena(s), in->password, &unused);

	if (!err)
		err = account_name_check(shard_arena(s), in->name, &unused);
	if (err)
		return err;
	f = mem_zalloc(sizeof(*f));
	*f = (struct finish){ ac, done, arg, str_dup(in->code), str_dup(in->name), str_dup(in->password) };
	err = store_get(ac->store, s, ac->scope, STR("server"), STR("setup"), on_setup_code, f);
	if (err)
		finish_free(f);
	return err ? -EBUSY : 0;
}

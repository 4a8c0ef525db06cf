/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts over a real store, pool and shard, for tests that wait for each answer. */
#include "account_kit.h"

#include <stdio.h>

#include <errno.h>

#include "base/must.h"
#include "unit.h"

int kit_open(struct kit *k, const char *backend, const char *dir, const char *domain, bool serving)
{
	struct store_config cfg = { .backend = backend, .dir = dir, .readers = 1 };
	int status;

	*k = (struct kit){ .dir = dir };
	must(store_open(&cfg, &k->store, k->err, sizeof(k->err)) == 0);
	k->pool = pool_new(2);
	k->start = (struct accounts_start){ .store = k->store, .pool = k->pool, .domain = str_of(domain), .serving = serving };
	status = accounts_start(&k->accounts, &k->start, k->err, sizeof(k->err));
	if (status) {
		kit_close(k);
		return status;
	}
	must(shards_init(&k->shards, 1) == 0);
	must(shards_start(&k->shards, NULL) == 0);
	return 0;
}

void kit_close(struct kit *k)
{
	if (k->shards.n)
		shards_stop(&k->shards);
	pool_free(k->pool);
	store_close(k->store);
	shards_fini(&k->shards);
	accounts_start_fini(&k->start);
}

struct post {
	struct mail mail;
	struct kit *kit;
	kit_fn *fn;
	void *arg;
	struct answer *out;
};

static void on_post(struct shard *s, struct mail *m)
{
	struct post *p = container_of(m, struct post, mail);
	struct answer *out = p->out;
	int status = p->fn ? p->fn(&p->kit->accounts, s, out, p->arg) : 1;

	if (status) {
		out->status = status;
		sem_post(&out->done);
	}
}

static void keep(struct mail *m)
{
	(void)m;
}

static const struct mail_kind kind_post = { "kit.post", on_post, keep, true };

void kit_call(struct kit *k, kit_fn *fn, void *arg, struct answer *out)
{
	struct post p = { .mail.kind = &kind_post, .kit = k, .fn = fn, .arg = arg, .out = out };

	*out = (struct answer){ 0 };
	sem_init(&out->done, 0, 0);
	must(shard_post(k->shards.v[0], &p.mail) == 0);
	while (sem_wait(&out->done))
		;
	/* The callback may still be on its way out of the shard: wait until it took one more message. */
	if (fn) {
		struct answer next;

		kit_call(k, NULL, NULL, &next);
	}
	sem_destroy(&out->done);
}

static void answer(struct answer *out, int status)
{
	out->status = status;
	sem_post(&out->done);
}

static void keep_text(struct answer *out, struct str text)
{
	must(text.n < sizeof(out->text));
	memcpy(out->text, text.p ? text.p : "", text.n);
	out->text[text.n] = 0;
}

void kit_on_done(struct shard *s, void *arg, int status)
{
	answer(arg, status);
}

void kit_on_signin(struct shard *s, void *arg, int status, const struct signin *in)
{
	struct answer *out = arg;

	must(!in == !!status);
	if (in) {
		out->keys = in->keys;
		out->app = in->apps[0];
		out->known = in->known;
		out->totp = in->totp;
		out->algs = in->algs;
		out->n = in->apps_n;
	}
	answer(out, status);
}

void kit_on_signin_checked(struct shard *s, void *arg, int status, const struct signin *in, const char *app)
{
	struct answer *out = arg;

	if (in)
		out->totp = in->totp;
	keep_text(out, str_of(app));
	answer(out, status);
}

void kit_on_app_made(struct shard *s, void *arg, int status, struct str id, struct str password)
{
	struct answer *out = arg;

	snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(id));
	keep_text(out, password);
	answer(out, status);
}

void kit_on_apps(struct shard *s, void *arg, int status, const struct apppass *v, size_t n)
{
	struct answer *out = arg;

	out->n = n;
	if (n) {
		snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(v[n - 1].id));
		keep_text(out, v[n - 1].name);
		out->at_ms = v[n - 1].used_ms;
	}
	answer(out, status);
}

void kit_on_secret(struct shard *s, void *arg, int status, struct str secret, struct str uri)
{
	struct answer *out = arg;

	snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(secret));
	keep_text(out, uri);
	answer(out, status);
}

void kit_on_codes(struct shard *s, void *arg, int status, const struct str *codes, size_t n)
{
	struct answer *out = arg;

	out->n = n;
	if (n)
		keep_text(out, codes[n - 1]);
	answer(out, status);
}

void kit_on_clients(struct shard *s, void *arg, int status, const struct client_row *v, size_t n)
{
	struct answer *out = arg;

	out->n = n;
	if (n) {
		snprintf(out->id, sizeof(out->id), "%.*s", STR_ARG(v[0].key));
		keep_text(out, v[0].device);
		out->known = v[0].password;
		out->rotate = v[0].fast;
		out->at_ms = v[0].last_ms;
	}
	answer(out, status);
}

void kit_on_info(struct shard *s, void *arg, int status, bool admin, uint64_t created_ms)
{
	struct answer *out = arg;

	out->admin = admin;
	out->at_ms = created_ms;
	answer(out, status);
}

void kit_on_list(struct shard *s, void *arg, int status, const struct account_row *v, size_t n)
{
	struct answer *out = arg;

	out->n = n;
	if (n)
		keep_text(out, v[n - 1].node);
	answer(out, status);
}

void kit_on_token(struct shard *s, void *arg, int status, struct str token, uint64_t expires_wall_ms)
{
	struct answer *out = arg;

	keep_text(out, token);
	out->at_ms = expires_wall_ms;
	answer(out, status);
}

void kit_on_checked(struct shard *s, void *arg, int status, struct str responder, bool rotate)
{
	struct answer *out = arg;

	must(responder.n == (status ? 0 : sizeof(out->bytes)));
	memcpy(out->bytes, responder.p ? responder.p : "", responder.n);
	out->rotate = rotate;
	answer(out, status);
}

void kit_on_invite(struct shard *s, void *arg, int status, struct str token, const struct invite *inv)
{
	struct answer *out = arg;

	keep_text(out, token.n || !inv ? token : inv->inviter);
	out->account = inv && inv->account;
	answer(out, status);
}

void kit_on_code(struct shard *s, void *arg, int status, const char *code)
{
	struct answer *out = arg;

	keep_text(out, str_of(code));
	answer(out, status);
}

void kit_on_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct answer *out = arg;

	out->n = n;
	if (n)
		keep_text(out, v[0].value);
	answer(out, status);
}

/* ---- often used ---- */

static int do_create(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	return account_create(ac, s, arg, kit_on_done, out);
}

int kit_create(struct kit *k, const char *name, const char *password, bool admin)
{
	struct account_new n = { .node = str_of(name), .password = str_of(password), .admin = admin };
	struct answer out;

	kit_call(k, do_create, &n, &out);
	return out.status;
}

static int do_check(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const char *const *v = arg;

	return signin_check(ac, s, str_of(v[0]), str_of(v[1]), kit_on_signin_checked, out);
}

int kit_check(struct kit *k, const char *name, const char *password)
{
	const char *v[] = { name, password };
	struct answer out;

	kit_call(k, do_check, v, &out);
	return out.status;
}

static int do_item(struct accounts *ac, struct shard *s, struct answer *out, void *arg)
{
	const char *const *v = arg;

	return store_get(ac->store, s, str_of(v[0]), str_of(v[1]), str_of(v[2]), kit_on_items, out);
}

const char *kit_item(struct kit *k, const char *owner, const char *kind, const char *key)
{
	static char text[256];
	const char *v[] = { owner, kind, key };
	struct answer out;

	kit_call(k, do_item, v, &out);
	must(out.status == 0);
	memcpy(text, out.text, sizeof(text));
	return text;
}

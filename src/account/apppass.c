/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Application passwords. */
#include "account/apppass.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "crypto/random.h"

#define APP_PREFIX "app:"

enum { APP_ID_BYTES = 9, VALUE_MAX = 2048 };

/* ---- the item ---- */

static bool is_app(const struct store_item *item)
{
	return str_starts(item->key, STR(APP_PREFIX)) && item->key.n - strlen(APP_PREFIX) <= APP_ID_MAX;
}

static struct str id_of(const struct store_item *item)
{
	return (struct str){ item->key.p + strlen(APP_PREFIX), item->key.n - strlen(APP_PREFIX) };
}

static struct str key_of(struct arena *a, struct str id)
{
	return arena_printf(a, APP_PREFIX "%.*s", STR_ARG(id));
}

static json_t *item_load(const struct store_item *item)
{
	return json_loadb(item->value.p ? item->value.p : "", item->value.n, JSON_REJECT_DUPLICATES, NULL);
}

static int keys_from(struct str text, size_t n, struct scram_other *out)
{
	struct arena a = { 0 };
	struct str raw;
	int err;

	arena_init(&a);
	err = base64_decode(&a, text, &raw);
	if (!err && raw.n != 2 * n)
		err = -EBADMSG;
	if (!err) {
		*out = (struct scram_other){ 0 };
		memcpy(out->stored_key, raw.p, n);
		memcpy(out->server_key, raw.p + n, n);
	}
	arena_fini(&a);
	return err;
}

int apppass_read(const struct store_item *item, enum hash_alg alg, char id[APP_ID_MAX + 1], struct scram_other *out)
{
	json_t *j;
	const char *text;
	int err;

	if (!is_app(item))
		return -ENOENT;
	j = item_load(item);
	text = json_string_value(json_object_get(json_object_get(j, "keys"), record_alg(alg).p));
	err = text ? keys_from(str_of(text), hash_size(alg), out) : -EBADMSG;
	json_decref(j);
	if (err)
		return err;
	memcpy(id, id_of(item).p, id_of(item).n);
	id[id_of(item).n] = 0;
	return 0;
}

static bool name_ok(struct str name)
{
	if (!name.n || name.n > APP_NAME_MAX || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127)
			return false;
	return true;
}

/* ---- a new one ---- */

struct make {
	struct job job;
	struct accounts *ac;
	apppass_made_fn *done;
	void *arg;
	struct scram_keys keys[RECORD_ALGS]; /* salts and iterations first, then the keys */
	bool has[RECORD_ALGS];		     /* the account's password has keys of this hash */
	struct scram_keys was[RECORD_ALGS];
	char *node, *name;
	char id[APP_ID_MAX + 1], password[APP_PASSWORD_CHARS + 1];
};

static void make_free(struct make *m)
{
	free(m->node);
	free(m->name);
	wipe(m, sizeof(*m));
	free(m);
}

static void make_discard(struct job *j)
{
	make_free(container_of(j, struct make, job));
}

static void make_end(struct shard *s, struct make *m, int status)
{
	m->done(s, m->arg, status, status ? STR_NONE : str_of(m->id), status ? STR_NONE : str_of(m->password));
	make_free(m);
}

static void on_made(struct shard *s, void *arg, int status)
{
	make_end(s, arg, status);
}

static void make_run(struct job *j)
{
	struct make *m = container_of(j, struct make, job);

	for (int alg = 0; alg < RECORD_ALGS; alg++) {
		m->was[alg] = m->keys[alg];
		scram_keys_derive_like(&m->was[alg], str_of(m->password), &m->keys[alg]);
	}
}

static struct str make_value(struct arena *a, const struct make *m)
{
	json_t *keys = json_object(), *j;
	char text[VALUE_MAX];
	size_t n;

	for (int alg = 0; alg < RECORD_ALGS; alg++) {
		size_t half = hash_size((enum hash_alg)alg);
		char *both = arena_alloc(a, 2 * half);

		memcpy(both, m->keys[alg].stored_key, half);
		memcpy(both + half, m->keys[alg].server_key, half);
		json_object_set_new(keys, record_alg((enum hash_alg)alg).p,
			json_string(base64_encode(a, (struct str){ both, 2 * half }).p));
	}
	j = json_pack("{s:s, s:I, s:i, s:o}", "name", m->name, "created", (json_int_t)clock_wall_ms(), "used", 0, "keys", keys);
	n = json_dumpb(j, text, sizeof(text), JSON_COMPACT);
	must(n && n <= sizeof(text));
	json_decref(j);
	return arena_str(a, (struct str){ text, n });
}

static void make_done(struct shard *s, struct job *j)
{
	struct make *m = container_of(j, struct make, job);
	struct arena *a = shard_arena(s);
	struct str owner = record_owner(a, m->ac, str_of(m->node));
	struct store_batch *b = store_batch_new();

	/* The salts are those of the password: it must still be the same one. */
	for (int alg = 0; alg < RECORD_ALGS; alg++)
		if (m->has[alg])
			store_expect(b, owner, STR("scram"), record_alg((enum hash_alg)alg), record_keys_encode(a, &m->was[alg]));
	store_insert(b, owner, STR("scram"), key_of(a, str_of(m->id)), make_value(a, m));
	if (store_commit(m->ac->store, s, b, on_made, m))
		make_end(s, m, -EBUSY);
}

static void on_make_items(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct make *m = arg;
	struct signin in;
	size_t apps = 0;
	bool known = false;

	for (int alg = 0; !status && alg < RECORD_ALGS; alg++) {
		status = signin_read(m->ac, str_of(m->node), (enum hash_alg)alg, v, n, &in);
		m->keys[alg] = in.keys;
		m->has[alg] = in.known;
		known = known || in.known;
		apps = in.apps_n;
	}
	wipe(&in, sizeof(in));
	if (!status && !known)
		status = -ENOENT;
	if (!status && apps >= APP_PASSWORDS_MAX)
		status = -EDQUOT;
	if (!status) {
		struct pool *pool = m->ac->pool;

		m->job = (struct job){ .home = s, .run = make_run, .done = make_done, .discard = make_discard };
		status = pool_submit(pool, &m->job);
	}
	if (status)
		make_end(s, m, status);
}

/* Letters and digits that nobody mistakes: base32 in lower case. */
static void new_password(struct arena *a, char out[APP_PASSWORD_CHARS + 1])
{
	uint8_t bytes[(APP_PASSWORD_CHARS * 5 + 7) / 8];
	struct str text;

	random_bytes(bytes, sizeof(bytes));
	text = base32_encode(a, (struct str){ (const char *)bytes, sizeof(bytes) });
	for (size_t i = 0; i < APP_PASSWORD_CHARS; i++)
		out[i] = (char)(text.p[i] >= 'A' ? text.p[i] | 32 : text.p[i]);
	out[APP_PASSWORD_CHARS] = 0;
	wipe(bytes, sizeof(bytes));
}

int apppass_create(struct accounts *ac, struct shard *s, struct str node, struct str name, apppass_made_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str id = random_token(a, APP_ID_BYTES);
	struct make *m;
	int err;

	if (!name_ok(name))
		return -EINVAL;
	m = mem_zalloc(sizeof(*m));
	m->ac = ac;
	m->done = done;
	m->arg = arg;
	m->node = str_dup(node);
	m->name = str_dup(name);
	must(id.n <= APP_ID_MAX);
	memcpy(m->id, id.p, id.n);
	new_password(a, m->password);
	err = signin_items(ac, s, node, on_make_items, m);
	if (err)
		make_free(m);
	return err;
}

/* ---- the list ---- */

struct list_ask {
	apppass_list_fn *done;
	void *arg;
};

static void on_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct list_ask *q = arg;
	struct arena *a = shard_arena(s);
	struct apppass *rows = arena_alloc(a, (n + 1) * sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; !status && i < n; i++) {
		json_t *j = is_app(&v[i]) ? item_load(&v[i]) : NULL;
		const char *name = json_string_value(json_object_get(j, "name"));

		if (is_app(&v[i]))
			rows[count++] = (struct apppass){ id_of(&v[i]), name ? arena_str(a, str_of(name)) : STR("?"),
				(uint64_t)json_integer_value(json_object_get(j, "created")),
				(uint64_t)json_integer_value(json_object_get(j, "used")) };
		json_decref(j);
	}
	q->done(s, q->arg, status, rows, count);
	free(q);
}

int apppass_list(struct accounts *ac, struct shard *s, struct str node, apppass_list_fn *done, void *arg)
{
	struct list_ask *q = mem_zalloc(sizeof(*q));
	int err;

	*q = (struct list_ask){ done, arg };
	err = signin_items(ac, s, node, on_list, q);
	if (err)
		free(q);
	return err;
}

/* ---- one that is there ---- */

struct one {
	struct accounts *ac;
	account_done_fn *done; /* NULL: it was used */
	void *arg;
	char *owner;
};

static void one_end(struct shard *s, void *arg, int status)
{
	struct one *o = arg;

	if (o->done)
		o->done(s, o->arg, status == -EAGAIN ? -ENOENT : status);
	free(o->owner);
	free(o);
}

static struct str used_now(struct arena *a, const struct store_item *item)
{
	json_t *j = item_load(item);
	char text[VALUE_MAX];
	size_t n = 0;

	if (j && (uint64_t)json_integer_value(json_object_get(j, "used")) + APP_USED_EVERY_MS <= clock_wall_ms()) {
		json_object_set_new(j, "used", json_integer((json_int_t)clock_wall_ms()));
		n = json_dumpb(j, text, sizeof(text), JSON_COMPACT);
	}
	json_decref(j);
	return n && n <= sizeof(text) ? arena_str(a, (struct str){ text, n }) : STR_NONE;
}

static void on_one(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct one *o = arg;
	struct str value = !status && n && !o->done ? used_now(shard_arena(s), &v[0]) : STR_NONE;
	struct store_batch *b;

	if (status || !n || (!o->done && !value.n)) {
		one_end(s, o, status ? status : -ENOENT);
		return;
	}
	b = store_batch_new();
	store_expect(b, str_of(o->owner), STR("scram"), v[0].key, v[0].value);
	if (o->done)
		store_del(b, str_of(o->owner), STR("scram"), v[0].key);
	else
		store_put(b, str_of(o->owner), STR("scram"), v[0].key, value);
	if (store_commit(o->ac->store, s, b, one_end, o))
		one_end(s, o, -EBUSY);
}

static int one_begin(struct accounts *ac, struct shard *s, struct one by, struct str node, struct str id)
{
	struct arena *a = shard_arena(s);
	struct one *o;

	if (!id.n || id.n > APP_ID_MAX)
		return -ENOENT;
	o = mem_zalloc(sizeof(*o));
	*o = by;
	o->ac = ac;
	o->owner = str_dup(record_owner(a, ac, node));
	if (!store_get(ac->store, s, str_of(o->owner), STR("scram"), key_of(a, id), on_one, o))
		return 0;
	free(o->owner);
	free(o);
	return -EBUSY;
}

int apppass_revoke(struct accounts *ac, struct shard *s, struct str node, struct str id, account_done_fn *done, void *arg)
{
	return one_begin(ac, s, (struct one){ .done = done, .arg = arg }, node, id);
}

void apppass_used(struct accounts *ac, struct shard *s, struct str node, struct str id)
{
	one_begin(ac, s, (struct one){ 0 }, node, id);
}

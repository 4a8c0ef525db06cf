/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Accounts: names, passwords, roles. Each verb is a chain of store and pool steps that hang from one struct op. */
#include "account/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/record.h"
#include "account/state.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "crypto/random.h"
#include "crypto/saslprep.h"
#include "proto/xmpp/jid.h"

enum { MANY_STEP = 250 /* accounts of one batch */ };

/* A verb under way. Its strings follow the struct. */
struct op {
	struct accounts *ac;
	account_done_fn *done;
	void *arg;
	struct account_new new; /* node; flags for create */
	uint32_t count, made;	/* create_many */
	struct account_keyset keys; /* create_many */
	char node[];
};

static struct op *op_new(struct accounts *ac, struct str node, account_done_fn *done, void *arg)
{
	struct op *op = mem_zalloc(sizeof(*op) + node.n + 1);

	op->ac = ac;
	op->done = done;
	op->arg = arg;
	memcpy(op->node, node.p ? node.p : "", node.n);
	op->new.node = (struct str){ op->node, node.n };
	return op;
}

static void op_free(struct op *op)
{
	wipe(&op->keys, sizeof(op->keys));
	free(op);
}

static void op_end(struct shard *s, struct op *op, int status)
{
	op->done(s, op->arg, status);
	op_free(op);
}

/* For the first step of a chain: when it was refused, nobody will call back. */
static int op_begun(struct op *op, int err)
{
	if (err)
		op_free(op);
	return err == -ENOBUFS ? -EBUSY : err;
}

static void on_committed(struct shard *s, void *arg, int status)
{
	struct op *op = arg;

	if (status == -EAGAIN && op->new.only_first)
		status = -EACCES;
	op_end(s, op, status);
}

static void op_commit(struct shard *s, struct op *op, struct store_batch *b)
{
	int err = store_commit(op->ac->store, s, b, on_committed, op);

	if (err)
		op_end(s, op, -EBUSY);
}

/* ---- names and passwords ---- */

static bool is_name_char(unsigned char c, bool first)
{
	if (c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

int account_name_check(struct arena *a, struct str name, struct str *out_node)
{
	struct str node;

	if (name.n == 0 || name.n > ACCOUNT_NAME_MAX || jid_nodeprep(a, name, &node) || node.n == 0 || node.n > ACCOUNT_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < node.n; i++)
		if (!is_name_char((unsigned char)node.p[i], i == 0))
			return -EINVAL;
	*out_node = node;
	return 0;
}

static int prepare(struct arena *a, struct str password, bool weak_ok, struct str *out)
{
	struct str prepared;
	size_t pos = 0, points = 0;
	int err;

	if (password.n == 0)
		return -EMSGSIZE;
	if (password.n > PASSWORD_MAX)
		return -E2BIG;
	err = saslprep(a, password, SASLPREP_STORED, &prepared);
	if (err)
		return err;
	for (; pos < prepared.n && utf8_next(prepared, &pos) >= 0; points++)
		;
	if (points < PASSWORD_MIN && !weak_ok)
		return -EMSGSIZE;
	*out = prepared;
	return 0;
}

int account_password_check(struct arena *a, struct str password, struct str *out_prepared)
{
	return prepare(a, password, false, out_prepared);
}

/* ---- create ---- */

static void on_create_derived(struct shard *s, void *arg, const struct account_keyset *keys)
{
	struct op *op = arg;
	struct store_batch *b;

	if (!s) {
		op_free(op);
		return;
	}
	b = store_batch_new();
	record_put_new(b, shard_arena(s), op->ac, &op->new, keys);
	op_commit(s, op, b);
}

int account_create(struct accounts *ac, struct shard *s, const struct account_new *n, account_done_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str node, prepared;
	struct op *op;
	int err = account_name_check(a, n->node, &node);

	if (!err)
		err = prepare(a, n->password, n->weak_ok, &prepared);
	if (err)
		return err;
	op = op_new(ac, node, done, arg);
	op->new.admin = n->admin;
	op->new.only_first = n->only_first;
	return op_begun(op, record_derive(ac, s, prepared, on_create_derived, op));
}

static void many_step(struct shard *s, void *arg, int status)
{
	struct op *op = arg;
	struct store_batch *b;
	int err;

	if (status || op->made == op->count) {
		op_end(s, op, status);
		return;
	}
	b = store_batch_new();
	for (uint32_t i = 0; i < MANY_STEP && op->made < op->count; i++, op->made++) {
		struct account_new n = op->new;

		n.node = arena_printf(shard_arena(s), "%s%u", op->node, op->made);
		record_put_new(b, shard_arena(s), op->ac, &n, &op->keys);
	}
	err = store_commit(op->ac->store, s, b, many_step, op);
	if (err)
		op_end(s, op, -EBUSY);
}

static void on_many_derived(struct shard *s, void *arg, const struct account_keyset *keys)
{
	struct op *op = arg;

	if (!s) {
		op_free(op);
		return;
	}
	op->keys = *keys;
	many_step(s, op, 0);
}

int account_create_many(struct accounts *ac, struct shard *s, const struct account_new *prefix, uint32_t count,
	account_done_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str last, node, prepared;
	struct op *op;
	int err;

	if (count == 0 || count > ACCOUNT_MANY_MAX)
		return -EINVAL;
	last = arena_printf(a, "%.*s%u", STR_ARG(prefix->node), count - 1);
	err = account_name_check(a, last, &node);
	if (!err)
		err = prepare(a, prefix->password, prefix->weak_ok, &prepared);
	if (err)
		return err;
	node.n -= last.n - prefix->node.n; /* the digits stay what they are when a name is normalised */
	op = op_new(ac, node, done, arg);
	op->count = count;
	return op_begun(op, record_derive(ac, s, prepared, on_many_derived, op));
}

/* ---- password ---- */

static void on_passwd_derived(struct shard *s, void *arg, const struct account_keyset *keys)
{
	struct op *op = arg;
	struct store_batch *b;

	if (!s) {
		op_free(op);
		return;
	}
	b = store_batch_new();
	record_put_keys(b, shard_arena(s), record_owner(shard_arena(s), op->ac, op->new.node), keys);
	op_commit(s, op, b);
}

struct passwd {
	struct op *op;
	size_t prepared_n;
	char prepared[];
};

static void passwd_free(struct passwd *p)
{
	wipe(p->prepared, p->prepared_n);
	free(p);
}

static void on_passwd_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct passwd *p = arg;
	struct op *op = p->op;

	if (!status && n == 0)
		status = -ENOENT;
	if (!status)
		status = record_derive(op->ac, s, (struct str){ p->prepared, p->prepared_n }, on_passwd_derived, op);
	passwd_free(p);
	if (status)
		op_end(s, op, status);
}

static int passwd(struct accounts *ac, struct shard *s, const struct account_new *n, account_done_fn *done, void *arg)
{
	struct arena *a = shard_arena(s);
	struct str prepared;
	struct passwd *p;
	int err = prepare(a, n->password, n->weak_ok, &prepared);

	if (err)
		return err;
	p = mem_alloc(sizeof(*p) + prepared.n);
	p->op = op_new(ac, n->node, done, arg);
	p->prepared_n = prepared.n;
	memcpy(p->prepared, prepared.p, prepared.n);
	err = store_get(ac->store, s, record_owner(a, ac, n->node), STR("account"), STR_NONE, on_passwd_found, p);
	if (err) {
		err = op_begun(p->op, err);
		passwd_free(p);
	}
	return err;
}

int account_passwd(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg)
{
	return passwd(ac, s, &(struct account_new){ .node = node, .password = password }, done, arg);
}

int account_passwd_weak(struct accounts *ac, struct shard *s, struct str node, struct str password, account_done_fn *done, void *arg)
{
	return passwd(ac, s, &(struct account_new){ .node = node, .password = password, .weak_ok = true }, done, arg);
}

/* ---- delete ---- */

static void on_delete_invited(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct str owner = record_owner(shard_arena(s), op->ac, op->new.node);
	struct store_batch *b;

	if (status) {
		op_end(s, op, status);
		return;
	}
	b = store_batch_new();
	for (size_t i = 0; i < n; i++)
		store_del(b, op->ac->scope, STR("invite"), v[i].key);
	store_del_all(b, owner, STR_NONE, STR_NONE);
	store_archive_trim(b, owner, UINT64_MAX);
	store_del(b, op->ac->scope, STR("user"), op->new.node);
	op_commit(s, op, b);
}

static void on_delete_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct op *op = arg;
	struct store_range invited = { .owner = record_owner(shard_arena(s), op->ac, op->new.node),
		.kind = STR("invited"), .limit = UINT32_MAX };

	if (!status && n == 0)
		status = -ENOENT;
	if (!status)
		status = store_list(op->ac->store, s, &invited, on_delete_invited, op);
	if (status)
		op_end(s, op, status == -ENOBUFS ? -EBUSY : status);
}

int account_delete(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg)
{
	struct op *op = op_new(ac, node, done, arg);
	struct str owner = record_owner(shard_arena(s), ac, node);

	return op_begun(op, store_get(ac->store, s, owner, STR("account"), STR_NONE, on_delete_found, op));
}

/* ---- information ---- */

struct ask {
	account_info_fn *info;
	account_list_fn *list;
	account_done_fn *done;
	void *arg;
};

static struct ask *ask_new(void *arg)
{
	struct ask *q = mem_zalloc(sizeof(*q));

	q->arg = arg;
	return q;
}

static int ask_begun(struct ask *q, int err)
{
	if (err)
		free(q);
	return err ? -EBUSY : 0;
}

static void on_info(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ask *q = arg;
	bool admin = false;
	uint64_t created_ms = 0;

	if (!status && n == 0)
		status = -ENOENT;
	if (!status && record_info_decode(v[0].value, &admin, &created_ms))
		status = -EIO;
	q->info(s, q->arg, status, admin, created_ms);
	free(q);
}

int account_info(struct accounts *ac, struct shard *s, struct str node, account_info_fn *done, void *arg)
{
	struct ask *q = ask_new(arg);

	q->info = done;
	return ask_begun(q,
		store_get(ac->store, s, record_owner(shard_arena(s), ac, node), STR("account"), STR_NONE, on_info, q));
}

static void on_list(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ask *q = arg;
	struct account_row *rows = arena_alloc(shard_arena(s), (n + 1) * sizeof(*rows));

	for (size_t i = 0; i < n; i++) {
		struct account_state st = { 0 };

		if (account_state_decode(v[i].value, &st))
			log_error("account.unreadable", "next=\"listed without its date\"");
		rows[i] = (struct account_row){ v[i].key, st.admin, st.disabled, st.created_ms };
	}
	q->list(s, q->arg, status, rows, status ? 0 : n);
	free(q);
}

int account_list(struct accounts *ac, struct shard *s, struct str after, uint32_t limit, account_list_fn *done, void *arg)
{
	struct store_range range = { .owner = ac->scope, .kind = STR("user"), .after = after.n ? after : STR_NONE, .limit = limit };
	struct ask *q = ask_new(arg);

	q->list = done;
	return ask_begun(q, store_list(ac->store, s, &range, on_list, q));
}

static void on_setup_needed(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ask *q = arg;

	q->done(s, q->arg, status ? status : n == 0);
	free(q);
}

int account_setup_needed(struct accounts *ac, struct shard *s, account_done_fn *done, void *arg)
{
	struct ask *q = ask_new(arg);

	q->done = done;
	return ask_begun(q, store_get(ac->store, s, ac->scope, STR("server"), STR("admin"), on_setup_needed, q));
}

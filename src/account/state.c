/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Disabled accounts and administrators. */
#include "account/state.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "account/record.h"
#include "base/mem.h"

int account_state_decode(struct str value, struct account_state *out)
{
	struct account_state st = { 0 };
	json_t *j;

	if (record_info_decode(value, &st.admin, &st.created_ms))
		return -EBADMSG;
	j = json_loadb(value.p, value.n, 0, NULL);
	st.disabled = json_is_true(json_object_get(j, "disabled"));
	json_decref(j);
	*out = st;
	return 0;
}

struct ask {
	struct accounts *ac;
	enum account_change change;
	account_done_fn *done;
	void *arg;
	size_t node_n;
	char node[];
};

static int begin(struct accounts *ac, struct shard *s, struct ask *q, store_items_fn *fn)
{
	struct str node = { q->node, q->node_n };
	int err = store_get(ac->store, s, record_owner(shard_arena(s), ac, node), STR("account"), STR_NONE, fn, q);

	if (err)
		free(q);
	return err ? -EBUSY : 0;
}

static struct ask *ask_new(struct accounts *ac, struct str node, account_done_fn *done, void *arg)
{
	struct ask *q = mem_zalloc(sizeof(*q) + node.n);

	q->ac = ac;
	q->done = done;
	q->arg = arg;
	q->node_n = node.n;
	memcpy(q->node, node.p, node.n);
	return q;
}

static void on_enter(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ask *q = arg;
	struct account_state st;

	if (!status && n == 0)
		status = -ENOENT;
	if (!status && account_state_decode(v->value, &st))
		status = -EIO;
	if (!status && st.disabled)
		status = -EACCES;
	q->done(s, q->arg, status);
	free(q);
}

int account_may_enter(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg)
{
	return begin(ac, s, ask_new(ac, node, done, arg), on_enter);
}

static void on_changed(struct shard *s, void *arg, int status)
{
	struct ask *q = arg;

	q->done(s, q->arg, status);
	free(q);
}

static void apply(json_t *j, enum account_change change)
{
	if (change == ACCOUNT_DISABLE)
		json_object_set_new(j, "disabled", json_true());
	else if (change == ACCOUNT_ENABLE)
		json_object_del(j, "disabled");
	else
		json_object_set_new(j, "admin", json_boolean(change == ACCOUNT_ADMIN));
}

static void on_found(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct ask *q = arg;
	struct str node = { q->node, q->node_n }, owner = record_owner(shard_arena(s), q->ac, node), value;
	struct store_batch *b;
	json_t *j = NULL;
	char *text;

	if (!status && n == 0)
		status = -ENOENT;
	if (!status) {
		j = json_loadb(v->value.p ? v->value.p : "", v->value.n, 0, NULL);
		status = json_is_object(j) ? 0 : -EIO;
	}
	if (status) {
		json_decref(j);
		on_changed(s, q, status);
		return;
	}
	apply(j, q->change);
	text = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	value = str_of(text);
	b = store_batch_new();
	store_expect(b, owner, STR("account"), STR_NONE, v->value);
	store_put(b, owner, STR("account"), STR_NONE, value);
	store_put(b, q->ac->scope, STR("user"), node, value);
	free(text);
	if (store_commit(q->ac->store, s, b, on_changed, q))
		on_changed(s, q, -EBUSY);
}

int account_set_state(struct accounts *ac, struct shard *s, struct str node, enum account_change change, account_done_fn *done, void *arg)
{
	struct ask *q = ask_new(ac, node, done, arg);

	q->change = change;
	return begin(ac, s, q, on_found);
}

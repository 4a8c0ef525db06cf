/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Tasks of SASL2 (XEP-0388 1.0.4 §2.6.3): the second factor, then SCRAM keys for more hashes (XEP-0480 0.2.0). They run before the stream
 * counts as authenticated, so that nothing else is answered meanwhile. The tasks TOTP and RECOVERY-CODE are our own: docs/api.md. */
#include <errno.h>
#include <stdlib.h>

#include "account/factor.h"
#include "base/base64.h"
#include "base/log.h"
#include "core/throttle.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "xmpp/sasl.h"

struct task {
	const char *name;
	void (*next)(struct stream *st, struct xml *el); /* <next/> */
	void (*data)(struct stream *st, struct xml *el); /* <task-data/> after it */
	int (*check)(struct accounts *ac, struct shard *s, struct str node, struct str code, account_done_fn *done, void *arg);
	enum hash_alg alg; /* of an upgrade */
};

static void code_next(struct stream *st, struct xml *el);
static void code_data(struct stream *st, struct xml *el);
static void salt_next(struct stream *st, struct xml *el);
static void hash_data(struct stream *st, struct xml *el);

static const struct task tasks[] = {
	{ "TOTP", code_next, code_data, factor_check, 0 },
	{ "RECOVERY-CODE", code_next, code_data, factor_recover, 0 },
	{ "UPGR-SCRAM-SHA-512", salt_next, hash_data, NULL, HASH_SHA512 },
	{ "UPGR-SCRAM-SHA-256", salt_next, hash_data, NULL, HASH_SHA256 },
	{ "UPGR-SCRAM-SHA-1", salt_next, hash_data, NULL, HASH_SHA1 },
};

static bool due(const struct auth *a, const struct task *t)
{
	return a->code_due ? t->check != NULL : !t->check && (a->upgrades & 1 << t->alg);
}

/* ---- what comes next ---- */

/* The second factor's tasks are alternatives; of upgrades one is named at a time (XEP-0480 §2.2). */
static void ask(struct stream *st)
{
	struct arena *ar = core_arena(st->core);
	struct auth *a = st->auth;
	struct xml *el = xml_new(ar, "continue", NS_SASL2), *list;

	if (a->additional)
		xml_add_text(ar, el, "additional-data", str_of(a->additional));
	list = xml_add(ar, el, "tasks", NULL);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		if (due(a, &tasks[i])) {
			xml_add_text(ar, list, "task", str_of(tasks[i].name));
			if (!a->code_due)
				break;
		}
	if (a->code_due)
		xml_add_text(ar, el, "text", STR("Type the code of your authenticator application, or a recovery code."));
	st->continued = true;
	a->task = NULL;
	stream_write_xml(st, el);
	free(a->additional);
	a->additional = NULL;
}

void sasl_tasks(struct stream *st)
{
	struct auth *a = st->auth;

	if (a->code_due || a->upgrades)
		ask(st);
	else
		sasl_finish(st);
}

void sasl_task_next(struct stream *st, struct xml *el)
{
	struct auth *a = st->auth;
	struct str name = xml_get(el, "task");

	if (!st->continued || a->task || a->shown == SHOWN_NOTHING) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		if (str_is(name, tasks[i].name) && due(a, &tasks[i])) {
			a->task = &tasks[i];
			tasks[i].next(st, el);
			return;
		}
	sasl_fail(st, "invalid-mechanism", "That task was not asked for.");
}

void sasl_task_data(struct stream *st, struct xml *el)
{
	struct auth *a = st->auth;

	if (a->task)
		a->task->data(st, el);
	else
		sasl_fail(st, "malformed-request", NULL);
}

static void say(struct stream *st, struct xml *child)
{
	struct xml *el = xml_new(core_arena(st->core), "task-data", NS_SASL2);

	xml_append(el, child);
	stream_write_xml(st, el);
}

/* ---- the second factor ---- */

static void on_code(struct shard *s, void *arg, int status)
{
	struct stream *st = arg;
	struct auth *a = st->auth;

	(void)s;
	if (!status)
		throttle_forgive(THROTTLE_CODE, sasl_account(st));
	if (!stream_woken(st))
		return;
	if (status == -EACCES) {
		sasl_fail(st, "not-authorized", "The code is wrong, or it was used before.");
	} else if (status) {
		sasl_fail(st, "temporary-auth-failure", "The server could not check the code; try again.");
	} else {
		a->code_due = false;
		sasl_tasks(st);
	}
	stream_proceed(st);
}

static void check_code(struct stream *st, struct str code)
{
	struct core *c = st->core;
	struct auth *a = st->auth;

	if (!code.n || code.n > FACTOR_CODE_MAX) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	if (!throttle_may_try(c, THROTTLE_CODE, sasl_account(st))) {
		sasl_fail(st, "temporary-auth-failure", "Too many wrong codes for this account; wait some minutes and try again.");
		return;
	}
	throttle_failed(THROTTLE_CODE, sasl_account(st));
	stream_wait(st);
	if (a->task->check(st->host->accounts, c->shard, str_of(a->name), code, on_code, st)) {
		stream_woken(st);
		sasl_fail(st, "temporary-auth-failure", "The server is busy; try again.");
	}
}

/* The code may ride in <next/>; without one, the server asks for it. */
static void code_next(struct stream *st, struct xml *el)
{
	struct arena *a = core_arena(st->core);
	struct xml *code = xml_child(el, "code", NS_SECOND_FACTOR);

	if (code)
		check_code(st, str_trim(xml_text_of(a, code)));
	else
		say(st, xml_new(a, "code", NS_SECOND_FACTOR));
}

static void code_data(struct stream *st, struct xml *el)
{
	struct xml *code = xml_child(el, "code", NS_SECOND_FACTOR);

	check_code(st, code ? str_trim(xml_text_of(core_arena(st->core), code)) : STR_NONE);
}

/* ---- XEP-0480 §3: SCRAM ---- */

void sasl_upgrades(struct stream *st, struct arena *a, struct xml *authentication)
{
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		/* A stream that named nobody may be anybody's. */
		if (!tasks[i].check && (!st->named || (st->algs_lacking & 1 << tasks[i].alg)))
			xml_text(a, xml_add(a, authentication, "upgrade", NS_SASL_UPGRADE), str_of(tasks[i].name));
}

void sasl_upgrades_wanted(struct stream *st, const struct xml *authenticate)
{
	struct arena *a = core_arena(st->core);

	xml_each(el, authenticate)
		for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
			if (str_is(el->name, "upgrade") && str_is(el->ns, NS_SASL_UPGRADE) && !tasks[i].check &&
				str_is(str_trim(xml_text_of(a, el)), tasks[i].name))
				st->auth->upgrades |= (uint8_t)(1 << tasks[i].alg);
}

static void salt_next(struct stream *st, struct xml *el)
{
	struct arena *ar = core_arena(st->core);
	struct auth *a = st->auth;
	struct xml *salt = xml_new(ar, "salt", NS_SCRAM_UPGRADE);
	struct scram_keys keys;

	(void)el;
	signin_salt(st->host->accounts, str_of(a->name), a->task->alg, &keys);
	xml_setf(ar, salt, "iterations", "%u", keys.iterations);
	xml_text(ar, salt, base64_encode(ar, scram_salt(&keys)));
	say(st, salt);
}

static void on_upgraded(struct shard *s, void *arg, int status)
{
	struct stream *st = arg;
	struct auth *a = st->auth;

	(void)s;
	if (!stream_woken(st))
		return;
	if (status && status != -EAGAIN) /* no reason to refuse who proved the password */
		log_warning("login.not_upgraded", "error=%d next=\"the client may try at its next sign-in\"", -status);
	a->upgrades &= (uint8_t)~(1 << a->task->alg);
	sasl_tasks(st);
	stream_proceed(st);
}

static void hash_data(struct stream *st, struct xml *el)
{
	struct core *c = st->core;
	struct auth *a = st->auth;
	struct xml *text = xml_child(el, "hash", NS_SCRAM_UPGRADE);
	struct scram_keys salt, keys;
	struct str salted;
	int err;

	if (!text || base64_decode(core_arena(c), str_trim(xml_text_of(core_arena(c), text)), &salted)) {
		sasl_fail(st, text ? "incorrect-encoding" : "malformed-request", NULL);
		return;
	}
	if (salted.n != hash_size(a->task->alg)) {
		sasl_fail(st, "malformed-request", NULL);
		return;
	}
	signin_salt(st->host->accounts, str_of(a->name), a->task->alg, &salt);
	scram_keys_of_salted(salt.alg, salt.iterations, salt.salt, (const uint8_t *)salted.p, &keys);
	stream_wait(st);
	err = signin_upgrade(st->host->accounts, c->shard, str_of(a->name), &keys, on_upgraded, st);
	wipe(&keys, sizeof(keys));
	if (err)
		on_upgraded(c->shard, st, err);
}

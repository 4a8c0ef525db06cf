/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The domain of one shard: start, end, archive ids. */
#include "core/core.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/ask.h"
#include "core/command.h"
#include "core/caps.h"
#include "core/component.h"
#include "core/delegation.h"
#include "core/ephemeral.h"
#include "core/feature.h"
#include "core/report.h"
#include "core/session.h"
#include "core/user.h"
#include "core/retention.h"

#define ARCHIVE_EPOCH_MS 1577836800000ull /* 2020-01-01 */
enum { ID_COUNT_BITS = 15, ID_SHARD_BITS = 6, ID_TIME_SHIFT = ID_COUNT_BITS + ID_SHARD_BITS };
#define ID_MS_MAX ((1ull << 42) - 2)

struct core *core_start(struct shard *s, struct env *env)
{
	struct core *c = mem_zalloc(sizeof(*c));

	c->shard = s;
	c->env = env;
	c->started_ms = clock_mono_ms();
	list_init(&c->idle_users);
	list_init(&c->links);
	list_init(&c->asks_open);
	s->core = c;
	for (const struct feature *const *f = env->features; *f; f++)
		if ((*f)->on_start)
			(*f)->on_start(c);
	return c;
}

id_t64 *core_sessions(struct core *c, size_t *out_n)
{
	struct buf ids = { 0 };
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&c->users, &pos, &key, &value)) {
		struct user *u = value;
		struct session *s;

		list_each(s, &u->sessions, in_user)
			buf_put(&ids, &s->id, sizeof(s->id));
	}
	*out_n = ids.n / sizeof(id_t64);
	return (id_t64 *)(void *)ids.p;
}

void core_goodbye(struct core *c)
{
	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->service && (*f)->service->goodbye)
			(*f)->service->goodbye(c);
}

void core_shutdown(struct core *c)
{
	struct session *s;
	struct core_link *l;
	id_t64 *all;
	size_t n = 0;

	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->service && (*f)->service->shutdown)
			(*f)->service->shutdown(c);
	/* By id: their presence makes others load, and the map of users grow. */
	all = core_sessions(c, &n);
	for (size_t i = 0; i < n; i++)
		if ((s = session_get(c, all[i])))
			session_kick(s, "system-shutdown", NULL);
	free(all);
	c->closing = true;
	list_each(l, &c->links, in_core)
		l->shutdown(l);
}

void core_free(struct core *c)
{
	if (!c)
		return;
	asks_free(c);
	commands_free(c);
	reports_free(c);
	caps_free(c);
	delegation_free(c);
	receipts_flush(c);
	ephemeral_free(c);
	retention_free(c);
	timer_cancel(&c->shard->loop, &c->tick);
	users_free(c);
	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->on_stop)
			(*f)->on_stop(c);
	ids_fini(&c->sessions);
	buf_free(&c->scratch);
	free(c);
}

bool core_is_local(const struct core *c, struct str domain)
{
	return core_host(c, domain) || core_service(c, domain) || core_component(c, domain);
}

struct host *core_host(const struct core *c, struct str domain)
{
	return hosts_find(c->env->hosts, domain);
}

struct host *core_host_of(const struct core *c, struct str domain)
{
	struct host *host = core_host(c, domain);
	struct str rest;

	if (host)
		return host;
	str_cut(domain, '.', &rest);
	return core_service(c, domain) ? core_host(c, rest) : NULL;
}

const struct service *core_service(const struct core *c, struct str domain)
{
	struct str rest, label = str_cut(domain, '.', &rest);

	if (!core_host(c, rest))
		return NULL;
	for (const struct feature *const *f = c->env->features; *f; f++)
		if ((*f)->service && str_is(label, (*f)->service->label))
			return (*f)->service;
	return NULL;
}

struct shard *core_shard_of(const struct core *c, struct str bare)
{
	return shard_of(c->env->shards, bare);
}

uint64_t archive_id_next(uint64_t last, uint64_t wall_ms, int shard)
{
	/* A clock before 2020 (a small machine that does not know the time yet) makes ids all the same. */
	uint64_t ms = wall_ms < ARCHIVE_EPOCH_MS ? 0 : wall_ms - ARCHIVE_EPOCH_MS;
	uint64_t of_shard = (uint64_t)shard << ID_COUNT_BITS, id, shard_mask = ((1ull << ID_SHARD_BITS) - 1) << ID_COUNT_BITS;

	if (ms > ID_MS_MAX)
		ms = ID_MS_MAX;
	id = ms << ID_TIME_SHIFT | of_shard;
	if (id > last)
		return id;
	id = last + 1; /* same millisecond, or the clock stepped back */
	if ((id & shard_mask) != of_shard) /* the count ran over: next ms */
		id = ((last >> ID_TIME_SHIFT) + 1) << ID_TIME_SHIFT | of_shard;
	return id;
}

uint64_t archive_id_new(struct core *c)
{
	c->last_archive_id = archive_id_next(c->last_archive_id, clock_wall_ms(), c->shard->index);
	return c->last_archive_id;
}

uint64_t archive_id_ms(uint64_t id)
{
	return (id >> ID_TIME_SHIFT) + ARCHIVE_EPOCH_MS;
}

uint64_t archive_id_from_ms(uint64_t wall_ms)
{
	return wall_ms < ARCHIVE_EPOCH_MS ? 0 : (wall_ms - ARCHIVE_EPOCH_MS) << ID_TIME_SHIFT;
}

struct str archive_id_str(struct arena *a, uint64_t id)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + id % 10);
	while (id /= 10);
	return arena_str(a, (struct str){ p, (size_t)(digits + sizeof(digits) - p) });
}

int archive_id_parse(struct str s, uint64_t *out)
{
	return str_u64(s, INT64_MAX, out) ? -EBADMSG : 0;
}

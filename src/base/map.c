/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Hash map, open addressing with linear probing; at most three quarters of the slots are ever used. */
#include "base/map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

enum { CAP_MIN = 8 };

/* value NULL and key.p NULL: never used. value NULL and key.p set: a tombstone. */
struct map_slot {
	struct str key;
	void *value;
	uint64_t hash;
};

static const char tomb[1];

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

static bool never_used(const struct map_slot *s)
{
	return !s->value && !s->key.p;
}

static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
	if (!m->cap)
		return NULL;
	for (uint32_t i = (uint32_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (never_used(s))
			return NULL;
		if (s->value && s->hash == hash && str_eq(s->key, key))
			return s;
	}
}

/* The key must be absent and a never used slot must exist. */
static struct map_slot *vacant(struct map *m, uint64_t hash)
{
	for (uint32_t i = (uint32_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1))
		if (!m->slots[i].value)
			return &m->slots[i];
}

static void resize(struct map *m, uint32_t cap)
{
	struct map_slot *old = m->slots;
	uint32_t old_cap = m->cap;

	must(cap);
	m->slots = mem_zalloc(cap * sizeof(*old));
	m->cap = cap;
	m->tombs = 0;
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].value)
			*vacant(m, old[i].hash) = old[i];
	free(old);
}

/* Makes room for one more entry, counting tombs: doubles, or only sweeps the tombs out. */
static void reserve(struct map *m)
{
	if (!m->cap)
		resize(m, CAP_MIN);
	else if ((m->n + m->tombs + 1) > m->cap / 4 * 3)
		resize(m, m->n + 1 > m->cap / 2 ? m->cap * 2 : m->cap);
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *s = m->n ? find(m, key, str_hash(key)) : NULL;

	return s ? s->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = str_hash(key);
	struct map_slot *s = find(m, key, hash);
	void *before = NULL;

	must(value);
	if (s) {
		before = s->value;
		s->key = key; /* the bytes of the old key may go with the old value */
		s->value = value;
		return before;
	}
	reserve(m);
	s = vacant(m, hash);
	if (s->key.p)
		m->tombs--;
	if (!key.p)
		key.p = tomb; /* an empty key is a key all the same */
	*s = (struct map_slot){ key, value, hash };
	m->n++;
	return before;
}

void *map_del(struct map *m, struct str key)
{
	struct map_slot *s = m->n ? find(m, key, str_hash(key)) : NULL;
	uint32_t next;
	void *value;

	if (!s)
		return NULL;
	value = s->value;
	next = (uint32_t)(s - m->slots + 1) & (m->cap - 1);
	if (never_used(&m->slots[next])) {
		*s = (struct map_slot){ 0 }; /* nothing was probed past it */
	} else {
		*s = (struct map_slot){ .key = { tomb, 0 } };
		m->tombs++;
	}
	m->n--;
	return value;
}

bool map_next(const struct map *m, uint32_t *pos, struct str *out_key, void **out_value)
{
	while (*pos < m->cap) {
		struct map_slot *s = &m->slots[(*pos)++];

		if (!s->value)
			continue;
		*out_key = s->key;
		*out_value = s->value;
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* map, heap, ids and list against simple models. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/map.h"

enum { KEYS = 500, STEPS = 20000 };

/* A small generator of our own: the same sequence in each run. */
static uint32_t state = 1;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % below;
}

TEST(map_agrees_with_a_plain_array)
{
	static char keys[KEYS][8];
	static int values[KEYS];
	void *model[KEYS] = { 0 };
	struct map m = { 0 };
	uint32_t n = 0;

	for (int i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
	for (int step = 0; step < STEPS; step++) {
		uint32_t k = draw(KEYS);
		void *value = &values[draw(KEYS)];

		/* Phases of growth and of decay, so that tombs are swept. */
		if (draw(4) < (step / 2000 % 2 ? 1u : 3u)) {
			n += !model[k];
			assert_ptr_equal(map_put(&m, str_of(keys[k]), value), model[k]);
			model[k] = value;
		} else {
			n -= !!model[k];
			assert_ptr_equal(map_del(&m, str_of(keys[k])), model[k]);
			model[k] = NULL;
		}
		assert_int_equal(m.n, n);
		k = draw(KEYS);
		assert_ptr_equal(map_get(&m, str_of(keys[k])), model[k]);
	}
	assert_true(m.cap <= 2048);
	map_fini(&m);
}

TEST(map_walk_sees_each_entry_once_and_may_delete_it)
{
	static char keys[KEYS][8];
	struct map m = { 0 };
	uint32_t pos = 0, seen = 0;
	struct str key;
	void *value;

	for (int i = 0; i < KEYS; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		map_put(&m, str_of(keys[i]), keys[i]);
	}
	while (map_next(&m, &pos, &key, &value)) {
		assert_ptr_equal(key.p, value);
		assert_ptr_equal(map_del(&m, key), value);
		seen++;
	}
	assert_int_equal(seen, KEYS);
	assert_int_equal(m.n, 0);
	map_fini(&m);
}

TEST(map_takes_the_empty_key_and_binary_keys)
{
	struct map m = { 0 };
	int one, two;

	assert_null(map_get(&m, STR_NONE));
	assert_null(map_del(&m, STR_NONE));
	assert_null(map_put(&m, STR_NONE, &one));
	assert_ptr_equal(map_get(&m, STR("")), &one);
	assert_null(map_put(&m, STR("\0"), &two));
	assert_ptr_equal(map_del(&m, STR("")), &one);
	assert_ptr_equal(map_get(&m, STR("\0")), &two);
	map_fini(&m);
	map_fini(&m);
}

TEST(heap_yields_the_smallest_key_through_moves_and_removals)
{
	static struct heap_node nodes[KEYS];
	struct heap h = { 0 };

	for (int step = 0; step < STEPS; step++) {
		uint32_t least = UINT32_MAX, k = draw(KEYS);

		if (draw(3))
			heap_set(&h, &nodes[k], draw(1000));
		else
			heap_del(&h, &nodes[k]);
		if (step % 16)
			continue;
		for (int i = 0; i < KEYS; i++)
			if (nodes[i].pos && nodes[i].key < least)
				least = (uint32_t)nodes[i].key;
		assert_true(h.n ? heap_min(&h)->key == least : !heap_min(&h));
	}
	for (uint64_t last = 0; heap_min(&h); heap_del(&h, heap_min(&h))) {
		assert_true(heap_min(&h)->key >= last);
		last = heap_min(&h)->key;
	}
	heap_fini(&h);
}

TEST(stale_handles_find_nothing)
{
	struct ids t = { 0 };
	int objects[100];
	id_t64 ids[100], again;

	assert_null(ids_get(&t, 0));
	assert_null(ids_get(&t, UINT64_MAX));
	for (int i = 0; i < 100; i++) {
		ids[i] = ids_add(&t, &objects[i]);
		assert_true(ids[i] != 0);
	}
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(ids_get(&t, ids[i]), &objects[i]);
	ids_drop(&t, ids[42]);
	ids_drop(&t, ids[42]);
	assert_null(ids_get(&t, ids[42]));
	again = ids_add(&t, &objects[0]);
	assert_int_equal((uint32_t)again, (uint32_t)ids[42]);
	assert_null(ids_get(&t, ids[42]));
	assert_ptr_equal(ids_get(&t, again), &objects[0]);
	assert_int_equal(t.n, 100);
	ids_fini(&t);
}

struct item {
	int value;
	struct list node;
};

TEST(list_keeps_order_and_lets_the_current_entry_go)
{
	struct item items[5] = { 0 }, *it;
	struct list l;
	int sum = 0, count = 0;

	list_init(&l);
	assert_true(list_empty(&l));
	for (int i = 0; i < 5; i++) {
		items[i].value = i;
		list_push(&l, &items[i].node);
	}
	list_each (it, &l, node) {
		if (it->value % 2)
			list_del(&it->node);
		sum = sum * 10 + it->value;
	}
	assert_int_equal(sum, 1234);
	list_unshift(&l, &items[3].node);
	assert_int_equal(list_first(&l, struct item, node)->value, 3);
	assert_false(list_linked(&items[1].node));
	while (list_shift(&l))
		count++;
	assert_int_equal(count, 4);
	assert_null(list_shift(&l));
}

UNIT_MAIN(cmocka_unit_test(map_agrees_with_a_plain_array),
	cmocka_unit_test(map_walk_sees_each_entry_once_and_may_delete_it),
	cmocka_unit_test(map_takes_the_empty_key_and_binary_keys),
	cmocka_unit_test(heap_yields_the_smallest_key_through_moves_and_removals),
	cmocka_unit_test(stale_handles_find_nothing),
	cmocka_unit_test(list_keeps_order_and_lets_the_current_entry_go));

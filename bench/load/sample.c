/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Latencies: kept whole, sorted when asked. */
#include "sample.h"

#include <stdlib.h>
#include <time.h>

#define SAMPLE_MAX (16u << 20)

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void sample_add(struct sample *s, int64_t ns)
{
	if (s->len == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4096;

		if (cap > SAMPLE_MAX)
			return;
		s->us = realloc(s->us, cap * sizeof(*s->us));
		if (!s->us)
			abort();
		s->cap = cap;
	}
	s->us[s->len++] = ns < 0 ? 0 : (uint32_t)(ns / 1000);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

double sample_ms(struct sample *s, double q)
{
	if (s->len == 0)
		return 0;
	qsort(s->us, s->len, sizeof(*s->us), by_value);
	return s->us[(size_t)(q * (double)(s->len - 1) + 0.5)] / 1000.0;
}

void sample_reset(struct sample *s)
{
	s->len = 0;
}

void sample_fini(struct sample *s)
{
	free(s->us);
	*s = (struct sample){ 0 };
}

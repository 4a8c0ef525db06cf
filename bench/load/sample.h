/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The clock and a growing set of latencies with exact percentiles. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000LL

struct sample {
	uint32_t *us; /* one latency each, microseconds */
	size_t len, cap;
};

/* Monotonic time, nanoseconds. */
int64_t now_ns(void);

/* Adds one latency given in nanoseconds; beyond 16 million values they are dropped. */
void sample_add(struct sample *s, int64_t ns);

/* The q-quantile (0..1) in milliseconds; 0 when empty. Sorts in place. */
double sample_ms(struct sample *s, double q);

void sample_reset(struct sample *s);
void sample_fini(struct sample *s);

#endif

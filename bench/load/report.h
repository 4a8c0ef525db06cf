/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The result of a scene: one line of JSON on standard output. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "proc.h"
#include "sample.h"

void report_begin(const char *scene);
void report_num(const char *name, double value);
void report_int(const char *name, int64_t value);
void report_text(const char *name, const char *value);

/* cpu_us_per_UNIT, UNITs per second and per server core, the generator's own cost, other work. */
void report_usage(const char *unit, struct usage d, int64_t units);

/* latency_p50_ms, _p99_ms, _p999_ms and _max_ms, with a prefix. */
void report_latency(const char *prefix, struct sample *s);

void report_end(void);

#endif

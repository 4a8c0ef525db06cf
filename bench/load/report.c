/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Results as one line of JSON; every name carries its unit. */
#include "report.h"

#include <stdio.h>

void report_begin(const char *scene)
{
	printf("{\"scene\":\"%s\"", scene);
}

void report_num(const char *name, double value)
{
	printf(",\"%s\":%.4f", name, value);
}

void report_int(const char *name, int64_t value)
{
	printf(",\"%s\":%lld", name, (long long)value);
}

void report_text(const char *name, const char *value)
{
	printf(",\"%s\":\"%s\"", name, value);
}

void report_usage(const char *unit, struct usage d, int64_t units)
{
	char name[64];
	double n = units > 0 ? (double)units : 1;

	report_num("wall_s", (double)d.wall_ns / 1e9);
	report_num("server_cpu_s", (double)d.server_ns / 1e9);
	snprintf(name, sizeof(name), "cpu_us_per_%s", unit);
	report_num(name, (double)d.server_ns / 1e3 / n);
	snprintf(name, sizeof(name), "%s_per_s", unit);
	report_num(name, d.wall_ns > 0 ? (double)units * 1e9 / (double)d.wall_ns : 0);
	snprintf(name, sizeof(name), "generator_us_per_%s", unit);
	report_num(name, (double)d.self_ns / 1e3 / n);
	report_num("other_cpu_pct", usage_other_pct(d));
}

void report_latency(const char *prefix, struct sample *s)
{
	static const struct {
		const char *name;
		double q;
	} rows[] = { { "p50", 0.5 }, { "p99", 0.99 }, { "p999", 0.999 }, { "max", 1 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s_%s_ms", prefix, rows[i].name);
		report_num(name, sample_ms(s, rows[i].q));
	}
}

void report_end(void)
{
	printf("}\n");
	fflush(stdout);
}

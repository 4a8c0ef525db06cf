/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Many sessions that do nothing: what the server keeps for each, and what its idling costs. */
#include "client.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <stdio.h>

#define SETTLE_NS (5 * NS_PER_S) /* for what a server still does and frees after a login */

static const struct scene scene = { 0 };

static int wait_ns(struct fleet *f, int64_t ns)
{
	for (int64_t end = now_ns() + ns; now_ns() < end;) {
		if (fleet_poll(f, end - now_ns() > 0 ? end - now_ns() : 0) < 0)
			return -ETIME;
	}
	return 0;
}

static void report(const struct opts *o, struct memory a, struct memory b, struct usage login,
		   struct usage idle)
{
	double n = (double)o->count;

	report_begin("idle");
	report_int("sessions", o->count);
	report_int("rss_before_kb", a.rss_kb);
	report_int("rss_after_kb", b.rss_kb);
	report_num("rss_kb_per_session", (double)(b.rss_kb - a.rss_kb) / n);
	report_num("pss_kb_per_session", (double)(b.pss_kb - a.pss_kb) / n);
	report_num("login_cpu_ms_per_session", (double)login.server_ns / 1e6 / n);
	report_num("idle_cpu_pct", 100.0 * (double)idle.server_ns / (double)idle.wall_ns);
	report_end();
}

static int measure(struct fleet *f, const struct opts *o)
{
	struct proc server;

	if (proc_init(&server, o->server_pids) < 0)
		return -ESRCH;
	struct memory before = proc_memory(&server);
	struct usage start = proc_usage(&server);

	if (fleet_login(f, 0, o->count) < 0 || wait_ns(f, SETTLE_NS) < 0)
		return -EIO;
	struct usage in = proc_usage(&server);

	if (wait_ns(f, (int64_t)(o->seconds * 1e9)) < 0)
		return -EIO;
	if (f->failed > 0) {
		fprintf(stderr, "idle: %lld sessions broke: %s\n", (long long)f->failed, f->why);
		return -EIO;
	}
	report(o, before, proc_memory(&server), usage_since(start, in),
	       usage_since(in, proc_usage(&server)));
	return 0;
}

int scene_idle(const struct opts *o)
{
	if (o->count < 1 || o->count > 19900) {
		fprintf(stderr, "idle: --count 1 to 19900\n");
		return -EINVAL;
	}
	struct fleet *f = fleet_new(o, &scene, o->count);
	int r = measure(f, o);

	if (r == 0)
		fleet_logout(f);
	fleet_free(f);
	return r;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Login storm: TCP, TLS with a full handshake, SASL, binding, stream management, roster, presence,
 * and the orderly end, --concurrency at a time. The accounts log in once before the measurement, so
 * that the generator has derived their keys. With the relay: TCP, handshake, one message, the end.
 */
#include "client.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <stdio.h>

struct storm {
	struct fleet *fleet;
	struct sample latency;
};

static void on_ready(struct client *c)
{
	struct storm *s = c->fleet->data;

	sample_add(&s->latency, c->ready_ns - c->started_ns);
	client_close(c);
}

static const struct scene scene = { .on_ready = on_ready };

/* Logs everybody in and out, `cycles` times. */
static int run(struct storm *s, int64_t cycles)
{
	struct fleet *f = s->fleet;
	const struct opts *o = f->o;
	int64_t total = o->count * cycles, next = 0;

	f->closed = 0;
	sample_reset(&s->latency);
	while (f->closed < total) {
		while (next < total && next - f->closed < o->concurrency &&
		       f->clients[next % o->count].fd < 0)
			client_start(&f->clients[next++ % o->count]);
		if (fleet_poll(f, NS_PER_S / 10) < 0 || f->failed > 0) {
			fprintf(stderr, "login: %lld of %lld done: %s\n", (long long)f->closed,
				(long long)total, f->why ? f->why : "too slow");
			return -EIO;
		}
	}
	return 0;
}

static int measure(struct storm *s, const struct opts *o)
{
	struct proc server;

	if (proc_init(&server, o->server_pids) < 0)
		return -ESRCH;
	if (run(s, 1) < 0)
		return -EIO;
	struct usage before = proc_usage(&server);

	if (run(s, o->cycles) < 0)
		return -EIO;
	struct usage d = usage_since(before, proc_usage(&server));

	report_begin("login");
	report_text("mechanism", o->raw ? "none" : o->mech);
	report_text("tls", o->tls);
	report_int("concurrency", o->concurrency);
	report_int("logins", s->fleet->closed);
	report_num("cpu_ms_per_login", (double)d.server_ns / 1e6 / (double)s->fleet->closed);
	report_usage("login", d, s->fleet->closed);
	report_latency("latency", &s->latency);
	report_end();
	return 0;
}

int scene_login(const struct opts *o)
{
	struct storm s = { 0 };

	if (o->count < 1 || o->cycles < 1) {
		fprintf(stderr, "login: --count and --cycles must be at least 1\n");
		return -EINVAL;
	}
	s.fleet = fleet_new(o, &scene, o->count);
	s.fleet->data = &s;
	int r = measure(&s, o);

	fleet_free(s.fleet);
	sample_fini(&s.latency);
	return r;
}

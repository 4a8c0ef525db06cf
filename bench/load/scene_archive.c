/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The first account pages through its whole archive (XEP-0313 with XEP-0059), --cycles times; fewer
 * than --count messages are a failure.
 */
#include "archive.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <stdio.h>

static const struct scene scene = { .on_stanza = archive_on_stanza };

static int measure(struct fleet *f, const struct opts *o)
{
	struct proc server;
	struct archive a = { 0 };
	struct sample latency = { 0 };
	int64_t messages = 0, pages = 0;

	f->data = &a;
	if (proc_init(&server, o->server_pids) < 0)
		return -ESRCH;
	if (fleet_login(f, 0, 1) < 0)
		return -EIO;
	struct usage before = proc_usage(&server);

	for (int64_t i = 0; i < o->cycles; i++) {
		if (archive_read(&f->clients[0], &a, o->page, &latency) < 0)
			return -EIO;
		if (a.messages < o->count) {
			fprintf(stderr, "archive: %lld messages of %lld\n", (long long)a.messages,
				(long long)o->count);
			return -EIO;
		}
		messages += a.messages;
		pages += a.pages;
	}
	struct usage d = usage_since(before, proc_usage(&server));

	report_begin("archive");
	report_int("page_messages", o->page);
	report_int("archive_messages", a.messages);
	report_int("messages", messages);
	report_num("cpu_ms_per_page", pages > 0 ? (double)d.server_ns / 1e6 / (double)pages : 0);
	report_usage("message", d, messages);
	report_latency("page", &latency);
	report_end();
	sample_fini(&latency);
	return 0;
}

int scene_archive(const struct opts *o)
{
	struct fleet *f = fleet_new(o, &scene, 1);
	int r = measure(f, o);

	fleet_free(f);
	return r;
}

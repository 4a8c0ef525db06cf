/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading one account's archive page by page (XEP-0313, XEP-0059). */
#ifndef BENCH_ARCHIVE_H
#define BENCH_ARCHIVE_H

#include "client.h"
#include "mark.h"
#include "sample.h"

struct archive {
	int64_t messages, pages;
	bool page_done, complete, failed;
	char last[200]; /* archive id where the next page begins */
	/* Called for each archived message that has a mark; may be NULL. */
	void (*on_mark)(void *arg, const struct mark *m);
	void *arg;
};

/* The scene's stanza handler while an archive is read; the fleet's data must be a struct archive. */
void archive_on_stanza(struct client *c, const struct stanza *st);

/* Reads everything in pages; adds the time of each page to *latency (may be NULL). Returns 0 or -EIO. */
int archive_read(struct client *c, struct archive *a, int64_t page, struct sample *latency);

#endif

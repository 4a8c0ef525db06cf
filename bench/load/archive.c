/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Archive pages, oldest first, each asked for when the one before is complete. */
#include "archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NS_MAM "urn:xmpp:mam:2"
#define NS_RSM "http://jabber.org/protocol/rsm"

static void end_of_page(struct archive *a, const struct stanza *st)
{
	struct span last = stanza_text(st, "last");

	a->page_done = true;
	a->failed = !stanza_attr_is(st, "type", "result") || !stanza_find(st, NS_MAM);
	a->complete = stanza_find(st, "complete='true'") || stanza_find(st, "complete=\"true\"");
	if (a->failed)
		fprintf(stderr, "archive: %.*s\n", (int)st->len, st->text);
	else if (last.text && last.len < sizeof(a->last))
		snprintf(a->last, sizeof(a->last), "%.*s", (int)last.len, last.text);
	else
		a->complete = true; /* an empty page has no last message */
}

void archive_on_stanza(struct client *c, const struct stanza *st)
{
	struct archive *a = c->fleet->data;
	struct mark m;

	if (stanza_is(st, "iq") && stanza_attr_is(st, "id", "page")) {
		end_of_page(a, st);
	} else if (stanza_is(st, "message") && stanza_find(st, "<result")) {
		a->messages++;
		if (a->on_mark && mark_read(st, &m))
			a->on_mark(a->arg, &m);
	}
}

static void ask_page(struct client *c, const struct archive *a, int64_t page)
{
	client_stanza(c,
		      "<iq type='set' id='page'><query xmlns='" NS_MAM "' queryid='q'><set xmlns='" NS_RSM
		      "'><max>%lld</max>%s%s%s</set></query></iq>",
		      (long long)page, *a->last ? "<after>" : "", a->last, *a->last ? "</after>" : "");
}

int archive_read(struct client *c, struct archive *a, int64_t page, struct sample *latency)
{
	a->messages = a->pages = 0;
	a->complete = a->failed = false;
	a->last[0] = '\0';
	while (!a->complete && !a->failed) {
		int64_t from = now_ns();

		a->page_done = false;
		ask_page(c, a, page);
		while (!a->page_done) {
			if (fleet_poll(c->fleet, NS_PER_S / 10) < 0 || c->fleet->failed > 0) {
				fprintf(stderr, "archive: %s\n", c->fleet->why ? c->fleet->why : "late");
				return -EIO;
			}
		}
		a->pages++;
		if (latency)
			sample_add(latency, now_ns() - from);
	}
	return a->failed ? -EIO : 0;
}

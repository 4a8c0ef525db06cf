/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The queue of XEP-0377 0.4.1 reports that administrators work through.
 *   owner scope     kind "report"  key ID             <report xmlns='urn:xmpp:reporting:1' id= stamp= reporter= jid= reason=><text/> messages
 *   owner reporter  kind "report"  key reported JID   ID: one open report for each, a later one takes its place
 * The scope is that of the reporter's host (account/account.h). ID is 16 hex digits of the time and 8 of a hash, so that the queue is in order of time. */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/iq.h"

enum {
	REPORTS_OPEN_MAX = 20,	    /* of one account: more are dropped */
	REPORTS_PER_HOUR_MAX = 1000, /* taken by one shard */
	REPORT_MESSAGES_MAX = 10,
	REPORT_MESSAGES_BYTES_MAX = 64 << 10, /* together; what is more is left out */
	REPORT_TEXT_MAX = 4096,
	REPORT_REASON_MAX = 256,
	REPORTS_PAGE = 200,
};

/* Is this a report that can be filed? Returns 0; -EBADMSG with a sentence in why. */
int report_check(struct arena *a, const struct xml *report, const char **why);
/* Files a checked <report/> of this account about somebody whom it blocks, with the messages that the report names, of its
 * archive or of the room that the reported one is in and that this account may read, if they are the reported one's own. Nobody waits for it. */
void report_file(struct core *c, struct jid reporter, struct jid reported, const struct xml *report);

/* Adds to a batch: the report is done with. value: as stored, to find the reporter's index. */
void report_close(struct store_batch *b, struct arena *a, struct str scope, struct str id, struct str value);

void reports_free(struct core *c);

#endif

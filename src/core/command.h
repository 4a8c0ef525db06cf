/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0050 1.3.0 ad-hoc commands: rows of features (struct command of core/feature.h), listed in disco, run in one step or through
 * forms (XEP-0004) that the asker fills in one after the other. An open command belongs to the session that began it. */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/iq.h"
#include "proto/xmpp/form_rule.h"

enum {
	COMMAND_STAGES_MAX = 4,
	COMMANDS_PER_USER_MAX = 16, /* open ones of one account: the oldest makes room */
	COMMANDS_MAX = 4096,	     /* open ones of a shard: the same */
	COMMAND_MS = 15 * 60000,    /* without a step, it has expired */
};

/* One form of a command. */
struct command_stage {
	const struct form_rule *fields; /* ends with var NULL */
	const char *title, *instructions;
	/* Adds values and choices to the form, then calls command_ask: now, or later by iq_hold. answers: what earlier stages got, NULL in the
	 * first. fill NULL: the form is asked as it is. */
	void (*fill)(struct iq *iq, struct xml *form, struct xml *answers);
};

/* Adds an item per command that the asker may run. */
void command_items(struct iq *iq, struct xml *query);
/* Answers disco#info of a command's node or of the list of commands. Returns false when it is none. */
bool command_disco(struct iq *iq, struct str node);
/* <command action=…/>: runs it or answers the error of XEP-0050 §5.2. */
void command_run(struct iq *iq);

/* What a stage's fill calls: sends the form (adopted), unless the command was cancelled meanwhile. */
void command_ask(struct iq *iq, struct xml *form);
/* What run calls in the end, now or later by iq_hold: answers "completed" with a result form, which is adopted (NULL: none). */
void command_done(struct iq *iq, struct xml *form);
/* The same with all children of wrap. */
void command_done_many(struct iq *iq, struct xml *wrap);
/* Refuses a submitted form: bad-request with <bad-payload/>. The command stays open, so that another form may come. */
void command_bad_payload(struct iq *iq, const char *text);

/* The shard ends. */
void commands_free(struct core *c);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0050 1.3 ad-hoc commands: rows of features, listed in disco, run in one step (core/feature.h struct command). */
#ifndef CORE_COMMAND_H
#define CORE_COMMAND_H

#include "core/iq.h"

/* Adds an item per command that the asker may run. */
void command_items(struct iq *iq, struct xml *query);
/* Answers disco#info of a command's node. Returns false when it is none that the asker may see. */
bool command_disco(struct iq *iq, struct str node);
/* <command action=…/>: runs it or answers the error of XEP-0050 §4.4. */
void command_run(struct iq *iq);
/* Answers "completed" with a result form, which is adopted (NULL: none). */
void command_done(struct iq *iq, struct xml *form);

#endif

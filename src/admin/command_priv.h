/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What rows of commands in other files of this folder share with admin/command.c. */
#ifndef ADMIN_COMMAND_PRIV_H
#define ADMIN_COMMAND_PRIV_H

#include "admin/command.h"

/* Each answers the call. answer is taken. */
void admin_fail(struct admin_call *call, const char *word, const char *message);
void admin_fail_status(struct admin_call *call, int status);
void admin_succeed(struct admin_call *call, json_t *answer);
/* An argument of the request; NONE when it is absent or no text. */
struct str admin_text_of(const struct admin_call *call, const char *name);

/* The accounts of this domain; empty: the main one's. NULL: it is none of ours. */
struct accounts *admin_accounts_named(const struct admin_call *call, struct str domain);

typedef void admin_command_fn(struct admin_call *call);
admin_command_fn admin_reports, admin_report_close, admin_import_user, admin_export_user;

#endif

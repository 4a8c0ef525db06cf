/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Who answers the command line's questions: a running server over its socket, else the data directory. */
#ifndef ADMIN_OFFICE_H
#define ADMIN_OFFICE_H

#include <jansson.h>

#include "admin/cli.h"

struct admin_local;

/* Zeroed but for cli; opened at the first request. */
struct office {
	const struct cli *cli;
	struct admin_local *local;
};

/* Sends the request, takes it; out gets the answer when it is a good one. make: the data directory is made when it is not there.
 * Returns an exit code; a refusal is printed. */
int office_ask(struct office *o, json_t *request, bool make, json_t **out);
/* The same, but a refusal is an answer too: {"error": WORD, "message": SENTENCE}. */
int office_try(struct office *o, json_t *request, bool make, json_t **out);
void office_close(struct office *o);
/* One request without more to it. */
int office_once(const struct cli *c, json_t *request, bool make, json_t **out);
/* A text of an answer, empty when it is absent. */
const char *office_text(const json_t *j, const char *name);

#endif

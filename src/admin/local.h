/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Commands on a data directory at rest: the same rows as over the socket, in a small process-inside with one shard. */
#ifndef ADMIN_LOCAL_H
#define ADMIN_LOCAL_H

#include "admin/command.h"

struct admin_local;

/* Opens the directory under its lock. domain NULL: the one that the data belongs to. Returns 0; -EBUSY a server or command holds it;
 * -errno, with a sentence in err. */
int admin_local_open(const char *dir, struct str domain, const char *web_url, struct admin_local **out, char *err, size_t err_n);
/* Runs a request and waits for its answer, which the caller owns. */
json_t *admin_local_ask(struct admin_local *l, json_t *request);
void admin_local_close(struct admin_local *l); /* takes NULL */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Further domains of this server: the option `hosts`, their certificates and addresses. Main thread. */
#ifndef APP_HOSTING_H
#define APP_HOSTING_H

#include "account/host.h"
#include "base/config.h"
#include "net/tls.h"

struct store;

/* Reads the option: normalised names in the arena, without the main domain. out has room for HOSTS_MAX.
 * Returns their number; -EINVAL with a sentence in err. */
int hosting_list(const struct config *c, struct arena *a, struct str *out, char *err, size_t err_n);
/* The certificate of the main domain and, by the name that a client asks for, those of the others. Returns 0; -errno with a
 * sentence in err. */
int hosting_certificates(const struct config *c, const char *data_dir, struct tls_ctx **out, char *err, size_t err_n);
/* Adds the hosts that are new; those that the option does not name any more stay until the end, with a warning. */
void hosting_add(struct hosts *h, const struct config *c);
/* Writes the list of hosts into the store, for commands on a directory at rest; in a shard. */
void hosting_keep(const struct hosts *h, struct store *store, struct shard *s);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server's certificate: the configured one, else a self-signed one in DIR/tls that is made at the first start. */
#ifndef APP_CERTIFICATE_H
#define APP_CERTIFICATE_H

#include "base/config.h"
#include "net/tls.h"

/* Loads it. domain: normalised. Returns 0; -errno with a sentence in err. */
int certificate_load(const struct config *c, const char *data_dir, struct str domain, struct tls_ctx **out, char *err, size_t err_n);

/* The same for a further host: its own pair in tls.directory, else the main certificate when it is configured and covers the name, else
 * a self-signed one. */
int certificate_load_other(const struct config *c, const char *data_dir, struct str domain, struct tls_ctx *main, struct tls_ctx **out,
	char *err, size_t err_n);

#endif

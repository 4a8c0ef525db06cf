/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration of a command line: defaults, then --config, then --domain and --set. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "admin/cli.h"
#include "base/config.h"

/* Returns the configuration, or NULL with a sentence in err. Also used by a reload: files are read anew. */
struct config *settings_load(const struct cli *cli, char *err, size_t err_n);
/* Sets up the log as the configuration says. */
void settings_log(const struct config *c);

/* The verb `config --explain|--check`. */
int verb_config(const struct cli *cli);
/* The verb `serve`. */
int verb_serve(const struct cli *cli);

#endif

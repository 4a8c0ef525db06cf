/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration file: YAML of two levels, `section:` and under it `key: value`; options without a section stand alone.
 * Lists, anchors, tags and second documents are refused. */
#ifndef APP_CONFIG_FILE_H
#define APP_CONFIG_FILE_H

#include "base/config.h"

enum { CONFIG_FILE_MAX = 1 << 20 }; /* bytes */

/* Sets what the text says in c. Returns 0; -EINVAL with "NAME:LINE: sentence" in err; c may hold a part then. */
int config_file_parse(struct config *c, const char *name, struct str text, char *err, size_t err_n);
/* Reads a file and parses it. Returns 0; -errno with a sentence in err. */
int config_file_load(struct config *c, const char *path, char *err, size_t err_n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options of the process as a whole, and those of the features with them. */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "base/config.h"

extern const struct option app_options[];

/* A configuration of defaults with every option of this binary: these and those of all features. */
struct config *options_new(void);
/* Rules over more than one option. Returns 0; -EINVAL with a sentence in err. */
int options_check(const struct config *c, char *err, size_t err_n);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options of the process as a whole, and the list of all tables of options. */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include "base/config.h"

extern const struct option app_options[];

/* All tables that this binary knows, NULL at the end: for config_new. */
const struct option *const *options_all(void);
/* Rules over more than one option. Returns 0; -EINVAL with a sentence in err. */
int options_check(const struct config *c, char *err, size_t err_n);

#endif

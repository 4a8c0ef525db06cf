/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include "store/sqlite.h"
int sqlite_backup(struct store_reader *r, const char *dir) { (void)r; (void)dir; return -ENOTSUP; }

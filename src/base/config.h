/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Configuration: options are rows near their use; values are one immutable struct config that a reload replaces.
 * Reading files is app/config_file (libyaml); this is the table and the look-up. Any thread may read. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"

enum option_type { OPT_BOOL, OPT_INT, OPT_STRING, OPT_SIZE /* "256k", "10M" */, OPT_TIME /* "30s", "5m", "7d": milliseconds */, OPT_ENUM };

struct option {
	const char *name;     /* "section.key" */
	enum option_type type;
	const char *def;	/* default as text */
	int64_t min, max;    /* for INT, SIZE, TIME (milliseconds); both 0: no bounds */
	const char *words;   /* for ENUM: "text json" */
	const char *doc;     /* one line */
};

struct config;

/* tables: NULL-terminated list of option arrays, each ending with name NULL. All values are defaults then. */
struct config *config_new(const struct option *const *tables);
struct config *config_copy(const struct config *c);
void config_free(struct config *c);
/* Returns 0; -ENOENT unknown option; -EINVAL not of the type; -ERANGE out of bounds. err gets a sentence for people. */
int config_set(struct config *c, const char *name, const char *value, char *err, size_t err_n);
/* Unknown names or a wrong type are programmer errors. Strings live as long as c. */
bool config_bool(const struct config *c, const char *name);
int64_t config_int(const struct config *c, const char *name); /* INT, SIZE (bytes), TIME (ms) */
const char *config_str(const struct config *c, const char *name);
/* Has the option, of any type, the same value in both? */
bool config_same(const struct config *a, const struct config *b, const char *name);
/* All options with value, default, bounds and doc as YAML with comments: `config --explain`. */
void config_explain(const struct config *c, struct buf *out);

#endif

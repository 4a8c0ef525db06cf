/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command line: rows of verbs, one list of options, and --help made from both. */
#ifndef ADMIN_CLI_H
#define ADMIN_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_SETS_MAX = 100, CLI_WORDS_MAX = 4 };

/* Exit codes. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

enum cli_option_bit {
	CLI_DATA = 1 << 0,
	CLI_DOMAIN = 1 << 1,
	CLI_CONFIG = 1 << 2, /* --config and --set */
	CLI_PASSWORD = 1 << 3,
	CLI_ADMIN = 1 << 4,
	CLI_MANY = 1 << 5,
	CLI_URL = 1 << 6,
	CLI_EXPLAIN = 1 << 7, /* --explain and --check */
	CLI_YES = 1 << 8,
	CLI_JSON = 1 << 9,
	CLI_IMPORT = 1 << 10, /* --dry-run and --merge */
	CLI_PLANNED = 1 << 11,
};

struct cli {
	const char *data; /* never NULL when the verb takes CLI_DATA */
	const char *domain, *config, *url;
	const char *sets[CLI_SETS_MAX];
	int sets_n;
	bool password_stdin, admin, many, explain, check, yes, json, dry_run, merge, planned;
	const char *words[CLI_WORDS_MAX]; /* what stands after the verb */
	int words_n;
};

struct cli_verb {
	const char *name; /* "user add" */
	const char *words; /* "NAME", for --help */
	int words_min, words_max;
	unsigned options; /* cli_option_bit */
	const char *help;
	int (*run)(const struct cli *c); /* returns the exit code */
};

/* Finds the verb in the NULL-named table, reads its options and runs it. Returns the exit code. */
int cli_main(const struct cli_verb *verbs, int argc, char **argv);
/* "anser: " and a sentence on standard error. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes a directory (0700) and the ones above it. Returns 0, also when it is there; -errno. */
int cli_make_dir(const char *path);

/* Verbs of this folder. */
int verb_user_add(const struct cli *c);
int verb_user_passwd(const struct cli *c);
int verb_user_totp(const struct cli *c);
int verb_user_list(const struct cli *c);
int verb_user_delete(const struct cli *c);
int verb_reports(const struct cli *c);
int verb_report_close(const struct cli *c);
int verb_import(const struct cli *c);
int verb_export(const struct cli *c);
int verb_outage(const struct cli *c);
int verb_invite(const struct cli *c);
int verb_status(const struct cli *c);
int verb_backup(const struct cli *c);
int verb_restore(const struct cli *c);

#endif

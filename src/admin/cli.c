/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command line: finds the verb, reads options, prints help. */
#include "admin/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DATA_DIR_MAX = 4096 };

struct option_row {
	const char *name, *value; /* value NULL: a flag */
	unsigned bit;
	size_t at; /* offset in struct cli of the const char * or bool; sets are apart */
	const char *help;
};

static const struct option_row options[] = {
	{ "data", "DIR", CLI_DATA, offsetof(struct cli, data), "data directory" },
	{ "domain", "NAME", CLI_DOMAIN, offsetof(struct cli, domain), "the part of addresses behind the @" },
	{ "config", "FILE", CLI_CONFIG, offsetof(struct cli, config), "configuration file (YAML)" },
	{ "set", "SECTION.KEY=VALUE", CLI_CONFIG, offsetof(struct cli, sets), "one option; may be repeated, wins over the file" },
	{ "password-stdin", NULL, CLI_PASSWORD, offsetof(struct cli, password_stdin), "read the password from standard input" },
	{ "admin", NULL, CLI_ADMIN, offsetof(struct cli, admin), "make it an administrator" },
	{ "many", NULL, CLI_MANY, offsetof(struct cli, many),
		"PREFIX COUNT: accounts PREFIX0, PREFIX1 ... with one password, for load tests" },
	{ "url", "URL", CLI_URL, offsetof(struct cli, url), "https://HOST:PORT of the link when no server runs" },
	{ "explain", NULL, CLI_EXPLAIN, offsetof(struct cli, explain), "print all options with values, bounds and meaning" },
	{ "check", NULL, CLI_EXPLAIN, offsetof(struct cli, check), "say whether the configuration is good" },
	{ "yes", NULL, CLI_YES, offsetof(struct cli, yes), "do not ask" },
	{ "dry-run", NULL, CLI_IMPORT, offsetof(struct cli, dry_run), "read everything, write nothing" },
	{ "merge", NULL, CLI_IMPORT, offsetof(struct cli, merge), "add to accounts that exist already" },
	{ "planned", NULL, CLI_PLANNED, offsetof(struct cli, planned), "it was planned" },
	{ "json", NULL, CLI_JSON, offsetof(struct cli, json), "print JSON" },
	{ NULL },
};

void cli_error(const char *fmt, ...)
{
	va_list ap;

	fputs("anser: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* ---- help ---- */

static void help_verb(const struct cli_verb *v)
{
	printf("anser %s%s%s [options]\n\n%s\n\nOptions:\n", v->name, *v->words ? " " : "", v->words, v->help);
	for (const struct option_row *o = options; o->name; o++) {
		char left[64];

		if (!(v->options & o->bit))
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
		printf("  %-26s %s\n", left, o->help);
	}
	printf("  %-26s %s\n", "--help", "this text");
	if (v->options & CLI_DATA)
		printf("\nWithout --data, the directory is $ANSER_DATA, else /var/lib/anser for root,\n"
		       "else $XDG_DATA_HOME/anser, else ~/.local/share/anser.\n");
}

static bool in_group(const struct cli_verb *v, const char *group)
{
	size_t n = strlen(group);

	return n == 0 || (strncmp(v->name, group, n) == 0 && v->name[n] == ' ');
}

/* Verbs whose first word is group; all when it is empty. */
static void help_group(const struct cli_verb *verbs, const char *group)
{
	printf("anser: a messaging server\n\n");
	for (const struct cli_verb *v = verbs; v->name; v++) {
		char left[64];

		if (!in_group(v, group))
			continue;
		snprintf(left, sizeof(left), "%s%s%s", v->name, *v->words ? " " : "", v->words);
		printf("  anser %-26s %s\n", left, v->help);
	}
	printf("\n`anser VERB --help` tells the options of each.\n");
}

/* ---- options ---- */

static const struct option_row *find_option(const struct cli_verb *v, const char *name, size_t n)
{
	for (const struct option_row *o = options; o->name; o++)
		if ((v->options & o->bit) && strlen(o->name) == n && memcmp(o->name, name, n) == 0)
			return o;
	return NULL;
}

static int store_option(struct cli *c, const struct option_row *o, const char *value)
{
	if (!o->value) {
		*(bool *)((char *)c + o->at) = true;
	} else if (o->at != offsetof(struct cli, sets)) {
		*(const char **)((char *)c + o->at) = value;
	} else if (c->sets_n < CLI_SETS_MAX) {
		c->sets[c->sets_n++] = value;
	} else {
		cli_error("--set is given too often");
		return CLI_USAGE;
	}
	return CLI_OK;
}

/* Reads argv[*i], which begins with --, and its value. */
static int take_option(struct cli *c, const struct cli_verb *v, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '='), *value = NULL;
	size_t n = eq ? (size_t)(eq - name) : strlen(name);
	const struct option_row *o = find_option(v, name, n);

	if (!o) {
		cli_error("`%s` has no option --%.*s; see anser %s --help", v->name, (int)n, name, v->name);
		return CLI_USAGE;
	}
	if (o->value)
		value = eq ? eq + 1 : argv[*i + 1] ? argv[++*i] : NULL;
	if ((!o->value && eq) || (o->value && !value)) {
		cli_error("--%s %s", o->name, o->value ? "needs a value" : "takes no value");
		return CLI_USAGE;
	}
	return store_option(c, o, value);
}

static int parse(struct cli *c, const struct cli_verb *v, int argc, char **argv)
{
	bool only_words = false;

	for (int i = 0; i < argc; i++) {
		int err = CLI_OK;

		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && argv[i][0] == '-' && argv[i][1] == '-')
			err = take_option(c, v, argv, &i);
		else if (c->words_n < CLI_WORDS_MAX)
			c->words[c->words_n++] = argv[i];
		else
			err = CLI_USAGE;
		if (err)
			return err;
	}
	if (c->words_n < v->words_min || c->words_n > v->words_max) {
		cli_error("usage: anser %s%s%s [options]; see anser %s --help", v->name, *v->words ? " " : "", v->words, v->name);
		return CLI_USAGE;
	}
	return CLI_OK;
}

static const char *default_data(void)
{
	static char dir[DATA_DIR_MAX];
	const char *env = getenv("ANSER_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (env && *env)
		return env;
	if (geteuid() == 0)
		return "/var/lib/anser";
	if (xdg && *xdg)
		snprintf(dir, sizeof(dir), "%s/anser", xdg);
	else
		snprintf(dir, sizeof(dir), "%s/.local/share/anser", home && *home ? home : ".");
	return dir;
}

int cli_make_dir(const char *path)
{
	char part[DATA_DIR_MAX];
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, 0700) && errno != EEXIST && !(errno == EROFS && i < n))
			return -errno;
	}
	return 0;
}

/* ---- verbs ---- */

/* How many words of argv are the verb's name; 0 when it is another one. */
static int match(const struct cli_verb *v, int argc, char **argv)
{
	const char *rest = v->name;
	int n = 0;

	while (*rest) {
		size_t len = strcspn(rest, " ");

		if (n >= argc || strlen(argv[n]) != len || memcmp(argv[n], rest, len) != 0)
			return 0;
		n++;
		rest += len + (rest[len] == ' ');
	}
	return n;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* No verb fits: help was asked for, or something is missing. */
static int no_verb(const struct cli_verb *verbs, int argc, char **argv)
{
	bool help = wants_help(argc, argv);
	const char *first = argc && argv[0][0] != '-' ? argv[0] : "";

	for (const struct cli_verb *v = verbs; *first && v->name; v++) {
		if (!in_group(v, first))
			continue;
		if (help) {
			help_group(verbs, first);
			return CLI_OK;
		}
		cli_error("`%s` needs one more word; see anser %s --help", first, first);
		return CLI_USAGE;
	}
	if (help || strcmp(first, "help") == 0) {
		help_group(verbs, "");
		return CLI_OK;
	}
	if (*first)
		cli_error("there is no command `%s`; see anser --help", first);
	else
		cli_error("what shall I do? See anser --help");
	return CLI_USAGE;
}

int cli_main(const struct cli_verb *verbs, int argc, char **argv)
{
	struct cli c = { 0 };
	int n, err;

	argc--;
	argv++;
	for (const struct cli_verb *v = verbs; v->name; v++) {
		n = match(v, argc, argv);
		if (!n)
			continue;
		if (wants_help(argc - n, argv + n)) {
			help_verb(v);
			return CLI_OK;
		}
		err = parse(&c, v, argc - n, argv + n);
		if (err)
			return err;
		if ((v->options & CLI_DATA) && !c.data)
			c.data = default_data();
		return v->run(&c);
	}
	return no_verb(verbs, argc, argv);
}

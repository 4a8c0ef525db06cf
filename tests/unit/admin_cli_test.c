/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The command line: words, options, and what is told about mistakes; and the main thread's watch over clock and disk. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "admin/cli.h"
#include "app/tick.h"

static struct cli seen;
static int runs;

static int run(const struct cli *c)
{
	seen = *c;
	runs++;
	return 7;
}

static const struct cli_verb verbs[] = {
	{ "user add", "NAME", 1, 2, CLI_DATA | CLI_PASSWORD | CLI_ADMIN, "Add.", run },
	{ "serve", "", 0, 0, CLI_DATA | CLI_DOMAIN | CLI_CONFIG, "Serve.", run },
	{ NULL },
};

static int call(const char *line)
{
	char *argv[20] = { (char *)(uintptr_t)"anser" }, *text = strdup(line);
	int argc = 1, code;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	code = cli_main(verbs, argc, argv);
	free(text);
	return code;
}

TEST(reads_words_and_options_in_any_order)
{
	char *argv[] = { (char *)(uintptr_t)"anser", (char *)(uintptr_t)"user", (char *)(uintptr_t)"add", (char *)(uintptr_t)"--data=/d",
		(char *)(uintptr_t)"alice", (char *)(uintptr_t)"--admin", (char *)(uintptr_t)"--password-stdin", NULL };

	assert_int_equal(cli_main(verbs, 7, argv), 7);
	assert_string_equal(seen.data, "/d");
	assert_string_equal(seen.words[0], "alice");
	assert_int_equal(seen.words_n, 1);
	assert_true(seen.admin && seen.password_stdin);
}

TEST(collects_settings_in_order)
{
	char *argv[] = { (char *)(uintptr_t)"anser", (char *)(uintptr_t)"serve", (char *)(uintptr_t)"--set", (char *)(uintptr_t)"a.b=1",
		(char *)(uintptr_t)"--set", (char *)(uintptr_t)"a.b=2=3", (char *)(uintptr_t)"--domain", (char *)(uintptr_t)"x.org", NULL };

	assert_int_equal(cli_main(verbs, 8, argv), 7);
	assert_int_equal(seen.sets_n, 2);
	assert_string_equal(seen.sets[1], "a.b=2=3");
	assert_string_equal(seen.domain, "x.org");
}

TEST(refuses_what_it_does_not_know)
{
	static const char *const lines[] = { "", "dance", "user", "user add", "user add a b c", "user add a --config x", "serve extra",
		"serve --data", "user add a --admin=yes", "serve --nonsense", "--data x", "user ad", "user add a b c d e f" };

	runs = 0;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(call(lines[i]), CLI_USAGE);
	assert_int_equal(runs, 0);
	assert_int_equal(call("user add -- --admin"), 7);
	assert_false(seen.admin);
}

/* Standard output of a call, to be freed. */
static char *printed(const char *line)
{
	FILE *real = stdout;
	char *text = NULL;
	size_t n;

	stdout = open_memstream(&text, &n);
	assert_non_null(stdout);
	assert_int_equal(call(line), CLI_OK);
	fclose(stdout);
	stdout = real;
	return text;
}

TEST(helps_without_running)
{
	static const struct {
		const char *line, *want, *unwanted;
	} rows[] = {
		{ "--help", "anser serve", "--data" }, { "help", "anser user add NAME", "--data" },
		{ "user --help", "anser user add NAME", "anser serve" }, { "user add --help", "--password-stdin", "--domain" },
		{ "serve -h", "--set SECTION.KEY=VALUE", "--admin" },
	};

	runs = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = printed(rows[i].line);

		assert_non_null(strstr(text, rows[i].want));
		assert_null(strstr(text, rows[i].unwanted));
		free(text);
	}
	assert_int_equal(runs, 0);
}

TEST(finds_the_data_directory)
{
	setenv("ANSER_DATA", "/somewhere", 1);
	assert_int_equal(call("serve"), 7);
	assert_string_equal(seen.data, "/somewhere");
	unsetenv("ANSER_DATA");
	assert_int_equal(call("serve"), 7);
	assert_true(strlen(seen.data) > strlen("/anser"));
}

TEST(makes_directories_for_the_owner_alone)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/a/b//c", unit_tmpdir());
	assert_int_equal(cli_make_dir(path), 0);
	assert_int_equal(cli_make_dir(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(cli_make_dir("/proc/no/such"), -ENOENT);
}

TEST(notices_jumps_of_the_clock)
{
	struct tick t;

	tick_init(&t, "/d", 1000000, 500);
	assert_int_equal(tick_clock(&t, 1001000, 1500), 0);
	assert_int_equal(tick_clock(&t, 1003900, 2500), 0); /* 1.9 s too fast: set right slowly */
	assert_int_equal(tick_clock(&t, 1064900, 3500), 60000);
	assert_int_equal(tick_clock(&t, 1065900, 4500), 0);
	assert_int_equal(tick_clock(&t, 1000900, 5500), -66000);
}

TEST(tells_of_a_full_disk_once)
{
	struct tick t;

	tick_init(&t, "/d", 0, 0);
	tick_disk(&t, 1000);
	assert_false(t.disk_low);
	tick_disk(&t, TICK_DISK_LOW_MIB - 1);
	assert_true(t.disk_low);
	tick_disk(&t, TICK_DISK_LOW_MIB);
	assert_false(t.disk_low);
}

UNIT_MAIN(cmocka_unit_test(reads_words_and_options_in_any_order), cmocka_unit_test(collects_settings_in_order),
	cmocka_unit_test(refuses_what_it_does_not_know), cmocka_unit_test(helps_without_running),
	cmocka_unit_test(finds_the_data_directory), cmocka_unit_test(makes_directories_for_the_owner_alone),
	cmocka_unit_test(notices_jumps_of_the_clock), cmocka_unit_test(tells_of_a_full_disk_once));

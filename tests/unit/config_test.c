/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options, their values and their description. */
#include "unit.h"

#include <errno.h>

#include "base/config.h"

static const struct option table_a[] = {
	{ "workers", OPT_INT, "0", 0, 64, NULL, "Threads." },
	{ "log.level", OPT_ENUM, "info", 0, 0, "error info debug", "Level." },
	{ "log.colour", OPT_BOOL, "true", 0, 0, NULL, "Colour." },
	{ NULL },
};
static const struct option table_b[] = {
	{ "limits.stanza", OPT_SIZE, "256k", 1 << 10, 10 << 20, NULL, "Stanza." },
	{ "limits.idle", OPT_TIME, "5m", 1000, 86400000, NULL, "Idle." },
	{ "log.file", OPT_STRING, "", 0, 0, NULL, "A file." },
	{ NULL },
};
static const struct option *const tables[] = { table_a, table_b, NULL };

static int set(struct config *c, const char *name, const char *value)
{
	char err[300];

	return config_set(c, name, value, err, sizeof(err));
}

TEST(begins_with_defaults)
{
	struct config *c = config_new(tables);

	assert_int_equal(config_int(c, "workers"), 0);
	assert_string_equal(config_str(c, "log.level"), "info");
	assert_true(config_bool(c, "log.colour"));
	assert_int_equal(config_int(c, "limits.stanza"), 256 << 10);
	assert_int_equal(config_int(c, "limits.idle"), 300000);
	assert_string_equal(config_str(c, "log.file"), "");
	config_free(c);
}

TEST(takes_values_of_each_type)
{
	static const struct {
		const char *name, *value;
		int64_t want;
	} rows[] = {
		{ "workers", "64", 64 }, { "limits.stanza", "1k", 1024 }, { "limits.stanza", "10M", 10 << 20 },
		{ "limits.stanza", "2000", 2000 }, { "limits.idle", "1500ms", 1500 }, { "limits.idle", "30s", 30000 },
		{ "limits.idle", "1d", 86400000 }, { "limits.idle", "2h", 7200000 },
	};
	struct config *c = config_new(tables);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(set(c, rows[i].name, rows[i].value), 0);
		assert_int_equal(config_int(c, rows[i].name), rows[i].want);
	}
	assert_int_equal(set(c, "log.colour", "off"), 0);
	assert_false(config_bool(c, "log.colour"));
	assert_int_equal(set(c, "log.colour", "yes"), 0);
	assert_true(config_bool(c, "log.colour"));
	assert_int_equal(set(c, "log.level", "debug"), 0);
	assert_string_equal(config_str(c, "log.level"), "debug");
	config_free(c);
}

TEST(refuses_what_does_not_fit_and_keeps_the_old_value)
{
	static const struct {
		const char *name, *value;
		int want;
	} rows[] = {
		{ "no.such", "1", -ENOENT }, { "", "1", -ENOENT }, { "log", "1", -ENOENT },
		{ "workers", "", -EINVAL }, { "workers", "65", -ERANGE }, { "workers", "-1", -ERANGE },
		{ "workers", "1x", -EINVAL }, { "workers", "99999999999999999999", -ERANGE },
		{ "limits.stanza", "1", -ERANGE }, { "limits.stanza", "10m", -EINVAL }, { "limits.stanza", "k", -EINVAL },
		{ "limits.stanza", "9999999999999999G", -ERANGE }, { "limits.idle", "5", -EINVAL },
		{ "limits.idle", "2d", -ERANGE }, { "log.level", "inf", -EINVAL }, { "log.level", "", -EINVAL },
		{ "log.level", "error info", -EINVAL }, { "log.colour", "True", -EINVAL }, { "log.file", "a\nb", -EINVAL },
	};
	struct config *c = config_new(tables);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(set(c, rows[i].name, rows[i].value), rows[i].want);
	assert_int_equal(config_int(c, "workers"), 0);
	assert_int_equal(config_int(c, "limits.stanza"), 256 << 10);
	assert_string_equal(config_str(c, "log.level"), "info");
	config_free(c);
}

TEST(says_what_would_be_right)
{
	struct config *c = config_new(tables);
	char err[300];

	config_set(c, "limits.stanza", "1G", err, sizeof(err));
	assert_string_equal(err, "limits.stanza is \"1G\", but must be from 1k to 10M");
	config_set(c, "log.level", "loud", err, sizeof(err));
	assert_string_equal(err, "log.level is \"loud\", but must be one of: error info debug");
	config_free(c);
}

TEST(copies_are_apart)
{
	struct config *c = config_new(tables), *copy;

	assert_int_equal(set(c, "log.file", "one"), 0);
	copy = config_copy(c);
	assert_int_equal(set(copy, "log.file", "two"), 0);
	assert_string_equal(config_str(c, "log.file"), "one");
	assert_string_equal(config_str(copy, "log.file"), "two");
	config_free(copy);
	config_free(c);
}

TEST(explains_every_option_once_and_by_section)
{
	struct config *c = config_new(tables);
	struct buf out = { 0 };

	assert_int_equal(set(c, "log.file", "a \"b\" \\"), 0);
	config_explain(c, &out);
	buf_putc(&out, 0);
	assert_non_null(strstr(out.p, "# Threads.\n# Is a number, from 0 to 64; default 0.\nworkers: 0\n"));
	assert_non_null(strstr(out.p, "log:\n  # Level.\n  # Is one of: error info debug; default info.\n  level: info\n"));
	assert_non_null(strstr(out.p, "  file: \"a \\\"b\\\" \\\\\"\n"));
	assert_non_null(strstr(out.p, "limits:\n  # Stanza.\n"));
	assert_null(strstr(strstr(out.p, "log:\n") + 1, "log:\n"));
	buf_free(&out);
	config_free(c);
}

UNIT_MAIN(cmocka_unit_test(begins_with_defaults), cmocka_unit_test(takes_values_of_each_type),
	cmocka_unit_test(refuses_what_does_not_fit_and_keeps_the_old_value), cmocka_unit_test(says_what_would_be_right),
	cmocka_unit_test(copies_are_apart), cmocka_unit_test(explains_every_option_once_and_by_section));

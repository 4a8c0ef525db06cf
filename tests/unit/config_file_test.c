/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration file: what it may hold and what each mistake is told. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "app/config_file.h"
#include "app/options.h"

static char sentence[400];

static int parse(struct config *c, const char *text)
{
	sentence[0] = 0;
	return config_file_parse(c, "f.yaml", str_of(text), sentence, sizeof(sentence));
}

TEST(reads_sections_and_single_words)
{
	struct config *c = options_new();

	assert_int_equal(parse(c, "# hello\nshards: 2\nserver:\n  domain: example.org\n  name: '鸿雁'\nlog:\n"
				  "listen:\n  c2s: \"*:6222\"\n  https: \"\"\n"), 0);
	assert_int_equal(config_int(c, "shards"), 2);
	assert_string_equal(config_str(c, "server.domain"), "example.org");
	assert_string_equal(config_str(c, "server.name"), "鸿雁");
	assert_string_equal(config_str(c, "listen.c2s"), "*:6222");
	assert_string_equal(config_str(c, "listen.https"), "");
	config_free(c);
}

TEST(takes_empty_files)
{
	struct config *c = options_new();

	assert_int_equal(parse(c, ""), 0);
	assert_int_equal(parse(c, "# only a comment\n"), 0);
	assert_int_equal(parse(c, "---\n"), 0);
	config_free(c);
}

TEST(names_file_and_line_of_each_mistake)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "server:\n  domain: a\n  colour: red\n", "f.yaml:3: unknown option \"server.colour\"" },
		{ "shards: many\n", "f.yaml:1: shards is \"many\", but must be a number" },
		{ "shards: 65\n", "f.yaml:1: shards is \"65\", but must be from 0 to 64" },
		{ "shards: 1\nshards: 2\n", "f.yaml:2: this option was given before" },
		{ "log:\n  level: info\nlog:\n  format: text\n", "f.yaml:4: this option was given before" },
		{ "listen:\n  c2s: *:5222\n", "f.yaml:2: " },
		{ "listen:\n  - a\n", "f.yaml:2: lists are not used here" },
		{ "server:\n  domain:\n    deep: 1\n", "f.yaml:3: this is nested too deep" },
		{ "just words\n", "f.yaml:1: expected `section:`" },
		{ "shards: &x 1\n", "f.yaml:1: anchors are not used here" },
		{ "shards: 1\n---\nshards: 2\n", "f.yaml:2: a second document" },
		{ "Server:\n  domain: a\n", "f.yaml:1: names are lower-case letters" },
		{ "server:\n\tdomain: a\n", "f.yaml:2: not valid YAML" },
		{ "shards: 1\nserver:\n  name: \"\xff\"\n", "f.yaml:3: not UTF-8 text" },
		{ "server:\n  name: \"a\\0b\"\n", "f.yaml:2: a value holds a zero byte" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *c = options_new();

		assert_int_equal(parse(c, rows[i].text), -EINVAL);
		if (strncmp(sentence, rows[i].want, strlen(rows[i].want)) != 0)
			assert_string_equal(sentence, rows[i].want);
		config_free(c);
	}
}

TEST(reads_what_explain_writes)
{
	struct config *c = options_new(), *d = options_new();
	struct buf first = { 0 }, second = { 0 };
	char err[300];

	assert_int_equal(config_set(c, "server.name", "a \"b\" \\ : # c", err, sizeof(err)), 0);
	assert_int_equal(config_set(c, "upload.max_bytes", "7M", err, sizeof(err)), 0);
	config_explain(c, &first);
	buf_putc(&first, 0);
	assert_int_equal(parse(d, first.p), 0);
	config_explain(d, &second);
	buf_putc(&second, 0);
	assert_string_equal(first.p, second.p);
	buf_free(&first);
	buf_free(&second);
	config_free(c);
	config_free(d);
}

TEST(says_why_a_file_cannot_be_read)
{
	struct config *c = options_new();

	assert_int_equal(config_file_load(c, "/nonexistent/anser.yaml", sentence, sizeof(sentence)), -ENOENT);
	assert_non_null(strstr(sentence, "/nonexistent/anser.yaml: No such file"));
	assert_int_equal(config_file_load(c, unit_tmpdir(), sentence, sizeof(sentence)), -EISDIR);
	config_free(c);
}

TEST(holds_rules_over_several_options)
{
	static const struct {
		const char *name, *value, *want;
	} rows[] = {
		{ "server.domain", "", "must not be empty" },
		{ "tls.key", "/k.pem", "go together" },
		{ "web.public_url", "http://a", "must be https://" },
		{ "web.public_url", "https://a/", "without a /" },
	};
	struct config *c = options_new();

	assert_int_equal(options_check(c, sentence, sizeof(sentence)), 0);
	config_free(c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = options_new();
		assert_int_equal(config_set(c, rows[i].name, rows[i].value, sentence, sizeof(sentence)), 0);
		assert_int_equal(options_check(c, sentence, sizeof(sentence)), -EINVAL);
		assert_non_null(strstr(sentence, rows[i].want));
		config_free(c);
	}
}

UNIT_MAIN(cmocka_unit_test(reads_sections_and_single_words), cmocka_unit_test(takes_empty_files),
	cmocka_unit_test(names_file_and_line_of_each_mistake), cmocka_unit_test(reads_what_explain_writes),
	cmocka_unit_test(says_why_a_file_cannot_be_read), cmocka_unit_test(holds_rules_over_several_options));

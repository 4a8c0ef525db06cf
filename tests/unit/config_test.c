/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options and their values. */
#include "unit.h"

#include <errno.h>
#include <yaml.h>

#include "base/config.h"
#include "base/must.h"

static const struct option first[] = {
	{ "shards", OPT_INT, "0", 0, 64, NULL, "Threads, 0 for one per core" },
	{ "listen.c2s", OPT_STRING, "[::]:5222", 0, 0, NULL, "Address for clients" },
	{ "log.level", OPT_ENUM, "info", 0, 0, "error warning info debug", "How much is logged" },
	{ 0 },
};
static const struct option second[] = {
	{ "limits.enabled", OPT_BOOL, "true", 0, 0, NULL, "Rate limits" },
	{ "limits.stanza", OPT_SIZE, "256k", 10000, 16 << 20, NULL, "Largest stanza" },
	{ "listen.timeout", OPT_TIME, "30s", 1000, 3600000, NULL, "How long an idle stream may wait" },
	{ "limits.offset", OPT_INT, "-5", 0, 0, NULL, "Any number" },
	{ 0 },
};
static const struct option *const tables[] = { first, second, NULL };

static struct config *c;
static char err[200];

static int setup(void **state)
{
	c = config_new(tables);
	err[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	config_free(c);
	return 0;
}

TEST(starts_with_its_defaults)
{
	assert_int_equal(config_int(c, "shards"), 0);
	assert_string_equal(config_str(c, "listen.c2s"), "[::]:5222");
	assert_string_equal(config_str(c, "log.level"), "info");
	assert_true(config_bool(c, "limits.enabled"));
	assert_int_equal(config_int(c, "limits.stanza"), 262144);
	assert_int_equal(config_int(c, "listen.timeout"), 30000);
	assert_int_equal(config_int(c, "limits.offset"), -5);
}

TEST(takes_values_of_each_type)
{
	static const struct {
		const char *name, *value;
		int64_t number;
	} good[] = { { "shards", "64", 64 }, { "shards", "0", 0 }, { "limits.stanza", "16M", 16 << 20 },
		{ "limits.stanza", "10000", 10000 }, { "limits.stanza", "10k", 10240 }, { "listen.timeout", "1h", 3600000 },
		{ "listen.timeout", "1500ms", 1500 }, { "limits.offset", "-9223372036854775807", -INT64_MAX } };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(config_set(c, good[i].name, good[i].value, err, sizeof(err)), 0);
		assert_int_equal(config_int(c, good[i].name), good[i].number);
	}
	assert_int_equal(config_set(c, "limits.enabled", "off", err, sizeof(err)), 0);
	assert_false(config_bool(c, "limits.enabled"));
	assert_int_equal(config_set(c, "listen.c2s", "", err, sizeof(err)), 0);
	assert_string_equal(config_str(c, "listen.c2s"), "");
	assert_int_equal(config_set(c, "log.level", config_str(c, "log.level"), err, sizeof(err)), 0);
	assert_string_equal(config_str(c, "log.level"), "info");
}

TEST(refuses_wrong_values_with_a_sentence_and_keeps_the_old_one)
{
	static const struct {
		const char *name, *value;
		int rc;
		const char *sentence;
	} bad[] = { { "shard", "1", -ENOENT, "shard: no such option" },
		{ "shards", "65", -ERANGE, "shards: \"65\" is not between 0 and 64" },
		{ "shards", "-1", -ERANGE, "shards: \"-1\" is not between 0 and 64" },
		{ "shards", "99999999999999999999", -EINVAL, "shards: \"99999999999999999999\" is not a whole number" },
		{ "shards", "1k", -EINVAL, "shards: \"1k\" is not a whole number" },
		{ "shards", "", -EINVAL, "shards: \"\" is not a whole number" },
		{ "limits.stanza", "9000000T", -ERANGE, "limits.stanza: \"9000000T\" is not between 10000 and 16M" },
		{ "limits.stanza", "1kk", -EINVAL, "limits.stanza: \"1kk\" is not a size like 256k or 10M" },
		{ "listen.timeout", "30", -EINVAL, "listen.timeout: \"30\" is not a time like 30s, 5m or 7d" },
		{ "listen.timeout", "2h", -ERANGE, "listen.timeout: \"2h\" is not between 1s and 1h" },
		{ "limits.enabled", "maybe", -EINVAL, "limits.enabled: \"maybe\" is not true or false" },
		{ "log.level", "inf", -EINVAL, "log.level: \"inf\" is none of: error warning info debug" },
		{ "log.level", "", -EINVAL, "log.level: \"\" is none of: error warning info debug" } };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(config_set(c, bad[i].name, bad[i].value, err, sizeof(err)), bad[i].rc);
		assert_string_equal(err, bad[i].sentence);
	}
	starts_with_its_defaults(NULL);
}

TEST(copies_are_independent)
{
	struct config *copy = config_copy(c);

	assert_int_equal(config_set(copy, "listen.c2s", "127.0.0.1:1", err, sizeof(err)), 0);
	assert_string_equal(config_str(c, "listen.c2s"), "[::]:5222");
	config_free(c);
	c = copy;
	assert_string_equal(config_str(c, "listen.c2s"), "127.0.0.1:1");
	config_free(NULL);
}

TEST(explains_itself_as_yaml)
{
	struct buf out = { 0 };
	yaml_parser_t parser;
	yaml_event_t event;
	int scalars = 0;
	bool end = false;

	config_set(c, "listen.c2s", "a \"b\" \\ \x01", err, sizeof(err));
	config_explain(c, &out);
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)out.p, out.n);
	while (!end) {
		assert_int_equal(yaml_parser_parse(&parser, &event), 1);
		end = event.type == YAML_STREAM_END_EVENT;
		scalars += event.type == YAML_SCALAR_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	/* 7 keys, 7 values, and the sections listen, log, limits once each. */
	assert_int_equal(scalars, 17);
	buf_putc(&out, 0);
	assert_non_null(strstr(out.p, "  # Largest stanza\n  # a size like 256k or 10M, 10000 to 16M; default 256k\n  stanza: 256k\n"));
	assert_non_null(strstr(out.p, "  c2s: \"a \\\"b\\\" \\\\ \\x01\"\n"));
	buf_free(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
UNIT_MAIN(T(starts_with_its_defaults), T(takes_values_of_each_type), T(refuses_wrong_values_with_a_sentence_and_keeps_the_old_one),
	T(copies_are_independent), T(explains_itself_as_yaml));

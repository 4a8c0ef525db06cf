/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Addresses (RFC 7622 §3, examples of its §3.5; profiles of RFC 6122). */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/xmpp/jid.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static const struct {
	const char *in, *node, *domain, *resource;
} good[] = {
	/* RFC 7622 §3.5, table 1, where nodeprep and the precis profiles agree */
	{ "juliet@example.com", "juliet", "example.com", "" },
	{ "juliet@example.com/foo", "juliet", "example.com", "foo" },
	{ "juliet@example.com/foo bar", "juliet", "example.com", "foo bar" },
	{ "juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar" },
	{ "foo\\20bar@example.com", "foo\\20bar", "example.com", "" },
	{ "fussball@example.com", "fussball", "example.com", "" },
	{ "π@example.com", "π", "example.com", "" },
	{ "Σ@example.com/foo", "σ", "example.com", "foo" },
	{ "king@example.com/♚", "king", "example.com", "♚" },
	{ "example.com", "", "example.com", "" },
	{ "example.com/foobar", "", "example.com", "foobar" },
	{ "a.example.com/b@example.net", "", "a.example.com", "b@example.net" },
	/* folding */
	{ "Juliet@EXAMPLE.Com/Balcony", "juliet", "example.com", "Balcony" },
	{ "ÀÉ@BÜCHER.example/Ä", "àé", "bücher.example", "Ä" },
	{ "fuß@straße.example", "fuss", "strasse.example", "" },
	{ "ａｂ@ｅｘａｍｐｌｅ．ｃｏｍ", "ab", "example.com", "" },
	{ "a@xn--bcher-kva.example", "a", "bücher.example", "" },
	{ "a@XN--BCHER-KVA.example", "a", "bücher.example", "" },
	{ "鸿雁@例子。测试/书房", "鸿雁", "例子.测试", "书房" },
	/* domains */
	{ "a@example.com.", "a", "example.com", "" },
	{ "a@localhost", "a", "localhost", "" },
	{ "a@192.0.2.1/b", "a", "192.0.2.1", "b" },
	{ "a@[2001:DB8::0:1]", "a", "[2001:db8::1]", "" },
	{ "a@b/c/d", "a", "b", "c/d" },
	{ "a@b/🚀", "a", "b", "🚀" },
	{ "a!#$%()*+,-.;=?[\\]^_`{|}~@b", "a!#$%()*+,-.;=?[\\]^_`{|}~", "b", "" },
};

TEST(takes_and_normalises_good_addresses)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct jid j, again;

		if (jid_parse(&arena, str_of(good[i].in), &j) != 0)
			fail_msg("%s", good[i].in);
		assert_str(jid_node(j), good[i].node);
		assert_str(jid_domain(j), good[i].domain);
		assert_str(jid_resource(j), good[i].resource);
		assert_int_equal(jid_parse(&arena, j.full, &again), 0);
		assert_true(jid_eq(j, again));
		again = jid_trust(j.full);
		assert_int_equal(again.node_n, j.node_n);
		assert_int_equal(again.domain_n, j.domain_n);
		again = jid_make(&arena, jid_node(j), jid_domain(j), jid_resource(j));
		assert_true(jid_eq(j, again));
		assert_int_equal(jid_is_bare(j), good[i].resource[0] == 0);
		assert_true(jid_bare_eq(j, jid_bare(again)));
	}
}

static const char *const bad[] = {
	/* RFC 7622 §3.5, table 2 */
	"\"juliet\"@example.com",
	"foo bar@example.com",
	"@example.com",
	"user@example.com/",
	"/foobar",
	/* shape */
	"",
	"@",
	"/",
	"a@",
	"a@/b",
	"a@b@c",
	"a@b ",
	" a@b",
	"a@b c",
	"a@b\tc",
	"a@.b",
	"a@b..c",
	"a@.",
	"a@-b",
	"a@b-",
	"a@b.-c",
	"a@b_c",
	"a@b:5222",
	"a@[::1",
	"a@[::1]x",
	"a@[::g]",
	"a@[]",
	"a@[127.0.0.1]",
	"a&b@c",
	"a'b@c",
	"a:b@c",
	"a<b@c",
	"a>b@c",
	"a\x01@b",
	"a\x7f@b",
	"a@b/\x01",
	"a@b/\x7f",
	/* Unicode */
	"\xff@b",
	"a\xc0\x80@b",
	"a@\xed\xa0\x80",
	"a@b/\xf4\x90\x80\x80",
	"a＠b@c",
	"a@b／c",
	"a@b．．c",
	"a\xe2\x80\x8f@b", /* right-to-left mark */
	"\xd7\x90z@b", /* Hebrew and Latin in one part: RFC 3454 §6 */
	"a@xn--a",
	"a@xn--bcher-KVA-.example",
	"a@xn--0000h",
	"a@℀.example", /* becomes a/c */
	"a@b/\xe2\x80\xa8", /* line separator */
	"\xc2\xa0@b",
};

TEST(refuses_bad_addresses)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jid j;

		if (jid_parse(&arena, str_of(bad[i]), &j) != -EBADMSG)
			fail_msg("%s", bad[i]);
	}
	struct jid j;

	assert_int_equal(jid_parse(&arena, STR("a\0b@c"), &j), -EBADMSG);
	assert_int_equal(jid_parse(&arena, STR("ä\0b@c"), &j), -EBADMSG);
	assert_int_equal(jid_parse(&arena, STR("a@b/ä\0"), &j), -EBADMSG);
	assert_int_equal(jid_parse(&arena, STR("a@ä\0"), &j), -EBADMSG);
}

static struct str repeat(const char *unit, size_t times)
{
	size_t n = strlen(unit);
	char *p = arena_alloc(&arena, n * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(p + i * n, unit, n);
	return (struct str){ p, n * times };
}

static int parse_parts(struct str node, struct str domain, struct str resource)
{
	struct jid j;

	return jid_parse(&arena,
		arena_printf(&arena, "%.*s@%.*s/%.*s", STR_ARG(node), STR_ARG(domain),
			STR_ARG(resource)),
		&j);
}

TEST(limits_each_part_to_1023_bytes)
{
	struct str max = repeat("a", 1023), over = repeat("a", 1024), label = repeat("a", 63);
	struct str domain = repeat("a.", 511), long_domain = repeat("a.", 513);

	assert_int_equal(parse_parts(max, STR("b"), max), 0);
	assert_int_equal(parse_parts(over, STR("b"), max), -EBADMSG);
	assert_int_equal(parse_parts(max, STR("b"), over), -EBADMSG);
	assert_int_equal(parse_parts(STR("a"), label, STR("c")), 0);
	assert_int_equal(parse_parts(STR("a"), repeat("a", 64), STR("c")), -EBADMSG);
	assert_int_equal(parse_parts(STR("a"), repeat("ä", 60), STR("c")), -EBADMSG);
	assert_int_equal(parse_parts(STR("a"), domain, STR("c")), 0);
	assert_int_equal(parse_parts(STR("a"), long_domain, STR("c")), -EBADMSG);
	assert_int_equal(parse_parts(repeat("鸿", 341), STR("b"), repeat("鸿", 341)), 0);
	assert_int_equal(parse_parts(repeat("鸿", 342), STR("b"), STR("c")), -EBADMSG);
	assert_int_equal(parse_parts(STR("a"), STR("b"), repeat("鸿", 342)), -EBADMSG);
	/* grows when normalised: U+FDFA is 18 letters */
	assert_int_equal(parse_parts(STR("a"), STR("b"), repeat("ﷺ", 100)), -EBADMSG);
}

TEST(duplicates_with_a_terminator)
{
	struct jid j, dup;

	assert_int_equal(jid_parse(&arena, STR("a@b/c"), &j), 0);
	dup = jid_dup(j);
	assert_string_equal(dup.full.p, "a@b/c");
	assert_true(jid_eq(dup, j));
	free((void *)dup.full.p);
	assert_true(jid_eq(jid_copy(&arena, j), j));
	assert_str(jid_bare_str(j), "a@b");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(takes_and_normalises_good_addresses), CASE(refuses_bad_addresses),
	CASE(limits_each_part_to_1023_bytes), CASE(duplicates_with_a_terminator));

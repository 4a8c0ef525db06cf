/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Header fields, form data and answers (RFC 9110). */
#include "unit.h"

#include <errno.h>

#include "proto/http/http.h"

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

TEST(reads_one_range)
{
	static const struct {
		const char *value;
		uint64_t size;
		int want;
		uint64_t first, last;
	} cases[] = {
		/* RFC 9110 §14.1.2 */
		{ "bytes=0-499", 10000, 0, 0, 499 },
		{ "bytes=500-999", 10000, 0, 500, 999 },
		{ "bytes=-500", 10000, 0, 9500, 9999 },
		{ "bytes=9500-", 10000, 0, 9500, 9999 },
		{ "bytes=0-0", 10000, 0, 0, 0 },
		{ "bytes=0-0,-1", 10000, -ENOENT, 0, 0 },
		{ "Bytes= 1-2 ", 10, 0, 1, 2 },
		{ "bytes=5-99999999999999999999999", 10, 0, 5, 9 },
		{ "bytes=99999999999999999999999-", 10, -ERANGE, 0, 0 },
		{ "bytes=-99", 10, 0, 0, 9 },
		{ "bytes=10-", 10, -ERANGE, 0, 0 },
		{ "bytes=10-11", 10, -ERANGE, 0, 0 },
		{ "bytes=-0", 10, -ERANGE, 0, 0 },
		{ "bytes=-5", 0, -ERANGE, 0, 0 },
		{ "bytes=0-", 0, -ERANGE, 0, 0 },
		{ "bytes=2-1", 10, -ENOENT, 0, 0 },
		{ "bytes=-", 10, -ENOENT, 0, 0 },
		{ "bytes=", 10, -ENOENT, 0, 0 },
		{ "bytes=1", 10, -ENOENT, 0, 0 },
		{ "bytes=a-b", 10, -ENOENT, 0, 0 },
		{ "bytes=1--2", 10, -ENOENT, 0, 0 },
		{ "lines=1-2", 10, -ENOENT, 0, 0 },
		{ "", 10, -ENOENT, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t first = 0, last = 0;

		if (http_range(str_of(cases[i].value), cases[i].size, &first, &last) !=
			cases[i].want)
			fail_msg("%s", cases[i].value);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(last, cases[i].last);
	}
}

TEST(writes_and_reads_dates)
{
	static const struct {
		uint64_t at;
		const char *text;
	} cases[] = {
		{ 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" }, /* RFC 9110 §5.6.7 */
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
		{ 4107542399, "Sun, 28 Feb 2100 23:59:59 GMT" },
		{ 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
	};
	static const char *const bad[] = { "", "Mon, 06 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT" };
	char text[HTTP_DATE_BYTES];
	uint64_t at;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_date(cases[i].at, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(http_date_parse(str_of(text), &at), 0);
		assert_true(at == cases[i].at);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(http_date_parse(str_of(bad[i]), &at), -EBADMSG);
}

TEST(compares_entity_tags_weakly)
{
	assert_true(http_etag_in(STR("\"a\", W/\"b\""), STR("\"b\"")));
	assert_true(http_etag_in(STR("\"a\""), STR("W/\"a\"")));
	assert_true(http_etag_in(STR(" * "), STR("\"a\"")));
	assert_false(http_etag_in(STR("\"a\""), STR("\"b\"")));
	assert_false(http_etag_in(STR("a"), STR("\"a\"")));
	assert_false(http_etag_in(STR(""), STR("\"a\"")));
	assert_false(http_etag_in(STR_NONE, STR("\"a\"")));
}

TEST(chooses_an_encoding)
{
	const unsigned both = HTTP_GZIP | HTTP_BROTLI;

	assert_int_equal(http_encoding_choose(STR("gzip, deflate, br"), both), HTTP_BROTLI);
	assert_int_equal(http_encoding_choose(STR("gzip, deflate, br"), HTTP_GZIP), HTTP_GZIP);
	assert_int_equal(http_encoding_choose(STR("br;q=0, GZIP;q=0.5"), both), HTTP_GZIP);
	assert_int_equal(http_encoding_choose(STR("*"), both), HTTP_BROTLI);
	assert_int_equal(http_encoding_choose(STR("*, br; q=0.000"), both), HTTP_GZIP);
	assert_int_equal(http_encoding_choose(STR("*;q=0, gzip"), both), HTTP_GZIP);
	assert_int_equal(http_encoding_choose(STR("identity"), both), HTTP_IDENTITY);
	assert_int_equal(http_encoding_choose(STR(""), both), HTTP_IDENTITY);
	assert_int_equal(http_encoding_choose(STR_NONE, both), HTTP_IDENTITY);
}

TEST(knows_content_types_by_extension)
{
	assert_string_equal(http_content_type(STR("/a/b.PNG")), "image/png");
	assert_string_equal(http_content_type(STR("index.html")), "text/html; charset=utf-8");
	assert_string_equal(http_content_type(STR("/a.png/b")), "application/octet-stream");
	assert_string_equal(http_content_type(STR("/a.")), "application/octet-stream");
	assert_string_equal(http_content_type(STR("")), "application/octet-stream");
	assert_string_equal(http_content_type(STR("/png")), "application/octet-stream");
}

TEST(decodes_forms_and_escapes)
{
	struct str form = STR("a=1&b=x+y%26z&b=2&c&%64=%e9%b8%bf&e=%zz%2"), out;
	struct buf b = { 0 };

	assert_str(http_form_get(&arena, form, "a"), "1");
	assert_str(http_form_get(&arena, form, "b"), "x y&z");
	assert_str(http_form_get(&arena, form, "c"), "");
	assert_str(http_form_get(&arena, form, "d"), "鸿");
	assert_str(http_form_get(&arena, form, "e"), "%zz%2");
	assert_null(http_form_get(&arena, form, "f").p);
	assert_null(http_form_get(&arena, STR_NONE, "f").p);
	assert_int_equal(http_percent_decode(&arena, STR("a+b%20c"), &out), 0);
	assert_str(out, "a+b c");
	assert_int_equal(http_percent_decode(&arena, STR("%"), &out), -EBADMSG);
	assert_int_equal(http_percent_decode(&arena, STR("%00"), &out), -EBADMSG);
	assert_int_equal(http_percent_decode(&arena, STR("%ff"), &out), -EBADMSG);
	http_percent_encode(&b, STR("a-Z_0.~ /鸿%@[`{"));
	assert_str(buf_view(&b), "a-Z_0.~%20%2F%E9%B8%BF%25%40%5B%60%7B");
	buf_free(&b);
}

TEST(finds_tokens_in_lists)
{
	assert_true(http_list_has(STR("keep-alive,\tUpgrade "), "upgrade"));
	assert_false(http_list_has(STR("upgrades"), "upgrade"));
	assert_false(http_list_has(STR_NONE, "upgrade"));
}

TEST(writes_heads_that_cannot_be_split)
{
	const struct http_field fields[] = {
		{ "A", STR("b\r\nSet-Cookie: c\0d") },
		{ "Left-Out", STR_NONE },
		{ "Empty", STR("") },
		{ 0 },
	};
	struct buf out = { 0 };

	http_write_head(&out, 200, fields);
	assert_str(buf_view(&out), "HTTP/1.1 200 OK\r\nA: b  Set-Cookie: c d\r\nEmpty: \r\n\r\n");
	out.n = 0;
	http_write_status(&out, 599);
	http_write_field_u64(&out, "Content-Length", UINT64_MAX);
	http_write_end(&out);
	assert_str(buf_view(&out), "HTTP/1.1 599 \r\nContent-Length: 18446744073709551615\r\n\r\n");
	out.n = 0;
	http_write_continue(&out);
	assert_str(buf_view(&out), "HTTP/1.1 100 Continue\r\n\r\n");
	buf_free(&out);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(reads_one_range), CASE(writes_and_reads_dates), CASE(compares_entity_tags_weakly),
	CASE(chooses_an_encoding), CASE(knows_content_types_by_extension),
	CASE(decodes_forms_and_escapes), CASE(finds_tokens_in_lists),
	CASE(writes_heads_that_cannot_be_split));

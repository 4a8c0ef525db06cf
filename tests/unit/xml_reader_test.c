/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The stream reader: events do not depend on how the bytes came (RFC 6120 §4, §11). */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/xml/reader.h"

#define HEAD                                                                                       \
	"<stream:stream to='example.org' xmlns='jabber:client' "                                   \
	"xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
#define MESSAGE                                                                                    \
	"<message to='a@b'><body>hi &amp; 鸿雁\r\nthere</body><x xmlns='y' z='1'/></message>"

static void put_event(struct buf *out, const struct xml_event *e)
{
	static const char *const names[] = { "", "open", "stanza", "close", "", "error" };

	buf_printf(out, "[%s", names[e->kind]);
	if (e->kind == XML_ERROR)
		buf_printf(out, " %d", e->error);
	if (e->kind == XML_STANZA)
		buf_printf(out, " %zu ", e->bytes);
	if (e->el)
		xml_write(out, e->el, STR_NONE);
	buf_puts(out, "]");
}

/* Feeds text in pieces of at most step bytes (the first one of `first`), each from its own allocation and with a fresh arena. */
static struct buf run_steps(struct xml_reader *r, struct str text, size_t first, size_t step)
{
	struct buf out = { 0 };
	struct xml_event e;

	for (size_t at = 0, n = first; at < text.n; at += n, n = step) {
		struct arena a;
		char *piece;

		n = n < text.n - at ? n : text.n - at;
		piece = malloc(n);
		memcpy(piece, text.p + at, n);
		arena_init(&a);
		xml_reader_feed(r, (struct str){ piece, n });
		do {
			xml_reader_next(r, &a, &e);
			if (e.kind != XML_NONE && e.kind != XML_SPACE)
				put_event(&out, &e);
		} while (e.kind != XML_NONE && e.kind != XML_ERROR);
		arena_fini(&a);
		free(piece);
		if (e.kind == XML_ERROR)
			break;
	}
	return out;
}

static struct buf run_split(
	struct str text, size_t first, size_t step, const struct xml_limits *limits)
{
	struct xml_reader *r = xml_reader_new(limits);
	struct buf out = run_steps(r, text, first, step);

	xml_reader_free(r);
	return out;
}

static void same_for_every_split(
	const char *text, const char *want, const struct xml_limits *limits)
{
	struct str s = str_of(text);

	for (size_t step = 1; step <= 3; step++) {
		struct buf out = run_split(s, step, step, limits);

		if (!str_is(buf_view(&out), want))
			fail_msg("step %zu of %s: %.*s, not %s", step, text, (int)out.n, out.p,
				want);
		buf_free(&out);
	}
	for (size_t first = 1; first <= s.n; first++) {
		struct buf out = run_split(s, first, s.n, limits);

		if (!str_is(buf_view(&out), want))
			fail_msg("split %zu of %s: %.*s, not %s", first, text, (int)out.n, out.p,
				want);
		buf_free(&out);
	}
}

#define OPENED                                                                                     \
	"[open<stream xmlns='http://etherx.jabber.org/streams' to='example.org' version='1.0'/>]"

TEST(reads_a_stream_however_it_is_split)
{
	same_for_every_split("<?xml version='1.0'?>" HEAD MESSAGE " \n" MESSAGE "</stream:stream>",
		OPENED "[stanza 83 <message xmlns='jabber:client' to='a@b'><body>hi &amp; "
		       "鸿雁\nthere</body>"
		       "<x xmlns='y' z='1'/></message>]"
		       "[stanza 83 <message xmlns='jabber:client' to='a@b'><body>hi &amp; "
		       "鸿雁\nthere</body>"
		       "<x xmlns='y' z='1'/></message>][close]",
		&XML_LIMITS_STREAM);
}

TEST(keeps_the_prefixes_of_the_root)
{
	same_for_every_split("\n<s:stream xmlns:p='a&apos;&amp;b' xmlns='c' "
			     "xmlns:s='d'>\n<p:a/><s:b/><c/></s:stream>",
		"[open<stream xmlns='d'/>][stanza 6 <a xmlns='a&apos;&amp;b'/>][stanza 6 <b "
		"xmlns='d'/>]"
		"[stanza 4 <c xmlns='c'/>][close]",
		&XML_LIMITS_STREAM);
}

TEST(reads_an_empty_root)
{
	same_for_every_split(
		"<a xmlns='b'/>junk", "[open<a xmlns='b'/>][close]", &XML_LIMITS_STREAM);
}

TEST(refuses_bad_streams_however_they_are_split)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "x", "[error -74]" },
		{ "\xff\xfe<", "[error -84]" },
		{ "\xef\xbb\xbf" HEAD, "[error -74]" },
		{ "<?xml version='1.0' encoding='latin1'?>" HEAD, "[error -84]" },
		{ "<?xml version='1.0' encoding='UTF-16'?>" HEAD, "[error -84]" },
		{ "<!DOCTYPE a [<!ENTITY b 'c'>]>" HEAD, "[error -1]" },
		{ "<!-- a -->" HEAD, "[error -1]" },
		{ "<?pi a?>" HEAD, "[error -1]" },
		{ HEAD "<!DOCTYPE a>", OPENED "[error -74]" },
		{ HEAD "<!-- a -->", OPENED "[error -1]" },
		{ HEAD "<a><?a b?>", OPENED "[error -1]" },
		{ HEAD "<a>&b;", OPENED "[error -1]" },
		{ HEAD "text", OPENED "[error -33]" },
		{ HEAD " \n\tx", OPENED "[error -33]" },
		{ HEAD "&#32;x", OPENED "[error -33]" },
		{ HEAD "<a>\xc3(</a>", OPENED "[error -84]" },
		{ HEAD "<a>\xe9\xb8(</a>", OPENED "[error -84]" },
		{ HEAD "<a b='\xf0\x9f\x98('/>", OPENED "[error -84]" },
		{ HEAD "<a\xed\xbf\xbf/>", OPENED "[error -84]" },
		{ HEAD "<a>\x0b</a>", OPENED "[error -74]" },
		{ HEAD "<a></b>", OPENED "[error -74]" },
		{ HEAD "</stream>", OPENED "[error -74]" },
		{ HEAD "<a b='1' b='2'/>", OPENED "[error -74]" },
		{ HEAD "<q:a/>", OPENED "[error -74]" },
		{ HEAD "<a/><?xml version='1.0'?>",
			OPENED "[stanza 4 <a xmlns='jabber:client'/>][error -74]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		same_for_every_split(cases[i].text, cases[i].want, &XML_LIMITS_STREAM);
}

TEST(refuses_utf_16_by_its_second_byte)
{
	static const char text[] = "<\0a\0/\0>\0";
	struct buf out = run_split((struct str){ text, 8 }, 1, 1, &XML_LIMITS_STREAM);

	assert_str(buf_view(&out), "[error -84]");
	buf_free(&out);
	out = run_split((struct str){ text, 8 }, 8, 8, &XML_LIMITS_STREAM);
	assert_str(buf_view(&out), "[error -84]");
	buf_free(&out);
}

TEST(holds_each_limit_exactly)
{
	static const struct xml_limits small = {
		.stanza_bytes = 40, .depth = 3, .elements = 4, .attrs = 2
	};
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "<s>  <a>0123456789012345678901234567890123</a>",
			"[open<s/>][error -90]" }, /* 41 bytes */
		{ "<s>  <a>012345678901234567890123456789012</a>",
			"[open<s/>][stanza 40 <a>012345678901234567890123456789012</a>]" },
		{ "<s><a b='012345678901234567890123456789012'/>", "[open<s/>][error -90]" },
		{ "<s><a b='01234567890123456789012345678901234", "[open<s/>][error -90]" },
		{ "<s><a b='012345678901234567890123456789012345'<>", "[open<s/>][error -90]" },
		{ "<s><a><b><c/></b></a>", "[open<s/>][stanza 18 <a><b><c/></b></a>]" },
		{ "<s><a><b><c><d/></c></b></a>", "[open<s/>][error -90]" },
		{ "<s><a><b/><b/><b/></a><a/>",
			"[open<s/>][stanza 19 <a><b/><b/><b/></a>][stanza 4 <a/>]" },
		{ "<s><a><b/><b/><b/><b/></a>", "[open<s/>][error -90]" },
		{ "<s><a b='' c=''/>", "[open<s/>][stanza 14 <a b='' c=''/>]" },
		{ "<s><a b='' c='' d=''/>", "[open<s/>][error -90]" },
		{ "<s>x0123456789012345678901234567890123456789<a/>", "[open<s/>][error -33]" },
		{ "<s a='0123456789012345678901234567890123'>", "[error -90]" },
		{ "<?xml version='1.0'?><s a='01234567890'>", "[open<s a='01234567890'/>]" },
		{ "<?xml version='1.0'?><s a='012345678901'>", "[error -90]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		same_for_every_split(cases[i].text, cases[i].want, &small);
}

TEST(waits_for_the_end_of_a_long_tag)
{
	struct buf text = { 0 }, want = { 0 }, out;

	buf_puts(&text, "<s><a b='");
	for (int i = 0; i < 3000; i++)
		buf_puts(&text, i % 100 ? "x" : ">\"");
	buf_puts(&text, "' c=\"'>\"/><d/>");
	out = run_split(buf_view(&text), text.n, text.n, &XML_LIMITS_STREAM);
	assert_true(out.n > 3000);
	want = out;
	for (size_t step = 1; step < 2500; step += 311) {
		out = run_split(buf_view(&text), step, step, &XML_LIMITS_STREAM);
		assert_true(str_eq(buf_view(&out), buf_view(&want)));
		buf_free(&out);
	}
	buf_free(&want);
	text.n -= 20;
	buf_puts(&text, "<' c='' /><d/>");
	for (size_t step = 1; step < 2500; step += 311) {
		out = run_split(buf_view(&text), step, step, &XML_LIMITS_STREAM);
		assert_str(buf_view(&out), "[open<s/>][error -74]");
		buf_free(&out);
	}
	buf_free(&text);
}

TEST(limits_a_long_tag_that_never_ends)
{
	static const struct {
		const char *begin, *want;
	} cases[] = {
		{ "<s><a b='", "[open<s/>][error -90]" },
		{ "<s b='", "[error -90]" },
		{ "<s></", "[open<s/>][error -90]" },
		{ "<s><a></", "[open<s/>][error -90]" },
		{ "<s><a></b>", "[open<s/>][error -74]" },
		{ "<s><!--", "[open<s/>][error -1]" },
		{ "<s><?a ", "[open<s/>][error -1]" },
		{ "<s><a>&", "[open<s/>][error -1]" },
		{ "<!DOCTYPE a '", "[error -1]" },
		{ "<!DOCTYPE ", "[error -1]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text = { 0 }, out;

		buf_puts(&text, cases[i].begin);
		for (int j = 0; j < 17000; j++)
			buf_putc(&text, 'x');
		out = run_split(buf_view(&text), 1, 1, &XML_LIMITS_UNAUTH);
		if (!str_is(buf_view(&out), cases[i].want))
			fail_msg("%s: %.*s", cases[i].begin, (int)out.n, out.p);
		buf_free(&out);
		buf_free(&text);
	}
}

TEST(leaves_bytes_behind_an_event_unparsed)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_UNAUTH);
	struct xml_event e;
	struct arena a;

	arena_init(&a);
	xml_reader_feed(r, STR(HEAD "<starttls xmlns='t'/>\x16\x03\x01garbage<<<"));
	xml_reader_next(r, &a, &e);
	assert_int_equal(e.kind, XML_STREAM_OPEN);
	assert_str(xml_get(e.el, "xmlns"), "jabber:client");
	assert_str(xml_reader_rest_input(r), "<starttls xmlns='t'/>\x16\x03\x01garbage<<<");
	xml_reader_next(r, &a, &e);
	assert_int_equal(e.kind, XML_STANZA);
	assert_str(xml_reader_rest_input(r), "\x16\x03\x01garbage<<<");
	assert_false(xml_reader_partial(r));
	xml_reader_restart(r);
	xml_reader_feed(r, STR("<?xml version='1.0'?>" HEAD));
	xml_reader_next(r, &a, &e);
	assert_int_equal(e.kind, XML_STREAM_OPEN);
	xml_reader_free(r);
	arena_fini(&a);
}

TEST(knows_whether_a_stanza_is_unfinished)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_STREAM);
	struct str pieces[] = { STR("<s"), STR(">"), STR("<a"), STR("><b"), STR("/></a>"),
		STR(" ") };
	const bool partial[] = { true, false, true, true, false, false };
	struct xml_event e;
	struct arena a;

	arena_init(&a);
	assert_false(xml_reader_partial(r));
	for (size_t i = 0; i < 6; i++) {
		xml_reader_feed(r, pieces[i]);
		do {
			xml_reader_next(r, &a, &e);
			assert_int_not_equal(e.kind, XML_ERROR);
			assert_true(e.kind != XML_SPACE || i == 5);
		} while (e.kind != XML_NONE);
		assert_int_equal(xml_reader_partial(r), partial[i]);
		xml_reader_rest(r);
	}
	xml_reader_free(r);
	arena_fini(&a);
}

TEST(takes_turns_with_other_streams)
{
	struct xml_reader *r[20];
	struct buf out = { 0 };

	for (int i = 0; i < 20; i++) {
		struct buf head = { 0 };

		r[i] = xml_reader_new(&XML_LIMITS_STREAM);
		buf_printf(&head, "<s:s xmlns:s='n%d' xmlns='d%d'>", i % 10, i % 10);
		out = run_steps(r[i], buf_view(&head), head.n, head.n);
		buf_free(&head);
		buf_free(&out);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 20; i++) {
			char want[100];

			out = run_steps(r[i], STR("<s:a/><b/>"), 1 + (size_t)i % 9, 9);
			snprintf(want, sizeof(want),
				"[stanza 6 <a xmlns='n%d'/>][stanza 4 <b xmlns='d%d'/>]", i % 10,
				i % 10);
			assert_str(buf_view(&out), want);
			buf_free(&out);
		}
	}
	for (int i = 0; i < 20; i++) {
		out = run_steps(r[i], STR("</s:s>"), 6, 6);
		assert_str(buf_view(&out), "[close]");
		buf_free(&out);
		xml_reader_free(r[i]);
	}
}

TEST(goes_on_after_a_parser_is_worn_out)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_STREAM);
	struct buf text = { 0 }, out;
	size_t stanzas = 0;

	buf_puts(&text, "<s:s xmlns:s='n'>");
	for (int i = 0; i < 40000; i++)
		buf_printf(&text, "<n%d/>", i);
	out = run_steps(r, buf_view(&text), 100000, 100001);
	for (size_t i = 0; i + 7 < out.n; i++)
		stanzas += memcmp(out.p + i, "[stanza", 7) == 0;
	assert_int_equal(stanzas, 40000);
	buf_free(&out);
	out = run_steps(r, STR("</s:s>"), 6, 6);
	assert_str(buf_view(&out), "[close]");
	buf_free(&out);
	buf_free(&text);
	xml_reader_free(r);
}

static void *read_some(void *user)
{
	struct buf out = run_steps(user, STR("<a b='1'>t</a><a b"), 18, 18);

	assert_str(buf_view(&out), "[stanza 14 <a xmlns='n' b='1'>t</a>]");
	buf_free(&out);
	return NULL;
}

TEST(moves_between_threads)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_STREAM);
	struct buf out = run_steps(r, STR("<s xmlns='n'>"), 13, 13);
	pthread_t thread;

	buf_free(&out);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&thread, NULL, read_some, r), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		out = run_steps(r, STR("='2'/>"), 6, 6);
		assert_str(buf_view(&out), "[stanza 10 <a xmlns='n' b='2'/>]");
		buf_free(&out);
	}
	xml_reader_free(r);
}

TEST(keeps_unread_input_that_the_caller_takes_back)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_STREAM);
	struct buf text = { 0 };
	struct xml_event e;
	struct arena a;

	arena_init(&a);
	buf_puts(&text, "<s:s xmlns:s='n'>");
	for (int i = 0; i < 40000; i++)
		buf_printf(&text, "<n%05d/>", i);
	xml_reader_feed(r, buf_view(&text));
	xml_reader_next(r, &a, &e);
	assert_int_equal(e.kind, XML_STREAM_OPEN);
	for (int i = 0; i < 40000; i++) {
		struct str rest;

		if (i % 1000 == 0) {
			xml_reader_keep_input(r);
			buf_free(&text); /* ASan sees who still reads it */
		}
		rest = xml_reader_rest_input(r);
		assert_int_equal(rest.n, 9 * (40000 - (size_t)i));
		assert_memory_equal(rest.p, "<n", 2);
		xml_reader_next(r, &a, &e);
		assert_int_equal(e.kind, XML_STANZA);
		assert_str(e.el->name, arena_printf(&a, "n%05d", i).p);
		arena_reset(&a);
	}
	xml_reader_next(r, &a, &e);
	assert_int_equal(e.kind, XML_NONE);
	xml_reader_free(r);
	arena_fini(&a);
}

TEST(is_dead_after_an_error)
{
	struct xml_reader *r = xml_reader_new(&XML_LIMITS_STREAM);
	struct buf out = run_steps(r, STR("<s><a/><b></s>"), 100, 100);

	assert_str(buf_view(&out), "[open<s/>][stanza 4 <a/>][error -74]");
	buf_free(&out);
	out = run_steps(r, STR("<a/>"), 4, 4);
	assert_str(buf_view(&out), "[error -74]");
	buf_free(&out);
	xml_reader_restart(r);
	out = run_steps(r, STR("<s><a/>"), 1, 1);
	assert_str(buf_view(&out), "[open<s/>][stanza 4 <a/>]");
	buf_free(&out);
	xml_reader_free(r);
}

UNIT_MAIN(cmocka_unit_test(reads_a_stream_however_it_is_split),
	cmocka_unit_test(keeps_the_prefixes_of_the_root), cmocka_unit_test(reads_an_empty_root),
	cmocka_unit_test(refuses_bad_streams_however_they_are_split),
	cmocka_unit_test(refuses_utf_16_by_its_second_byte),
	cmocka_unit_test(holds_each_limit_exactly),
	cmocka_unit_test(waits_for_the_end_of_a_long_tag),
	cmocka_unit_test(limits_a_long_tag_that_never_ends),
	cmocka_unit_test(leaves_bytes_behind_an_event_unparsed),
	cmocka_unit_test(knows_whether_a_stanza_is_unfinished),
	cmocka_unit_test(takes_turns_with_other_streams),
	cmocka_unit_test(goes_on_after_a_parser_is_worn_out),
	cmocka_unit_test(moves_between_threads),
	cmocka_unit_test(keeps_unread_input_that_the_caller_takes_back),
	cmocka_unit_test(is_dead_after_an_error));

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The generator's stanza splitter: the same stanzas whatever the reads, quotes and nesting honoured. */
#include "../load/mark.h"
#include "../load/stanza.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char stream[] =
	"<?xml version='1.0'?><stream:stream xmlns='jabber:client' id=\"a'b\">"
	"<stream:features><bind xmlns='x'/></stream:features> \n"
	"<message from='a>b' type=\"chat\"><body>one</body><x><y/></x></message>"
	"<r xmlns='urn:xmpp:sm:3'/><presence/></stream:stream>";

static const char *const names[] = { "stream:stream", "stream:features", "message",
				     "r",	      "presence",	 "stream:stream" };

/* Feeds the stream in two reads, cut at `cut`, as the connection does. */
static int count_with_cut(size_t cut)
{
	size_t pos = 0, ends[] = { cut, strlen(stream) };
	int n = 0;

	for (int read = 0; read < 2; read++) {
		struct stanza st;

		while (stanza_next(stream, ends[read], &pos, &st) == 1) {
			assert_true(n < 6);
			assert_true(stanza_is(&st, names[n]));
			n++;
		}
	}
	return n;
}

static void finds_the_same_stanzas_at_every_cut(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= strlen(stream); cut++)
		assert_int_equal(count_with_cut(cut), 6);
}

static void reads_attributes_and_text(void **state)
{
	size_t pos = (size_t)(strstr(stream, "<message") - stream);
	struct stanza st;

	(void)state;
	assert_int_equal(stanza_next(stream, strlen(stream), &pos, &st), 1);
	assert_true(stanza_attr_is(&st, "from", "a>b"));
	assert_true(stanza_attr_is(&st, "type", "chat"));
	assert_null(stanza_attr(&st, "to").text);
	assert_int_equal(stanza_text(&st, "body").len, 3);
	assert_memory_equal(stanza_text(&st, "body").text, "one", 3);
	assert_null(stanza_text(&st, "y").text);
}

static void reads_back_its_marks(void **state)
{
	char text[300] = "<message><body>", body[201];
	struct mark in = { 0x123456789abcdef, 77, 0xfffffffe }, out;
	struct stanza st;
	size_t pos = 0;

	(void)state;
	mark_body(body, in, 200);
	assert_int_equal(strlen(body), 200);
	strcat(strcat(text, body), "</body></message>");
	assert_int_equal(stanza_next(text, strlen(text), &pos, &st), 1);
	assert_true(mark_read(&st, &out));
	assert_memory_equal(&in, &out, sizeof(in));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_same_stanzas_at_every_cut),
		cmocka_unit_test(reads_attributes_and_text),
		cmocka_unit_test(reads_back_its_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a stored message can be found by. */
#include "unit.h"

#include "core/archive_text.h"
#include "proto/xmpp/stanza.h"

static struct arena arena;

/* The texts of a message with this content, line by line. */
static const char *texts(const char *content, struct str ids[2])
{
	static char out[1024];
	struct buf b = { 0 }, xml = { 0 };
	struct stanza st;
	struct blob *packed;
	struct xml *el;

	arena_init(&arena);
	buf_printf(&xml, "<message xmlns='jabber:client' to='a@b' type='chat' id='i&amp;1'>%s</message>", content);
	assert_int_equal(xml_parse(&arena, buf_view(&xml), &el), 0);
	assert_int_equal(stanza_from_xml(&arena, el, &st), 0);
	stanza_scan(&st);
	packed = stanza_pack(&st);
	archive_text(blob_view(packed), &b, ids);
	snprintf(out, sizeof(out), "%.*s", (int)b.n, b.p ? b.p : "");
	if (ids[0].p) { /* they lie in the packed bytes */
		ids[0] = arena_str(&arena, ids[0]);
		ids[1] = ids[1].p ? arena_str(&arena, ids[1]) : STR_NONE;
	}
	blob_unref(packed);
	stanza_fini(&st);
	buf_free(&b);
	buf_free(&xml);
	return out;
}

TEST(bodies_and_subject_of_the_message_itself)
{
	struct str ids[2] = { STR_NONE, STR_NONE };

	assert_string_equal(texts("<subject>S</subject><body>one &lt;b&gt; &amp;amp; \"two\" 'x'</body>"
		"<body xml:lang='de'>drei&#13;vier</body>", ids), "S\none <b> &amp; \"two\" 'x'\ndrei vier\n");
	assert_str(ids[0], "i&1");
	assert_null(ids[1].p);
	arena_fini(&arena);
}

TEST(nothing_of_what_is_inside_or_of_others)
{
	struct str ids[2] = { STR_NONE, STR_NONE };

	assert_string_equal(texts("<x xmlns='jabber:x'><body>no</body><body/>text</x><body xmlns='http://www.w3.org/1999/xhtml'>no</body>"
		"<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>no</body></message></forwarded>"
		"<body/><bodyguard>no</bodyguard><origin-id xmlns='urn:xmpp:sid:0' id='o1'/><body>yes</body>", ids), "yes\n");
	assert_str(ids[1], "o1");
	arena_fini(&arena);
}

TEST(bytes_that_are_no_stanza_have_no_text)
{
	struct str ids[2] = { STR_NONE, STR_NONE };
	struct buf b = { 0 };

	archive_text(STR("rubbish"), &b, ids);
	archive_text(STR(""), &b, ids);
	assert_int_equal(b.n, 0);
	assert_null(ids[0].p);
}

UNIT_MAIN(cmocka_unit_test(bodies_and_subject_of_the_message_itself),
	  cmocka_unit_test(nothing_of_what_is_inside_or_of_others),
	  cmocka_unit_test(bytes_that_are_no_stanza_have_no_text));

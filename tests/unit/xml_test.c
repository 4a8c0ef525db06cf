/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XML trees: building, looking up, writing and reading whole documents. */
#include "unit.h"

#include <errno.h>

#include "proto/xml/reader.h"
#include "proto/xml/xml.h"

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

static struct str written(const struct xml *el, const char *context)
{
	struct buf out = { 0 };
	struct str s;

	xml_write(&out, el, str_of(context));
	s = arena_str(&arena, buf_view(&out));
	buf_free(&out);
	return s;
}

static struct xml *parsed(const char *text)
{
	struct xml *el = NULL;

	assert_int_equal(xml_parse(&arena, str_of(text), &el), 0);
	return el;
}

TEST(builds_and_writes_a_tree)
{
	struct xml *iq = xml_new(&arena, "iq", "jabber:client");
	struct xml *query = xml_add(&arena, iq, "query", "jabber:iq:roster");

	xml_set(&arena, iq, "type", STR("set"));
	xml_set(&arena, iq, "type", STR("result"));
	xml_set(&arena, iq, "xml:lang", STR("zh"));
	xml_setf(&arena, query, "ver", "%d", 42);
	xml_add_text(&arena, query, "group", STR("a<b>&'\"\r\n"));
	xml_add(&arena, query, "item", NULL);
	xml_add(&arena, iq, "plain", NULL);
	assert_str(written(iq, "jabber:client"),
		"<iq type='result' xml:lang='zh'><query xmlns='jabber:iq:roster' ver='42'>"
		"<group>a&lt;b&gt;&amp;'\"&#13;\n</group><item/></query><plain/></iq>");
	assert_str(xml_get(iq, "type"), "result");
	assert_null(xml_get(iq, "lang").p);
	assert_str(xml_lang(iq), "zh");
	xml_unset(iq, "type");
	assert_null(xml_get(iq, "type").p);
	xml_set(&arena, iq, "id", STR_NONE);
	assert_non_null(xml_get(iq, "id").p);
}

TEST(writes_a_namespace_only_where_it_changes)
{
	struct xml *el = parsed(
		"<a xmlns='x' xmlns:p='y'><p:b p:c='1' d='2'><p:e/><f/></p:b><g xmlns=''/></a>");

	assert_str(written(el, "x"),
		"<a><b xmlns='y' xmlns:a0='y' a0:c='1' d='2'><e/><f xmlns='x'/></b><g "
		"xmlns=''/></a>");
	assert_str(written(el, ""),
		"<a xmlns='x'><b xmlns='y' xmlns:a0='y' a0:c='1' d='2'><e/><f xmlns='x'/></b><g "
		"xmlns=''/></a>");
}

TEST(writes_elements_of_the_xml_namespace_with_their_prefix)
{
	struct xml *el = parsed("<a xmlns='x'><xml:b><c/></xml:b></a>");
	struct str out = written(el, "");

	assert_str(out, "<a xmlns='x'><xml:b><c/></xml:b></a>");
}

TEST(writes_opening_and_children_apart)
{
	struct xml *el = parsed("<a xmlns='x' b='1'>t<c/></a>");
	struct buf out = { 0 };

	xml_write_open(&out, el, STR("x"));
	xml_write_children(&out, el);
	assert_str(buf_view(&out), "<a b='1'>t<c/>");
	buf_free(&out);
}

TEST(escapes_for_both_kinds_of_quotes)
{
	struct buf out = { 0 };

	xml_escape(&out, STR("<a b='c' d=\"e\">&\t\n\r鸿雁"));
	assert_str(
		buf_view(&out), "&lt;a b=&apos;c&apos; d=&quot;e&quot;&gt;&amp;&#9;&#10;&#13;鸿雁");
	buf_free(&out);
}

TEST(replaces_what_xml_cannot_hold)
{
	struct xml *el = xml_new(&arena, "a", "x");

	xml_text(&arena, el,
		STR("1\x01"
		    "2\xff"
		    "3\xed\xa0\x80"
		    "4\xef\xbf\xbe"
		    "5\xc3"));
	xml_set(&arena, el, "b", STR("\0\x1f\xef\xbf\xbf\x7f"));
	assert_str(written(el, "x"), "<a b='���\x7f'>1�2�3���4�5�</a>");
	el = xml_new(&arena, "a", "x");
	xml_text(&arena, el, STR("鸿雁\xef\xbf\xbf雁\xef\xbf\xbd"));
	assert_str(written(el, "x"), "<a>鸿雁�雁�</a>");
}

TEST(finds_children_by_name_and_namespace)
{
	struct xml *el = parsed("<a xmlns='x'>t<b/><b xmlns='y' i='1'/><c/><b i='2'/>u</a>");
	struct xml *b = xml_child(el, "b", NULL);

	assert_null(xml_get(b, "i").p);
	assert_str(xml_get(xml_child(el, "b", "y"), "i"), "1");
	assert_str(xml_get(xml_child(el, NULL, "y"), "i"), "1");
	assert_str(xml_get(xml_next_same(b), "i"), "2");
	assert_null(xml_next_same(xml_next_same(b)));
	assert_null(xml_child(el, "d", NULL));
	assert_null(xml_child(NULL, "d", NULL));
	assert_ptr_equal(xml_child_any(el), b);
	assert_str(xml_text_of(&arena, el), "tu");
	assert_str(xml_child_text(&arena, el, "b", NULL), "");
	assert_null(xml_child_text(&arena, el, "z", NULL).p);
	assert_true(xml_is(b, "b", "x"));
	assert_false(xml_is(NULL, "b", "x"));
}

TEST(detaches_first_middle_and_last)
{
	struct xml *el = parsed("<a xmlns='x'><b/><c/><d/></a>");
	struct xml *b = xml_child(el, "b", NULL), *c = xml_child(el, "c", NULL);
	struct xml *d = xml_child(el, "d", NULL);

	xml_detach(c);
	assert_str(written(el, "x"), "<a><b/><d/></a>");
	xml_detach(d);
	xml_append(el, c);
	assert_str(written(el, "x"), "<a><b/><c/></a>");
	xml_detach(b);
	xml_detach(c);
	assert_str(written(el, "x"), "<a/>");
	xml_append(el, d);
	assert_str(written(el, "x"), "<a><d/></a>");
}

TEST(copies_deeply)
{
	const char *text = "<a xmlns='x' b='1' xml:lang='de'>t<c xmlns='y'><d>u</d></c>v<e/></a>";
	struct arena other;
	struct xml *copy;
	struct str out;

	arena_init(&other);
	assert_int_equal(xml_parse(&other, str_of(text), &copy), 0);
	copy = xml_copy(&arena, copy);
	arena_fini(&other);
	out = written(copy, "");
	assert_str(out, text);
	assert_ptr_equal(xml_child(copy, "c", "y")->parent, copy);
}

TEST(reads_references_sections_and_declarations)
{
	struct xml *el = parsed("<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n"
				"<a b='&lt;&#9;&#x9e3f;'>&amp;<![CDATA[<&]]>&gt;\r\n</a>\n");

	assert_str(xml_get(el, "b"), "<\t鸿");
	assert_str(xml_text_of(&arena, el), "&<&>\n");
}

static const struct {
	const char *text;
	int error;
} bad[] = {
	{ "", -EBADMSG },
	{ " ", -EBADMSG },
	{ "a", -EDOM },
	{ "<a>", -EBADMSG },
	{ "<a", -EBADMSG },
	{ "<a></b>", -EBADMSG },
	{ "<a/><b/>", -EBADMSG },
	{ "<a/>b", -EDOM },
	{ "<a/></r>", -EBADMSG },
	{ "</r>", -EBADMSG },
	{ "</r><r>", -EBADMSG },
	{ "<a b='1' b='2'/>", -EBADMSG },
	{ "<a b=1/>", -EBADMSG },
	{ "<a b='<'/>", -EBADMSG },
	{ "<p:a/>", -EBADMSG },
	{ "<a p:b='1'/>", -EBADMSG },
	{ "<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>", -EBADMSG },
	{ "<a xmlns:p='xml' p:b='1'/>", -EBADMSG },
	{ "<a xmlns:p=''/>", -EBADMSG },
	{ "<a>\x01</a>", -EBADMSG },
	{ "<a>&#1;</a>", -EBADMSG },
	{ "<a>&#0;</a>", -EBADMSG },
	{ "<a>&#xd800;</a>", -EBADMSG },
	{ "<a>]]></a>", -EBADMSG },
	{ "<a>\xef\xbf\xbf</a>", -EBADMSG },
	{ "<?xml version='1.0'", -EBADMSG },
	{ "<?xml version='1.0'?>", -EBADMSG },
	{ "<?xml version='1.0'?><?xml version='1.0'?><a/>", -EBADMSG },
	{ "<a><?xml version='1.0'?></a>", -EBADMSG },
	{ "<?xml version='1.0' encoding='iso-8859-1'?><a/>", -EILSEQ },
	{ "<?xml version='1.0' encoding='utf-16'?><a/>", -EILSEQ },
	{ "<a>\xff</a>", -EILSEQ },
	{ "<a>\xc0\x80</a>", -EILSEQ },
	{ "<a>\xed\xa0\x80</a>", -EILSEQ },
	{ "<a>\xf4\x90\x80\x80</a>", -EILSEQ },
	{ "<a>\xe9\xb8<</a>", -EILSEQ },
	{ "<a b='\x80'/>", -EILSEQ },
	{ "<\xff/>", -EILSEQ },
	{ "<a><!-- c --></a>", -EPERM },
	{ "<!-- c --><a/>", -EPERM },
	{ "<a/><!-- c -->", -EPERM },
	{ "<a><?pi x?></a>", -EPERM },
	{ "<a>&nbsp;</a>", -EPERM },
	{ "<a b='&nbsp;'/>", -EPERM },
	{ "<!DOCTYPE a><a/>", -EBADMSG },
};

TEST(refuses_bad_documents_with_the_right_error)
{
	struct xml *el;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		el = NULL;
		if (xml_parse(&arena, str_of(bad[i].text), &el) != bad[i].error)
			fail_msg("%s", bad[i].text);
		assert_null(el);
		parsed("<a xmlns='good'/>"); /* the next document is untouched by the last */
	}
}

TEST(refuses_every_truncation)
{
	const char *text = "<a xmlns='x' b='&amp;'>t<c>鸿<![CDATA[x]]></c>&lt;</a>";
	struct xml *el;

	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(xml_parse(&arena, (struct str){ text, n }, &el), -EBADMSG);
	assert_int_equal(xml_parse(&arena, str_of(text), &el), 0);
}

TEST(holds_the_limits_of_a_document)
{
	struct buf b = { 0 };
	struct xml *el;

	for (int i = 0; i < 72; i++)
		buf_puts(&b, "<a>");
	for (int i = 0; i < 72; i++)
		buf_puts(&b, "</a>");
	assert_int_equal(xml_parse(&arena, buf_view(&b), &el), 0);
	b.n = 0;
	for (int i = 0; i < 73; i++)
		buf_puts(&b, "<a>");
	for (int i = 0; i < 73; i++)
		buf_puts(&b, "</a>");
	assert_int_equal(xml_parse(&arena, buf_view(&b), &el), -EMSGSIZE);
	b.n = 0;
	buf_puts(&b, "<a");
	for (int i = 0; i < 65; i++)
		buf_printf(&b, " a%d=''", i);
	buf_puts(&b, "/>");
	assert_int_equal(xml_parse(&arena, buf_view(&b), &el), -EMSGSIZE);
	b.n = 0;
	buf_puts(&b, "<a>");
	for (int i = 0; i < 4224; i++)
		buf_puts(&b, "<b/>");
	buf_puts(&b, "</a>");
	assert_int_equal(xml_parse(&arena, buf_view(&b), &el), -EMSGSIZE);
	buf_free(&b);
}

TEST(limits_what_namespaces_would_add_when_written)
{
	struct buf b = { 0 };
	struct xml *el;

	buf_puts(&b, "<a xmlns:p='");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "0123456789");
	buf_puts(&b, "'>");
	for (int i = 0; i < 210; i++)
		buf_puts(&b, "<p:b/>");
	buf_puts(&b, "</a>");
	assert_int_equal(xml_parse(&arena, buf_view(&b), &el), -EMSGSIZE);
	buf_free(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(builds_and_writes_a_tree), CASE(writes_a_namespace_only_where_it_changes),
	CASE(writes_elements_of_the_xml_namespace_with_their_prefix),
	CASE(writes_opening_and_children_apart), CASE(escapes_for_both_kinds_of_quotes),
	CASE(replaces_what_xml_cannot_hold), CASE(finds_children_by_name_and_namespace),
	CASE(detaches_first_middle_and_last), CASE(copies_deeply),
	CASE(reads_references_sections_and_declarations),
	CASE(refuses_bad_documents_with_the_right_error), CASE(refuses_every_truncation),
	CASE(holds_the_limits_of_a_document), CASE(limits_what_namespaces_would_add_when_written));

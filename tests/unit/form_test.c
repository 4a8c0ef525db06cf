/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Data forms (XEP-0004) and result sets (XEP-0059). */
#include "unit.h"

#include <errno.h>

#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"

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

static struct xml *parsed(const char *text)
{
	struct xml *el = NULL;

	assert_int_equal(xml_parse(&arena, str_of(text), &el), 0);
	return el;
}

static struct str written(const struct xml *el)
{
	struct buf out = { 0 };
	struct str s;

	xml_write(&out, el, el->ns);
	s = arena_str(&arena, buf_view(&out));
	buf_free(&out);
	return s;
}

TEST(reads_a_submitted_form)
{
	struct xml *q =
		parsed("<q xmlns='z'><x xmlns='jabber:x:data' type='form'/>"
		       "<x xmlns='jabber:x:data' type='submit'>"
		       "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>"
		       "<field var='with'><value>a@b</value><value>c</value></field>"
		       "<field var='yes'><value>true</value></field><field var='no'><value> 0 "
		       "</value></field>"
		       "<field var='odd'><value>maybe</value></field><field var='none'/></x></q>");
	struct xml *form = form_find(q, "submit", "urn:xmpp:mam:2");
	bool v = false;

	assert_non_null(form);
	assert_null(form_find(q, "submit", "other"));
	assert_null(form_find(q, "cancel", NULL));
	assert_str(xml_get(form_find(q, NULL, NULL), "type"), "form");
	assert_str(form_value(&arena, form, "with"), "a@b");
	assert_null(form_value(&arena, form, "none").p);
	assert_null(form_value(&arena, form, "absent").p);
	assert_true(form_has(form, "none"));
	assert_int_equal(form_bool(&arena, form, "yes", &v), 0);
	assert_true(v);
	assert_int_equal(form_bool(&arena, form, "no", &v), 0);
	assert_false(v);
	assert_int_equal(form_bool(&arena, form, "odd", &v), -EBADMSG);
	assert_int_equal(form_bool(&arena, form, "none", &v), -EBADMSG);
	assert_int_equal(form_bool(&arena, form, "absent", &v), -ENOENT);
}

TEST(builds_a_form)
{
	struct xml *q = xml_new(&arena, "q", "z");
	struct xml *form = form_new(&arena, q, "form", "t"), *field;

	form_field(&arena, form, "boolean", "b", "B?", STR("1"));
	field = form_field(&arena, form, "list-single", "l", NULL, STR_NONE);
	form_option(&arena, field, "One", "1");
	assert_str(written(q),
		"<q><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' "
		"type='hidden'><value>t</value></field>"
		"<field var='b' type='boolean' label='B?'><value>1</value></field>"
		"<field var='l' type='list-single'><option "
		"label='One'><value>1</value></option></field></x></q>");
	assert_ptr_equal(form_find(q, "form", "t"), form);
}

TEST(reads_what_page_is_wanted)
{
	struct rsm r;

	assert_int_equal(rsm_parse(&arena, parsed("<q xmlns='z'/>"), &r), 0);
	assert_false(r.present);
	assert_int_equal(r.max, UINT32_MAX);
	assert_int_equal(rsm_parse(&arena,
				 parsed("<q xmlns='z'><set xmlns='" NS_RSM
					"'><max>10</max><before/></set></q>"),
				 &r),
		0);
	assert_true(r.present && r.has_before && !r.has_after && !r.has_index);
	assert_int_equal(r.max, 10);
	assert_int_equal(r.before.n, 0);
	assert_int_equal(rsm_parse(&arena,
				 parsed("<q xmlns='z'><set xmlns='" NS_RSM
					"'><max>99999999999</max><after>a&amp;b</after><index>3</"
					"index></set></q>"),
				 &r),
		0);
	assert_int_equal(r.max, UINT32_MAX);
	assert_str(r.after, "a&b");
	assert_true(r.has_index && r.index == 3);
	assert_int_equal(
		rsm_parse(&arena,
			parsed("<q xmlns='z'><set xmlns='" NS_RSM "'><max>-1</max></set></q>"), &r),
		-EBADMSG);
	assert_int_equal(
		rsm_parse(&arena, parsed("<q xmlns='z'><set xmlns='" NS_RSM "'><index/></set></q>"),
			&r),
		-EBADMSG);
}

TEST(tells_what_page_was_given)
{
	struct xml *q = xml_new(&arena, "q", "z");

	rsm_add(&arena, q, STR("a"), STR("b"), 7, 9);
	rsm_add(&arena, q, STR_NONE, STR_NONE, -1, 0);
	assert_str(written(q),
		"<q><set xmlns='" NS_RSM
		"'><first index='7'>a</first><last>b</last><count>9</count></set>"
		"<set xmlns='" NS_RSM "'><count>0</count></set></q>");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(reads_a_submitted_form), CASE(builds_a_form), CASE(reads_what_page_is_wanted),
	CASE(tells_what_page_was_given));

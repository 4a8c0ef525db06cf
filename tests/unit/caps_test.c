/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Verification strings: the examples of XEP-0115 1.6.0 §5.2 and §5.3, and what §5.4 calls ill-formed. */
#include <errno.h>

#include "core/caps.h"
#include "unit.h"

static struct arena a;

static int setup(void **state)
{
	(void)state;
	arena_init(&a);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&a);
	return 0;
}

static int verify(const char *hash, const char *inner, struct str *out)
{
	struct str text = arena_printf(&a, "<query xmlns='http://jabber.org/protocol/disco#info'>%s</query>", inner);
	struct xml *el;

	assert_int_equal(xml_parse(&a, text, &el), 0);
	return caps_verify(&a, el, str_of(hash), out);
}

#define FEATURES                                                                                                       \
	"<feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/caps'/>"       \
	"<feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#items'/>"

static void makes_the_simple_example(void **state)
{
	struct str s;

	(void)state;
	assert_int_equal(verify("sha-1", "<identity category='client' type='pc' name='Exodus 0.9.1'/>" FEATURES, &s), 0);
	assert_true(str_is(s, "QgayPKawpkPSDYmwT/WM94uAlu0="));
}

#define FORM                                                                                                           \
	"<x xmlns='jabber:x:data' type='result'><field var='software'><value>Psi</value></field>"                     \
	"<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>"                 \
	"<field var='ip_version'><value>ipv6</value><value>ipv4</value></field><field var='os'><value>Mac</value></field>" \
	"<field var='software_version'><value>0.11</value></field><field var='os_version'><value>10.5.1</value></field></x>"
#define TWO_NAMES                                                                                                      \
	"<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"                                        \
	"<identity xml:lang='el' category='client' name='\316\250 0.11' type='pc'/>"

static void makes_the_complex_example(void **state)
{
	struct str s;

	(void)state;
	assert_int_equal(verify("sha-1", FORM TWO_NAMES FEATURES, &s), 0);
	assert_true(str_is(s, "q07IKJEyjvHSyhy//CH0CxmKi8w="));
}

static void passes_over_forms_without_a_hidden_type(void **state)
{
	struct str s;

	(void)state;
	assert_int_equal(verify("sha-1", "<identity category='client' type='pc' name='Exodus 0.9.1'/>" FEATURES
		"<x xmlns='jabber:x:data' type='result'><field var='a'><value>b</value></field></x>"
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>b</value></field></x>", &s), 0);
	assert_true(str_is(s, "QgayPKawpkPSDYmwT/WM94uAlu0="));
}

static void refuses_what_is_ill_formed(void **state)
{
	static const char *const bad[] = {
		FEATURES "<feature var='http://jabber.org/protocol/muc'/>",
		"<identity category='client' type='pc' name='a'/><identity category='client' type='pc' name='a'/>",
		FORM FORM,
		"<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field></x>",
		"<feature var='a&lt;b'/>",
		"<identity category='client' type='pc' name='x&lt;y'/>",
		"<identity category='urn' type='x' name='y+notify'/>",
		"<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>urn:x+notify</value></field></x>",
		"<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>a</value></field><field var='b+notify'/></x>",
	};
	struct str s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(verify("sha-1", bad[i], &s), -EBADMSG);
	assert_int_equal(verify("md2", FEATURES, &s), -EBADMSG);
}

static void finds_names_in_a_list(void **state)
{
	struct blob *list = blob_new("one\0two\0", 8), *other = blob_new("two\0", 4), *rest;

	(void)state;
	assert_true(caps_list_has(list, STR("one")));
	assert_true(caps_list_has(list, STR("two")));
	assert_false(caps_list_has(list, STR("tw")));
	assert_false(caps_list_has(list, STR("twox")));
	assert_false(caps_list_has(list, STR("")));
	assert_false(caps_list_has(NULL, STR("one")));
	rest = caps_list_minus(list, other);
	assert_int_equal(rest->n, 4);
	assert_true(caps_list_has(rest, STR("one")));
	assert_null(caps_list_minus(list, list));
	blob_unref(rest);
	blob_unref(other);
	blob_unref(list);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(makes_the_simple_example), CASE(makes_the_complex_example), CASE(passes_over_forms_without_a_hidden_type),
	CASE(refuses_what_is_ill_formed), CASE(finds_names_in_a_list));

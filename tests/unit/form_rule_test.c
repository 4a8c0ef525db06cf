/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Data forms by tables (XEP-0004, XEP-0122): made, checked and normalised. */
#include "unit.h"

#include <errno.h>

#include "proto/xmpp/form_rule.h"
#include "proto/xmpp/ns.h"

static struct arena arena;

static const struct form_option colours[] = { { "red", "Red" }, { "blue", NULL }, { 0 } };
static const struct form_rule rules[] = {
	{ "name", "Name", FORM_TEXT_SINGLE, .required = true },
	{ "age", "Age", FORM_TEXT_SINGLE, .min = 1, .max = 150 },
	{ "on", NULL, FORM_BOOLEAN },
	{ "jids", NULL, FORM_JID_MULTI },
	{ "colour", NULL, FORM_LIST_SINGLE, .options = colours },
	{ "text", NULL, FORM_TEXT_MULTI },
	{ "note", NULL, FORM_FIXED },
	{ NULL },
};

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

/* A submitted form of these fields. */
static struct xml *form(const char *fields)
{
	struct xml *el = NULL;

	assert_int_equal(xml_parse(&arena, arena_printf(&arena, "<x xmlns='jabber:x:data' type='submit'>%s</x>", fields), &el), 0);
	return el;
}

static int checked(const char *fields, struct xml **out)
{
	const char *why = NULL;
	int err;

	*out = form(fields);
	err = form_check(&arena, *out, rules, "urn:t", &why);
	assert_int_equal(!!err, why != NULL);
	return err;
}

#define FIELD(var, values) "<field var='" var "'>" values "</field>"
#define V(text) "<value>" text "</value>"

static void the_table_makes_the_form(void **state)
{
	struct xml *f = form_from_rules(&arena, NULL, rules, "urn:t", "Title", NULL);

	(void)state;
	assert_true(str_is(form_value(&arena, f, "FORM_TYPE"), "urn:t"));
	assert_true(str_is(xml_get(form_field_of(f, "jids"), "type"), "jid-multi"));
	assert_non_null(xml_child(form_field_of(f, "name"), "required", NULL));
	assert_non_null(xml_child(form_field_of(f, "age"), "validate", NS_DATA_VALIDATE));
	assert_true(str_is(xml_child_text(&arena, xml_child(form_field_of(f, "colour"), "option", NULL), "value", NULL), "red"));
}

static void values_are_normalised(void **state)
{
	struct xml *f;

	(void)state;
	assert_int_equal(checked(FIELD("FORM_TYPE", V("urn:t")) FIELD("name", V("n")) FIELD("age", V(" 42 ")) FIELD("on", V("true"))
			FIELD("jids", V("A@B.example") V("a@b.example") V("") V("c@d.example/R")) FIELD("colour", V("blue"))
			FIELD("text", V("one") V("") V("three")) FIELD("note", V("x")) FIELD("unknown", V("1")) "<reported/>", &f), 0);
	assert_true(str_is(form_value(&arena, f, "on"), "1"));
	assert_true(str_is(form_value(&arena, f, "age"), "42"));
	assert_true(str_is(form_text(&arena, f, "jids"), "a@b.example\nc@d.example/R"));
	assert_true(str_is(form_text(&arena, f, "text"), "one\n\nthree"));
	assert_null(form_field_of(f, "unknown"));
	assert_null(form_field_of(f, "note"));
	assert_null(form_field_of(f, "FORM_TYPE"));
}

static void what_is_not_filled_in_is_absent(void **state)
{
	struct xml *f;

	(void)state;
	assert_int_equal(checked(FIELD("name", V("n")) FIELD("age", V("")) FIELD("colour", ""), &f), 0);
	assert_false(form_has(f, "age"));
	assert_false(form_has(f, "colour"));
}

static void bad_forms_are_refused(void **state)
{
	static const char *const bad[] = {
		"", FIELD("name", ""), FIELD("name", V(" ")), FIELD("name", V("a") V("b")), FIELD("name", V("a")) FIELD("name", V("b")),
		FIELD("name", V("n")) FIELD("age", V("0")), FIELD("name", V("n")) FIELD("age", V("151")), FIELD("name", V("n")) FIELD("age", V("4x")),
		FIELD("name", V("n")) FIELD("age", V("99999999999999999999")), FIELD("name", V("n")) FIELD("on", V("yes")),
		FIELD("name", V("n")) FIELD("jids", V("@")), FIELD("name", V("n")) FIELD("colour", V("green")),
		FIELD("FORM_TYPE", V("urn:u")) FIELD("name", V("n")), FIELD("name", V("n")) FIELD("FORM_TYPE", V("urn:u")),
	};
	struct xml *f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(checked(bad[i], &f), -EBADMSG);
}

static void fields_and_values_are_bounded(void **state)
{
	struct buf many = { 0 };
	struct xml *f;

	(void)state;
	buf_puts(&many, FIELD("name", V("n")) "<field var='text'>");
	for (int i = 0; i <= FORM_VALUES_MAX; i++)
		buf_puts(&many, V("v"));
	buf_puts(&many, "</field>");
	buf_putc(&many, '\0');
	assert_int_equal(checked(many.p, &f), -EBADMSG);
	many.n = 0;
	for (int i = 0; i <= FORM_FIELDS_MAX; i++)
		buf_printf(&many, "<field var='f%d'/>", i);
	buf_puts(&many, FIELD("name", V("n")));
	buf_putc(&many, '\0');
	assert_int_equal(checked(many.p, &f), -EBADMSG);
	buf_free(&many);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(the_table_makes_the_form), CASE(values_are_normalised), CASE(what_is_not_filled_in_is_absent), CASE(bad_forms_are_refused),
	CASE(fields_and_values_are_bounded));

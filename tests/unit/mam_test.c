/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Reading archive queries: XEP-0313 1.1.3 §4, XEP-0059. */
#include <errno.h>

#include "core/mam.h"
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

static int parse(const char *inner, struct mam_query *out)
{
	struct xml *el;
	struct str text = arena_printf(&a, "<query xmlns='urn:xmpp:mam:2' queryid='q1'>%s</query>", inner);

	assert_int_equal(xml_parse(&a, text, &el), 0);
	return mam_parse(&a, el, out);
}

static int parse_field(const char *var, const char *value, struct mam_query *out)
{
	struct str text = arena_printf(&a,
		"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
		"<field var='%s'><value>%s</value></field></x>",
		var, value);

	return parse(text.p, out);
}

TEST(reads_an_empty_query_as_the_first_page)
{
	struct mam_query m;

	assert_int_equal(parse("", &m), 0);
	assert_int_equal(m.q.limit, MAM_PAGE_DEFAULT);
	assert_true(m.q.start_id == 0 && m.q.end_id == UINT64_MAX && m.q.after_id == 0 && m.q.before_id == UINT64_MAX);
	assert_false(m.q.backward || m.flip || m.q.want_count);
}

TEST(includes_the_whole_millisecond_of_both_ends)
{
	struct mam_query m;
	uint64_t ms = 1577836800000ull + 5123;

	assert_int_equal(parse_field("start", "2020-01-01T00:00:05.123Z", &m), 0);
	assert_true(m.q.start_id == archive_id_from_ms(ms));
	assert_int_equal(parse_field("end", "2020-01-01T00:00:05.123Z", &m), 0);
	assert_true(archive_id_ms(m.q.end_id) == ms && archive_id_ms(m.q.end_id + 1) == ms + 1);
}

TEST(normalises_the_peer)
{
	struct mam_query m;

	assert_int_equal(parse_field("with", "Juliet@Capulet.LIT/Balcony", &m), 0);
	assert_true(str_is(m.q.with, "juliet@capulet.lit/Balcony"));
	assert_int_equal(parse_field("with", "@nowhere", &m), -EBADMSG);
}

TEST(takes_the_narrower_of_form_and_page)
{
	struct mam_query m;

	assert_int_equal(parse("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value>"
			       "</field><field var='after-id'><value>70</value></field><field var='before-id'>"
			       "<value>200</value></field></x><set xmlns='http://jabber.org/protocol/rsm'><max>10</max>"
			       "<after>90</after></set>",
				 &m),
		0);
	assert_true(m.q.after_id == 90 && m.q.before_id == 200 && m.q.limit == 10);
	assert_false(m.q.backward);
}

TEST(reads_the_last_page_flipped)
{
	struct mam_query m;

	assert_int_equal(parse("<set xmlns='http://jabber.org/protocol/rsm'><max>1000</max><before/></set><flip-page/>", &m), 0);
	assert_true(m.q.backward && m.flip);
	assert_int_equal(m.q.limit, MAM_PAGE_MAX);
}

TEST(counts_when_no_rows_are_wanted)
{
	struct mam_query m;

	assert_int_equal(parse("<set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set>", &m), 0);
	assert_true(m.q.want_count);
	assert_int_equal(m.q.limit, 0);
}

TEST(reads_a_list_of_ids)
{
	struct mam_query m;

	assert_int_equal(parse("<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value>"
			       "</field><field var='ids'><value>3</value><value>1</value></field></x>",
				 &m),
		0);
	assert_int_equal(m.q.ids_n, 2);
	assert_true(m.q.ids[0] == 3 && m.q.ids[1] == 1);
	assert_int_equal(parse_field("ids", "28482-98726-73623", &m), -ENOENT);
}

TEST(names_what_it_cannot_do)
{
	struct mam_query m;

	assert_int_equal(parse_field("{http://example.com/}text", "x", &m), -EOPNOTSUPP);
	assert_int_equal(mam_error(-EOPNOTSUPP), ERR_FEATURE_NOT_IMPLEMENTED);
	assert_int_equal(parse("<set xmlns='http://jabber.org/protocol/rsm'><index>3</index></set>", &m), -EOPNOTSUPP);
	assert_int_equal(parse_field("start", "yesterday", &m), -EBADMSG);
	assert_int_equal(parse_field("before-id", "09af3-cc343", &m), -ENOENT);
	assert_int_equal(mam_error(-ENOENT), ERR_ITEM_NOT_FOUND);
	assert_int_equal(parse("<set xmlns='http://jabber.org/protocol/rsm'><after>nope</after></set>", &m), -ENOENT);
	assert_int_equal(parse("<x xmlns='jabber:x:data' type='submit'/>", &m), -EBADMSG);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(reads_an_empty_query_as_the_first_page), CASE(includes_the_whole_millisecond_of_both_ends), CASE(normalises_the_peer), CASE(takes_the_narrower_of_form_and_page),
	CASE(reads_the_last_page_flipped), CASE(counts_when_no_rows_are_wanted), CASE(reads_a_list_of_ids), CASE(names_what_it_cannot_do));

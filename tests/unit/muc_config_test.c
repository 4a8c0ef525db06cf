/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration of a room and its form, muc#roomconfig. */
#include "unit.h"

#include <errno.h>

#include "features/muc/config.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

static struct arena arena;
static struct room_config config;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	room_config_default(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	room_config_free(&config);
	arena_fini(&arena);
	return 0;
}

/* Reads one field into a copy of the defaults; config gets it on success. */
static int read_one(const char *var, const char *value)
{
	struct xml *holder = xml_new(&arena, "q", "z"), *form = form_new(&arena, holder, "submit", NS_MUC_ROOMCONFIG);
	struct room_config next;
	int err;

	form_field(&arena, form, NULL, var, NULL, str_of(value));
	room_config_copy(&next, &config);
	err = room_config_read(&arena, form, &next);
	if (err) {
		room_config_free(&next);
		return err;
	}
	room_config_free(&config);
	config = next;
	return 0;
}

TEST(changes_only_what_the_form_has)
{
	struct room_config was;

	assert_int_equal(read_one("muc#roomconfig_roomname", "鸿雁"), 0);
	room_config_copy(&was, &config);
	assert_int_equal(read_one("muc#roomconfig_moderatedroom", "true"), 0);
	assert_string_equal(config.name, "鸿雁");
	assert_true(config.moderated);
	assert_false(room_config_eq(&was, &config));
	assert_int_equal(read_one("muc#roomconfig_moderatedroom", "0"), 0);
	assert_true(room_config_eq(&was, &config));
	assert_int_equal(read_one("muc#roomconfig_unknown", "x"), 0);
	assert_true(room_config_eq(&was, &config));
	room_config_free(&was);
}

TEST(reads_choices_and_numbers)
{
	assert_int_equal(read_one("muc#roomconfig_whois", "anyone"), 0);
	assert_int_equal(config.whois, WHOIS_ANYONE);
	assert_int_equal(read_one("muc#roomconfig_allowpm", "none"), 0);
	assert_int_equal(config.allow_pm, PM_NONE);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "77"), 0);
	assert_int_equal(config.max_users, 77);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "none"), 0);
	assert_int_equal(config.max_users, MUC_USERS_MAX);
	assert_int_equal(read_one("muc#maxhistoryfetch", "0"), 0);
	assert_int_equal(config.history, 0);
}

TEST(refuses_what_is_not_acceptable)
{
	char long_name[MUC_NAME_MAX + 2];

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(read_one("muc#roomconfig_roomname", long_name), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_whois", "everybody"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_persistentroom", "maybe"), -EBADMSG);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "0"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "20001"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "99999999999"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_maxusers", "ten"), -EBADMSG);
	assert_int_equal(read_one("muc#maxhistoryfetch", "101"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_presencebroadcast", "king"), -EINVAL);
	assert_int_equal(read_one("muc#roominfo_contactjid", "@"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_slow_mode_duration", "86401"), -EINVAL);
	assert_int_equal(read_one("mentions#count", "51"), -EINVAL);
}

TEST(reads_sets_and_addresses)
{
	assert_int_equal(config.presence, ROLES_ALL);
	assert_int_equal(read_one("muc#roomconfig_presencebroadcast", "moderator"), 0);
	assert_int_equal(config.presence, ROLES_MODERATOR);
	assert_int_equal(read_one("muc#roominfo_contactjid", "Help@Example.ORG/desk"), 0);
	assert_string_equal(config.contacts, "help@example.org");
	assert_int_equal(read_one("muc#roominfo_contactjid", ""), 0);
	assert_string_equal(config.contacts, "");
}

TEST(wants_a_password_where_one_is_needed)
{
	assert_int_equal(read_one("muc#roomconfig_passwordprotectedroom", "1"), -EINVAL);
	assert_int_equal(read_one("muc#roomconfig_roomsecret", "cauldronburn"), 0);
	assert_int_equal(read_one("muc#roomconfig_passwordprotectedroom", "1"), 0);
	assert_int_equal(read_one("muc#roomconfig_roomsecret", ""), -EINVAL);
}

TEST(reads_what_it_stores)
{
	struct xml *holder = xml_new(&arena, "q", "z"), *form = form_new(&arena, holder, "submit", NS_MUC_ROOMCONFIG), *back;
	struct room_config again;
	struct buf text = { 0 };

	read_one("muc#roomconfig_roomdesc", "a < b & 'c'\nand more");
	read_one("muc#roomconfig_roomsecret", " secret ");
	read_one("muc#roomconfig_passwordprotectedroom", "1");
	read_one("muc#roomconfig_persistentroom", "1");
	read_one("muc#roomconfig_publicroom", "0");
	read_one("muc#roomconfig_whois", "anyone");
	read_one("muc#roomconfig_maxusers", "55");
	room_config_write(&arena, form, &config, false);
	xml_write(&text, form, STR_NONE);
	assert_int_equal(xml_parse(&arena, buf_view(&text), &back), 0);
	room_config_default(&again);
	assert_int_equal(room_config_read(&arena, back, &again), 0);
	assert_true(room_config_eq(&again, &config));
	room_config_free(&again);
	buf_free(&text);
}

TEST(shows_people_types_labels_and_options)
{
	struct xml *holder = xml_new(&arena, "q", "z"), *form = form_new(&arena, holder, "form", NS_MUC_ROOMCONFIG);
	int fields = 0, options = 0;

	config.max_users = 1234;
	room_config_write(&arena, form, &config, true);
	for (struct xml *f = xml_child(form, "field", NULL); f; f = xml_next_same(f)) {
		if (str_is(xml_get(f, "var"), "FORM_TYPE"))
			continue;
		fields++;
		assert_true(xml_get(f, "type").n && xml_get(f, "label").n);
		if (!str_is(xml_get(f, "type"), "list-single"))
			continue;
		for (struct xml *o = xml_child(f, "option", NULL); o; o = xml_next_same(o))
			if (str_eq(xml_child_text(&arena, o, "value", NULL), xml_child_text(&arena, f, "value", NULL)))
				options++;
	}
	assert_int_equal(fields, 26);
	assert_int_equal(options, 4); /* the value of each list is one of its options */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(changes_only_what_the_form_has), CASE(reads_choices_and_numbers), CASE(reads_sets_and_addresses), CASE(refuses_what_is_not_acceptable),
	CASE(wants_a_password_where_one_is_needed), CASE(reads_what_it_stores), CASE(shows_people_types_labels_and_options));

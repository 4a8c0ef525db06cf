/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §5: the state charts of roles and affiliations, row by row. */
#include "unit.h"

#include <errno.h>

#include "base/must.h"
#include "features/muc/privilege.h"

#define OK ERR_COUNT

static enum stanza_error role_answer(const struct role_change *c)
{
	enum stanza_error why = ERR_COUNT;

	return role_may_change(c, &why) ? OK : why;
}

static enum stanza_error affil_answer(const struct affil_change *c)
{
	enum stanza_error why = ERR_COUNT;

	return affil_may_change(c, &why) ? OK : why;
}

TEST(gives_the_initial_roles_of_5_1_2)
{
	assert_int_equal(role_initial(true, AFFIL_NONE), ROLE_VISITOR);
	assert_int_equal(role_initial(true, AFFIL_MEMBER), ROLE_PARTICIPANT);
	assert_int_equal(role_initial(false, AFFIL_NONE), ROLE_PARTICIPANT);
	for (int moderated = 0; moderated < 2; moderated++) {
		assert_int_equal(role_initial(moderated, AFFIL_ADMIN), ROLE_MODERATOR);
		assert_int_equal(role_initial(moderated, AFFIL_OWNER), ROLE_MODERATOR);
		assert_int_equal(role_initial(moderated, AFFIL_OUTCAST), ROLE_NONE);
	}
}

TEST(lets_roles_follow_affiliations)
{
	assert_int_equal(role_after(true, AFFIL_NONE, AFFIL_MEMBER, ROLE_VISITOR), ROLE_PARTICIPANT);
	assert_int_equal(role_after(true, AFFIL_NONE, AFFIL_MEMBER, ROLE_MODERATOR), ROLE_MODERATOR);
	assert_int_equal(role_after(false, AFFIL_MEMBER, AFFIL_ADMIN, ROLE_PARTICIPANT), ROLE_MODERATOR);
	assert_int_equal(role_after(true, AFFIL_OWNER, AFFIL_NONE, ROLE_MODERATOR), ROLE_VISITOR);
	assert_int_equal(role_after(true, AFFIL_MEMBER, AFFIL_NONE, ROLE_PARTICIPANT), ROLE_PARTICIPANT);
	assert_int_equal(role_after(false, AFFIL_ADMIN, AFFIL_OUTCAST, ROLE_MODERATOR), ROLE_NONE);
}

static const struct {
	struct role_change c;
	enum stanza_error answer;
} ROLE_ROWS[] = {
	/* by affil, by role, of affil, from, to */
	{ { AFFIL_NONE, ROLE_PARTICIPANT, AFFIL_NONE, ROLE_PARTICIPANT, ROLE_NONE }, ERR_FORBIDDEN },
	{ { AFFIL_MEMBER, ROLE_MODERATOR, AFFIL_NONE, ROLE_PARTICIPANT, ROLE_NONE }, OK },
	{ { AFFIL_MEMBER, ROLE_MODERATOR, AFFIL_MEMBER, ROLE_PARTICIPANT, ROLE_NONE }, OK },
	{ { AFFIL_MEMBER, ROLE_MODERATOR, AFFIL_ADMIN, ROLE_MODERATOR, ROLE_NONE }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, ROLE_MODERATOR, AFFIL_OWNER, ROLE_MODERATOR, ROLE_NONE }, ERR_NOT_ALLOWED },
	{ { AFFIL_NONE, ROLE_MODERATOR, AFFIL_NONE, ROLE_MODERATOR, ROLE_NONE }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, ROLE_MODERATOR, AFFIL_NONE, ROLE_MODERATOR, ROLE_NONE }, OK },
	/* voice */
	{ { AFFIL_NONE, ROLE_MODERATOR, AFFIL_NONE, ROLE_VISITOR, ROLE_PARTICIPANT }, OK },
	{ { AFFIL_NONE, ROLE_MODERATOR, AFFIL_NONE, ROLE_PARTICIPANT, ROLE_VISITOR }, OK },
	{ { AFFIL_MEMBER, ROLE_MODERATOR, AFFIL_MEMBER, ROLE_PARTICIPANT, ROLE_VISITOR }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, ROLE_MODERATOR, AFFIL_MEMBER, ROLE_PARTICIPANT, ROLE_VISITOR }, OK },
	{ { AFFIL_OWNER, ROLE_MODERATOR, AFFIL_ADMIN, ROLE_PARTICIPANT, ROLE_VISITOR }, ERR_NOT_ALLOWED },
	/* moderators */
	{ { AFFIL_MEMBER, ROLE_MODERATOR, AFFIL_NONE, ROLE_PARTICIPANT, ROLE_MODERATOR }, ERR_FORBIDDEN },
	{ { AFFIL_ADMIN, ROLE_MODERATOR, AFFIL_NONE, ROLE_VISITOR, ROLE_MODERATOR }, OK },
	{ { AFFIL_ADMIN, ROLE_MODERATOR, AFFIL_MEMBER, ROLE_MODERATOR, ROLE_PARTICIPANT }, OK },
	{ { AFFIL_OWNER, ROLE_MODERATOR, AFFIL_ADMIN, ROLE_MODERATOR, ROLE_PARTICIPANT }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, ROLE_NONE, AFFIL_NONE, ROLE_PARTICIPANT, ROLE_NONE }, OK },
};

TEST(answers_changes_of_roles_as_5_1_3_says)
{
	for (size_t i = 0; i < ARRAY_LEN(ROLE_ROWS); i++) {
		if (role_answer(&ROLE_ROWS[i].c) != ROLE_ROWS[i].answer)
			print_error("row %zu\n", i);
		assert_int_equal(role_answer(&ROLE_ROWS[i].c), ROLE_ROWS[i].answer);
	}
}

static const struct {
	struct affil_change c;
	enum stanza_error answer;
} AFFIL_ROWS[] = {
	/* by, from, to, self */
	{ { AFFIL_NONE, AFFIL_NONE, AFFIL_MEMBER, false }, ERR_FORBIDDEN },
	{ { AFFIL_MEMBER, AFFIL_NONE, AFFIL_OUTCAST, false }, ERR_FORBIDDEN },
	{ { AFFIL_ADMIN, AFFIL_NONE, AFFIL_OUTCAST, false }, OK },
	{ { AFFIL_ADMIN, AFFIL_OUTCAST, AFFIL_MEMBER, false }, OK },
	{ { AFFIL_ADMIN, AFFIL_MEMBER, AFFIL_NONE, false }, OK },
	{ { AFFIL_ADMIN, AFFIL_ADMIN, AFFIL_OUTCAST, false }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, AFFIL_OWNER, AFFIL_OUTCAST, false }, ERR_NOT_ALLOWED },
	{ { AFFIL_ADMIN, AFFIL_ADMIN, AFFIL_OUTCAST, true }, ERR_CONFLICT },
	{ { AFFIL_OWNER, AFFIL_OWNER, AFFIL_OUTCAST, true }, ERR_CONFLICT },
	{ { AFFIL_ADMIN, AFFIL_MEMBER, AFFIL_ADMIN, false }, ERR_FORBIDDEN },
	{ { AFFIL_ADMIN, AFFIL_NONE, AFFIL_OWNER, false }, ERR_FORBIDDEN },
	{ { AFFIL_ADMIN, AFFIL_OWNER, AFFIL_MEMBER, false }, ERR_FORBIDDEN },
	{ { AFFIL_OWNER, AFFIL_ADMIN, AFFIL_OUTCAST, false }, OK },
	{ { AFFIL_OWNER, AFFIL_OWNER, AFFIL_ADMIN, false }, OK },
	{ { AFFIL_OWNER, AFFIL_NONE, AFFIL_OWNER, false }, OK },
};

TEST(answers_changes_of_affiliations_as_5_2_2_says)
{
	for (size_t i = 0; i < ARRAY_LEN(AFFIL_ROWS); i++) {
		if (affil_answer(&AFFIL_ROWS[i].c) != AFFIL_ROWS[i].answer)
			print_error("row %zu\n", i);
		assert_int_equal(affil_answer(&AFFIL_ROWS[i].c), AFFIL_ROWS[i].answer);
	}
}

TEST(shows_lists_to_those_who_may_see_them)
{
	assert_true(affil_may_list(AFFIL_ADMIN, true, false, AFFIL_OUTCAST));
	assert_false(affil_may_list(AFFIL_MEMBER, true, true, AFFIL_OUTCAST));
	assert_false(affil_may_list(AFFIL_MEMBER, true, false, AFFIL_MEMBER));
	assert_true(affil_may_list(AFFIL_MEMBER, false, true, AFFIL_MEMBER));
	assert_true(affil_may_list(AFFIL_NONE, true, true, AFFIL_MEMBER));
	assert_false(affil_may_list(AFFIL_NONE, false, true, AFFIL_MEMBER));
	assert_false(affil_may_list(AFFIL_ADMIN, true, false, AFFIL_OWNER));
	assert_true(affil_may_list(AFFIL_OWNER, false, false, AFFIL_OWNER));
	assert_false(affil_may_list(AFFIL_OWNER, true, true, AFFIL_NONE));
}

TEST(reads_what_it_writes)
{
	enum affil a;
	enum role r;

	for (int i = AFFIL_OUTCAST; i <= AFFIL_OWNER; i++) {
		assert_int_equal(affil_parse(str_of(affil_name((enum affil)i)), &a), 0);
		assert_int_equal(a, i);
	}
	for (int i = ROLE_NONE; i <= ROLE_MODERATOR; i++) {
		assert_int_equal(role_parse(str_of(role_name((enum role)i)), &r), 0);
		assert_int_equal(r, i);
	}
	assert_int_equal(affil_parse(STR("emperor"), &a), -EBADMSG);
	assert_int_equal(role_parse(STR_NONE, &r), -EBADMSG);
}

UNIT_MAIN(cmocka_unit_test(gives_the_initial_roles_of_5_1_2), cmocka_unit_test(lets_roles_follow_affiliations),
	cmocka_unit_test(answers_changes_of_roles_as_5_1_3_says), cmocka_unit_test(answers_changes_of_affiliations_as_5_2_2_says),
	cmocka_unit_test(shows_lists_to_those_who_may_see_them), cmocka_unit_test(reads_what_it_writes));

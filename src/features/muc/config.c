/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 muc#roomconfig: the table of a room's settings. */
#include "features/muc/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "proto/xmpp/form.h"

enum kind { TEXT, SECRET, BOOLEAN, CHOICE, NUMBER };

struct field {
	const char *var, *label;
	enum kind kind;
	size_t at;	     /* offset in struct room_config */
	uint32_t min, max;   /* bytes of a text; bounds of a number */
	const char *const *words; /* of a choice, by value; of a number: what is offered */
};

static const char *const WHOIS[] = { [WHOIS_MODERATORS] = "moderators", [WHOIS_ANYONE] = "anyone", NULL };
static const char *const ALLOW_PM[] = { [PM_ANYONE] = "anyone", [PM_PARTICIPANTS] = "participants",
	[PM_MODERATORS] = "moderators", [PM_NONE] = "none", NULL };
static const char *const USERS[] = { "10", "20", "50", "100", "500", "2000", "10000", NULL };

#define AT(m) offsetof(struct room_config, m)

static const struct field FIELDS[] = {
	{ "muc#roomconfig_roomname", "Name of the room", TEXT, AT(name), 0, MUC_NAME_MAX, NULL },
	{ "muc#roomconfig_roomdesc", "Short description", TEXT, AT(desc), 0, MUC_DESC_MAX, NULL },
	{ "muc#roomconfig_lang", "Language of the room", TEXT, AT(lang), 0, MUC_LANG_MAX, NULL },
	{ "muc#roomconfig_persistentroom", "Keep the room when everybody has left", BOOLEAN, AT(persistent), 0, 0, NULL },
	{ "muc#roomconfig_publicroom", "Show the room in lists", BOOLEAN, AT(public), 0, 0, NULL },
	{ "muc#roomconfig_membersonly", "Only members may enter", BOOLEAN, AT(members_only), 0, 0, NULL },
	{ "muc#roomconfig_moderatedroom", "Newcomers need voice to speak", BOOLEAN, AT(moderated), 0, 0, NULL },
	{ "muc#roomconfig_passwordprotectedroom", "A password is needed to enter", BOOLEAN, AT(password_protected), 0, 0, NULL },
	{ "muc#roomconfig_roomsecret", "Password", SECRET, AT(secret), 0, MUC_SECRET_MAX, NULL },
	{ "muc#roomconfig_whois", "Who may see real addresses", CHOICE, AT(whois), 0, 0, WHOIS },
	{ "muc#roomconfig_allowinvites", "Everybody inside may invite", BOOLEAN, AT(allow_invites), 0, 0, NULL },
	{ "muc#roomconfig_changesubject", "Participants may change the subject", BOOLEAN, AT(change_subject), 0, 0, NULL },
	{ "muc#roomconfig_allowpm", "Who may send private messages", CHOICE, AT(allow_pm), 0, 0, ALLOW_PM },
	{ "muc#roomconfig_maxusers", "Most people at a time", NUMBER, AT(max_users), 1, MUC_USERS_MAX, USERS },
	{ "muc#roomconfig_enablelogging", "Keep what is said in the room's archive", BOOLEAN, AT(logging), 0, 0, NULL },
	{ "muc#maxhistoryfetch", "Messages shown on entering", NUMBER, AT(history), 0, MUC_HISTORY_MAX, NULL },
};

static char **text_of(const struct field *f, const struct room_config *c)
{
	return (char **)(void *)((char *)(uintptr_t)c + f->at);
}

static bool *bool_of(const struct field *f, const struct room_config *c)
{
	return (bool *)(void *)((char *)(uintptr_t)c + f->at);
}

static uint8_t *choice_of(const struct field *f, const struct room_config *c)
{
	return (uint8_t *)(void *)((char *)(uintptr_t)c + f->at);
}

static uint32_t *number_of(const struct field *f, const struct room_config *c)
{
	return (uint32_t *)(void *)((char *)(uintptr_t)c + f->at);
}

static bool is_text(const struct field *f)
{
	return f->kind == TEXT || f->kind == SECRET;
}

void room_config_default(struct room_config *c)
{
	*c = (struct room_config){ .public = true, .allow_invites = true, .logging = true, .whois = WHOIS_MODERATORS,
		.allow_pm = PM_ANYONE, .max_users = MUC_USERS_DEFAULT, .history = MUC_HISTORY_DEFAULT };
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (is_text(&FIELDS[i]))
			*text_of(&FIELDS[i], c) = mem_strdup("");
}

void room_config_copy(struct room_config *to, const struct room_config *from)
{
	*to = *from;
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (is_text(&FIELDS[i]))
			*text_of(&FIELDS[i], to) = mem_strdup(*text_of(&FIELDS[i], from));
}

void room_config_free(struct room_config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		if (is_text(&FIELDS[i])) {
			free(*text_of(&FIELDS[i], c));
			*text_of(&FIELDS[i], c) = NULL;
		}
	}
}

bool room_config_eq(const struct room_config *a, const struct room_config *b)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		const struct field *f = &FIELDS[i];
		bool same = is_text(f) ? strcmp(*text_of(f, a), *text_of(f, b)) == 0
			: f->kind == BOOLEAN ? *bool_of(f, a) == *bool_of(f, b)
			: f->kind == CHOICE ? *choice_of(f, a) == *choice_of(f, b)
					    : *number_of(f, a) == *number_of(f, b);

		if (!same)
			return false;
	}
	return true;
}

static int read_text(const struct field *f, struct str v, struct room_config *c)
{
	char **at = text_of(f, c);

	if (v.n > f->max || memchr(v.p ? v.p : "", '\0', v.n))
		return -EINVAL;
	free(*at);
	*at = str_dup(v);
	return 0;
}

static int read_choice(const struct field *f, struct str v, struct room_config *c)
{
	for (uint8_t i = 0; f->words[i]; i++) {
		if (str_is(v, f->words[i])) {
			*choice_of(f, c) = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_number(const struct field *f, struct str v, struct room_config *c)
{
	uint64_t n;
	int err;

	v = str_trim(v);
	if (v.n == 0 || str_is(v, "none")) /* no bound of the room's own */
		n = f->max;
	else if ((err = str_u64(v, UINT32_MAX, &n)))
		return err == -ERANGE ? -EINVAL : err;
	if (n < f->min || n > f->max)
		return -EINVAL;
	*number_of(f, c) = (uint32_t)n;
	return 0;
}

static int read_field(struct arena *a, const struct field *f, const struct xml *form, struct room_config *c)
{
	struct str v = form_value(a, form, f->var);

	switch (f->kind) {
	case TEXT:
	case SECRET: return read_text(f, v, c);
	case BOOLEAN: return form_bool(a, form, f->var, bool_of(f, c));
	case CHOICE: return read_choice(f, str_trim(v), c);
	case NUMBER: return read_number(f, v, c);
	}
	return 0;
}

int room_config_read(struct arena *a, const struct xml *form, struct room_config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		int err = form_has(form, FIELDS[i].var) ? read_field(a, &FIELDS[i], form, c) : 0;

		if (err)
			return err;
	}
	if (c->password_protected && !c->secret[0])
		return -EINVAL; /* §10.1.3 */
	return 0;
}

static const char *const TYPES[] = { [TEXT] = "text-single", [SECRET] = "text-private", [BOOLEAN] = "boolean",
	[CHOICE] = "list-single", [NUMBER] = "text-single" };

static struct str value_of(struct arena *a, const struct field *f, const struct room_config *c)
{
	switch (f->kind) {
	case TEXT:
	case SECRET: return str_of(*text_of(f, c));
	case BOOLEAN: return *bool_of(f, c) ? STR("1") : STR("0");
	case CHOICE: return str_of(f->words[*choice_of(f, c)]);
	case NUMBER: return arena_printf(a, "%u", *number_of(f, c));
	}
	return STR_NONE;
}

void room_config_write(struct arena *a, struct xml *form, const struct room_config *c, bool for_people)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		const struct field *f = &FIELDS[i];
		struct str v = value_of(a, f, c);
		bool listed = false;
		struct xml *el;

		if (!for_people) {
			form_field(a, form, NULL, f->var, NULL, v);
			continue;
		}
		el = form_field(a, form, f->words ? "list-single" : TYPES[f->kind], f->var, f->label, v);
		for (const char *const *w = f->words; w && *w; w++) {
			form_option(a, el, *w, *w);
			listed = listed || str_is(v, *w);
		}
		if (f->words && !listed) /* a number of the owner's own */
			form_option(a, el, v.p, v.p);
	}
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 muc#roomconfig: the table of a room's settings; with those of XEP-0452, XEP-0500 and XEP-0513. */
#include "features/muc/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/jid.h"
#include "proto/xmpp/ns.h"

enum kind { TEXT, SECRET, BOOLEAN, CHOICE, NUMBER, ROLES, JIDS };
enum of { CONFIG, MENTIONS }; /* which form shows it to people; the store has both */

struct field {
	const char *var, *label;
	enum kind kind;
	size_t at;	     /* offset in struct room_config */
	uint32_t min, max;   /* bytes of a text; bounds of a number */
	const char *const *words; /* of a choice or set, by value; of a number: what is offered */
	enum of of;
};

static const char *const WHOIS[] = { [WHOIS_MODERATORS] = "moderators", [WHOIS_ANYONE] = "anyone", NULL };
static const char *const ALLOW_PM[] = { [PM_ANYONE] = "anyone", [PM_PARTICIPANTS] = "participants",
	[PM_MODERATORS] = "moderators", [PM_NONE] = "none", NULL };
static const char *const USERS[] = { "10", "20", "50", "100", "500", "2000", "10000", "none", NULL };
static const char *const APPLY[] = { [APPLY_AUTO] = "auto", [APPLY_APPROVE] = "approve", [APPLY_CLOSED] = "closed", NULL };
static const char *const ROLE_WORDS[] = { "visitor", "participant", "moderator", NULL };
static const char *const WHO[] = { [MENTION_PARTICIPANTS] = "participants", [MENTION_MODERATORS] = "moderators",
	[MENTION_NONE] = "none", NULL };

#define AT(m) offsetof(struct room_config, m)

static const struct field FIELDS[] = {
	{ "muc#roomconfig_roomname", "Name of the room", TEXT, AT(name), 0, MUC_NAME_MAX, NULL, CONFIG },
	{ "muc#roomconfig_roomdesc", "Short description", TEXT, AT(desc), 0, MUC_DESC_MAX, NULL, CONFIG },
	{ "muc#roomconfig_lang", "Language of the room", TEXT, AT(lang), 0, MUC_LANG_MAX, NULL, CONFIG },
	{ "muc#roomconfig_persistentroom", "Keep the room when everybody has left", BOOLEAN, AT(persistent), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_publicroom", "Show the room in lists", BOOLEAN, AT(public), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_membersonly", "Only members may enter", BOOLEAN, AT(members_only), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_moderatedroom", "Newcomers need voice to speak", BOOLEAN, AT(moderated), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_passwordprotectedroom", "A password is needed to enter", BOOLEAN, AT(password_protected), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_roomsecret", "Password", SECRET, AT(secret), 0, MUC_SECRET_MAX, NULL, CONFIG },
	{ "muc#roomconfig_whois", "Who may see real addresses", CHOICE, AT(whois), 0, 0, WHOIS, CONFIG },
	{ "muc#roomconfig_allowinvites", "Everybody inside may invite", BOOLEAN, AT(allow_invites), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_changesubject", "Participants may change the subject", BOOLEAN, AT(change_subject), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_allowpm", "Who may send private messages", CHOICE, AT(allow_pm), 0, 0, ALLOW_PM, CONFIG },
	{ "muc#roomconfig_maxusers", "Most people at a time", NUMBER, AT(max_users), 1, MUC_USERS_MAX, USERS, CONFIG },
	{ "muc#roomconfig_enablelogging", "Keep what is said in the room's archive", BOOLEAN, AT(logging), 0, 0, NULL, CONFIG },
	{ "muc#maxhistoryfetch", "Messages shown on entering", NUMBER, AT(history), 0, MUC_HISTORY_MAX, NULL, CONFIG },
	{ "muc#roomconfig_presencebroadcast", "Roles whose presence is shown", ROLES, AT(presence), 0, 0, ROLE_WORDS, CONFIG },
	{ "muc#roomconfig_getmemberlist", "Roles that may see the member list, where addresses are not hidden", ROLES,
		AT(member_list), 0, 0, ROLE_WORDS, CONFIG },
	{ "muc#roomconfig_slow_mode_duration", "Slow mode: seconds between two messages of a person; 0: off", NUMBER, AT(slow_s), 0,
		MUC_SLOW_MAX, NULL, CONFIG },
	{ "muc#roomconfig_forwardmentions", "Tell members who are not here when somebody mentions them", BOOLEAN,
		AT(forward_mentions), 0, 0, NULL, CONFIG },
	{ "allow_query_users", "Outsiders may list who is inside (public rooms that anybody can enter)", BOOLEAN, AT(query_users),
		0, 0, NULL, CONFIG },
	{ "{urn:anser:muc:0}registration", "Becoming a member by registering", CHOICE, AT(apply), 0, 0, APPLY, CONFIG },
	{ "{urn:anser:muc:0}locknicks", "Members use their registered nickname only", BOOLEAN, AT(lock_nicks), 0, 0, NULL, CONFIG },
	{ "muc#roomconfig_pubsub", "Address of a publish-subscribe node that goes with the room", TEXT, AT(pubsub), 0,
		MUC_URI_MAX, NULL, CONFIG },
	{ "muc#roominfo_logs", "Web address of the room's logs", TEXT, AT(logs), 0, MUC_URI_MAX, NULL, CONFIG },
	{ "muc#roominfo_contactjid", "Addresses to contact, shown to everybody", JIDS, AT(contacts), 0, MUC_CONTACTS_MAX, NULL, CONFIG },
	{ "mentions#count", "How many mentions are allowed in a message?", NUMBER, AT(mentions), 0, MUC_MENTIONS_MAX, NULL,
		MENTIONS },
	{ "mentions#individual", "Who can mention individual users?", CHOICE, AT(mention_one), 0, 0, WHO, MENTIONS },
	{ "mentions#channel", "Who can mention rooms?", CHOICE, AT(mention_room), 0, 0, WHO, MENTIONS },
	{ "mentions#associations", "Who can mention roles and affiliations?", CHOICE, AT(mention_role), 0, 0, WHO, MENTIONS },
	{ "mentions#hats", "Who can mention hats?", CHOICE, AT(mention_hat), 0, 0, WHO, MENTIONS },
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
	return f->kind == TEXT || f->kind == SECRET || f->kind == JIDS;
}

void room_config_default(struct room_config *c)
{
	*c = (struct room_config){ .public = true, .allow_invites = true, .logging = true, .whois = WHOIS_MODERATORS,
		.allow_pm = PM_ANYONE, .max_users = MUC_USERS_DEFAULT, .history = MUC_HISTORY_DEFAULT, .presence = ROLES_ALL,
		.member_list = ROLES_ALL, .query_users = true, .mentions = MUC_MENTIONS_DEFAULT };
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
			: f->kind == NUMBER ? *number_of(f, a) == *number_of(f, b)
					    : *choice_of(f, a) == *choice_of(f, b);

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

static int read_roles(const struct field *f, const struct xml *form, struct room_config *c, struct arena *a)
{
	uint8_t set = 0;

	for (struct xml *v = form_values(form, f->var); v; v = xml_next_same(v)) {
		struct str word = str_trim(xml_text_of(a, v));
		int bit = 0;

		while (f->words[bit] && !str_is(word, f->words[bit]))
			bit++;
		if (!f->words[bit])
			return -EINVAL;
		set |= (uint8_t)(1 << bit);
	}
	*choice_of(f, c) = set;
	return 0;
}

static int read_jids(const struct field *f, const struct xml *form, struct room_config *c, struct arena *a)
{
	struct buf b = { 0 };
	int err = 0;

	for (struct xml *v = form_values(form, f->var); v && !err; v = xml_next_same(v)) {
		struct str text = str_trim(xml_text_of(a, v));
		struct jid j;

		if (!text.n)
			continue;
		err = jid_parse(a, text, &j) ? -EINVAL : 0;
		if (!err && b.n)
			buf_putc(&b, '\n');
		if (!err)
			buf_str(&b, jid_bare_str(j));
	}
	if (!err)
		err = read_text(f, buf_view(&b), c);
	buf_free(&b);
	return err;
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
	case ROLES: return read_roles(f, form, c, a);
	case JIDS: return read_jids(f, form, c, a);
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

int room_mentions_read(struct arena *a, const struct xml *form, struct room_config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		const struct field *f = &FIELDS[i];
		int err = f->of == MENTIONS && form_has(form, f->var) ? read_field(a, f, form, c) : 0;

		if (err)
			return err;
	}
	return 0;
}

static const char *const TYPES[] = { [TEXT] = "text-single", [SECRET] = "text-private", [BOOLEAN] = "boolean",
	[CHOICE] = "list-single", [NUMBER] = "text-single", [ROLES] = "list-multi", [JIDS] = "jid-multi" };

static struct str value_of(struct arena *a, const struct field *f, const struct room_config *c)
{
	switch (f->kind) {
	case TEXT:
	case SECRET: return str_of(*text_of(f, c));
	case BOOLEAN: return *bool_of(f, c) ? STR("1") : STR("0");
	case CHOICE: return str_of(f->words[*choice_of(f, c)]);
	case NUMBER: return arena_printf(a, "%u", *number_of(f, c));
	case ROLES:
	case JIDS: return STR_NONE;
	}
	return STR_NONE;
}

static void add_values(struct arena *a, struct xml *el, const struct field *f, const struct room_config *c)
{
	struct str rest, line;

	for (int bit = 0; f->kind == ROLES && f->words[bit]; bit++)
		if (*choice_of(f, c) & 1 << bit)
			xml_add_text(a, el, "value", str_of(f->words[bit]));
	for (rest = f->kind == JIDS ? str_of(*text_of(f, c)) : STR_NONE; rest.n;) {
		line = str_cut(rest, '\n', &rest);
		xml_add_text(a, el, "value", line);
	}
}

static void add_options(struct arena *a, struct xml *el, const struct field *f, struct str v)
{
	bool listed = f->kind == ROLES;

	for (const char *const *w = f->words; w && *w; w++) {
		form_option(a, el, *w, *w);
		listed = listed || str_is(v, *w);
	}
	if (f->words && !listed) /* a number of the owner's own */
		form_option(a, el, v.p, v.p);
}

/* XEP-0122, where XEP-0500 §4.1 wants it. */
static void add_bounds(struct arena *a, struct xml *el, const struct field *f)
{
	struct xml *check;

	if (f->kind != NUMBER || f->words)
		return;
	check = xml_add(a, el, "validate", NS_DATA_VALIDATE);
	xml_set(a, check, "datatype", STR("xs:integer"));
	check = xml_add(a, check, "range", NULL);
	xml_setf(a, check, "min", "%u", f->min);
	xml_setf(a, check, "max", "%u", f->max);
}

static void write_field(struct arena *a, struct xml *form, const struct field *f, const struct room_config *c, bool for_people)
{
	struct str v = value_of(a, f, c);
	const char *type = f->kind == NUMBER && f->words ? "list-single" : TYPES[f->kind];
	struct xml *el = form_field(a, form, for_people ? type : NULL, f->var, for_people ? f->label : NULL, v);

	add_values(a, el, f, c);
	if (for_people) {
		add_options(a, el, f, v);
		add_bounds(a, el, f);
	}
}

void room_config_write(struct arena *a, struct xml *form, const struct room_config *c, bool for_people)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (!for_people || FIELDS[i].of == CONFIG)
			write_field(a, form, &FIELDS[i], c, for_people);
}

void room_mentions_write(struct arena *a, struct xml *form, const struct room_config *c, const struct room_config *was)
{
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		const struct field *f = &FIELDS[i];

		if (f->of == MENTIONS && (!was || !str_eq(value_of(a, f, c), value_of(a, f, was))))
			write_field(a, form, f, c, true);
	}
}

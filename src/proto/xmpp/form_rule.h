/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a data form asks for, as rows: XEP-0004 2.13.2 field types, XEP-0122 1.0.2 ranges. One table makes the form and checks what comes back. */
#ifndef PROTO_XMPP_FORM_RULE_H
#define PROTO_XMPP_FORM_RULE_H

#include "proto/xmpp/form.h"

enum { FORM_VALUES_MAX = 1000 /* values of one field */, FORM_FIELDS_MAX = 200 };

enum form_type {
	FORM_TEXT_SINGLE, FORM_TEXT_PRIVATE, FORM_TEXT_MULTI, FORM_BOOLEAN, FORM_JID_SINGLE, FORM_JID_MULTI, FORM_LIST_SINGLE,
	FORM_LIST_MULTI, FORM_FIXED /* shown, never read */, FORM_TYPES,
};

struct form_option {
	const char *value, *label; /* label NULL: the value itself */
};

struct form_rule {
	const char *var, *label;
	enum form_type type;
	bool required;
	const struct form_option *options; /* ends with value NULL; NULL: whoever fills the form adds them, and checks the answer */
	int64_t min, max;		   /* of a whole number (XEP-0122 xs:integer); both 0: any text */
};

/* A form of these fields (ends with var NULL), without values. parent NULL: on its own. title, instructions: NULL for none. */
struct xml *form_from_rules(struct arena *a, struct xml *parent, const struct form_rule *rules, const char *form_type, const char *title,
	const char *instructions);
/* The field of a form, or NULL. */
struct xml *form_field_of(const struct xml *form, const char *var);
/* Its first <value/>; the others follow by xml_next_same. NULL when there is none. */
struct xml *form_first_value(const struct xml *form, const char *var);
/* All values of a field joined by line feeds: text-multi. STR_NONE when there is none. */
struct str form_text(struct arena *a, const struct xml *form, const char *var);
/* Adds text as the values of a text-multi field, a line each. */
void form_add_lines(struct arena *a, struct xml *field, struct str text);

/* Checks a submitted form against the rules and normalises it in place: fields that no rule names go (XEP-0004 §3.2), JIDs are normalised
 * and stand once, booleans are "1" or "0", a field with nothing in it is absent. Returns 0; -EBADMSG with a sentence for people in why
 * (in the arena): a FORM_TYPE of another form, a field given twice, required and empty, several values for one, not of the type. */
int form_check(struct arena *a, struct xml *form, const struct form_rule *rules, const char *form_type, const char **why);

#endif

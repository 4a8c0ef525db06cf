/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Data forms from tables: made, and checked when they come back. */
#include "proto/xmpp/form_rule.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/xmpp/jid.h"
#include "proto/xmpp/ns.h"

struct type_row {
	const char *name;
	bool many; /* may have several values */
	/* Normalises a value. Returns 0; -EBADMSG. NULL: any text. */
	int (*check)(struct arena *a, const struct form_rule *r, struct str in, struct str *out);
	const char *complaint;
};

static int check_text(struct arena *a, const struct form_rule *r, struct str in, struct str *out)
{
	char *end;
	long long v;

	*out = in;
	if (!r->min && !r->max)
		return 0;
	*out = str_trim(in);
	errno = 0;
	v = strtoll(arena_str(a, *out).p, &end, 10);
	return errno || *end || !out->n || v < r->min || v > r->max ? -EBADMSG : 0;
}

static int check_bool(struct arena *a, const struct form_rule *r, struct str in, struct str *out)
{
	(void)a;
	(void)r;
	in = str_trim(in);
	if (str_is(in, "1") || str_is(in, "true"))
		*out = STR("1");
	else if (str_is(in, "0") || str_is(in, "false"))
		*out = STR("0");
	else
		return -EBADMSG;
	return 0;
}

static int check_jid(struct arena *a, const struct form_rule *r, struct str in, struct str *out)
{
	struct jid j;

	(void)r;
	if (jid_parse(a, str_trim(in), &j))
		return -EBADMSG;
	*out = j.full;
	return 0;
}

static int check_option(struct arena *a, const struct form_rule *r, struct str in, struct str *out)
{
	(void)a;
	*out = in;
	if (!r->options)
		return 0;
	for (const struct form_option *o = r->options; o->value; o++)
		if (str_is(in, o->value))
			return 0;
	return -EBADMSG;
}

static const struct type_row types[FORM_TYPES] = {
	[FORM_TEXT_SINGLE] = { "text-single", false, check_text, "is not a number within its bounds" },
	[FORM_TEXT_PRIVATE] = { "text-private", false, check_text, "is not a number within its bounds" },
	[FORM_TEXT_MULTI] = { "text-multi", true, NULL, NULL },
	[FORM_BOOLEAN] = { "boolean", false, check_bool, "is neither true nor false" },
	[FORM_JID_SINGLE] = { "jid-single", false, check_jid, "is not an address" },
	[FORM_JID_MULTI] = { "jid-multi", true, check_jid, "holds something that is not an address" },
	[FORM_LIST_SINGLE] = { "list-single", false, check_option, "is not one of the choices" },
	[FORM_LIST_MULTI] = { "list-multi", true, check_option, "holds something that is not one of the choices" },
	[FORM_FIXED] = { "fixed", true, NULL, NULL },
};

/* ---- making ---- */

static void add_range(struct arena *a, struct xml *field, const struct form_rule *r)
{
	struct xml *v = xml_add(a, field, "validate", NS_DATA_VALIDATE), *range;

	xml_set(a, v, "datatype", STR("xs:integer"));
	range = xml_add(a, v, "range", NULL);
	xml_setf(a, range, "min", "%lld", (long long)r->min);
	xml_setf(a, range, "max", "%lld", (long long)r->max);
}

static void add_field(struct arena *a, struct xml *form, const struct form_rule *r)
{
	struct xml *f = form_field(a, form, types[r->type].name, r->var, r->label, STR_NONE);

	if (r->min || r->max)
		add_range(a, f, r);
	for (const struct form_option *o = r->options; o && o->value; o++)
		form_option(a, f, o->label ? o->label : o->value, o->value);
	if (r->required)
		xml_add(a, f, "required", NULL);
}

struct xml *form_from_rules(struct arena *a, struct xml *parent, const struct form_rule *rules, const char *form_type, const char *title,
	const char *instructions)
{
	struct xml *form = form_new(a, parent, "form", NULL);

	if (title)
		xml_add_text(a, form, "title", str_of(title));
	if (instructions)
		xml_add_text(a, form, "instructions", str_of(instructions));
	if (form_type)
		form_field(a, form, "hidden", "FORM_TYPE", NULL, str_of(form_type));
	for (; rules->var; rules++)
		add_field(a, form, rules);
	return form;
}

void form_add_lines(struct arena *a, struct xml *field, struct str text)
{
	while (text.n) {
		struct str line = str_cut(text, '\n', &text);

		xml_add_text(a, field, "value", line);
	}
}

/* ---- reading ---- */

struct xml *form_field_of(const struct xml *form, const char *var)
{
	for (struct xml *el = xml_child(form, "field", NULL); el; el = xml_next_same(el))
		if (str_is(xml_get(el, "var"), var))
			return el;
	return NULL;
}

struct xml *form_first_value(const struct xml *form, const char *var)
{
	return xml_child(form_field_of(form, var), "value", NULL);
}

struct str form_text(struct arena *a, const struct xml *form, const char *var)
{
	struct xml *v = form_first_value(form, var);
	struct buf all = { 0 };
	struct str out;

	if (!v)
		return STR_NONE;
	for (bool first = true; v; v = xml_next_same(v), first = false) {
		if (!first)
			buf_putc(&all, '\n');
		buf_str(&all, xml_text_of(a, v));
	}
	out = arena_str(a, buf_view(&all));
	buf_free(&all);
	return out;
}

/* ---- checking ---- */

static const struct form_rule *rule_of(const struct form_rule *rules, struct str var)
{
	for (; rules->var; rules++)
		if (rules->type != FORM_FIXED && str_is(var, rules->var))
			return rules;
	return NULL;
}

static int complain(struct arena *a, const char **why, const char *var, const char *what)
{
	*why = arena_printf(a, "The field %s %s.", var, what).p;
	return -EBADMSG;
}

/* Has one of the values of this field before `before` the same text? */
static bool seen(struct arena *a, struct xml *field, const struct xml *before, struct str text)
{
	for (struct xml *v = xml_child(field, "value", NULL); v && v != before; v = xml_next_same(v))
		if (str_eq(xml_text_of(a, v), text))
			return true;
	return false;
}

static void replace_text(struct arena *a, struct xml *el, struct str text)
{
	while (el->first)
		xml_detach(el->first);
	xml_text(a, el, text);
}

/* Normalises each value; drops empty ones where the type has a check, and addresses that stand twice. */
static int check_values(struct arena *a, struct xml *field, const struct form_rule *r, const char **why)
{
	const struct type_row *t = &types[r->type];
	struct xml *next;
	size_t n = 0;

	for (struct xml *v = xml_child(field, "value", NULL); v; v = next) {
		struct str text = xml_text_of(a, v), out = text;

		next = xml_next_same(v);
		if (!text.n && r->type != FORM_TEXT_MULTI) { /* not filled in */
			xml_detach(v);
			continue;
		}
		if (t->check && t->check(a, r, text, &out))
			return complain(a, why, r->var, t->complaint);
		if (r->type == FORM_JID_MULTI && seen(a, field, v, out)) {
			xml_detach(v);
			continue;
		}
		if (++n > (t->many ? FORM_VALUES_MAX : 1))
			return complain(a, why, r->var, "has too many values");
		if (!str_eq(out, text))
			replace_text(a, v, out);
	}
	if (!n)
		xml_detach(field);
	return 0;
}

int form_check(struct arena *a, struct xml *form, const struct form_rule *rules, const char *form_type, const char **why)
{
	struct xml *next;
	size_t n = 0;

	for (struct xml *f = xml_child_any(form); f; f = next) {
		struct str var = xml_get(f, "var");
		const struct form_rule *r = rule_of(rules, var);

		next = xml_next(f);
		if (++n > FORM_FIELDS_MAX)
			return complain(a, why, "list", "is too long");
		if (str_is(var, "FORM_TYPE") && form_type && !str_is(form_value(a, form, "FORM_TYPE"), form_type))
			return complain(a, why, "FORM_TYPE", "is of another form");
		if (!xml_is(f, "field", NS_DATA) || !r) {
			xml_detach(f); /* XEP-0004 §3.2: MUST ignore what it does not understand */
			continue;
		}
		if (form_field_of(form, r->var) != f)
			return complain(a, why, r->var, "is given twice");
		if (check_values(a, f, r, why))
			return -EBADMSG;
	}
	for (; rules->var; rules++)
		if (rules->required && !str_trim(form_text(a, form, rules->var)).n)
			return complain(a, why, rules->var, "is required");
	return 0;
}

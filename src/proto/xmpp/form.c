/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0004 2.13 data forms. */
#include "proto/xmpp/form.h"

#include <errno.h>

#include "proto/xmpp/ns.h"

static const struct xml *field_find(const struct xml *form, const char *var)
{
	for (struct xml *el = xml_child(form, "field", NULL); el; el = xml_next_same(el))
		if (str_is(xml_get(el, "var"), var))
			return el;
	return NULL;
}

/* Compares without joining: the value of a FORM_TYPE is one run of text. */
static bool has_form_type(const struct xml *form, const char *form_type)
{
	const struct xml *value = xml_child(field_find(form, "FORM_TYPE"), "value", NULL);

	return value && value->first && !value->first->next &&
		str_is(value->first->text, form_type);
}

struct xml *form_find(const struct xml *el, const char *type, const char *form_type)
{
	for (struct xml *x = xml_child(el, "x", NS_DATA); x; x = xml_next_same(x))
		if ((!type || str_is(xml_get(x, "type"), type)) &&
			(!form_type || has_form_type(x, form_type)))
			return x;
	return NULL;
}

struct str form_value(struct arena *a, const struct xml *form, const char *var)
{
	return xml_child_text(a, field_find(form, var), "value", NULL);
}

struct xml *form_values(const struct xml *form, const char *var)
{
	return xml_child(field_find(form, var), "value", NULL);
}

bool form_has(const struct xml *form, const char *var)
{
	return field_find(form, var);
}

int form_bool(struct arena *a, const struct xml *form, const char *var, bool *out)
{
	struct str v;

	if (!form_has(form, var))
		return -ENOENT;
	v = str_trim(form_value(a, form, var));
	if (str_is(v, "1") || str_is(v, "true"))
		*out = true;
	else if (str_is(v, "0") || str_is(v, "false"))
		*out = false;
	else
		return -EBADMSG;
	return 0;
}

struct xml *form_new(struct arena *a, struct xml *parent, const char *type, const char *form_type)
{
	struct xml *form = parent ? xml_add(a, parent, "x", NS_DATA) : xml_new(a, "x", NS_DATA);

	xml_set(a, form, "type", str_of(type));
	if (form_type)
		form_field(a, form, "hidden", "FORM_TYPE", NULL, str_of(form_type));
	return form;
}

struct xml *form_field(struct arena *a, struct xml *form, const char *type, const char *var,
	const char *label, struct str value)
{
	struct xml *field = xml_add(a, form, "field", NULL);

	if (var)
		xml_set(a, field, "var", str_of(var));
	if (type)
		xml_set(a, field, "type", str_of(type));
	if (label)
		xml_set(a, field, "label", str_of(label));
	if (value.p)
		xml_add_text(a, field, "value", value);
	return field;
}

void form_option(struct arena *a, struct xml *field, const char *label, const char *value)
{
	struct xml *option = xml_add(a, field, "option", NULL);

	if (label)
		xml_set(a, option, "label", str_of(label));
	xml_add_text(a, option, "value", str_of(value));
}

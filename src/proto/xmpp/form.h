/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0004 2.13 data forms. */
#ifndef PROTO_XMPP_FORM_H
#define PROTO_XMPP_FORM_H

#include "proto/xml/xml.h"

/* The first <x xmlns='jabber:x:data'> child of el with the given type ("submit", NULL: any) and, unless NULL, FORM_TYPE. */
struct xml *form_find(const struct xml *el, const char *type, const char *form_type);
struct str form_value(struct arena *a, const struct xml *form, const char *var);	/* first value; STR_NONE when absent */
/* The first <value/> of a field (xml_next_same leads on), or NULL. */
struct xml *form_values(const struct xml *form, const char *var);
bool form_has(const struct xml *form, const char *var);
/* Reads a boolean field. Returns 0; -ENOENT absent; -EBADMSG. */
int form_bool(struct arena *a, const struct xml *form, const char *var, bool *out);
/* parent NULL: a form on its own. */
struct xml *form_new(struct arena *a, struct xml *parent, const char *type, const char *form_type);
/* Adds a field; type and label may be NULL; value p NULL: none. Returns the field (add <value> or <option> to it). */
struct xml *form_field(struct arena *a, struct xml *form, const char *type, const char *var, const char *label, struct str value);
void form_option(struct arena *a, struct xml *field, const char *label, const char *value);

#endif

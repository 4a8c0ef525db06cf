/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 pubsub#node_config: the table of a node's settings, and what some nodes begin with (XEP-0163 §5, XEP-0222,
 * XEP-0223, XEP-0292 §3, XEP-0384 §5.3, XEP-0402 §4, XEP-0490 §4). */
#include "features/pubsub/config.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "proto/xmpp/ns.h"

enum kind { TEXT, LINES, BOOLEAN, CHOICE, NUMBER };
enum { PEP_ONLY = 1 };

struct field {
	const char *var, *label;
	enum kind kind;
	size_t at;	      /* offset in struct ps_config */
	uint32_t min, max;    /* of a number */
	const char *const *words; /* of a choice, by value */
	uint8_t flags;
};

static const char *const ACCESS[] = { [ACCESS_OPEN] = "open", [ACCESS_PRESENCE] = "presence", [ACCESS_ROSTER] = "roster",
	[ACCESS_AUTHORIZE] = "authorize", [ACCESS_WHITELIST] = "whitelist", NULL };
static const char *const PUBLISH[] = { [PUBLISH_PUBLISHERS] = "publishers", [PUBLISH_SUBSCRIBERS] = "subscribers",
	[PUBLISH_OPEN] = "open", NULL };
static const char *const SEND_LAST[] = { [LAST_NEVER] = "never", [LAST_ON_SUB] = "on_sub",
	[LAST_ON_SUB_AND_PRESENCE] = "on_sub_and_presence", NULL };
static const char *const NOTIFICATION[] = { [NOTIFY_HEADLINE] = "headline", [NOTIFY_NORMAL] = "normal", NULL };
static const char *const REPLY[] = { [REPLY_NONE] = "none", [REPLY_PUBLISHER] = "publisher", NULL };
static const char *const FULL[] = { [FULL_RETRACT_OLDEST] = "retract-oldest", [FULL_DISCARD_OLDEST] = "discard-oldest",
	[FULL_REJECT] = "reject", NULL };
static const char *const NODE_TYPE[] = { "leaf", NULL };

#define AT(m) offsetof(struct ps_config, m)

static const struct field FIELDS[] = {
	{ "pubsub#title", "A friendly name for the node", TEXT, AT(title), 0, 0, NULL, 0 },
	{ "pubsub#description", "A description of the node", TEXT, AT(description), 0, 0, NULL, 0 },
	{ "pubsub#type", "The kind of data in the node", TEXT, AT(type), 0, 0, NULL, 0 },
	{ "pubsub#language", "The default language of the node", TEXT, AT(language), 0, 0, NULL, 0 },
	{ "pubsub#contact", "Whom to ask about it", LINES, AT(contact), 0, 0, NULL, 0 },
	{ "pubsub#node_type", "A leaf: it holds items", CHOICE, AT(node_type), 0, 0, NODE_TYPE, 0 },
	{ "pubsub#access_model", "Who may subscribe and retrieve items", CHOICE, AT(access), 0, 0, ACCESS, 0 },
	{ "pubsub#roster_groups_allowed", "Groups of contacts that may", LINES, AT(groups), 0, 0, NULL, PEP_ONLY },
	{ "pubsub#publish_model", "Who may publish", CHOICE, AT(publish), 0, 0, PUBLISH, 0 },
	{ "pubsub#subscribe", "Allow subscriptions", BOOLEAN, AT(subscribe), 0, 0, NULL, 0 },
	{ "pubsub#persist_items", "Keep items", BOOLEAN, AT(persist), 0, 0, NULL, 0 },
	{ "pubsub#max_items", "Items to keep at most", NUMBER, AT(max_items), 0, PS_ITEMS_MAX, NULL, 0 },
	{ "pubsub#item_expire", "Seconds after which an item goes", NUMBER, AT(item_expire), 1, INT32_MAX, NULL, 0 },
	{ "pubsub#max_payload_size", "Bytes of a payload at most", NUMBER, AT(max_payload), 1, PS_ITEM_BYTES_MAX, NULL, 0 },
	{ "pubsub#publish_node_full", "When the node is full", CHOICE, AT(full), 0, 0, FULL, 0 },
	{ "pubsub#purge_offline", "Remove items when the owner goes offline", BOOLEAN, AT(purge_offline), 0, 0, NULL, PEP_ONLY },
	{ "pubsub#send_last_published_item", "When to send the last item", CHOICE, AT(send_last), 0, 0, SEND_LAST, 0 },
	{ "pubsub#deliver_notifications", "Send notifications", BOOLEAN, AT(deliver_notifications), 0, 0, NULL, 0 },
	{ "pubsub#deliver_payloads", "Send payloads with them", BOOLEAN, AT(deliver_payloads), 0, 0, NULL, 0 },
	{ "pubsub#presence_based_delivery", "Only to people who are available", BOOLEAN, AT(presence_based), 0, 0, NULL, 0 },
	{ "pubsub#notification_type", "Type of the messages", CHOICE, AT(notification), 0, 0, NOTIFICATION, 0 },
	{ "pubsub#notify_config", "Tell subscribers of new settings", BOOLEAN, AT(notify_config), 0, 0, NULL, 0 },
	{ "pubsub#notify_delete", "Tell subscribers when the node goes", BOOLEAN, AT(notify_delete), 0, 0, NULL, 0 },
	{ "pubsub#notify_retract", "Tell subscribers when items go", BOOLEAN, AT(notify_retract), 0, 0, NULL, 0 },
	{ "pubsub#notify_sub", "Tell owners of subscribers who come and go", BOOLEAN, AT(notify_sub), 0, 0, NULL, 0 },
	{ "pubsub#itemreply", "Name the publisher of an item", CHOICE, AT(reply), 0, 0, REPLY, 0 },
	{ "pubsub#dataform_xslt", "Transformation of a payload into a form", TEXT, AT(dataform_xslt), 0, 0, NULL, 0 },
};

/* Nodes of accounts whose specification wants other defaults; a name that ends with ':' or '#' begins them. */
static const struct special {
	const char *node;
	uint8_t access, send_last;
	bool many;
} SPECIAL[] = {
	{ NS_BOOKMARKS, ACCESS_WHITELIST, LAST_NEVER, true },
	{ NS_STORAGE_BOOKMARKS, ACCESS_WHITELIST, LAST_NEVER, false },
	{ NS_MDS, ACCESS_WHITELIST, LAST_NEVER, true },
	{ "urn:xmpp:contacts", ACCESS_WHITELIST, LAST_NEVER, true },
	{ "urn:xmpp:vcard4", ACCESS_OPEN, LAST_ON_SUB_AND_PRESENCE, false },
	{ "urn:xmpp:omemo:2:devices", ACCESS_OPEN, LAST_ON_SUB_AND_PRESENCE, false },
	{ "urn:xmpp:omemo:2:bundles", ACCESS_OPEN, LAST_NEVER, true },
	{ "eu.siacs.conversations.axolotl.devicelist", ACCESS_OPEN, LAST_ON_SUB_AND_PRESENCE, false },
	{ "eu.siacs.conversations.axolotl.bundles:", ACCESS_OPEN, LAST_NEVER, false },
};

static void *at(const struct field *f, const struct ps_config *c)
{
	return (char *)(uintptr_t)c + f->at;
}

static bool is_text(const struct field *f)
{
	return f->kind == TEXT || f->kind == LINES;
}

#define EACH_FIELD(f) for (const struct field *f = FIELDS; f < FIELDS + ARRAY_LEN(FIELDS); f++)

static const struct special *special_of(struct str node)
{
	for (size_t i = 0; i < ARRAY_LEN(SPECIAL); i++) {
		struct str name = str_of(SPECIAL[i].node);

		if (str_eq(node, name) || (name.p[name.n - 1] == ':' && str_starts(node, name)))
			return &SPECIAL[i];
	}
	return NULL;
}

void ps_config_init(struct ps_config *c, bool pep, struct str node)
{
	const struct special *s = pep ? special_of(node) : NULL;

	*c = (struct ps_config){ .access = pep ? ACCESS_PRESENCE : ACCESS_OPEN, .deliver_notifications = true, .deliver_payloads = true,
		.persist = true, .subscribe = true, .notify_delete = true, .notify_retract = true, .max_items = pep ? 1 : 50,
		.send_last = pep ? LAST_ON_SUB_AND_PRESENCE : LAST_ON_SUB, .item_expire = PS_MAX, .max_payload = PS_ITEM_BYTES_MAX };
	if (s) {
		c->access = s->access;
		c->send_last = s->send_last;
		c->max_items = s->many ? PS_MAX : 1;
	}
	EACH_FIELD(f)
		if (is_text(f))
			*(char **)at(f, c) = mem_strdup("");
}

void ps_config_copy(struct ps_config *to, const struct ps_config *from)
{
	*to = *from;
	EACH_FIELD(f)
		if (is_text(f))
			*(char **)at(f, to) = mem_strdup(*(char **)at(f, from));
}

void ps_config_fini(struct ps_config *c)
{
	EACH_FIELD(f) {
		if (is_text(f)) {
			free(*(char **)at(f, c));
			*(char **)at(f, c) = NULL;
		}
	}
}

uint32_t ps_config_items(const struct ps_config *c)
{
	return c->max_items < PS_ITEMS_MAX ? c->max_items : PS_ITEMS_MAX;
}

bool ps_config_eq(const struct ps_config *a, const struct ps_config *b)
{
	EACH_FIELD(f) {
		bool same = is_text(f) ? strcmp(*(char **)at(f, a), *(char **)at(f, b)) == 0
			: f->kind == BOOLEAN ? *(bool *)at(f, a) == *(bool *)at(f, b)
			: f->kind == CHOICE ? *(uint8_t *)at(f, a) == *(uint8_t *)at(f, b)
			: *(uint32_t *)at(f, a) == *(uint32_t *)at(f, b) ||
				(*(uint32_t *)at(f, a) >= f->max && *(uint32_t *)at(f, b) >= f->max);

		if (!same)
			return false;
	}
	return true;
}

/* ---- reading ---- */

static int read_text(struct arena *a, const struct field *f, const struct xml *el, struct ps_config *c)
{
	struct buf b = { 0 };
	int n = 0;
	char **to = at(f, c);

	for (const struct xml *v = xml_child(el, "value", NULL); v; v = xml_next_same(v), n++) {
		struct str s = xml_text_of(a, v);

		if (n)
			buf_putc(&b, '\n');
		buf_str(&b, s);
		if ((f->kind == LINES && memchr(s.p ? s.p : "", '\n', s.n)) || b.n > PS_TEXT_MAX || n == PS_VALUES_MAX)
			break;
	}
	if (b.n > PS_TEXT_MAX || n > PS_VALUES_MAX || (f->kind == TEXT && n > 1)) {
		buf_free(&b);
		return -EINVAL;
	}
	free(*to);
	*to = mem_dup(b.p ? b.p : "", b.n);
	buf_free(&b);
	return 0;
}

static int read_choice(const struct field *f, struct str v, bool pep, struct ps_config *c)
{
	for (uint8_t i = 0; f->words[i]; i++) {
		if (!str_is(v, f->words[i]))
			continue;
		/* Only an account has contacts. */
		if (f->words == ACCESS && !pep && (i == ACCESS_PRESENCE || i == ACCESS_ROSTER))
			return -EOPNOTSUPP;
		*(uint8_t *)at(f, c) = i;
		return 0;
	}
	return f->words == ACCESS ? -EOPNOTSUPP : -EINVAL;
}

static int read_bool(struct str v, bool *out)
{
	if (str_is(v, "1") || str_is(v, "true"))
		*out = true;
	else if (str_is(v, "0") || str_is(v, "false"))
		*out = false;
	else
		return -EINVAL;
	return 0;
}

static int read_number(const struct field *f, struct str v, struct ps_config *c)
{
	uint64_t n;

	if (str_is(v, "max") && f->at != AT(max_payload)) {
		*(uint32_t *)at(f, c) = PS_MAX;
		return 0;
	}
	if (f->at == AT(item_expire) && v.n == 0) { /* none */
		*(uint32_t *)at(f, c) = PS_MAX;
		return 0;
	}
	if (str_u64(v, UINT32_MAX - 1, &n) || n < f->min || n > f->max)
		return -EINVAL;
	*(uint32_t *)at(f, c) = (uint32_t)n;
	return 0;
}

static int read_field(struct arena *a, const struct field *f, const struct xml *el, bool pep, struct ps_config *c)
{
	struct str v = str_trim(xml_child_text(a, el, "value", NULL));

	if (is_text(f))
		return read_text(a, f, el, c);
	if (f->kind == CHOICE)
		return read_choice(f, v, pep, c);
	return f->kind == BOOLEAN ? read_bool(v, at(f, c)) : read_number(f, v, c);
}

static const struct field *field_find(struct str var, bool pep)
{
	EACH_FIELD(f)
		if (str_is(var, f->var) && (pep || !(f->flags & PEP_ONLY)))
			return f;
	return NULL;
}

int ps_config_read(struct arena *a, const struct xml *form, bool pep, bool strict, struct ps_config *c)
{
	for (const struct xml *el = xml_child(form, "field", NULL); el; el = xml_next_same(el)) {
		const struct field *f = field_find(xml_get(el, "var"), pep);
		int rc = 0;

		if (f)
			rc = read_field(a, f, el, pep, c);
		else if (strict && !str_is(xml_get(el, "var"), "FORM_TYPE"))
			rc = -ENOENT;
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- writing ---- */

struct str ps_number(struct arena *a, uint32_t n)
{
	return n == PS_MAX ? STR("max") : arena_printf(a, "%u", n);
}

static void write_lines(struct arena *a, struct xml *el, const char *lines)
{
	struct str rest = str_of(lines), line;

	while (rest.n) {
		line = str_cut(rest, '\n', &rest);
		xml_add_text(a, el, "value", arena_str(a, line));
	}
}

static struct str value_of(struct arena *a, const struct field *f, const struct ps_config *c)
{
	if (f->kind == TEXT)
		return arena_str(a, str_of(*(char **)at(f, c)));
	if (f->kind == BOOLEAN)
		return *(bool *)at(f, c) ? STR("1") : STR("0");
	if (f->kind == CHOICE)
		return str_of(f->words[*(uint8_t *)at(f, c)]);
	return ps_number(a, *(uint32_t *)at(f, c));
}

static const char *type_of(const struct field *f)
{
	static const char *const types[] = { [TEXT] = "text-single", [LINES] = "text-multi", [BOOLEAN] = "boolean",
		[CHOICE] = "list-single", [NUMBER] = "text-single" };

	return f->at == AT(contact) ? "jid-multi" : types[f->kind];
}

void ps_config_write(struct arena *a, struct xml *form, bool pep, bool people, const struct ps_config *c)
{
	EACH_FIELD(f) {
		struct xml *el;

		if (!pep && (f->flags & PEP_ONLY))
			continue;
		el = form_field(a, form, people ? type_of(f) : NULL, f->var, people ? f->label : NULL,
			f->kind == LINES ? STR_NONE : value_of(a, f, c));
		if (f->kind == LINES)
			write_lines(a, el, *(char **)at(f, c));
		for (uint8_t i = 0; people && f->kind == CHOICE && f->words[i]; i++)
			if (pep || f->words != ACCESS || (i != ACCESS_PRESENCE && i != ACCESS_ROSTER))
				form_option(a, el, NULL, f->words[i]);
	}
}

const char *ps_access_name(const struct ps_config *c)
{
	return ACCESS[c->access];
}

const char *ps_publish_name(const struct ps_config *c)
{
	return PUBLISH[c->publish];
}

bool ps_lines_have(const char *lines, struct str value)
{
	struct str rest = str_of(lines);

	while (rest.n)
		if (str_eq(str_cut(rest, '\n', &rest), value))
			return true;
	return false;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The ad-hoc commands of a room (XEP-0050): hats (XEP-0317 §3.2 to §3.7) are made, given and listed with them. */
#include "core/command.h"
#include "features/muc/hats.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

#define NODE "urn:xmpp:hats:commands"

/* ---- answers ---- */

static struct xml *command_new(struct iq *iq, const char *status)
{
	struct arena *a = core_arena(iq->core);
	struct xml *c = xml_new(a, "command", NS_COMMANDS);
	struct str session = xml_get(iq->el, "sessionid");

	xml_set(a, c, "node", xml_get(iq->el, "node"));
	xml_set(a, c, "sessionid", session.n ? session : iq->st->id);
	xml_set(a, c, "status", str_of(status));
	return c;
}

static void bad_form(struct iq *iq, const char *text)
{
	iq_error_app(iq, ERR_BAD_REQUEST, text, xml_new(core_arena(iq->core), "bad-payload", NS_COMMANDS));
}

static void done(struct room *r, struct iq *iq, struct store_batch *b, bool list_changed)
{
	static const uint16_t CHANGED[] = { 104, 0 };

	if (list_changed)
		room_status(r, CHANGED);
	room_commit_with(r, b, iq, command_new(iq, "completed"));
}

static struct xml *ask(struct iq *iq, const char *title)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_new(a, NULL, "form", NODE);

	xml_add_text(a, form, "title", str_of(title));
	return form;
}

static void send_ask(struct iq *iq, struct xml *form)
{
	struct xml *c = command_new(iq, "executing"), *actions;

	actions = xml_add(core_arena(iq->core), c, "actions", NULL);
	xml_set(core_arena(iq->core), actions, "execute", STR("complete"));
	xml_add(core_arena(iq->core), actions, "complete", NULL);
	xml_append(c, form);
	iq_result(iq, c);
}

static void ask_text(struct iq *iq, struct xml *form, const char *var, const char *label, bool needed)
{
	struct xml *f = form_field(core_arena(iq->core), form, "text-single", var, label, STR_NONE);

	if (needed)
		xml_add(core_arena(iq->core), f, "required", NULL);
}

static void ask_hat(struct room *r, struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct xml *f = form_field(a, form, "list-single", "hats#uri", "The hat", STR_NONE);
	struct hat **v;
	size_t n = hats_sorted(r, &v);

	for (size_t i = 0; i < n; i++)
		form_option(a, f, v[i]->title, v[i]->uri);
	xml_add(a, f, "required", NULL);
}

/* ---- what is submitted ---- */

static bool is_uri(struct str s)
{
	if (!s.n || s.n > HAT_URI_MAX || !memchr(s.p, ':', s.n))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ')
			return false;
	return true;
}

/* Degrees, 0 to 360, with decimals. */
static bool is_hue(struct str s)
{
	struct str decimals, whole = str_cut(s, '.', &decimals);
	uint64_t v, ignored;

	if (!s.n)
		return true;
	return s.n <= 16 && !str_u64(whole, 360, &v) && (!decimals.p || !str_u64(decimals, UINT64_MAX, &ignored));
}

/* The hat that the form names; answers when there is none. */
static struct hat *named(struct room *r, struct iq *iq, const struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct str uri = str_trim(form_value(a, form, form_has(form, "hats#uri") ? "hats#uri" : "hat"));
	struct hat *h = hat_find(r, uri);

	if (!uri.n)
		bad_form(iq, "Name a hat.");
	else if (!h)
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	return uri.n ? h : NULL;
}

static bool read_jid(struct iq *iq, const struct xml *form, struct str *out)
{
	struct jid j;

	if (jid_parse(core_arena(iq->core), str_trim(form_value(core_arena(iq->core), form, "hats#jid")), &j)) {
		bad_form(iq, "This is not an address.");
		return false;
	}
	*out = jid_bare_str(j);
	return true;
}

/* ---- the commands ---- */

static void create(struct room *r, struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct store_batch *b = NULL;
	struct str uri, title, hue;

	if (!form) {
		form = ask(iq, "Creating a hat");
		ask_text(iq, form, "hats#title", "Title", true);
		ask_text(iq, form, "hats#uri", "Unique URI", true);
		ask_text(iq, form, "hats#hue", "Colour as a hue angle", false);
		send_ask(iq, form);
		return;
	}
	uri = str_trim(form_value(a, form, "hats#uri"));
	title = str_trim(form_value(a, form, "hats#title"));
	hue = str_trim(form_value(a, form, "hats#hue"));
	if (!is_uri(uri) || !title.n || title.n > HAT_TITLE_MAX || !is_hue(hue))
		bad_form(iq, "A hat has a title, a URI and perhaps a hue of 0 to 360.");
	else if (hat_create(r, uri, title, hue, &b))
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "The room has too many hats.");
	else
		done(r, iq, b, true);
}

static void destroy(struct room *r, struct iq *iq, struct xml *form)
{
	struct store_batch *b = NULL;
	struct hat *h;

	if (!form) {
		form = ask(iq, "Destroying a hat");
		ask_hat(r, iq, form);
		send_ask(iq, form);
		return;
	}
	h = named(r, iq, form);
	if (!h)
		return;
	hat_destroy(r, h, &b);
	done(r, iq, b, true);
}

static void ask_whom(struct room *r, struct iq *iq, const char *title)
{
	struct xml *form = ask(iq, title), *f;

	f = form_field(core_arena(iq->core), form, "jid-single", "hats#jid", "Address of the person", STR_NONE);
	xml_add(core_arena(iq->core), f, "required", NULL);
	ask_hat(r, iq, form);
	send_ask(iq, form);
}

static void assign(struct room *r, struct iq *iq, struct xml *form)
{
	struct store_batch *b = NULL;
	struct hat *h;
	struct str bare;

	if (!form)
		ask_whom(r, iq, "Assigning a hat");
	else if (!read_jid(iq, form, &bare) || !(h = named(r, iq, form)))
		return;
	else if (hat_assign(r, h, bare, &b))
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, "Too many hats are worn.");
	else
		done(r, iq, b, false);
}

static void unassign(struct room *r, struct iq *iq, struct xml *form)
{
	struct store_batch *b = NULL;
	struct hat *h;
	struct str bare;

	if (!form)
		ask_whom(r, iq, "Removing a hat");
	else if (!read_jid(iq, form, &bare) || !(h = named(r, iq, form)))
		return;
	else if (hat_unassign(r, h, bare, &b))
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	else
		done(r, iq, b, false);
}

/* ---- lists ---- */

static struct xml *result_new(struct iq *iq, const char *title, const char *const *vars)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_new(a, NULL, "result", NODE), *reported;

	xml_add_text(a, form, "title", str_of(title));
	reported = xml_add(a, form, "reported", NULL);
	for (; *vars; vars++)
		form_field(a, reported, NULL, *vars, NULL, STR_NONE);
	return form;
}

static void add_hat(struct arena *a, struct xml *item, const struct hat *h)
{
	form_field(a, item, NULL, "hats#title", NULL, str_of(h->title));
	form_field(a, item, NULL, "hats#uri", NULL, str_of(h->uri));
	form_field(a, item, NULL, "hats#hue", NULL, str_of(h->hue));
}

static void list(struct room *r, struct iq *iq, struct xml *form)
{
	static const char *const VARS[] = { "hats#title", "hats#uri", "hats#hue", NULL };
	struct xml *c = command_new(iq, "completed");
	struct hat **v;
	size_t n = hats_sorted(r, &v);

	form = result_new(iq, "Hats of this room", VARS);
	for (size_t i = 0; i < n; i++)
		add_hat(core_arena(iq->core), xml_add(core_arena(iq->core), form, "item", NULL), v[i]);
	xml_append(c, form);
	iq_result(iq, c);
}

struct listing {
	struct arena *a;
	struct xml *form;
	size_t n;
};

static void add_wearer(void *arg, struct str bare, const struct hat *h)
{
	struct listing *l = arg;
	struct xml *item;

	if (l->n++ >= MUC_ITEMS_MAX)
		return;
	item = xml_add(l->a, l->form, "item", NULL);
	form_field(l->a, item, NULL, "hats#jid", NULL, bare);
	add_hat(l->a, item, h);
}

static void list_assigned(struct room *r, struct iq *iq, struct xml *form)
{
	static const char *const VARS[] = { "hats#jid", "hats#uri", "hats#title", "hats#hue", NULL };
	struct listing l = { .a = core_arena(iq->core), .form = result_new(iq, "Who wears a hat", VARS) };
	struct xml *c = command_new(iq, "completed");

	(void)form;
	hats_each_wearer(r, add_wearer, &l);
	xml_append(c, l.form);
	iq_result(iq, c);
}

static const struct room_command {
	const char *node, *name;
	enum affil least;
	void (*run)(struct room *r, struct iq *iq, struct xml *form);
} COMMANDS[] = {
	{ NODE ":create", "Create or change a hat", AFFIL_ADMIN, create },
	{ NODE ":destroy", "Destroy a hat", AFFIL_ADMIN, destroy },
	{ NODE ":list", "List hats", AFFIL_NONE, list },
	{ NODE ":assign", "Assign a hat", AFFIL_ADMIN, assign },
	{ NODE ":unassign", "Remove a hat from somebody", AFFIL_ADMIN, unassign },
	{ NODE ":list-assigned", "List who wears hats", AFFIL_ADMIN, list_assigned },
};

/* Who is neither inside nor a member has no commands. */
static bool may_run(const struct room *r, struct jid who, const struct room_command *c)
{
	enum affil affil = room_affil_of(r, who);

	return affil >= c->least && (affil >= AFFIL_MEMBER || seat_find(r, who));
}

static const struct room_command *find(struct str node)
{
	for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++)
		if (str_is(node, COMMANDS[i].node))
			return &COMMANDS[i];
	return NULL;
}

void room_command(struct room *r, struct iq *iq)
{
	const struct room_command *c = find(xml_get(iq->el, "node"));
	struct str action = xml_get(iq->el, "action");

	if (!xml_is(iq->el, "command", NS_COMMANDS))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (!c)
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
	else if (!may_run(r, iq->st->from, c))
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (str_is(action, "cancel"))
		iq_result(iq, command_new(iq, "canceled"));
	else if (action.n && !str_is(action, "execute") && !str_is(action, "complete"))
		iq_error_app(iq, ERR_BAD_REQUEST, NULL, xml_new(core_arena(iq->core), "bad-action", NS_COMMANDS));
	else
		c->run(r, iq, form_find(iq->el, "submit", NULL));
}

void room_command_items(struct room *r, struct iq *iq, struct xml *query)
{
	struct arena *a = core_arena(r->core);

	for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
		struct xml *item;

		if (!may_run(r, iq->st->from, &COMMANDS[i]))
			continue;
		item = xml_add(a, query, "item", NULL);
		xml_set(a, item, "jid", r->jid.full);
		xml_set(a, item, "node", str_of(COMMANDS[i].node));
		xml_set(a, item, "name", str_of(COMMANDS[i].name));
	}
}

bool room_command_info(struct room *r, struct iq *iq, struct str node, struct xml *query)
{
	struct arena *a = core_arena(r->core);
	const struct room_command *c = find(node);
	struct xml *id;

	if (!c || !may_run(r, iq->st->from, c))
		return false;
	xml_set(a, query, "node", node);
	id = xml_add(a, query, "identity", NULL);
	xml_set(a, id, "category", STR("automation"));
	xml_set(a, id, "type", STR("command-node"));
	xml_set(a, id, "name", str_of(c->name));
	xml_set(a, xml_add(a, query, "feature", NULL), "var", STR(NS_COMMANDS));
	xml_set(a, xml_add(a, query, "feature", NULL), "var", STR(NS_DATA));
	return true;
}

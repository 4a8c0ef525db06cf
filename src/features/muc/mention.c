/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Mentions in a room: XEP-0513 0.1.0, who may mention whom, and XEP-0452 0.2.2, members who are not inside are sent what mentions them,
 * by XEP-0372 reference or XEP-0513. Mentions that the room does not allow are taken out of the message. */
#include "base/clock.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* ---- who may ---- */

static const struct {
	const char *type; /* behind "urn:xmpp:mentions:0#" */
	size_t setting;	  /* in struct room_config */
} GROUPS[] = {
	{ "channel", offsetof(struct room_config, mention_room) },
	{ "moderators", offsetof(struct room_config, mention_role) },
	{ "participants", offsetof(struct room_config, mention_role) },
	{ "visitors", offsetof(struct room_config, mention_role) },
	{ "owner", offsetof(struct room_config, mention_role) },
	{ "admin", offsetof(struct room_config, mention_role) },
	{ "member", offsetof(struct room_config, mention_role) },
	{ "none", offsetof(struct room_config, mention_role) },
	{ "hats", offsetof(struct room_config, mention_hat) },
};

/* enum may_mention; groups that the room does not know are for nobody to judge here. */
static uint8_t setting_of(const struct room *r, const struct xml *mention)
{
	struct str type = xml_get(mention, "mentions"), prefix = STR(NS_MENTIONS "#");

	if (!type.p)
		return r->cfg.mention_one;
	if (!str_starts(type, prefix))
		return MENTION_PARTICIPANTS;
	type = (struct str){ type.p + prefix.n, type.n - prefix.n };
	for (size_t i = 0; i < ARRAY_LEN(GROUPS); i++)
		if (str_is(type, GROUPS[i].type))
			return *((const uint8_t *)&r->cfg + GROUPS[i].setting);
	return MENTION_PARTICIPANTS;
}

static bool may_mention(const struct room *r, const struct occupant *o, const struct xml *mention)
{
	uint8_t setting = setting_of(r, mention);

	return setting == MENTION_PARTICIPANTS ? o->role >= ROLE_PARTICIPANT
					       : setting == MENTION_MODERATORS && o->role == ROLE_MODERATOR;
}

static uint32_t count(const struct xml *tree)
{
	uint32_t n = 0;

	for (struct xml *m = xml_child(tree, "mention", NS_MENTIONS); m; m = xml_next_same(m))
		n++;
	return n;
}

static bool speaks_of(struct stanza *st, const char *ns)
{
	struct blob *tail = stanza_tail(st);

	return memmem(tail->p, tail->n, ns, strlen(ns));
}

void mention_filter(struct room *r, struct stanza *st, const struct occupant *o)
{
	struct xml *tree, *next;
	bool all, changed = false;

	if (!speaks_of(st, NS_MENTIONS))
		return;
	tree = stanza_tree(st, core_arena(r->core));
	if (!tree)
		return;
	all = count(tree) > r->cfg.mentions; /* §4.6: too many are none */
	for (struct xml *m = xml_child(tree, "mention", NS_MENTIONS); m; m = next) {
		next = xml_next_same(m);
		if (!all && may_mention(r, o, m))
			continue;
		xml_detach(m);
		changed = true;
	}
	if (changed)
		stanza_touched(st);
}

/* ---- the form ---- */

static struct xml *form_of(struct room *r, struct xml *parent, const char *type, const struct room_config *was)
{
	struct xml *form = form_new(core_arena(r->core), parent, type, NS_MENTIONS);

	xml_add_text(core_arena(r->core), form, "title", STR("Permissions for explicit mentions"));
	room_mentions_write(core_arena(r->core), form, &r->cfg, was);
	return form;
}

static void tell(struct room *r, const struct room_config *was)
{
	struct stanza st;

	stanza_new(core_arena(r->core), ST_MESSAGE, MSG_GROUPCHAT, &st);
	st.from = r->jid;
	form_of(r, st.el, "result", was);
	room_broadcast(r, &st);
	stanza_fini(&st);
}

static void set(struct room *r, struct iq *iq)
{
	struct xml *form = form_find(iq->el, "submit", NS_MENTIONS);
	struct room_config was, next;
	struct store_batch *b = NULL;

	if (room_affil_of(r, iq->st->from) != AFFIL_OWNER || !form) {
		iq_error(iq, form ? ERR_FORBIDDEN : ERR_BAD_REQUEST, NULL);
		return;
	}
	room_config_copy(&next, &r->cfg);
	if (room_mentions_read(core_arena(r->core), form, &next)) {
		room_config_free(&next);
		iq_error(iq, ERR_NOT_ACCEPTABLE, NULL);
		return;
	}
	was = r->cfg;
	r->cfg = next;
	if (r->saved)
		room_save(r, &b);
	room_commit(r, b, iq);
	if (!room_config_eq(&was, &r->cfg))
		tell(r, &was);
	room_config_free(&was);
}

void room_mentions(struct room *r, struct iq *iq)
{
	struct xml *query;

	if (!str_is(iq->el->name, "query")) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	} else if (iq->st->type == IQ_SET) {
		set(r, iq);
	} else {
		query = xml_new(core_arena(r->core), "query", NS_MENTIONS);
		form_of(r, query, "form", NULL);
		iq_result(iq, query);
	}
}

void mention_info(struct room *r, struct xml *form)
{
	room_mentions_write(core_arena(r->core), form, &r->cfg, NULL);
}

/* ---- members who are not here ---- */

struct absent {
	struct room *r;
	const struct affil_entry *v[MUC_MENTIONS_MAX];
	int n;
};

static bool is_inside(const struct room *r, struct str bare)
{
	for (uint32_t i = 0; i < r->seats_n; i++)
		if (str_eq(r->seats[i]->o->real.full, bare))
			return true;
	return false;
}

static void add(struct absent *to, const struct affil_entry *e)
{
	if (!e || e->affil < AFFIL_MEMBER || !memchr(e->jid.p, '@', e->jid.n) || to->n == MUC_MENTIONS_MAX)
		return;
	for (int i = 0; i < to->n; i++)
		if (to->v[i] == e)
			return;
	if (!is_inside(to->r, e->jid))
		to->v[to->n++] = e;
}

static void add_jid(struct absent *to, struct str text)
{
	struct jid j;

	if (text.n && !jid_parse(core_arena(to->r->core), text, &j))
		add(to, room_affil(to->r, jid_bare_str(j)));
}

/* The id is a keyed hash of the address: it is looked for among those who have an affiliation. */
static void add_occupant_id(struct absent *to, struct str id)
{
	struct room *r = to->r;
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (id.n && map_next(&r->affils, &pos, &key, &value)) {
		struct affil_entry *e = value;
		char made[48];

		if (e->affil < AFFIL_MEMBER)
			continue;
		if (!e->id) {
			occupant_id(r, jid_trust(e->jid), made);
			e->id = str_dup(str_of(made));
		}
		if (str_is(id, e->id))
			add(to, e);
	}
}

static void collect(struct absent *to, const struct xml *tree)
{
	struct str scheme = STR("xmpp:"), rest;
	int n = 0;

	for (struct xml *m = xml_child(tree, "reference", NS_REFERENCE); m && n++ < MUC_MENTIONS_MAX; m = xml_next_same(m)) {
		struct str uri = xml_get(m, "uri");

		if (str_is(xml_get(m, "type"), "mention") && str_starts(uri, scheme))
			add_jid(to, str_cut((struct str){ uri.p + scheme.n, uri.n - scheme.n }, '?', &rest));
	}
	for (struct xml *m = xml_child(tree, "mention", NS_MENTIONS); m && n++ < 2 * MUC_MENTIONS_MAX; m = xml_next_same(m)) {
		if (xml_get(m, "mentions").p || xml_child(m, "noping", NULL) || xml_child(m, "active", NULL))
			continue;
		add_occupant_id(to, xml_get(m, "occupantid"));
		add_jid(to, xml_get(m, "jid"));
	}
}

static void forward(struct room *r, struct stanza *said, struct jid to, uint64_t ms)
{
	struct arena *a = core_arena(r->core);
	struct xml *el, *inner, *tree;
	struct stanza st;
	struct buf b = { 0 };

	said->to = r->jid;
	stanza_write(&b, said, NS_CLIENT);
	said->to = JID_NONE;
	if (xml_parse(a, buf_view(&b), &tree)) {
		buf_free(&b);
		return;
	}
	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &st);
	st.from = r->jid;
	st.to = to;
	el = xml_add(a, xml_add(a, st.el, "mentions", NS_MENTION_FORWARD), "forwarded", NS_FORWARD);
	inner = xml_add(a, el, "delay", NS_DELAY);
	xml_set(a, inner, "stamp", time_format(a, ms));
	xml_append(el, tree);
	stanza_scan(&st);
	router_route(r->core, &st);
	stanza_fini(&st);
	buf_free(&b);
}

void mention_forward(struct room *r, struct stanza *st, struct stanza *said, uint64_t id)
{
	struct absent to = { .r = r };
	struct xml *tree;

	if (!r->cfg.forward_mentions || (!speaks_of(st, NS_MENTIONS) && !speaks_of(st, NS_REFERENCE)))
		return;
	tree = stanza_tree(st, core_arena(r->core));
	if (tree)
		collect(&to, tree);
	for (int i = 0; i < to.n; i++)
		forward(r, said, jid_trust(to.v[i]->jid), archive_id_ms(id));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §6: finding the service, its rooms and what they are like. */
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/random.h"
#include "features/muc/directory.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"


static void feature(struct arena *a, struct xml *q, const char *var)
{
	xml_set(a, xml_add(a, q, "feature", NULL), "var", str_of(var));
}

static void identity(struct arena *a, struct xml *q, struct str name)
{
	struct xml *id = xml_add(a, q, "identity", NULL);

	xml_set(a, id, "category", STR("conference"));
	xml_set(a, id, "type", STR("text"));
	if (name.n)
		xml_set(a, id, "name", name);
}

/* ---- a room ---- */

static const char *const ROOM_FEATURES[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_MUC, NS_MUC_STABLE_ID, NS_MUC_ROOMINFO,
	NS_MUC_ROOMCONFIG, NS_MUC_REGISTER, NS_MUC_REQUEST, NS_MUC_SELF_PING, NS_MUC_AFFILIATIONS, NS_OCCUPANT_ID, NS_SID, NS_MAM,
	NS_MAM_EXTENDED, NS_FULLTEXT, NS_MODERATE, NS_RETRACT, NS_RETRACT_TOMBSTONE, NS_REGISTER,
	NS_VCARD, NS_HATS, NS_COMMANDS, NS_MENTIONS, NS_MENTIONS_CHANNEL, NS_MENTIONS_ASSOCIATIONS,
	NS_MENTIONS_HATS,
	NS_PING };

/* May the asker know what is said and who is inside (§13.4)? Those inside, those with a place there, and everybody for a public
 * room that anybody can enter. */
static bool is_open_to(const struct room *r, struct jid who)
{
	enum affil affil = room_affil_of(r, who);

	if (affil == AFFIL_OUTCAST)
		return false;
	return affil >= AFFIL_MEMBER || seat_find(r, who) ||
		(r->cfg.public && !r->cfg.members_only && !r->cfg.password_protected);
}

static void add(struct arena *a, struct xml *form, const char *var, const char *label, struct str v)
{
	if (v.n)
		form_field(a, form, NULL, var, label, v);
}

static void add_contacts(struct arena *a, struct xml *form, const struct room *r)
{
	struct str rest = str_of(r->cfg.contacts), line;
	struct xml *field;

	if (!rest.n)
		return;
	field = form_field(a, form, "jid-multi", "muc#roominfo_contactjid", "Contact addresses", STR_NONE);
	while (rest.n) {
		line = str_cut(rest, '\n', &rest);
		xml_add_text(a, field, "value", line);
	}
}

static struct str subject_text(const struct room *r)
{
	struct arena *a = core_arena(r->core);
	struct stanza st;
	struct xml *tree;

	if (!r->subject || stanza_unpack(blob_view(r->subject), &st))
		return STR_NONE;
	tree = stanza_tree(&st, a);
	return tree ? xml_child_text(a, tree, "subject", NULL) : STR_NONE;
}

static void room_info_form(struct room *r, struct xml *q, bool open)
{
	struct arena *a = core_arena(r->core);
	struct xml *form = form_new(a, q, "result", NS_MUC_ROOMINFO);

	form_field(a, form, NULL, "muc#roominfo_description", "Description", str_of(r->cfg.desc));
	form_field(a, form, NULL, "muc#roominfo_occupants", "Number of occupants", arena_printf(a, "%u", r->nicks.n));
	form_field(a, form, NULL, "muc#roomconfig_changesubject", "Participants may change the subject",
		r->cfg.change_subject ? STR("1") : STR("0"));
	form_field(a, form, NULL, "muc#roominfo_subjectmod", "Participants may change the subject",
		r->cfg.change_subject ? STR("1") : STR("0"));
	form_field(a, form, NULL, "muc#roomconfig_allowinvites", "Everybody inside may invite",
		r->cfg.allow_invites ? STR("1") : STR("0"));
	form_field(a, form, NULL, "muc#maxhistoryfetch", "Messages shown on entering", arena_printf(a, "%u", r->cfg.history));
	add_contacts(a, form, r);
	add(a, form, "muc#roominfo_lang", "Language", str_of(r->cfg.lang));
	add(a, form, "muc#roominfo_logs", "Logs", str_of(r->cfg.logs));
	add(a, form, "muc#roomconfig_pubsub", "Publish-subscribe node", str_of(r->cfg.pubsub));
	form_field(a, form, "text-single", "muc#roominfo_slow_mode_duration", "Slow mode", arena_printf(a, "%u", r->cfg.slow_s));
	add(a, form, "{" NS_MUC_ACTIVITY "}message-activity", "Messages per hour", talk_activity(r));
	avatar_info(r, form);
	hats_info(r, form);
	mention_info(r, form);
	if (open)
		add(a, form, "muc#roominfo_subject", "Subject", subject_text(r));
}

static void room_info(struct room *r, struct iq *iq)
{
	struct arena *a = core_arena(r->core);
	const struct room_config *c = &r->cfg;
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);

	identity(a, q, room_title(r));
	for (size_t i = 0; i < ARRAY_LEN(ROOM_FEATURES); i++)
		feature(a, q, ROOM_FEATURES[i]);
	feature(a, q, c->persistent ? "muc_persistent" : "muc_temporary");
	feature(a, q, c->public ? "muc_public" : "muc_hidden");
	feature(a, q, c->members_only ? "muc_membersonly" : "muc_open");
	feature(a, q, c->moderated ? "muc_moderated" : "muc_unmoderated");
	feature(a, q, c->password_protected ? "muc_passwordprotected" : "muc_unsecured");
	feature(a, q, c->whois == WHOIS_ANYONE ? "muc_nonanonymous" : "muc_semianonymous");
	room_info_form(r, q, is_open_to(r, iq->st->from));
	iq_result(iq, q);
}

/* §7.12: the asker's own reserved nick. */
static void own_nick(struct room *r, struct iq *iq)
{
	struct arena *a = core_arena(r->core);
	struct affil_entry *e = room_affil(r, jid_bare_str(iq->st->from));
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);

	xml_set(a, q, "node", STR("x-roomuser-item"));
	if (e && e->nick)
		identity(a, q, str_of(e->nick));
	iq_result(iq, q);
}

void room_disco_info(struct room *r, struct iq *iq)
{
	struct str node = xml_get(iq->el, "node");
	struct xml *q;

	if (node.n == 0)
		room_info(r, iq);
	else if (str_is(node, "x-roomuser-item"))
		own_nick(r, iq);
	else if (str_is(node, NS_MUC_TRAFFIC)) /* nothing is taken out: "Allowable Traffic" */
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
	else if (room_command_info(r, iq, node, q = xml_new(core_arena(r->core), "query", NS_DISCO_INFO)))
		iq_result(iq, q);
	else
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
}

/* §6.5: nicks only. Outsiders get them of public rooms that anybody can enter, if the room allows it. */
void room_disco_items(struct room *r, struct iq *iq)
{
	struct arena *a = core_arena(r->core);
	struct xml *q = xml_new(a, "query", NS_DISCO_ITEMS);
	bool may = seat_find(r, iq->st->from) || (r->cfg.query_users && is_open_to(r, iq->st->from));
	uint32_t pos = 0, n = 0;
	struct str key;
	void *value;

	if (str_is(xml_get(iq->el, "node"), NS_COMMANDS)) {
		xml_set(a, q, "node", STR(NS_COMMANDS));
		room_command_items(r, iq, q);
		iq_result(iq, q);
		return;
	}
	while (may && n < MUC_DISCO_ITEMS_MAX && map_next(&r->nicks, &pos, &key, &value)) {
		struct xml *item = xml_add(a, q, "item", NULL);

		xml_set(a, item, "jid", ((struct occupant *)value)->jid.full);
		xml_set(a, item, "name", key);
		n++;
	}
	if (may && n < r->nicks.n) /* not all: XEP-0059 says so */
		rsm_add(a, q, STR_NONE, STR_NONE, -1, r->nicks.n);
	iq_result(iq, q);
}

/* ---- the service ---- */

static const char *const SERVICE_FEATURES[] = { NS_DISCO_INFO, NS_DISCO_ITEMS, NS_MUC, NS_MUC_STABLE_ID, NS_MUC_UNIQUE,
	NS_OCCUPANT_ID, NS_RSM, NS_VCARD, NS_CHANNEL_SEARCH, NS_PING };

static void service_info(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *q = xml_new(a, "query", NS_DISCO_INFO);

	if (xml_get(iq->el, "node").n) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	identity(a, q, STR("Rooms"));
	for (size_t i = 0; i < ARRAY_LEN(SERVICE_FEATURES); i++)
		feature(a, q, SERVICE_FEATURES[i]);
	iq_result(iq, q);
}

static void pong(struct iq *iq)
{
	iq_result(iq, NULL);
}

/* XEP-0307: 128 random bits; nobody has a room of this name. */
static void unique(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *el = xml_new(a, "unique", NS_MUC_UNIQUE);
	struct str name;

	must(jid_nodeprep(a, random_token(a, 20), &name) == 0);
	xml_text(a, el, name);
	iq_result(iq, el);
}

static const struct service_route {
	const char *ns;
	void (*handle)(struct iq *iq);
} ROUTES[] = {
	{ NS_DISCO_INFO, service_info },
	{ NS_DISCO_ITEMS, directory_items },
	{ NS_CHANNEL_SEARCH, directory_search },
	{ NS_MUC_UNIQUE, unique },
	{ NS_PING, pong },
};

void muc_service_iq(struct muc *m, struct iq *iq)
{
	(void)m;
	for (size_t i = 0; iq->st->type == IQ_GET && i < ARRAY_LEN(ROUTES); i++) {
		if (str_is(iq->el->ns, ROUTES[i].ns)) {
			ROUTES[i].handle(iq);
			return;
		}
	}
	iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

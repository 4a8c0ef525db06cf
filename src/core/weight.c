/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The weight of a stanza, by kind, type and what a message holds. */
#include "core/weight.h"

#include "core/user.h"
#include "proto/xmpp/ns.h"

/* Elements that never wake anybody by themselves. name NULL: any. A message of nothing else is light. */
static const struct {
	const char *name, *ns;
} light[] = {
	{ NULL, NS_CHATSTATES },
	{ NULL, NS_HINTS },
	{ NULL, NS_SID },
	{ "received", NS_RECEIPTS },
	{ NULL, NS_MARKERS },
	{ "delay", NS_DELAY },
	{ "thread", NS_CLIENT },
	{ "occupant-id", NS_OCCUPANT_ID },
	{ "event", NS_PUBSUB_EVENT },
	{ "addresses", NS_ADDRESS },
};

/* What is worth reading although it has no body. */
static const struct {
	const char *name, *ns;
	enum weight weight;
} heavy[] = {
	{ "propose", NS_JINGLE_MESSAGE, WEIGHT_CALL },
	{ "x", NS_CONFERENCE, WEIGHT_MESSAGE },
	{ "mentions", "urn:xmpp:mmn:0", WEIGHT_MESSAGE }, /* XEP-0452 */
	{ "encrypted", NULL, WEIGHT_MESSAGE }, /* XEP-0384 in all its versions, XEP-0420 */
	{ "openpgp", "urn:xmpp:openpgp:0", WEIGHT_MESSAGE },
};

static bool is_light(const struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(light); i++)
		if (str_is(el->ns, light[i].ns) && (!light[i].name || str_is(el->name, light[i].name)))
			return true;
	return false;
}

/* A message for a key only (XEP-0384 §5.5.3: no payload) is nothing to read. */
static bool is_key_transport(const struct xml *el)
{
	return str_is(el->name, "encrypted") && !xml_child(el, "payload", NULL);
}

static enum weight heavy_weight(const struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(heavy); i++)
		if (str_is(el->name, heavy[i].name) && (!heavy[i].ns || str_is(el->ns, heavy[i].ns)))
			return is_key_transport(el) ? WEIGHT_WAKE : heavy[i].weight;
	return xml_is(el, "x", NS_MUC_USER) && xml_child(el, "invite", NULL) ? WEIGHT_MESSAGE : WEIGHT_WAKE;
}

static bool contains(struct str text, struct str part)
{
	return part.n && memmem(text.p ? text.p : "", text.n, part.p, part.n);
}

/* By the nick in the text, XEP-0372 or XEP-0513. */
static bool names_user(struct user *u, const struct xml *el, struct str nick)
{
	struct arena *a = core_arena(u->core);

	if (contains(xml_child_text(a, el, "body", NS_CLIENT), nick))
		return true;
	xml_each(child, el) {
		struct str uri = xml_get(child, "uri");

		if (xml_is(child, "mention", NS_MENTIONS))
			return true;
		if (!xml_is(child, "reference", NS_REFERENCE) || !str_is(xml_get(child, "type"), "mention"))
			continue;
		if (contains(uri, u->jid.full) || (nick.n && str_ends(uri, nick)))
			return true;
	}
	return false;
}

static enum weight message_weight(struct user *u, struct stanza *st, const struct xml *el, struct str nick);

/* XEP-0280: a copy weighs what the message does; a copy of one's own means that the user sits elsewhere. */
static enum weight carbon_weight(struct user *u, const struct xml *carbon)
{
	struct xml *fwd = xml_child(carbon, "forwarded", NS_FORWARD), *inner = fwd ? xml_child(fwd, "message", NS_CLIENT) : NULL;
	struct stanza st;

	if (str_is(carbon->name, "sent"))
		return WEIGHT_LIGHT;
	if (!inner || stanza_from_xml(core_arena(u->core), inner, &st))
		return WEIGHT_WAKE;
	return message_weight(u, &st, inner, STR_NONE);
}

static enum weight message_weight(struct user *u, struct stanza *st, const struct xml *el, struct str nick)
{
	enum weight w = WEIGHT_LIGHT, of_child;
	bool body = xml_child_text(core_arena(u->core), el, "body", NS_CLIENT).n > 0;

	if (st->type == MSG_ERROR)
		return WEIGHT_WAKE;
	xml_each(child, el) {
		if (is_light(child))
			continue;
		if (str_is(child->ns, NS_CARBONS) && !str_is(child->name, "private"))
			return carbon_weight(u, child);
		of_child = heavy_weight(child);
		if (of_child > w)
			w = of_child;
	}
	if (body && w < WEIGHT_MESSAGE)
		w = WEIGHT_MESSAGE;
	if (w == WEIGHT_MESSAGE && st->type == MSG_GROUPCHAT && !names_user(u, el, nick))
		return WEIGHT_ROOM;
	return w;
}

/* A room's answer to joining (status 110) is waited for; other availability is not. */
static enum weight presence_weight(struct stanza *st)
{
	struct str tail;

	if (st->type == PRES_SUBSCRIBE)
		return WEIGHT_MESSAGE;
	if (st->type != PRES_AVAILABLE && st->type != PRES_UNAVAILABLE)
		return WEIGHT_WAKE;
	tail = blob_view(stanza_tail(st));
	return contains(tail, STR(NS_MUC_USER)) && (contains(tail, STR("'110'")) || contains(tail, STR("\"110\""))) ? WEIGHT_WAKE :
														      WEIGHT_LIGHT;
}

enum weight stanza_weight(struct user *u, struct stanza *st, struct str nick)
{
	struct xml *kept = st->el, *el;
	enum weight w;

	if (st->kind == ST_IQ)
		return WEIGHT_WAKE;
	if (st->kind == ST_PRESENCE)
		return presence_weight(st);
	if ((st->type == MSG_CHAT || st->type == MSG_NORMAL) && (st->flags & (SF_BODY | SF_CARBON)) == SF_BODY)
		return WEIGHT_MESSAGE; /* the usual case costs no look inside */
	el = stanza_tree(st, core_arena(u->core));
	w = el ? message_weight(u, st, el, nick) : WEIGHT_WAKE;
	st->el = kept; /* the caller may give the arena back before the stanza ends */
	return w;
}

struct str session_nick(const struct session *s, struct jid room)
{
	const struct directed *d;

	list_each(d, &s->directed, link)
		if (jid_bare_eq(d->to, room))
			return jid_resource(d->to);
	return STR_NONE;
}

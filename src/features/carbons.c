/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0280 1.0.1 Message Carbons. */
#include "core/feature.h"
#include "proto/xmpp/ns.h"

/* §6.1: which messages are eligible. */
static bool eligible(const struct stanza *st)
{
	if (st->flags & (SF_PRIVATE | SF_NO_COPY | SF_CARBON))
		return false;
	if (st->type == MSG_GROUPCHAT || st->type == MSG_HEADLINE)
		return false;
	if (st->flags & SF_MUC_USER)
		return st->type == MSG_CHAT; /* private messages of rooms, not invitations */
	if (st->type == MSG_CHAT || st->type == MSG_ERROR)
		return true;
	return st->flags & (SF_BODY | SF_RECEIPT | SF_MARKER | SF_PAYLOAD);
}

/* The carbon around a copy of the message: <message><sent|received><forwarded>. */
static void wrap(struct transit *t, const char *direction, struct stanza *out)
{
	struct arena *a = core_arena(t->core);
	struct xml *tree = stanza_tree(t->st, a), *dir, *fwd, *copy;

	stanza_new(a, ST_MESSAGE, t->st->type, out);
	out->from = t->user->jid;
	dir = xml_add(a, out->el, direction, NS_CARBONS);
	fwd = xml_add(a, dir, "forwarded", NS_FORWARD);
	if (!tree)
		return;
	copy = xml_copy(a, tree);
	xml_set(a, copy, "from", t->st->from.full);
	xml_set(a, copy, "to", t->st->to.full);
	if (t->id && strcmp(direction, "received") == 0) {
		struct xml *sid = xml_add(a, copy, "stanza-id", NS_SID);

		xml_set(a, sid, "by", t->user->jid.full);
		xml_set(a, sid, "id", archive_id_str(a, t->id));
	} else if (t->sent_id) {
		struct xml *sid = xml_add(a, copy, "stanza-id", NS_SID);

		xml_set(a, sid, "by", t->user->jid.full);
		xml_set(a, sid, "id", archive_id_str(a, t->sent_id));
	}
	xml_append(fwd, copy);
}

/* skip: the session that has it already. */
static void copy_to(struct transit *t, const char *direction, const struct session *skip)
{
	struct session *s;
	struct stanza carbon;
	bool made = false;

	list_each(s, &t->user->sessions, in_user) {
		if (!s->carbons || s == skip)
			continue;
		if (!made)
			wrap(t, direction, &carbon);
		made = true;
		session_send(s, &carbon, &s->jid);
	}
	if (made)
		stanza_fini(&carbon);
}

static enum verdict sent(struct transit *t)
{
	bool own = jid_bare_eq(t->st->from, t->st->to);

	/* What goes to oneself reaches all sessions, or the named one, as it is. */
	if (t->session && eligible(t->st) && !own)
		copy_to(t, "sent", t->session);
	return PASS;
}

/* §7: only what went to one session is copied: to the bare JID all eligible ones got it already. */
static enum verdict received(struct transit *t)
{
	struct session *target, *s;

	if (!t->delivered || !eligible(t->st) || jid_bare_eq(t->st->from, t->st->to))
		return PASS;
	/* §6.1: a room sends its private messages to all of the user's sessions that are inside. */
	if ((t->st->flags & SF_MUC_USER) && !jid_is_bare(t->st->from) && !jid_is_bare(t->st->to))
		return PASS;
	target = jid_is_bare(t->st->to) ? NULL : user_resource(t->user, jid_resource(t->st->to));
	if (target) {
		copy_to(t, "received", target);
		return PASS;
	}
	/* Sessions with carbons that the fan-out left out: not available, or of negative priority. */
	list_each(s, &t->user->sessions, in_user) {
		struct stanza carbon;

		if (!s->carbons || (s->presence && s->priority >= 0))
			continue;
		wrap(t, "received", &carbon);
		session_send(s, &carbon, &s->jid);
		stanza_fini(&carbon);
	}
	return PASS;
}

static void enable(struct iq *iq)
{
	if (!iq->session) {
		iq_error(iq, ERR_FORBIDDEN, NULL);
		return;
	}
	iq->session->carbons = str_is(iq->el->name, "enable");
	iq_result(iq, NULL);
}

static const struct spec specs[] = { { "XEP-0280", "1.0.1" }, { "XEP-0297", "1.0" }, { NULL, NULL } };
static const char *const disco[] = { NS_CARBONS, "urn:xmpp:carbons:rules:0", NULL };
static const struct iq_route routes[] = {
	{ NS_CARBONS, "enable", IQ_ROUTE_SET, TO_SELF | TO_SERVER, enable },
	{ NS_CARBONS, "disable", IQ_ROUTE_SET, TO_SELF | TO_SERVER, enable },
	{ 0 },
};

const struct feature feature_carbons = {
	.name = "carbons",
	.specs = specs,
	.disco_server = disco,
	.disco_account = disco,
	.iq = routes,
	.send = { [SEND_CARBONS] = sent },
	.deliver = { [DELIVER_CARBONS] = received },
};

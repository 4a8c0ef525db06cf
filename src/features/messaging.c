/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Delivery of messages to an account's sessions: RFC 6121 §8.5, XEP-0160 1.0.1, XEP-0359 0.7.0 (what servers must take out). */
#include "core/feature.h"
#include "core/offline.h"
#include "proto/xmpp/ns.h"

/* SEND_STAMP: what only a server may say is taken out of what a client says. */
static enum verdict stamp(struct transit *t)
{
	struct xml *el = t->st->el, *child, *next;
	bool changed = false;

	for (child = el ? xml_child_any(el) : NULL; child; child = next) {
		next = xml_next(child);
		/* XEP-0359 §6: a stanza-id of this server's entities is made here only. */
		if (xml_is(child, "stanza-id", NS_SID)) {
			xml_detach(child);
			changed = true;
		} else if (xml_is(child, "delay", NS_DELAY) && core_host(t->core, xml_get(child, "from"))) {
			xml_detach(child);
			changed = true;
		}
	}
	if (changed)
		stanza_touched(t->st);
	return PASS;
}

static bool takes_messages(const struct session *s)
{
	return s->presence && s->priority >= 0;
}

/* RFC 6121 §8.5.2.1.1: to every available session that is not of negative priority. */
static void to_all(struct transit *t)
{
	struct session *s;

	list_each(s, &t->user->sessions, in_user) {
		if (!takes_messages(s))
			continue;
		session_send(s, t->st, NULL);
		t->delivered = true;
	}
}

static void unavailable(struct transit *t, const char *reason)
{
	router_error(t->core, t->st, ERR_SERVICE_UNAVAILABLE, NULL);
	t->reason = reason;
}

/* To a full JID: RFC 6121 §8.5.3. */
static enum verdict to_full(struct transit *t)
{
	struct session *s = user_resource(t->user, jid_resource(t->st->to));

	if (s) {
		session_send(s, t->st, NULL);
		t->delivered = true;
		return PASS;
	}
	if (t->st->type == MSG_CHAT) { /* §8.5.3.2.1: as to the bare JID */
		to_all(t);
		return PASS;
	}
	if (t->st->type == MSG_GROUPCHAT || t->st->type == MSG_NORMAL)
		unavailable(t, "no such resource");
	return STOP;
}

/* To the bare JID: RFC 6121 §8.5.2. */
static enum verdict to_bare(struct transit *t)
{
	if (t->st->type == MSG_GROUPCHAT) {
		unavailable(t, "groupchat to an account");
		return STOP;
	}
	if (t->st->type == MSG_ERROR)
		return STOP;
	to_all(t);
	return t->st->type == MSG_HEADLINE ? STOP : PASS;
}

static enum verdict fanout(struct transit *t)
{
	return jid_is_bare(t->st->to) ? to_bare(t) : to_full(t);
}

static enum verdict offline(struct transit *t)
{
	if (t->delivered || !offline_worthy(t->st))
		return PASS;
	if (!offline_is_full(t->user)) {
		t->offline = true;
		return PASS;
	}
	t->reason = "too many offline messages";
	if (t->id) /* the archive keeps it */
		return PASS;
	router_error(t->core, t->st, ERR_SERVICE_UNAVAILABLE, "Too many messages wait for this person already.");
	return STOP;
}

static const struct option options[] = {
	{ "offline.max", OPT_INT, "20000", 0, 1000000, NULL, "Messages that wait for one account's next sign-in; the archive goes on." },
	{ NULL },
};
static const struct spec specs[] = { { "RFC 6121", "2011-03" }, { "XEP-0160", "1.0.1" }, { "XEP-0359", "0.7.0" },
	{ "XEP-0334", "0.4.0" }, { NULL, NULL } };
static const char *const disco_account[] = { NS_SID, NULL };
static const char *const disco_server[] = { "msgoffline", NS_SID, NULL };

const struct feature feature_messaging = {
	.name = "messaging",
	.specs = specs,
	.disco_server = disco_server,
	.disco_account = disco_account,
	.send = { [SEND_STAMP] = stamp },
	.options = options,
	.user_kind = "spool",
	.user_item = offline_load,
	.deliver = { [DELIVER_FANOUT] = fanout, [DELIVER_OFFLINE] = offline },
};

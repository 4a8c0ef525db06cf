/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0283 0.2.0 Moved: a subscription request that says "I was OLD" is checked at OLD on the user's behalf, and answered for him when
 * OLD says so too. Anything else about it makes it an ordinary request. The statement of one's own move is an item of personal eventing. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/ask.h"
#include "core/feature.h"
#include "core/presence.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

enum { MOVED_ASKS_MAX = 5 /* questions of one account at a time: others are ordinary requests */ };

/* A request that waits for the word of the old account. */
struct move {
	struct core *core;
	struct jid user, old; /* own bytes */
	struct blob *packed;  /* the request */
	struct jid new_jid;   /* own bytes; empty: the old account does not confirm */
};

static void move_free(struct move *m)
{
	free((void *)m->user.full.p);
	free((void *)m->old.full.p);
	free((void *)m->new_jid.full.p);
	blob_unref(m->packed);
	free(m);
}

static uintptr_t asking(const struct user *u)
{
	return (uintptr_t)u->slot[USER_SLOT_MOVED];
}

static void set_asking(struct user *u, uintptr_t n)
{
	u->slot[USER_SLOT_MOVED] = (void *)n; /* NOLINT(performance-no-int-to-ptr): a count, not an address */
}

/* A stanza of the user's own to this address. */
static void subscription(struct user *u, enum stanza_type type, struct jid to)
{
	struct stanza st;

	stanza_new(core_arena(u->core), ST_PRESENCE, type, &st);
	st.from = u->jid;
	st.to = to;
	subscription_out(u, &st);
	stanza_fini(&st);
}

/* §4.4: allows the new address, revokes the old one, seeks the other direction if there was one. */
static void accept_move(struct user *u, const struct move *m, struct stanza *st)
{
	struct contact *old = roster_get(u, m->old.full), *c = roster_need(u, m->new_jid);
	bool both;

	if (!old || !roster_sees_us(old) || !c) { /* changed meanwhile */
		subscription_in(u, st);
		return;
	}
	both = roster_we_see(old);
	if (!c->name && old->name)
		c->name = mem_strdup(old->name);
	c->approved = c->listed = true;
	log_info("contact.moved", "account=%.*s", STR_ARG(u->jid.full));
	subscription_in(u, st);
	subscription(u, PRES_UNSUBSCRIBED, m->old);
	if (both)
		subscription(u, PRES_SUBSCRIBE, m->new_jid);
}

static void on_user(struct user *u, void *arg)
{
	struct move *m = arg;
	struct stanza st;

	if (u && u->state == USER_READY && !u->leaving && !stanza_unpack(blob_view(m->packed), &st)) {
		if (asking(u))
			set_asking(u, asking(u) - 1);
		if (m->new_jid.full.n && jid_eq(m->new_jid, jid_bare(st.from)))
			accept_move(u, m, &st);
		else
			subscription_in(u, &st);
		stanza_fini(&st);
	}
	move_free(m);
}

/* The address in a statement, or in the URI of <gone/> (§4.3, note). */
static struct str statement(struct arena *a, struct stanza *reply)
{
	struct xml *el = stanza_tree(reply, a), *error = xml_child(el, "error", NS_CLIENT);
	struct xml *items = xml_child(xml_child(el, "pubsub", NS_PUBSUB), "items", NULL), *moved;
	struct str uri;

	if (reply->type == IQ_ERROR) {
		uri = str_trim(xml_child_text(a, error, "gone", NS_STANZA_ERRORS));
		return str_starts(uri, STR("xmpp:")) ? (struct str){ uri.p + 5, uri.n - 5 } : STR_NONE;
	}
	if (!str_is(xml_get(items, "node"), NS_MOVED))
		return STR_NONE;
	moved = xml_child(xml_child(items, "item", NULL), "moved", NS_MOVED);
	return str_trim(xml_child_text(a, moved, "new-jid", NULL));
}

static void on_reply(struct core *c, struct stanza *reply, void *arg)
{
	struct move *m = arg;
	struct arena *a = core_arena(c);
	struct str text = reply ? statement(a, reply) : STR_NONE;
	struct jid j;

	if (c->closing) {
		move_free(m);
		return;
	}
	if (text.n && !jid_parse(a, text, &j) && jid_is_bare(j))
		m->new_jid = jid_dup(j);
	user_with(c, m->user.full, on_user, m);
}

static struct xml *question(struct arena *a)
{
	struct xml *pubsub = xml_new(a, "pubsub", NS_PUBSUB), *items = xml_add(a, pubsub, "items", NULL);

	xml_set(a, items, "node", STR(NS_MOVED));
	xml_set(a, xml_add(a, items, "item", NULL), "id", STR("current"));
	return pubsub;
}

/* §4.4, steps 1 to 3. Returns true when the request waits for the answer. */
static bool on_subscribe_in(struct user *u, struct stanza *st)
{
	struct arena *a = core_arena(u->core);
	struct xml *moved = xml_child(stanza_tree(st, a), "moved", NS_MOVED);
	struct str text = moved ? str_trim(xml_child_text(a, moved, "old-jid", NULL)) : STR_NONE;
	struct jid old;
	struct move *m;

	if (!text.n || jid_parse(a, text, &old) || !jid_is_bare(old) || jid_bare_eq(old, st->from))
		return false;
	if (!roster_sees_us(roster_get(u, old.full)) || roster_sees_us(roster_get(u, jid_bare_str(st->from))))
		return false;
	if (asking(u) >= MOVED_ASKS_MAX)
		return false;
	m = mem_zalloc(sizeof(*m));
	m->core = u->core;
	m->user = jid_dup(u->jid);
	m->old = jid_dup(old);
	m->packed = stanza_pack(st);
	set_asking(u, asking(u) + 1);
	if (!iq_ask(u->core, &(struct question){ .from = m->user, .to = m->old, .type = IQ_GET, .payload = question(a), .fn = on_reply, .arg = m }))
		return true;
	set_asking(u, asking(u) - 1);
	move_free(m);
	return false;
}

static const struct spec specs[] = { { "XEP-0283", "0.2.0" }, { NULL, NULL } };

const struct feature feature_moved = {
	.name = "moved",
	.specs = specs,
	.on_subscribe_in = on_subscribe_in,
};

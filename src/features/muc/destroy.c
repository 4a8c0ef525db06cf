/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §10.9: the end of a room. One that names an alternate venue leaves a grave for GRAVE_DAYS: who comes is sent there (<gone/>), and
 * only who destroyed it may use the name again. Row: owner = room, kind "room", key "grave", value ms, U+0001, owner, U+0001, venue. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

enum { GRAVE_DAYS = 30 };

static struct str destroy_bytes(struct arena *a, const struct xml *given)
{
	struct str venue = given ? xml_get(given, "jid") : STR_NONE, reason = xml_child_text(a, given, "reason", NULL), out;
	struct str password = xml_child_text(a, given, "password", NULL);
	struct xml *el = xml_new(a, "destroy", NS_MUC_USER);
	struct buf b = { 0 };
	struct jid j;

	if (venue.p && !jid_parse(a, venue, &j))
		xml_set(a, el, "jid", j.full);
	if (password.n && password.n <= MUC_SECRET_MAX)
		xml_add_text(a, el, "password", password);
	if (reason.n && reason.n <= MUC_REASON_MAX)
		xml_add_text(a, el, "reason", reason);
	xml_write(&b, el, STR(NS_MUC_USER));
	out = arena_str(a, buf_view(&b));
	buf_free(&b);
	return out;
}

/* Behind room_forget: only this row is left of the room. */
static void dig(struct room *r, struct str owner, const struct xml *given)
{
	struct arena *a = core_arena(r->core);
	struct store_batch *b;
	struct jid venue;

	if (!given || jid_parse(a, xml_get(given, "jid"), &venue) || jid_bare_eq(venue, r->jid))
		return;
	b = store_batch_new();
	store_put(b, r->jid.full, STR("room"), STR("grave"), arena_printf(a, "%llu\x01%.*s\x01%.*s",
		(unsigned long long)(clock_wall_ms() + GRAVE_DAYS * 86400000ull), STR_ARG(owner), STR_ARG(jid_bare_str(venue))));
	room_commit(r, b, NULL);
}

void room_destroy(struct room *r, struct iq *iq, const struct xml *given)
{
	struct notice n = { .type = PRES_UNAVAILABLE, .no_affil = true, .extra = destroy_bytes(core_arena(r->core), given) };
	struct occupant **v;
	size_t count = room_everybody(r, &v);

	/* Each hears of itself only. */
	for (size_t i = 0; i < count; i++) {
		struct seat *s;

		list_each(s, &v[i]->seats, in_occupant)
			occupant_show(v[i], &n, s);
	}
	log_info("muc.destroy", "room=%.*s", STR_ARG(r->jid.full));
	occupants_free(r);
	room_forget(r);
	dig(r, jid_bare_str(iq->st->from), given);
	iq_result(iq, NULL);
}

void grave_load(struct room *r, struct str value)
{
	free(r->grave);
	r->grave = str_dup(value);
}

bool grave_refuses(struct room *r, struct stanza *st)
{
	struct arena *a = core_arena(r->core);
	struct str rest, venue, until = str_cut(str_of(r->grave), '\x01', &rest), owner = str_cut(rest, '\x01', &venue);
	struct stanza err;
	uint64_t ms;
	struct xml *gone;

	if (!r->grave || str_u64(until, UINT64_MAX, &ms) || ms < clock_wall_ms() || str_eq(owner, jid_bare_str(st->from)))
		return false;
	if (!stanza_error_reply(a, st, ERR_GONE, "This room has moved.", &err))
		return true;
	gone = xml_child(xml_child(err.el, "error", NULL), "gone", NS_STANZA_ERRORS);
	xml_text(a, gone, arena_printf(a, "xmpp:%.*s?join", STR_ARG(venue))); /* RFC 6120 §8.3.3.5 */
	stanza_touched(&err);
	router_route(r->core, &err);
	stanza_fini(&err);
	return true;
}


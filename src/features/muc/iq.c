/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* IQs to a room, and between its occupants by their occupant JIDs (XEP-0045 business rules for IQs, XEP-0410 1.1). The id stays as it is: who asked
 * whom is kept here until the answer comes, so that it finds the session that asked. */
#include <stdlib.h>

#include "base/mem.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

/* ---- requests under way ---- */

static char *put(char *p, struct str from, struct str *to)
{
	if (from.n)
		memcpy(p, from.p, from.n);
	*to = (struct str){ p, from.n };
	return p + from.n;
}

static void wait_for(struct room *r, struct jid asker, struct jid answerer, struct stanza *st)
{
	struct iq_wait *w = mem_alloc(sizeof(*w) + asker.full.n + answerer.full.n + st->to.full.n + st->id.n), **slot;
	char *p = w->bytes;

	*w = (struct iq_wait){ .asker = asker, .answerer = answerer, .asked = st->to };
	p = put(p, asker.full, &w->asker.full);
	p = put(p, answerer.full, &w->answerer.full);
	p = put(p, st->to.full, &w->asked.full);
	put(p, st->id, &w->id);
	if (!r->iqs)
		r->iqs = mem_zalloc(MUC_IQS_MAX * sizeof(struct iq_wait *));
	slot = &r->iqs[r->iqs_at++ % MUC_IQS_MAX];
	free(*slot);
	*slot = w;
}

static struct iq_wait *take_wait(struct room *r, const struct stanza *st)
{
	for (uint32_t i = 0; r->iqs && i < MUC_IQS_MAX; i++) {
		struct iq_wait *w = r->iqs[i];

		if (!w || !str_eq(w->id, st->id) || !jid_eq(w->answerer, st->from))
			continue;
		r->iqs[i] = NULL;
		return w;
	}
	return NULL;
}

void room_iq_free(struct room *r)
{
	for (uint32_t i = 0; r->iqs && i < MUC_IQS_MAX; i++)
		free(r->iqs[i]);
	free(r->iqs);
	r->iqs = NULL;
}

static void forward(struct room *r, struct stanza *st, struct jid from, struct jid to)
{
	struct stanza out = *st;

	out.tail = blob_ref(stanza_tail(st));
	out.el = NULL;
	out.packed_tail = STR_NONE;
	out.from = from;
	out.to = to;
	router_route(r->core, &out);
	stanza_fini(&out);
}

/* ---- occupants ---- */

/* What a server answers for its user goes to the bare JID, as avatars do. */
static bool is_for_account(const struct xml *el)
{
	return str_is(el->ns, NS_VCARD) || str_is(el->ns, NS_PUBSUB);
}

static void request_to_occupant(struct room *r, struct stanza *st, const struct xml *el)
{
	struct seat *s = seat_find(r, st->from);
	struct occupant *to = occupant_find(r, jid_resource(st->to));
	struct jid real;

	if (!s) {
		/* §6.6; XEP-0410 §3.2 */
		bool disco = str_is(el->ns, NS_DISCO_INFO) || str_is(el->ns, NS_DISCO_ITEMS);

		router_error(r->core, st, disco ? ERR_BAD_REQUEST : ERR_NOT_ACCEPTABLE, NULL);
	} else if (!to) {
		router_error(r->core, st, ERR_ITEM_NOT_FOUND, NULL);
	} else if (to == s->o && xml_is(el, "ping", NS_PING)) { /* XEP-0410 §3.3 */
		struct iq iq = { .core = r->core, .st = st };

		iq_result(&iq, NULL);
	} else {
		real = is_for_account(el) ? to->real : to->shown->real.jid;
		wait_for(r, st->from, real, st);
		forward(r, st, s->o->jid, real);
	}
}

static void answer_to_occupant(struct room *r, struct stanza *st)
{
	struct iq_wait *w = take_wait(r, st);

	if (w && seat_find(r, w->asker))
		forward(r, st, w->asked, w->asker);
	free(w);
}

/* ---- the room itself ---- */

static void pong(struct room *r, struct iq *iq)
{
	(void)r;
	iq_result(iq, NULL);
}

static const struct room_route {
	const char *ns;
	uint8_t types;
	void (*handle)(struct room *r, struct iq *iq);
} ROUTES[] = {
	{ NS_DISCO_INFO, IQ_ROUTE_GET, room_disco_info },
	{ NS_DISCO_ITEMS, IQ_ROUTE_GET, room_disco_items },
	{ NS_MUC_ADMIN, IQ_ROUTE_GET | IQ_ROUTE_SET, room_admin },
	{ NS_MUC_OWNER, IQ_ROUTE_GET | IQ_ROUTE_SET, room_owner },
	{ NS_MAM, IQ_ROUTE_GET | IQ_ROUTE_SET, room_mam },
	{ NS_REGISTER, IQ_ROUTE_GET | IQ_ROUTE_SET, room_register },
	{ NS_VCARD, IQ_ROUTE_GET | IQ_ROUTE_SET, room_vcard },
	{ NS_MENTIONS, IQ_ROUTE_GET | IQ_ROUTE_SET, room_mentions },
	{ NS_COMMANDS, IQ_ROUTE_SET, room_command },
	{ NS_MODERATE, IQ_ROUTE_SET, room_moderate },
	{ NS_PING, IQ_ROUTE_GET, pong },
};

static void request_to_room(struct room *r, struct iq *iq)
{
	uint8_t type = iq->st->type == IQ_GET ? IQ_ROUTE_GET : IQ_ROUTE_SET;

	if (r->state == ROOM_LOCKED && room_affil_of(r, iq->st->from) != AFFIL_OWNER) {
		iq_error(iq, ERR_ITEM_NOT_FOUND, NULL);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
		if ((ROUTES[i].types & type) && str_is(iq->el->ns, ROUTES[i].ns)) {
			ROUTES[i].handle(r, iq);
			return;
		}
	}
	iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

void room_iq(struct room *r, struct transit *t)
{
	struct stanza *st = t->st;
	struct xml *tree;
	struct iq iq = { .core = r->core, .st = st };

	if (st->type != IQ_GET && st->type != IQ_SET) {
		if (!jid_is_bare(st->to))
			answer_to_occupant(r, st);
		return;
	}
	tree = stanza_tree(st, core_arena(r->core));
	iq.el = tree ? xml_child_any(tree) : NULL;
	if (!iq.el)
		iq_error(&iq, ERR_BAD_REQUEST, NULL);
	else if (r->state == ROOM_ABSENT)
		iq_error(&iq, jid_is_bare(st->to) ? ERR_ITEM_NOT_FOUND : ERR_NOT_ACCEPTABLE, NULL);
	else if (jid_is_bare(st->to))
		request_to_room(r, &iq);
	else
		request_to_occupant(r, st, iq.el);
}

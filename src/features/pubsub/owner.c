/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §8.8, §8.9: owners manage subscriptions and affiliations. What cannot be changed comes back as it is, in a
 * not-acceptable error; the rest of the request holds. */
#include "features/pubsub/pubsub.h"

/* ---- what failed ---- */

struct failed {
	struct xml *pubsub, *list; /* NULL: nothing yet */
};

static void failed_add(struct ps_req *r, struct failed *f, const char *list, const char *row, struct str jid, const char *is)
{
	struct xml *el;

	if (!f->list)
		f->pubsub = ps_reply(r, list, &f->list);
	el = xml_add(r->a, f->list, row, NULL);
	xml_set(r->a, el, "jid", arena_str(r->a, jid));
	xml_set(r->a, el, row, str_of(is));
}

/* The result of a change, or the error with what failed in place of the request's payload. */
static void answer(struct ps_req *r, struct failed *f, struct store_batch *b)
{
	struct stanza err;

	if (!f->list) {
		ps_answer(r->h, r->iq, b, NULL);
		return;
	}
	ps_commit(r->h, b);
	stanza_new(r->a, ST_IQ, IQ_ERROR, &err);
	err.from = r->iq->st->to;
	err.to = r->iq->st->from;
	err.id = r->iq->st->id;
	xml_append(err.el, f->pubsub);
	stanza_error_add(r->a, err.el, ERR_NOT_ACCEPTABLE, NULL);
	router_route(r->h->core, &err);
	stanza_fini(&err);
}

/* ---- affiliations (§8.9) ---- */

static void affil_row(struct ps_req *r, struct xml *list, struct str jid, enum ps_affil affil)
{
	struct xml *el = xml_add(r->a, list, "affiliation", NULL);

	xml_set(r->a, el, "jid", jid);
	xml_set(r->a, el, "affiliation", str_of(ps_affil_names[affil]));
}

bool ps_owner_affils_get(struct ps_req *r)
{
	struct xml *list, *reply = ps_reply(r, "affiliations", &list);
	struct str key;
	uint32_t pos = 0;
	void *value;

	if (r->h->user)
		affil_row(r, list, r->h->jid.full, AFFIL_OWNER);
	while (map_next(&r->n->affils, &pos, &key, &value))
		if (!r->h->user || !str_eq(key, r->h->jid.full))
			affil_row(r, list, key, ((struct ps_affiliate *)value)->affil);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

static uint32_t owners_of(const struct ps_node *n)
{
	struct str key;
	uint32_t pos = 0, owners = n->host->user != NULL;
	void *value;

	while (map_next(&n->affils, &pos, &key, &value))
		owners += ((struct ps_affiliate *)value)->affil == AFFIL_OWNER;
	return owners;
}

static bool affil_read(struct str text, enum ps_affil *out)
{
	for (int i = AFFIL_NONE; i < AFFILS; i++) {
		if (str_is(text, ps_affil_names[i])) {
			*out = (enum ps_affil)i;
			return true;
		}
	}
	return false;
}

/* §8.9.2.4: the last owner stays one, and an account owns its nodes. */
static bool affil_may_change(const struct ps_node *n, struct jid j, enum ps_affil from, enum ps_affil to)
{
	if (n->host->user && jid_bare_eq(n->host->jid, j))
		return to == AFFIL_OWNER;
	return from != AFFIL_OWNER || to == AFFIL_OWNER || owners_of(n) > 1;
}

/* §8.7: who was let in or thrown out waits no longer. */
static void subs_follow(struct ps_node *n, struct jid who, enum ps_affil to, struct store_batch *b)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		struct ps_sub *s = value;

		if (!jid_bare_eq(jid_trust(s->jid), who))
			continue;
		if (to == AFFIL_OUTCAST || !ps_may_see(n, who, true).ok) {
			ps_event_subscription(n, s->jid, SUB_NONE);
			ps_sub_remove(n, s, b);
		} else if (s->state == SUB_PENDING && to >= AFFIL_MEMBER) {
			s->state = SUB_SUBSCRIBED;
			ps_event_subscription(n, s->jid, SUB_SUBSCRIBED);
			ps_sub_save(n, s, b);
		}
	}
}

static void affil_change(struct ps_req *r, const struct xml *row, struct failed *f, struct store_batch *b)
{
	struct str text = xml_get(row, "affiliation");
	enum ps_affil from, to;
	struct jid j;

	if (!text.p)
		return; /* unchanged */
	if (jid_parse(r->a, xml_get(row, "jid"), &j) || j.full.n > PS_JID_MAX) {
		failed_add(r, f, "affiliations", "affiliation", xml_get(row, "jid"), "none");
		return;
	}
	j = jid_bare(j); /* §4.1: affiliations are of bare addresses */
	from = ps_affil_of(r->n, j);
	if (!affil_read(text, &to) || !affil_may_change(r->n, j, from, to) || ps_affil_set(r->n, j.full, to, b)) {
		failed_add(r, f, "affiliations", "affiliation", j.full, ps_affil_names[from]);
		return;
	}
	subs_follow(r->n, j, to, b);
}

/* §8.9.2.4: nobody twice, and not too many. */
static bool rows_ok(struct ps_req *r, const char *row, bool unique)
{
	uint32_t n = 0;

	for (const struct xml *el = xml_child(r->el, row, NULL); el; el = xml_next_same(el)) {
		if (++n > PS_CHANGES_MAX)
			break;
		for (const struct xml *o = xml_next_same(el); unique && o; o = xml_next_same(o))
			if (str_eq(xml_get(el, "jid"), xml_get(o, "jid")))
				n = PS_CHANGES_MAX + 1;
	}
	if (n && n <= PS_CHANGES_MAX)
		return true;
	ps_error(r, ERR_BAD_REQUEST, NULL);
	return false;
}

bool ps_owner_affils_set(struct ps_req *r)
{
	struct store_batch *b;
	struct failed f = { 0 };

	if (!rows_ok(r, "affiliation", true))
		return true;
	b = store_batch_new();
	for (const struct xml *el = xml_child(r->el, "affiliation", NULL); el; el = xml_next_same(el))
		affil_change(r, el, &f, b);
	answer(r, &f, b);
	return true;
}

/* ---- subscriptions (§8.8) ---- */

bool ps_owner_subs_get(struct ps_req *r)
{
	struct xml *list, *el, *reply = ps_reply(r, "subscriptions", &list);
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&r->n->subs, &pos, &key, &value)) {
		const struct ps_sub *s = value;

		if (s->state != SUB_SUBSCRIBED || ps_sub_expired(s))
			continue;
		el = xml_add(r->a, list, "subscription", NULL);
		xml_set(r->a, el, "jid", s->jid);
		xml_set(r->a, el, "subscription", str_of(ps_state_names[s->state]));
	}
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

static void sub_change(struct ps_req *r, const struct xml *row, struct failed *f, struct store_batch *b)
{
	struct str text = xml_get(row, "subscription");
	bool on = str_is(text, "subscribed"), off = str_is(text, "none");
	enum ps_state was;
	struct ps_sub *s;
	struct jid j;

	if (!text.p)
		return;
	if (jid_parse(r->a, xml_get(row, "jid"), &j)) {
		failed_add(r, f, "subscriptions", "subscription", xml_get(row, "jid"), "none");
		return;
	}
	s = map_get(&r->n->subs, j.full);
	was = s ? s->state : SUB_NONE;
	if (off && !s)
		return;
	/* Nobody elsewhere is sent events that he did not ask for. */
	if (on && !s && ps_affil_of(r->n, j) != AFFIL_OUTCAST && router_home(r->h->core, j))
		s = ps_sub_need(r->n, j.full);
	if ((!on && !off) || !s) {
		failed_add(r, f, "subscriptions", "subscription", j.full, ps_state_names[was]);
		return;
	}
	if (on) {
		s->state = SUB_SUBSCRIBED;
		ps_sub_save(r->n, s, b);
	} else {
		ps_sub_remove(r->n, s, b);
	}
	if ((on ? SUB_SUBSCRIBED : SUB_NONE) != was)
		ps_event_subscription(r->n, j.full, on ? SUB_SUBSCRIBED : SUB_NONE);
}

bool ps_owner_subs_set(struct ps_req *r)
{
	struct store_batch *b;
	struct failed f = { 0 };

	if (!rows_ok(r, "subscription", true))
		return true;
	b = store_batch_new();
	for (const struct xml *el = xml_child(r->el, "subscription", NULL); el; el = xml_next_same(el))
		sub_change(r, el, &f, b);
	answer(r, &f, b);
	return true;
}

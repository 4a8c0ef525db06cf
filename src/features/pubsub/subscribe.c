/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 §6.1 to §6.4, §5.6, §5.7: subscriptions of the one who asks, their options, and its affiliations. One subscription
 * per address: there are no SubIDs. */
#include <errno.h>

#include "base/clock.h"
#include "features/pubsub/fan.h"
#include "features/pubsub/pubsub.h"

enum { SHOW_ALL = (1 << ARRAY_LEN(fan_shows)) - 1 };

/* ---- options (§6.3) ---- */

struct options {
	bool deliver;
	uint8_t show;
	uint64_t expire_ms;
};

static int read_show(struct arena *a, const struct xml *field, struct options *o)
{
	o->show = 0;
	for (const struct xml *v = xml_child(field, "value", NULL); v; v = xml_next_same(v)) {
		struct str s = xml_text_of(a, v);
		size_t i = 0;

		while (i < ARRAY_LEN(fan_shows) && !str_is(s, fan_shows[i]))
			i++;
		if (i == ARRAY_LEN(fan_shows))
			return -EINVAL;
		o->show |= (uint8_t)(1 << i);
	}
	if (o->show == SHOW_ALL)
		o->show = 0;
	return 0;
}

static int read_expire(struct str v, struct options *o)
{
	if (v.n == 0) {
		o->expire_ms = 0;
		return 0;
	}
	return time_parse(v, &o->expire_ms) || o->expire_ms <= clock_wall_ms() ? -EINVAL : 0;
}

/* Fields that are not offered are passed over. */
static int read_options(struct arena *a, const struct xml *form, struct options *o)
{
	int rc = form_bool(a, form, "pubsub#deliver", &o->deliver);

	if (rc && rc != -ENOENT)
		return -EINVAL;
	for (const struct xml *f = xml_child(form, "field", NULL); f; f = xml_next_same(f)) {
		struct str var = xml_get(f, "var"), v = str_trim(xml_child_text(a, f, "value", NULL));

		rc = 0;
		if (str_is(var, "pubsub#show-values"))
			rc = read_show(a, f, o);
		else if (str_is(var, "pubsub#expire"))
			rc = read_expire(v, o);
		else if (str_is(var, "pubsub#digest") || str_is(var, "pubsub#include_body")) /* never here */
			rc = str_is(v, "0") || str_is(v, "false") ? 0 : -EINVAL;
		if (rc)
			return rc;
	}
	return 0;
}

static void write_options(struct arena *a, struct xml *parent, const char *type, const struct options *o)
{
	struct xml *form = form_new(a, parent, type, NS_PUBSUB_SUBSCRIBE_OPTIONS), *el;
	bool people = type[0] == 'f';

	form_field(a, form, people ? "boolean" : NULL, "pubsub#deliver", people ? "Send notifications" : NULL,
		o->deliver ? STR("1") : STR("0"));
	form_field(a, form, people ? "text-single" : NULL, "pubsub#expire", people ? "When the subscription ends" : NULL,
		o->expire_ms ? time_format(a, o->expire_ms) : STR(""));
	el = form_field(a, form, people ? "list-multi" : NULL, "pubsub#show-values", people ? "Only while I am" : NULL, STR_NONE);
	for (size_t i = 0; i < ARRAY_LEN(fan_shows); i++) {
		if (people)
			form_option(a, el, NULL, fan_shows[i]);
		if (!o->show || (o->show & 1 << i))
			xml_add_text(a, el, "value", str_of(fan_shows[i]));
	}
}

static struct options options_of(const struct ps_sub *s)
{
	return (struct options){ .deliver = !s || s->deliver, .show = s ? s->show : 0, .expire_ms = s ? s->expire_ms : 0 };
}

static void apply(struct ps_sub *s, const struct options *o)
{
	s->deliver = o->deliver;
	s->show = o->show;
	s->expire_ms = o->expire_ms;
}

/* The subscription that an options request is about; answers and returns NULL when there is none. */
static struct ps_sub *sub_of_options(struct ps_req *r)
{
	struct str text = xml_get(r->el, "jid");
	struct ps_sub *s = NULL;
	struct jid j;

	if (!text.n)
		ps_error(r, ERR_BAD_REQUEST, "jid-required");
	else if (jid_parse(r->a, text, &j))
		ps_error(r, ERR_BAD_REQUEST, "invalid-jid");
	else if (!jid_bare_eq(j, r->who))
		ps_error(r, ERR_FORBIDDEN, NULL);
	else {
		s = map_get(&r->n->subs, j.full);
		if (!s || s->state != SUB_SUBSCRIBED)
			ps_error(r, ERR_UNEXPECTED_REQUEST, "not-subscribed");
	}
	return s && s->state == SUB_SUBSCRIBED ? s : NULL;
}

bool ps_options_get(struct ps_req *r)
{
	struct ps_sub *s = sub_of_options(r);
	struct options o = options_of(s);
	struct xml *el, *reply;

	if (!s)
		return true;
	reply = ps_reply(r, "options", &el);
	xml_set(r->a, el, "jid", arena_str(r->a, s->jid));
	write_options(r->a, el, "form", &o);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

bool ps_options_set(struct ps_req *r)
{
	const struct xml *form = form_find(r->el, NULL, NULL);
	struct ps_sub *s = sub_of_options(r);
	struct options o = options_of(s);
	struct store_batch *b = NULL;

	if (!s)
		return true;
	if (!form || (!str_is(xml_get(form, "type"), "cancel") && read_options(r->a, form, &o))) {
		ps_error(r, ERR_BAD_REQUEST, "invalid-options");
		return true;
	}
	if (!str_is(xml_get(form, "type"), "cancel")) {
		apply(s, &o);
		b = store_batch_new();
		ps_sub_save(r->n, s, b);
	}
	ps_answer(r->h, r->iq, b, NULL);
	return true;
}

bool ps_default_sub(struct ps_req *r)
{
	struct options o = options_of(NULL);
	struct xml *el, *reply;

	if (r->node.n && !r->n) {
		ps_error(r, ERR_ITEM_NOT_FOUND, NULL);
		return true;
	}
	reply = ps_reply(r, "default", &el);
	write_options(r->a, el, "form", &o);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

/* ---- subscribe (§6.1) ---- */

/* The address to be subscribed; answers and returns false when it is not the asker's own. */
static bool own_jid(struct ps_req *r, struct jid *out)
{
	struct str text = xml_get(r->el, "jid");

	if (!text.n)
		ps_error(r, ERR_BAD_REQUEST, "jid-required");
	else if (text.n > PS_JID_MAX || jid_parse(r->a, text, out) || !jid_bare_eq(*out, r->who))
		ps_error(r, ERR_BAD_REQUEST, "invalid-jid");
	else
		return true;
	return false;
}

static uint32_t subs_of(const struct ps_node *n, struct jid who)
{
	struct str key, bare = jid_bare_str(who);
	uint32_t pos = 0, count = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value))
		count += str_starts(key, bare) && (key.n == bare.n || key.p[bare.n] == '/');
	return count;
}

static bool too_many(struct ps_req *r)
{
	struct str key;
	uint32_t pos = 0, all = 0;
	void *value;

	if (r->n->subs.n >= PS_SUBS_MAX || subs_of(r->n, r->who) >= PS_RESOURCES_MAX)
		return true;
	while (map_next(&r->h->nodes, &pos, &key, &value))
		all += map_get(&((struct ps_node *)value)->subs, r->who.full) != NULL;
	return all >= PS_SUBS_OF_JID_MAX;
}

static struct xml *subscription(struct ps_req *r, struct str jid, enum ps_state state)
{
	struct xml *el, *reply = ps_reply(r, "subscription", &el);

	xml_set(r->a, el, "jid", arena_str(r->a, jid));
	xml_set(r->a, el, "subscription", str_of(ps_state_names[state]));
	return reply;
}

/* Answers and returns false when the node does not want this subscriber. */
static bool may_subscribe(struct ps_req *r, const struct ps_sub *old)
{
	struct ps_verdict v = ps_may_see(r->n, r->who, true);

	if (!v.ok)
		ps_error(r, v.error, v.cond);
	else if (!r->n->cfg.subscribe)
		ps_unsupported(r, "subscribe");
	else if (old && old->state == SUB_PENDING)
		ps_error(r, ERR_NOT_AUTHORIZED, "pending-subscription");
	else if (!old && too_many(r))
		ps_error(r, ERR_POLICY_VIOLATION, "too-many-subscriptions");
	else
		return true;
	return false;
}

static void subscribed(struct ps_req *r, struct ps_sub *s, const struct options *o, bool with_options)
{
	bool fresh = s->state == SUB_NONE;
	bool waits = r->n->cfg.access == ACCESS_AUTHORIZE && r->affil == AFFIL_NONE && s->state != SUB_SUBSCRIBED;
	struct store_batch *b = store_batch_new();
	struct jid to = jid_copy(r->a, jid_trust(s->jid));
	struct xml *reply;

	s->state = waits ? SUB_PENDING : SUB_SUBSCRIBED;
	apply(s, o);
	ps_sub_save(r->n, s, b);
	reply = subscription(r, s->jid, s->state);
	if (with_options)
		write_options(r->a, xml_add(r->a, reply, "options", NULL), "result", o);
	if (waits)
		ps_authorize_ask(r->n, s);
	else if (fresh)
		ps_event_sub_to_owners(r->n, to.full, SUB_SUBSCRIBED);
	if (!waits && fresh && r->n->cfg.send_last != LAST_NEVER)
		ps_event_last(r->n, to, UINT64_MAX);
	ps_answer(r->h, r->iq, b, reply);
}

bool ps_subscribe(struct ps_req *r)
{
	const struct xml *opt = xml_child(r->pubsub, "options", NULL);
	const struct xml *form = opt ? form_find(opt, "submit", NULL) : NULL;
	struct ps_sub *s;
	struct options o;
	struct jid j;

	if (!own_jid(r, &j))
		return true;
	if (opt && (xml_get(opt, "node").p || xml_get(opt, "jid").p)) { /* §6.3.7 */
		ps_error(r, ERR_BAD_REQUEST, NULL);
		return true;
	}
	s = map_get(&r->n->subs, j.full);
	if (!may_subscribe(r, s))
		return true;
	o = options_of(s);
	if (form && read_options(r->a, form, &o)) {
		ps_error(r, ERR_BAD_REQUEST, "invalid-options");
		return true;
	}
	s = ps_sub_need(r->n, j.full);
	if (s)
		subscribed(r, s, &o, form);
	else
		ps_error(r, ERR_POLICY_VIOLATION, "too-many-subscriptions");
	return true;
}

bool ps_unsubscribe(struct ps_req *r)
{
	struct str text = xml_get(r->el, "jid"), jid;
	struct store_batch *b;
	struct ps_sub *s;
	struct jid j;

	if (!text.n || jid_parse(r->a, text, &j)) {
		ps_error(r, ERR_BAD_REQUEST, text.n ? "invalid-jid" : "jid-required");
		return true;
	}
	if (!jid_bare_eq(j, r->who)) {
		ps_error(r, ERR_FORBIDDEN, NULL);
		return true;
	}
	s = map_get(&r->n->subs, j.full);
	if (!s) {
		ps_error(r, ERR_UNEXPECTED_REQUEST, "not-subscribed");
		return true;
	}
	jid = arena_str(r->a, s->jid);
	b = store_batch_new();
	ps_sub_remove(r->n, s, b);
	ps_event_sub_to_owners(r->n, jid, SUB_NONE);
	ps_answer(r->h, r->iq, b, subscription(r, jid, SUB_NONE));
	return true;
}

/* ---- lists (§5.6, §5.7) ---- */

static void list_subs(struct ps_req *r, struct xml *el, const struct ps_node *n)
{
	struct str key;
	uint32_t pos = 0;
	void *value;

	while (map_next(&n->subs, &pos, &key, &value)) {
		const struct ps_sub *s = value;
		struct xml *row;

		if (!jid_bare_eq(jid_trust(s->jid), r->who) || ps_sub_expired(s))
			continue;
		row = xml_add(r->a, el, "subscription", NULL);
		xml_set(r->a, row, "node", arena_str(r->a, n->name));
		xml_set(r->a, row, "jid", arena_str(r->a, s->jid));
		xml_set(r->a, row, "subscription", str_of(ps_state_names[s->state]));
	}
}

static void list_affil(struct ps_req *r, struct xml *el, const struct ps_node *n)
{
	enum ps_affil affil = ps_affil_of(n, r->who);
	struct xml *row;

	if (affil == AFFIL_NONE)
		return;
	row = xml_add(r->a, el, "affiliation", NULL);
	xml_set(r->a, row, "node", arena_str(r->a, n->name));
	xml_set(r->a, row, "affiliation", str_of(ps_affil_names[affil]));
}

static bool list(struct ps_req *r, const char *name, void (*add)(struct ps_req *, struct xml *, const struct ps_node *))
{
	struct xml *el, *reply;
	struct str key;
	uint32_t pos = 0;
	void *value;

	if (r->node.n && !r->n) {
		ps_error(r, ERR_ITEM_NOT_FOUND, NULL);
		return true;
	}
	reply = ps_reply(r, name, &el);
	if (r->n)
		add(r, el, r->n);
	else
		while (map_next(&r->h->nodes, &pos, &key, &value))
			add(r, el, value);
	ps_answer(r->h, r->iq, NULL, reply);
	return true;
}

bool ps_subscriptions(struct ps_req *r)
{
	return list(r, "subscriptions", list_subs);
}

bool ps_affiliations(struct ps_req *r)
{
	return list(r, "affiliations", list_affil);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0356: rights of components. */
#include "core/privilege.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/ask.h"
#include "core/delegation.h"
#include "core/feature.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"

enum { CENSUS_PAGE = 100 /* sessions */ };

static bool is_of_host(const struct component *cp, struct jid j)
{
	return str_eq(jid_domain(j), cp->host->domain);
}

/* ---- telling the rights ---- */

static const char *types_word(uint8_t types)
{
	static const char *const words[] = { "none", "get", "set", "both" };

	return words[types & 3];
}

static struct xml *perm(struct arena *a, struct xml *p, const char *access, const char *type)
{
	struct xml *el = xml_add(a, p, "perm", NULL);

	xml_set(a, el, "access", str_of(access));
	if (type)
		xml_set(a, el, "type", str_of(type));
	return el;
}

static void add_perms(struct arena *a, struct xml *p, const struct component *cp)
{
	struct xml *el;

	if (cp->roster) {
		el = perm(a, p, "roster", types_word(cp->roster));
		xml_set(a, el, "push", str_of(cp->roster_push ? "true" : "false"));
	}
	if (cp->message)
		perm(a, p, "message", "outgoing");
	if (cp->iq_n) {
		el = perm(a, p, "iq", NULL);
		for (uint8_t i = 0; i < cp->iq_n; i++) {
			struct xml *ns = xml_add(a, el, "namespace", NULL);

			xml_set(a, ns, "ns", cp->iq[i].ns);
			xml_set(a, ns, "type", str_of(types_word(cp->iq[i].types)));
		}
	}
	if (cp->presence)
		perm(a, p, "presence", cp->presence == PRESENCE_ROSTER ? "roster" : "managed_entity");
}

static void advertise(struct core *c, struct component *cp)
{
	struct arena *a = core_arena(c);
	struct stanza st;

	stanza_new(a, ST_MESSAGE, MSG_NORMAL, &st);
	st.from = jid_trust(cp->host->domain);
	st.id = random_token(a, 9);
	add_perms(a, xml_add(a, st.el, "privilege", NS_PRIVILEGE), cp);
	component_tell(c, cp, &st);
	stanza_fini(&st);
}

/* ---- presence ---- */

/* One presence for a component, in its home shard. */
struct presence_mail {
	struct mail mail;
	struct component *cp;
	struct blob *packed;
};

/* A presence that was sent: the entry of cp->seen. */
struct seen {
	uint64_t hash;
	size_t n;
	char full[];
};

/* XEP-0356 business rule 2: the same presence, which comes by several accounts, is sent once. */
static bool is_news(struct component *cp, struct stanza *st)
{
	struct seen *old = map_get(&cp->seen, st->from.full);
	uint64_t hash = str_hash(blob_view(stanza_tail(st)));
	bool available = st->type == PRES_AVAILABLE;

	if (available && old && old->hash == hash)
		return false;
	if (!available && old)
		free(map_del(&cp->seen, st->from.full));
	if (!available)
		return old || cp->seen.n >= PRIVILEGE_SEEN_MAX; /* over the limit it is not known who was told */
	if (!old && cp->seen.n < PRIVILEGE_SEEN_MAX) {
		old = mem_alloc(sizeof(*old) + st->from.full.n);
		old->n = st->from.full.n;
		memcpy(old->full, st->from.full.p, old->n);
		map_put(&cp->seen, (struct str){ old->full, old->n }, old);
	}
	if (old)
		old->hash = hash;
	return true;
}

static void discard_presence(struct mail *m)
{
	struct presence_mail *pm = container_of(m, struct presence_mail, mail);

	blob_unref(pm->packed);
	free(pm);
}

static void handle_presence(struct shard *s, struct mail *m)
{
	struct presence_mail *pm = container_of(m, struct presence_mail, mail);
	struct stanza st;

	if (s->core && pm->cp->link && !stanza_unpack(blob_view(pm->packed), &st)) {
		if (is_news(pm->cp, &st))
			component_drop_to(s->core, pm->cp, &st);
		stanza_fini(&st);
	}
	discard_presence(m);
}

static const struct mail_kind MAIL_PRESENCE = { .name = "privilege.presence", .handle = handle_presence, .discard = discard_presence };

static void send_presence(struct component *cp, struct stanza *st)
{
	struct presence_mail *pm = mem_zalloc(sizeof(*pm));

	st->to = jid_trust(cp->name);
	pm->mail.kind = &MAIL_PRESENCE;
	pm->cp = cp;
	pm->packed = stanza_pack(st);
	if (shard_post(cp->home, &pm->mail))
		discard_presence(&pm->mail);
}

void privilege_presence(struct core *c, struct stanza *st)
{
	const struct components *cs = c->env->components;

	for (int i = 0; cs && i < cs->n; i++)
		if (cs->v[i]->presence && cs->v[i]->live && is_of_host(cs->v[i], st->from))
			send_presence(cs->v[i], st);
}

void privilege_contact_presence(struct user *u, const struct stanza *st)
{
	const struct components *cs = u->core->env->components;

	if (!cs || (st->type != PRES_AVAILABLE && st->type != PRES_UNAVAILABLE))
		return;
	for (int i = 0; i < cs->n; i++) {
		struct component *cp = cs->v[i];
		struct stanza copy = *st;

		if (cp->presence != PRESENCE_ROSTER || !cp->live || !is_of_host(cp, u->jid) || component_of(u->core, st->from) == cp)
			continue;
		copy.tail = st->tail ? blob_ref(st->tail) : NULL;
		send_presence(cp, &copy);
		stanza_fini(&copy);
	}
}

/* Asks one shard for the presence of everybody in it (business rule 1): a page, and by mail to itself the next one, so that others
 * have their turns and the component the time to read. */
struct census_mail {
	struct mail mail;
	struct component *cp;
	unsigned epoch; /* of the stream that it is for */
	id_t64 *ids;	/* of all sessions, malloc'ed by the first page */
	size_t n, at;
};

static void discard_census(struct mail *m)
{
	struct census_mail *cm = container_of(m, struct census_mail, mail);

	free(cm->ids);
	free(cm);
}

static void show_page(struct core *c, struct census_mail *cm)
{
	for (size_t i = 0; i < CENSUS_PAGE && cm->at < cm->n; i++, cm->at++) {
		struct session *s = session_get(c, cm->ids[cm->at]);
		struct stanza st;

		if (!s || !s->presence || !is_of_host(cm->cp, s->jid) || stanza_unpack(blob_view(s->presence), &st))
			continue;
		send_presence(cm->cp, &st);
		stanza_fini(&st);
	}
}

static void handle_census(struct shard *s, struct mail *m)
{
	struct census_mail *cm = container_of(m, struct census_mail, mail);

	if (!s->core || s->core->closing || !cm->cp->live || cm->cp->epoch != cm->epoch) {
		discard_census(m);
		return;
	}
	if (!cm->ids)
		cm->ids = core_sessions(s->core, &cm->n);
	show_page(s->core, cm);
	if (cm->at == cm->n || shard_post(s, m))
		discard_census(m);
}

static const struct mail_kind MAIL_CENSUS = { .name = "privilege.census", .handle = handle_census, .discard = discard_census, .must_arrive = true };

void privilege_attached(struct core *c, struct component *cp)
{
	if (cp->roster || cp->message || cp->presence || cp->iq_n)
		advertise(c, cp);
	for (int i = 0; cp->presence && i < c->env->shards->n; i++) {
		struct census_mail *cm = mem_zalloc(sizeof(*cm));

		cm->mail.kind = &MAIL_CENSUS;
		cm->cp = cp;
		cm->epoch = cp->epoch;
		shard_post(c->env->shards->v[i], &cm->mail);
	}
}

void privilege_detached(struct component *cp)
{
	uint32_t pos = 0;
	struct str key;
	void *value;

	while (map_next(&cp->seen, &pos, &key, &value)) {
		map_del(&cp->seen, key);
		free(value);
	}
}

/* ---- roster ---- */

bool privilege_roster(const struct iq *iq)
{
	struct component *cp = component_of(iq->core, iq->st->from);

	return cp && is_of_host(cp, iq->user->jid) && (cp->roster & (iq->st->type == IQ_GET ? GRANT_GET : GRANT_SET));
}

void privilege_roster_push(struct user *u, struct stanza *st)
{
	const struct components *cs = u->core->env->components;

	for (int i = 0; cs && i < cs->n; i++) {
		if (!cs->v[i]->roster_push || !cs->v[i]->live || !is_of_host(cs->v[i], u->jid))
			continue;
		st->from = u->jid;
		component_tell(u->core, cs->v[i], st);
	}
}

/* ---- messages ---- */

/* Only a server says these of its own accounts: ids, and carbons, which come from the own bare JID too. */
static void take_out_forged(struct xml *message)
{
	struct xml *next;

	for (struct xml *child = xml_child_any(message); child; child = next) {
		next = xml_next(child);
		if (xml_is(child, "stanza-id", NS_SID) || xml_is(child, "sent", NS_CARBONS) || xml_is(child, "received", NS_CARBONS))
			xml_detach(child);
	}
}

void privilege_message(struct core *c, struct component *cp, struct stanza *st)
{
	struct xml *p = xml_child(st->el, "privilege", NS_PRIVILEGE), *fwd = xml_child(p, "forwarded", NS_FORWARD);
	struct xml *inner = fwd ? xml_child(fwd, "message", NS_CLIENT) : NULL;
	struct stanza out = { 0 };
	int shape;

	if (!cp->message || !str_eq(st->to.full, cp->host->domain)) {
		router_error(c, st, ERR_FORBIDDEN, "This component may not send messages for others.");
		return;
	}
	if (!inner) {
		router_error(c, st, ERR_BAD_REQUEST, NULL);
		return;
	}
	inner = xml_copy(core_arena(c), inner);
	take_out_forged(inner);
	shape = stanza_from_xml(core_arena(c), inner, &out);
	if (shape == -EPERM || !out.from.full.n || !jid_is_bare(out.from) || !is_of_host(cp, out.from)) {
		router_error(c, st, ERR_FORBIDDEN, "The sender of the message is not an account of this host.");
	} else if (shape || !out.to.full.n) {
		router_error(c, st, shape ? ERR_JID_MALFORMED : ERR_BAD_REQUEST, NULL);
	} else {
		stanza_scan(&out);
		router_route(c, &out);
	}
	stanza_fini(&out);
}

/* ---- requests ---- */

static bool iq_granted(const struct component *cp, struct str ns, enum stanza_type type)
{
	for (uint8_t i = 0; i < cp->iq_n; i++)
		if (str_eq(cp->iq[i].ns, ns))
			return cp->iq[i].types & (type == IQ_GET ? GRANT_GET : GRANT_SET);
	return false;
}

/* The conditions of XEP-0356 "Sending IQ Stanzas". Returns the payload, or NULL when it is forbidden. */
static struct xml *permitted(struct iq *iq, struct component *cp, struct xml *inner)
{
	struct arena *a = core_arena(iq->core);
	struct str from = xml_get(inner, "from");
	struct xml *payload = xml_child_any(inner);
	struct jid j;

	if (!cp || !is_of_host(cp, iq->user->jid) || !xml_is(inner, "iq", NS_CLIENT) || !payload || xml_next(payload))
		return NULL;
	if (!str_is(xml_get(inner, "type"), stanza_type_name(iq->st->type)) || !iq_granted(cp, payload->ns, iq->st->type))
		return NULL;
	if (from.p && (jid_parse(a, from, &j) || !jid_eq(j, iq->user->jid)))
		return NULL;
	return payload;
}

static void on_answer(struct core *c, struct stanza *reply, void *arg)
{
	struct iq_held *h = arg;
	struct arena *a = core_arena(c);
	struct iq *iq = iq_wake(h);
	struct xml *inner = iq->el ? xml_child_any(iq->el) : NULL, *tree = reply ? stanza_tree(reply, a) : NULL, *p, *copy;

	if (!tree || !inner) {
		iq_error(iq, ERR_REMOTE_SERVER_TIMEOUT, "No answer came in time.");
		iq_held_free(h);
		return;
	}
	p = xml_new(a, "privilege", NS_PRIVILEGE);
	copy = xml_copy(a, tree);
	xml_set(a, copy, "id", xml_get(inner, "id"));
	xml_set(a, copy, "from", reply->from.full);
	xml_set(a, copy, "to", reply->to.full);
	xml_append(xml_add(a, p, "forwarded", NS_FORWARD), copy);
	iq_result(iq, p);
	iq_held_free(h);
}

void privilege_iq(struct iq *iq)
{
	struct core *c = iq->core;
	struct component *cp = component_of(c, iq->st->from);
	struct xml *inner = xml_child_any(iq->el), *payload = inner && iq->user ? permitted(iq, cp, inner) : NULL;
	struct jid to = iq->user ? iq->user->jid : JID_NONE;
	struct iq_held *h;
	struct question q;

	if (!payload) {
		iq_error(iq, ERR_FORBIDDEN, NULL);
		return;
	}
	if (!xml_get(inner, "id").p) {
		iq_error(iq, ERR_BAD_REQUEST, NULL);
		return;
	}
	if (xml_get(inner, "to").p && jid_parse(core_arena(c), xml_get(inner, "to"), &to)) {
		iq_error(iq, ERR_JID_MALFORMED, NULL);
		return;
	}
	h = iq_hold(iq, NULL);
	q = (struct question){ iq->user->jid, to, iq->st->type, xml_copy(core_arena(c), payload), on_answer, h,
		delegation_is_to(cp, payload) ? SF_UNDELEGATED : 0 };
	if (iq_ask(c, &q)) {
		iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
		iq_held_free(h);
	}
}

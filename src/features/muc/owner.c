/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0045 §10 (muc#owner): configuring and destroying a room. */
#include <errno.h>

#include "base/log.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

/* ---- configuration ---- */

static void send_form(struct room *r, struct iq *iq)
{
	struct arena *a = core_arena(r->core);
	struct xml *query = xml_new(a, "query", NS_MUC_OWNER), *form = form_new(a, query, "form", NS_MUC_ROOMCONFIG);

	xml_add_text(a, form, "title", arena_printf(a, "Configuration of %.*s", STR_ARG(room_title(r))));
	room_config_write(a, form, &r->cfg, true);
	iq_result(iq, query);
}

/* §10.2.1: what occupants must be told. */
static void tell_changes(struct room *r, const struct room_config *was)
{
	struct room_config rest;
	uint16_t codes[4] = { 0 }, *c = codes;

	if (was->logging != r->cfg.logging)
		*c++ = r->cfg.logging ? 170 : 171;
	if (was->whois != r->cfg.whois)
		*c++ = r->cfg.whois == WHOIS_ANYONE ? 172 : 173;
	rest = *was;
	rest.logging = r->cfg.logging;
	rest.whois = r->cfg.whois;
	if (!room_config_eq(&rest, &r->cfg))
		*c++ = 104;
	if (codes[0])
		room_status(r, codes);
}

static size_t everybody(const struct room *r, struct occupant ***out)
{
	struct occupant **v = arena_alloc(core_arena(r->core), (r->nicks.n + 1) * sizeof(*v));
	uint32_t pos = 0;
	size_t n = 0;
	struct str key;
	void *value;

	while (map_next(&r->nicks, &pos, &key, &value))
		v[n++] = value;
	*out = v;
	return n;
}

/* A room that became members-only loses the others (§10.2); in one that is no longer moderated everybody may speak. */
static void apply_to_occupants(struct room *r, const struct room_config *was)
{
	struct occupant **v;
	size_t n = everybody(r, &v);

	for (size_t i = 0; i < n; i++) {
		struct occupant *o = v[i];

		if (r->cfg.members_only && !was->members_only && o->affil < AFFIL_MEMBER)
			occupant_remove(o, &(struct notice){ .type = PRES_UNAVAILABLE, .codes = { 322 } });
		else if (was->moderated && !r->cfg.moderated && o->role == ROLE_VISITOR)
			room_role(o, ROLE_PARTICIPANT, STR_NONE, STR_NONE);
	}
}

static void accept(struct room *r, struct iq *iq, struct room_config *next)
{
	struct room_config was = r->cfg;
	struct store_batch *b = NULL;
	bool opened = r->state == ROOM_LOCKED;

	r->cfg = *next;
	if (opened)
		room_unlock(r);
	room_save(r, &b);
	room_commit(r, b, iq);
	if (!opened)
		tell_changes(r, &was);
	apply_to_occupants(r, &was);
	room_config_free(&was);
}

static void submit(struct room *r, struct iq *iq, const struct xml *form)
{
	struct arena *a = core_arena(r->core);
	struct room_config next;
	int err;

	/* §10.1.2: an empty form takes what is there. */
	if (xml_child(form, "field", NULL) && !form_find(iq->el, "submit", NS_MUC_ROOMCONFIG)) {
		iq_error(iq, ERR_BAD_REQUEST, "This is not a form of " NS_MUC_ROOMCONFIG ".");
		return;
	}
	room_config_copy(&next, &r->cfg);
	err = room_config_read(a, form, &next);
	if (err) {
		room_config_free(&next);
		iq_error(iq, err == -EINVAL ? ERR_NOT_ACCEPTABLE : ERR_BAD_REQUEST, NULL);
		return;
	}
	accept(r, iq, &next);
}

/* ---- the end of a room (§10.9) ---- */

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

static void destroy(struct room *r, struct iq *iq, const struct xml *given)
{
	struct notice n = { .type = PRES_UNAVAILABLE, .no_affil = true, .extra = destroy_bytes(core_arena(r->core), given) };
	struct occupant **v;
	size_t count = everybody(r, &v);

	/* Each hears of itself only. */
	for (size_t i = 0; i < count; i++) {
		struct seat *s;

		list_each(s, &v[i]->seats, in_occupant)
			occupant_show(v[i], &n, s);
	}
	log_info("muc.destroy", "room=%.*s", STR_ARG(r->jid.full));
	occupants_free(r);
	room_forget(r);
	iq_result(iq, NULL);
}

static void set(struct room *r, struct iq *iq)
{
	struct xml *end = xml_child(iq->el, "destroy", NULL), *form = xml_child(iq->el, "x", NS_DATA);
	struct str type = form ? xml_get(form, "type") : STR_NONE;

	if (end)
		destroy(r, iq, end);
	else if (form && str_is(type, "submit"))
		submit(r, iq, form);
	else if (form && str_is(type, "cancel") && r->state == ROOM_LOCKED) /* §10.1.3 */
		destroy(r, iq, NULL);
	else if (form && str_is(type, "cancel"))
		iq_result(iq, NULL);
	else
		iq_error(iq, ERR_BAD_REQUEST, NULL);
}

void room_owner(struct room *r, struct iq *iq)
{
	if (room_affil_of(r, iq->st->from) != AFFIL_OWNER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (!str_is(iq->el->name, "query"))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (iq->st->type == IQ_GET)
		send_form(r, iq);
	else
		set(r, iq);
}

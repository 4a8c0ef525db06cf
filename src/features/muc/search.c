/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0433 0.1.0 channel search over the service's public rooms: by words in name, description and address; in order of address or of
 * how many are inside. Words are compared without regard to case in ASCII. */
#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "features/muc/directory.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/rsm.h"

#define KEY_ADDRESS "{urn:xmpp:channel-search:0:order}address"
#define KEY_USERS "{urn:xmpp:channel-search:0:order}nusers"

enum { WORDS_MAX = 8, WORDS_BYTES_MAX = 256 };

struct search {
	struct str words[WORDS_MAX];
	int n;
	bool in_name, in_desc, in_address, by_users;
	uint32_t max;
	struct str after; /* p NULL: the first page */
	char bytes[WORDS_BYTES_MAX];
	char after_bytes[];
};

/* ---- matching ---- */

static bool holds(struct str text, struct str word)
{
	for (size_t i = 0; i + word.n <= text.n; i++)
		if (strncasecmp(text.p + i, word.p, word.n) == 0)
			return true;
	return false;
}

static bool wants(const struct listing *w, const struct listed *l)
{
	const struct search *s = w->arg;

	for (int i = 0; i < s->n; i++)
		if (!(s->in_name && holds(l->name, s->words[i])) && !(s->in_desc && holds(l->desc, s->words[i])) &&
			!(s->in_address && holds(l->node, s->words[i])))
			return false;
	return true;
}

/* ---- errors ---- */

static void refuse(struct iq *iq, enum stanza_error e, const char *condition, const char *text, const char *const *vars)
{
	struct arena *a = core_arena(iq->core);
	struct xml *app = xml_new(a, condition, NS_CHANNEL_SEARCH_ERROR), *error;
	struct stanza err;

	for (; vars && *vars; vars++)
		xml_add_text(a, app, "var", str_of(*vars));
	if (!stanza_error_reply(a, iq->st, e, text, &err))
		return;
	error = xml_child(err.el, "error", NULL);
	xml_set(a, error, "type", STR("modify"));
	xml_append(error, app);
	stanza_touched(&err);
	router_route(iq->core, &err);
	stanza_fini(&err);
}

static void too_many(struct iq *iq)
{
	struct xml *app = xml_new(core_arena(iq->core), "rate-limit", NS_CHANNEL_SEARCH_ERROR);

	xml_set(core_arena(iq->core), app, "retry-after", STR("5"));
	iq_error_app(iq, ERR_RESOURCE_CONSTRAINT, "Too many search at the moment.", app);
}

/* ---- the form ---- */

static void send_form(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *search = xml_new(a, "search", NS_CHANNEL_SEARCH), *form = form_new(a, search, "form", NS_CHANNEL_SEARCH_PARAMS), *f;

	form_field(a, form, "text-single", "q", "Search for", STR_NONE);
	form_field(a, form, "boolean", "all", "Return all entries", STR("false"));
	form_field(a, form, "boolean", "sinname", "Search in name", STR("true"));
	form_field(a, form, "boolean", "sindescription", "Search in description", STR("true"));
	form_field(a, form, "boolean", "sinaddress", "Search in address", STR("true"));
	f = form_field(a, form, "list-multi", "types", "Service types", STR("xep-0045"));
	form_option(a, f, "Multi-user chat rooms", "xep-0045");
	f = form_field(a, form, "list-single", "key", "Sort results by", STR(KEY_ADDRESS));
	form_option(a, f, "Address", KEY_ADDRESS);
	form_option(a, f, "Number of people inside", KEY_USERS);
	iq_result(iq, search);
}

static void read_words(struct search *s, struct str q)
{
	if (q.n > sizeof(s->bytes))
		return;
	memcpy(s->bytes, q.p, q.n);
	for (struct str rest = { s->bytes, q.n }; rest.n && s->n < WORDS_MAX;) {
		struct str word = str_cut(rest, ' ', &rest);

		if (word.n)
			s->words[s->n++] = word;
	}
}

static bool wants_rooms(struct arena *a, const struct xml *form)
{
	bool given = false;

	for (struct xml *v = form_values(form, "types"); v; v = xml_next_same(v)) {
		given = true;
		if (str_is(str_trim(xml_text_of(a, v)), "xep-0045"))
			return true;
	}
	return !given;
}

/* Returns false after answering. */
static bool read_form(struct iq *iq, const struct xml *form, struct search *s)
{
	static const char *const BOTH[] = { "all", "q", NULL };
	struct arena *a = core_arena(iq->core);
	struct str q = str_trim(form_value(a, form, "q")), key = str_trim(form_value(a, form, "key"));
	bool all = false, has_q = form_has(form, "q") && q.n;

	s->in_name = s->in_desc = s->in_address = true;
	form_bool(a, form, "all", &all);
	form_bool(a, form, "sinname", &s->in_name);
	form_bool(a, form, "sindescription", &s->in_desc);
	form_bool(a, form, form_has(form, "sinaddr") ? "sinaddr" : "sinaddress", &s->in_address);
	s->by_users = str_is(key, KEY_USERS);
	if (key.n && !s->by_users && !str_is(key, KEY_ADDRESS))
		refuse(iq, ERR_FEATURE_NOT_IMPLEMENTED, "invalid-sort-key", NULL, NULL);
	else if (all && has_q)
		refuse(iq, ERR_BAD_REQUEST, "conflicting-fields", "Cannot both return all results and search by keywords.", BOTH);
	else if (!all && !form_has(form, "q"))
		refuse(iq, ERR_BAD_REQUEST, "no-search-conditions", NULL, NULL);
	else {
		if (!all)
			read_words(s, q);
		if (all || (s->n && (s->in_name || s->in_desc || s->in_address)))
			return true;
		refuse(iq, ERR_BAD_REQUEST, "invalid-search-terms", "Give up to 8 words, and say where to look for them.", NULL);
	}
	return false;
}

/* ---- the answer ---- */

static void add_room(struct arena *a, struct xml *result, const struct listing *w, const struct listed *l)
{
	struct xml *item = xml_add(a, result, "item", NULL);

	xml_set(a, item, "address", arena_printf(a, "%.*s@%.*s", STR_ARG(l->node), STR_ARG(w->host)));
	xml_add_text(a, item, "name", arena_str(a, l->name));
	if (l->desc.n)
		xml_add_text(a, item, "description", arena_str(a, l->desc));
	if (l->lang.n)
		xml_add_text(a, item, "language", arena_str(a, l->lang));
	xml_add_text(a, item, "nusers", arena_printf(a, "%u", l->users));
	xml_add_text(a, item, "service-type", STR("xep-0045"));
	xml_add_text(a, item, "is-open", l->open ? STR("true") : STR("false"));
	xml_add_text(a, item, "anonymity-mode",
		l->non_anonymous ? STR("{urn:xmpp:channel-search:0:anonymity}none") : STR("muc_semianonymous"));
}

static int by_users(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->users != y->users ? (x->users < y->users) - (x->users > y->users) : str_cmp(x->node, y->node);
}

/* In order of users the page begins behind the room that the last one ended with, wherever it is now. */
static size_t first_of(const struct listing *w, const struct search *s)
{
	if (!s->by_users || !s->after.p)
		return 0;
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->v[i].node, s->after))
			return i + 1;
	return 0;
}

static void answer(struct listing *w)
{
	struct iq *iq = iq_wake(w->held);
	struct arena *a = core_arena(w->core);
	struct search *s = w->arg;
	struct xml *result = xml_new(a, "result", NS_CHANNEL_SEARCH);
	size_t first, end;

	if (s->by_users)
		qsort(w->v, w->n, sizeof(*w->v), by_users);
	first = first_of(w, s);
	end = w->n - first > s->max ? first + s->max : w->n;
	for (size_t i = first; i < end; i++)
		add_room(a, result, w, &w->v[i]);
	rsm_add(a, result, first < end ? w->v[first].node : STR_NONE, first < end ? w->v[end - 1].node : STR_NONE, -1,
		w->complete && !s->after.p ? (int64_t)w->n : -1);
	iq_result(iq, result);
	listing_free(w);
}

static void on_walked(struct listing *w, int status)
{
	if (w->counted) {
		answer(w);
	} else if (status) {
		iq_error(iq_wake(w->held), ERR_INTERNAL_SERVER_ERROR, NULL);
		listing_free(w);
	} else {
		listing_count(w);
	}
}

static void submit(struct iq *iq, const struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct search *s;
	struct listing *w;
	struct rsm rsm;

	if (rsm_parse(a, iq->el, &rsm) || rsm.has_before || rsm.has_index) {
		iq_error(iq, ERR_FEATURE_NOT_IMPLEMENTED, "Pages go forward only.");
		return;
	}
	s = mem_zalloc(sizeof(*s) + rsm.after.n);
	if (rsm.has_after)
		s->after = (struct str){ memcpy(s->after_bytes, rsm.after.n ? rsm.after.p : "", rsm.after.n), rsm.after.n };
	if (!read_form(iq, form, s)) {
		free(s);
		return;
	}
	if (!wants_rooms(a, form)) {
		iq_result(iq, xml_new(a, "result", NS_CHANNEL_SEARCH));
		free(s);
		return;
	}
	s->max = rsm.max < MUC_LIST_MAX ? rsm.max : MUC_LIST_MAX;
	w = listing_new(iq, iq->st->to.full);
	if (!w) {
		too_many(iq);
		free(s);
		return;
	}
	w->arg = s;
	w->wants = wants;
	w->done = on_walked;
	if (!s->by_users && s->after.p)
		w->enough = s->max + 1;
	listing_start(w, s->by_users ? STR_NONE : s->after);
}

void directory_search(struct iq *iq)
{
	struct xml *form = form_find(iq->el, NULL, NULL);

	if (!str_is(iq->el->name, "search"))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (!form)
		send_form(iq);
	else if (!form_find(iq->el, "submit", NS_CHANNEL_SEARCH_PARAMS))
		iq_error(iq, ERR_BAD_REQUEST, "This is not a form of " NS_CHANNEL_SEARCH_PARAMS ".");
	else
		submit(iq, form);
}

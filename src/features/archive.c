/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0313 1.1.3 archive of an account, and the deduplication of retries by origin-id (XEP-0359). The query engine is core/mam.
 * Preferences are those of XEP-0441 0.2.0; store: kind "mam" key "". */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/feature.h"
#include "core/mam.h"
#include "core/offline.h"
#include "core/roster.h"
#include "proto/xmpp/ns.h"

enum {
	RECENT = 512,	  /* own messages whose origin-ids are remembered: more than a client may repeat (SM_TELL_EVERY) */
	RECENT_PAGES = 8, /* of the archive, read back for them after a restart */
	PREFS_JIDS_MAX = 500,
	ORIGIN_MAX = 512,
};

/* Origin-ids of the last messages that the account sent, as hashes. */
struct recent {
	uint64_t hash[RECENT];
	uint32_t next;
	bool loaded, loading;
};

/* ---- what is archived ---- */

static bool listed(struct arena *a, const struct xml *prefs, const char *list, struct jid with)
{
	const struct xml *l = xml_child(prefs, list, NULL);

	xml_each(j, l) {
		struct str text = xml_text_of(a, j);

		if (str_eq(text, with.full) || str_eq(text, jid_bare_str(with)))
			return true;
	}
	return false;
}

/* §"archiving preferences": always and never first, then the default. */
static bool wanted(struct user *u, struct jid with)
{
	struct arena *a = core_arena(u->core);
	struct xml *prefs;
	struct str def;

	if (!u->mam_prefs.n || xml_parse(a, u->mam_prefs, &prefs))
		return true;
	if (listed(a, prefs, "always", with))
		return true;
	if (listed(a, prefs, "never", with))
		return false;
	def = xml_get(prefs, "default");
	if (str_is(def, "roster"))
		return roster_get(u, jid_bare_str(with)) != NULL;
	return !str_is(def, "never");
}

/* Messages with content; hints decide first (XEP-0334). */
static bool archivable(const struct stanza *st)
{
	if (st->type != MSG_CHAT && st->type != MSG_NORMAL)
		return false;
	if (st->flags & (SF_NO_STORE | SF_NO_PERMANENT_STORE | SF_CARBON))
		return false;
	return st->flags & (SF_STORE | SF_BODY | SF_RECEIPT | SF_MARKER | SF_PAYLOAD | SF_MUC_USER);
}

static enum verdict sent(struct transit *t)
{
	if (t->user && archivable(t->st) && wanted(t->user, t->st->to))
		t->sent_id = archive_id_new(t->core);
	return PASS;
}

static enum verdict received(struct transit *t)
{
	struct arena *a = core_arena(t->core);

	if (!archivable(t->st))
		return PASS;
	if (jid_bare_eq(t->st->from, t->st->to)) /* to oneself: one row */
		t->id = 0;
	else if (wanted(t->user, t->st->from))
		t->id = archive_id_new(t->core);
	if (t->id || (t->sent_id && jid_bare_eq(t->st->from, t->st->to)))
		t->st->extra = arena_printf(a, "<stanza-id xmlns='" NS_SID "' by='%.*s' id='%.*s'/>", STR_ARG(t->user->jid.full),
			STR_ARG(archive_id_str(a, t->id ? t->id : t->sent_id)));
	return PASS;
}

/* ---- retries ---- */

static bool seen(const struct recent *r, uint64_t h)
{
	for (size_t i = 0; i < RECENT; i++)
		if (r->hash[i] == h)
			return true;
	return false;
}

static void note(struct recent *r, uint64_t h)
{
	r->hash[r->next++ % RECENT] = h;
}

/* The same id to somebody else is another message. */
static uint64_t key_of(struct str origin, struct str to)
{
	return str_hash(origin) * 31 + str_hash(to);
}

static void on_known(struct shard *s, void *arg, int status)
{
	struct receipt *r = arg;

	(void)s;
	(void)status;
	receipt_done(*r);
	free(r);
}

/* Already on its way or stored: acknowledged when everything before it is on disk. */
static enum verdict known(struct transit *t)
{
	struct receipt *r = mem_alloc(sizeof(*r));

	*r = t->receipt;
	t->reason = "repeated origin-id";
	if (!t->receipt.shard || store_barrier(t->core->env->store, t->receipt.shard, on_known, r)) {
		free(r);
		return STOP;
	}
	t->receipt = (struct receipt){ 0 };
	return STOP;
}

static enum verdict check(struct transit *t)
{
	struct recent *r = t->user->slot[USER_SLOT_DEDUP];
	uint64_t h = key_of(t->st->origin_id, jid_bare_str(t->st->to));

	if (seen(r, h))
		return known(t);
	note(r, h);
	return PASS;
}

/* Reading back, page by page, until enough own messages are known. */
struct asked {
	struct transit *held;
	uint32_t found, pages;
	uint64_t before_id;
};

static void ask_page(struct core *c, struct asked *q);

static void on_recent(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct asked *q = arg;
	struct transit *t = q->held;
	struct user *u = user_find(s->core, jid_bare_str(t->st->from));
	struct recent *r = u ? u->slot[USER_SLOT_DEDUP] : NULL;

	if (status)
		log_warning("archive.recent", "error=%d next=\"retries from before the restart are not recognised\"", -status);
	for (size_t i = status ? 0 : page->n; r && i-- > 0 && q->found < RECENT;) /* newest first */
		if (page->v[i].outgoing && page->v[i].origin.n)
			r->hash[RECENT - 1 - q->found++] = key_of(page->v[i].origin, page->v[i].with);
	if (r && !status && !page->complete && page->n && q->found < RECENT && ++q->pages < RECENT_PAGES) {
		q->before_id = page->v[0].id;
		ask_page(s->core, q);
		return;
	}
	if (r) {
		r->loaded = true;
		t->user = u;
		pipeline_resume(t, check(t), SEND_DEDUP);
	} else {
		pipeline_resume(t, STOP, SEND_DEDUP);
	}
	free(q);
}

static void ask_page(struct core *c, struct asked *q)
{
	struct archive_query query = { .owner = jid_bare_str(q->held->st->from), .end_id = UINT64_MAX, .before_id = q->before_id,
		.backward = true, .limit = STORE_PAGE_MAX };

	if (store_query(c->env->store, c->shard, &query, on_recent, q))
		on_recent(c->shard, q, -EBUSY, NULL);
}

/* First message with an origin-id after the account was loaded: what the archive says of the last ones. */
static enum verdict load_recent(struct transit *t)
{
	struct asked *q = mem_alloc(sizeof(*q));

	*q = (struct asked){ .held = pipeline_hold(t), .before_id = UINT64_MAX };
	ask_page(t->core, q);
	return LATER;
}

static enum verdict dedup(struct transit *t)
{
	struct user *u = t->user;

	if (!t->session || !t->st->origin_id.n || t->st->origin_id.n > ORIGIN_MAX || !archivable(t->st))
		return PASS;
	if (!u->slot[USER_SLOT_DEDUP])
		u->slot[USER_SLOT_DEDUP] = mem_zalloc(sizeof(struct recent));
	return ((struct recent *)u->slot[USER_SLOT_DEDUP])->loaded ? check(t) : load_recent(t);
}

/* ---- queries ---- */

static void query(struct iq *iq)
{
	struct mam_query m;
	int err;

	if (iq->st->type == IQ_GET) {
		mam_form(iq);
		return;
	}
	err = mam_parse(core_arena(iq->core), iq->el, &m);
	if (err)
		iq_error(iq, mam_error(err), NULL);
	else
		mam_answer(iq, &m, iq->user->jid.full, NULL);
}

static void metadata(struct iq *iq)
{
	mam_metadata(iq, iq->user->jid.full);
}

static void forbidden(struct iq *iq)
{
	iq_error(iq, ERR_FORBIDDEN, NULL); /* nobody else's archive */
}

/* ---- preferences ---- */

static void prefs_get(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *prefs;

	if (!iq->user->mam_prefs.n || xml_parse(a, iq->user->mam_prefs, &prefs)) {
		prefs = xml_new(a, "prefs", NS_MAM);
		xml_set(a, prefs, "default", STR("always"));
		xml_add(a, prefs, "always", NULL);
		xml_add(a, prefs, "never", NULL);
	}
	iq_result(iq, prefs);
}

/* A clean copy of what the client sent. Returns NULL after answering an error. */
static struct xml *checked_prefs(struct iq *iq)
{
	static const char *const lists[] = { "always", "never" };
	struct arena *a = core_arena(iq->core);
	struct str def = xml_get(iq->el, "default");
	struct xml *out = xml_new(a, "prefs", NS_MAM);
	int n = 0;

	if (!str_is(def, "always") && !str_is(def, "never") && !str_is(def, "roster")) {
		iq_error(iq, ERR_BAD_REQUEST, "default is always, never or roster.");
		return NULL;
	}
	xml_set(a, out, "default", def);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct xml *l = xml_add(a, out, lists[i], NULL), *in = xml_child(iq->el, lists[i], NULL);

		xml_each(j, in) {
			struct jid jid;

			if (jid_parse(a, xml_text_of(a, j), &jid) || ++n > PREFS_JIDS_MAX) {
				iq_error(iq, n > PREFS_JIDS_MAX ? ERR_NOT_ACCEPTABLE : ERR_JID_MALFORMED, NULL);
				return NULL;
			}
			xml_add_text(a, l, "jid", jid.full);
		}
	}
	return out;
}

static void on_prefs(struct iq *iq)
{
	if (iq->user)
		prefs_get(iq);
}

static void prefs(struct iq *iq)
{
	struct xml *clean;
	struct store_batch *b;
	struct buf text = { 0 };

	if (iq->st->type == IQ_GET) {
		prefs_get(iq);
		return;
	}
	clean = checked_prefs(iq);
	if (!clean)
		return;
	xml_write(&text, clean, STR_NONE);
	free((void *)iq->user->mam_prefs.p);
	iq->user->mam_prefs = (struct str){ text.p, text.n };
	b = store_batch_new();
	store_put(b, iq->user->jid.full, STR("mam"), STR_NONE, iq->user->mam_prefs);
	iq_commit(iq, b, on_prefs);
}

static void load(struct user *u, struct str key, struct str value)
{
	if (key.n == 0)
		u->mam_prefs = (struct str){ str_dup(value), value.n };
}

static void unload(struct user *u)
{
	free((void *)u->mam_prefs.p);
	free(u->slot[USER_SLOT_DEDUP]);
}

/* The message payloads at the end pass as they are, wait for who is away and stay in the archives, also without a body: */
static const struct spec specs[] = { { "XEP-0313", "1.1.3" }, { "XEP-0441", "0.2.0" }, { "XEP-0059", "1.0.1" }, { "XEP-0431", "0.2.0" },
	{ "XEP-0184", "1.4.0" }, { "XEP-0201", "1.0" }, { "XEP-0308", "1.2.1" }, { "XEP-0333", "1.0.0" }, { "XEP-0428", "0.2.1" },
	{ "XEP-0444", "0.2.1" }, { "XEP-0461", "0.2.1" }, { "XEP-0511", "0.1.1" }, { NULL, NULL } };
static const char *const disco[] = { NS_MAM, NS_MAM_EXTENDED, NS_FULLTEXT, NULL };
static const struct iq_route routes[] = {
	{ NS_MAM, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF, query },
	{ NS_MAM, "metadata", IQ_ROUTE_GET, TO_SELF, metadata },
	{ NS_MAM, "prefs", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF, prefs },
	{ NS_MAM, NULL, IQ_ROUTE_GET | IQ_ROUTE_SET, TO_USER, forbidden },
	{ 0 },
};

const struct feature feature_archive = {
	.name = "archive",
	.specs = specs,
	.disco_account = disco,
	.iq = routes,
	.send = { [SEND_DEDUP] = dedup, [SEND_ARCHIVE] = sent },
	.deliver = { [DELIVER_ARCHIVE] = received },
	.user_kind = "mam",
	.user_item = load,
	.user_free = unload,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Retractions in the archives of accounts. The author is who sent the message: in the sender's archive its own rows to the same
 * peer, in the recipient's those that came from the sender's bare JID (to or from a room's occupant: the same full JID). */
#include "core/retract.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/offline.h"
#include "core/parcel.h"
#include "proto/xmpp/ns.h"

/* A retraction that looks for what it retracts. */
struct retraction {
	struct deferred begin; /* when its own rows are queued */
	struct parcel *parcel;
	bool outgoing; /* the sender's archive is being asked */
	uint64_t found; /* the recipient's row, 0: none */
	char id[];
};

struct str retract_id(struct stanza *st, struct arena *a)
{
	struct xml *el = st->flags & SF_RETRACT ? stanza_tree(st, a) : NULL, *retract;

	retract = el ? xml_child(el, "retract", NS_RETRACT) : NULL;
	return retract ? xml_get(retract, "id") : STR_NONE;
}

struct blob *retract_tombstone(struct arena *a, struct str packed, struct str by, uint64_t wall_ms)
{
	struct stanza st;
	struct buf b = { 0 };
	struct blob *out;

	if (stanza_unpack(packed, &st) || str_starts(st.packed_tail, STR("<retracted ")))
		return NULL;
	buf_puts(&b, "<retracted xmlns='" NS_RETRACT "' id='");
	xml_escape(&b, by);
	buf_printf(&b, "' stamp='%.*s'/></message>", STR_ARG(time_format(a, wall_ms)));
	st.tail = blob_new(b.p, b.n);
	st.flags = SF_PAYLOAD;
	st.extra = STR_NONE;
	buf_free(&b);
	out = stanza_pack(&st);
	stanza_fini(&st);
	return out;
}

static void finish(struct retraction *r)
{
	struct transit *t = &r->parcel->t;

	t->sent_id = t->id = 0; /* stored already */
	t->st->flags &= ~(uint32_t)SF_RETRACT;
	transit_finish(t);
	parcel_free(r->parcel);
	free(r);
}

/* ---- a copy that waits for the recipient's next sign-in ---- */

static void on_kept(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct retraction *r = arg;
	struct transit *t = &r->parcel->t;
	struct user *u = user_find(s->core, jid_bare_str(t->st->to));

	(void)v;
	if (!status && n && u)
		offline_drop(u, transit_batch(t), r->found);
	finish(r);
}

/* Never read, it need not be: the retraction itself is still delivered. */
static void drop_kept(struct retraction *r)
{
	struct transit *t = &r->parcel->t;
	struct user *u = user_find(t->core, jid_bare_str(t->st->to));
	char key[OFFLINE_KEY_MAX];

	if (!r->found || !u || !u->offline_n ||
		store_get(t->core->env->store, t->core->shard, u->jid.full, STR("offline"), offline_key(key, r->found), on_kept, r))
		finish(r);
}

/* ---- the two archives ---- */

static bool ask(struct retraction *r);

/* Puts a tombstone in the place of the newest of these rows that is the author's. Returns its id, 0: none. */
static uint64_t replace(struct retraction *r, const struct archive_page *page)
{
	struct transit *t = &r->parcel->t;
	struct str owner = jid_bare_str(r->outgoing ? t->st->from : t->st->to);

	for (size_t i = page->n; i-- > 0;) {
		const struct archive_found *row = &page->v[i];
		struct blob *tombstone;

		if (row->outgoing != r->outgoing || row->id == (r->outgoing ? t->sent_id : t->id))
			continue;
		tombstone = retract_tombstone(core_arena(t->core), row->stanza, t->st->id, clock_wall_ms());
		if (!tombstone)
			return 0;
		store_archive_replace(transit_batch(t), owner, row->id, tombstone);
		blob_unref(tombstone);
		return row->id;
	}
	return 0;
}

static void on_rows(struct shard *s, void *arg, int status, const struct archive_page *page)
{
	struct retraction *r = arg;
	uint64_t id = 0;

	(void)s;
	if (status)
		log_warning("retract.lookup", "error=%d next=\"the message stays in this archive; clients see the retraction\"", -status);
	else
		id = replace(r, page);
	if (r->outgoing) {
		r->outgoing = false;
		if (ask(r))
			return;
	} else {
		r->found = id;
	}
	drop_kept(r);
}

/* Asks the next archive for messages of that id. False: there is none to ask. */
static bool ask(struct retraction *r)
{
	struct transit *t = &r->parcel->t;
	struct jid peer = r->outgoing ? t->st->to : t->st->from;
	bool occupant = (t->st->flags & SF_MUC_USER) || core_service(t->core, jid_domain(peer));
	struct archive_query q = { .owner = jid_bare_str(r->outgoing ? t->st->from : t->st->to), .message_id = str_of(r->id),
		.with = occupant ? peer.full : jid_bare_str(peer), .end_id = UINT64_MAX, .before_id = UINT64_MAX, .backward = true,
		.limit = RETRACT_LOOK };

	if (!(r->outgoing ? t->sent_id : t->id))
		return false;
	return store_query(t->core->env->store, t->core->shard, &q, on_rows, r) == 0;
}

static void on_begin(struct deferred *d)
{
	struct retraction *r = container_of(d, struct retraction, begin);

	if (!ask(r))
		finish(r);
}

void retract_begin(struct transit *t)
{
	struct str id = retract_id(t->st, core_arena(t->core));
	struct retraction *r;

	/* Without an id of its own the retraction could not be named by the tombstone. */
	if (!id.n || id.n > RETRACT_ID_MAX || !t->st->id.n || (!t->sent_id && !t->id))
		return;
	r = mem_alloc(sizeof(*r) + id.n + 1);
	*r = (struct retraction){ .begin.run = on_begin, .parcel = parcel_new(t), .outgoing = t->sent_id != 0 };
	memcpy(r->id, id.p, id.n);
	r->id[id.n] = '\0';
	r->parcel->t.batch = NULL;
	t->receipt = (struct receipt){ 0 };
	loop_defer(&t->core->shard->loop, &r->begin);
}

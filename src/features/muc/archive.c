/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What a room remembers: its archive (XEP-0313 1.1.3 in rooms), the history for newcomers (XEP-0045 §7.2.13, §7.2.14) and the last
 * messages that retries are compared with. Rows: owner = room, with = occupant JID, with_full = the speaker's real JID. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "core/ephemeral.h"
#include "core/mam.h"
#include "features/muc/muc.h"
#include "proto/xmpp/ns.h"

/* ---- storing ---- */

/* A message on its way to the disk. */
struct storing {
	struct receipt receipt;
	struct blob *original; /* as the sender sent it, to answer when the store fails */
	uint64_t key;
	char room[];
};

bool room_keeps(const struct room *r, const struct stanza *st)
{
	const uint32_t worth = SF_BODY | SF_SUBJECT | SF_STORE | SF_RECEIPT | SF_MARKER | SF_PAYLOAD;

	return r->cfg.logging && !(st->flags & (SF_NO_STORE | SF_NO_PERMANENT_STORE)) && (st->flags & worth);
}

static void forget_key(struct core *c, const char *name, uint64_t key)
{
	struct muc *m = c->slot[SLOT_MUC];
	struct room *r = m ? map_get(&m->rooms, str_of(name)) : NULL;

	for (uint32_t i = 0; r && r->seen && i < MUC_SEEN; i++)
		if (r->seen[i].key == key)
			r->seen[i].key = 0; /* so that the retry is taken for a new message */
}

static void on_stored(struct shard *s, void *arg, int status)
{
	struct storing *w = arg;
	struct stanza st;

	if (status == 0) {
		metric_add(M_MESSAGES_ARCHIVED, 1);
	} else {
		log_error("muc.not_stored", "error=%d next=\"the sender gets an error and may repeat it\"", -status);
		forget_key(s->core, w->room, w->key);
		if (!stanza_unpack(blob_view(w->original), &st)) {
			router_error(s->core, &st, ERR_RESOURCE_CONSTRAINT,
				"The message could not be stored: the disk is full or broken. Try again later.");
			stanza_fini(&st);
		}
	}
	receipt_done(w->receipt);
	blob_unref(w->original);
	free(w);
}

void room_archive(struct room *r, struct transit *t, struct stanza *st, uint64_t id, uint64_t key)
{
	struct blob *packed = stanza_pack(st);
	struct storing *w;

	if ((st->flags & (SF_BODY | SF_STORE | SF_PAYLOAD)) && !(st->flags & SF_EPHEMERAL))
		room_history_add(r, packed, id);
	if (!room_keeps(r, st)) {
		blob_unref(packed);
		transit_finish(t);
		return;
	}
	w = mem_alloc(sizeof(*w) + r->jid.full.n + 1);
	*w = (struct storing){ .receipt = t->receipt, .original = stanza_pack(t->st), .key = key };
	memcpy(w->room, r->jid.full.p, r->jid.full.n + 1);
	store_archive(transit_batch(t), &(struct archive_row){ .owner = r->jid.full, .id = id, .with = st->from.full,
		.with_full = t->st->from.full, .origin = t->st->origin_id, .stanza = packed });
	ephemeral_note(r->core, t->batch, r->jid.full, id, st);
	if (store_commit(r->core->env->store, r->core->shard, t->batch, on_stored, w))
		on_stored(r->core->shard, w, -ENOBUFS);
	t->batch = NULL;
	t->receipt = (struct receipt){ 0 };
	blob_unref(packed);
}

/* ---- retries ---- */

/* A client that numbers its messages anew after each start may use an id again: without an origin-id the words must be the same too. */
uint64_t seen_key(struct jid real, const struct stanza *st, struct str content)
{
	struct str id = st->origin_id.p ? st->origin_id : st->id;
	struct buf b = { 0 };
	uint64_t key;

	if (!id.p)
		return 0;
	buf_str(&b, jid_bare_str(real));
	buf_putc(&b, '\0');
	buf_str(&b, id);
	if (!st->origin_id.p) {
		buf_putc(&b, '\0');
		buf_str(&b, content);
	}
	key = str_hash(buf_view(&b));
	buf_free(&b);
	return key ? key : 1;
}

bool room_has_seen(const struct room *r, uint64_t key, uint64_t *out_id)
{
	if (!r->seen || !key)
		return false;
	for (uint32_t i = 0; i < MUC_SEEN; i++) {
		if (r->seen[i].key == key) {
			*out_id = r->seen[i].id;
			return true;
		}
	}
	return false;
}

void room_remember(struct room *r, uint64_t key, uint64_t id)
{
	if (!key)
		return;
	if (!r->seen)
		r->seen = mem_zalloc(MUC_SEEN * sizeof(*r->seen));
	r->seen[r->seen_at++ % MUC_SEEN] = (struct seen){ key, id };
}

/* While loading, rows older than those remembered so far: from the back, so that they are the first to be overwritten. */
static void remember_old(struct room *r, uint64_t key, uint64_t id)
{
	if (key && r->seen && r->seen_at + r->seen_old < MUC_SEEN)
		r->seen[MUC_SEEN - ++r->seen_old] = (struct seen){ key, id };
}

/* ---- history ---- */

static void hist_clear(struct hist *h)
{
	blob_unref(h->packed);
	blob_unref(h->tail);
	*h = (struct hist){ 0 };
}

void room_history_add(struct room *r, struct blob *packed, uint64_t id)
{
	struct hist *h = &r->hist[r->hist_at++ % MUC_HISTORY_MAX];

	hist_clear(h);
	*h = (struct hist){ .packed = blob_ref(packed), .id = id };
	if (r->hist_n < MUC_HISTORY_MAX)
		r->hist_n++;
}

void room_history_replace(struct room *r, uint64_t id, struct blob *packed)
{
	for (uint32_t i = 0; i < MUC_HISTORY_MAX; i++) {
		struct hist *h = &r->hist[i];

		if (!h->packed || h->id != id)
			continue;
		hist_clear(h);
		*h = (struct hist){ .packed = blob_ref(packed), .id = id };
	}
}

/* What the sender wrote ends where the room's own elements begin (message.c). */
static struct str content_of(struct str tail)
{
	static const char MARK[] = "<stanza-id xmlns='" NS_SID "' by='";
	const char *at = tail.p, *found, *last = NULL;

	while ((found = memmem(at, tail.n - (size_t)(at - tail.p), MARK, sizeof(MARK) - 1))) {
		last = found;
		at = found + 1;
	}
	return last ? (struct str){ tail.p, (size_t)(last - tail.p) } : tail;
}

void room_history_load(struct room *r, const struct archive_found *row)
{
	struct stanza st;
	struct blob *packed;

	if (stanza_unpack(row->stanza, &st))
		return;
	if (row->with_full.p)
		room_remember(r, seen_key(jid_trust(row->with_full), &st, content_of(st.packed_tail)), row->id);
	talk_count(r, &st, st.packed_tail, archive_id_ms(row->id));
	if (!(st.flags & (SF_BODY | SF_STORE | SF_PAYLOAD)) || (st.flags & SF_EPHEMERAL))
		return;
	packed = blob_new(row->stanza.p, row->stanza.n);
	room_history_add(r, packed, row->id);
	blob_unref(packed);
}

void room_seen_load(struct room *r, const struct archive_found *row)
{
	struct stanza st;

	if (!row->with_full.p || stanza_unpack(row->stanza, &st))
		return;
	talk_count(r, &st, st.packed_tail, archive_id_ms(row->id));
	remember_old(r, seen_key(jid_trust(row->with_full), &st, content_of(st.packed_tail)), row->id);
}

struct blob *tail_delayed(const struct room *r, const struct stanza *st, uint64_t ms)
{
	struct arena *a = core_arena(r->core);
	struct str tail = st->tail ? blob_view(st->tail) : st->packed_tail;
	struct buf b = { 0 };
	struct blob *out;

	buf_put(&b, tail.p, tail.n - (sizeof("</message>") - 1));
	buf_puts(&b, "<delay xmlns='" NS_DELAY "' from='");
	xml_escape(&b, r->jid.full);
	buf_printf(&b, "' stamp='%.*s'/></message>", STR_ARG(time_format(a, ms)));
	out = blob_new(b.p, b.n);
	buf_free(&b);
	return out;
}

/* 0: for ever. */
static uint64_t room_keep_days(const struct room *r)
{
	return r->keeps_own ? r->keep_days : (uint64_t)config_int(core_config(r->core), "archive.room_keep_days");
}

/* §7.2.14: what the newcomer asked for at most. */
struct limits {
	uint64_t chars, stanzas, since_ms;
};

static struct limits read_limits(const struct room *r, const struct xml *el)
{
	struct limits l = { UINT64_MAX, r->cfg.history, 0 };
	uint64_t v, now = clock_wall_ms(), kept_ms = room_keep_days(r) * 86400000ull;

	if (kept_ms && kept_ms < now) /* what the archive has dropped is not told either (core/retention.h) */
		l.since_ms = now - kept_ms;

	if (!el)
		return l;
	if (!str_u64(xml_get(el, "maxchars"), UINT32_MAX, &v))
		l.chars = v;
	if (!str_u64(xml_get(el, "maxstanzas"), UINT32_MAX, &v) && v < l.stanzas)
		l.stanzas = v;
	if (!str_u64(xml_get(el, "seconds"), UINT32_MAX, &v) && v * 1000 < now && now - v * 1000 > l.since_ms)
		l.since_ms = now - v * 1000;
	if (xml_get(el, "since").p && !time_parse(xml_get(el, "since"), &v) && v > l.since_ms)
		l.since_ms = v;
	return l;
}

static struct hist *hist_back(struct room *r, uint32_t i) /* 0: the newest */
{
	return &r->hist[(r->hist_at - 1 - i) % MUC_HISTORY_MAX];
}

static bool hist_stanza(struct room *r, struct hist *h, struct stanza *st)
{
	if (stanza_unpack(blob_view(h->packed), st))
		return false;
	if (!h->tail)
		h->tail = tail_delayed(r, st, archive_id_ms(h->id));
	st->tail = blob_ref(h->tail);
	return true;
}

static size_t stanza_chars(const struct stanza *st)
{
	return sizeof("<message from='' to='' id='' type='groupchat'>") + st->from.full.n + st->id.n + st->tail->n;
}

void room_history_send(struct room *r, struct seat *to, const struct xml *el)
{
	struct limits l = read_limits(r, el);
	uint64_t chars = 0;
	uint32_t n = 0;
	struct stanza st;

	for (; n < r->hist_n && n < l.stanzas; n++) {
		struct hist *h = hist_back(r, n);

		if (archive_id_ms(h->id) < l.since_ms || !hist_stanza(r, h, &st))
			break;
		chars += stanza_chars(&st) + to->real.jid.full.n;
		stanza_fini(&st);
		if (chars > l.chars)
			break;
	}
	while (n--) {
		if (!hist_stanza(r, hist_back(r, n), &st))
			continue;
		room_send(r, to, &st);
		stanza_fini(&st);
	}
}

void room_history_free(struct room *r)
{
	for (uint32_t i = 0; i < MUC_HISTORY_MAX; i++)
		hist_clear(&r->hist[i]);
	r->hist_at = r->hist_n = 0;
	free(r->seen);
	r->seen = NULL;
	r->seen_at = r->seen_old = 0;
}

/* ---- queries ---- */

/* XEP-0313 §6.1.2: the real JID for those who may see it. */
static struct str real_jid(struct arena *a, const struct archive_found *row)
{
	struct buf b = { 0 };
	struct str out;

	if (!row->with_full.p)
		return STR_NONE;
	buf_puts(&b, "<x xmlns='" NS_MUC_USER "'><item jid='");
	xml_escape(&b, row->with_full);
	buf_puts(&b, "'/></x>");
	out = arena_str(a, buf_view(&b));
	buf_free(&b);
	return out;
}

static const struct mam_view REAL = { .extra = real_jid };

/* XEP-0313 §6.1.2: who may enter may read. */
static bool may_read(const struct room *r, struct jid who, const struct seat *s)
{
	enum affil affil = room_affil_of(r, who);

	if (affil == AFFIL_OUTCAST)
		return false;
	if (r->cfg.members_only || r->cfg.password_protected)
		return affil >= AFFIL_MEMBER || (s && !r->cfg.members_only);
	return true;
}

/* from: the first row whose speaker's real JID is shown; UINT64_MAX: of none. */
static void query(struct room *r, struct iq *iq, uint64_t from)
{
	struct mam_query m;
	int err = mam_parse(core_arena(r->core), iq->el, &m);

	if (err) {
		iq_error(iq, mam_error(err), NULL);
		return;
	}
	/* Speakers are found by their occupant JIDs; a real JID would tell who is who. */
	if (m.q.with.n && !jid_bare_eq(jid_trust(m.q.with), r->jid))
		m.q.end_id = 0;
	if (str_eq(m.q.with, r->jid.full))
		m.q.with = STR_NONE;
	m.extra_from = from;
	mam_answer(iq, &m, r->jid.full, &REAL);
}

void room_mam(struct room *r, struct iq *iq)
{
	struct jid who = iq->st->from;
	struct seat *s = seat_find(r, who);
	bool always = room_affil_of(r, who) >= AFFIL_ADMIN || (s && s->o->role == ROLE_MODERATOR);
	/* What was said while addresses were hidden stays so. */
	uint64_t from = always ? 0 : r->cfg.whois == WHOIS_ANYONE ? r->open_from : UINT64_MAX;

	if (!may_read(r, who, s))
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else if (iq->st->type == IQ_GET && str_is(iq->el->name, "metadata"))
		mam_metadata(iq, r->jid.full);
	else if (iq->st->type == IQ_GET && str_is(iq->el->name, "query"))
		mam_form(iq);
	else if (iq->st->type == IQ_SET && str_is(iq->el->name, "query"))
		query(r, iq, from);
	else
		iq_error(iq, ERR_BAD_REQUEST, NULL);
}

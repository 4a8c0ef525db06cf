/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Conversations: XEP-0430 §"Unread Messages", XEP-0333 1.0 §5. */
#include "core/inbox_priv.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/xmpp/ns.h"

/* Names are compared as hashes that are the same after a restart; 0: none. */
static uint64_t name_of(struct str id)
{
	return id.n ? str_hash_stable(id) | 1 : 0;
}

static struct str marker_of(struct stanza *st, struct arena *a)
{
	struct xml *el = stanza_tree(st, a), *mark = el ? xml_child(el, "displayed", NS_MARKERS) : NULL;

	if (!mark && el)
		mark = xml_child(el, "acknowledged", NS_MARKERS);
	return mark ? xml_get(mark, "id") : STR_NONE;
}

static struct str retract_of(struct stanza *st, struct arena *a)
{
	struct xml *el = stanza_tree(st, a), *retract = el ? xml_child(el, "retract", NS_RETRACT) : NULL;

	return retract ? xml_get(retract, "id") : STR_NONE;
}

bool conv_event_read(struct arena *a, const struct archive_found *row, struct conv_event *out)
{
	struct stanza st;
	bool occupant;

	if (stanza_unpack(row->stanza, &st))
		return false;
	/* who writes privately in a room is a conversation of his own, invitations are the room's */
	occupant = (st.flags & SF_MUC_USER) && st.type == MSG_CHAT && row->with_full.p;
	*out = (struct conv_event){
		.jid = occupant ? row->with_full : row->with, .id = row->id, .name = name_of(st.id), .origin = name_of(st.origin_id),
		.message = (st.flags & (SF_BODY | SF_ENCRYPTED)) && !(st.flags & SF_RETRACT), .outgoing = row->outgoing,
		.correction = st.flags & SF_CORRECTS,
	};
	if (row->outgoing && (st.flags & SF_MARKER))
		out->seen = marker_of(&st, a);
	if (!row->outgoing && (st.flags & SF_RETRACT))
		out->taken_back = retract_of(&st, a);
	stanza_fini(&st);
	return out->jid.n > 0 && out->jid.n <= STORE_KEY_MAX;
}

/* Forgets the oldest n of the list; those before the list go too. */
static void read_listed(struct conv_state *s, uint32_t n)
{
	if (!n)
		return;
	s->read_id = s->list[n - 1].id > s->read_id ? s->list[n - 1].id : s->read_id;
	s->listed -= n;
	s->unread = s->listed;
	memmove(s->list, s->list + n, s->listed * sizeof(s->list[0]));
}

static void read_all(struct conv_state *s, uint64_t id)
{
	s->listed = s->unread = 0;
	if (id > s->read_id)
		s->read_id = id;
}

void conv_read(struct conv_state *s, uint64_t id)
{
	uint32_t n = 0;

	while (n < s->listed && s->list[n].id <= id)
		n++;
	read_listed(s, n);
	if (id > s->read_id)
		s->read_id = id;
}

/* A marker names a message by its sender's id, or by the archive's. One that is not among the unread is ignored (XEP-0333 §5). */
static void read_named(struct conv_state *s, struct str id)
{
	uint64_t name = name_of(id), number;

	if (archive_id_parse(id, &number))
		number = 0;
	for (uint32_t i = s->listed; i-- > 0;) {
		if ((name && s->list[i].name == name) || (number && s->list[i].id == number)) {
			read_listed(s, i + 1);
			return;
		}
	}
}

static void take_back(struct conv_state *s, struct str id)
{
	uint64_t name = name_of(id);

	for (uint32_t i = s->listed; name && i-- > 0;) {
		if (s->list[i].name != name)
			continue;
		s->listed--;
		s->unread--;
		memmove(s->list + i, s->list + i + 1, (s->listed - i) * sizeof(s->list[0]));
		return;
	}
}

static void add_unread(struct conv_state *s, const struct conv_event *e)
{
	s->unread++;
	if (s->listed == INBOX_UNREAD_MAX)
		memmove(s->list, s->list + 1, --s->listed * sizeof(s->list[0]));
	if (s->listed == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->list = mem_realloc(s->list, s->cap * sizeof(s->list[0]));
	}
	s->list[s->listed++] = (struct unread){ e->id, e->name ? e->name : e->origin };
}

void conv_apply(struct conv_state *s, const struct conv_event *e)
{
	if (e->id > s->last_id)
		s->last_id = e->id;
	if (e->seen.n)
		read_named(s, e->seen);
	if (e->taken_back.n)
		take_back(s, e->taken_back);
	if (!e->message)
		return;
	if (e->id > s->msg_id)
		s->msg_id = e->id;
	if (e->outgoing)
		read_all(s, e->id);
	else if (!e->correction && e->id > s->read_id)
		add_unread(s, e);
}

void conv_copy(struct conv_state *to, const struct conv_state *s)
{
	*to = *s;
	to->list = NULL;
	to->cap = s->listed;
	if (s->listed)
		to->list = (struct unread *)(void *)mem_dup(s->list, s->listed * sizeof(s->list[0]));
}

void conv_fini(struct conv_state *s)
{
	free(s->list);
	*s = (struct conv_state){ 0 };
}

/* ---- bytes ---- */

/* What stands in front of the list. */
struct packed {
	uint64_t last_id, msg_id, read_id;
	uint32_t unread, listed;
};

void conv_pack(const struct conv_state *s, struct buf *out)
{
	struct packed p = { s->last_id, s->msg_id, s->read_id, s->unread, s->listed };

	buf_put(out, &p, sizeof(p));
	if (s->listed)
		buf_put(out, s->list, s->listed * sizeof(s->list[0]));
}

void conv_load(struct conv_state *s, struct str bytes)
{
	struct packed p;

	if (bytes.n < sizeof(p))
		return;
	memcpy(&p, bytes.p, sizeof(p));
	if (p.listed > INBOX_UNREAD_MAX || p.listed > p.unread || bytes.n != sizeof(p) + p.listed * sizeof(s->list[0]))
		return;
	conv_fini(s);
	*s = (struct conv_state){ p.last_id, p.msg_id, p.read_id, p.unread, p.listed, p.listed, NULL };
	if (p.listed)
		s->list = (struct unread *)(void *)mem_dup(bytes.p + sizeof(p), p.listed * sizeof(s->list[0]));
}

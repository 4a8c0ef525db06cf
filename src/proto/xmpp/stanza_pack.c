/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stanza as one flat blob, little-endian:
 *
 *   u8 version = 1 | u8 kind | u8 type | u8 present | u32 flags
 *   then for each bit of `present`, in order:
 *     FROM, TO        u16 localpart bytes, u16 domain bytes, u16 all bytes
 *     ID .. EXTRA     u32 bytes
 *   u32 tail bytes | the bytes of all these, in the same order, then of the tail
 */
#include <errno.h>

#include "base/must.h"
#include "proto/xmpp/stanza.h"

enum { VERSION = 1, HEAD_BYTES = 8, HEAD_MAX = HEAD_BYTES + 2 * 6 + 5 * 4 };

static unsigned char *put_u16(unsigned char *p, size_t v)
{
	*p++ = (unsigned char)v;
	*p++ = (unsigned char)(v >> 8);
	return p;
}

static unsigned char *put_u32(unsigned char *p, size_t v)
{
	return put_u16(put_u16(p, v & 0xffff), v >> 16);
}

static unsigned char *put_jid(unsigned char *p, struct jid j)
{
	return put_u16(put_u16(put_u16(p, j.node_n), j.domain_n), j.full.n);
}

struct blob *stanza_pack(struct stanza *st)
{
	struct str tail =
		st->tail || !st->packed_tail.p ? blob_view(stanza_tail(st)) : st->packed_tail;
	const struct str all[] = { st->from.full, st->to.full, st->id, st->lang, st->origin_id,
		st->extra };
	unsigned char head[HEAD_MAX] = { VERSION, (unsigned char)st->kind,
		(unsigned char)st->type };
	unsigned char *p = put_u32(head + 4, st->flags);
	size_t total = tail.n;
	struct blob *b;
	char *to;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (i < 2 ? !all[i].n : !all[i].p)
			continue;
		must(all[i].n <= UINT32_MAX / 8);
		head[3] |= (unsigned char)(1 << i);
		p = i < 2 ? put_jid(p, i ? st->to : st->from) : put_u32(p, all[i].n);
		total += all[i].n;
	}
	p = put_u32(p, tail.n);
	b = blob_new(NULL, total + (size_t)(p - head));
	to = mempcpy(b->p, head, (size_t)(p - head));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].n)
			to = mempcpy(to, all[i].p, all[i].n);
	memcpy(to, tail.p, tail.n);
	return b;
}

/* Reads forward; `bad` once it would pass the end. */
struct cursor {
	const unsigned char *p, *end;
	bool bad;
};

static uint32_t get(struct cursor *c, unsigned bytes)
{
	uint32_t v = 0;

	if ((size_t)(c->end - c->p) < bytes) {
		c->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint32_t)*c->p++ << 8 * i;
	return v;
}

static struct str get_bytes(struct cursor *c, size_t n)
{
	struct str s = { (const char *)c->p, n };

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		return STR_NONE;
	}
	c->p += n;
	return s;
}

static bool jid_holds(struct jid j)
{
	size_t bare = jid_bare_len(j);

	if (!j.domain_n || j.node_n > JID_PART_MAX || j.domain_n > JID_PART_MAX || j.full.n < bare)
		return false;
	if (j.node_n && j.full.p[j.node_n] != '@')
		return false;
	return j.full.n == bare ||
		(j.full.p[bare] == '/' && j.full.n > bare + 1 &&
			j.full.n <= bare + 1 + JID_PART_MAX);
}

static bool type_holds(const struct stanza *st)
{
	static const enum stanza_type first[] = {
		[ST_MESSAGE] = MSG_NORMAL, [ST_PRESENCE] = PRES_AVAILABLE, [ST_IQ] = IQ_GET
	};
	static const enum stanza_type last[] = {
		[ST_MESSAGE] = MSG_ERROR, [ST_PRESENCE] = PRES_ERROR, [ST_IQ] = IQ_ERROR
	};

	return st->kind <= ST_IQ && st->type >= first[st->kind] && st->type <= last[st->kind];
}

static void get_jid_sizes(struct cursor *c, struct jid *j)
{
	j->node_n = (uint16_t)get(c, 2);
	j->domain_n = (uint16_t)get(c, 2);
	j->full.n = get(c, 2);
}

int stanza_unpack(struct str packed, struct stanza *out)
{
	struct cursor c = { .p = (const unsigned char *)packed.p };
	struct stanza st = { 0 };
	struct jid *const jids[] = { &st.from, &st.to };
	struct str *const all[] = { &st.from.full, &st.to.full, &st.id, &st.lang, &st.origin_id,
		&st.extra };
	uint32_t present;

	if (packed.n < HEAD_BYTES)
		return -EBADMSG;
	c.end = c.p + packed.n;
	if (get(&c, 1) != VERSION)
		return -EBADMSG;
	st.kind = (enum stanza_kind)get(&c, 1);
	st.type = (enum stanza_type)get(&c, 1);
	present = get(&c, 1);
	st.flags = get(&c, 4);
	if (!type_holds(&st) || present >> ARRAY_LEN(all))
		return -EBADMSG;
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		if (!(present & 1u << i))
			continue;
		if (i < 2)
			get_jid_sizes(&c, jids[i]);
		else
			all[i]->n = get(&c, 4);
	}
	st.packed_tail.n = get(&c, 4);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (present & 1u << i)
			*all[i] = get_bytes(&c, all[i]->n);
	st.packed_tail = get_bytes(&c, st.packed_tail.n);
	if (c.bad || c.p != c.end || !st.packed_tail.n)
		return -EBADMSG;
	for (unsigned i = 0; i < 2; i++)
		if ((present & 1u << i) && !jid_holds(*jids[i]))
			return -EBADMSG;
	*out = st;
	return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stanza on its way (RFC 6120 §8): reading the head, looking at the payload, writing for each recipient. */
#include "proto/xmpp/stanza.h"

#include <errno.h>

#include "base/must.h"
#include "proto/xmpp/ns.h"

static const char *const KINDS[] = {
	[ST_MESSAGE] = "message", [ST_PRESENCE] = "presence", [ST_IQ] = "iq"
};

static const struct type {
	enum stanza_kind kind;
	const char *name; /* NULL: the type that stands for no attribute */
} TYPES[] = {
	[MSG_NORMAL] = { ST_MESSAGE, NULL },
	[MSG_CHAT] = { ST_MESSAGE, "chat" },
	[MSG_GROUPCHAT] = { ST_MESSAGE, "groupchat" },
	[MSG_HEADLINE] = { ST_MESSAGE, "headline" },
	[MSG_ERROR] = { ST_MESSAGE, "error" },
	[PRES_AVAILABLE] = { ST_PRESENCE, NULL },
	[PRES_UNAVAILABLE] = { ST_PRESENCE, "unavailable" },
	[PRES_SUBSCRIBE] = { ST_PRESENCE, "subscribe" },
	[PRES_SUBSCRIBED] = { ST_PRESENCE, "subscribed" },
	[PRES_UNSUBSCRIBE] = { ST_PRESENCE, "unsubscribe" },
	[PRES_UNSUBSCRIBED] = { ST_PRESENCE, "unsubscribed" },
	[PRES_PROBE] = { ST_PRESENCE, "probe" },
	[PRES_ERROR] = { ST_PRESENCE, "error" },
	[IQ_GET] = { ST_IQ, "get" },
	[IQ_SET] = { ST_IQ, "set" },
	[IQ_RESULT] = { ST_IQ, "result" },
	[IQ_ERROR] = { ST_IQ, "error" },
};

const char *stanza_type_name(enum stanza_type t)
{
	return TYPES[t].name;
}

static int kind_of(const struct xml *el, enum stanza_kind *out)
{
	for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
		if (str_is(el->name, KINDS[i])) {
			*out = (enum stanza_kind)i;
			return 0;
		}
	}
	return -EBADMSG;
}

/* RFC 6121 §5.2.2: a message of an unknown type, "normal" included, is a normal one. Other kinds have no such rule. */
static int type_of(enum stanza_kind kind, struct str name, enum stanza_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(TYPES); i++) {
		if (TYPES[i].kind != kind ||
			!(TYPES[i].name ? str_is(name, TYPES[i].name) : !name.p))
			continue;
		*out = (enum stanza_type)i;
		return 0;
	}
	if (kind != ST_MESSAGE)
		return -EBADMSG;
	*out = MSG_NORMAL;
	return 0;
}

/* A stanza of a server or component stream is the same stanza in another content namespace (RFC 6120 §4.8.3): here it has one only. */
static void to_client_ns(struct xml *top)
{
	struct str content = top->ns;
	struct xml *el = top;

	for (;;) {
		if (str_eq(el->ns, content))
			el->ns = STR(NS_CLIENT);
		if (el->first) {
			el = el->first;
			continue;
		}
		while (el != top && !el->next)
			el = el->parent;
		if (el == top)
			return;
		el = el->next;
	}
}

int stanza_from_xml(struct arena *a, struct xml *el, struct stanza *out)
{
	struct stanza st = { .el = el };
	struct str from, to;
	int err;

	if (str_is(el->ns, NS_SERVER) || str_is(el->ns, NS_COMPONENT))
		to_client_ns(el);
	if (!str_is(el->ns, NS_CLIENT) || kind_of(el, &st.kind) != 0)
		return -EBADMSG;
	st.id = xml_get(el, "id");
	st.lang = xml_lang(el);
	err = type_of(st.kind, xml_get(el, "type"), &st.type);
	if (err)
		st.type = st.kind == ST_IQ
			? IQ_GET
			: PRES_AVAILABLE; /* so that the sender can be answered */
	from = xml_get(el, "from");
	if (from.p && jid_parse(a, from, &st.from) != 0)
		err = -EPERM;
	to = xml_get(el, "to");
	if (to.p && jid_parse(a, to, &st.to) != 0 && !err)
		err = -EINVAL;
	*out = st;
	return err;
}

static bool has_text(const struct xml *el)
{
	for (const struct xml *node = el->first; node; node = node->next)
		if (!node->name.n && node->text.n)
			return true;
	return false;
}

enum { CHATSTATE = 1u << 30, NEUTRAL = 1u << 31, WITH_TEXT = 1u << 29 };

/* What a child means; name NULL: any in the namespace. The first row that fits counts. */
static const struct mark {
	const char *name, *ns;
	uint32_t flags;
} MARKS[] = {
	{ "body", NS_CLIENT, SF_BODY | WITH_TEXT },
	{ "subject", NS_CLIENT, SF_SUBJECT },
	{ "thread", NS_CLIENT, SF_THREAD },
	{ "error", NS_CLIENT, NEUTRAL },
	{ "no-store", NS_HINTS, SF_NO_STORE },
	{ "no-permanent-store", NS_HINTS, SF_NO_PERMANENT_STORE },
	{ "no-copy", NS_HINTS, SF_NO_COPY },
	{ "store", NS_HINTS, SF_STORE },
	{ NULL, NS_HINTS, NEUTRAL },
	{ NULL, NS_CHATSTATES, CHATSTATE },
	{ "private", NS_CARBONS, SF_PRIVATE },
	{ "sent", NS_CARBONS, SF_CARBON },
	{ "received", NS_CARBONS, SF_CARBON },
	{ "received", NS_RECEIPTS, SF_RECEIPT },
	{ "request", NS_RECEIPTS, NEUTRAL },
	{ "displayed", NS_MARKERS, SF_MARKER },
	{ "received", NS_MARKERS, SF_MARKER },
	{ "acknowledged", NS_MARKERS, SF_MARKER },
	{ "x", NS_MUC_USER, SF_MUC_USER },
	{ "retract", NS_RETRACT, SF_PAYLOAD | SF_RETRACT },
	{ "ephemeral", NS_EPHEMERAL, SF_EPHEMERAL },
	{ "replace", NS_CORRECT, SF_PAYLOAD | SF_CORRECTS },
	{ "encrypted", NS_OMEMO, SF_PAYLOAD | SF_ENCRYPTED },
	{ "encrypted", NS_OMEMO_LEGACY, SF_PAYLOAD | SF_ENCRYPTED },
	{ "openpgp", NS_OPENPGP, SF_PAYLOAD | SF_ENCRYPTED },
	{ NULL, NS_FALLBACK, NEUTRAL },
	{ NULL, NS_SID, NEUTRAL },
	{ NULL, NS_DELAY, NEUTRAL },
};

static uint32_t marks_of(const struct xml *el)
{
	for (size_t i = 0; i < ARRAY_LEN(MARKS); i++) {
		const struct mark *m = &MARKS[i];

		if (!str_is(el->ns, m->ns) || (m->name && !str_is(el->name, m->name)))
			continue;
		return m->flags & WITH_TEXT ? (has_text(el) ? m->flags & ~WITH_TEXT : NEUTRAL)
					    : m->flags;
	}
	return SF_PAYLOAD;
}

void stanza_scan(struct stanza *st)
{
	const uint32_t weight = SF_BODY | SF_SUBJECT | SF_RECEIPT | SF_MARKER | SF_MUC_USER |
		SF_PAYLOAD | SF_CARBON;
	uint32_t flags = 0;

	must(st->el);
	st->origin_id = STR_NONE;
	xml_each(el, st->el)
	{
		flags |= marks_of(el);
		if (!st->origin_id.p && xml_is(el, "origin-id", NS_SID))
			st->origin_id = xml_get(el, "id");
	}
	if ((flags & CHATSTATE) && !(flags & weight))
		flags |= SF_CHATSTATE_ONLY;
	st->flags = flags & ~(uint32_t)(CHATSTATE | NEUTRAL);
}

static struct str tail_view(const struct stanza *st)
{
	return st->tail ? blob_view(st->tail) : st->packed_tail;
}

struct xml *stanza_tree(struct stanza *st, struct arena *a)
{
	struct stanza head = *st;
	struct buf text = { 0 };

	if (st->el)
		return st->el;
	head.extra = STR_NONE; /* belongs to one recipient, not to the payload */
	stanza_write_head(&text, &head, NS_CLIENT);
	buf_str(&text, tail_view(st));
	if (xml_parse(a, buf_view(&text), &st->el) != 0)
		st->el = NULL;
	buf_free(&text);
	return st->el;
}

static struct blob *tail_from_tree(const struct stanza *st)
{
	const char *name = KINDS[st->kind];
	struct buf text = { 0 };
	struct blob *tail;

	xml_write_children(&text, st->el);
	buf_put(&text, "</", 2);
	buf_puts(&text, name);
	buf_putc(&text, '>');
	tail = blob_new(text.p, text.n);
	buf_free(&text);
	return tail;
}

struct blob *stanza_tail(struct stanza *st)
{
	if (st->tail)
		return st->tail;
	must(st->packed_tail.p || st->el);
	st->tail = st->packed_tail.p ? blob_new(st->packed_tail.p, st->packed_tail.n)
				     : tail_from_tree(st);
	return st->tail;
}

void stanza_touched(struct stanza *st)
{
	must(st->el);
	blob_unref(st->tail);
	st->tail = NULL;
	st->packed_tail = STR_NONE;
}

void stanza_fini(struct stanza *st)
{
	blob_unref(st->tail);
	st->tail = NULL;
}

static char *put(char *p, struct str s)
{
	return s.n ? mempcpy(p, s.p, s.n) : p;
}

enum { ESCAPED_MAX = 6 }; /* bytes that one byte becomes at most */

/* Text that came out of the parser or of jid_parse: valid UTF-8 without control characters but white space. */
static char *put_escaped(char *p, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > '>' || (c > '\'' && c < '<') || c == ' ')
			*p++ = (char)c;
		else if (c == '&')
			p = mempcpy(p, "&amp;", 5);
		else if (c == '\'')
			p = mempcpy(p, "&apos;", 6);
		else if (c == '<')
			p = mempcpy(p, "&lt;", 4);
		else if (c == '>')
			p = mempcpy(p, "&gt;", 4);
		else if (c == '\n')
			p = mempcpy(p, "&#10;", 5);
		else if (c == '\r')
			p = mempcpy(p, "&#13;", 5);
		else if (c == '\t')
			p = mempcpy(p, "&#9;", 4);
		else if (c > ' ')
			*p++ = (char)c;
		else
			p = mempcpy(p, "\xef\xbf\xbd", 3);
	}
	return p;
}

static char *put_attr(char *p, struct str label, struct str value)
{
	p = put(p, label);
	p = put_escaped(p, value);
	*p++ = '\'';
	return p;
}

/* Localpart and domain need no escapes once normalised. */
static char *put_jid(char *p, struct str label, struct jid j)
{
	struct str resource = jid_resource(j);

	p = put(p, label);
	p = put(p, jid_bare_str(j));
	if (resource.n) {
		*p++ = '/';
		p = put_escaped(p, resource);
	}
	*p++ = '\'';
	return p;
}

void stanza_write_head(struct buf *out, const struct stanza *st, const char *xmlns)
{
	static const struct str OPEN[] = { [ST_MESSAGE] = { "<message", 8 },
		[ST_PRESENCE] = { "<presence", 9 },
		[ST_IQ] = { "<iq", 3 } };
	const char *type = TYPES[st->type].name;
	size_t room = 128 + ESCAPED_MAX * (st->from.full.n + st->to.full.n + st->id.n + st->lang.n);
	struct str ns = str_of(xmlns);
	char *p, *begin;

	begin = p = buf_room(out, room + ESCAPED_MAX * ns.n + st->extra.n);
	p = put(p, OPEN[st->kind]);
	if (ns.n)
		p = put_attr(p, STR(" xmlns='"), ns);
	if (st->from.full.n)
		p = put_jid(p, STR(" from='"), st->from);
	if (st->to.full.n)
		p = put_jid(p, STR(" to='"), st->to);
	if (st->id.p)
		p = put_attr(p, STR(" id='"), st->id);
	if (type)
		p = put_attr(p, STR(" type='"), str_of(type));
	if (st->lang.p)
		p = put_attr(p, STR(" xml:lang='"), st->lang);
	*p++ = '>';
	p = put(p, st->extra);
	out->n += (size_t)(p - begin);
}

void stanza_write(struct buf *out, struct stanza *st, const char *xmlns)
{
	stanza_write_head(out, st, xmlns);
	if (!tail_view(st).p)
		stanza_tail(st);
	buf_str(out, tail_view(st));
}

void stanza_new(struct arena *a, enum stanza_kind kind, enum stanza_type type, struct stanza *out)
{
	must(TYPES[type].kind == kind);
	*out = (struct stanza){
		.kind = kind, .type = type, .el = xml_new(a, KINDS[kind], NS_CLIENT)
	};
}

void stanza_result(struct arena *a, const struct stanza *st, struct stanza *out)
{
	struct jid from = st->to, to = st->from;
	struct str id = st->id;

	stanza_new(a, ST_IQ, IQ_RESULT, out);
	out->from = from;
	out->to = to;
	out->id = id;
}

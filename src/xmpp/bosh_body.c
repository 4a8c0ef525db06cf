/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The <body/> wrapper of BOSH, read and written (XEP-0124 §6-§10, XEP-0206 §4). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "proto/xmpp/ns.h"
#include "xmpp/bosh_priv.h"

#define RID_MAX ((1ull << 53) - 1)
enum { VER_MINOR = 11, NUMBER_MAX = 1000000 };

/* ---- reading ---- */

/* Returns -EBADMSG when it is there and no number. */
static int number(const struct xml *el, const char *name, uint64_t max, uint64_t absent, uint64_t *out)
{
	struct str text = xml_get(el, name);

	*out = absent;
	return text.p && str_u64(text, max, out) ? -EBADMSG : 0;
}

static struct str xbosh(const struct xml *el, const char *name)
{
	for (const struct xml_attr *at = el->attrs; at; at = at->next)
		if (str_is(at->ns, NS_XBOSH) && str_is(at->name, name))
			return at->value;
	return STR_NONE;
}

static uint32_t minor_of(struct str ver)
{
	struct str rest, major = str_cut(ver, '.', &rest);
	uint64_t n;

	if (!str_is(major, "1") || str_u64(rest, NUMBER_MAX, &n))
		return 0;
	return n < VER_MINOR ? (uint32_t)n : VER_MINOR;
}

int bosh_body_parse(struct arena *a, struct str text, struct bosh_body *out)
{
	struct xml *el;
	struct str restart, ack;
	int err = xml_parse(a, text, &el);

	if (err)
		return err;
	if (!xml_is(el, "body", NS_HTTPBIND))
		return -EBADMSG;
	*out = (struct bosh_body){ .el = el, .sid = xml_get(el, "sid"), .to = xml_get(el, "to"), .from = xml_get(el, "from"),
		.key = xml_get(el, "key"), .newkey = xml_get(el, "newkey"), .content = xml_get(el, "content") };
	restart = xbosh(el, "restart");
	ack = xml_get(el, "ack");
	out->restart = str_is(restart, "true") || str_is(restart, "1");
	out->terminate = str_is(xml_get(el, "type"), "terminate");
	out->has_ack = ack.p != NULL;
	out->has_pause = xml_get(el, "pause").p != NULL;
	out->ver_minor = minor_of(xml_get(el, "ver"));
	if (number(el, "rid", RID_MAX, 0, &out->rid) || out->rid == 0)
		return -EBADMSG;
	if (number(el, "wait", NUMBER_MAX, BOSH_WAIT_MAX_S, &out->wait_s) || number(el, "hold", NUMBER_MAX, 1, &out->hold) ||
		number(el, "ack", RID_MAX, 0, &out->ack) || number(el, "pause", NUMBER_MAX, 0, &out->pause_s))
		return -EBADMSG;
	return 0;
}

const char *bosh_type(struct str wanted)
{
	static const char *const types[] = { "text/xml; charset=utf-8", "text/xml", "application/xml; charset=utf-8", "application/xml",
		"text/plain; charset=utf-8", "text/plain" };

	if (!wanted.p)
		return types[0];
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (str_eq_nocase(wanted, str_of(types[i])))
			return types[i];
	return NULL;
}

/* §10.1: without their own, stanzas are of jabber:client. */
static void into_client(struct xml *el)
{
	if (!str_is(el->ns, NS_HTTPBIND))
		return;
	el->ns = STR(NS_CLIENT);
	xml_each(child, el)
		into_client(child);
}

static void item_new(struct bosh *b, enum bosh_item_kind kind, struct str text)
{
	struct bosh_item *it = mem_alloc(sizeof(*it) + text.n);

	*it = (struct bosh_item){ .kind = kind, .n = text.n };
	if (text.n)
		memcpy(it->text, text.p, text.n);
	list_push(&b->input, &it->link);
	b->input_bytes += text.n;
}

void bosh_items_drop(struct bosh *b)
{
	struct bosh_item *it;

	list_each(it, &b->input, link) {
		list_del(&it->link);
		free(it);
	}
	b->input_bytes = 0;
}

void bosh_item_end(struct bosh *b)
{
	item_new(b, BOSH_TERMINATE, STR_NONE);
}

void bosh_body_items(struct bosh *b, const struct bosh_body *body)
{
	struct str to = body->to.n <= HEAD_TEXT_MAX ? body->to : STR_NONE;

	if (body->restart) {
		item_new(b, BOSH_RESTART, to); /* XEP-0206 §6: what it holds is ignored */
		return;
	}
	xml_each(child, body->el) {
		struct buf text = { 0 };

		into_client(child);
		xml_write(&text, child, STR_NONE);
		item_new(b, BOSH_ELEMENT, buf_view(&text));
		buf_free(&text);
	}
	if (body->terminate)
		item_new(b, BOSH_TERMINATE, STR_NONE);
}

/* ---- keys ---- */

static void sha1_hex(struct arena *a, struct str in, char out[BOSH_KEY + 1])
{
	uint8_t digest[HASH_MAX];

	hash(HASH_SHA1, in, digest);
	snprintf(out, BOSH_KEY + 1, "%.*s", STR_ARG(hex_encode(a, (struct str){ (char *)digest, hash_size(HASH_SHA1) })));
}

static bool keep_key(struct bosh *b, struct str key)
{
	if (key.n != BOSH_KEY)
		return false;
	for (size_t i = 0; i < key.n; i++)
		b->key[i] = key.p[i] >= 'A' && key.p[i] <= 'F' ? (char)(key.p[i] | 0x20) : key.p[i];
	b->key[BOSH_KEY] = '\0';
	return true;
}

bool bosh_key_ok(struct bosh *b, const struct bosh_body *body, struct arena *a)
{
	char hashed[BOSH_KEY + 1];

	if (b->key[0]) {
		sha1_hex(a, body->key, hashed);
		if (!equal_ct(str_of(hashed), str_of(b->key)) || !keep_key(b, body->key))
			return false;
	}
	return !body->newkey.p || keep_key(b, body->newkey);
}

/* ---- writing ---- */

struct str bosh_terminal(struct arena *a, const char *condition)
{
	return arena_printf(a, "<body xmlns='" NS_HTTPBIND "' type='terminate'%s%s%s/>", condition ? " condition='" : "",
		condition ? condition : "", condition ? "'" : "");
}

/* XEP-0124 §7.2, XEP-0206 §5. */
static void write_creation(struct buf *out, const struct bosh *b, uint64_t rid)
{
	buf_printf(out, " sid='%s' wait='%u' requests='%u' hold='%u' inactivity='%llu' polling='%d' maxpause='%d' from='", b->sid, b->wait_s,
		b->requests_max, b->hold, (unsigned long long)config_int(core_config(b->st.core), "bosh.inactivity") / 1000, BOSH_POLLING_S,
		BOSH_MAXPAUSE_S);
	xml_escape(out, b->st.host->domain);
	buf_printf(out, "' ver='1.%u' authid='%s' xmlns:xmpp='" NS_XBOSH "' xmpp:version='1.0' xmpp:restartlogic='true'", b->ver_minor,
		b->stream_id);
	if (b->acks)
		buf_printf(out, " ack='%llu'", (unsigned long long)rid);
}

void bosh_body_write(struct buf *out, const struct bosh *b, uint64_t rid, struct str payload)
{
	buf_puts(out, "<body xmlns='" NS_HTTPBIND "'");
	if (!b->created)
		write_creation(out, b, rid);
	else if (b->acks && b->rid != rid)
		buf_printf(out, " ack='%llu'", (unsigned long long)b->rid);
	if (b->ended) {
		buf_puts(out, " type='terminate'");
		if (b->condition)
			buf_printf(out, " condition='%s'", b->condition);
	}
	if (payload.n) {
		buf_puts(out, " xmlns:stream='" NS_STREAM "'>");
		buf_str(out, payload);
		buf_puts(out, "</body>");
	} else {
		buf_puts(out, "/>");
	}
}

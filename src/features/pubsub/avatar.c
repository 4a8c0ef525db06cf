/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0398 1.0.0: the avatar of XEP-0084 1.1.4 is the photo of the vCard (XEP-0054 1.2, XEP-0153 1.1.1) and the other way round. It is
 * kept once, in the nodes of XEP-0084; a vCard that is read gets it as PHOTO if the reader may see these nodes, one that is written
 * gives it up to them. The rest of the vCard is kind "vcard" key ""; the avatar's hash kind "avatar" key "". */
#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/presence.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "features/pubsub/pubsub.h"

enum { VCARD_BYTES_MAX = 200 << 10, SHA1_HEX = 40, TYPE_MAX = 64 };

static struct str sha1_hex(struct arena *a, struct str data)
{
	uint8_t digest[HASH_MAX];

	hash(HASH_SHA1, data, digest);
	return hex_encode(a, (struct str){ (char *)digest, hash_size(HASH_SHA1) });
}

/* Base64 with white space, as both specifications allow. */
static bool decode(struct arena *a, struct str text, struct str *out)
{
	char *p = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		if (!strchr(" \t\r\n", text.p[i]))
			p[n++] = text.p[i];
	return n && !base64_decode(a, (struct str){ p, n }, out) && out->n;
}

/* The format of the data node: an <info/> without a URL (XEP-0398 §3.1). */
static const struct xml *info_of(const struct xml *metadata)
{
	for (const struct xml *el = xml_child(metadata, "info", NULL); el; el = xml_next_same(el))
		if (!xml_get(el, "url").p && xml_get(el, "id").n == SHA1_HEX)
			return el;
	return NULL;
}

/* ---- the hash in presence (XEP-0398 §4) ---- */

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("0123456789abcdef", s.p[i]))
			return false;
	return s.n == SHA1_HEX;
}

void pep_avatar_load(struct user *u, struct str key, struct str value)
{
	if (!key.n && is_hex(value))
		memcpy(ps_host_of(u)->avatar, value.p, SHA1_HEX);
}

/* Returns whether it was changed. */
static bool stamp(struct arena *a, struct stanza *st, const char *sha1)
{
	struct xml *el = stanza_tree(st, a), *x, *photo;
	struct str is;

	if (!el)
		return false;
	x = xml_child(el, "x", NS_VCARD_UPDATE);
	photo = x ? xml_child(x, "photo", NULL) : NULL;
	is = photo ? str_trim(xml_text_of(a, photo)) : STR_NONE;
	if (photo && (!is.n || str_is(is, sha1)))
		return false; /* no picture wanted here, or the right one */
	if (photo)
		xml_detach(photo);
	if (!x)
		x = xml_add(a, el, "x", NS_VCARD_UPDATE);
	xml_add_text(a, x, "photo", arena_str(a, str_of(sha1)));
	stanza_touched(st);
	return true;
}

void pep_avatar_presence(struct session *s, struct stanza *st)
{
	const struct ps_host *h = s->user->slot[USER_SLOT_PEP];

	if (h && h->avatar[0])
		stamp(core_arena(s->core), st, h->avatar);
}

/* Contacts with clients of XEP-0153 learn of the new picture. */
static void tell(struct user *u, const char *sha1)
{
	struct session *s;
	struct stanza st;

	list_each(s, &u->sessions, in_user) {
		struct blob *was = blob_ref(s->presence);

		if (was && !stanza_unpack(blob_view(was), &st)) {
			if (stamp(core_arena(u->core), &st, sha1))
				presence_renew(s, &st);
			stanza_fini(&st);
		}
		blob_unref(was);
	}
}

void pep_avatar_changed(struct ps_host *h, const struct xml *metadata, struct store_batch *b)
{
	struct ps_node *n = ps_node_get(h, STR(NS_AVATAR_METADATA));
	const struct xml *info = metadata ? info_of(metadata) : NULL;
	struct str sha1 = info ? xml_get(info, "id") : STR_NONE;

	if (!is_hex(sha1) || (n && n->cfg.access >= ACCESS_AUTHORIZE))
		sha1 = STR_NONE; /* who may not see the picture shall not know of it */
	if (str_is(sha1, h->avatar))
		return;
	memset(h->avatar, 0, sizeof(h->avatar));
	if (sha1.n) {
		memcpy(h->avatar, sha1.p, SHA1_HEX);
		store_put(b, h->jid.full, STR("avatar"), STR_NONE, sha1);
	} else {
		store_del(b, h->jid.full, STR("avatar"), STR_NONE);
	}
	tell(h->user, h->avatar);
}

/* ---- reading a vCard ---- */

struct reading {
	struct iq_held *held;
	bool own_photo; /* the row's PHOTO counts: there is no other */
	char id[SHA1_HEX + 1], type[TYPE_MAX];
	struct blob *photo; /* <data/>; NULL: none */
};

static void reading_free(struct reading *r)
{
	iq_held_free(r->held);
	blob_unref(r->photo);
	free(r);
}

static void drop_photos(struct xml *card)
{
	struct xml *el, *next;

	for (el = xml_child(card, "PHOTO", NULL); el; el = next) {
		next = xml_next_same(el);
		xml_detach(el);
	}
}

/* §3.1: only what hashes to its id. */
static void add_photo(struct arena *a, struct xml *card, const struct reading *r)
{
	struct xml *data, *photo;
	struct str text, bytes;

	if (!r->photo || xml_parse(a, blob_view(r->photo), &data))
		return;
	text = xml_text_of(a, data);
	if (!decode(a, text, &bytes) || !str_is(sha1_hex(a, bytes), r->id))
		return;
	photo = xml_add(a, card, "PHOTO", NULL);
	xml_add_text(a, photo, "TYPE", arena_str(a, str_of(r->type)));
	xml_add_text(a, photo, "BINVAL", base64_encode(a, bytes));
}

static void on_card(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct reading *r = arg;
	struct iq *iq = iq_wake(r->held);
	struct arena *a = &s->arena;
	struct xml *card = NULL;

	if (status || (n && xml_parse(a, arena_str(a, v->value), &card))) {
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	} else if (!card && !r->photo && iq->target == TO_USER) { /* as for an account that is not there (XEP-0054 §3.1) */
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
	} else {
		if (!card)
			card = xml_new(a, "vCard", NS_VCARD);
		if (!r->own_photo) {
			drop_photos(card);
			add_photo(a, card, r);
		}
		iq_result(iq, card);
	}
	reading_free(r);
}

static void read_card(struct core *c, struct reading *r)
{
	struct iq *iq = iq_wake(r->held);

	if (!store_get(c->env->store, c->shard, jid_bare_str(iq->st->to), STR("vcard"), STR_NONE, on_card, r))
		return;
	iq_error(iq, ERR_RESOURCE_CONSTRAINT, NULL);
	reading_free(r);
}

static void on_photo(struct core *c, void *arg, const struct str *payloads, size_t n)
{
	struct reading *r = arg;

	if (n && payloads[0].p)
		r->photo = blob_new(payloads[0].p, payloads[0].n);
	read_card(c, r);
}

/* The <info/> of the current avatar. Its node's items are in memory. */
static const struct xml *current_info(struct ps_host *h)
{
	struct ps_node *n = ps_node_get(h, STR(NS_AVATAR_METADATA));
	const struct ps_item *it = n ? ps_item_last(n) : NULL;
	struct xml *el;

	if (!it || !it->payload || xml_parse(core_arena(h->core), blob_view(it->payload), &el))
		return NULL;
	return info_of(el);
}

/* The picture, if this reader may see it. */
static struct ps_item *visible_photo(struct ps_host *h, struct jid who, struct reading *r)
{
	struct ps_node *meta = ps_node_get(h, STR(NS_AVATAR_METADATA)), *data = ps_node_get(h, STR(NS_AVATAR_DATA));
	const struct xml *info = current_info(h);
	struct str type;

	if (!info || !data || !ps_may_see(meta, who, false).ok || !ps_may_see(data, who, false).ok)
		return NULL;
	type = xml_get(info, "type");
	memcpy(r->id, xml_get(info, "id").p, SHA1_HEX);
	if (!type.n || type.n >= TYPE_MAX)
		type = STR("image/png");
	memcpy(r->type, type.p, type.n);
	return ps_item_get(data, xml_get(info, "id"));
}

/* Are the items of both nodes in memory? */
static bool nodes_ready(struct ps_host *h)
{
	struct ps_node *meta, *data;
	bool a, b;

	if (!ps_host_ready(h))
		return false;
	meta = ps_node_get(h, STR(NS_AVATAR_METADATA));
	data = ps_node_get(h, STR(NS_AVATAR_DATA));
	a = !meta || ps_items_ready(meta);
	b = !data || ps_items_ready(data);
	return a && b;
}

static bool get(struct ps_host *h, struct iq *iq)
{
	struct ps_node *meta, *data;
	struct reading *r;
	struct ps_item *photo;

	if (!nodes_ready(h))
		return false;
	meta = ps_node_get(h, STR(NS_AVATAR_METADATA));
	data = ps_node_get(h, STR(NS_AVATAR_DATA));
	r = mem_zalloc(sizeof(*r));
	r->held = iq_hold(iq, NULL);
	r->own_photo = !meta || !meta->items_n;
	photo = visible_photo(h, jid_bare(iq->st->from), r);
	if (photo)
		ps_items_read(data, &photo, 1, on_photo, r);
	else
		read_card(h->core, r);
	return true;
}

/* ---- writing a vCard ---- */

/* A vCard is readable by everybody: so are nodes that come from one. */
static struct ps_node *open_node(struct ps_host *h, const char *name, struct store_batch *b)
{
	bool fresh = !ps_node_get(h, str_of(name));
	struct ps_node *n = ps_node_own(h, name, b);

	if (fresh) {
		n->cfg.access = ACCESS_OPEN;
		ps_node_save(n, b);
	}
	return n;
}

static void publish(struct ps_host *h, struct str id, struct str type, struct str bytes, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	struct ps_node *data = open_node(h, NS_AVATAR_DATA, b), *meta = open_node(h, NS_AVATAR_METADATA, b);
	struct xml *el = xml_new(a, "data", NS_AVATAR_DATA), *info;
	const struct xml *now = current_info(h);

	if (now && str_eq(xml_get(now, "id"), id) && ps_item_get(data, id))
		return;
	xml_text(a, el, base64_encode(a, bytes));
	ps_publish_own(data, id, ps_bytes(a, el), b);
	el = xml_new(a, "metadata", NS_AVATAR_METADATA);
	info = xml_add(a, el, "info", NULL);
	xml_setf(a, info, "bytes", "%zu", bytes.n);
	xml_set(a, info, "id", id);
	xml_set(a, info, "type", type.n && type.n < TYPE_MAX ? type : STR("image/png"));
	ps_publish_own(meta, id, ps_bytes(a, el), b);
	pep_avatar_changed(h, el, b);
}

/* XEP-0084 §3.5: an empty <metadata/>. */
static void disable(struct ps_host *h, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	struct xml *el = xml_new(a, "metadata", NS_AVATAR_METADATA);

	if (!current_info(h))
		return;
	ps_publish_own(ps_node_get(h, STR(NS_AVATAR_METADATA)), random_token(a, 16), ps_bytes(a, el), b);
	pep_avatar_changed(h, el, b);
}

/* A picture goes to its nodes; one that is elsewhere (EXTVAL) or broken stays in the card as it is. */
static void move_photo(struct ps_host *h, struct xml *card, struct store_batch *b)
{
	struct arena *a = core_arena(h->core);
	struct xml *photo = xml_child(card, "PHOTO", NULL);
	struct str bytes, binval = photo ? xml_child_text(a, photo, "BINVAL", NULL) : STR_NONE;

	if (photo && binval.n && decode(a, binval, &bytes)) {
		publish(h, sha1_hex(a, bytes), str_trim(xml_child_text(a, photo, "TYPE", NULL)), bytes, b);
		drop_photos(card);
	} else if (!photo || !str_trim(binval).n) {
		disable(h, b);
	}
}

static bool set(struct ps_host *h, struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct store_batch *b;
	struct xml *card;

	if (ps_bytes(a, iq->el).n > VCARD_BYTES_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, "This is larger than the server keeps (200 KiB).");
		return true;
	}
	if (!nodes_ready(h))
		return false;
	card = xml_copy(a, iq->el);
	b = store_batch_new();
	move_photo(h, card, b);
	store_put(b, h->jid.full, STR("vcard"), STR_NONE, ps_bytes(a, card));
	ps_answer(h, iq, b, NULL);
	return true;
}

void pep_vcard(struct iq *iq)
{
	if (iq->st->type == IQ_GET)
		ps_iq_do(ps_host_of(iq->user), iq, get);
	else if (iq->target == TO_USER)
		iq_error(iq, ERR_FORBIDDEN, NULL);
	else
		ps_iq_do(ps_host_of(iq->user), iq, set);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0486 0.1.0 avatars of rooms: a vCard (XEP-0054) that owners set and everybody reads. A saved room keeps the hashes in memory only. */
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hash.h"
#include "features/muc/muc.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { PHOTOS_MAX = 8 };

/* ---- hashes ---- */

/* vCards break their lines. */
static struct str without_space(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (!strchr(" \t\r\n", s.p[i]))
			p[n++] = s.p[i];
	return (struct str){ p, n };
}

static bool put_hash(struct arena *a, struct buf *out, const struct xml *photo)
{
	struct str text = xml_child_text(a, photo, "BINVAL", NULL), bytes;
	uint8_t digest[HASH_MAX];

	if (!text.p)
		return true; /* a photo elsewhere */
	if (base64_decode(a, without_space(a, text), &bytes) || !bytes.n)
		return false;
	hash(HASH_SHA1, bytes, digest);
	if (out->n)
		buf_putc(out, '\n');
	buf_str(out, hex_encode(a, (struct str){ (const char *)digest, hash_size(HASH_SHA1) }));
	return true;
}

/* SHA-1 of each photo in hex, one per line (XEP-0153 §3.1). Returns false when one is not base64. */
static bool hashes(struct arena *a, const struct xml *vcard, struct buf *out)
{
	int n = 0;

	for (struct xml *p = xml_child(vcard, "PHOTO", NULL); p; p = xml_next_same(p))
		if (n++ == PHOTOS_MAX || !put_hash(a, out, p))
			return false;
	return true;
}

static void take_hashes(struct room *r, struct buf *b)
{
	free(r->avatar);
	r->avatar = b->n ? str_dup(buf_view(b)) : NULL;
	buf_free(b);
}

void avatar_load(struct room *r, struct str value)
{
	struct buf b = { 0 };
	struct xml *vcard;

	if (!xml_parse(core_arena(r->core), value, &vcard) && hashes(core_arena(r->core), vcard, &b))
		take_hashes(r, &b);
	else
		buf_free(&b);
}

void avatar_free(struct room *r)
{
	free(r->avatar);
	r->avatar = NULL;
	blob_unref(r->vcard);
	r->vcard = NULL;
}

void avatar_saved(struct room *r, struct store_batch *b, bool was)
{
	if (r->saved && r->vcard) {
		store_put(b, r->jid.full, STR("room"), STR("vcard"), blob_view(r->vcard));
		blob_unref(r->vcard);
		r->vcard = NULL;
	} else if (was && !r->saved) { /* it was in the store only, and goes with it */
		avatar_free(r);
	}
}

void avatar_info(struct room *r, struct xml *form)
{
	struct arena *a = core_arena(r->core);
	struct str rest = str_of(r->avatar), line;
	struct xml *field;

	if (!rest.n)
		return;
	field = form_field(a, form, "text-multi", "muc#roominfo_avatarhash", "Avatar hash", STR_NONE);
	while (rest.n) {
		line = str_cut(rest, '\n', &rest);
		xml_add_text(a, field, "value", line);
	}
}

/* XEP-0486 §6.2: what older clients look for. */
static void presence_new(struct room *r, struct stanza *st)
{
	struct arena *a = core_arena(r->core);
	struct str rest, first = str_cut(str_of(r->avatar), '\n', &rest);

	stanza_new(a, ST_PRESENCE, PRES_AVAILABLE, st);
	st->from = r->jid;
	xml_add_text(a, xml_add(a, st->el, "x", NS_VCARD_UPDATE), "photo", first);
}

void avatar_show(struct room *r, struct seat *to)
{
	struct stanza st;

	if (!r->avatar)
		return;
	presence_new(r, &st);
	room_send(r, to, &st);
	stanza_fini(&st);
}

/* ---- the vCard ---- */

static void on_vcard(struct shard *s, void *arg, int status, const struct store_item *v, size_t n)
{
	struct iq_held *held = arg;
	struct iq *iq = iq_wake(held);
	struct arena *a = shard_arena(s);
	struct xml *vcard;

	if (status)
		iq_error(iq, ERR_INTERNAL_SERVER_ERROR, NULL);
	else if (n && !xml_parse(a, v[0].value, &vcard))
		iq_result(iq, vcard);
	else
		iq_result(iq, xml_new(a, "vCard", NS_VCARD));
	iq_held_free(held);
}

static void get(struct room *r, struct iq *iq)
{
	struct iq_held *held;
	struct xml *vcard;

	if (r->vcard && !xml_parse(core_arena(r->core), blob_view(r->vcard), &vcard)) {
		iq_result(iq, vcard);
		return;
	}
	if (!r->saved || !r->avatar) {
		iq_result(iq, xml_new(core_arena(r->core), "vCard", NS_VCARD));
		return;
	}
	held = iq_hold(iq, NULL);
	if (!store_get(r->core->env->store, r->core->shard, r->jid.full, STR("room"), STR("vcard"), on_vcard, held))
		return;
	iq_error(iq_wake(held), ERR_RESOURCE_CONSTRAINT, NULL);
	iq_held_free(held);
}

static void keep(struct room *r, const struct xml *vcard, struct store_batch **b)
{
	struct buf bytes = { 0 };

	xml_write(&bytes, vcard, STR_NONE);
	blob_unref(r->vcard);
	r->vcard = NULL;
	if (!r->saved)
		r->vcard = r->avatar ? blob_new(bytes.p, bytes.n) : NULL;
	else if (r->avatar)
		store_put(room_batch(b), r->jid.full, STR("room"), STR("vcard"), buf_view(&bytes));
	else
		store_del(room_batch(b), r->jid.full, STR("room"), STR("vcard"));
	buf_free(&bytes);
}

static size_t size_of(const struct xml *el)
{
	struct buf b = { 0 };
	size_t n;

	xml_write(&b, el, STR_NONE);
	n = b.n;
	buf_free(&b);
	return n;
}

static void set(struct room *r, struct iq *iq)
{
	struct buf b = { 0 };
	struct store_batch *batch = NULL;
	static const uint16_t CHANGED[] = { 104, 0 };

	if (room_affil_of(r, iq->st->from) != AFFIL_OWNER) {
		iq_error(iq, ERR_FORBIDDEN, "Only owners are allowed to set avatars.");
		return;
	}
	if (size_of(iq->el) > MUC_VCARD_MAX) {
		iq_error(iq, ERR_NOT_ACCEPTABLE, "The picture is too large.");
		return;
	}
	if (!hashes(core_arena(r->core), iq->el, &b)) {
		buf_free(&b);
		iq_error(iq, ERR_BAD_REQUEST, "This is not a picture in base64.");
		return;
	}
	take_hashes(r, &b);
	keep(r, iq->el, &batch);
	room_commit(r, batch, iq);
	if (r->state == ROOM_OPEN)
		room_status(r, CHANGED);
	for (uint32_t i = 0; i < r->seats_n; i++)
		avatar_show(r, r->seats[i]);
}

void room_vcard(struct room *r, struct iq *iq)
{
	if (!str_is(iq->el->name, "vCard"))
		iq_error(iq, ERR_BAD_REQUEST, NULL);
	else if (iq->st->type == IQ_GET)
		get(r, iq);
	else
		set(r, iq);
}

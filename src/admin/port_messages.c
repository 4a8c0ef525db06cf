/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Messages in an import (XEP-0227 1.1): those that wait and those of the archive, as rows of core/offline and of the archive. */
#include <errno.h>

#include "admin/port_priv.h"
#include "base/clock.h"
#include "core/core.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/stanza.h"

enum { STAMP_SLACK_MS = 1000 };

/* Reads a message of this account's. Returns 0; -EBADMSG. */
static int message(struct import *im, struct xml *el, struct stanza *out)
{
	struct buf text = { 0 };
	size_t n;

	xml_write(&text, el, STR_NONE);
	n = text.n;
	buf_free(&text);
	if (n > PORT_MESSAGE_MAX) {
		import_warn(im, "a message is larger than a stanza can be (256 KiB)");
		return -EBADMSG;
	}
	if (!xml_get(el, "to").n)
		xml_set(im->a, el, "to", im->owner);
	if (!str_is(el->name, "message") || stanza_from_xml(im->a, el, out) || !out->from.full.n) {
		import_warn(im, "a message has no good addresses");
		return -EBADMSG;
	}
	stanza_scan(out);
	return 0;
}

static uint64_t stamp_of(const struct xml *delay)
{
	uint64_t ms;

	return delay && !time_parse(xml_get(delay, "stamp"), &ms) ? ms : clock_wall_ms();
}

/* The stanza-id that this account's archive gave, and its value in out; NULL: none. */
static struct xml *own_stanza_id(const struct import *im, const struct xml *el, uint64_t *out)
{
	for (struct xml *s = xml_child(el, "stanza-id", NS_SID); s; s = xml_next_same(s))
		if (str_eq(xml_get(s, "by"), im->owner) && !archive_id_parse(xml_get(s, "id"), out))
			return s;
	return NULL;
}

static void offline_one(struct import *im, struct xml *el)
{
	uint64_t id = 0;
	struct xml *delay = xml_child(el, "delay", NS_DELAY), *sid = own_stanza_id(im, el, &id);
	uint64_t ms = stamp_of(delay);
	struct stanza st;
	struct blob *packed;

	if (im->offline_n >= PORT_OFFLINE_MAX) {
		import_warn(im, "more than %d offline messages are left out", PORT_OFFLINE_MAX);
		return;
	}
	if (sid)
		xml_detach(sid); /* it is added again when the message is delivered */
	else
		id = im->last = archive_id_next(im->last, ms, IMPORT_SHARD);
	if (delay)
		xml_detach(delay); /* the same */
	if (message(im, el, &st))
		return;
	packed = stanza_pack(&st);
	store_put(im->batch, im->owner, STR("offline"), arena_printf(im->a, "%016llx%c", (unsigned long long)id, sid ? 'a' : 'n'),
		blob_view(packed));
	blob_unref(packed);
	stanza_fini(&st);
	im->offline_n++;
	im->offline_touched = true;
	im->counts[PORT_OFFLINE]++;
}

void import_offline(struct import *im, struct xml *el)
{
	xml_each(m, el)
		offline_one(im, m);
}

/* Our own ids stay what they are, so that clients know the messages again; others become ids of the same time. */
static uint64_t archive_id_for(struct import *im, struct str id, uint64_t ms)
{
	uint64_t own;

	if (!archive_id_parse(id, &own) && archive_id_ms(own) + STAMP_SLACK_MS > ms && archive_id_ms(own) < ms + STAMP_SLACK_MS)
		im->last = own;
	else
		im->last = archive_id_next(im->last, ms, IMPORT_SHARD);
	return im->last;
}

static void archive_one(struct import *im, struct xml *result)
{
	struct xml *forwarded = xml_child(result, "forwarded", NS_FORWARD), *delay = xml_child(forwarded, "delay", NS_DELAY);
	struct xml *el = xml_child(forwarded, "message", NS_CLIENT);
	struct stanza st;
	struct blob *packed;
	struct jid peer;
	uint64_t ms;
	bool outgoing;

	if (!el || !delay || time_parse(xml_get(delay, "stamp"), &ms)) {
		import_warn(im, "an archived message has no time or no contents");
		return;
	}
	if (message(im, el, &st))
		return;
	outgoing = str_eq(jid_bare_str(st.from), im->owner);
	peer = outgoing ? st.to : st.from;
	packed = stanza_pack(&st);
	store_archive(im->batch, &(struct archive_row){ .owner = im->owner, .id = archive_id_for(im, xml_get(result, "id"), ms),
		.with = jid_bare_str(peer), .with_full = jid_is_bare(peer) ? STR_NONE : peer.full,
		.origin = outgoing ? st.origin_id : STR_NONE, .outgoing = outgoing, .stanza = packed });
	blob_unref(packed);
	stanza_fini(&st);
	im->counts[PORT_ARCHIVED]++;
}

void import_archive(struct import *im, struct xml *el)
{
	xml_each(r, el)
		archive_one(im, r);
}

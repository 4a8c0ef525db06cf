/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanzas: as XML if the first byte is '<', else as packed bytes. What is read can be packed, unpacked, written and answered. */
#include "base/must.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/rsm.h"
#include "proto/xmpp/stanza.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_payload(struct arena *a, struct xml *el)
{
	struct xml *form = form_find(el, NULL, NULL);
	struct rsm rsm;
	bool flag;

	rsm_parse(a, el, &rsm);
	if (form)
		form_bool(a, form, "with", &flag);
}

static void answer(struct arena *a, struct stanza *st)
{
	struct buf text = { 0 };
	struct stanza reply;
	struct xml *el;

	if (!stanza_error_reply(a, st, ERR_CONFLICT, "text", &reply))
		return;
	stanza_write(&text, &reply, "jabber:client");
	must(xml_parse(a, buf_view(&text), &el) == 0);
	buf_free(&text);
	stanza_fini(&reply);
}

static void use_xml(struct arena *a, struct str text)
{
	struct buf once = { 0 }, twice = { 0 };
	struct stanza st, got;
	struct blob *packed;
	struct xml *el;

	if (xml_parse(a, text, &el) != 0 || stanza_from_xml(a, el, &st) != 0)
		return;
	stanza_scan(&st);
	use_payload(a, el);
	packed = stanza_pack(&st);
	must(stanza_unpack(blob_view(packed), &got) == 0);
	stanza_write(&once, &st, "jabber:client");
	stanza_write(&twice, &got, "jabber:client");
	must(str_eq(buf_view(&once), buf_view(&twice)));
	must(stanza_tree(&got, a));
	must(xml_parse(a, buf_view(&once), &el) == 0);
	answer(a, &got);
	buf_free(&once);
	buf_free(&twice);
	stanza_fini(&st);
	stanza_fini(&got);
	blob_unref(packed);
}

static void use_packed(struct arena *a, struct str packed)
{
	struct stanza st;
	struct blob *again;
	struct buf out = { 0 };

	if (stanza_unpack(packed, &st) != 0)
		return;
	again = stanza_pack(&st);
	must(str_eq(blob_view(again), packed));
	stanza_write(&out, &st, NULL);
	if (stanza_tree(&st, a)) {
		stanza_scan(&st);
		stanza_touched(&st);
		stanza_write(&out, &st, NULL);
	}
	buf_free(&out);
	blob_unref(again);
	stanza_fini(&st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct arena a;

	arena_init(&a);
	if (size && data[0] == '<')
		use_xml(&a, in);
	else
		use_packed(&a, in);
	arena_fini(&a);
	return 0;
}

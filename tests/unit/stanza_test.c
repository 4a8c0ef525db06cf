/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanzas (RFC 6120 §8): head, payload, errors, packing; acknowledgement counters of XEP-0198. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/xmpp/ns.h"
#include "proto/xmpp/sm.h"
#include "proto/xmpp/stanza.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct stanza read_stanza(const char *text, int want)
{
	struct stanza st = { 0 };
	struct xml *el;

	assert_int_equal(xml_parse(&arena, str_of(text), &el), 0);
	assert_int_equal(stanza_from_xml(&arena, el, &st), want);
	return st;
}

static struct str written(struct stanza *st, const char *xmlns)
{
	struct buf out = { 0 };
	struct str s;

	stanza_write(&out, st, xmlns);
	s = arena_str(&arena, buf_view(&out));
	buf_free(&out);
	return s;
}

#define CHAT                                                                                       \
	"<message xmlns='jabber:client' from='A@B/c&apos;&amp;d' to='e@f' id='1&lt;2' "            \
	"type='chat' "                                                                             \
	"xml:lang='de' odd='x'><body>hi</body><x xmlns='y'/></message>"
#define CHAT_OUT                                                                                   \
	"<message from='a@b/c&apos;&amp;d' to='e@f' id='1&lt;2' type='chat' xml:lang='de'>"        \
	"<body>hi</body><x xmlns='y'/></message>"

TEST(reads_and_writes_a_message)
{
	struct stanza st = read_stanza(CHAT, 0);

	assert_int_equal(st.kind, ST_MESSAGE);
	assert_int_equal(st.type, MSG_CHAT);
	assert_str(st.from.full, "a@b/c'&d");
	assert_str(st.id, "1<2");
	assert_str(st.lang, "de");
	assert_str(written(&st, NULL), CHAT_OUT);
	assert_str(blob_view(stanza_tail(&st)), "<body>hi</body><x xmlns='y'/></message>");
	assert_ptr_equal(stanza_tail(&st), stanza_tail(&st));
	st.extra = STR("<stanza-id/>");
	st.from = JID_NONE;
	assert_str(written(&st, "jabber:client"),
		"<message xmlns='jabber:client' to='e@f' id='1&lt;2' type='chat' xml:lang='de'>"
		"<stanza-id/><body>hi</body><x xmlns='y'/></message>");
	stanza_fini(&st);
	stanza_fini(&st);
}

TEST(makes_the_tail_anew_after_a_change)
{
	struct stanza st = read_stanza(CHAT, 0);

	stanza_tail(&st);
	xml_detach(xml_child(st.el, "body", NULL));
	stanza_touched(&st);
	assert_str(blob_view(stanza_tail(&st)), "<x xmlns='y'/></message>");
	stanza_fini(&st);
}

TEST(knows_every_type)
{
	static const struct {
		const char *text;
		int want;
		enum stanza_type type;
	} cases[] = {
		{ "<message xmlns='jabber:client'/>", 0, MSG_NORMAL },
		{ "<message xmlns='jabber:client' type='normal'/>", 0, MSG_NORMAL },
		{ "<message xmlns='jabber:client' type='odd'/>", 0, MSG_NORMAL },
		{ "<message xmlns='jabber:client' type='get'/>", 0, MSG_NORMAL },
		{ "<message xmlns='jabber:client' type='groupchat'/>", 0, MSG_GROUPCHAT },
		{ "<message xmlns='jabber:server' type='headline'/>", 0, MSG_HEADLINE },
		{ "<message xmlns='jabber:client' type='error'/>", 0, MSG_ERROR },
		{ "<presence xmlns='jabber:client'/>", 0, PRES_AVAILABLE },
		{ "<presence xmlns='jabber:client' type='error'/>", 0, PRES_ERROR },
		{ "<presence xmlns='jabber:client' type='probe'/>", 0, PRES_PROBE },
		{ "<presence xmlns='jabber:client' type='odd'/>", -EBADMSG, PRES_AVAILABLE },
		{ "<iq xmlns='jabber:client' type='get'/>", 0, IQ_GET },
		{ "<iq xmlns='jabber:client' type='error'/>", 0, IQ_ERROR },
		{ "<iq xmlns='jabber:client'/>", -EBADMSG, IQ_GET },
		{ "<iq xmlns='jabber:client' type='odd'/>", -EBADMSG, IQ_GET },
		{ "<iq xmlns='jabber:client' type='set' to='a@@b'/>", -EINVAL, IQ_SET },
		{ "<iq xmlns='jabber:client' type='set' from='a b'/>", -EPERM, IQ_SET },
		{ "<odd xmlns='jabber:client'/>", -EBADMSG, 0 },
		{ "<message xmlns='odd'/>", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stanza st = read_stanza(cases[i].text, cases[i].want);

		assert_int_equal(st.type, cases[i].type);
	}
}

TEST(turns_server_stanzas_into_client_stanzas)
{
	struct stanza st = read_stanza("<message xmlns='jabber:server'><body>a</body><f "
				       "xmlns='x'><message xmlns='jabber:server'>"
				       "<body>b</body></message></f></message>",
		0);

	assert_str(written(&st, NULL),
		"<message><body>a</body><f xmlns='x'><message xmlns='jabber:client'><body>b</body>"
		"</message></f></message>");
	stanza_fini(&st);
}

TEST(scans_what_a_message_holds)
{
	static const struct {
		const char *payload;
		uint32_t flags;
	} cases[] = {
		{ "", 0 },
		{ "<body>a</body>", SF_BODY },
		{ "<body/>", 0 },
		{ "<body xmlns='x'>a</body>", SF_PAYLOAD },
		{ "<subject/>", SF_SUBJECT },
		{ "<thread>t</thread>", SF_THREAD },
		{ "<active xmlns='" NS_CHATSTATES "'/>", SF_CHATSTATE_ONLY },
		{ "<composing xmlns='" NS_CHATSTATES "'/><thread>t</thread>",
			SF_CHATSTATE_ONLY | SF_THREAD },
		{ "<composing xmlns='" NS_CHATSTATES "'/><no-store xmlns='" NS_HINTS "'/>",
			SF_CHATSTATE_ONLY | SF_NO_STORE },
		{ "<active xmlns='" NS_CHATSTATES "'/><body>a</body>", SF_BODY },
		{ "<store xmlns='" NS_HINTS "'/><no-copy xmlns='" NS_HINTS
		  "'/><no-permanent-store xmlns='" NS_HINTS "'/>",
			SF_STORE | SF_NO_COPY | SF_NO_PERMANENT_STORE },
		{ "<private xmlns='" NS_CARBONS "'/>", SF_PRIVATE },
		{ "<sent xmlns='" NS_CARBONS "'/>", SF_CARBON },
		{ "<received xmlns='" NS_RECEIPTS "' id='a'/>", SF_RECEIPT },
		{ "<request xmlns='" NS_RECEIPTS "'/>", 0 },
		{ "<displayed xmlns='" NS_MARKERS "' id='a'/>", SF_MARKER },
		{ "<markable xmlns='" NS_MARKERS "'/>", SF_PAYLOAD },
		{ "<x xmlns='" NS_MUC_USER "'/>", SF_MUC_USER },
		{ "<reactions xmlns='urn:xmpp:reactions:0'/>", SF_PAYLOAD },
		{ "<stanza-id xmlns='" NS_SID "' id='s'/><origin-id xmlns='" NS_SID "' id='o'/>",
			0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stanza st = read_stanza(
			arena_printf(&arena, "<message xmlns='jabber:client'>%s</message>",
				cases[i].payload)
				.p,
			0);

		stanza_scan(&st);
		if (st.flags != cases[i].flags)
			fail_msg("%s: %x", cases[i].payload, st.flags);
		assert_int_equal(
			st.origin_id.p != NULL, strstr(cases[i].payload, "origin-id") != NULL);
	}
}

TEST(packs_and_unpacks)
{
	struct stanza st = read_stanza(CHAT, 0), got;
	struct blob *packed, *again;

	stanza_scan(&st);
	st.origin_id = STR("o");
	st.extra = STR("<e/>");
	packed = stanza_pack(&st);
	assert_int_equal(stanza_unpack(blob_view(packed), &got), 0);
	assert_int_equal(got.kind, st.kind);
	assert_int_equal(got.type, st.type);
	assert_int_equal(got.flags, st.flags);
	assert_true(jid_eq(got.from, st.from));
	assert_str(jid_resource(got.from), "c'&d");
	assert_str(got.origin_id, "o");
	assert_str(written(&got, NULL), written(&st, NULL).p);
	assert_null(got.tail);
	again = stanza_pack(&got);
	assert_true(str_eq(blob_view(packed), blob_view(again)));
	got.extra = STR_NONE;
	assert_true(xml_is(xml_child(stanza_tree(&got, &arena), "x", "y"), "x", "y"));
	assert_str(xml_get(got.el, "from"), "a@b/c'&d");
	assert_str(xml_get(got.el, "id"), "1<2");
	stanza_touched(&got);
	assert_str(written(&got, NULL), CHAT_OUT);
	stanza_fini(&got);
	stanza_fini(&st);
	blob_unref(packed);
	blob_unref(again);
}

TEST(packs_an_empty_stanza_small)
{
	struct stanza st, got;
	struct blob *packed;

	stanza_new(&arena, ST_PRESENCE, PRES_UNAVAILABLE, &st);
	packed = stanza_pack(&st);
	assert_int_equal(packed->n, 12 + strlen("</presence>"));
	assert_int_equal(stanza_unpack(blob_view(packed), &got), 0);
	assert_null(got.id.p);
	assert_str(written(&got, NULL), "<presence type='unavailable'></presence>");
	blob_unref(packed);
	stanza_fini(&st);
}

TEST(refuses_every_truncation_and_survives_every_flip)
{
	struct stanza st = read_stanza(CHAT, 0), got;
	struct blob *packed = stanza_pack(&st);
	char *p;

	for (size_t n = 0; n < packed->n; n++) {
		p = malloc(n ? n : 1);
		memcpy(p, packed->p, n);
		assert_int_equal(stanza_unpack((struct str){ p, n }, &got), -EBADMSG);
		free(p);
	}
	for (size_t i = 0; i < 8u * packed->n; i++) {
		p = malloc(packed->n);
		memcpy(p, packed->p, packed->n);
		p[i / 8] ^= (char)(1 << i % 8);
		if (stanza_unpack((struct str){ p, packed->n }, &got) == 0) {
			written(&got, NULL);
			stanza_tree(&got, &arena);
			stanza_fini(&got);
		}
		free(p);
	}
	assert_int_equal(stanza_unpack(STR_NONE, &got), -EBADMSG);
	blob_unref(packed);
	stanza_fini(&st);
}

TEST(answers_with_an_error)
{
	struct stanza st = read_stanza(
			      "<iq xmlns='jabber:client' type='get' id='1' from='a@b/c' to='d'>"
			      "<q xmlns='x'><i/></q></iq>",
			      0),
		      out;

	assert_true(stanza_error_reply(&arena, &st, ERR_SERVICE_UNAVAILABLE, NULL, &out));
	assert_str(written(&out, NULL),
		"<iq from='d' to='a@b/c' id='1' type='error'><q xmlns='x'><i/></q><error "
		"type='cancel'>"
		"<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
	assert_false(stanza_error_reply(&arena, &out, ERR_CONFLICT, NULL, &out));
	stanza_fini(&out);
	stanza_result(&arena, &st, &out);
	assert_str(written(&out, NULL), "<iq from='d' to='a@b/c' id='1' type='result'></iq>");
	assert_false(stanza_error_reply(&arena, &out, ERR_CONFLICT, NULL, &out));
	stanza_fini(&out);
	st = read_stanza(
		"<message xmlns='jabber:client' from='a@b/c' to='d'><body>x</body></message>", 0);
	assert_true(stanza_error_reply(&arena, &st, ERR_JID_MALFORMED, "a<b", &out));
	assert_str(written(&out, NULL),
		"<message from='d' to='a@b/c' type='error'><error type='modify'>"
		"<jid-malformed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
		"<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' "
		"xml:lang='en'>a&lt;b</text></error></message>");
	stanza_fini(&out);
	st = read_stanza("<presence xmlns='jabber:client' type='unavailable'/>", 0);
	assert_false(stanza_error_reply(&arena, &st, ERR_CONFLICT, NULL, &out));
}

TEST(answers_a_packed_request_with_its_payload)
{
	struct stanza st =
		read_stanza("<iq xmlns='jabber:client' type='set' id='1'><q xmlns='x'/></iq>", 0);
	struct blob *packed = stanza_pack(&st);
	struct stanza got, out;

	assert_int_equal(stanza_unpack(blob_view(packed), &got), 0);
	assert_true(stanza_error_reply(&arena, &got, ERR_FORBIDDEN, NULL, &out));
	assert_str(written(&out, NULL),
		"<iq id='1' type='error'><q xmlns='x'/><error type='auth'>"
		"<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
	stanza_fini(&out);
	stanza_fini(&got);
	stanza_fini(&st);
	blob_unref(packed);
}

TEST(counts_acknowledgements_modulo_2_32)
{
	uint32_t n = 9;

	assert_int_equal(sm_distance(UINT32_MAX, 1), 2);
	assert_int_equal(sm_ack(0, 5, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(sm_ack(3, 5, 3, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sm_ack(UINT32_MAX - 1, 2, 1, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(sm_ack(3, 5, 6, &n), -ERANGE);
	assert_int_equal(sm_ack(3, 5, 2, &n), -ERANGE);
	assert_int_equal(sm_ack(UINT32_MAX, 1, 2, &n), -ERANGE);
	assert_int_equal(n, 3);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

UNIT_MAIN(CASE(reads_and_writes_a_message), CASE(makes_the_tail_anew_after_a_change),
	CASE(knows_every_type), CASE(turns_server_stanzas_into_client_stanzas),
	CASE(scans_what_a_message_holds), CASE(packs_and_unpacks),
	CASE(packs_an_empty_stanza_small), CASE(refuses_every_truncation_and_survives_every_flip),
	CASE(answers_with_an_error), CASE(answers_a_packed_request_with_its_payload),
	CASE(counts_acknowledgements_modulo_2_32));

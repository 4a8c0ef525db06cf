/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The SASL profile of RFC 6120 §6. */
#include "base/mem.h"
#include "proto/xmpp/ns.h"
#include "xmpp/sasl.h"

static void say(struct stream *st, const char *name, struct str text)
{
	struct arena *a = core_arena(st->core);
	struct xml *el = xml_new(a, name, NS_SASL);

	if (text.n)
		xml_text(a, el, text);
	stream_write_xml(st, el);
}

static void challenge(struct stream *st, struct str base64)
{
	say(st, "challenge", base64);
}

static void success(struct stream *st, struct str base64)
{
	say(st, "success", base64);
	sasl_auth_free(st->auth);
	st->auth = NULL;
	st->state = STREAM_AUTHED;
	st->link->restart(st);
}

static void failure(struct stream *st, const char *condition, const char *text)
{
	struct arena *a = core_arena(st->core);
	struct xml *el = xml_new(a, "failure", NS_SASL);

	xml_add(a, el, condition, NULL);
	if (text)
		xml_add_text(a, el, "text", str_of(text));
	stream_write_xml(st, el);
}

static const struct sasl_profile sasl1 = { challenge, success, failure, false };

static void start(struct stream *st, struct xml *el)
{
	struct str text = xml_text_of(core_arena(st->core), el);

	sasl_start(st, &sasl1, xml_get(el, "mechanism"), text.n ? text : STR_NONE, NULL, false);
}

void sasl1_element(struct stream *st, struct xml *el)
{
	bool running = st->auth && st->auth->profile == &sasl1;

	if (str_is(el->name, "auth"))
		start(st, el);
	else if (str_is(el->name, "response") && running)
		sasl_response(st, xml_text_of(core_arena(st->core), el));
	else if (str_is(el->name, "abort") && running)
		sasl_abort(st);
	else
		failure(st, "malformed-request", NULL);
}

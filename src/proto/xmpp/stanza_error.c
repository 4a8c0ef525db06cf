/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Stanza errors (RFC 6120 §8.3). */
#include "base/must.h"
#include "proto/xmpp/ns.h"
#include "proto/xmpp/stanza.h"

static const struct condition {
	const char *name, *type;
} CONDITIONS[] = {
	[ERR_BAD_REQUEST] = { "bad-request", "modify" },
	[ERR_CONFLICT] = { "conflict", "cancel" },
	[ERR_FEATURE_NOT_IMPLEMENTED] = { "feature-not-implemented", "cancel" },
	[ERR_FORBIDDEN] = { "forbidden", "auth" },
	[ERR_GONE] = { "gone", "cancel" },
	[ERR_INTERNAL_SERVER_ERROR] = { "internal-server-error", "cancel" },
	[ERR_ITEM_NOT_FOUND] = { "item-not-found", "cancel" },
	[ERR_JID_MALFORMED] = { "jid-malformed", "modify" },
	[ERR_NOT_ACCEPTABLE] = { "not-acceptable", "modify" },
	[ERR_NOT_ALLOWED] = { "not-allowed", "cancel" },
	[ERR_NOT_AUTHORIZED] = { "not-authorized", "auth" },
	[ERR_POLICY_VIOLATION] = { "policy-violation", "modify" },
	[ERR_RECIPIENT_UNAVAILABLE] = { "recipient-unavailable", "wait" },
	[ERR_REDIRECT] = { "redirect", "modify" },
	[ERR_REGISTRATION_REQUIRED] = { "registration-required", "auth" },
	[ERR_REMOTE_SERVER_NOT_FOUND] = { "remote-server-not-found", "cancel" },
	[ERR_REMOTE_SERVER_TIMEOUT] = { "remote-server-timeout", "wait" },
	[ERR_RESOURCE_CONSTRAINT] = { "resource-constraint", "wait" },
	[ERR_SERVICE_UNAVAILABLE] = { "service-unavailable", "cancel" },
	[ERR_SUBSCRIPTION_REQUIRED] = { "subscription-required", "auth" },
	[ERR_UNDEFINED_CONDITION] = { "undefined-condition", "cancel" },
	[ERR_UNEXPECTED_REQUEST] = { "unexpected-request", "wait" },
};

_Static_assert(ARRAY_LEN(CONDITIONS) == ERR_COUNT, "one row per condition");

const char *stanza_error_name(enum stanza_error e)
{
	return CONDITIONS[e].name;
}

struct xml *stanza_error_add(struct arena *a, struct xml *el, enum stanza_error e, const char *text)
{
	struct xml *error = xml_add(a, el, "error", NS_CLIENT), *t;

	xml_set(a, error, "type", str_of(CONDITIONS[e].type));
	xml_add(a, error, CONDITIONS[e].name, NS_STANZA_ERRORS);
	if (text) {
		t = xml_add(a, error, "text", NS_STANZA_ERRORS);
		xml_set(a, t, "xml:lang", STR("en"));
		xml_text(a, t, str_of(text));
	}
	return error;
}

/* RFC 6120 §8.3.1: never an error about an error, nor about an answer; one who leaves waits for none. */
static const enum stanza_type ERROR_OF[] = {
	[MSG_NORMAL] = MSG_ERROR,
	[MSG_CHAT] = MSG_ERROR,
	[MSG_GROUPCHAT] = MSG_ERROR,
	[MSG_HEADLINE] = MSG_ERROR,
	[MSG_ERROR] = MSG_ERROR,
	[PRES_AVAILABLE] = PRES_ERROR,
	[PRES_UNAVAILABLE] = PRES_UNAVAILABLE,
	[PRES_SUBSCRIBE] = PRES_ERROR,
	[PRES_SUBSCRIBED] = PRES_ERROR,
	[PRES_UNSUBSCRIBE] = PRES_ERROR,
	[PRES_UNSUBSCRIBED] = PRES_ERROR,
	[PRES_PROBE] = PRES_ERROR,
	[PRES_ERROR] = PRES_ERROR,
	[IQ_GET] = IQ_ERROR,
	[IQ_SET] = IQ_ERROR,
	[IQ_RESULT] = IQ_RESULT,
	[IQ_ERROR] = IQ_ERROR,
};

bool stanza_error_reply(struct arena *a, struct stanza *st, enum stanza_error e, const char *text,
	struct stanza *out)
{
	enum stanza_type type = ERROR_OF[st->type];
	struct xml *payload;

	if (type == st->type)
		return false;
	stanza_new(a, st->kind, type, out);
	out->from = st->to;
	out->to = st->from;
	out->id = st->id;
	if (st->kind == ST_IQ) {
		payload = xml_child_any(stanza_tree(st, a));
		if (payload)
			xml_append(out->el, xml_copy(a, payload));
	}
	stanza_error_add(a, out->el, e, text);
	return true;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * From the open transport to the ready session: STARTTLS, SASL, binding (RFC 6120), stream
 * management (XEP-0198), roster and presence (RFC 6121). One handler per state.
 */
#include "conn.h"
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum { MISS_SM = 1, MISS_ROSTER = 2, MISS_PRESENCE = 4 };

#define SM_NS "urn:xmpp:sm:3"
#define SASL_NS "urn:ietf:params:xml:ns:xmpp-sasl"

static void say(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

static void fail(struct client *c, const struct stanza *st)
{
	char text[300];

	snprintf(text, sizeof(text), "unexpected: %.*s", (int)(st->len < 250 ? st->len : 250), st->text);
	conn_end(c, CLIENT_FAILED, text);
}

static void open_stream(struct client *c, enum client_state next)
{
	char text[300];

	snprintf(text, sizeof(text),
		 "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xmlns='jabber:client' "
		 "xmlns:stream='http://etherx.jabber.org/streams'>",
		 client_domain(c));
	c->state = next;
	say(c, text);
}

static void ready(struct client *c)
{
	struct fleet *f = c->fleet;

	c->state = CLIENT_READY;
	c->ready_ns = now_ns();
	free(c->scram);
	c->scram = NULL;
	f->logging_in--;
	f->ready++;
	if (f->scene->on_ready)
		f->scene->on_ready(c);
}

/* The relay wants only a number: partners 2i and 2i+1 are joined. */
static void raw_hello(struct client *c)
{
	char text[64];

	snprintf(text, sizeof(text), "<hello n='%lld'/>", (long long)(c->number - c->fleet->o->first));
	c->state = CLIENT_SESSION;
	say(c, text);
}

void login_transport_up(struct client *c, bool tls)
{
	if (c->fleet->o->raw)
		raw_hello(c);
	else if (tls || c->fleet->o->tls_mode == TLS_NONE)
		open_stream(c, CLIENT_FEATURES);
	else
		open_stream(c, CLIENT_OPENING);
}

static void on_opening(struct client *c, const struct stanza *st)
{
	if (!stanza_find(st, "urn:ietf:params:xml:ns:xmpp-tls")) {
		fail(c, st);
		return;
	}
	c->state = CLIENT_PROCEED;
	say(c, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
}

static void on_proceed(struct client *c, const struct stanza *st)
{
	if (stanza_is(st, "proceed"))
		conn_start_tls(c);
	else
		fail(c, st);
}

static void send_plain(struct client *c, const char *user)
{
	const struct opts *o = c->fleet->o;
	char raw[160], b64[256], text[400];
	int n = snprintf(raw, sizeof(raw), "%c%s%c%s", 0, user, 0, o->password);

	EVP_EncodeBlock((unsigned char *)b64, (unsigned char *)raw, n);
	snprintf(text, sizeof(text), "<auth xmlns='" SASL_NS "' mechanism='PLAIN'>%s</auth>", b64);
	c->state = CLIENT_SUCCESS;
	say(c, text);
}

static void on_features(struct client *c, const struct stanza *st)
{
	const struct opts *o = c->fleet->o;
	char user[64], b64[SCRAM_TEXT], text[SCRAM_TEXT + 200];

	if (!stanza_find(st, o->mech)) {
		fail(c, st);
		return;
	}
	snprintf(user, sizeof(user), "%s%lld", o->prefix, (long long)c->number);
	if (strcmp(o->mech, "PLAIN") == 0) {
		send_plain(c, user);
		return;
	}
	if (!c->scram && !(c->scram = calloc(1, sizeof(*c->scram))))
		abort();
	scram_first(c->scram, strcmp(o->mech, "SCRAM-SHA-256") == 0, user, b64);
	snprintf(text, sizeof(text), "<auth xmlns='" SASL_NS "' mechanism='%s'>%s</auth>", o->mech, b64);
	c->state = CLIENT_CHALLENGE;
	say(c, text);
}

static void on_challenge(struct client *c, const struct stanza *st)
{
	char b64[2 * SCRAM_TEXT], text[2 * SCRAM_TEXT + 100];
	struct span data = stanza_text(st, "challenge");

	if (!data.text || scram_final(c->scram, c->fleet->o->password, data.text, data.len, b64) < 0) {
		fail(c, st);
		return;
	}
	snprintf(text, sizeof(text), "<response xmlns='" SASL_NS "'>%s</response>", b64);
	c->state = CLIENT_SUCCESS;
	say(c, text);
}

static void on_success(struct client *c, const struct stanza *st)
{
	if (stanza_is(st, "success"))
		open_stream(c, CLIENT_BOUND_FEATURES);
	else
		fail(c, st);
}

static void on_bound_features(struct client *c, const struct stanza *st)
{
	if (!stanza_find(st, "xmpp-bind")) {
		fail(c, st);
		return;
	}
	c->state = CLIENT_BINDING;
	say(c, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
	       "<resource>load</resource></bind></iq>");
}

static void on_binding(struct client *c, const struct stanza *st)
{
	if (!stanza_is(st, "iq") || !stanza_attr_is(st, "type", "result")) {
		fail(c, st);
		return;
	}
	c->state = CLIENT_SESSION;
	c->missing = MISS_ROSTER;
	if (!c->fleet->o->no_sm) {
		say(c, "<enable xmlns='" SM_NS "'/>");
		c->missing |= MISS_SM;
	}
	client_stanza(c, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
	if (!c->quiet) {
		client_stanza(c, "<presence/>");
		c->missing |= MISS_PRESENCE;
	}
}

/* Is this the echo of our own presence? Contacts' presence may come first. */
static bool own_presence(const struct client *c, const struct stanza *st)
{
	char jid[200];
	struct span from = stanza_attr(st, "from");
	int n = snprintf(jid, sizeof(jid), "%s%lld@%s/", c->fleet->o->prefix, (long long)c->number,
			 client_domain(c));

	return from.len > (size_t)n && memcmp(from.text, jid, (size_t)n) == 0;
}

static void on_session(struct client *c, const struct stanza *st)
{
	if (stanza_is(st, "enabled")) {
		c->sm_on = true;
		c->missing &= (uint8_t)~MISS_SM;
	} else if (stanza_is(st, "iq") && stanza_attr_is(st, "id", "roster")) {
		c->missing &= (uint8_t)~MISS_ROSTER;
	} else if (stanza_is(st, "presence") && own_presence(c, st)) {
		c->missing &= (uint8_t)~MISS_PRESENCE;
	} else if (stanza_is(st, "failed") || stanza_is(st, "stream:error")) {
		fail(c, st);
		return;
	} else if (c->fleet->o->raw) {
		c->missing = 0;
	}
	if (c->missing == 0)
		ready(c);
	else if (c->fleet->scene->on_stanza && stanza_is(st, "message"))
		c->fleet->scene->on_stanza(c, st); /* offline messages come before the last answer */
}

static void on_ready(struct client *c, const struct stanza *st)
{
	if (stanza_is(st, "stream:error"))
		fail(c, st);
	else if (c->fleet->scene->on_stanza)
		c->fleet->scene->on_stanza(c, st);
}

typedef void state_fn(struct client *c, const struct stanza *st);

static state_fn *const handlers[CLIENT_STATES] = {
	[CLIENT_OPENING] = on_opening,
	[CLIENT_PROCEED] = on_proceed,
	[CLIENT_FEATURES] = on_features,
	[CLIENT_CHALLENGE] = on_challenge,
	[CLIENT_SUCCESS] = on_success,
	[CLIENT_BOUND_FEATURES] = on_bound_features,
	[CLIENT_BINDING] = on_binding,
	[CLIENT_SESSION] = on_session,
	[CLIENT_READY] = on_ready,
};

static void answer_ask(struct client *c)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "<a xmlns='" SM_NS "' h='%u'/>", c->sm_in);

	client_send(c, text, (size_t)n);
}

/* Stream management elements; returns whether st was one. */
static bool managed(struct client *c, const struct stanza *st)
{
	if (st->name_len != 1)
		return false;
	if (*st->name == 'r') {
		answer_ask(c);
		return true;
	}
	if (*st->name == 'a') {
		struct span h = stanza_attr(st, "h");

		if (h.text)
			c->sm_acked = (uint32_t)strtoul(h.text, NULL, 10);
		if (c->fleet->scene->on_ack)
			c->fleet->scene->on_ack(c);
		return true;
	}
	return false;
}

void login_stanza(struct client *c, const struct stanza *st)
{
	if (st->kind == STANZA_OPEN)
		return;
	if (st->kind == STANZA_CLOSE) {
		conn_end(c, c->state == CLIENT_CLOSING ? CLIENT_CLOSED : CLIENT_FAILED,
			 "the server closed the stream");
		return;
	}
	if (managed(c, st))
		return;
	if (c->sm_on && (stanza_is(st, "message") || stanza_is(st, "presence") || stanza_is(st, "iq")))
		c->sm_in++;
	if (handlers[c->state])
		handlers[c->state](c, st);
}

void client_ask(struct client *c)
{
	say(c, "<r xmlns='" SM_NS "'/>");
}

void client_close(struct client *c)
{
	if (c->state != CLIENT_READY)
		return;
	if (c->sm_on)
		answer_ask(c); /* or the server must think that the last stanzas were not received */
	c->state = CLIENT_CLOSING;
	c->fleet->ready--;
	say(c, "</stream:stream>");
}

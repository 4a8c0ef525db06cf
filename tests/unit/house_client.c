/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The clients of the house: text out, text in, and the dialogues that every test begins with. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "house.h"

enum { STEP_MS = 10, STUCK_MAX = 3 };

/* Reads what is there. Returns whether something came. */
static bool drain(struct house_client *c)
{
	bool any = false;
	ssize_t n;

	while (c->fd >= 0) {
		char *room = buf_room(&c->got, 65536);

		n = recv(c->fd, room, 65536, 0);
		if (n > 0) {
			c->got.n += (size_t)n;
			any = true;
		} else if (n < 0 && errno == EAGAIN) {
			break;
		} else {
			c->closed = true;
			close(c->fd);
			c->fd = -1;
		}
	}
	return any;
}

/* One step of waiting. Returns whether waiting longer makes sense. */
static bool step(struct house_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	bool any;

	if (c->house->threads) {
		poll(&p, 1, STEP_MS);
		drain(c);
		return true;
	}
	house_quiet(c->house);
	any = drain(c);
	house_quiet(c->house); /* what waited for room in the socket */
	return any;
}

void client_bytes(struct house_client *c, const void *p, size_t n)
{
	const char *at = p;
	int stuck = 0;

	while (n && c->fd >= 0) {
		ssize_t rc = send(c->fd, at, n, MSG_NOSIGNAL);

		if (rc > 0) {
			at += rc;
			n -= (size_t)rc;
		} else if (rc < 0 && errno != EAGAIN) {
			return; /* closed by the server: seen by the next expectation */
		} else if (!step(c) && ++stuck > STUCK_MAX) {
			return; /* the server does not read on */
		}
	}
}

void client_send(struct house_client *c, const char *fmt, ...)
{
	struct buf b = { 0 };
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	must(n >= 0);
	buf_put(&b, text, (size_t)n);
	free(text);
	client_bytes(c, b.p, b.n);
	buf_free(&b);
}

/* The first n bytes of what came, in a static buffer. */
static const char *take(struct house_client *c, size_t n)
{
	static struct buf out;

	out.n = 0;
	buf_put(&out, c->got.p ? c->got.p : "", n);
	buf_putc(&out, '\0');
	buf_consume(&c->got, n);
	return out.p;
}

const char *client_expect(struct house_client *c, const char *text)
{
	uint64_t begun = clock_mono_ms();
	bool more = true;

	for (;;) {
		const char *at;

		drain(c);
		at = c->got.n ? memmem(c->got.p, c->got.n, text, strlen(text)) : NULL;
		if (at)
			return take(c, (size_t)(at - c->got.p) + strlen(text));
		if (!more || c->fd < 0 || clock_mono_ms() - begun > HOUSE_WAIT_MS)
			break;
		more = step(c);
	}
	fprintf(stderr, "# expected: %s\n# got: %.*s\n# %s\n", text, (int)c->got.n, c->got.p ? c->got.p : "", c->closed ? "closed" : "open");
	must(!"the client got what was expected");
	return NULL;
}

const char *client_take(struct house_client *c)
{
	while (step(c))
		;
	return take(c, c->got.n);
}

bool client_is_closed(struct house_client *c)
{
	for (uint64_t begun = clock_mono_ms(); !c->closed && clock_mono_ms() - begun < HOUSE_WAIT_MS;)
		if (!step(c) && !c->closed)
			break;
	return c->closed;
}

void client_close(struct house_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static const char stream_head[] = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" HOUSE_DOMAIN
				  "' version='1.0'>";

/* The PLAIN message of an account, in base64; until the next call. */
static const char *plain(const char *name)
{
	static char out[256];
	char text[128];
	size_t n = (size_t)snprintf(text, sizeof(text), "%c%s%csecret", '\0', name, '\0');
	struct arena a;

	must(n < sizeof(text));
	arena_init(&a);
	snprintf(out, sizeof(out), "%s", base64_encode(&a, (struct str){ text, n }).p);
	arena_fini(&a);
	return out;
}

void client_authenticate(struct house_client *c, const char *name, const char *extra)
{
	client_send(c, "%s", stream_head);
	client_expect(c, "</stream:features>");
	client_send(c,
		"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>%s</initial-response>%s</authenticate>",
		plain(name), extra);
}

void client_sign_in(struct house_client *c, const char *name, const char *resource)
{
	client_send(c, "%s", stream_head);
	client_expect(c, "</stream:features>");
	client_send(c, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>", plain(name));
	client_expect(c, "<success");
	client_send(c, "%s", stream_head);
	client_expect(c, "</stream:features>");
	client_send(c, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%s</resource></bind></iq>", resource);
	client_expect(c, "</iq>");
}

const char *client_enable_sm(struct house_client *c)
{
	static char token[64];
	const char *text, *at, *end;

	client_send(c, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
	client_expect(c, "<enabled");
	text = client_expect(c, ">");
	at = strstr(text, " id='");
	must(at);
	end = strchr(at + 5, '\'');
	must(end && (size_t)(end - at - 5) < sizeof(token));
	snprintf(token, sizeof(token), "%.*s", (int)(end - at - 5), at + 5);
	return token;
}

void client_ping(struct house_client *c)
{
	static unsigned n;
	char want[64];

	snprintf(want, sizeof(want), "id='ping%u'", ++n);
	client_send(c, "<iq type='get' id='ping%u' to='" HOUSE_DOMAIN "'><ping xmlns='urn:xmpp:ping'/></iq>", n);
	client_expect(c, want);
	client_expect(c, ">");
}

void client_available(struct house_client *c)
{
	static unsigned n;
	char want[64];

	snprintf(want, sizeof(want), "id='here%u'", ++n);
	client_send(c, "<presence id='here%u'/>", n);
	client_expect(c, want);
	client_expect(c, ">");
}

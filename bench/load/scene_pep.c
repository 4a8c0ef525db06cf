/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Personal eventing (XEP-0163): the first account and --count others are mutual contacts whose clients want "tune" by their
 * capabilities (XEP-0115). The first publishes --cycles times, each when all have the event before; events that arrive are counted.
 */
#include "client.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALL_NS (20 * NS_PER_S)
#define WARM_ROUNDS 40
#define TUNE "http://jabber.org/protocol/tune"
#define INFO "http://jabber.org/protocol/disco#info"
/* SHA-1 of "client/pc//load<INFO<TUNE+notify<". */
#define VER "Jqomm5p4hr+uiedixIMVtLF4G0w="

struct scene_state {
	struct fleet *fleet;
	int64_t granted; /* subscriptions, both ways */
	int64_t events;	 /* of this cycle */
	int64_t total;
	int64_t progress_ns, from_ns;
	struct sample latency;
};

static int64_t number_of(const struct client *c, struct span jid)
{
	size_t n = strlen(c->fleet->o->prefix);

	return jid.len > n ? strtoll(jid.text + n, NULL, 10) : -1;
}

static void to(struct client *c, int64_t number, const char *type)
{
	const struct opts *o = c->fleet->o;

	client_stanza(c, "<presence to='%s%lld@%s' type='%s'/>", o->prefix, (long long)number, o->domain, type);
}

static void on_presence(struct client *c, const struct stanza *st)
{
	struct scene_state *s = c->fleet->data;
	int64_t from = number_of(c, stanza_attr(st, "from"));

	if (stanza_attr_is(st, "type", "subscribe")) {
		to(c, from, "subscribed");
		if (c == &c->fleet->clients[0])
			to(c, from, "subscribe");
		else
			s->granted++;
	}
}

/* The server asks what the capabilities stand for. */
static void on_question(struct client *c, const struct stanza *st)
{
	struct span id = stanza_attr(st, "id"), from = stanza_attr(st, "from");

	if (!stanza_find(st, INFO))
		return;
	client_stanza(c,
		"<iq type='result' id='%.*s' to='%.*s'><query xmlns='" INFO "' node='load#" VER "'>"
		"<identity category='client' type='pc' name='load'/><feature var='" INFO "'/>"
		"<feature var='" TUNE "+notify'/></query></iq>",
		(int)id.len, id.text, (int)from.len, from.text ? from.text : "");
}

static void on_stanza(struct client *c, const struct stanza *st)
{
	struct scene_state *s = c->fleet->data;

	s->progress_ns = now_ns();
	if (stanza_is(st, "presence")) {
		on_presence(c, st);
	} else if (stanza_is(st, "iq") && stanza_attr_is(st, "type", "get")) {
		on_question(c, st);
	} else if (stanza_is(st, "message") && stanza_find(st, TUNE) && !stanza_find(st, "urn:xmpp:delay")) {
		s->events++;
		s->total++;
		sample_add(&s->latency, s->progress_ns - s->from_ns);
	}
}

static const struct scene scene = { .on_stanza = on_stanza };

/* Waits until *counter reaches want, or nothing has arrived for stall_ns. */
static int until(struct scene_state *s, const int64_t *counter, int64_t want, int64_t stall_ns)
{
	s->progress_ns = now_ns();
	while (*counter < want) {
		if (fleet_poll(s->fleet, NS_PER_S / 10) < 0 || s->fleet->failed > 0 || now_ns() - s->progress_ns > stall_ns)
			return -EIO;
	}
	return 0;
}

static int publish(struct scene_state *s, int64_t stall_ns)
{
	s->events = 0;
	s->from_ns = now_ns();
	client_stanza(&s->fleet->clients[0],
		"<iq type='set' id='pub'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='" TUNE "'>"
		"<item id='current'><tune xmlns='" TUNE "'><artist>Gerald Finzi</artist><length>255</length>"
		"<source>Music for Love&apos;s Labors Lost</source><title>Introduction</title><track>1</track></tune></item>"
		"</publish></pubsub></iq>");
	return until(s, &s->events, s->fleet->o->count, stall_ns);
}

/* Everybody logs in, tells its capabilities and becomes a contact of the first account; it ends when one event reaches all. */
static int prepare(struct scene_state *s)
{
	struct fleet *f = s->fleet;
	int64_t n = f->o->count;

	if (fleet_login(f, 0, n + 1) < 0)
		return -EIO;
	for (int64_t i = 1; i <= n; i++) {
		client_stanza(&f->clients[i], "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='load' ver='" VER "'/></presence>");
		to(&f->clients[i], f->clients[0].number, "subscribe");
		if (until(s, &s->granted, i, STALL_NS) < 0) {
			fprintf(stderr, "pep: %lld of %lld contacts agreed\n", (long long)s->granted, (long long)n);
			return -EIO;
		}
	}
	for (int round = 0; round < WARM_ROUNDS; round++) {
		if (publish(s, NS_PER_S) == 0)
			return 0;
	}
	fprintf(stderr, "pep: %lld of %lld contacts get events\n", (long long)s->events, (long long)n);
	return -EIO;
}

static int measure(struct scene_state *s, const struct opts *o)
{
	struct proc server;
	struct usage before, d;

	if (proc_init(&server, o->server_pids) < 0)
		return -ESRCH;
	if (prepare(s) < 0)
		return -EIO;
	s->total = 0;
	sample_reset(&s->latency);
	before = proc_usage(&server);
	for (int64_t i = 0; i < o->cycles; i++) {
		if (publish(s, STALL_NS) < 0)
			return -EIO;
	}
	d = usage_since(before, proc_usage(&server));
	report_begin("pep");
	report_int("contacts", o->count);
	report_int("cycles", o->cycles);
	report_int("events", s->total);
	report_usage("event", d, s->total);
	report_latency("latency", &s->latency);
	report_end();
	return 0;
}

int scene_pep(const struct opts *o)
{
	struct scene_state s = { 0 };
	int r;

	if (o->count < 1 || o->count > 5000 || o->cycles < 1) {
		fprintf(stderr, "pep: --count 1 to 5000, --cycles at least 1\n");
		return -EINVAL;
	}
	s.fleet = fleet_new(o, &scene, o->count + 1);
	s.fleet->data = &s;
	r = measure(&s, o);
	if (r == 0)
		fleet_logout(s.fleet);
	fleet_free(s.fleet);
	sample_fini(&s.latency);
	return r;
}

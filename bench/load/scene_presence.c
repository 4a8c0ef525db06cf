/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Presence (RFC 6121): the first account and --count others are mutual contacts, all on line. The
 * first goes off line and on line, --cycles times; all presence stanzas that arrive are counted.
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

struct scene_state {
	struct fleet *fleet;
	int64_t on, off;	 /* contacts' sight of the first account */
	int64_t back;		 /* the first account's sight of contacts */
	int64_t total;		 /* presence stanzas received */
	int64_t setup;		 /* subscriptions granted by contacts */
	int64_t progress_ns, from_ns;
	struct sample latency;
};

static int64_t number_of(const struct client *c, struct span jid)
{
	size_t n = strlen(c->fleet->o->prefix);

	return jid.len > n ? strtoll(jid.text + n, NULL, 10) : -1;
}

static void answer(struct client *c, int64_t number, const char *type)
{
	const struct opts *o = c->fleet->o;

	client_stanza(c, "<presence to='%s%lld@%s' type='%s'/>", o->prefix, (long long)number, o->domain,
		      type);
}

static void on_stanza(struct client *c, const struct stanza *st)
{
	struct scene_state *s = c->fleet->data;
	bool first = c == &c->fleet->clients[0];
	struct span type = stanza_attr(st, "type");
	int64_t from = number_of(c, stanza_attr(st, "from"));

	if (!stanza_is(st, "presence"))
		return;
	s->total++;
	s->progress_ns = now_ns();
	if (stanza_attr_is(st, "type", "subscribe")) {
		answer(c, from, "subscribed");
		if (first)
			answer(c, from, "subscribe");
		else
			s->setup++;
	} else if (from == c->number) {
		return; /* own echo */
	} else if (first) {
		s->back += type.text == NULL;
	} else if (from == c->fleet->clients[0].number) {
		s->on += type.text == NULL;
		s->off += stanza_attr_is(st, "type", "unavailable");
		sample_add(&s->latency, s->progress_ns - s->from_ns);
	}
}

static const struct scene scene = { .on_stanza = on_stanza };

/* Waits until *counter reaches want. */
static int until(struct scene_state *s, const int64_t *counter, int64_t want, const char *what)
{
	s->progress_ns = now_ns();
	while (*counter < want) {
		if (fleet_poll(s->fleet, NS_PER_S / 10) < 0 || s->fleet->failed > 0 ||
		    now_ns() - s->progress_ns > STALL_NS) {
			fprintf(stderr, "presence: %lld of %lld %s: %s\n", (long long)*counter,
				(long long)want, what, s->fleet->why ? s->fleet->why : "nothing arrives");
			return -EIO;
		}
	}
	return 0;
}

/* Everybody logs in; each contact asks the first account, which agrees and asks back. */
static int befriend(struct scene_state *s)
{
	struct fleet *f = s->fleet;
	int64_t n = f->o->count;

	if (fleet_login(f, 0, n + 1) < 0)
		return -EIO;
	for (int64_t i = 1; i <= n; i++) {
		answer(&f->clients[i], f->clients[0].number, "subscribe");
		if (until(s, &s->setup, i, "contacts agreed") < 0)
			return -EIO;
	}
	/* Both see each other's presence now; the last of them ends the setting up. */
	return until(s, &s->on, n, "contacts see the first account");
}

static int cycle(struct scene_state *s)
{
	struct client *c = &s->fleet->clients[0];
	int64_t n = s->fleet->o->count;

	s->on = s->off = s->back = 0;
	s->from_ns = now_ns();
	client_stanza(c, "<presence type='unavailable'/>");
	if (until(s, &s->off, n, "contacts saw it leave") < 0)
		return -EIO;
	s->from_ns = now_ns();
	client_stanza(c, "<presence/>");
	if (until(s, &s->on, n, "contacts saw it return") < 0)
		return -EIO;
	return until(s, &s->back, n, "contacts were seen");
}

static int measure(struct scene_state *s, const struct opts *o)
{
	struct proc server;

	if (proc_init(&server, o->server_pids) < 0)
		return -ESRCH;
	if (befriend(s) < 0 || cycle(s) < 0)
		return -EIO;
	s->total = 0;
	sample_reset(&s->latency);
	struct usage before = proc_usage(&server);

	for (int64_t i = 0; i < o->cycles; i++) {
		if (cycle(s) < 0)
			return -EIO;
	}
	struct usage d = usage_since(before, proc_usage(&server));

	report_begin("presence");
	report_int("contacts", o->count);
	report_int("cycles", o->cycles);
	report_int("presences", s->total);
	report_usage("presence", d, s->total);
	report_latency("latency", &s->latency);
	report_end();
	return 0;
}

int scene_presence(const struct opts *o)
{
	struct scene_state s = { 0 };

	if (o->count < 1 || o->count > 5000 || o->cycles < 1) {
		fprintf(stderr, "presence: --count 1 to 5000, --cycles at least 1\n");
		return -EINVAL;
	}
	s.fleet = fleet_new(o, &scene, o->count + 1);
	s.fleet->data = &s;
	int r = measure(&s, o);

	if (r == 0)
		fleet_logout(s.fleet);
	fleet_free(s.fleet);
	sample_fini(&s.latency);
	return r;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * A room (XEP-0045): --count occupants join (everybody hears of everybody), then talk in a closed
 * loop with --window messages in flight; a message is over when every occupant has it.
 * With --crowd 1 a join is over with one's own presence: for rooms that do not show everybody to everybody. How long the last tenth
 * of them took is reported as "enter".
 * With the relay the members of the floor get each message as one TLS record.
 */
#include "client.h"
#include "mark.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024 /* above the largest window */
#define STALL_NS (60 * NS_PER_S)

struct room {
	const struct opts *o;
	struct fleet *fleet;
	struct client *owner;
	bool configured, refill;
	int64_t joined, presences, refused;
	int64_t sent, deliveries, finished, wrong;
	int64_t left[SLOTS]; /* deliveries that message seq % SLOTS still waits for */
	int64_t progress_ns;
	struct sample each, last, enter;
	int64_t *asked_ns; /* when each asked to enter */
	char body[60001];
};

static void send_next(struct room *r)
{
	const struct opts *o = r->o;
	struct client *from = &r->fleet->clients[r->sent % o->count];
	uint32_t seq = (uint32_t)r->sent++;

	r->left[seq % SLOTS] = o->count;
	mark_body(r->body, (struct mark){ now_ns(), (uint32_t)(from->number), seq }, (size_t)o->size);
	if (o->raw)
		client_stanza(from, "<all><message type='groupchat'><body>%s</body></message></all>",
			      r->body);
	else
		client_stanza(from,
			      "<message to='%s@%s' type='groupchat' id='g%x'><body>%s</body></message>",
			      o->room, o->muc, seq, r->body);
}

static void on_message(struct room *r, const struct stanza *st)
{
	struct mark m;

	if (!mark_read(st, &m) || (int64_t)m.seq >= r->sent)
		return; /* the room's subject, or history of another run */
	if (stanza_attr_is(st, "type", "error")) {
		r->wrong++;
		return;
	}
	r->progress_ns = now_ns();
	r->deliveries++;
	sample_add(&r->each, r->progress_ns - m.sent_ns);
	if (--r->left[m.seq % SLOTS] > 0)
		return;
	sample_add(&r->last, r->progress_ns - m.sent_ns);
	r->finished++;
	if (r->refill)
		send_next(r);
}

static void on_presence(struct room *r, const struct client *c, const struct stanza *st)
{
	int64_t i = c - r->fleet->clients;
	struct span from = stanza_attr(st, "from");
	size_t n = strlen(r->o->room);

	if (!from.text || from.len < n || memcmp(from.text, r->o->room, n) != 0)
		return;
	if (stanza_attr_is(st, "type", "error")) {
		r->refused++;
		fprintf(stderr, "room: %.*s\n", (int)st->len, st->text);
		return;
	}
	r->progress_ns = now_ns();
	r->presences++;
	if (!stanza_find(st, "code='110'") && !stanza_find(st, "code=\"110\""))
		return;
	r->joined++;
	if (i >= r->o->count - r->o->count / 10)
		sample_add(&r->enter, r->progress_ns - r->asked_ns[i]);
}

static void on_stanza(struct client *c, const struct stanza *st)
{
	struct room *r = c->fleet->data;

	if (stanza_is(st, "message") || stanza_is(st, "all"))
		on_message(r, st);
	else if (stanza_is(st, "presence"))
		on_presence(r, c, st);
	else if (stanza_is(st, "iq") && stanza_attr_is(st, "id", "owner"))
		r->configured = true;
}

static const struct scene scene = { .on_stanza = on_stanza };

static int step(struct room *r)
{
	if (fleet_poll(r->fleet, NS_PER_S / 100) < 0)
		return -ETIME;
	if (r->fleet->failed > 0 || r->refused > 0 || now_ns() - r->progress_ns > STALL_NS) {
		fprintf(stderr, "room: %lld joined, %lld refused, %lld deliveries: %s\n",
			(long long)r->joined, (long long)r->refused, (long long)r->deliveries,
			r->fleet->why ? r->fleet->why : "nothing arrives");
		return -EIO;
	}
	return 0;
}

static void join(struct room *r, int64_t i)
{
	r->asked_ns[i] = now_ns();
	client_stanza(&r->fleet->clients[i],
		      "<presence to='%s@%s/n%lld'><x xmlns='http://jabber.org/protocol/muc'>"
		      "<history maxstanzas='0'/></x></presence>",
		      r->o->room, r->o->muc, (long long)i);
}

/* The first occupant makes the room and accepts the default configuration (XEP-0045 §10.1.2). */
static int make_room(struct room *r)
{
	join(r, 0);
	while (r->joined < 1) {
		if (step(r) < 0)
			return -EIO;
	}
	client_stanza(r->owner,
		      "<iq to='%s@%s' type='set' id='owner'><query "
		      "xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
		      "type='submit'/></query></iq>",
		      r->o->room, r->o->muc);
	while (!r->configured) {
		if (step(r) < 0)
			return -EIO;
	}
	return 0;
}

/* Everybody joins, a few at a time, until all presences are in: M occupants hear M x M of them. */
static int join_all(struct room *r)
{
	int64_t n = r->o->count, next = 1;

	if (make_room(r) < 0)
		return -EIO;
	while (r->joined < n || (!r->o->crowd && r->presences < n * n)) {
		while (next < n && next - r->joined < 4)
			join(r, next++);
		if (step(r) < 0)
			return -EIO;
	}
	return 0;
}

static int talk(struct room *r, double seconds)
{
	int64_t end = now_ns() + (int64_t)(seconds * 1e9);

	r->deliveries = 0;
	sample_reset(&r->each);
	sample_reset(&r->last);
	r->refill = true;
	for (int64_t i = 0; i < r->o->window; i++)
		send_next(r);
	while (now_ns() < end) {
		if (step(r) < 0)
			return -EIO;
	}
	r->refill = false;
	while (r->finished < r->sent) {
		if (step(r) < 0)
			return -EIO;
	}
	return 0;
}

static void report(struct room *r, struct usage joining, int64_t presences, struct usage talking)
{
	report_begin("room");
	report_int("occupants", r->o->count);
	report_int("window", r->o->window);
	if (presences > 0) {
		report_int("presences", presences);
		report_num("join_wall_s", (double)joining.wall_ns / 1e9);
		report_num("join_cpu_s", (double)joining.server_ns / 1e9);
		report_num("join_cpu_us_per_presence",
			   (double)joining.server_ns / 1e3 / (double)presences);
		report_num("join_cpu_us_per_join", (double)joining.server_ns / 1e3 / (double)r->o->count);
		report_latency("enter", &r->enter);
	}
	report_int("deliveries", r->deliveries);
	report_int("wrong_messages", r->wrong);
	report_usage("delivery", talking, r->deliveries);
	report_latency("latency", &r->each);
	report_latency("last_occupant", &r->last);
	report_end();
}

static int measure(struct room *r)
{
	struct proc server;

	if (proc_init(&server, r->o->server_pids) < 0)
		return -ESRCH;
	if (fleet_login(r->fleet, 0, r->o->count) < 0)
		return -EIO;
	r->progress_ns = now_ns();
	struct usage a = proc_usage(&server);

	if (!r->o->raw && join_all(r) < 0)
		return -EIO;
	struct usage b = proc_usage(&server);

	if (talk(r, r->o->warmup) < 0)
		return -EIO;
	struct usage c = proc_usage(&server);

	if (talk(r, r->o->seconds) < 0)
		return -EIO;
	report(r, usage_since(a, b), r->presences, usage_since(c, proc_usage(&server)));
	return 0;
}

int scene_room(const struct opts *o)
{
	if (o->count < 2 || o->count > (o->crowd ? 19900 : 5000)) {
		fprintf(stderr, "room: --count 2 to 5000, with --crowd to 19900\n");
		return -EINVAL;
	}
	struct room *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->o = o;
	r->fleet = fleet_new(o, &scene, o->count);
	r->fleet->data = r;
	r->owner = &r->fleet->clients[0];
	r->asked_ns = calloc((size_t)o->count, sizeof(*r->asked_ns));
	if (!r->asked_ns)
		abort();
	int result = measure(r);

	fleet_free(r->fleet);
	sample_fini(&r->each);
	sample_fini(&r->last);
	sample_fini(&r->enter);
	free(r->asked_ns);
	free(r);
	return result;
}

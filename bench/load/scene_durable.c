/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Durability. durable-send: the first account sends --rate messages a second to the second and asks
 * for an acknowledgement after each, until the server is killed (SIGKILL); what was sent, what was
 * acknowledged and what arrived goes to --log. durable-check, after the restart: the sender repeats
 * what was not acknowledged, as clients do, with the same ids; then, what the recipient gets, what
 * both archives hold, what is missing and what is there twice.
 */
#include "archive.h"
#include "mark.h"
#include "proc.h"
#include "report.h"
#include "sample.h"
#include "scenes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGES_MAX 100000

enum { LIVE = 1, OFFLINE = 2, THEIRS = 4, OURS = 8 }; /* where a message was seen */

struct durable {
	uint32_t run; /* marks of other runs are ignored */
	int64_t sent, acked, twice, disorder;
	int64_t last_seq;
	uint8_t where[MESSAGES_MAX];
	uint8_t reading; /* THEIRS or OURS: the archive that is being read */
	struct archive archive;
	char body[60001];
};

static void note(struct durable *d, const struct mark *m, uint8_t where)
{
	if (m->who != d->run || m->seq >= MESSAGES_MAX)
		return;
	d->twice += (d->where[m->seq] & where) != 0;
	d->disorder += (int64_t)m->seq < d->last_seq;
	d->last_seq = m->seq;
	d->where[m->seq] |= where;
}

static void on_live(struct client *c, const struct stanza *st)
{
	struct mark m;

	if (stanza_is(st, "message") && mark_read(st, &m))
		note(c->fleet->data, &m, LIVE);
}

static const struct scene sending = { .on_stanza = on_live };

static void send_one(struct fleet *f, struct durable *d, int64_t seq)
{
	const struct opts *o = f->o;
	int64_t to = f->clients[1].number;

	mark_body(d->body, (struct mark){ now_ns(), d->run, (uint32_t)seq }, (size_t)o->size);
	client_stanza(&f->clients[0],
		      "<message to='%s%lld@%s' type='chat' id='d%lld'><body>%s</body>"
		      "<origin-id xmlns='urn:xmpp:sid:0' id='d%x-%lld'/></message>",
		      o->prefix, (long long)to, o->domain, (long long)seq, d->body, d->run, (long long)seq);
	client_ask(&f->clients[0]);
}

static int save(const struct durable *d, const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return -errno;
	}
	fprintf(f, "%u %lld %lld\n", d->run, (long long)d->sent, (long long)d->acked);
	for (int64_t i = 0; i < d->sent; i++) {
		if (d->where[i] & LIVE)
			fprintf(f, "%lld\n", (long long)i);
	}
	return fclose(f) == 0 ? 0 : -EIO;
}

static int load(struct durable *d, const char *path)
{
	FILE *f = fopen(path, "r");
	long long sent, acked, seq;

	if (!f || fscanf(f, "%u %lld %lld", &d->run, &sent, &acked) != 3 || sent > MESSAGES_MAX) {
		fprintf(stderr, "%s: not a record of durable-send\n", path);
		if (f)
			fclose(f);
		return -EINVAL;
	}
	d->sent = sent;
	d->acked = acked;
	while (fscanf(f, "%lld", &seq) == 1 && seq >= 0 && seq < sent)
		d->where[seq] |= LIVE;
	fclose(f);
	return 0;
}

/* Sends by the clock until kill_ns, kills, and reads what is still under way. */
static int send_until_killed(struct fleet *f, struct durable *d, const struct proc *server)
{
	struct client *sender = &f->clients[0];
	uint32_t base = sender->sm_out;
	int64_t next = now_ns(), kill_ns = next + f->o->kill_after_ms * 1000000;
	int64_t gap = (int64_t)(1e9 / (f->o->rate > 0 ? f->o->rate : 100));

	while (now_ns() < kill_ns) {
		if (now_ns() >= next && d->sent < MESSAGES_MAX) {
			send_one(f, d, d->sent++);
			next += gap;
		}
		int64_t until = next < kill_ns ? next : kill_ns;
		int64_t wait = until - now_ns();

		if (fleet_poll(f, wait > 0 ? wait : 0) < 0 || f->failed > 0) {
			fprintf(stderr, "durable-send: %s\n", f->why ? f->why : "late");
			return -EIO;
		}
	}
	for (int i = 0; i < server->n; i++)
		kill(server->pids[i], SIGKILL);
	while (f->ready > 0) {
		if (fleet_poll(f, NS_PER_S / 10) < 0)
			return -EIO;
	}
	d->acked = (int64_t)(int32_t)(sender->sm_acked - base);
	d->acked = d->acked < 0 ? 0 : d->acked;
	return 0;
}

int scene_durable_send(const struct opts *o)
{
	struct fleet *f = fleet_new(o, &sending, 2);
	struct durable *d = calloc(1, sizeof(*d));
	struct proc server;
	int r = proc_init(&server, o->server_pids);

	if (!d)
		abort();
	d->run = (uint32_t)now_ns() ^ (uint32_t)getpid();
	f->data = d;
	if (r == 0 && server.n == 0)
		r = -ESRCH;
	if (r == 0)
		r = fleet_login(f, 0, o->offline ? 1 : 2);
	if (r == 0)
		r = send_until_killed(f, d, &server);
	if (r == 0)
		r = save(d, o->log);
	if (r == 0) {
		report_begin("durable-send");
		report_int("sent", d->sent);
		report_int("acked", d->acked);
		report_end();
	}
	fleet_free(f);
	free(d);
	return r;
}

static void on_archived(void *arg, const struct mark *m)
{
	struct durable *d = arg;

	note(d, m, d->reading);
}

static void on_check(struct client *c, const struct stanza *st)
{
	struct archive *a = c->fleet->data;
	struct durable *d = a->arg;
	struct mark m;

	if (stanza_is(st, "message") && !stanza_find(st, "<result") && mark_read(st, &m) &&
	    m.who == d->run && m.seq < MESSAGES_MAX)
		d->where[m.seq] |= OFFLINE;
	else
		archive_on_stanza(c, st);
}

static const struct scene checking = { .on_stanza = on_check };

static int64_t count(const struct durable *d, int64_t limit, uint8_t mask, uint8_t value)
{
	int64_t n = 0;

	for (int64_t i = 0; i < limit; i++)
		n += (d->where[i] & mask) == value;
	return n;
}

static void report_check(const struct durable *d)
{
	report_begin("durable-check");
	report_int("sent", d->sent);
	report_int("acked", d->acked);
	report_int("received_live", count(d, d->sent, LIVE, LIVE));
	report_int("received_offline", count(d, d->sent, OFFLINE, OFFLINE));
	report_int("acked_but_lost", count(d, d->acked, LIVE | OFFLINE | THEIRS, 0));
	report_int("acked_not_in_recipients_archive", count(d, d->acked, THEIRS, 0));
	report_int("acked_not_in_senders_archive", count(d, d->acked, OURS, 0));
	report_int("repeated", d->sent - d->acked);
	report_int("repeated_but_lost", count(d, d->sent, LIVE | OFFLINE | THEIRS, 0));
	report_int("archived_twice", d->twice);
	report_int("archived_out_of_order", d->disorder);
	report_end();
}

static int repeat(struct fleet *f, struct durable *d)
{
	const struct client *c = &f->clients[0];

	if (fleet_login(f, 0, 1) < 0)
		return -EIO;
	for (int64_t seq = d->acked; seq < d->sent; seq++)
		send_one(f, d, seq);
	client_ask(&f->clients[0]);
	while (c->sm_acked != c->sm_out) {
		if (fleet_poll(f, NS_PER_S / 10) < 0 || f->failed > 0)
			return -EIO;
	}
	return 0;
}

static int check(struct fleet *f, struct durable *d)
{
	/* The recipient's offline messages come with its presence, before its archive is read. */
	if (repeat(f, d) < 0 || fleet_login(f, 1, 2) < 0)
		return -EIO;
	for (int i = 1; i >= 0; i--) {
		d->reading = i == 1 ? THEIRS : OURS;
		d->last_seq = 0;
		if (archive_read(&f->clients[i], &d->archive, f->o->page, NULL) < 0)
			return -EIO;
	}
	report_check(d);
	fleet_logout(f);
	return 0;
}

int scene_durable_check(const struct opts *o)
{
	struct fleet *f = fleet_new(o, &checking, 2);
	struct durable *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->archive.on_mark = on_archived;
	d->archive.arg = d;
	f->data = &d->archive;
	int r = load(d, o->log);

	if (r == 0)
		r = check(f, d);
	fleet_free(f);
	free(d);
	return r;
}

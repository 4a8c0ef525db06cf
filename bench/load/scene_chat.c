/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Pairs chat. Closed loop: each pair keeps --window messages in flight, the next leaves when one
 * arrives. Open loop (--rate): messages leave by the clock and latency counts from that time.
 * The measured part begins and ends with nothing in flight and everything acknowledged, so that
 * work a server puts off (an archive written later) is inside the measurement.
 * With --far-domain each pair is spread over two servers; messages cross in both directions.
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

#define BODY_MAX 60001
#define TAG_SHIFT 13 /* pairs are below 8192 */
#define STALL_NS (20 * NS_PER_S)

struct pair {
	uint32_t sent, got;
};

struct chat {
	const struct opts *o;
	struct fleet *fleet;
	struct pair *pairs;
	bool refill; /* send the next when one arrives */
	int64_t sent, delivered, wrong, limit;
	uint32_t tag; /* of this run, in the upper bits of the mark: other runs' messages are ignored */
	int64_t progress_ns, drain_ns;
	struct sample latency;
	char body[BODY_MAX];
};

static void send_one(struct chat *ch, int64_t i, int64_t when)
{
	const struct opts *o = ch->o;
	struct pair *p = &ch->pairs[i];
	struct client *to = &ch->fleet->clients[2 * i + 1], *from = &ch->fleet->clients[2 * i];

	mark_body(ch->body, (struct mark){ when, ch->tag | (uint32_t)i, p->sent }, (size_t)o->size);
	client_stanza(from, "<message to='%s%lld@%s%s' type='chat' id='m%x-%x'><body>%s</body></message>",
		      o->prefix, (long long)to->number, client_domain(to), o->full_jid ? "/load" : "",
		      (unsigned)i, p->sent, ch->body);
	p->sent++;
	ch->sent++;
	if (o->ask_every > 0 && p->sent % o->ask_every == 0 && !o->raw)
		client_ask(from);
}

static bool may_send(const struct chat *ch)
{
	return ch->refill && (ch->limit == 0 || ch->sent < ch->limit);
}

static void on_stanza(struct client *c, const struct stanza *st)
{
	struct chat *ch = c->fleet->data;
	int64_t i = (c - c->fleet->clients) / 2;
	struct mark m;

	if (!stanza_is(st, "message") || !mark_read(st, &m) || (m.who ^ ch->tag) >> TAG_SHIFT)
		return;
	if ((m.who ^ ch->tag) != (uint32_t)i || m.seq != ch->pairs[i].got || stanza_attr_is(st, "type", "error")) {
		ch->wrong++;
		return;
	}
	ch->pairs[i].got++;
	ch->delivered++;
	ch->progress_ns = now_ns();
	sample_add(&ch->latency, ch->progress_ns - m.sent_ns);
	if (ch->o->raw && ch->o->answer)
		client_send(c, "<answer h='1234'/>", 18);
	if (may_send(ch))
		send_one(ch, i, ch->progress_ns);
}

static const struct scene scene = { .on_stanza = on_stanza };

static int poll_checked(struct chat *ch, int64_t timeout_ns)
{
	if (fleet_poll(ch->fleet, timeout_ns) < 0)
		return -ETIME;
	if (ch->fleet->failed > 0) {
		fprintf(stderr, "chat: a session broke: %s\n", ch->fleet->why ? ch->fleet->why : "");
		return -EIO;
	}
	if (now_ns() - ch->progress_ns > STALL_NS) {
		fprintf(stderr, "chat: nothing arrives: %lld sent, %lld delivered, %lld wrong\n",
			(long long)ch->sent, (long long)ch->delivered, (long long)ch->wrong);
		return -EIO;
	}
	return 0;
}

static int run_closed(struct chat *ch, int64_t end_ns)
{
	ch->refill = true;
	for (int64_t w = 0; w < ch->o->window; w++) {
		for (int64_t i = 0; i < ch->o->pairs && may_send(ch); i++)
			send_one(ch, i, now_ns());
	}
	while (ch->limit ? ch->sent < ch->limit : now_ns() < end_ns) {
		if (poll_checked(ch, NS_PER_S / 100) < 0)
			return -EIO;
	}
	ch->refill = false;
	return 0;
}

static int run_open(struct chat *ch, int64_t end_ns)
{
	int64_t gap = (int64_t)(1e9 / ch->o->rate), next = now_ns(), i = 0;

	while (next < end_ns) {
		int64_t wait = next - now_ns();

		if (wait > 0) {
			if (poll_checked(ch, wait) < 0)
				return -EIO;
			continue;
		}
		send_one(ch, i, next);
		i = (i + 1) % ch->o->pairs;
		next += gap;
	}
	return 0;
}

/* Waits for what is in flight, then for the acknowledgement of everything sent. */
static int drain(struct chat *ch)
{
	int64_t from = now_ns();

	while (ch->delivered < ch->sent) {
		if (poll_checked(ch, NS_PER_S / 10) < 0)
			return -EIO;
	}
	if (ch->o->raw || ch->o->no_sm)
		return 0;
	for (int64_t i = 0; i < ch->o->pairs; i++)
		client_ask(&ch->fleet->clients[2 * i]);
	for (int64_t i = 0; i < ch->o->pairs; i++) {
		const struct client *c = &ch->fleet->clients[2 * i];

		while (c->sm_acked != c->sm_out) {
			if (poll_checked(ch, NS_PER_S / 10) < 0)
				return -EIO;
		}
	}
	ch->drain_ns = now_ns() - from;
	return 0;
}

static int run(struct chat *ch, double seconds)
{
	int64_t end_ns = now_ns() + (int64_t)(seconds * 1e9);

	ch->sent = ch->delivered = 0;
	sample_reset(&ch->latency);
	ch->progress_ns = now_ns();
	if ((ch->o->rate > 0 ? run_open(ch, end_ns) : run_closed(ch, end_ns)) < 0)
		return -EIO;
	return drain(ch);
}

static int measure(struct chat *ch)
{
	struct proc server;

	if (proc_init(&server, ch->o->server_pids) < 0) {
		fprintf(stderr, "--server-pids: no such process\n");
		return -ESRCH;
	}
	if (ch->o->count == 0 && run(ch, ch->o->warmup) < 0)
		return -EIO;
	ch->limit = ch->o->count;
	struct usage before = proc_usage(&server);

	if (run(ch, ch->o->seconds) < 0)
		return -EIO;
	struct usage d = usage_since(before, proc_usage(&server));

	report_begin("chat");
	report_int("pairs", ch->o->pairs);
	report_int("window", ch->o->window);
	report_num("rate_per_s", ch->o->rate);
	report_int("body_bytes", ch->o->size);
	report_int("messages", ch->delivered);
	report_int("wrong_messages", ch->wrong);
	report_num("ack_drain_ms", (double)ch->drain_ns / 1e6);
	report_usage("message", d, ch->delivered);
	report_latency("latency", &ch->latency);
	report_end();
	return 0;
}

/* One of each pair lives on the second server: the recipient, or in every other pair the sender. */
static void part_pairs(struct fleet *f)
{
	for (int64_t i = 0; i < f->n; i++)
		f->clients[i].far = (i ^ i >> 1) & 1;
}

int scene_chat(const struct opts *o)
{
	struct chat ch = { .o = o, .tag = (uint32_t)(now_ns() >> 10) << TAG_SHIFT };

	ch.fleet = fleet_new(o, &scene, 2 * o->pairs);
	ch.fleet->data = &ch;
	if (*o->far_domain)
		part_pairs(ch.fleet);
	ch.pairs = calloc((size_t)o->pairs, sizeof(*ch.pairs));
	if (!ch.pairs)
		abort();
	int r = fleet_login(ch.fleet, 0, 2 * o->pairs);

	if (r == 0)
		r = measure(&ch);
	if (r == 0)
		fleet_logout(ch.fleet);
	fleet_free(ch.fleet);
	free(ch.pairs);
	sample_fini(&ch.latency);
	return r;
}

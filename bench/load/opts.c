/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options of the load generator: a table of names, kinds and defaults. */
#include "opts.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, INT, REAL };

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *value; /* default, as text */
	const char *doc;
};

#define ROW(name, field, kind, value, doc) { name, kind, offsetof(struct opts, field), value, doc }

static const struct row rows[] = {
	ROW("host", host, TEXT, "127.0.0.1", "numeric address of the server"),
	ROW("port", port, INT, "5222", "TCP port"),
	ROW("tls", tls, TEXT, "starttls", "starttls, direct or none"),
	ROW("domain", domain, TEXT, "localhost", "XMPP domain"),
	ROW("far-domain", far_domain, TEXT, "", "chat: the partner of each pair is on this domain's server"),
	ROW("far-port", far_port, INT, "5223", "TCP port of that server"),
	ROW("muc", muc, TEXT, "conference.localhost", "domain of the room service"),
	ROW("prefix", prefix, TEXT, "u", "accounts are PREFIX0, PREFIX1, ..."),
	ROW("first", first, INT, "0", "number of the first account"),
	ROW("password", password, TEXT, "pw", "of every account"),
	ROW("mech", mech, TEXT, "SCRAM-SHA-1", "SCRAM-SHA-1, SCRAM-SHA-256 or PLAIN"),
	ROW("server-pids", server_pids, TEXT, "", "processes to account for, with their children"),
	ROW("seconds", seconds, REAL, "3", "length of the measured part"),
	ROW("warmup", warmup, REAL, "0.5", "seconds of load before it"),
	ROW("max-seconds", max_seconds, REAL, "300", "give up after this"),
	ROW("pairs", pairs, INT, "100", "sender and recipient pairs"),
	ROW("window", window, INT, "1", "messages in flight, per pair or per room"),
	ROW("rate", rate, REAL, "0", "messages per second in all; 0 = closed loop"),
	ROW("size", size, INT, "200", "bytes of a message body"),
	ROW("ask-every", ask_every, INT, "0", "senders ask <r/> every N messages; 0 = at the end"),
	ROW("count", count, INT, "0", "sessions, logins, occupants, contacts, messages"),
	ROW("concurrency", concurrency, INT, "20", "logins at a time"),
	ROW("page", page, INT, "50", "archive page size, messages"),
	ROW("cycles", cycles, INT, "20", "presence cycles, publications"),
	ROW("room", room, TEXT, "bench", "local part of the room's address"),
	ROW("crowd", crowd, INT, "0", "1 = the room need not show everybody to everybody"),
	ROW("log", log, TEXT, "", "record of durable-send"),
	ROW("kill-after-ms", kill_after_ms, INT, "3000", "durable-send kills the server after this"),
	ROW("offline", offline, INT, "0", "1 = durable-send's recipient is not connected"),
	ROW("raw", raw, INT, "0", "1 = speak to anser-relay"),
	ROW("answer", answer, INT, "0", "raw: recipients answer every message"),
	ROW("full-jid", full_jid, INT, "0", "1 = address messages to full JIDs"),
	ROW("no-sm", no_sm, INT, "0", "1 = without XEP-0198"),
	ROW("sources", sources, INT, "1", "spread connections over 127.0.1.1 ... 127.0.1.N"),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static int set(struct opts *o, const struct row *r, const char *value)
{
	char *end = NULL;
	void *field = (char *)o + r->offset;

	switch (r->kind) {
	case TEXT:
		*(const char **)field = value;
		return 0;
	case INT:
		*(int64_t *)field = strtoll(value, &end, 10);
		break;
	case REAL:
		*(double *)field = strtod(value, &end);
		break;
	}
	if (end == value || *end != '\0' || *value == '-') {
		fprintf(stderr, "--%s: not a number: %s\n", r->name, value);
		return -EINVAL;
	}
	return 0;
}

static const struct row *find(const char *arg)
{
	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].name, arg + 2) == 0)
			return &rows[i];
	}
	return NULL;
}

static int parse_tls(struct opts *o)
{
	static const char *const names[] = { "starttls", "direct", "none" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(o->tls, names[i]) == 0) {
			o->tls_mode = (enum tls_mode)i;
			return 0;
		}
	}
	fprintf(stderr, "--tls: starttls, direct or none\n");
	return -EINVAL;
}

static int check_bounds(const struct opts *o)
{
	if (o->port < 1 || o->port > 65535 || o->far_port < 1 || o->far_port > 65535 || o->pairs < 1 || o->pairs > 5000 || o->window < 1 ||
	    o->window > 1000 || o->size < 40 || o->size > 60000 || o->concurrency < 1 ||
	    o->page < 1 || o->sources < 1 || o->sources > 254) {
		fprintf(stderr, "an option is out of bounds\n");
		return -EINVAL;
	}
	return parse_tls((struct opts *)o);
}

int opts_parse(int argc, char **argv, struct opts *out)
{
	struct opts o = { 0 };

	for (size_t i = 0; i < N_ROWS; i++)
		set(&o, &rows[i], rows[i].value);
	for (int i = 0; i < argc; i += 2) {
		if (strcmp(argv[i], "--") == 0) {
			o.command = argv + i + 1;
			break;
		}
		const struct row *r = find(argv[i]);

		if (!r || i + 1 >= argc) {
			fprintf(stderr, "unknown option or missing value: %s\n", argv[i]);
			return -EINVAL;
		}
		if (set(&o, r, argv[i + 1]) < 0)
			return -EINVAL;
	}
	if (check_bounds(&o) < 0)
		return -EINVAL;
	*out = o;
	return 0;
}

void opts_help(void)
{
	for (size_t i = 0; i < N_ROWS; i++)
		printf("  --%-14s %s [%s]\n", rows[i].name, rows[i].doc, rows[i].value);
}

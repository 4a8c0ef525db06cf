/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Options of the load generator: one flat struct, filled from a table of names. */
#ifndef BENCH_OPTS_H
#define BENCH_OPTS_H

#include <stdbool.h>
#include <stdint.h>

enum tls_mode { TLS_STARTTLS, TLS_DIRECT, TLS_NONE };

#define OPT_MAX_PIDS 16

struct opts {
	const char *host;	 /* numeric IPv4 address of the server */
	int64_t port;		 /* TCP port */
	const char *tls;	 /* starttls, direct or none */
	enum tls_mode tls_mode;	 /* the same, parsed */
	const char *domain;	 /* XMPP domain */
	const char *far_domain;	 /* chat: XMPP domain of the second server; empty = there is one server */
	int64_t far_port;	 /* TCP port of the second server, on the same host */
	const char *muc;	 /* domain of the room service */
	const char *prefix;	 /* account names are PREFIX followed by a number */
	int64_t first;		 /* number of the first account */
	const char *password;	 /* of every account */
	const char *mech;	 /* SCRAM-SHA-1, SCRAM-SHA-256 or PLAIN */
	const char *server_pids; /* comma separated; their children are found */
	double seconds;		 /* length of the measured part */
	double warmup;		 /* seconds of load before it */
	double max_seconds;	 /* the whole run is given up after this */
	int64_t pairs;		 /* sender and recipient pairs */
	int64_t window;		 /* messages in flight, per pair or per room */
	int64_t crowd;		 /* joins end with one's own presence */
	double rate;		 /* messages per second in all; 0 = closed loop */
	int64_t size;		 /* bytes of a message body */
	int64_t ask_every;	 /* senders ask for an acknowledgement every N messages; 0 = end only */
	int64_t count;		 /* sessions, logins, occupants, contacts or messages */
	int64_t concurrency;	 /* logins at a time */
	int64_t page;		 /* archive page size, messages */
	int64_t cycles;		 /* presence cycles */
	const char *room;	 /* local part of the room's address */
	const char *log;	 /* file that durable-send writes and durable-check reads */
	int64_t kill_after_ms;	 /* durable-send: kill -9 the server after this */
	int64_t offline;	 /* durable-send: 1 = the recipient is not connected */
	int64_t raw;		 /* 1 = the relay's own protocol instead of XMPP */
	int64_t answer;		 /* raw: the recipient answers each message with a short one */
	int64_t full_jid;	 /* 1 = address messages to the full JID */
	int64_t no_sm;		 /* 1 = without XEP-0198 */
	int64_t sources;	 /* spread connections over this many 127.0.1.x addresses */
	char *const *command;	 /* what follows "--" (NULL terminated) or NULL */
};

/* Fills *out from argv (after the subcommand). Returns 0; -EINVAL after saying why on stderr. */
int opts_parse(int argc, char **argv, struct opts *out);

/* Prints every option with its default. */
void opts_help(void);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What an operator can ask of a running server or of a data directory at rest: one row per command. A request is a JSON object
 * {"command": NAME, ...arguments}, the answer {"ok": true, ...} or {"error": WORD, "message": SENTENCE}. Commands run in a shard. */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include <jansson.h>

#include "account/host.h"

enum { ADMIN_LIST_PAGE = 500 };

/* What the rest of the server does about a command; each may be NULL. Any shard's thread. */
struct admin_hooks {
	void *arg;
	void (*kick)(void *arg, struct str bare);    /* the account is gone: end its sessions */
	void (*created)(void *arg, struct str bare); /* a new account: forget that it was unknown */
};

struct admin {
	struct accounts *accounts; /* of the main host */
	const struct hosts *hosts; /* all; NULL: the main one only */
	const char *data_dir;
	const char *web_url;   /* "https://host:8443"; for links */
	bool serving;	       /* a server, not a data directory at rest */
	uint64_t started_ms;   /* monotonic */
	struct admin_hooks hooks;
};

struct admin_call;
/* Where the answer goes; takes answer. Runs in the shard of the call. */
typedef void admin_answer_fn(struct admin_call *call, json_t *answer);

struct admin_call {
	struct admin *admin;
	struct shard *shard;
	json_t *request; /* borrowed until the answer */
	admin_answer_fn *answer;
	void *arg; /* of the transport */
};

struct admin_command {
	const char *name, *args, *help;
	void (*run)(struct admin_call *call);
};

extern const struct admin_command admin_commands[]; /* ends with name NULL */

/* Runs the request's command; call->answer is called exactly once, now or later. call must live until then. */
void admin_run(struct admin_call *call);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* IQ requests that the server itself, a service or an account's server side makes (RFC 6120 §8.2.3), and who waits for the answer. */
#ifndef CORE_ASK_H
#define CORE_ASK_H

#include "core/router.h"

enum {
	ASKS_MAX = 20000,      /* requests of one shard without an answer */
	ASK_TIMEOUT_MS = 30000,
};

/* reply: the result or the error, from whom was asked; NULL: none came in time, or the shard ends. Runs once, in the shard that asked,
 * never within iq_ask. */
typedef void ask_fn(struct core *c, struct stanza *reply, void *arg);

struct question {
	struct jid from; /* the domain, a service's host, or a bare JID of either */
	struct jid to;
	enum stanza_type type; /* IQ_GET or IQ_SET */
	struct xml *payload; /* in the turn's arena; adopted */
	ask_fn *fn;
	void *arg;
	uint32_t flags; /* of the stanza: SF_UNDELEGATED or none */
};

/* Sends the request with an id of its own. Returns 0; -ENOBUFS: ASKS_MAX wait already (fn is not called). */
int iq_ask(struct core *c, const struct question *q);

/* An IQ result or error has come for the server: gives it to whoever asked. Returns false when nobody did. Services whose
 * requests do not pass iq_dispatch or iq_dispatch_routes call it themselves. */
bool ask_answered(struct core *c, struct stanza *st);

/* The shard ends: everybody who waits is told NULL. */
void asks_free(struct core *c);

#endif

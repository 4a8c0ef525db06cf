/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* IQ requests to an account, to the server or to a service (RFC 6120 §8.2.3, RFC 6121 §8.5.1): one handler each, exactly one answer. */
#ifndef CORE_IQ_H
#define CORE_IQ_H

#include "core/router.h"

enum iq_target {
	TO_SELF = 1,   /* no `to`, or the sender's own bare JID; user is the sender */
	TO_USER = 2,   /* somebody else's bare JID; user is the target, session NULL */
	TO_SERVER = 4, /* the domain; user NULL, session set if it came from a client */
	TO_ANY = TO_SELF | TO_USER | TO_SERVER,
};

struct iq {
	struct core *core;
	struct session *session; /* the asking session when it is in this shard, else NULL */
	struct user *user;	  /* target account, NULL for the server */
	struct stanza *st;
	struct xml *el; /* the payload: the one child */
	enum iq_target target;
};

typedef void iq_fn(struct iq *iq);

struct iq_route {
	const char *ns, *name; /* payload element; name NULL: any */
	uint8_t types;	      /* IQ_ROUTE_GET | IQ_ROUTE_SET */
	uint8_t targets;      /* enum iq_target */
	iq_fn *handle;
};

enum { IQ_ROUTE_GET = 1, IQ_ROUTE_SET = 2 };

/* Answers. child may be NULL for an empty result; it is adopted by the reply. */
void iq_result(struct iq *iq, struct xml *child);
void iq_error(struct iq *iq, enum stanza_error e, const char *text);
/* With a condition of its own (child, adopted) beside the standard one. */
void iq_error_app(struct iq *iq, enum stanza_error e, const char *text, struct xml *app);

/* Answers a request to somebody whom the sender blocks (XEP-0191 §3.4). */
void iq_blocked(struct core *c, struct stanza *st);

/* A copy that outlives the turn, for answers from the store or pool. The user and session are found again by handle:
 * held->iq.session and .user are refreshed by iq_wake and may be NULL then. */
struct iq_held {
	struct iq iq;
	id_t64 session_id;
	struct str user_jid;
	struct blob *packed;
	struct stanza st;
	void *arg; /* the handler's own, free to use */
};
struct iq_held *iq_hold(struct iq *iq, void *arg);
/* Makes held->iq usable in this turn. Returns &held->iq. */
struct iq *iq_wake(struct iq_held *held);
void iq_held_free(struct iq_held *held);
/* Commits b (takes it). When it is durable done answers, NULL: an empty result; if the store fails, the answer is resource-constraint. */
void iq_commit(struct iq *iq, struct store_batch *b, iq_fn *done);

/* Dispatch of requests; results and errors go to whoever asked (core/ask.h). */
void iq_dispatch(struct core *c, struct session *from_session, struct user *u, struct stanza *st, enum iq_target target);

/* A service's own routes (targets TO_SERVER), for requests to its host. */
void iq_dispatch_routes(struct core *c, struct stanza *st, const struct iq_route *routes);
/* What comes to a service that has no users and answers these requests only; finishes t. */
void iq_only(struct core *c, struct transit *t, const struct iq_route *routes);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Where a stanza goes: an account, a room or service, the server itself, elsewhere. */
#ifndef CORE_ROUTER_H
#define CORE_ROUTER_H

#include "core/pipeline.h"

/* Routes a stanza with `from` and `to` set. Messages of accounts come here from the pipeline, everything else directly.
 * In this shard it is delivered within the call; for another shard it is copied into a mail. st stays the caller's. */
void router_route(struct core *c, struct stanza *st);
/* The same for a message under way: takes over receipt and sender's archive row. */
void router_route_transit(struct transit *t);
/* Routes one stanza to many bare JIDs of this server's accounts (presence broadcast): one mail per shard. */
void router_route_many(struct core *c, struct stanza *st, const struct jid *to, size_t n);
/* One of many sessions that a service sends the same payload to. */
struct fanout_to {
	struct jid jid;	    /* full */
	struct shard *home; /* of its account (router_home); NULL: not an account of this server */
	id_t64 session;	    /* found by the first router_fanout when home is the service's own shard; begins as 0 */
};
struct shard *router_home(struct core *c, struct jid jid);
/* Hands one presence or message straight to sessions, past the stages of the pipeline: the payload is shared, only heads differ; one
 * mail per shard. st->to is ignored. Who blocks st->from gets nothing. For a message to a session that is gone an error goes to
 * st->from, by mail: never within the call. */
void router_fanout(struct core *c, struct stanza *st, struct fanout_to *const *to, size_t n);
/* Sends the error reply, if one is due, back to the sender. */
void router_error(struct core *c, struct stanza *st, enum stanza_error e, const char *text);

#endif

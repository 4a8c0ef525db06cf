/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* BOSH: a client's stream over HTTP requests that are answered late (XEP-0124 1.11.2, XMPP by XEP-0206 1.4). HTTP itself is http/bosh.
 * Left out: several streams in one session, compressed bodies, other encodings than UTF-8, the script syntax.
 *
 *   any shard      http/bosh: a whole body           → bosh_request: finds the sid
 *   sid's shard    bosh.c: where is the session now? → its shard (after sign-in that of its user)
 *   its shard      bosh_session.c: rid by rid into the stream; answers go back by mail to where the request came in
 */
#ifndef XMPP_BOSH_H
#define XMPP_BOSH_H

#include "loop/shard.h"

enum {
	BOSH_WAIT_MAX_S = 60,
	BOSH_HOLD_MAX = 2,
	BOSH_POLLING_S = 2,	     /* shortest time between empty requests that nothing else explains */
	BOSH_MAXPAUSE_S = 120,
	BOSH_REPEATS_MAX = 10,	     /* of requests already received, without a new one between */
	BOSH_REPLAYS_MAX = 8,	     /* answers kept for a client that did not get them */
	BOSH_REPLAY_BYTES_MAX = 1 << 20,
	BOSH_INPUT_MAX = 512 << 10,  /* bytes that wait for the stream; beyond it requests wait for their answers */
	BOSH_OUT_MAX = 4 << 20,	     /* bytes that wait for a request */
	BOSH_SESSIONS_MAX = 20000,   /* made by one shard */
	BOSH_PER_ADDRESS_MAX = 200,  /* … for one address, unless limits.enabled is off */
};

/* Answers a request: in the shard where it came in. type: Content-Type. */
typedef void bosh_answer_fn(struct shard *s, id_t64 exchange, struct str type, struct str body);

/* A request's body came in for this exchange; answer runs later, once, in this shard. peer: address as text.
 * Returns a handle for bosh_hung_up, malloc'ed; NULL: none is needed. */
char *bosh_request(struct shard *s, id_t64 exchange, struct str peer, struct str body, bosh_answer_fn *answer);
/* Nobody waits for the answer to this exchange any more: what is to be said waits for another request. */
void bosh_hung_up(struct shard *s, id_t64 exchange, const char *handle);
/* The shard ends, after core_shutdown; in its thread. */
void bosh_stop(struct shard *s);
/* Its thread has ended: forgets everything. Before core_free. */
void bosh_fini(struct shard *s);

#endif

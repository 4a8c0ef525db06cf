/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The insides of BOSH, shared by bosh.c, bosh_session.c and bosh_body.c only. */
#ifndef XMPP_BOSH_PRIV_H
#define XMPP_BOSH_PRIV_H

#include "xmpp/bosh.h"
#include "xmpp/stream.h"


enum {
	BOSH_SID_BYTES = 24, /* random ones */
	BOSH_SID_MAX = 48,   /* characters, with the shard's number */
	BOSH_KEY = 40,	     /* hexadecimal SHA-1 */
	BOSH_PEER_MAX = 46,
	BOSH_TYPE_MAX = 64,
};

/* Where a request's answer goes. exchange 0: nowhere any more. */
struct bosh_reply {
	struct shard *shard;
	id_t64 exchange;
	bosh_answer_fn *fn;
};

/* What a <body/> says. Strings are in the turn's arena. */
struct bosh_body {
	struct xml *el;
	struct str sid, to, from, key, newkey, content;
	uint64_t rid, wait_s, hold, ack, pause_s;
	uint32_t ver_minor; /* of 1.x; 0: none */
	bool has_ack, has_pause, terminate, restart;
};

/* A received request that is not answered yet. */
struct bosh_request {
	struct list link; /* in bosh.requests, by rid */
	uint64_t rid;
	struct bosh_reply reply;
	char *text; /* the body, until its turn comes; NULL then */
	uint64_t since_ms;
};

/* An answer that the client may ask for again. */
struct bosh_replay {
	struct list link;
	uint64_t rid;
	struct buf body;
};

enum bosh_item_kind { BOSH_ELEMENT, BOSH_RESTART, BOSH_TERMINATE };

/* What the stream has to take next. */
struct bosh_item {
	struct list link;
	enum bosh_item_kind kind;
	size_t n;
	char text[];
};

struct bosh {
	struct stream st;
	char sid[BOSH_SID_MAX + 1];
	char peer[BOSH_PEER_MAX + 1], type[BOSH_TYPE_MAX + 1], key[BOSH_KEY + 1], stream_id[64];
	struct list requests, replays, input;
	size_t input_bytes, replay_bytes;
	struct buf out;
	struct deferred flush, depart;
	struct timer timer;
	struct shard *moving; /* to there at the end of the turn */
	uint64_t rid;	      /* of the last request that was taken in order */
	uint64_t answered;    /* rid of the last answer */
	uint64_t last_empty_ms;
	uint32_t wait_s, hold, requests_max, ver_minor, repeats;
	uint64_t pause_ms; /* 0: the usual inactivity */
	bool created;	   /* the answer to the first request is out */
	bool ending;	   /* what ends it is on its way through the stream */
	bool farewell;	   /* the end was told */
	bool overflown;
	bool acks, release, ended, ghost; /* release: the client wants all requests answered (pause) */
	bool last_was_empty; /* the last answer, and the request for it */
	const char *condition; /* of the end; NULL: none */
};

/* bosh_body.c */
/* Returns 0; -EBADMSG no <body/> of BOSH, or a value that makes no sense; -EMSGSIZE; -EPERM (restricted XML). */
int bosh_body_parse(struct arena *a, struct str text, struct bosh_body *out);
/* The client may choose among these (reflecting any type would let others' pages run here). Returns NULL: none of them. */
const char *bosh_type(struct str wanted);
/* <body type='terminate' condition='…'/>. */
struct str bosh_terminal(struct arena *a, const char *condition);
/* The next answer of a session with its payload. first: to the session's creation. */
void bosh_body_write(struct buf *out, const struct bosh *b, uint64_t rid, struct str payload);
/* Splits the payload into items for the stream. */
void bosh_body_items(struct bosh *b, const struct bosh_body *body);
void bosh_items_drop(struct bosh *b);
void bosh_item_end(struct bosh *b); /* the stream is to end */
/* XEP-0124 §15: does the request carry the next key, if keys are in use? Keeps the new one. */
bool bosh_key_ok(struct bosh *b, const struct bosh_body *body, struct arena *a);

/* bosh_session.c */
struct bosh *bosh_new(struct core *c, const struct bosh_body *body, const struct bosh_reply *reply, struct str peer, const char *type,
	const char *sid);
/* The connection of one of its requests is gone. */
void bosh_drop_reply(struct bosh *b, struct shard *s, id_t64 exchange);
/* A request for a session in this shard. text: the whole body. */
void bosh_take(struct bosh *b, const struct bosh_body *body, const struct bosh_reply *reply, struct str text);
void bosh_free(struct bosh *b);
void bosh_discard(struct bosh *b); /* the shards have stopped: tells nobody */
void bosh_arrived(struct bosh *b, struct shard *s);

/* bosh.c */
void bosh_say(const struct bosh_reply *to, struct str type, struct str body); /* by mail; forgets nothing */
void bosh_gone(struct bosh *b);	  /* the session is over: its sid means nothing from now on */
void bosh_move(struct bosh *b, struct shard *to);
bool bosh_is_stopping(struct shard *s);

#endif

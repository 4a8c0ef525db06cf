/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Shared by src/xmpp/s2s*.c only.
 *
 *   s2s          one per shard
 *   s2s_pair     (local domain, remote domain), in the remote domain's shard: the queue and who carries it
 *   s2s_stream   one connection. Opened by us (out): belongs to a pair. Opened by the peer: takes stanzas of the domains that proved
 *                themselves on it, and with XEP-0288 carries the pair's too
 *   s2s_sm       XEP-0198 of a stream; outlives it while it may be resumed
 *
 *   state of a stream   what may come                               by whom opened
 *   OPENING             stream head                                 both
 *   FEATURES            stream features                             us
 *   TLS                 proceed                                     us
 *   AUTH                success, failure                            us
 *   OPEN                dialback, stanzas, XEP-0198; the peer's: starttls, bidi, auth too
 *   CLOSED              nothing
 */
#ifndef XMPP_S2S_PRIV_H
#define XMPP_S2S_PRIV_H

#include "core/outbox.h"
#include "core/router.h"
#include "net/dial.h"
#include "proto/xml/reader.h"
#include "proto/xmpp/ns.h"
#include "xmpp/s2s.h"

enum {
	S2S_PAIRS_MAX = 20000,	    /* queues of one shard */
	S2S_VERIFIED_MAX = 500,	    /* domains on one stream of a peer */
	S2S_VERIFYING_MAX = 50,	    /* of them, not answered yet */
	S2S_HEAD_MAX = 1023,	    /* bytes of a domain */
	S2S_ID_MAX = 255,	    /* bytes of a peer's stream id or dialback key */
	S2S_UNDURABLE_MAX = 1024,   /* received stanzas that wait for the disk before the stream is paused */
	S2S_TELL_EVERY = 32,	    /* acknowledge unasked after so many */
	S2S_BACKOFF_MIN_MS = 500,
	S2S_BACKOFF_MAX_MS = 60000,
	S2S_BACKOFF_LONG_MS = 5000, /* while the next try is farther than this, only what is on disk is queued */
	S2S_ACK_MS = 20000,	    /* an acknowledgement is late: the link counts as broken */
};

enum s2s_state { S2S_OPENING = 1, S2S_FEATURES = 2, S2S_TLS = 4, S2S_AUTH = 8, S2S_OPEN = 16, S2S_CLOSED = 32 };

/* Why a stream or a try to open one ended. */
enum s2s_end {
	S2S_END_QUIET,	   /* orderly */
	S2S_END_LOST,	   /* may be better soon: what is on disk waits, the rest gets remote-server-timeout when the next try fails too */
	S2S_END_ABSENT,	   /* no such server: remote-server-not-found */
	S2S_END_REFUSED,   /* it will not have us, or we not it: remote-server-timeout (XEP-0220 §2.4) with a text */
	S2S_END_INVALID,   /* dialback says that we are not who we say: internal-server-error (XEP-0220 §2.1.1) */
};

struct s2s {
	struct core *core;
	const struct s2s_shared *shared;
	struct resolver *resolver;
	struct map pairs;      /* "local remote" → struct s2s_pair */
	struct ids streams;    /* those opened by peers: dialback answers find them */
	struct ids sms;
	struct list resumable; /* struct s2s_sm without a stream, the oldest first */
	uint32_t resumable_n;
	struct map inbound;    /* remote domain → struct s2s_count: streams that proved it */
};

struct s2s_count {
	uint32_t n;
	char name[];
};

/* A stanza for a pair. */
struct s2s_item {
	struct s2s_item *next;
	struct blob *packed;
	struct outbox_key key;
	uint64_t since_ms;
};

struct s2s_fifo {
	struct s2s_item *first, *last;
	uint32_t n;
	size_t bytes;
};

/* A dialback key that somebody showed us and that the authoritative server is asked about (XEP-0220 §2.1.2). */
struct s2s_verify {
	struct list link;
	struct shard *asker; /* with the stream on which the key came */
	id_t64 stream;
	bool sent;
	char *local, *remote, *id, *key;
};

struct s2s_pair {
	struct s2s *s2s;
	char *local, *remote;
	struct str key; /* "local remote", own bytes */
	struct s2s_fifo unsent, unacked;
	uint32_t resend_n; /* the first of unsent that went out on the stream of resume, counted there */
	struct s2s_sm *resume; /* of the last stream, if it may be resumed */
	struct list verifies;
	struct s2s_stream *out;	  /* opened by us: being opened or open */
	struct s2s_stream *ready; /* carries stanzas: out, or one of the peer's */
	struct lookup *lookup;
	struct resolver_found *found;
	size_t place; /* of found, that is tried */
	struct dial *dial;
	struct timer retry, expiry, ack;
	uint32_t backoff_ms;
	uint32_t ping_n;    /* stanzas before the ping that is unanswered (peers without XEP-0198); 0: none */
	uint32_t ping_seq;
	bool pinged_back;   /* the peer has answered one before */
	bool working;	    /* a look-up or a connection is under way */
	const char *why;    /* of the last failure, static */
};

/* XEP-0198 of a stream, both directions. */
struct s2s_sm {
	struct list link; /* in s2s->resumable while there is no stream */
	struct core *core;
	id_t64 id;
	char token[44];	  /* given to the peer; empty: not resumable */
	char *peer_token; /* given by the peer */
	char *local, *remote;
	struct s2s_stream *stream;
	struct timer expiry;
	uint32_t in, durable, told;
	uint8_t done[S2S_UNDURABLE_MAX / 8];
	bool paused;
	bool counting; /* what comes is counted */
	uint32_t out, acked;
	uint32_t before; /* of the pair's unacknowledged, sent before counting began */
	bool asked; /* the peer waits for an answer */
	bool asking; /* we wait for an answer */
	uint32_t asked_out; /* what had been sent when we asked */
};

struct s2s_stream {
	struct core_link in_core;
	struct s2s *s2s;
	struct conn *conn;
	struct xml_reader *reader;
	id_t64 handle; /* in s2s->streams; 0: opened by us */
	bool outgoing;
	enum s2s_state state;
	char *local, *remote; /* of the stream heads; NULL: not said yet */
	char *id;	      /* of the stream, made by who was connected to */
	struct s2s_pair *pair;
	struct map verified;  /* domains whose stanzas are taken: name → struct s2s_domain */
	struct list verifying; /* struct s2s_domain with a question under way */
	uint32_t verifying_n;
	struct s2s_sm *sm;
	struct timer timer, rate;
	struct deferred gone;
	struct buf waiting;
	uint8_t pauses;
	bool pulling, restart, opened, secure, busy, moved;
	bool direct;	 /* TLS from the start */
	bool authed;	 /* SASL EXTERNAL (in), either way (out) */
	bool wants_bidi; /* XEP-0288 is on */
	bool has_sm, has_bidi, has_external, has_dialback, asked_result;
	bool pinged;
	uint64_t active_ms; /* last input */
	uint64_t used_ms;   /* last stanza in either direction */
	uint64_t rate_tokens, rate_at_ms;
	void (*go_on)(struct s2s_stream *st); /* in the new shard, after a move */
	char *held_from, *held_to, *held_key;  /* the dialback key that waits for the move */
};

struct s2s_domain {
	struct list link;
	char *local; /* the other half of the pair */
	char name[];
};

/* ---- s2s.c: the shard's state and policy ---- */
static inline struct s2s *s2s_of(struct core *c)
{
	return c->slot[SLOT_S2S];
}
static inline struct arena *s2s_arena(struct s2s *s)
{
	return core_arena(s->core);
}
bool s2s_bool(const struct s2s *s, const char *option);
uint64_t s2s_int(const struct s2s *s, const char *option);
/* Do s2s.allow and s2s.deny let this domain in? */
bool s2s_allows(const struct s2s *s, struct str domain);
/* XEP-0185 as hex in the arena. */
struct str s2s_key(struct s2s *s, struct str receiving, struct str originating, struct str id);
/* One stream more that proves this domain; false: s2s.streams_per_domain are there. */
bool s2s_count_in(struct s2s *s, const char *remote);
void s2s_count_out(struct s2s *s, const char *remote);

/* ---- s2s_stream.c ---- */
struct s2s_stream *s2s_stream_new(struct s2s *s, struct conn *c, bool outgoing);
void s2s_write(struct s2s_stream *st, struct str bytes);
void s2s_printf(struct s2s_stream *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void s2s_write_head(struct s2s_stream *st);
void s2s_error(struct s2s_stream *st, const char *condition, const char *text);
/* Ends it in order, with </stream:stream>. The pair is told. */
void s2s_close(struct s2s_stream *st, enum s2s_end why, const char *text);
void s2s_pause(struct s2s_stream *st, bool on);
/* Begins TLS for the next stream. ctx is given back. */
void s2s_start_tls(struct s2s_stream *st, struct tls_ctx *ctx);
/* To the shard that owns the remote domain; go_on runs there. Returns false when it is there already (go_on ran). */
void s2s_move(struct s2s_stream *st, void (*go_on)(struct s2s_stream *st));
/* Text of an attribute for single quotes, in the arena. */
struct str s2s_quoted(struct s2s_stream *st, struct str text);

/* ---- s2s_in.c, s2s_out.c: the elements of a stream ---- */
void s2s_in_head(struct s2s_stream *st, const struct xml *head);
void s2s_in_element(struct s2s_stream *st, struct xml *el);
void s2s_out_head(struct s2s_stream *st, const struct xml *head);
void s2s_out_element(struct s2s_stream *st, struct xml *el);
void s2s_out_open(struct s2s_pair *p, int fd, const struct resolver_place *place);
/* The pair has something to send: proves who we are, if that is not done. */
void s2s_out_authenticate(struct s2s_stream *st);
void s2s_out_verify(struct s2s_stream *st, struct s2s_verify *v);

/* ---- s2s_dialback.c ---- */
void s2s_dialback_in(struct s2s_stream *st, struct xml *el);
/* An answer to a question that the pair of this stream asked. */
void s2s_dialback_verified(struct s2s_stream *st, struct xml *el);
void s2s_verify_free(struct s2s_verify *v);
void s2s_verify_done(struct s2s_verify *v, const char *outcome, const char *condition); /* frees it */
/* This stream's domain is proved: its stanzas are taken. Returns false when it may have no more. */
bool s2s_prove(struct s2s_stream *st, struct str remote, struct str local);
/* With XEP-0288, the stream carries our stanzas to its proved domain too. */
void s2s_attach(struct s2s_stream *st);
void s2s_domains_free(struct s2s_stream *st);

/* ---- s2s_pair.c ---- */
struct s2s_pair *s2s_pair_get(struct s2s *s, struct str local, struct str remote, bool make);
void s2s_pair_push(struct s2s_pair *p, struct s2s_item *i); /* takes i */
bool s2s_pair_is_full(const struct s2s_pair *p);
bool s2s_pair_is_down(const struct s2s_pair *p); /* a failed server, tried again only later */
void s2s_pair_verify(struct s2s_pair *p, struct s2s_verify *v);
void s2s_pair_open(struct s2s_pair *p);	  /* p->out may take dialback */
void s2s_pair_ready(struct s2s_pair *p, struct s2s_stream *st); /* st may carry its stanzas */
void s2s_pair_flush(struct s2s_pair *p);
void s2s_pair_acked(struct s2s_pair *p, uint32_t n); /* the first n of unacked */
void s2s_pair_ended(struct s2s_pair *p, struct s2s_stream *st, enum s2s_end why, const char *text);
void s2s_pair_pong(struct s2s *s, const struct stanza *st);
bool s2s_pair_wants(const struct s2s_pair *p); /* something waits to be sent */
void s2s_pair_unresend(struct s2s_pair *p, uint32_t n); /* resumed: n of the first are with the peer */
void s2s_pair_free(struct s2s_pair *p);

/* ---- s2s_sm.c ---- */
void s2s_sm_element(struct s2s_stream *st, struct xml *el);
void s2s_sm_begin(struct s2s_stream *st); /* ours: resumes or enables, when the peer offers it */
struct receipt s2s_sm_received(struct s2s_stream *st);
void s2s_sm_ask(struct s2s_stream *st);
void s2s_sm_leave(struct s2s_stream *st, bool resumable); /* the stream ends */
void s2s_sm_free(struct s2s_sm *sm);
void s2s_sm_free_all(struct s2s *s);

/* ---- s2s_receive.c ---- */
void s2s_receive(struct s2s_stream *st, struct xml *el);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A bound resource of a user (RFC 6120 §7) and its XEP-0198 1.6.3 queue. It outlives its connection while it can be resumed.
 * The link (TCP stream or WebSocket) belongs to xmpp/ and is reached through session_ops. */
#ifndef CORE_SESSION_H
#define CORE_SESSION_H

#include "core/core.h"

enum {
	SM_QUEUE_MAX = 5000,	     /* stanzas unacknowledged by the client before its session ends */
	SM_QUEUE_BYTES_MAX = 8 << 20,
	SM_UNDURABLE_MAX = 1024,     /* received stanzas that wait for the disk before the link is paused */
	SM_TELL_EVERY = 32,	     /* acknowledge unasked after so many: bounds what a client repeats after a crash */
	SM_ASK_EVERY = 100,	     /* ask the client for an acknowledgement after so many stanzas */
	SM_ASK_MS = 5000,	     /* … or when the oldest has waited so long */
	DIRECTED_MAX = 1000,	     /* directed presences remembered per session */
};

struct session;

struct session_ops {
	/* Sends one stanza or nonza; the two parts are contiguous on the wire. head begins with "<name": a link that needs a
	 * default namespace on each (RFC 7395 §3.3.3) writes it behind the name. */
	void (*send)(struct session *s, struct str head, struct str tail);
	/* Ends the stream with a stream error (NULL: none); the link forgets the session. */
	void (*close)(struct session *s, const char *stream_error, const char *text);
	size_t (*pending)(struct session *s); /* bytes that the client has not read yet; NULL: not known */
	void (*pause)(struct session *s, bool on); /* backpressure on what the client sends */
	struct str (*peer)(struct session *s);	    /* the client's network address; NULL: not known */
};

/* A stanza that the client has not acknowledged: head bytes follow the struct, the tail is shared. */
struct unacked {
	struct unacked *next;
	struct blob *tail;
	uint64_t at_ms; /* wall clock, for the delay stamp */
	uint64_t offline_id; /* its row in the offline store, 0: none */
	uint32_t head_n;
	uint8_t kind;	 /* enum stanza_kind */
	bool keep;	 /* a message that goes to another session or offline if this one dies */
	char head[];
};

/* XEP-0198 state; NULL in a session that did not enable it. */
struct sm {
	char id[44];	  /* resumption token, random 256 bits; empty: not resumable */
	struct unacked *first, *last;
	uint32_t n, bytes; /* of the queue */
	uint32_t out;	  /* stanzas sent (mod 2^32) */
	uint32_t acked;	  /* highest h from the client */
	uint32_t asked_at; /* value of out when <r/> was sent last */
	uint32_t in;	  /* stanzas received (mod 2^32) */
	uint32_t durable; /* of them, from the start, all dealt with and on disk */
	uint8_t done[SM_UNDURABLE_MAX / 8]; /* ring: those after durable that are dealt with out of order */
	uint32_t told;	  /* the last h that we sent */
	bool ack_wanted;  /* the client asked; the answer waits for the disk */
	uint32_t ack_upto; /* value of in when it asked first, still unanswered */
	uint32_t ack_last; /* value of in when it asked last */
	bool paused;	  /* the link is held until more is on disk */
	uint64_t offline_id; /* row of the stanza that is being sent, 0: none */
	void (*when_durable)(struct session *s, void *arg);
	void *when_durable_arg;
	uint64_t max_ms;
};

/* Who is told when a received stanza is dealt with and durable: travels with the stanza. Zeroed: nobody. */
struct receipt {
	struct shard *shard;
	id_t64 session;
	uint32_t seq;
	void (*done)(struct core *c, id_t64 who, uint32_t seq); /* NULL: a client's session; else who owns the handle, in that shard */
};

struct session {
	struct list in_user;
	struct user *user;
	struct core *core;
	id_t64 id;
	struct jid jid; /* full, own bytes */
	const struct session_ops *ops; /* NULL while the link is lost */
	void *link;
	struct sm *sm;
	struct blob *presence;	/* last available presence, stanza_pack; NULL: not available */
	struct list directed;	/* struct directed */
	struct csi *csi;	/* held back while inactive; NULL: nothing */
	struct delivery *offline; /* kept messages that wait until the client has read the last ones */
	struct timer expiry;	/* resumption window */
	struct timer ask;	/* SM_ASK_MS */
	struct timer rate;	/* until a client that sends too fast is read again */
	int8_t priority;
	bool archive_aware; /* signed in by Bind 2: reads the archive, needs no offline messages (XEP-0386) */
	bool carbons, roster_interested, roster_versions, blocking_interested;
	bool inactive; /* XEP-0352: set by csi_set */
	bool rate_paused;
	bool dead; /* being removed: nothing is sent any more */
	bool overflown; /* its XEP-0198 queue ran over: ends at the next timer */
	uint32_t links; /* that it had: one more with each resumption */
	uint16_t directed_n, directed_gone; /* gone: of them, those that went offline themselves */
	uint64_t since_ms, active_ms; /* monotonic */
	uint64_t rate_tokens, rate_at_ms;
	uint64_t offline_sent; /* row of the last message kept for the account that it got, 0: none */
	struct caps *caps;	/* core/caps.h; NULL: not known */
	char client[64];	/* user-agent id (XEP-0388), hex or as sent; empty: none */
	char app[20];		/* the application password that it signed in with, or "g" and the grant (account/grant.h); empty: none */
};

struct directed {
	struct list link;
	struct jid to;
	bool gone; /* it sent unavailable presence since */
};

/* Binds a resource for a loaded user: wanted may be empty (one is made). A session with the same resource is closed with `conflict`
 * (RFC 6120 §7.7.2.2). Returns the session, or NULL when the user has SESSIONS_PER_USER_MAX. */
struct session *session_bind(struct user *u, struct str wanted, const struct session_ops *ops, void *link);
/* The link broke (err != 0: may be resumed; 0: the client closed its stream). The session lives on or ends. */
void session_link_lost(struct session *s, bool resumable);
/* Ends a session: unavailable presence goes out, unacknowledged messages find another way. Frees it. */
void session_end(struct session *s);
/* Closes the link with a stream error, then ends the session. */
void session_kick(struct session *s, const char *stream_error, const char *text);

/* Queues a stanza to the client. to: written instead of st->to unless NULL. Counts and keeps it when XEP-0198 is on. */
void session_send(struct session *s, struct stanza *st, const struct jid *to);
/* The link changes or goes: no pause for the rate is due any more. */
void session_rate_forget(struct session *s);
/* Sends bytes that are not a stanza: never counted. */
void session_nonza(struct session *s, struct str bytes);

/* One stanza from the client (RFC 6120 §8): checks its shape, stamps `from`, counts it and sends it on its way.
 * Returns 0; -EINVAL: not a stanza of jabber:client (unsupported-stanza-type); -EACCES: a `from` that is not its own (invalid-from). */
int session_receive(struct session *s, struct xml *el);

/* ---- XEP-0198 ---- */
int session_sm_enable(struct session *s, bool resume, uint64_t max_ms); /* 0; -EALREADY */
/* The client's <a h=…/>. 0; -ERANGE: more than was sent (§4: undefined-condition with handled-count-too-high). */
int session_sm_acked(struct session *s, uint32_t h);
void session_sm_asked(struct session *s); /* the client's <r/> */
/* Finds a resumable session of the user by its token; constant-time. */
struct session *session_sm_find(struct user *u, struct str token);
/* Attaches a new link after <resume/>: drops what h acknowledges; caller sends <resumed/>, then calls session_sm_replay.
 * 0; -ERANGE; -EBUSY: not all that was received is on disk (session_sm_when_durable), or its queue ran over. */
int session_sm_attach(struct session *s, uint32_t h, const struct session_ops *ops, void *link);
void session_sm_replay(struct session *s);
/* Calls fn when everything received so far is dealt with and on disk; at once if it is. s is NULL when the session ended meanwhile.
 * One caller at a time: a second one takes the place of the first, which is told NULL and must not end the session then. */
typedef void sm_durable_fn(struct session *s, void *arg);
void session_sm_when_durable(struct session *s, sm_durable_fn *fn, void *arg);
/* Counts a received stanza; the receipt is owed by whoever deals with it. Zeroed when XEP-0198 is off. */
struct receipt session_sm_received(struct session *s);

/* The stanza of this receipt is dealt with (and durable): any shard's thread. */
void receipt_done(struct receipt r);
/* Sends what is collected for other shards, now. */
void receipts_flush(struct core *c);

/* May it change how the account is opened, and administer the server? Not with an application password. */
static inline bool session_is_full(const struct session *s)
{
	return !s->app[0];
}

/* Any session by handle in its shard. */
struct session *session_get(struct core *c, id_t64 id);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A client's stream, over TCP or WebSocket: what it may say when (RFC 6120 §4, RFC 7395). The transports feed elements in and
 * carry bytes out; everything between is here and in sasl.c, sasl2.c, bind.c.
 *
 *   state     may come                                     goes to
 *   START     stream head                                  PLAIN (STARTTLS needed) or SECURE
 *   PLAIN     starttls                                     START, encrypted
 *   SECURE    SASL, SASL2, registration                    AUTHED (in the user's shard)
 *   AUTHED    stream head again (SASL1), bind, resume      BOUND
 *   BOUND     stanzas, XEP-0198 elements                   CLOSED
 */
#ifndef XMPP_STREAM_H
#define XMPP_STREAM_H

#include "core/session.h"
#include "net/conn.h"
#include "proto/xml/xml.h"

enum {
	AUTH_TRIES_MAX = 3,	    /* failed authentications before the stream is closed */
	HEAD_TEXT_MAX = 3071,	    /* bytes of `to` and `from` in a stream head */
};

enum stream_state { STREAM_START = 1, STREAM_PLAIN = 2, STREAM_SECURE = 4, STREAM_AUTHED = 8, STREAM_BOUND = 16, STREAM_CLOSED = 32 };

struct stream;
struct auth;

/* What a transport does for a stream. */
struct stream_link {
	void (*write)(struct stream *st, struct str bytes);	       /* one whole element (or a stream head) */
	void (*write_two)(struct stream *st, struct str head, struct str tail); /* one stanza in two parts */
	void (*write_open)(struct stream *st, struct str id, struct str to); /* our stream head */
	void (*write_close)(struct stream *st);
	void (*restart)(struct stream *st);    /* the next bytes are a new stream */
	void (*starttls)(struct stream *st);   /* NULL: this transport is secure already */
	void (*close)(struct stream *st);      /* last words before the connection is closed; NULL: none */
	void (*free)(struct stream *st);       /* the memory that the stream is embedded in */
	/* Input, for xmpp/input: bytes to be read; hands one event to the stream (false: all is read); keeps what is not read yet. */
	void (*feed)(struct stream *st, struct str bytes);
	bool (*take)(struct stream *st, struct arena *a);
	void (*keep)(struct stream *st);
	bool websocket;
	/* A transport without a connection of its own (BOSH): st->conn is NULL. All NULL otherwise. */
	size_t (*pending)(struct stream *st); /* bytes that wait for the client */
	struct str (*peer)(const struct stream *st);
	void (*move)(struct stream *st, struct shard *to); /* at the end of the turn; there it calls stream_moved */
};

struct stream {
	const struct stream_link *link;
	struct conn *conn;
	struct core *core;
	struct core_link in_core;
	struct host *host;	/* that the stream is for: `to` of its head */
	struct session *session;
	struct auth *auth;	/* an exchange under way */
	struct timer timer;	/* authentication time, then idle */
	enum stream_state state;
	uint8_t tries;
	uint8_t pauses;
	struct buf waiting;	/* input that came while the stream waited */
	struct deferred gone;
	bool pulling, restarted;
	bool secure, authed;
	bool opened;		/* our stream head is out */
	bool busy;		/* an answer is due from elsewhere: input waits */
	bool dead;		/* the transport is gone; freed when busy ends */
	bool pinged;		/* asked for a sign of life */
	bool sasl2;
	bool continued;		/* SASL2 asked for a task: there is no second try on this stream (XEP-0388 §4.8) */
	bool named;		/* the stream head names an address of this server, which may be an account */
	uint8_t algs_lacking;	/* hashes that its password has no keys for, 1 << enum hash_alg */
	char config[24];	/* XEP-0509: version of the features */
	char app[20];		/* signed in with this application password: may not change how the account is opened; empty: none */
	char *node;		/* authenticated localpart */
	char *client;		/* user-agent id of SASL2; NULL */
	char *from;		/* bare JID that the stream head names; NULL: none */
	char *token;		/* invitation shown before registration; NULL */
	void (*go_on)(struct stream *st); /* step to take in the user's shard, or when something is there */
};

/* Begins: the transport embeds the stream and has set link and conn. */
void stream_init(struct stream *st, struct core *c, bool secure);
/* Frees what the stream holds; the transport then frees the memory that it is embedded in. */
void stream_fini(struct stream *st);

/* From the transport. After each call look at st->busy and st->state. */
void stream_opened(struct stream *st, const struct xml *head); /* the peer's stream head or <open/> */
void stream_element(struct stream *st, struct xml *el, size_t bytes);
void stream_closed(struct stream *st); /* the peer's end of stream */
void stream_lost(struct stream *st);	/* the connection broke */
void stream_alive(struct stream *st);	/* something arrived */

/* Ends the stream with an error (RFC 6120 §4.9). condition "host-unknown" …; text may be NULL. */
void stream_error(struct stream *st, const char *condition, const char *text);
/* The stream error for what xml_reader said. */
void stream_xml_error(struct stream *st, int error);
void stream_write_xml(struct stream *st, const struct xml *el);
/* For links: writes our head, with id, `from` and `to` between before and after. */
void stream_write_head(struct stream *st, const char *before, struct str id, struct str to, const char *after);
/* For links whose transport has whole elements: parses one. NULL: the stream ends with an error. */
struct xml *stream_parse(struct stream *st, struct str text);
void stream_features(struct stream *st);
/* Input waits from stream_wait until stream_woken. The latter returns false when the connection went meanwhile. */
void stream_wait(struct stream *st);
bool stream_woken(struct stream *st);
/* After a step that ended waiting: hands queued input over. */
void stream_proceed(struct stream *st);

struct str stream_peer(const struct stream *st); /* the client's address as text */
void stream_moved(struct stream *st, struct shard *s); /* it has arrived in its user's shard */

/* Authentication succeeded for st->node: moves to the user's shard, then go_on runs there. */
void stream_authenticated(struct stream *st, void (*go_on)(struct stream *st));

#endif

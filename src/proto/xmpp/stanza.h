/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A stanza on its way (RFC 6120 §8): head as fields, payload as a tree, as bytes, or both.
 * The payload's bytes ("tail": all children and the end tag, in namespace jabber:client) are made once and shared by
 * all recipients; only the head is written anew for each. */
#ifndef PROTO_XMPP_STANZA_H
#define PROTO_XMPP_STANZA_H

#include "base/blob.h"
#include "proto/xml/xml.h"
#include "proto/xmpp/jid.h"

enum stanza_kind { ST_MESSAGE, ST_PRESENCE, ST_IQ };

enum stanza_type {
	/* message */
	MSG_NORMAL, MSG_CHAT, MSG_GROUPCHAT, MSG_HEADLINE, MSG_ERROR,
	/* presence */
	PRES_AVAILABLE, PRES_UNAVAILABLE, PRES_SUBSCRIBE, PRES_SUBSCRIBED, PRES_UNSUBSCRIBE,
	PRES_UNSUBSCRIBED, PRES_PROBE, PRES_ERROR,
	/* iq */
	IQ_GET, IQ_SET, IQ_RESULT, IQ_ERROR,
};

/* What a message's payload holds, found once at the sender (stanza_scan). */
enum stanza_flag {
	SF_BODY = 1 << 0,	 /* <body/> with text */
	SF_SUBJECT = 1 << 1,
	SF_THREAD = 1 << 2,
	SF_NO_STORE = 1 << 3,	 /* XEP-0334 */
	SF_NO_PERMANENT_STORE = 1 << 4,
	SF_NO_COPY = 1 << 5,
	SF_STORE = 1 << 6,
	SF_CHATSTATE_ONLY = 1 << 7, /* XEP-0085 and nothing else of weight */
	SF_PRIVATE = 1 << 8,	 /* XEP-0280 <private/> */
	SF_RECEIPT = 1 << 9,	 /* XEP-0184 <received/> */
	SF_MARKER = 1 << 10,	 /* XEP-0333 displayed */
	SF_MUC_USER = 1 << 11,	 /* muc#user x: invitation or private message of a room */
	SF_PAYLOAD = 1 << 12,	 /* any child besides the above that is worth keeping (reactions, retractions, encrypted, markable...) */
	SF_CARBON = 1 << 13,	 /* is itself a carbon */
	SF_RETRACT = 1 << 14,	 /* XEP-0424 */
	SF_EPHEMERAL = 1 << 15,	 /* XEP-0466 */
	SF_CORRECTS = 1 << 16,	 /* XEP-0308 */
	SF_ENCRYPTED = 1 << 17,	 /* content for the recipient's keys only (XEP-0384, XEP-0373) */
	SF_UNDELEGATED = 1 << 24, /* an IQ: from whom the namespace is delegated to (XEP-0355), in somebody's name */
};

struct stanza {
	enum stanza_kind kind;
	enum stanza_type type;
	struct jid from, to; /* full.n == 0: absent */
	struct str id;	     /* p NULL: absent */
	struct str lang;     /* xml:lang, p NULL: absent */
	uint32_t flags;	     /* stanza_flag, for messages; valid when scanned */
	struct str origin_id; /* XEP-0359, p NULL: absent; valid when scanned */
	struct xml *el;	     /* whole stanza as a tree; NULL: only bytes so far */
	struct blob *tail;   /* NULL: only a tree so far. A reference is held by whoever made the stanza */
	struct str extra;    /* bytes to stand right behind the head, e.g. a stanza-id for this recipient */
	struct str packed_tail; /* the tail inside the bytes that stanza_unpack borrows; p NULL: none */
};

/* Reads head fields off a parsed element in jabber:client (or jabber:server, jabber:component:accept). `from` and `to` are normalised.
 * Returns 0; -EBADMSG unknown kind (out untouched) or type (out filled, type IQ_GET or PRES_AVAILABLE; an unknown type of a
 * message is MSG_NORMAL, RFC 6121 §5.2.2); -EPERM bad JID in `from`; -EINVAL bad JID in `to` (both: out filled but for it). */
int stanza_from_xml(struct arena *a, struct xml *el, struct stanza *out);
/* Fills flags and origin_id of a message from its tree. */
void stanza_scan(struct stanza *st);
/* The tree; parsed from the tail when there is none yet. NULL only for bytes that were never ours. */
struct xml *stanza_tree(struct stanza *st, struct arena *a);
/* The shared payload bytes; made from the tree when there are none yet. Borrowed: st keeps the reference. */
struct blob *stanza_tail(struct stanza *st);
/* Drops the tree's and bytes' agreement after the tree was changed: the tail is made anew. */
void stanza_touched(struct stanza *st);
void stanza_fini(struct stanza *st); /* drops the tail's reference */

/* Writes "<message from=… to=… …>" plus extra. xmlns is NULL on a TCP stream, "jabber:client" for a WebSocket frame. */
void stanza_write_head(struct buf *out, const struct stanza *st, const char *xmlns);
/* Head and tail: the whole stanza. */
void stanza_write(struct buf *out, struct stanza *st, const char *xmlns);

/* One flat blob that another thread or the database can keep: head fields and tail. */
struct blob *stanza_pack(struct stanza *st);
/* Borrows the blob's bytes: it must outlive the stanza. The tail blob is a copy when first asked for. Returns 0; -EBADMSG. */
int stanza_unpack(struct str packed, struct stanza *out);

/* Stanza errors, RFC 6120 §8.3. */
enum stanza_error {
	ERR_BAD_REQUEST, ERR_CONFLICT, ERR_FEATURE_NOT_IMPLEMENTED, ERR_FORBIDDEN, ERR_GONE,
	ERR_INTERNAL_SERVER_ERROR, ERR_ITEM_NOT_FOUND, ERR_JID_MALFORMED, ERR_NOT_ACCEPTABLE,
	ERR_NOT_ALLOWED, ERR_NOT_AUTHORIZED, ERR_POLICY_VIOLATION, ERR_RECIPIENT_UNAVAILABLE,
	ERR_REDIRECT, ERR_REGISTRATION_REQUIRED, ERR_REMOTE_SERVER_NOT_FOUND,
	ERR_REMOTE_SERVER_TIMEOUT, ERR_RESOURCE_CONSTRAINT, ERR_SERVICE_UNAVAILABLE,
	ERR_SUBSCRIPTION_REQUIRED, ERR_UNDEFINED_CONDITION, ERR_UNEXPECTED_REQUEST,
	ERR_COUNT,
};
const char *stanza_error_name(enum stanza_error e); /* "bad-request" */
/* <error type=…><cond/>[<text>]</error> as a child of el (jabber:client). Returns the error element. text NULL: none. */
struct xml *stanza_error_add(struct arena *a, struct xml *el, enum stanza_error e, const char *text);
/* The error reply to st: same kind and id, from and to swapped, the payload's first child kept for IQ (RFC 6120 §8.3.1).
 * Returns false when none may be sent (st is an error or an IQ result, or presence without an answer). */
bool stanza_error_reply(struct arena *a, struct stanza *st, enum stanza_error e, const char *text, struct stanza *out);
/* An empty reply: IQ result with from and to swapped. */
void stanza_result(struct arena *a, const struct stanza *st, struct stanza *out);
/* New stanzas of the server. el is set: add children to it. */
void stanza_new(struct arena *a, enum stanza_kind kind, enum stanza_type type, struct stanza *out);
const char *stanza_type_name(enum stanza_type t); /* NULL for MSG_NORMAL and PRES_AVAILABLE, which have none */

#endif

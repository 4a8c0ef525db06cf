/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Push notifications of an account, XEP-0357 0.4.1: where they go (registrations), and the Web Push endpoints that this server
 * notifies by itself (RFC 8030). Store: kind "push", key "p" + JID + LF + node, or "w" + node; values are XML. */
#ifndef FEATURES_PUSH_PUSH_H
#define FEATURES_PUSH_PUSH_H

#include "core/feature.h"
#include "core/weight.h"
#include "crypto/webpush.h"
#include "net/fetch.h"

#define NS_PUSH "urn:xmpp:push:0"
#define NS_PUSH_SUMMARY "urn:xmpp:push:summary"
#define NS_PUBLISH_OPTIONS "http://jabber.org/protocol/pubsub#publish-options"
#define NS_PUBSUB_PLAIN "http://jabber.org/protocol/pubsub"
#define NS_WEBPUSH "urn:anser:webpush:0"

enum {
	PUSH_PER_USER_MAX = 16,	 /* registrations, and Web Push endpoints: the oldest goes for a new one */
	PUSH_NODE_MAX = 1023,	 /* bytes */
	PUSH_FORM_MAX = 4096,	 /* bytes of publish-options */
	PUSH_EVERY_MS = 2000,	 /* messages nearer to each other are one notification */
	PUSH_ROOM_EVERY_MS = 30000, /* the same for messages of rooms that do not name the user */
	PUSH_FAILURES_MAX = 10,	 /* transient failures in a row before a registration is given up */
	PUSH_BODY_MAX = 500,	 /* bytes of a message that a notification shows */
	PUSH_SENDS_MAX = 10000,	 /* Web Push messages of one shard under way or waiting to be sent again */
	PUSH_TRIES_MAX = 4,
	PUSH_RETRY_MS = 3000,	 /* before the second try; five times longer each */
	PUSH_RETRY_MAX_MS = 3600000, /* Retry-After is believed up to this */
	PUSH_TTL_S = 7 * 86400,
	PUSH_CALL_TTL_S = 60,
};

/* A Web Push endpoint. */
struct push_web {
	struct list link;
	char *node, *endpoint;
	bool encrypted; /* the keys are there; otherwise UnifiedPush without keys: nothing private is sent */
	struct webpush_reader reader;
	uint64_t at_ms;
	uint64_t not_before_ms; /* monotonic: the push service asked for patience */
	uint32_t failures;
};

/* A client's registration (§5): notifications go to jid and node. */
struct push_reg {
	struct list link;
	struct user *user;
	char *jid, *node;
	char *form;		  /* publish-options as XML; NULL: none */
	char *client, *resource; /* of the session that enabled it, to know it again */
	id_t64 session;		  /* the same, while it lives */
	uint64_t at_ms;		  /* wall clock of enabling */
	uint32_t failures;
	/* What is to be told. */
	struct timer timer;
	uint64_t due_ms;  /* of the timer */
	uint64_t last_ms; /* monotonic, of the last notification; 0: none */
	id_t64 asked;	  /* the session that was sent it, and … */
	uint32_t seq;	  /* … its XEP-0198 count then */
	uint32_t links;   /* of the session, when count began */
	uint32_t count;	  /* messages since the client was here */
	bool pending, call;
	char *sender, *body;
};

struct pushes {
	struct list regs, webs;
	uint32_t regs_n, webs_n;
};

/* In core->slot[SLOT_PUSH]. */
struct push_core {
	struct core *core;
	struct p256_key vapid;
	bool ready; /* the key is there */
	struct list sends;
	uint32_t sends_n;
};

static inline struct pushes *pushes_of(const struct user *u)
{
	return u->slot[USER_SLOT_PUSH];
}

/* registry.c */
void push_item(struct user *u, struct str key, struct str value);
void push_free(struct user *u);
/* Adds, or takes the place of the registration with the same JID and node. The row goes into the batch. */
struct push_reg *push_reg_put(struct user *u, struct store_batch *b, struct str jid, struct str node, struct str form);
void push_reg_save(struct push_reg *r, struct store_batch *b);
/* Forgets those with this JID and node (p NULL: any). Returns how many. */
int push_reg_del(struct user *u, struct store_batch *b, struct str jid, struct str node);
struct push_reg *push_reg_find(struct user *u, struct str jid, struct str node);
struct push_web *push_web_find(struct user *u, struct str node);
struct push_web *push_web_put(struct user *u, struct store_batch *b, struct str endpoint, const struct webpush_reader *reader);
/* The endpoint is gone, and the registrations that use it. */
void push_web_del(struct user *u, struct store_batch *b, struct push_web *w);
/* "push.DOMAIN" of the user's own domain. */
struct str push_host(const struct user *u);

/* notify.c */
void push_unseen(struct user *u, struct session *s, struct stanza *st);
enum verdict push_delivered(struct transit *t);
void push_reg_stop(struct push_reg *r); /* nothing is told any more */
void push_give_up(struct user *u, struct str jid, struct str node, const char *why);

/* web.c */
void push_web_key(struct iq *iq);
void push_web_subscribe(struct iq *iq);
void push_web_unsubscribe(struct iq *iq);
void push_vapid_load(struct push_core *p);

/* send.c: encrypts and posts what is pending at r. */
void push_web_send(struct push_reg *r, struct push_web *w);
void push_sends_free(struct core *c);

#endif

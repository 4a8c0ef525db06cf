/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0: what the files of this folder share. A host is one pubsub service at one address: an account (XEP-0163) or
 * pubsub.DOMAIN; it lives in the shard that owns its JID and is loaded when somebody needs it. Private to features/pubsub. */
#ifndef FEATURES_PUBSUB_PUBSUB_H
#define FEATURES_PUBSUB_PUBSUB_H

#include "base/list.h"
#include "core/feature.h"
#include "features/pubsub/config.h"
#include "proto/xmpp/ns.h"

enum {
	PS_NODES_MAX = 500,	       /* of one account */
	PS_SERVICE_NODES_MAX = 20000,
	PS_CREATOR_NODES_MAX = 200,    /* of one creator at the service */
	PS_NAME_MAX = 1000,	       /* bytes of a node's name */
	PS_ID_MAX = 1023,	       /* bytes of an item's id */
	PS_JID_MAX = 2048,	       /* bytes of an address that is stored */
	PS_SUBS_MAX = 10000,	       /* subscriptions of one node */
	PS_SUBS_OF_JID_MAX = 1000,     /* of one account at one host */
	PS_RESOURCES_MAX = 20,	       /* of one account at one node, by resource */
	PS_AFFILS_MAX = 10000,	       /* of one node */
	PS_CHANGES_MAX = 500,	       /* affiliations or subscriptions in one request */
	PS_IDS_MAX = 500,	       /* items in one request */
	PS_ANSWER_BYTES = 2 << 20,     /* of payloads in one answer; the rest is for the next page */
	PS_ANSWER_BYTES_AWAY = 128 << 10,
	PS_RETRY_MS = 500,
	PS_JOBS_MAX = 1000,	       /* requests that wait for one host */
	PS_ITEM_COST = 128,	       /* bytes that an item counts beside its id and payload */
	PS_INLINE_MAX = 1024,	       /* payloads up to this are stored in the item's row */
	PS_CACHED_MAX = 4096,	       /* of a node's last payload that is kept in memory */
};

enum ps_affil { AFFIL_NONE, AFFIL_OUTCAST, AFFIL_MEMBER, AFFIL_PUBLISH_ONLY, AFFIL_PUBLISHER, AFFIL_OWNER, AFFILS };
enum ps_state { SUB_NONE, SUB_PENDING, SUB_SUBSCRIBED, SUB_STATES };

struct ps_host;
struct ps_node;

struct ps_item {
	uint64_t seq; /* archive id of its publication: order and time */
	uint32_t size; /* bytes of the payload */
	bool big;      /* the payload is a row of its own */
	struct blob *payload; /* kept for the last one when small, and for bookmarks; NULL: in the store */
	struct str id, publisher; /* publisher: bare JID; both in bytes */
	char bytes[];
};

struct ps_sub {
	enum ps_state state;
	bool deliver;	     /* pubsub#deliver */
	uint8_t show;	     /* pubsub#show-values: bits of SHOW; 0: any */
	uint64_t expire_ms; /* pubsub#expire, 0: never */
	struct str jid;	     /* as it subscribed: bare or full */
	char bytes[];
};

struct ps_affiliate {
	enum ps_affil affil;
	struct str jid; /* bare */
	char bytes[];
};

struct ps_node {
	struct ps_host *host;
	struct str name;  /* own bytes */
	struct str creator; /* bare JID, own bytes */
	uint64_t created_ms;
	struct ps_config cfg;
	struct map affils; /* bare JID → struct ps_affiliate */
	struct map subs;   /* JID → struct ps_sub */
	bool loaded, loading; /* the items below */
	bool read, reading;   /* bookmarks: all their payloads */
	struct ps_item **items; /* oldest first */
	uint32_t items_n, items_cap;
	struct map by_id; /* id → struct ps_item */
};

/* Something that waits until a host and what it needs of it is in memory. */
struct ps_job {
	struct list link;
	/* Returns false when it asked for more to be loaded and wants to be called again. */
	bool (*run)(struct ps_host *h, struct ps_job *j);
	void (*free)(struct ps_job *j);
};

enum ps_host_state { HOST_NEW, HOST_LOADING, HOST_READY };

struct ps_host {
	struct core *core;
	uint64_t id;	   /* tells it from one of the same address before or after */
	struct jid jid;	   /* bare, own bytes */
	struct user *user; /* the account; NULL: a service */
	enum ps_host_state state;
	struct map nodes; /* name → struct ps_node */
	uint64_t bytes;	  /* of all items, each with PS_ITEM_COST */
	struct list jobs;
	uint32_t jobs_n;
	bool running;
	struct timer retry; /* the store took no question: the jobs are run again */
	bool imported, importing; /* bookmarks of private storage */
	struct map remote; /* full JID of a session elsewhere → what it wants: hello.c */
	char avatar[41]; /* SHA-1 of the account's avatar in hex, known with the account; empty: none */
};

/* A request to a node. */
struct ps_req {
	struct iq *iq;
	struct arena *a;
	struct ps_host *h;
	struct ps_node *n;    /* NULL: the verb needs none */
	struct xml *pubsub, *el; /* <pubsub/> and the verb inside */
	struct str node;      /* name as asked, p NULL: none */
	struct jid from;      /* full or bare, as the asker's stanza said */
	struct jid who;	      /* bare */
	enum ps_affil affil;
};

/* ---- host.c: hosts, nodes and their rows ---- */

struct ps_host *ps_host_of(struct user *u);
struct ps_host *ps_service(struct core *c, struct str host); /* NULL: the shard ends */
void ps_host_free(struct ps_host *h);
void ps_services_free(struct core *c);
/* Runs the job now or when what it waits for is there; takes it. Returns 0; -ENOBUFS: PS_JOBS_MAX wait (j is freed). */
int ps_host_do(struct ps_host *h, struct ps_job *j);
/* Goes on with what waits. */
void ps_host_pump(struct ps_host *h);
/* The store did not take a question: what waits is run again soon. */
void ps_host_retry(struct ps_host *h);
/* The store could not answer: what waits is told so. Not within a job. */
void ps_host_fail(struct ps_host *h);
/* Is the host in memory? False: it is being loaded now. */
bool ps_host_ready(struct ps_host *h);
/* Forgets what memory says of the host, because a write failed. */
void ps_host_reset(struct ps_host *h);
/* Who a callback was for: found again by name, because it may be gone meanwhile. */
struct ps_ref {
	uint64_t id;
	struct str jid, node;
	void *arg;
	char bytes[];
};
struct ps_ref *ps_ref_new(const struct ps_host *h, struct str node, void *arg); /* free() it */
struct ps_host *ps_ref_host(struct core *c, const struct ps_ref *r);		 /* NULL: gone */
struct ps_node *ps_ref_node(struct core *c, const struct ps_ref *r);
struct ps_node *ps_node_get(struct ps_host *h, struct str name);
/* Takes over cfg. */
struct ps_node *ps_node_new(struct ps_host *h, struct str name, struct str creator, struct ps_config *cfg);
void ps_node_drop(struct ps_node *n); /* from memory */
void ps_node_save(struct ps_node *n, struct store_batch *b);
void ps_node_remove(struct ps_node *n, struct store_batch *b); /* from memory and store */
/* NULL: none, or too many. */
struct ps_sub *ps_sub_need(struct ps_node *n, struct str jid);
void ps_sub_save(struct ps_node *n, struct ps_sub *s, struct store_batch *b);
void ps_sub_remove(struct ps_node *n, struct ps_sub *s, struct store_batch *b); /* frees s */
/* AFFIL_NONE removes. Returns 0; -ENOSPC. */
int ps_affil_set(struct ps_node *n, struct str bare, enum ps_affil to, struct store_batch *b);
bool ps_sub_expired(const struct ps_sub *s);

/* ---- request.c: verbs, answers ---- */

void ps_iq(struct iq *iq);	   /* of an account */
void ps_service_iq(struct iq *iq); /* of pubsub.DOMAIN */
/* Runs fn(h, iq) now or later, with a fresh iq then; it returns false when it asked for more to be loaded. */
typedef bool ps_iq_fn(struct ps_host *h, struct iq *iq);
void ps_iq_do(struct ps_host *h, struct iq *iq, ps_iq_fn *fn);
/* An error with a condition of pubsub#errors. */
void ps_error(struct ps_req *r, enum stanza_error e, const char *cond);
void ps_unsupported(struct ps_req *r, const char *feature);
/* Commits b; the result with child (adopted, NULL: empty) goes out when it is durable, else an error. b NULL: at once. */
void ps_answer(struct ps_host *h, struct iq *iq, struct store_batch *b, struct xml *child);
/* Commits b without anybody to answer; the host forgets what memory says when it fails. */
void ps_commit(struct ps_host *h, struct store_batch *b);
/* <pubsub xmlns='http://jabber.org/protocol/pubsub…'/> with the verb inside, node set. */
struct xml *ps_reply(struct ps_req *r, const char *name, struct xml **out_verb);
bool ps_text_ok(struct str s, size_t max); /* may it name a node or item: printable, and not too long */

/* ---- access.c ---- */

extern const char *const ps_affil_names[AFFILS], *const ps_state_names[SUB_STATES];
enum ps_affil ps_affil_of(const struct ps_node *n, struct jid who);
struct ps_sub *ps_sub_of(const struct ps_node *n, struct jid who); /* any subscribed one of this account, or NULL */
struct ps_verdict {
	bool ok;
	enum stanza_error error;
	const char *cond; /* NULL: none */
};
/* May this account subscribe or retrieve items (§4.5)? For subscribing, "authorize" is no obstacle. */
struct ps_verdict ps_may_see(const struct ps_node *n, struct jid who, bool subscribing);
bool ps_may_publish(const struct ps_node *n, struct jid who);
/* May the account know of the node (disco)? */
bool ps_may_find(const struct ps_node *n, struct jid who);

/* ---- item.c ---- */

/* Are the items' names in memory? False: they are being loaded. */
bool ps_items_ready(struct ps_node *n);
struct ps_item *ps_item_get(const struct ps_node *n, struct str id);
struct ps_item *ps_item_last(const struct ps_node *n);
/* Adds or replaces. Removes what is too much: their ids are added as <retract/> to retracted unless it is NULL. */
struct ps_item *ps_item_put(struct ps_node *n, struct str id, struct str publisher, struct str payload, struct store_batch *b);
/* Is there room in the host's quota for this payload under this id? */
bool ps_item_fits(const struct ps_node *n, struct str id, size_t payload_n);
void ps_item_remove(struct ps_node *n, struct ps_item *it, struct store_batch *b);
void ps_items_clear(struct ps_node *n, struct store_batch *b); /* its items must be ready */
void ps_items_drop(struct ps_node *n); /* from memory */
/* Items that expired go. b is made when needed. */
void ps_items_expire(struct ps_node *n);
/* Payloads of items: done gets one per item in order, valid during the call, p NULL: gone meanwhile. Never within the call unless all
 * are in memory. Returns 0; -ENOBUFS. host is NULL in done when it is gone. */
typedef void ps_payloads_fn(struct core *c, void *arg, const struct str *payloads, size_t n);
int ps_items_read(struct ps_node *n, struct ps_item *const *v, size_t count, ps_payloads_fn *done, void *arg);

/* ---- event.c: notifications ---- */

/* <message><event xmlns='…#event'/></message> from the host; *event gets the inner element. */
void ps_event_new(struct ps_host *h, enum stanza_type type, struct stanza *out, struct xml **event);
/* Sends an event of the node to everybody who gets its notifications (§7.1.2, XEP-0163 §4), and finishes it. */
void ps_event_send(struct ps_node *n, struct stanza *st);
/* it NULL: an event without an item. */
void ps_event_item(struct ps_node *n, const struct ps_item *it, struct str payload);
void ps_event_retract(struct ps_node *n, struct str id);
void ps_event_simple(struct ps_node *n, const char *name, struct xml *child); /* "purge", "delete", "configuration" */
/* The state of a subscription, to the subscriber. */
void ps_event_subscription(struct ps_node *n, struct str jid, enum ps_state state);
/* … and to the owners, when the node is so configured. */
void ps_event_sub_to_owners(struct ps_node *n, struct str jid, enum ps_state state);
/* The last item to one address, marked as delayed, unless it was published after before_ms. May read the store. */
void ps_event_last(struct ps_node *n, struct jid to, uint64_t before_ms);
/* A message to each owner of the node (adopts nothing; finishes st). */
void ps_to_owners(struct ps_node *n, struct stanza *st);

/* ---- verbs ---- */

typedef bool ps_verb_fn(struct ps_req *r); /* false: called again when more is loaded */
ps_verb_fn ps_create, ps_delete, ps_configure_get, ps_configure_set, ps_default, ps_purge;
ps_verb_fn ps_publish, ps_retract, ps_items;
ps_verb_fn ps_subscribe, ps_unsubscribe, ps_options_get, ps_options_set, ps_default_sub, ps_subscriptions, ps_affiliations;
ps_verb_fn ps_owner_affils_get, ps_owner_affils_set, ps_owner_subs_get, ps_owner_subs_set;
/* A message to the host: the form that approves a subscription (§8.6). Returns true when it was one. */
bool ps_message(struct ps_host *h, struct stanza *st);
void ps_authorize_ask(struct ps_node *n, struct ps_sub *s);
void ps_get_pending(struct ps_host *h, struct iq *iq);

/* The node of a publish request comes into being with these publish-options (NULL: none). Answers and returns false if it may not. */
bool ps_auto_create(struct ps_req *r, const struct xml *options, struct store_batch *b);
/* Is the node as these publish-options want it? Answers if not. */
bool ps_options_met(struct ps_req *r, const struct xml *options);
/* What the server itself puts into a node of an account. Makes the node when it is not there; its items must be ready. */
struct ps_node *ps_node_own(struct ps_host *h, const char *name, struct store_batch *b);
void ps_publish_own(struct ps_node *n, struct str id, struct str payload, struct store_batch *b);
void ps_retract_own(struct ps_node *n, struct ps_item *it, struct store_batch *b);
/* Bytes of an element as they are stored. */
struct str ps_bytes(struct arena *a, const struct xml *el);

/* ---- disco.c ---- */
bool ps_disco(struct iq *iq); /* of an account's nodes; true: it answers */
bool ps_disco_items(struct iq *iq, struct xml *query);
void ps_service_disco(struct ps_host *h, struct iq *iq);

/* ---- pep.c, hello.c: presence ---- */
void pep_presence(struct session *s, struct stanza *st);
void pep_presence_in(struct user *u, struct stanza *st);
void pep_available(struct session *s);
void pep_unavailable(struct session *s, struct stanza *st);
void pep_contact(struct user *u, struct contact *c);
void pep_roster(struct user *u, struct jid bare);
void pep_fan(struct ps_node *n, struct stanza *st);
/* Sessions elsewhere that want events of the node and may have them; out holds n->host->remote.n. Returns how many. */
size_t hello_remotes(const struct ps_node *n, struct jid *out);
bool hello_remote_wants(const struct ps_host *h, struct jid who, struct str node);
void hello_remotes_free(struct ps_host *h);

/* ---- bookmarks.c: XEP-0402 beside XEP-0048 ---- */
bool ps_is_bookmarks(const struct ps_host *h, struct str node);
/* Both nodes' items are in memory with their payloads. False: being loaded. */
bool bookmarks_ready(struct ps_host *h);
/* An item of the new node was put or removed: the old form follows. el NULL: removed. */
void bookmarks_changed(struct ps_host *h, struct str id, const struct xml *el, struct store_batch *b);
void bookmarks_cleared(struct ps_host *h, struct store_batch *b);
/* The old form is replaced: items of the new node follow. */
void bookmarks_replaced(struct ps_host *h, const struct xml *storage, struct store_batch *b);
void private_xml(struct iq *iq);

/* ---- mds.c: XEP-0490 ---- */
enum verdict mds_send(struct transit *t); /* SEND_STAMP */
/* An account published how far it has read a conversation: tells its inbox. */
void mds_read(struct user *u, struct str peer, const struct xml *displayed);

/* ---- avatar.c: XEP-0084 beside XEP-0153 ---- */
/* What the account's metadata node says now; NULL: nothing. */
void pep_avatar_changed(struct ps_host *h, const struct xml *metadata, struct store_batch *b);
void pep_avatar_load(struct user *u, struct str key, struct str value);
void pep_avatar_presence(struct session *s, struct stanza *st);
void pep_vcard(struct iq *iq);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A feature is one file and one row in features/features.c; the row says everything that others must know of it. */
#ifndef CORE_FEATURE_H
#define CORE_FEATURE_H

#include "core/iq.h"

struct contact;

/* A host of its own such as conference.DOMAIN. Stanzas run in the shard that owns the bare `to`. */
struct service {
	const char *label; /* "conference": the host is label.DOMAIN */
	const char *category, *type, *name; /* disco identity */
	/* Takes over the receipt in t (call transit_finish or pass it on). t->user is NULL. */
	void (*stanza)(struct core *c, struct transit *t);
	/* The server will close: all shards are told before any begins to close. */
	void (*goodbye)(struct core *c);
	/* Closing: the shard ends. */
	void (*shutdown)(struct core *c);
};

struct command_stage;

struct spec {
	const char *number, *version;
};

/* XEP-0030 §3.1; a list of them ends with category NULL. */
struct disco_identity {
	const char *category, *type, *name;
};

/* The way back to a stream that has no session yet. */
struct unauth {
	void *link;
	/* Sends a whole stanza. waited: wait was called before; false: the stream is gone. */
	bool (*reply)(void *link, const struct xml *stanza, bool waited);
	/* Input waits until the reply. */
	void (*wait)(void *link);
	/* An invitation's token, kept with the stream for its next request (XEP-0445); token is the one kept so far or NULL. Before reply. */
	void (*keep_token)(void *link, const char *token);
	const char *token;
	struct host *host; /* that the stream is for */
};

struct feature {
	const char *name;		  /* config section, log tag, test prefix */
	const struct spec *specs;	  /* ends with number NULL: docs/specs.md and the DOAP file */
	const char *const *disco_server; /* features of the domain, NULL-terminated */
	const char *const *disco_account; /* features of each account's bare JID */
	const struct disco_identity *identities; /* of each account, beside account/registered; NULL: none */
	const struct option *options;
	const struct iq_route *iq;	  /* ends with ns NULL */
	stage_fn *send[SEND_STAGES];
	stage_fn *deliver[DELIVER_STAGES];
	const struct service *service;
	/* Stream features for an authenticated client: adds children to <stream:features/>. */
	void (*stream_features)(struct core *c, struct xml *features, struct arena *a);
	/* Stream features before authentication, on an encrypted stream. */
	void (*stream_features_unauth)(struct core *c, struct xml *features, struct arena *a);
	/* An IQ before authentication (registration). Returns true when it is this feature's: it answers through u. */
	bool (*unauth_iq)(struct core *c, struct xml *iq, const struct unauth *u);
	void (*on_start)(struct core *c); /* in each shard */
	void (*on_stop)(struct core *c);  /* the shard ends: frees its slot; users are gone already */
	/* A session's presence became available for the first time (RFC 6121 §4.2): offline messages, pending requests. */
	void (*on_available)(struct session *s);
	/* A session ends or its presence became unavailable. */
	void (*on_unavailable)(struct session *s, struct stanza *st);
	/* Available presence from a client, before it is broadcast or (with a `to`) directed: may change the tree (stanza_touched). */
	void (*on_presence)(struct session *s, struct stanza *st);
	/* Presence (available, unavailable, an error) that has come for an account, from anybody whom it does not block. */
	void (*on_presence_in)(struct user *u, struct stanza *st);
	/* A subscription stanza from a client, before it is dealt with. */
	void (*on_subscribe)(struct session *s, struct stanza *st);
	/* A subscription request to an account, before it is dealt with. Returns true when it is kept for later (subscription_in). */
	bool (*on_subscribe_in)(struct user *u, struct stanza *st);
	/* A contact's subscription changed and holds now. */
	void (*on_contact)(struct user *u, struct contact *c);
	/* Something has come that the user may not have seen: core/unseen.h. */
	void (*on_unseen)(struct user *u, struct session *s, struct stanza *st);
	/* Something of this contact changed, or he is none any more. */
	void (*on_roster)(struct user *u, struct jid bare);
	/* One kind of items, loaded with a user. */
	const char *user_kind;
	void (*user_item)(struct user *u, struct str key, struct str value);
	void (*user_free)(struct user *u);
	/* An account of this server was deleted; in its shard (user_gone). */
	void (*account_gone)(struct core *c, struct str bare);
	/* Disco of a node of an account that nobody else knows. Returns true when it answers. */
	bool (*disco_node)(struct iq *iq);
	/* Adds items of an account to the answer. Returns false when it has to read first: it dispatches the request anew then. */
	bool (*disco_items)(struct iq *iq, struct xml *query);
	/* Items of a host beside the services. */
	void (*host_items)(struct core *c, struct str domain, struct xml *query, struct arena *a);
	/* Forms of every domain's disco#info (XEP-0128): adds <x/>, or a <feature/> that is not always there, to the query. The same as long as the configuration is. */
	void (*disco_forms)(struct core *c, struct xml *query);
	/* Ad-hoc command rows (XEP-0050), ends with node NULL. */
	const struct command *commands;
};

/* An ad-hoc command (XEP-0050, core/command.h). */
struct command {
	const char *node, *name;
	uint8_t targets; /* enum iq_target */
	bool admin_only;
	/* Answers through command_done or iq_error. form: all that the stages were told, checked; without stages what was submitted, or NULL. */
	void (*run)(struct iq *iq, struct xml *form);
	const struct command_stage *stages; /* forms to fill in before, ends with fields NULL; NULL: runs at once */
	const char *form_type;		     /* FORM_TYPE of the stages' forms */
};


#endif

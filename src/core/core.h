/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The domain of one shard: its users, sessions, rooms; and what the whole process shares (env). */
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "account/host.h"
#include "base/config.h"
#include "base/buf.h"
#include "base/map.h"
#include "loop/shard.h"
#include "proto/xmpp/stanza.h"

struct components;
struct feature;
struct fetcher;
struct transit;
struct user;
struct session;

enum {
	STANZA_BYTES_MAX = 256 << 10, /* XEP-0478 says so to clients */
	STANZA_BYTES_MAX_UNAUTH = 16 << 10,
	SESSIONS_PER_USER_MAX = 64,
	RECEIPTS_PER_MAIL = 64,
	USER_IDLE_MS = 60000, /* an account without sessions leaves memory after this */
};

/* Who keeps something per shard: core->slot. */
enum core_slot { SLOT_MUC, SLOT_PUBSUB, SLOT_CAPS, SLOT_S2S, SLOT_COMPONENTS, SLOT_PUSH, SLOT_COMMANDS, SLOT_ADMIN, SLOT_BOSH, SLOT_EPHEMERAL, SLOT_RETENTION, SLOT_REPORTS, SLOT_SERVERINFO, CORE_SLOTS };
/* Who keeps something per loaded user: user->slot. */
enum user_slot { USER_SLOT_DEDUP, USER_SLOT_PEP, USER_SLOT_PUSH, USER_SLOT_INBOX, USER_SLOT_STRANGERS, USER_SLOT_NOTICE, USER_SLOT_MOVED, USER_SLOTS };

/* Shared by all shards; read-only after start but for the configuration pointer. */
struct env {
	struct shards *shards;
	struct store *store;
	struct pool *pool;
	struct accounts *accounts; /* of the main host; those of another: core_host(...)->accounts */
	struct hosts *hosts;
	struct components *components; /* of core/component.h; NULL: none */
	_Atomic(const struct config *) config; /* replaced at reload; old ones live until the process ends */
	struct str domain;  /* the main host's: for what concerns the process, never for an account or a service */
	struct str web_url; /* of the main host, "https://host:8443" */
	struct fetcher *fetcher; /* net/fetch.h; NULL: this process asks nobody */
	const struct feature *const *features; /* NULL-terminated */
	uint64_t run; /* another number at each start */
	/* Takes a stanza to another domain over, in the shard that owns the domain (shard_of). NULL: other servers are not reached. */
	void (*remote)(struct core *c, struct transit *t);
};

/* A stream of a client, signed in or not; embedded in it. */
struct core_link {
	struct list in_core;
	void (*shutdown)(struct core_link *l); /* closes it; must not leave the list within */
};

struct core {
	struct shard *shard;
	struct env *env;
	struct map users;    /* bare JID → struct user */
	struct ids sessions; /* handle → struct session */
	struct list idle_users; /* loaded users without sessions, oldest first */
	struct timer tick;   /* once a second while there is something to expire */
	uint64_t last_archive_id;
	struct list links;   /* struct core_link: every stream of this shard */
	bool closing;	     /* core_shutdown ran */
	bool ending;	     /* the shard ends: nobody is loaded any more */
	uint64_t started_ms; /* monotonic */
	struct ids asks;     /* handle → struct ask: requests of the server's own (core/ask.h) */
	struct list asks_open;
	bool asking;	     /* one is being sent: an answer that comes at once waits for the next turn */
	struct buf scratch;  /* heads of stanzas while they are written */
	struct receipt_mail *receipts[SHARDS_MAX]; /* XEP-0198: what is durable, for sessions of other shards; sent at the turn's end */
	struct deferred receipts_due;
	void *slot[CORE_SLOTS];
};

/* In each shard's thread, when env is complete. */
struct core *core_start(struct shard *s, struct env *env);
/* Services take leave; in each shard's thread, in all before core_shutdown in any. */
void core_goodbye(struct core *c);
/* Closes all sessions and all other streams with system-shutdown; in the shard's thread. */
void core_shutdown(struct core *c);
void core_free(struct core *c);
/* Handles of all sessions of the shard, malloc'ed; NULL when there are none. */
id_t64 *core_sessions(struct core *c, size_t *out_n);

static inline const struct config *core_config(const struct core *c)
{
	return c->env->config;
}
static inline struct arena *core_arena(struct core *c)
{
	return &c->shard->arena;
}
/* The host of this domain, or NULL. */
struct host *core_host(const struct core *c, struct str domain);
/* The host whose domain or service this is, or NULL. */
struct host *core_host_of(const struct core *c, struct str domain);
/* Is this address one of this server's: a host's domain, one of its services, a component? */
bool core_is_local(const struct core *c, struct str domain);
struct service;
/* The service with this host name, or NULL. */
const struct service *core_service(const struct core *c, struct str domain);
/* The shard that owns a bare JID. */
struct shard *core_shard_of(const struct core *c, struct str bare);

/* Archive ids: 42 bits of milliseconds since 2020, 6 bits of shard, 15 bits of count; strictly rising per shard, also when
 * the clock steps back. On the wire they are decimal. */
uint64_t archive_id_new(struct core *c);
/* The one after last at this time; last is 0 or of the same shard. */
uint64_t archive_id_next(uint64_t last, uint64_t wall_ms, int shard);
uint64_t archive_id_ms(uint64_t id);	      /* wall ms since 1970 */
uint64_t archive_id_from_ms(uint64_t wall_ms); /* the smallest id of that millisecond */
struct str archive_id_str(struct arena *a, uint64_t id);
int archive_id_parse(struct str s, uint64_t *out); /* 0; -EBADMSG */

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* An account in memory, in its owning shard: loaded at sign-in or when somebody writes to it, dropped when idle.
 * Stanzas that arrive while it loads wait in order. */
#ifndef CORE_USER_H
#define CORE_USER_H

#include "core/core.h"
#include "core/session.h"

enum { USER_WAITING_MAX = 1000 };

enum user_state { USER_LOADING, USER_READY, USER_ABSENT /* no such account */, USER_FAILED /* the store could not say */ };

struct user {
	struct jid jid; /* bare, own bytes */
	struct core *core;
	enum user_state state;
	uint32_t offline_n;	/* messages kept for the next sign-in */
	bool leaving;		/* the account is being removed: treated as absent, nothing is written */
	bool admin;		/* administrator of the server */
	bool disabled;		/* may not sign in */
	uint64_t created_ms, login_ms; /* wall clock; login 0: not known */
	uint8_t loads;		/* store answers still to come */
	struct list sessions;	/* struct session, bound order */
	uint16_t sessions_n;
	struct list idle;	/* in core->idle_users while there are no sessions */
	uint64_t idle_since_ms;
	struct map roster;	/* bare JID → struct contact, core/roster.h */
	uint64_t roster_ver;
	struct map blocked;	/* JID as written → itself, owned here: features/blocking */
	struct str mam_prefs;	/* XML of XEP-0313 preferences, own bytes, empty: default */
	uint64_t last_ms;	/* wall clock of the last sign-off, 0 unknown */
	struct str last_status;
	bool last_unsaved;
	void *slot[USER_SLOTS];
	struct waiting *first_waiting, *last_waiting;
	uint32_t waiting_n;
};

/* Runs fn when the user is loaded (at once if it is): u->state is READY, ABSENT or FAILED then; u is NULL when too many wait
 * already (USER_WAITING_MAX) or the shard ends. In the user's own shard only. */
typedef void user_fn(struct user *u, void *arg);
void user_with(struct core *c, struct str bare, user_fn *fn, void *arg);
/* The user if it is in memory and READY, else NULL. */
struct user *user_find(struct core *c, struct str bare);
/* The account is gone (deleted) or was just created: forget what memory says. Sessions end with `not-authorized`. Any shard may ask. */
void user_forget(struct env *env, struct str bare);
/* user_forget for an account that was deleted: features forget it too (account_gone). */
void user_gone(struct env *env, struct str bare);
/* Called by session_bind and session_end. */
void user_session_added(struct user *u, struct session *s);
void user_session_removed(struct user *u, struct session *s);
void users_free(struct core *c);
/* Is this address on the user's block list (XEP-0191 matching: full, bare, domain/resource, domain)? */
bool user_blocks(const struct user *u, struct jid j);
/* The session with this resource, or NULL. */
struct session *user_resource(struct user *u, struct str resource);
bool user_is_available(const struct user *u); /* some session has available presence */

#endif

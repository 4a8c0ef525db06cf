/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0115 1.6.0 what a session's client can do: one cache per shard from verification string to what it stands for, filled by asking
 * one client per unknown string. An answer that does not hash to the string (§5.4, §9.3) counts for its session alone. */
#ifndef CORE_CAPS_H
#define CORE_CAPS_H

#include "core/session.h"

enum {
	CAPS_CACHE_MAX = 2000,	  /* strings remembered per shard */
	CAPS_WAITS_MAX = 20000,	  /* sessions and others that wait for an answer, per shard */
	CAPS_ASKED_MAX = 3,	  /* questions to one session that it has not answered */
	CAPS_KEY_MAX = 256,	  /* bytes of hash name and string */
	CAPS_PARTS_MAX = 1000,	  /* identities, features, fields and values of one answer */
	CAPS_NOTIFY_MAX = 64,	  /* nodes that one client wants events of */
	CAPS_NOTIFY_BYTES = 8192, /* of their names */
};

struct caps;

/* The capabilities of a session changed. fresh: names of nodes that it wants events of (XEP-0060 §9.2) and did not want before, each
 * ended by NUL; borrowed. Called once per change, also when the answer comes later. */
typedef void caps_fn(struct session *s, struct blob *fresh);

/* The session's client sent this available presence. */
void caps_heard(struct session *s, struct stanza *st, caps_fn *changed);
/* The same for somebody elsewhere whose presence has come: c is the <c/> in it, asker who asks him. found gets what he wants events of
 * (NULL: nothing, or no answer came) once, perhaps within the call. */
typedef void caps_found_fn(struct core *c, void *arg, struct blob *notify);
void caps_heard_of(struct core *c, struct jid asker, struct jid who, const struct xml *el, caps_found_fn *found, void *arg);
/* The session ends. */
void caps_gone(struct session *s);
/* Everything that the session wants events of, each name ended by NUL; NULL: nothing, or not known yet. */
struct blob *caps_notify(const struct session *s);
bool caps_wants(const struct session *s, struct str node);
/* Is the name in such a list? */
bool caps_list_has(const struct blob *list, struct str node);
/* Names of a that are not in b. New reference, NULL: none. */
struct blob *caps_list_minus(const struct blob *a, const struct blob *b);
/* The verification string (§5.1) of a disco#info answer. Returns 0; -EBADMSG: ill-formed (§5.4), or more than CAPS_PARTS_MAX. */
int caps_verify(struct arena *a, const struct xml *query, struct str hash_name, struct str *out);
void caps_free(struct core *c);

#endif

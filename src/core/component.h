/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Components: domains that a process outside serves over a stream of its own (XEP-0114 1.6), with the rights that the configuration gives
 * to each. A component belongs to the host that its name is below, else to the main one: that host lists it, and only that host's
 * people are within its rights. The table is made at the start and never changes; its link is touched by its home shard only. */
#ifndef CORE_COMPONENT_H
#define CORE_COMPONENT_H

#include "core/router.h"

enum {
	COMPONENTS_MAX = 50,
	COMPONENT_SECRET_MIN = 8, /* bytes */
	COMPONENT_GRANTS_MAX = 50, /* namespaces of one component: each of XEP-0356 iq and of XEP-0355 */
	COMPONENT_ATTRS_MAX = 8,   /* filtering attributes of one delegation */
	COMPONENT_OUT_MAX = 3 << 20, /* bytes that a component may leave unread; more is refused with resource-constraint */
};

enum { GRANT_GET = 1, GRANT_SET = 2 };
enum presence_grant { PRESENCE_NONE, PRESENCE_MANAGED, PRESENCE_ROSTER };

/* One namespace: XEP-0356 iq (types), or XEP-0355 (attrs). */
struct grant {
	struct str ns;
	uint8_t types;
	uint8_t attrs_n;
	struct str attrs[COMPONENT_ATTRS_MAX];
};

/* What the stream does for it. */
struct component_ops {
	void (*send)(void *link, struct str head, struct str tail);
	size_t (*pending)(void *link); /* bytes that the component has not read yet */
};

struct component {
	struct str name, secret;
	int index;
	struct host *host;
	struct shard *home;
	uint8_t roster; /* GRANT_*: XEP-0356 roster */
	bool roster_push, message;
	enum presence_grant presence;
	struct grant iq[COMPONENT_GRANTS_MAX], delegated[COMPONENT_GRANTS_MAX];
	uint8_t iq_n, delegated_n;
	atomic_bool live; /* somebody serves it */
	atomic_uint epoch; /* counts its streams */
	/* Of the home shard. */
	const struct component_ops *ops;
	void *link; /* NULL: nobody */
	struct map seen; /* full JID → hash of the last presence that XEP-0356 brought */
};

struct components {
	int n;
	bool delegating; /* some namespace is delegated */
	struct component *v[COMPONENTS_MAX];
	char *text; /* what the strings point into */
};

extern const struct option component_options[];

/* Reads the options. Returns 0; -EINVAL with a sentence in err, which names no secret. */
int components_new(const struct config *config, struct components **out, char *err, size_t err_n);
/* Finds hosts and home shards. Returns 0; -EINVAL a component has the name of a host or of a service. */
int components_place(struct components *cs, const struct hosts *hosts, struct shards *shards, const struct feature *const *features,
	char *err, size_t err_n);
void components_free(struct components *cs); /* takes NULL */

/* The component whose domain this is, or whose name it is below; NULL: none. */
struct component *core_component(const struct core *c, struct str domain);
/* The component that sent this: its own address, without localpart or resource. NULL: somebody else. */
struct component *component_of(const struct core *c, struct jid from);
/* Hands a stanza to it, or answers in its place (service-unavailable when nobody serves it). In its home shard. */
void component_deliver(struct component *cp, struct transit *t);
/* Hands it something that nobody waits for: dropped when it is away or too slow, without a word to st->from. In its home shard. */
void component_drop_to(struct core *c, struct component *cp, struct stanza *st);
/* Sends it a copy of st, to its domain, from any shard. st->to is changed. */
void component_tell(struct core *c, struct component *cp, struct stanza *st);

/* A stream has proved to be the component's: it gets what is for it, from now on. In the home shard. Returns 0; -EEXIST there is one. */
int component_attach(struct core *c, struct component *cp, const struct component_ops *ops, void *link);
void component_detach(struct core *c, struct component *cp);
/* One element from the component. Returns 0; -EINVAL no stanza (unsupported-stanza-type); -EACCES `from` is not below its name
 * (invalid-from); -EDESTADDRREQ `from` or `to` is missing (improper-addressing). */
int component_receive(struct core *c, struct component *cp, struct xml *el);

#endif

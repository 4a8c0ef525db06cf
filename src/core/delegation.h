/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Namespaces whose requests a component answers in the server's place: XEP-0355 0.5, admin mode. Left out: client mode (implementation
 * note 1). Requests do not wait for each other (note 3). */
#ifndef CORE_DELEGATION_H
#define CORE_DELEGATION_H

#include "core/component.h"

struct iq;

/* Discovery of an account's nodes that the server does not know itself. */
#define DELEGATION_BARE_INFO "urn:xmpp:delegation:2:bare:disco#info:*"
#define DELEGATION_BARE_ITEMS "urn:xmpp:delegation:2:bare:disco#items:*"

/* Tells the component its namespaces and asks for the features that it has for each. In its home shard, after component_attach. */
void delegation_attached(struct core *c, struct component *cp);
void delegation_detached(struct core *c, struct component *cp);
void delegation_free(struct core *c); /* the shard ends */

/* Is the request for a delegated namespace, and from somebody else than the component? Then it is forwarded, and its answer will come
 * (service-unavailable when the component gives none in time, or a bad one). */
bool delegation_take(struct iq *iq);
/* The same for one of the names above. */
bool delegation_take_as(struct iq *iq, const char *name);
/* Would requests with this payload go to this component? */
bool delegation_is_to(const struct component *cp, const struct xml *payload);
/* Into an answer of disco#info without node: the components' features for their namespaces in the place of ours. */
void delegation_disco(const struct iq *iq, struct xml *query);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0060 1.30.0 publish-subscribe: the service pubsub.DOMAIN, and XEP-0163 1.2.2 personal eventing of every account. Left out:
 * collections (XEP-0248), several subscriptions of one address (SubIDs), digests, leases that end with presence. */
#include "features/pubsub/pubsub.h"

#include <string.h>

/* ---- pubsub.DOMAIN ---- */

static void service_disco(struct iq *iq)
{
	struct ps_host *h = ps_service(iq->core, iq->st->to.full);

	if (h)
		ps_service_disco(h, iq);
	else
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

static void service_command(struct iq *iq)
{
	struct ps_host *h = ps_service(iq->core, iq->st->to.full);

	if (h)
		ps_get_pending(h, iq);
	else
		iq_error(iq, ERR_SERVICE_UNAVAILABLE, NULL);
}

static void service_ping(struct iq *iq)
{
	iq_result(iq, NULL);
}

static const struct iq_route service_routes[] = {
	{ NS_DISCO_INFO, "query", IQ_ROUTE_GET, TO_SERVER, service_disco },
	{ NS_DISCO_ITEMS, "query", IQ_ROUTE_GET, TO_SERVER, service_disco },
	{ NS_PUBSUB, "pubsub", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SERVER, ps_service_iq },
	{ NS_PUBSUB_OWNER, "pubsub", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SERVER, ps_service_iq },
	{ NS_COMMANDS, "command", IQ_ROUTE_SET, TO_SERVER, service_command },
	{ NS_PING, "ping", IQ_ROUTE_GET, TO_SERVER, service_ping },
	{ 0 },
};

static void stanza(struct core *c, struct transit *t)
{
	struct stanza *st = t->st;
	bool whole = jid_is_bare(st->to) && !st->to.node_n;
	struct ps_host *h = whole ? ps_service(c, st->to.full) : NULL;

	if (!h) {
		if (st->kind == ST_IQ || st->kind == ST_MESSAGE)
			router_error(c, st, whole ? ERR_SERVICE_UNAVAILABLE : ERR_ITEM_NOT_FOUND, NULL);
	} else if (st->kind == ST_IQ) {
		iq_dispatch_routes(c, st, service_routes);
	} else if (st->kind == ST_MESSAGE && !ps_message(h, st)) {
		router_error(c, st, ERR_SERVICE_UNAVAILABLE, NULL);
	}
	transit_finish(t);
}

static void shutdown(struct core *c)
{
	ps_services_free(c);
}

static const struct service service = {
	.label = "pubsub",
	.category = "pubsub",
	.type = "service",
	.name = "Publish-Subscribe",
	.stanza = stanza,
	.shutdown = shutdown,
};

/* ---- accounts ---- */

/* DELIVER_BLOCK: an owner's word on a subscription is for the account's service, not for its clients. */
static enum verdict approve(struct transit *t)
{
	struct stanza *st = t->st;
	struct str tail;

	if ((st->flags & SF_BODY) || !(st->flags & SF_PAYLOAD) || !jid_is_bare(st->to))
		return PASS;
	tail = blob_view(stanza_tail(st));
	if (!tail.n || !memmem(tail.p, tail.n, NS_PUBSUB_SUBSCRIBE_AUTH, strlen(NS_PUBSUB_SUBSCRIBE_AUTH)))
		return PASS;
	return ps_message(ps_host_of(t->user), st) ? STOP : PASS;
}

static void on_presence(struct session *s, struct stanza *st)
{
	pep_avatar_presence(s, st);
	pep_presence(s, st);
}

static void user_free(struct user *u)
{
	ps_host_free(u->slot[USER_SLOT_PEP]);
	u->slot[USER_SLOT_PEP] = NULL;
}

#define F(name) NS_PUBSUB "#" name

static const char *const disco_account[] = {
	NS_PUBSUB, NS_RSM, F("access-presence"), F("access-open"), F("access-whitelist"), F("access-roster"), F("access-authorize"),
	F("auto-create"), F("auto-subscribe"), F("config-node"), F("config-node-max"), F("create-and-configure"), F("create-nodes"),
	F("delete-items"), F("delete-nodes"), F("filtered-notifications"), F("instant-nodes"), F("item-ids"), F("last-published"),
	F("manage-subscriptions"), F("member-affiliation"), F("meta-data"), F("modify-affiliations"), F("multi-items"),
	F("outcast-affiliation"), F("persistent-items"), F("presence-notifications"), F("presence-subscribe"), F("publish"),
	F("publish-node-full"), F("publish-only-affiliation"), F("publish-options"), F("publisher-affiliation"), F("pubsub-on-a-jid"),
	F("purge-nodes"), F("retract-items"), F("retrieve-affiliations"), F("retrieve-default"), F("retrieve-default-sub"),
	F("retrieve-items"), F("retrieve-subscriptions"), F("rsm"), F("subscribe"), F("subscription-notifications"),
	F("subscription-options"), NS_VCARD, "urn:ietf:params:xml:ns:vcard-4.0", NS_BOOKMARKS "#compat", NS_BOOKMARKS "#compat-pep",
	"urn:xmpp:pep-vcard-conversion:0", "urn:xmpp:mds:server-assist:0", NULL,
};
static const char *const disco_server[] = { NS_VCARD, NS_PRIVATE, NULL };
static const struct disco_identity identities[] = { { "pubsub", "pep", NULL }, { 0 } };
static const struct spec specs[] = { { "XEP-0060", "1.30.0" }, { "XEP-0163", "1.2.2" }, { "XEP-0222", "1.0" }, { "XEP-0223", "1.1.1" },
	{ "XEP-0059", "1.0.1" }, { "XEP-0402", "1.2.0" }, { "XEP-0048", "1.2" }, { "XEP-0049", "1.2" }, { "XEP-0054", "1.2" },
	{ "XEP-0084", "1.1.4" }, { "XEP-0153", "1.1.1" }, { "XEP-0398", "1.0.0" }, { "XEP-0292", "0.12.0" }, { "XEP-0172", "1.1" },
	{ "XEP-0384", "0.9.1" }, { "XEP-0490", "1.0.1" }, { "XEP-0492", "0.2.0" }, { NULL, NULL } };
static const struct iq_route routes[] = {
	{ NS_PUBSUB, "pubsub", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, ps_iq },
	{ NS_PUBSUB_OWNER, "pubsub", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, ps_iq },
	{ NS_VCARD, "vCard", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, pep_vcard },
	{ NS_PRIVATE, "query", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_SELF | TO_USER, private_xml },
	{ 0 },
};

static const struct option options[] = {
	{ "pubsub.quota", OPT_SIZE, "100M", 64 << 10, INT64_C(1) << 40, NULL, "What one account may keep in its personal nodes (bookmarks, avatars, keys, lists)." },
	{ "pubsub.service_quota", OPT_SIZE, "2000M", 64 << 10, INT64_C(1) << 40, NULL, "What all nodes of pubsub.DOMAIN may hold together." },
	{ 0 },
};

const struct feature feature_pubsub = {
	.name = "pubsub",
	.options = options,
	.specs = specs,
	.disco_server = disco_server,
	.disco_account = disco_account,
	.identities = identities,
	.iq = routes,
	.service = &service,
	.send = { [SEND_STAMP] = mds_send },
	.deliver = { [DELIVER_BLOCK] = approve },
	.on_presence = on_presence,
	.on_presence_in = pep_presence_in,
	.on_available = pep_available,
	.on_unavailable = pep_unavailable,
	.on_contact = pep_contact,
	.on_roster = pep_roster,
	.user_kind = "avatar",
	.user_item = pep_avatar_load,
	.user_free = user_free,
	.disco_node = ps_disco,
	.disco_items = ps_disco_items,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0114 1.6 components, XEP-0355 0.5 delegated namespaces, XEP-0356 0.4.1 privileges: the rows. What they do is core/component,
 * core/delegation and core/privilege, the stream is xmpp/component. */
#include "core/component.h"
#include "core/feature.h"
#include "core/privilege.h"
#include "proto/xmpp/ns.h"

static void on_available(struct session *s)
{
	struct stanza st;

	if (!s->core->env->components || !s->presence || stanza_unpack(blob_view(s->presence), &st))
		return;
	privilege_presence(s->core, &st);
	stanza_fini(&st);
}

static void on_unavailable(struct session *s, struct stanza *st)
{
	privilege_presence(s->core, st);
}

/* Components that somebody serves now. */
static void host_items(struct core *c, struct str domain, struct xml *query, struct arena *a)
{
	const struct components *cs = c->env->components;

	for (int i = 0; cs && i < cs->n; i++)
		if (cs->v[i]->live && str_eq(cs->v[i]->host->domain, domain))
			xml_set(a, xml_add(a, query, "item", NULL), "jid", cs->v[i]->name);
}

static const struct spec specs[] = { { "XEP-0114", "1.6" }, { "XEP-0355", "0.5" }, { "XEP-0356", "0.4.1" }, { NULL, NULL } };
static const char *const disco[] = { NS_DELEGATION, NULL };
static const struct iq_route routes[] = {
	{ NS_PRIVILEGE, "privileged_iq", IQ_ROUTE_GET | IQ_ROUTE_SET, TO_USER | TO_SERVER, privilege_iq },
	{ 0 },
};

const struct feature feature_component = {
	.name = "component",
	.specs = specs,
	.disco_server = disco,
	.iq = routes,
	.options = component_options,
	.on_available = on_available,
	.on_unavailable = on_unavailable,
	.host_items = host_items,
};

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* XEP-0485 1.0.0 server information: if the operator wants it, the main domain's pubsub service tells from each start on which domains
 * are served, and by which software. Which servers they talk to is told to nobody. The address of the node is in features/contact's form. */
#include <stdlib.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/ask.h"
#include "core/feature.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

enum { FIRST_SHARD = 0 };

static const struct option options[] = {
	{ "serverinfo.publish", OPT_BOOL, "false", 0, 0, NULL,
		"Publish the names of the domains and the software's version at pubsub.DOMAIN, for those who count servers (XEP-0485)." },
	{ NULL },
};

/* Work of the first turn: every shard has its services by then. */
struct start {
	struct timer timer;
	struct core *core;
};

static void on_published(struct core *c, struct stanza *reply, void *arg)
{
	(void)c;
	(void)arg;
	if (!reply || reply->type != IQ_RESULT)
		log_warning("serverinfo.not_published", "next=\"published at the next start\"");
}

static void add_options(struct arena *a, struct xml *pubsub)
{
	struct xml *form = form_new(a, xml_add(a, pubsub, "publish-options", NULL), "submit", NS_PUBSUB "#publish-options");

	form_field(a, form, NULL, "pubsub#access_model", NULL, STR("open"));
	form_field(a, form, NULL, "pubsub#max_items", NULL, STR("1"));
	form_field(a, form, NULL, "pubsub#publish_model", NULL, STR("publishers"));
}

static void on_first_turn(struct timer *t)
{
	struct core *c = container_of(t, struct start, timer)->core;
	const struct hosts *hosts = c->env->hosts;
	struct str domain = c->env->domain;
	struct arena *a = core_arena(c);
	struct xml *pubsub = xml_new(a, "pubsub", NS_PUBSUB), *el = xml_add(a, pubsub, "publish", NULL), *info, *query;
	struct jid to = jid_make(a, STR_NONE, arena_printf(a, "pubsub.%.*s", STR_ARG(domain)), STR_NONE);

	xml_set(a, el, "node", STR("serverinfo"));
	el = xml_add(a, el, "item", NULL);
	xml_set(a, el, "id", STR("current"));
	info = xml_add(a, el, "serverinfo", NS_SERVERINFO);
	for (int i = 0; i < atomic_load(&hosts->n); i++)
		xml_set(a, xml_add(a, info, "domain", NULL), "name", hosts->v[i]->domain);
	query = xml_add(a, info, "query", NS_VERSION);
	xml_add_text(a, query, "name", STR("Anser"));
	xml_add_text(a, query, "version", STR(ANSER_VERSION));
	add_options(a, pubsub);
	if (iq_ask(c, &(struct question){ .from = jid_trust(domain), .to = to, .type = IQ_SET, .payload = pubsub, .fn = on_published }))
		on_published(c, NULL, NULL);
}

static void on_start(struct core *c)
{
	struct start *st;

	if (c->shard->index != FIRST_SHARD || !config_bool(core_config(c), "serverinfo.publish"))
		return;
	st = c->slot[SLOT_SERVERINFO] = mem_zalloc(sizeof(*st));
	st->core = c;
	st->timer.on_time = on_first_turn;
	timer_set(&c->shard->loop, &st->timer, 0);
}

static void on_stop(struct core *c)
{
	struct start *st = c->slot[SLOT_SERVERINFO];

	if (st)
		timer_cancel(&c->shard->loop, &st->timer);
	free(st);
	c->slot[SLOT_SERVERINFO] = NULL;
}

static void disco_forms(struct core *c, struct xml *query)
{
	struct arena *a = core_arena(c);

	if (config_bool(core_config(c), "serverinfo.publish"))
		xml_set(a, xml_add(a, query, "feature", NULL), "var", STR(NS_SERVERINFO));
}

static const struct spec specs[] = { { "XEP-0485", "1.0.0" }, { NULL, NULL } };

const struct feature feature_serverinfo = {
	.name = "serverinfo",
	.specs = specs,
	.options = options,
	.on_start = on_start,
	.on_stop = on_stop,
	.disco_forms = disco_forms,
};

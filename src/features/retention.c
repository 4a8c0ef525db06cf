/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* How long archives keep messages (core/retention): the options, and the administrator's ad-hoc command (XEP-0050) that gives one
 * account or room a time of its own. */
#include "core/retention.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/command.h"
#include "core/feature.h"
#include "proto/xmpp/form.h"
#include "proto/xmpp/ns.h"

static void ask_form(struct iq *iq)
{
	struct arena *a = core_arena(iq->core);
	struct xml *form = form_new(a, NULL, "form", NS_KEEP), *c = xml_new(a, "command", NS_COMMANDS);
	struct str session = xml_get(iq->el, "sessionid");

	form_field(a, form, "jid-single", "jid", "Account or room", STR_NONE);
	form_field(a, form, "text-single", "days", "Days; 0: for ever; empty: as the server's options say", STR_NONE);
	xml_set(a, c, "node", STR(NS_KEEP));
	xml_set(a, c, "sessionid", session.n ? session : iq->st->id);
	xml_set(a, c, "status", STR("executing"));
	xml_set(a, xml_add(a, c, "actions", NULL), "execute", STR("complete"));
	xml_add(a, c->first, "complete", NULL);
	xml_append(c, form);
	iq_result(iq, c);
}

/* The first shard's look; here a change is seen at once. */
struct look_mail {
	struct mail mail;
};

static void on_look(struct shard *s, struct mail *m)
{
	retention_look(s->core);
	free(m);
}

static const struct mail_kind look_kind = { "archive.keep", on_look, NULL, true };

static void look_soon(struct core *c)
{
	struct look_mail *m = mem_zalloc(sizeof(*m));

	m->mail.kind = &look_kind;
	if (shard_post(c->env->shards->v[0], &m->mail))
		free(m);
}

static void on_set(struct iq *iq)
{
	look_soon(iq->core);
	command_done(iq, NULL);
}

static void set(struct iq *iq, struct str owner, uint32_t days)
{
	struct store_batch *b = store_batch_new();

	retention_set(b, owner, days);
	iq_commit(iq, b, on_set);
}

static void keep(struct iq *iq, struct xml *form)
{
	struct arena *a = core_arena(iq->core);
	struct str text;
	uint64_t days = UINT32_MAX;
	struct jid jid;

	if (!form) {
		ask_form(iq);
		return;
	}
	text = str_trim(form_value(a, form, "days"));
	if (jid_parse(a, str_trim(form_value(a, form, "jid")), &jid) || !jid_is_bare(jid) ||
		core_host_of(iq->core, jid_domain(jid)) != core_host(iq->core, jid_domain(iq->st->to)))
		iq_error(iq, ERR_BAD_REQUEST, "jid is an account or a room of this domain.");
	else if (text.n && str_u64(text, RETENTION_DAYS_MAX, &days))
		iq_error(iq, ERR_BAD_REQUEST, "days is a number up to 36500.");
	else
		set(iq, jid.full, (uint32_t)days);
}

static const struct option options[] = {
	{ "archive.keep_days", OPT_INT, "0", 0, RETENTION_DAYS_MAX, NULL, "Days that messages stay in an account's archive; 0: for ever." },
	{ "archive.room_keep_days", OPT_INT, "0", 0, RETENTION_DAYS_MAX, NULL, "Days that messages stay in a room's archive; 0: for ever." },
	{ NULL },
};
static const struct command commands[] = {
	{ NS_KEEP, "How long to keep messages", TO_SERVER, true, keep },
	{ 0 },
};

const struct feature feature_retention = {
	.name = "retention",
	.options = options,
	.commands = commands,
	.on_start = retention_start,
};

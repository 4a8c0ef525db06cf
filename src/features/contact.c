/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whom to write about this service: XEP-0157 1.1.1 contact addresses and XEP-0455 0.4.0 where outages are told, as XEP-0128 1.0.1 forms
 * of the domain. The status file itself lies on another machine (`anser outage` writes one). */
#include "base/config.h"
#include "core/feature.h"
#include "proto/xmpp/form_rule.h"
#include "proto/xmpp/ns.h"

#define DOC(who) "Addresses of " who ", separated by spaces: URIs as mailto:NAME@HOST, xmpp:NAME@HOST, https://HOST/. Empty: none told."

static const struct {
	const char *option, *var;
} rows[] = {
	{ "contact.abuse", "abuse-addresses" },
	{ "contact.admin", "admin-addresses" },
	{ "contact.feedback", "feedback-addresses" },
	{ "contact.sales", "sales-addresses" },
	{ "contact.security", "security-addresses" },
	{ "contact.status", "status-addresses" },
	{ "contact.support", "support-addresses" },
};

static const struct option options[] = {
	{ "contact.abuse", OPT_STRING, "", 0, 0, NULL, DOC("those who deal with abuse") },
	{ "contact.admin", OPT_STRING, "", 0, 0, NULL, DOC("the administrators") },
	{ "contact.feedback", OPT_STRING, "", 0, 0, NULL, DOC("those who want to hear what people think") },
	{ "contact.sales", OPT_STRING, "", 0, 0, NULL, DOC("those who sell") },
	{ "contact.security", OPT_STRING, "", 0, 0, NULL, DOC("those who want to know of security problems") },
	{ "contact.status", OPT_STRING, "", 0, 0, NULL, DOC("pages that tell how the service is") },
	{ "contact.support", OPT_STRING, "", 0, 0, NULL, DOC("those who help") },
	{ "contact.outage", OPT_STRING, "", 0, 0, NULL,
		"URLs, separated by spaces, of the machine-readable status file (XEP-0455) on another host. Empty: none." },
	{ NULL },
};

/* Adds a field with a value per word. Returns whether there was one. */
static bool add(struct arena *a, struct xml *form, const char *var, struct str words)
{
	struct xml *field = NULL;

	while (words.n) {
		struct str word = str_cut(words, ' ', &words);

		if (!word.n)
			continue;
		if (!field)
			field = form_field(a, form, "list-multi", var, NULL, STR_NONE);
		xml_add_text(a, field, "value", word);
	}
	return field != NULL;
}

static void disco_forms(struct core *c, struct xml *query)
{
	struct arena *a = core_arena(c);
	const struct config *cfg = core_config(c);
	struct xml *info = form_new(a, NULL, "result", NS_SERVERINFO_FORM), *outage = form_new(a, NULL, "result", NS_SOS);
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		any |= add(a, info, rows[i].var, str_of(config_str(cfg, rows[i].option)));
	if (config_bool(cfg, "serverinfo.publish")) { /* XEP-0485 §3 wants one form for both */
		form_field(a, info, "text-single", "serverinfo-pubsub-node", NULL,
			arena_printf(a, "xmpp:pubsub.%.*s?;node=serverinfo", STR_ARG(c->env->domain)));
		any = true;
	}
	if (any)
		xml_append(query, info);
	if (add(a, outage, "external-status-addresses", str_of(config_str(cfg, "contact.outage"))))
		xml_append(query, outage);
}

static const struct spec specs[] = { { "XEP-0157", "1.1.1" }, { "XEP-0128", "1.0.1" }, { "XEP-0455", "0.4.0" }, { NULL, NULL } };

const struct feature feature_contact = {
	.name = "contact",
	.specs = specs,
	.options = options,
	.disco_forms = disco_forms,
};

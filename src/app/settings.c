/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration of a command line. */
#include "app/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/config_file.h"
#include "app/hosting.h"
#include "app/options.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/must.h"
#include "core/component.h"
#include "proto/xmpp/jid.h"

enum { SENTENCE_MAX = 600, NAME_MAX_BYTES = 100 };

/* SECTION.KEY=VALUE */
static int set_one(struct config *c, const char *text, char *err, size_t err_n)
{
	const char *eq = strchr(text, '=');
	char name[NAME_MAX_BYTES + 1];

	if (!eq || eq == text || eq - text > NAME_MAX_BYTES) {
		snprintf(err, err_n, "--set takes SECTION.KEY=VALUE, not \"%.100s\"", text);
		return -EINVAL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(eq - text), text);
	return config_set(c, name, eq + 1, err, err_n);
}

static int normalise_domain(struct config *c, char *err, size_t err_n)
{
	const char *text = config_str(c, "server.domain");
	struct arena a = { 0 };
	struct str domain;
	int status;

	arena_init(&a);
	status = jid_nameprep(&a, str_of(text), &domain);
	if (status || memchr(domain.p, '@', domain.n) || memchr(domain.p, '/', domain.n)) {
		snprintf(err, err_n, "server.domain is \"%.100s\", which is not a domain name", text);
		status = -EINVAL;
	} else {
		domain = arena_str(&a, domain);
		status = config_set(c, "server.domain", domain.p, err, err_n);
	}
	arena_fini(&a);
	return status;
}

static int check_hosts(const struct config *c, char *err, size_t err_n)
{
	struct str names[HOSTS_MAX];
	struct arena a;
	int n;

	arena_init(&a);
	n = hosting_list(c, &a, names, err, err_n);
	arena_fini(&a);
	return n < 0 ? n : 0;
}

static int check_components(const struct config *c, char *err, size_t err_n)
{
	struct str names[HOSTS_MAX + 1];
	struct components *cs = NULL;
	struct arena a;
	int status = components_new(c, &cs, err, err_n), n;

	arena_init(&a);
	n = hosting_list(c, &a, names, err, err_n);
	for (int i = 0; !status && i < cs->n; i++) {
		for (int k = 0; k < n; k++) {
			if (!str_eq(cs->v[i]->name, names[k]))
				continue;
			snprintf(err, err_n, "hosts: \"%.*s\" is a component", STR_ARG(names[k]));
			status = -EINVAL;
		}
	}
	components_free(cs);
	arena_fini(&a);
	return status;
}

struct config *settings_load(const struct cli *cli, char *err, size_t err_n)
{
	struct config *c = options_new();
	int status = cli->config ? config_file_load(c, cli->config, err, err_n) : 0;

	if (!status && cli->domain)
		status = config_set(c, "server.domain", cli->domain, err, err_n);
	for (int i = 0; !status && i < cli->sets_n; i++)
		status = set_one(c, cli->sets[i], err, err_n);
	if (!status)
		status = options_check(c, err, err_n);
	if (!status)
		status = normalise_domain(c, err, err_n);
	if (!status)
		status = check_hosts(c, err, err_n);
	if (!status)
		status = check_components(c, err, err_n);
	if (status) {
		config_free(c);
		return NULL;
	}
	return c;
}

void settings_log(const struct config *c)
{
	enum log_level level = LOG_INFO;

	must(log_level_parse(config_str(c, "log.level"), &level) == 0);
	log_setup(level, strcmp(config_str(c, "log.format"), "json") == 0 ? LOG_JSON : LOG_TEXT);
}

int verb_config(const struct cli *cli)
{
	char err[SENTENCE_MAX];
	struct buf text = { 0 };
	struct config *c;

	if (cli->explain == cli->check) {
		cli_error("usage: anser config --explain, or anser config --check --config FILE");
		return CLI_USAGE;
	}
	c = settings_load(cli, err, sizeof(err));
	if (!c) {
		cli_error("%s", err);
		return CLI_FAILED;
	}
	if (cli->explain) {
		config_explain(c, &text);
		fwrite(text.p, 1, text.n, stdout);
	} else {
		puts("the configuration is good");
	}
	buf_free(&text);
	config_free(c);
	return CLI_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verbs of the program. */
#include <stdio.h>

#include "admin/cli.h"
#include "app/settings.h"

static int verb_version(const struct cli *cli)
{
	(void)cli;
	puts("anser " ANSER_VERSION);
	return CLI_OK;
}

static const struct cli_verb verbs[] = {
	{ "serve", "", 0, 0, CLI_DATA | CLI_DOMAIN | CLI_CONFIG, "Run the server until SIGTERM; SIGHUP reloads.", verb_serve },
	{ "user add", "NAME", 1, 2, CLI_DATA | CLI_DOMAIN | CLI_PASSWORD | CLI_ADMIN | CLI_MANY, "Create an account.", verb_user_add },
	{ "user passwd", "NAME", 1, 1, CLI_DATA | CLI_PASSWORD, "Set a password; remembered sign-ins end.", verb_user_passwd },
	{ "user totp", "off NAME", 2, 2, CLI_DATA, "Turn the second factor of an account off; remembered sign-ins end.", verb_user_totp },
	{ "user list", "[HOST]", 0, 1, CLI_DATA | CLI_JSON, "List the accounts.", verb_user_list },
	{ "user delete", "NAME", 1, 1, CLI_DATA | CLI_YES, "Delete an account and its archive.", verb_user_delete },
	{ "invite", "[HOST]", 0, 1, CLI_DATA | CLI_DOMAIN | CLI_URL, "Make a link that creates one account.", verb_invite },
	{ "reports", "[HOST]", 0, 1, CLI_DATA | CLI_JSON, "List the open reports of abuse.", verb_reports },
	{ "report close", "ID [HOST]", 1, 2, CLI_DATA, "Take a report out of the queue.", verb_report_close },
	{ "status", "", 0, 0, CLI_DATA | CLI_JSON, "Tell how the server is.", verb_status },
	{ "backup", "TO", 1, 1, CLI_DATA, "Copy everything into the new directory TO.", verb_backup },
	{ "restore", "FROM", 1, 1, CLI_DATA, "Check a backup and put it into an empty data directory.", verb_restore },
	{ "import", "FILE|DIR", 1, 1, CLI_DATA | CLI_DOMAIN | CLI_IMPORT, "Take accounts from a portable export (XEP-0227).", verb_import },
	{ "export", "FILE|DIR/ [NAME@HOST]", 1, 2, CLI_DATA, "Write all accounts, or one, as a portable export.", verb_export },
	{ "outage", "MESSAGE [BEGIN [END]]", 1, 3, CLI_PLANNED, "Print a status file that tells clients of an outage (XEP-0455).", verb_outage },
	{ "config", "", 0, 0, CLI_DOMAIN | CLI_CONFIG | CLI_EXPLAIN, "Explain or check the configuration.", verb_config },
	{ "version", "", 0, 0, 0, "Print the version.", verb_version },
	{ "--version", "", 0, 0, 0, "The same.", verb_version },
	{ NULL },
};

int main(int argc, char **argv)
{
	return cli_main(verbs, argc, argv);
}

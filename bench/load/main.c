/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* anser-load SCENE [--option value ...]: an independent XMPP load generator. */
#include "opts.h"
#include "scenes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(const struct opts *o);
	const char *doc;
} scenes[] = {
	{ "chat", scene_chat, "pairs chat: closed loop, or open loop with --rate" },
	{ "idle", scene_idle, "--count sessions that do nothing" },
	{ "room", scene_room, "--count occupants join a room and talk" },
	{ "login", scene_login, "--count accounts log in and out, --cycles times" },
	{ "archive", scene_archive, "the first account pages through its archive, --cycles times" },
	{ "durable-send", scene_durable_send, "messages with acknowledgements until the server is killed" },
	{ "durable-check", scene_durable_check, "what has become of them" },
	{ "pep", scene_pep, "the first account publishes to --count contacts who want it" },
	{ "presence", scene_presence, "the first account comes and goes before --count contacts" },
	{ "start", scene_start, "-- COMMAND: time from exec to the first finished login" },
};

#define N_SCENES (sizeof(scenes) / sizeof(scenes[0]))

static int help(void)
{
	printf("anser-load SCENE [--option value ...]\n\nscenes:\n");
	for (size_t i = 0; i < N_SCENES; i++)
		printf("  %-14s %s\n", scenes[i].name, scenes[i].doc);
	printf("\noptions [default]:\n");
	opts_help();
	return 0;
}

int main(int argc, char **argv)
{
	struct opts o;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0)
		return help();
	for (size_t i = 0; i < N_SCENES; i++) {
		if (strcmp(argv[1], scenes[i].name) != 0)
			continue;
		if (opts_parse(argc - 2, argv + 2, &o) < 0)
			return 2;
		return scenes[i].run(&o) < 0 ? 1 : 0;
	}
	fprintf(stderr, "unknown scene: %s\n", argv[1]);
	return 2;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The verb `outage`: writes the machine-readable status of XEP-0455 0.4.0 §2.2 to standard output, for the web server of another machine
 * (contact.outage names it to clients). No server is asked. */
#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "admin/cli.h"
#include "base/clock.h"

/* A time as XEP-0082 writes it, from what the operator typed; now when it is absent. Returns false when it is no time. */
static bool time_word(struct arena *a, const char *word, struct str *out)
{
	uint64_t ms = clock_wall_ms();

	if (word && time_parse(str_of(word), &ms)) {
		cli_error("%s is no time; write it as 2026-12-31T22:00:00Z", word);
		return false;
	}
	*out = time_format(a, ms / 1000 * 1000);
	return true;
}

int verb_outage(const struct cli *c)
{
	struct str begin, end = STR_NONE;
	struct arena a;
	json_t *j;
	int code = CLI_USAGE;

	arena_init(&a);
	if (time_word(&a, c->words_n > 1 ? c->words[1] : NULL, &begin) && (c->words_n < 3 || time_word(&a, c->words[2], &end))) {
		j = json_pack("{s:b, s:s%, s:{s:s}}", "planned", (int)c->planned, "beginning", begin.p, begin.n, "message", "default",
			c->words[0]);
		if (j && end.n)
			json_object_set_new(j, "expected_end", json_stringn(end.p, end.n));
		code = j && !json_dumpf(j, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) ? CLI_OK : CLI_FAILED;
		putchar('\n');
		json_decref(j);
	}
	arena_fini(&a);
	return code;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whatever comes in at /http-bind: no request is answered twice, none is forgotten, nothing crashes or leaks.
 *
 * The input is a row of request bodies; "$SID" stands for the sid that was given out last, "$N" (a digit) for the N-th rid behind that of
 * the creation. These bytes, which no body has, stand between them:
 *   1  the request comes in at this shard     2  … at the other shard     3  the server works until it is quiet
 *   4  time passes                            5  the same request again
 *   6  the connection of the last request is gone */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "core/core.h"
#include "house.h"
#include "xmpp/bosh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const int fuzz_whole_files_only;
const int fuzz_whole_files_only = 1;

enum { FIRST_RID = 1000, REQUESTS_MAX = 200, PASS_MS = 30000, END_MS = 300000 };

static struct house house;
static uint8_t answers[REQUESTS_MAX + 1];
static uint64_t asked;
static char sid[128], *handles[REQUESTS_MAX + 1];
static struct shard *homes[REQUESTS_MAX + 1];

static void on_answer(struct shard *s, id_t64 exchange, struct str type, struct str body)
{
	const char *at = memmem(body.p, body.n, " sid='", 6);

	must(exchange >= 1 && exchange <= asked && answers[exchange] != 1 && type.n);
	must(str_starts(body, STR("<body xmlns='http://jabber.org/protocol/httpbind'")));
	answers[exchange] = 1;
	if (at)
		snprintf(sid, sizeof(sid), "%.*s", (int)strcspn(at + 6, "'"), at + 6);
}

/* Puts the sid and rids in. */
static void fill(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		struct str rest = { text.p + i, text.n - i };

		if (str_starts(rest, STR("$SID"))) {
			buf_puts(out, sid);
			i += 3;
		} else if (rest.n > 1 && rest.p[0] == '$' && rest.p[1] >= '0' && rest.p[1] <= '9') {
			buf_printf(out, "%d", FIRST_RID + rest.p[1] - '0');
			i++;
		} else {
			buf_putc(out, text.p[i]);
		}
	}
}

static void ask(int shard, struct str text)
{
	struct shard *sh = house.shards.v[shard], *before;
	struct buf body = { 0 };

	if (asked >= REQUESTS_MAX)
		return;
	fill(&body, text);
	asked++;
	before = shard_play(sh);
	free(handles[asked]);
	handles[asked] = bosh_request(sh, asked, STR("192.0.2.1"), buf_view(&body), on_answer);
	homes[asked] = sh;
	shard_play(before);
	buf_free(&body);
	house_turn(&house, shard);
}

/* As HTTP does, once, for a request that is not answered. */
static void hang_up(void)
{
	struct shard *before;

	if (!asked || answers[asked] || !handles[asked])
		return;
	before = shard_play(homes[asked]);
	bosh_hung_up(homes[asked], asked, handles[asked]);
	shard_play(before);
	answers[asked] = 2;
	house_turn(&house, homes[asked]->index);
}

static void play(const uint8_t *data, size_t size)
{
	struct str last = STR_NONE;
	size_t from = 0;

	for (size_t i = 0; i <= size; i++) {
		uint8_t byte = i < size ? data[i] : 1;
		struct str text = { (const char *)data + from, i - from };

		if (byte < 1 || byte > 6)
			continue;
		from = i + 1;
		if (byte == 3)
			house_quiet(&house);
		else if (byte == 4)
			house_skip(&house, PASS_MS);
		else if (byte == 5)
			ask(1, last);
		else if (byte == 6)
			hang_up();
		if (byte > 2)
			continue;
		ask(byte - 1, text);
		last = text;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(answers, 0, sizeof(answers));
	asked = 0;
	sid[0] = '\0';
	house_open(&house, 2, false);
	house_account(&house, "user0");
	house_account(&house, "user1");
	play(data, size);
	house_quiet(&house);
	house_skip(&house, END_MS); /* whatever waits is answered or given up */
	for (uint64_t i = 1; i <= asked; i++)
		must(answers[i]);
	house_shutdown(&house);
	for (int i = 0; i < house.shards.n; i++) {
		struct shard *before = shard_play(house.shards.v[i]);

		bosh_stop(house.shards.v[i]);
		shard_play(before);
	}
	house_quiet(&house);
	for (int i = 0; i < house.shards.n; i++)
		bosh_fini(house.shards.v[i]);
	house_close(&house);
	for (uint64_t i = 1; i <= asked; i++) {
		free(handles[i]);
		handles[i] = NULL;
	}
	return 0;
}

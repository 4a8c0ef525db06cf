/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whatever clients say to a whole server: it never crashes, leaks or hangs, and still answers somebody else afterwards.
 *
 * The first byte is a set of flags, enum setting. The rest goes to one of two clients, but for these bytes, which no stanza has:
 *   1  the server works until it is quiet: splits the input
 *   2  the other client speaks
 *   3  the client's connection breaks, and a new one resumes its session
 *   4  the client signs in once more, with the same resource
 *   5  the disk stops or goes on     6  reading stops or goes on     7  the disk refuses or works again
 *   14 time passes                   15 the connection breaks */
#include <stdio.h>

#include "core/roster.h"
#include "house.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const int fuzz_whole_files_only;
const int fuzz_whole_files_only = 1;

enum setting { SIGNED_IN = 1, AVAILABLE = 2, FRIENDS = 4, NO_SM = 8, SASL2 = 16 };
enum { CLIENTS = 2, CONNECTIONS_MAX = 24, PASS_MS = 7000 };

struct play {
	struct house house;
	struct house_client *client[CLIENTS];
	char token[CLIENTS][64];
	int speaker, store;
	uint8_t settings;
};

/* At home in different shards. */
static char names[CLIENTS][64];

static void sign_in(struct play *p, int i)
{
	struct house_client *c = p->client[i] = house_connect(&p->house, 0);

	if (p->settings & SASL2) {
		client_authenticate(c, names[i],
			"<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/><bind xmlns='urn:xmpp:bind:0'><tag>x</tag>"
			"<enable xmlns='urn:xmpp:carbons:2'/><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>");
		client_expect(c, "</stream:features>");
	} else {
		client_sign_in(c, names[i], "x");
		if (!(p->settings & NO_SM))
			snprintf(p->token[i], sizeof(p->token[i]), "%s", client_enable_sm(c));
	}
	if (p->settings & AVAILABLE)
		client_send(c, "<presence/>");
	house_quiet(&p->house);
}

static bool may_connect(const struct play *p)
{
	return (p->settings & SIGNED_IN) && !p->store && p->house.clients_n < CONNECTIONS_MAX;
}

static void again(struct play *p)
{
	if (!may_connect(p))
		return;
	client_take(p->client[p->speaker]); /* buffers of the past are not worth their memory */
	sign_in(p, p->speaker);
}

static void resume(struct play *p)
{
	int i = p->speaker;

	if (!may_connect(p) || !p->token[i][0])
		return;
	client_close(p->client[i]);
	p->client[i] = house_connect(&p->house, 1);
	client_authenticate(p->client[i], names[i], "");
	client_expect(p->client[i], "</stream:features>");
	client_send(p->client[i], "<resume xmlns='urn:xmpp:sm:3' h='0' previd='%s'/>", p->token[i]);
}

static void toggle(struct play *p, int how)
{
	house_quiet(&p->house);
	p->store ^= how;
	house_store(p->store);
}

static void control(struct play *p, uint8_t byte)
{
	if (byte == 1)
		house_quiet(&p->house);
	else if (byte == 2)
		p->speaker ^= 1;
	else if (byte == 3)
		resume(p);
	else if (byte == 4)
		again(p);
	else if (byte <= 7)
		toggle(p, byte == 5 ? WRITES_WAIT : byte == 6 ? READS_WAIT : WRITES_FAIL);
	else if (byte == 14)
		house_skip(&p->house, PASS_MS);
	else
		client_close(p->client[p->speaker]);
}

static bool is_control(uint8_t byte)
{
	return (byte >= 1 && byte <= 7) || byte == 14 || byte == 15;
}

static void speak(struct play *p, const uint8_t *data, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && !is_control(data[i]))
			continue;
		client_bytes(p->client[p->speaker], data + from, i - from);
		if (i < size)
			control(p, data[i]);
		from = i + 1;
	}
}

static void start(struct play *p)
{
	house_open(&p->house, CLIENTS, false);
	for (int i = 0; i < CLIENTS; i++)
		house_account(&p->house, house_name_in(&p->house, i, "user", names[i]));
	house_account(&p->house, "witness");
	if (p->settings & FRIENDS) {
		char a[128], b[128];

		snprintf(a, sizeof(a), "%s@" HOUSE_DOMAIN, names[0]);
		snprintf(b, sizeof(b), "%s@" HOUSE_DOMAIN, names[1]);
		roster_befriend(&p->house.env, str_of(a), str_of(b));
		house_quiet(&p->house);
	}
	for (int i = 0; i < CLIENTS; i++)
		if (p->settings & SIGNED_IN)
			sign_in(p, i);
		else
			p->client[i] = house_connect(&p->house, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = { 0 };
	struct house_client *witness;

	if (size < 1)
		return 0;
	p.settings = data[0];
	start(&p);
	speak(&p, data + 1, size - 1);
	house_quiet(&p.house);
	house_store(STORE_WORKS);
	house_quiet(&p.house);
	witness = house_connect(&p.house, 1);
	client_sign_in(witness, "witness", "w");
	client_ping(witness);
	house_close(&p.house);
	return 0;
}

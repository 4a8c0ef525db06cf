/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Client side of SCRAM (RFC 5802, RFC 7677), without channel binding, with the derived keys cached. */
#ifndef BENCH_SCRAM_H
#define BENCH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>

#define SCRAM_TEXT 512

struct scram {
	bool sha256;
	char nonce[32];
	char first_bare[160]; /* client-first-message-bare */
};

/* Writes the base64 of the client's first message for `user` to out (SCRAM_TEXT bytes). */
void scram_first(struct scram *s, bool sha256, const char *user, char *out);

/* Answers the server's first message (base64). Returns 0; -EBADMSG when it makes no sense. */
int scram_final(struct scram *s, const char *password, const char *challenge, size_t len, char *out);

#endif

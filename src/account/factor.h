/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The second factor: TOTP (RFC 6238) with recovery codes.
 *   kind "scram"    key "totp"     JSON {"secret": base32, "step": the last one used, "created": ms}
 *   kind "factor"   key "pending"  JSON {"secret": base32, "created": ms}: shown, not yet confirmed by a first code
 *   kind "recovery" key hex(HMAC-SHA-256(server's secret, "recovery" 0 node 0 code))  an unused recovery code
 * A code counts once: the step is on disk before the answer. Turning it on or off ends all FAST tokens. Slowing guesses down is the
 * caller's part (core/throttle.h). Calls and results: as account.h. */
#ifndef ACCOUNT_FACTOR_H
#define ACCOUNT_FACTOR_H

#include "account/account.h"

enum {
	FACTOR_PENDING_MS = 15 * 60000,
	FACTOR_RECOVERY_CODES = 10,
	FACTOR_RECOVERY_CHARS = 16, /* 80 random bits, in groups of four */
	FACTOR_CODE_MAX = 64,	    /* bytes of what a person types */
};

/* Makes a secret that waits for its first code; an earlier one is forgotten. status -EEXIST: it is on already. uri: otpauth://…,
 * secret: base32, for typing. */
typedef void factor_secret_fn(struct shard *s, void *arg, int status, struct str secret, struct str uri);
int factor_begin(struct accounts *ac, struct shard *s, struct str node, factor_secret_fn *done, void *arg);
/* The first code turns it on. status -EACCES wrong; -ENOENT nothing waits, or it waited too long; codes: the recovery codes, told once. */
typedef void factor_codes_fn(struct shard *s, void *arg, int status, const struct str *codes, size_t n);
int factor_confirm(struct accounts *ac, struct shard *s, struct str node, struct str code, factor_codes_fn *done, void *arg);
/* New recovery codes in place of the old ones. status -ENOENT: it is off. */
int factor_recovery_new(struct accounts *ac, struct shard *s, struct str node, factor_codes_fn *done, void *arg);

/* Checks and uses up a code of the application, or a recovery code. status 0; -EACCES wrong, used, or the factor is off. */
int factor_check(struct accounts *ac, struct shard *s, struct str node, struct str code, account_done_fn *done, void *arg);
int factor_recover(struct accounts *ac, struct shard *s, struct str node, struct str code, account_done_fn *done, void *arg);
/* status -ENOENT: it was off. */
int factor_off(struct accounts *ac, struct shard *s, struct str node, account_done_fn *done, void *arg);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One-time passwords: HOTP (RFC 4226) and TOTP (RFC 6238) as authenticator applications have them: SHA-1, 6 digits, steps of 30 s.
 * Sans-I/O: the time is an argument. Any thread. */
#ifndef CRYPTO_TOTP_H
#define CRYPTO_TOTP_H

#include "base/arena.h"
#include "crypto/hash.h"

enum {
	TOTP_STEP_S = 30,
	TOTP_DIGITS = 6,
	TOTP_WINDOW = 1,	/* steps before and after now that count too (RFC 6238 §5.2) */
	TOTP_SECRET_BYTES = 20, /* RFC 4226 §4: 160 bits are recommended */
};

/* RFC 4226 §5.3. digits: 6 to 8. */
uint32_t hotp(enum hash_alg alg, struct str secret, uint64_t counter, int digits);
/* The step that this moment belongs to. */
uint64_t totp_step(uint64_t now_s);
/* Is code that of a step near now that is later than last_step (0: none was used yet)? Spaces in it are skipped. Constant in time for
 * codes of one length. Returns the step, which is used now; 0: no. */
uint64_t totp_check(struct str secret, struct str code, uint64_t now_s, uint64_t last_step);
/* otpauth://totp/ISSUER:NAME?secret=…&issuer=ISSUER, percent-encoded: what authenticator applications read from a picture. */
struct str totp_uri(struct arena *a, struct str secret, struct str issuer, struct str name);

#endif

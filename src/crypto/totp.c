/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* One-time passwords: HOTP (RFC 4226), TOTP (RFC 6238). */
#include "crypto/totp.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/must.h"
#include "crypto/random.h"

uint32_t hotp(enum hash_alg alg, struct str secret, uint64_t counter, int digits)
{
	uint8_t text[8], mac[HASH_MAX];
	uint32_t value, modulus = 1;
	size_t at;

	must(digits >= 6 && digits <= 8);
	for (int i = 0; i < 8; i++)
		text[i] = (uint8_t)(counter >> (56 - 8 * i));
	hmac(alg, secret, (struct str){ (const char *)text, sizeof(text) }, mac);
	at = mac[hash_size(alg) - 1] & 15; /* RFC 4226 §5.3: dynamic truncation */
	value = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
	wipe(mac, sizeof(mac));
	for (int i = 0; i < digits; i++)
		modulus *= 10;
	return value % modulus;
}

uint64_t totp_step(uint64_t now_s)
{
	return now_s / TOTP_STEP_S;
}

/* Six digits, perhaps in groups. */
static bool read_code(struct str code, char out[TOTP_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < code.n; i++) {
		if (code.p[i] == ' ')
			continue;
		if (n == TOTP_DIGITS || code.p[i] < '0' || code.p[i] > '9')
			return false;
		out[n++] = code.p[i];
	}
	return n == TOTP_DIGITS;
}

uint64_t totp_check(struct str secret, struct str code, uint64_t now_s, uint64_t last_step)
{
	char digits[TOTP_DIGITS], want[16];
	uint64_t now = totp_step(now_s), found = 0;

	if (!read_code(code, digits))
		return 0;
	/* All steps are tried, whichever fits. */
	for (int i = -TOTP_WINDOW; i <= TOTP_WINDOW; i++) {
		uint64_t step = now + (uint64_t)(int64_t)i;

		snprintf(want, sizeof(want), "%06u", hotp(HASH_SHA1, secret, step, TOTP_DIGITS));
		if (equal_ct((struct str){ digits, TOTP_DIGITS }, (struct str){ want, TOTP_DIGITS }) && step > last_step)
			found = step;
	}
	wipe(want, sizeof(want));
	return found;
}

static void put_encoded(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], letter = c | 32;

		if ((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_')
			buf_putc(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

struct str totp_uri(struct arena *a, struct str secret, struct str issuer, struct str name)
{
	struct buf b = { 0 };
	struct str uri;

	buf_puts(&b, "otpauth://totp/");
	put_encoded(&b, issuer);
	buf_putc(&b, ':');
	put_encoded(&b, name);
	buf_puts(&b, "?secret=");
	buf_str(&b, base32_encode(a, secret));
	buf_puts(&b, "&issuer=");
	put_encoded(&b, issuer);
	uri = arena_str(a, buf_view(&b));
	wipe(b.p, b.n);
	buf_free(&b);
	return uri;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Small texts of base: times, base64, UTF-8. What is read and written must read the same again. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size }, out;
	struct arena a = { 0 };
	uint64_t ms, back;
	size_t pos = 0;

	if (time_parse(in, &ms) == 0 && ms <= 253402300799999)
		must(time_parse(time_format(&a, ms), &back) == 0 && back == ms);
	/* Strict decoding: there is one text for given bytes. */
	if (base64_decode(&a, in, &out) == 0)
		must(str_eq(base64_encode(&a, out), in));
	if (base64url_decode(&a, in, &out) == 0)
		must(str_eq(base64url_encode(&a, out), in));
	while (pos < in.n && utf8_next(in, &pos) >= 0)
		;
	must((pos == in.n) == utf8_valid(in));
	arena_fini(&a);
	return 0;
}

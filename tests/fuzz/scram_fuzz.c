/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* A whole SCRAM dialogue: the first line is client-first, the rest client-final. No input may be accepted by fake keys. */
#include "base/must.h"
#include "crypto/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str final, first = str_cut((struct str){ (const char *)data, size }, '\n', &final), user, authzid, out;
	struct scram_server s;
	struct scram_keys keys;
	struct arena a = { 0 };
	bool plus = size % 2;

	scram_server_init(&s, HASH_SHA256, plus, true);
	if (scram_server_first(&s, &a, first, &user, &authzid) == SCRAM_OK) {
		must(user.n && user.n <= first.n);
		must(!plus == !s.cb_type[0]);
		scram_keys_fake(HASH_SHA256, 4096, STR("secret"), user, &keys);
		must(scram_server_challenge(&s, &a, STR("nonce"), &keys, STR("SCRAM-SHA-256"), &out) == SCRAM_OK);
		must(scram_server_final(&s, &a, final, STR("data"), &out) != SCRAM_OK);
		must(str_starts(out, STR("e=")));
	}
	scram_server_fini(&s);
	arena_fini(&a);
	return 0;
}

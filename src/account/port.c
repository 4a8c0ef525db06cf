/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Records of accounts for import and export. */
#include "account/port.h"

#include <errno.h>

#include "account/record.h"
#include "base/clock.h"

int port_mechanism(struct str name, enum hash_alg *out)
{
	static const struct str prefix = { "SCRAM-", 6 };

	if (!str_starts(name, prefix))
		return -ENOENT;
	for (int alg = 0; alg < RECORD_ALGS; alg++) {
		if (str_eq((struct str){ name.p + prefix.n, name.n - prefix.n }, record_alg((enum hash_alg)alg))) {
			*out = (enum hash_alg)alg;
			return 0;
		}
	}
	return -ENOENT;
}

struct str port_mechanism_name(struct arena *a, enum hash_alg alg)
{
	return arena_printf(a, "SCRAM-%s", record_alg(alg).p);
}

struct str port_owner(struct arena *a, const struct accounts *ac, struct str node)
{
	return record_owner(a, ac, node);
}

void port_put_account(struct store_batch *b, struct arena *a, const struct accounts *ac, struct str node)
{
	struct str info = record_info_encode(a, false, clock_wall_ms());

	store_insert(b, record_owner(a, ac, node), STR("account"), STR_NONE, info);
	store_put(b, ac->scope, STR("user"), node, info);
}

void port_put_keys(struct store_batch *b, struct arena *a, const struct accounts *ac, struct str node, const struct scram_keys *keys)
{
	store_put(b, record_owner(a, ac, node), STR("scram"), record_alg(keys->alg), record_keys_encode(a, keys));
}

int port_keys(struct str key, struct str value, struct scram_keys *out)
{
	for (int alg = 0; alg < RECORD_ALGS; alg++)
		if (str_eq(key, record_alg((enum hash_alg)alg)))
			return record_keys_decode(value, (enum hash_alg)alg, out);
	return -EBADMSG;
}

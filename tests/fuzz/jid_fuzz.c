/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Addresses: what is taken stays the same when it is read again, and its parts make it up. */
#include "base/must.h"
#include "base/utf8.h"
#include "proto/xmpp/jid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jid j, again;
	struct arena a;

	arena_init(&a);
	if (jid_parse(&a, (struct str){ (const char *)data, size }, &j) == 0) {
		must(utf8_valid(j.full) && !memchr(j.full.p, 0, j.full.n));
		must(jid_node(j).n <= JID_PART_MAX && jid_domain(j).n <= JID_PART_MAX &&
			jid_domain(j).n);
		must(jid_resource(j).n <= JID_PART_MAX);
		must(!memchr(jid_bare_str(j).p, '/', jid_bare_len(j)));
		must(jid_parse(&a, j.full, &again) == 0 && jid_eq(j, again));
		must(again.node_n == j.node_n && again.domain_n == j.domain_n);
		again = jid_make(&a, jid_node(j), jid_domain(j), jid_resource(j));
		must(jid_eq(j, again));
		again = jid_trust(j.full);
		must(again.node_n == j.node_n && again.domain_n == j.domain_n);
	}
	arena_fini(&a);
	return 0;
}
